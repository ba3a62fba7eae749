/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "mw_go_funcs.h"
#include "mw_num.h"

/*
 * The input: u8 minor, u8 number of modules, u32 where go:func.* is, then the
 * program's memory from VA on, with the function table at its start.
 */
#define HEAD 6
#define VA UINT64_C(0x10000)
#define TEXT UINT64_C(0x400000)

struct input {
	const uint8_t *bytes;
	size_t size;
	struct mw_go_tables tables;
	unsigned modules;
};

static bool read_input(void *ctx, uint64_t va, void *to, size_t bytes)
{
	const struct input *in = ctx;

	if (!mw_within(va, bytes, VA, VA + in->size))
		return false;
	memcpy(to, in->bytes + (va - VA), bytes);
	return true;
}

static void check_text(const char *text)
{
	CHECK(text && strlen(text) < MW_KIB(16));
	for (; *text; text++)
		CHECK((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_lines(struct mw_go_funcs *funcs,
			const struct mw_go_func *func, uint64_t pc)
{
	struct mw_go_line lines[8];
	size_t n = mw_go_lines(funcs, func, pc, lines, 8);
	uint64_t bytes = 1;

	CHECK(n >= 1 && n <= 8);
	for (size_t i = 0; i < n; i++) {
		check_text(lines[i].function);
		check_text(lines[i].file);
		CHECK(lines[i].is_inlined == (i + 1 < n));
	}
	CHECK(lines[n - 1].function == mw_go_func_name(funcs, func));
	if (mw_go_frame_bytes(funcs, func, pc, &bytes))
		CHECK(mw_is_aligned(bytes, 8) && bytes <= INT32_MAX);
	else
		CHECK(bytes == 1);
}

static void check_func(struct mw_go_funcs *funcs, uint64_t index)
{
	struct mw_go_func func, found;
	char package[64];
	size_t length;

	if (!mw_go_func_at(funcs, index, &func))
		return;
	CHECK(func.index == index && func.entry < func.end);
	length = mw_go_package(mw_go_func_name(funcs, &func), package,
			       sizeof(package));
	CHECK(length == strlen(package));
	mw_go_func_start_line(funcs, &func);
	check_lines(funcs, &func, func.entry);
	check_lines(funcs, &func, func.entry + (func.end - func.entry) / 2);
	check_lines(funcs, &func, func.end - 1);
	if (mw_go_func_of(funcs, func.entry, &found))
		CHECK(found.entry <= func.entry && func.entry < found.end);
}

static void run(void *ctx)
{
	struct input *in = ctx;
	const struct mw_go_reader reader = { read_input, in };
	struct mw_go_funcs *funcs = NULL;
	struct mw_error *error = mw_go_funcs_new(&reader, &funcs);
	struct mw_go_func func;

	for (unsigned i = 0; i < in->modules && !error; i++)
		error = mw_go_funcs_add(funcs, &in->tables);
	if (error) {
		CHECK(error->code == MW_E_FORMAT || error->code == MW_E_NOMEM);
		CHECK(error->message && *error->message);
		mw_error_free(error);
	}
	if (!funcs)
		return;
	for (uint64_t i = 0; i < mw_min(mw_go_funcs_count(funcs), 16); i++)
		check_func(funcs, i);
	CHECK(!mw_go_func_at(funcs, mw_go_funcs_count(funcs), &func));
	if (mw_go_func_of(funcs, TEXT + 0x5f, &func))
		CHECK(func.entry <= TEXT + 0x5f && TEXT + 0x5f < func.end);
	if (mw_go_funcs_count(funcs) < 1 << 16 &&
	    mw_go_func_named(funcs, "main.big", &func))
		CHECK(mw_alloc_failed() ||
		      strcmp(mw_go_func_name(funcs, &func), "main.big") == 0);
	mw_go_funcs_close(funcs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { 0 };

	if (size < HEAD)
		return 0;
	in.bytes = data + HEAD;
	in.size = size - HEAD;
	in.modules = 1 + data[1] % 3;
	in.tables = (struct mw_go_tables){
		.pclntab = VA,
		.text = TEXT,
		.gofunc = VA + mw_u32(data + 2),
		.minor = data[0],
	};
	fuzz_starve(data, size, run, &in);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_image.h"
#include "mw_elf_symbols.h"
#include "mw_guard.h"
#include "mw_locals.h"
#include "mw_num.h"
#include "mw_space.h"

#define MOST_PCS 256
#define MOST_TEXT 512

struct input {
	struct fuzz_image image;
	uint64_t pcs[MOST_PCS];
	size_t count;
	struct mw_vars *vars; /* that are open */
	size_t visited;
};

static struct mw_vars_memory memory_of(struct input *in)
{
	return (struct mw_vars_memory){ .read = fuzz_image_read,
					.ctx = &in->image };
}

/** Some instructions of each function. */
static void find_code(struct input *in)
{
	struct mw_elf_file *file = NULL;
	struct mw_elf_symbols symbols = { 0 };
	struct mw_error *error = mw_elf_file_open(in->image.fd, &file);

	if (!error)
		error = mw_elf_symbols_load(file, MW_ELF_SYMTAB, &symbols);
	for (size_t i = 0; !error && i < symbols.list.n; i++) {
		const struct mw_elf_symbol *symbol = &symbols.list.v[i];
		uint64_t bytes = mw_min(symbol->bytes, 32);

		for (uint64_t at = 0; at < bytes && in->count < MOST_PCS;
		     at++)
			if (ELF64_ST_TYPE(symbol->info) == STT_FUNC)
				in->pcs[in->count++] = symbol->value + at;
	}
	mw_error_free(error);
	mw_elf_symbols_free(&symbols);
	mw_elf_file_close(file);
}

static bool check_local(const struct mw_local *local, void *ctx)
{
	struct input *in = ctx;
	const struct mw_vars_memory memory = memory_of(in);
	MW_CLEANUP(mw_text_free) struct mw_text value = { .limit = MOST_TEXT };
	bool is_there = false;

	CHECK(*local->name && local->piece_count > 0);
	for (size_t i = 0; i < local->piece_count; i++) {
		CHECK(local->pieces[i].kind <= MW_PIECE_VALUE);
		is_there |= local->pieces[i].kind >= MW_PIECE_MEMORY;
	}
	CHECK(is_there == mw_local_is_there(local));
	mw_locals_value(in->vars, local, &memory, &value);
	CHECK(value.failed || (value.n > 0 && value.n <= MOST_TEXT + 4));
	return ++in->visited % 1000 != 999;
}

/** One frame as it is, and as a caller's; with registers and without. */
static void check_frame(struct input *in, uint64_t pc)
{
	const struct mw_vars_memory memory = memory_of(in);
	uint64_t registers[MW_REGISTERS];

	for (size_t i = 0; i < MW_REGISTERS; i++)
		registers[i] = pc * (i + 1);
	for (int way = 0; way < 4; way++) {
		const struct mw_locals_frame frame = {
			.pc = pc,
			.is_caller = way & 1,
			.cfa = UINT64_C(0x7ffc12345678),
			.registers = way & 2 ? registers : NULL,
		};
		struct mw_error *error = mw_locals_visit(
			in->vars, &frame, &memory, check_local, in);

		CHECK(!error || error->code == MW_E_NOMEM);
		mw_error_free(error);
	}
}

static void run(void *ctx)
{
	struct input *in = ctx;
	struct mw_error *error = mw_vars_open(in->image.fd, &in->vars);

	if (error) {
		mw_error_free(error);
		return;
	}
	in->visited = 0;
	for (size_t i = 0; i < in->count; i++)
		check_frame(in, in->pcs[i]);
	check_frame(in, UINT64_MAX);
	mw_vars_close(in->vars);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {
		.image = { data, size, fuzz_file(data, size) },
	};

	mw_alloc_fail_after(-1);
	find_code(&in);
	fuzz_starve(data, size, run, &in);
	return 0;
}

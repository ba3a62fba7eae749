/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "mw_go_types.h"
#include "mw_num.h"

/* The input is what lies from moduledata.types on. */
#define VA UINT64_C(0x4a0000)

/** What stands in for the room that reads processes. */
struct mw_target {
	const uint8_t *bytes;
	size_t size;
};

bool mw_target_read(struct mw_target *target, uint64_t va, void *to,
		    size_t bytes)
{
	if (!mw_within(va, bytes, VA, VA + target->size))
		return false;
	memcpy(to, target->bytes + (va - VA), bytes);
	return true;
}

bool mw_target_read_u64(struct mw_target *target, uint64_t va, uint64_t *ret)
{
	return mw_target_read(target, va, ret, sizeof(*ret));
}

static bool check_field(const struct mw_go_field *field, void *ctx)
{
	const struct mw_go_type *of = ctx;

	CHECK(strlen(field->name) <= 4096);
	CHECK(field->type.bytes <= of->bytes &&
	      field->offset <= of->bytes - field->type.bytes);
	return true;
}

static void check_type(struct mw_go_types *types, uint64_t va)
{
	struct mw_go_type type, again;

	if (!mw_go_type_at(types, va, &type))
		return;
	CHECK(mw_is_aligned(va, 8) && mw_go_types_has(types, va));
	CHECK(type.address == va && type.kind > 0 && type.kind < MW_GO_KINDS);
	CHECK(type.pointer_bytes <= type.bytes);
	CHECK(strlen(type.name) <= 4096);
	for (const char *c = type.name; *c; c++)
		CHECK((uint8_t)*c >= 0x20 && *c != 0x7f);
	CHECK(mw_go_type_at(types, va, &again) && again.name == type.name);
	mw_go_type_is_direct(types, &type);
	mw_go_type_fields(types, &type, check_field, &type);
}

static bool check_piece(uint64_t va, uint64_t bytes, void *ctx)
{
	unsigned *left = ctx;

	(void)va;
	CHECK(bytes > 0 && bytes < UINT32_MAX);
	return --*left > 0;
}

/** What is walked through ascends, and ends. */
static void check_walk(struct mw_go_types *types, uint64_t end)
{
	uint64_t at = 0, last = 0, va, bytes;
	struct mw_go_type type;
	unsigned left = 100000;

	while (mw_go_types_next(types, &at, &type)) {
		CHECK(type.address >= last && at > type.address);
		last = at;
		CHECK(strlen(mw_go_type_package(types, &type)) <= 4096);
		if (!mw_go_type_pieces(types, &type, check_piece, &left))
			break;
	}
	at = VA;
	while (mw_go_itabs_next(types, &at, end, &type, &va, &bytes))
		CHECK(va + bytes == at && at <= end);
}

static void run(void *ctx)
{
	struct mw_target *in = ctx;
	struct mw_go_types *types = NULL;
	struct mw_error *error = mw_go_types_new(in, &types);

	if (!error)
		error = mw_go_types_add(types, VA, VA + in->size, 88);
	for (size_t at = 0; !error && at < in->size && at < 16384; at += 4)
		check_type(types, VA + at);
	if (!error)
		check_walk(types, VA + in->size);
	mw_error_free(error);
	mw_go_types_close(types);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mw_target in = { data, size };

	fuzz_starve(data, size, run, &in);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_target.h"
#include "go_types.h"
#include "mw_go_allocs.h"
#include "mw_go_types.h"
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_test.h"

/* Types of a Go program by their descriptors; calls that allocate; classes. */

struct program {
	struct go_types image;
	struct mw_target target;
	struct mw_go_types *types;
};

static void begin(struct program *p, bool old_names)
{
	*p = (struct program){ .types = NULL };
	go_types_init(&p->image);
	p->image.old_names = old_names;
}

static void open_types(struct program *p)
{
	fake_target_add(&p->target, GO_TYPES_VA, p->image.bytes,
			sizeof(p->image.bytes));
	ASSERT_OK(mw_go_types_new(&p->target, &p->types));
	ASSERT_OK(mw_go_types_add(p->types, GO_TYPES_VA,
				  GO_TYPES_VA + p->image.used, 88));
}

static void end(struct program *p)
{
	mw_go_types_close(p->types);
}

static void check_names(bool old_names)
{
	MW_CLEANUP(end) struct program p;
	const struct go_types_field fields[] = { { "x", 0, 0 } };
	uint64_t word, thing, many;
	struct mw_go_type type;

	begin(&p, old_names);
	word = go_types_word(&p.image, "int", 8);
	thing = go_types_struct(&p.image, "main.thing", 40, fields, 0);
	many = go_types_array(&p.image, thing, 400);
	open_types(&p);

	assert_true(mw_go_type_at(p.types, word, &type));
	ASSERT_TEXT("int", type.name);
	ASSERT_EQ(8, type.bytes);
	assert_true(mw_go_type_at(p.types, thing, &type));
	ASSERT_TEXT("main.thing", type.name);
	ASSERT_EQ(40, type.bytes);
	ASSERT_EQ(MW_GO_STRUCT, type.kind);
	assert_true(mw_go_type_at(p.types, many, &type));
	ASSERT_EQ(MW_GO_ARRAY, type.kind);
	ASSERT_EQ(thing, type.elem);
	// The same again, from what was kept.
	assert_true(mw_go_type_at(p.types, thing, &type));
	ASSERT_TEXT("main.thing", type.name);
}

TEST(names_and_sizes)
{
	check_names(false);
}

TEST(names_of_old_releases)
{
	check_names(true);
}

/* Fields of structs, by every form of names and offsets */

struct seen {
	char names[64];
	uint64_t offsets[4];
	size_t count;
};

static bool see(const struct mw_go_field *field, void *ctx)
{
	struct seen *seen = ctx;

	strcat(seen->names, field->name);
	seen->offsets[seen->count++] = field->offset;
	return seen->count < 4;
}

static void check_fields(bool old_names, bool old_offsets)
{
	MW_CLEANUP(end) struct program p;
	struct seen seen = { .count = 0 };
	struct mw_go_type type;
	uint64_t word, at;

	begin(&p, old_names);
	p.image.old_offsets = old_offsets;
	word = go_types_word(&p.image, "int", 8);
	at = go_types_struct(&p.image, "main.three", 24,
			     (struct go_types_field[]){ { "a", word, 0 },
							{ "bc", word, 8 },
							{ "d", word, 16 } },
			     3);
	open_types(&p);
	assert_true(mw_go_type_at(p.types, at, &type));
	assert_true(mw_go_type_fields(p.types, &type, see, &seen));
	ASSERT_TEXT("abcd", seen.names);
	ASSERT_EQ(3, seen.count);
	for (size_t i = 0; i < 3; i++)
		ASSERT_EQ(8 * i, seen.offsets[i]);
}

TEST(fields)
{
	check_fields(false, false);
	check_fields(false, true);
	check_fields(true, true);
}

TEST(fields_that_leave_the_struct)
{
	MW_CLEANUP(end) struct program p;
	struct seen seen = { .count = 0 };
	struct mw_go_type type;
	uint64_t word, at;

	begin(&p, false);
	word = go_types_word(&p.image, "int", 8);
	at = go_types_struct(&p.image, "main.damaged", 16,
			     (struct go_types_field[]){ { "a", word, 0 },
							{ "b", word, 4096 },
							{ "c", word, 8 } },
			     3);
	open_types(&p);
	assert_true(mw_go_type_at(p.types, at, &type));
	assert_false(mw_go_type_fields(p.types, &type, see, &seen));
	ASSERT_EQ(1, seen.count);
	assert_true(mw_go_type_at(p.types, word, &type));
	assert_false(mw_go_type_fields(p.types, &type, see, &seen));
}

TEST(what_is_no_type)
{
	MW_CLEANUP(end) struct program p;
	struct mw_go_type type;
	uint64_t word;

	begin(&p, false);
	word = go_types_word(&p.image, "int", 8);
	open_types(&p);
	assert_true(mw_go_type_at(p.types, word, &type));
	for (uint64_t va = GO_TYPES_VA - 64; va < GO_TYPES_VA + 256; va++)
		if (va != word)
			assert_false(mw_go_type_at(p.types, va, &type));
	assert_false(mw_go_type_at(p.types, 0, &type));
	assert_false(mw_go_type_at(p.types, UINT64_MAX - 7, &type));
	assert_true(mw_go_types_has(p.types, word));
	assert_false(mw_go_types_has(p.types, word + 1));
}

/** Any one byte of a descriptor may be anything. */
TEST(damage)
{
	for (size_t at = 0; at < 512; at++) {
		MW_CLEANUP(end) struct program p;
		struct mw_go_type type;
		uint64_t word;

		begin(&p, false);
		word = go_types_word(&p.image, "uintptr", 8);
		p.image.bytes[at] ^= 0xff;
		open_types(&p);
		if (mw_go_type_at(p.types, word, &type))
			assert_true(type.name && *type.name &&
				    type.kind < MW_GO_KINDS);
	}
}

TEST(calls_that_allocate)
{
	const struct mw_go_alloc *a = mw_go_alloc_named("runtime.newobject");

	assert_non_null(a);
	ASSERT_EQ(0, a->type_arg);
	assert_true(a->has_type_size);
	a = mw_go_alloc_named("runtime.mallocgcSmallScanNoHeaderSC12");
	assert_non_null(a);
	ASSERT_EQ(1, a->type_arg);
	assert_non_null(mw_go_alloc_named("runtime.mapassign_fast64ptr"));
	assert_non_null(mw_go_alloc_named("internal/bytealg.MakeNoZero"));
	assert_null(mw_go_alloc_named("runtime.newobjects"));
	assert_null(mw_go_alloc_named("runtime.growslice.func1"));
	assert_null(mw_go_alloc_named("main.newobject"));
	assert_null(mw_go_alloc_named("runtime."));
	assert_null(mw_go_alloc_named(""));
	ASSERT_EQ(0, mw_go_arg_register(0));
	ASSERT_EQ(6, mw_go_arg_register(4));
	assert_true(mw_go_arg_register(9) == -1);
	assert_true(mw_go_arg_register(-1) == -1);
}

TEST(classes)
{
	struct mw_go_classes classes = {
		.bytes = { 0, 8, 16, 24, 32, 512, 576, 32768 },
		.count = 8,
	};

	ASSERT_EQ(0, mw_go_class_bytes(&classes, 0, 0));
	ASSERT_EQ(8, mw_go_class_bytes(&classes, 1, 0));
	ASSERT_EQ(24, mw_go_class_bytes(&classes, 24, 8));
	ASSERT_EQ(576, mw_go_class_bytes(&classes, 576, 8));
	ASSERT_EQ(32768, mw_go_class_bytes(&classes, 32768, 8));
	ASSERT_EQ(40960, mw_go_class_bytes(&classes, 32769, 8));
	classes.has_headers = true;
	ASSERT_EQ(512, mw_go_class_bytes(&classes, 512, 8));
	ASSERT_EQ(32768, mw_go_class_bytes(&classes, 576, 8));
	ASSERT_EQ(576, mw_go_class_bytes(&classes, 576, 0));
	ASSERT_EQ(32768, mw_go_class_bytes(&classes, 32768, 8));
}

static struct mw_error *read_all(void *ctx)
{
	struct program *p = ctx;
	struct mw_go_types *types = NULL;
	struct mw_error *error = mw_go_types_new(&p->target, &types);
	struct mw_go_type type;

	if (!error)
		error = mw_go_types_add(types, GO_TYPES_VA,
					GO_TYPES_VA + p->image.used, 88);
	for (uint64_t va = GO_TYPES_VA; !error && va < GO_TYPES_VA + 512;
	     va += 8)
		mw_go_type_at(types, va, &type);
	for (uint64_t at = 0; !error && mw_go_types_next(types, &at, &type);)
		mw_go_type_package(types, &type);
	mw_go_types_close(types);
	return error;
}

struct pieces {
	uint64_t bytes, count;
};

static bool add_piece(uint64_t va, uint64_t bytes, void *ctx)
{
	struct pieces *pieces = ctx;

	(void)va;
	pieces->bytes += bytes;
	pieces->count++;
	return true;
}

TEST(all_descriptors_and_their_packages)
{
	MW_CLEANUP(end) struct program p;
	struct mw_go_type type;
	uint64_t thing, array, pointer, plain, at = 0;

	begin(&p, false);
	struct go_types_field fields[] = { { "next", 0, 0 }, { "x", 0, 8 } };
	thing = go_types_struct(&p.image, "*dep.thing", 16, fields, 2);
	go_types_set_package(&p.image, thing, "a.b/dep");
	plain = go_types_struct(&p.image, "*struct {}", 16, NULL, 0);
	array = go_types_array(&p.image, thing, 32);
	pointer = go_types_pointer(&p.image, array);
	open_types(&p);

	for (const uint64_t *want = (uint64_t[]){ thing, plain, array, pointer,
						  0 };
	     *want; want++) {
		struct pieces pieces = { 0 };

		assert_true(mw_go_types_next(p.types, &at, &type));
		ASSERT_EQ(*want, type.address);
		ASSERT_TEXT(*want == plain ? "" : "a.b/dep",
			    mw_go_type_package(p.types, &type));
		assert_true(mw_go_type_pieces(p.types, &type, add_piece,
					      &pieces));
		// A descriptor, names of 2 bytes and their text.
		if (*want == thing) {
			ASSERT_EQ(5, pieces.count);
			ASSERT_EQ(80 + 48 + 16 + 12 + 9 + 6 + 3,
				  pieces.bytes);
		} else if (*want == pointer) {
			ASSERT_EQ(2, pieces.count);
			ASSERT_EQ(56 + 3, pieces.bytes);
		}
	}
	assert_false(mw_go_types_next(p.types, &at, &type));
}

TEST(tables_of_methods)
{
	MW_CLEANUP(end) struct program p;
	const uint64_t itab_va = GO_TYPES_VA + 0x100000;
	uint64_t thing, interface, itabs[12] = { 0 };
	uint64_t at = itab_va, va, bytes;
	struct mw_go_type type;

	begin(&p, false);
	thing = go_types_struct(&p.image, "*dep.thing", 16, NULL, 0);
	interface = go_types_struct(&p.image, "*dep.doer", 16, NULL, 0);
	p.image.bytes[interface - GO_TYPES_VA + 23] = MW_GO_INTERFACE;
	p.image.bytes[interface - GO_TYPES_VA + 64] = 3; // methods
	p.image.bytes[thing - GO_TYPES_VA + 16] = 0x77;	 // hash
	itabs[2] = itabs[8] = interface;
	itabs[3] = itabs[9] = thing;
	itabs[4] = 0x77;
	itabs[10] = 0x78; // of another type
	open_types(&p);
	fake_target_add(&p.target, itab_va, (uint8_t *)itabs, sizeof(itabs));

	assert_true(mw_go_itabs_next(p.types, &at, itab_va + sizeof(itabs),
				     &type, &va, &bytes));
	ASSERT_EQ(itab_va + 16, va);
	ASSERT_EQ(24 + 3 * 8, bytes);
	ASSERT_EQ(thing, type.address);
	assert_false(mw_go_itabs_next(p.types, &at, itab_va + sizeof(itabs),
				      &type, &va, &bytes));
}

TEST(without_memory)
{
	MW_CLEANUP(end) struct program p;

	begin(&p, false);
	go_types_word(&p.image, "int", 8);
	open_types(&p);
	OUT_OF_MEMORY(read_all, &p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(fields),
		CASE(fields_that_leave_the_struct),
		CASE(names_and_sizes),
		CASE(names_of_old_releases),
		CASE(what_is_no_type),
		CASE(damage),
		CASE(calls_that_allocate),
		CASE(classes),
		CASE(all_descriptors_and_their_packages),
		CASE(tables_of_methods),
		CASE(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

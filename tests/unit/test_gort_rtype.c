/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_target.h"
#include "go_types.h"
#include "gort_int.h"
#include "mw_test.h"

/* The runtime's layout from the type descriptors in the program. */

struct program {
	struct go_types types;
	uint64_t word, int32; /* types */
	struct mw_target target;
	struct mw_go go;
};

static void begin(struct program *p, bool old_names, bool old_offsets)
{
	*p = (struct program){ .word = 0 };
	go_types_init(&p->types);
	p->types.old_names = old_names;
	p->types.old_offsets = old_offsets;
	p->word = go_types_word(&p->types, "uintptr", 8);
	p->int32 = go_types_word(&p->types, "int32", 4);
}

/** Let the descriptors be read; the layout is as it was left. */
static unsigned apply(struct program *p)
{
	p->target = (struct mw_target){ .area_count = 0 };
	fake_target_add(&p->target, GO_TYPES_VA, p->types.bytes,
			sizeof(p->types.bytes));
	p->go.target = &p->target;
	p->go.module.types = (struct go_range){
		GO_TYPES_VA,
		GO_TYPES_VA + p->types.used,
	};
	return go_apply_rtypes(&p->go);
}

static void check_member(const struct program *p, enum go_field field,
			 uint32_t offset, uint32_t bytes)
{
	ASSERT_EQ(bytes, p->go.layout.at[field].bytes);
	ASSERT_EQ(offset, p->go.layout.at[field].offset);
}

static void add_mspan(struct program *p, const char *name)
{
	const struct go_types_field fields[] = {
		{ "next", p->word, 0 },
		{ "npagesKeep", p->word, 8 }, // begins like another one
		{ "startAddr", p->word, 24 },
		{ "npages", p->word, 32 },
		{ "sweepgen", p->int32, 88 },
	};

	go_types_struct(&p->types, name, 160, fields, MW_COUNT(fields));
}

TEST(members_are_where_the_descriptor_says)
{
	static struct program p;

	begin(&p, false, false);
	add_mspan(&p, "runtime.mspan");
	// From the table of a near release: one that has gone, one that moved,
	// and one of a struct that no descriptor tells.
	p.go.layout.at[GO_mspan_scavenged] = (struct go_member){ 100, 1 };
	p.go.layout.at[GO_mspan_npages] = (struct go_member){ 40, 8 };
	p.go.layout.at[GO_g_goid] = (struct go_member){ 152, 8 };
	p.go.layout.at[GO_g] = (struct go_member){ 0, 440 };
	ASSERT_EQ(1, apply(&p));
	check_member(&p, GO_mspan, 0, 160);
	check_member(&p, GO_mspan_startAddr, 24, 8);
	check_member(&p, GO_mspan_npages, 32, 8);
	check_member(&p, GO_mspan_sweepgen, 88, 4);
	check_member(&p, GO_mspan_scavenged, 0, 0);
	check_member(&p, GO_g_goid, 152, 8);
}

TEST(a_star_in_front_of_the_name_is_not_part_of_it)
{
	static struct program p;

	begin(&p, false, false);
	add_mspan(&p, "*runtime.mspan");
	ASSERT_EQ(1, apply(&p));
	check_member(&p, GO_mspan_npages, 32, 8);
}

TEST(names_of_go_1_16_have_two_bytes_of_length)
{
	static struct program p;

	begin(&p, true, true);
	add_mspan(&p, "*runtime.mspan");
	ASSERT_EQ(1, apply(&p));
	check_member(&p, GO_mspan_npages, 32, 8);
	check_member(&p, GO_mspan_sweepgen, 88, 4);
}

TEST(offsets_of_go_1_18_are_shifted)
{
	static struct program p;

	// Any struct gives the form away: here a field at 88 of 160 bytes.
	begin(&p, false, true);
	add_mspan(&p, "runtime.mspan");
	go_types_struct(&p.types, "runtime.fixalloc", 40,
			&(struct go_types_field){ "size", p.word, 16 }, 1);
	ASSERT_EQ(2, apply(&p));
	check_member(&p, GO_mspan_sweepgen, 88, 4);
	check_member(&p, GO_fixalloc_size, 16, 8);
}

/** runtime.mheap with a struct, an array, and what lies behind a pointer. */
static void add_nested(struct program *p)
{
	const struct go_types_field bounds[] = {
		{ "base", p->word, 0 },
		{ "end", p->word, 8 },
	};
	uint64_t range = go_types_struct(&p->types, "struct {}", 16, bounds, 2);
	uint64_t elem = go_types_word(&p->types, "struct {}", 192);
	uint64_t list = go_types_array(&p->types, elem, 192 * 136);
	const struct go_types_field heap[] = {
		{ "central", list, 64 },
		{ "curArena", range, 32000 },
	};
	uint64_t chunk = go_types_word(&p->types, "scavChunk", 5000);
	uint64_t pointer = go_types_pointer(&p->types, chunk);
	uint64_t slice = go_types_struct(
		&p->types, "chunks", 24,
		&(struct go_types_field){ "array", pointer, 0 }, 1);
	uint64_t index = go_types_struct(
		&p->types, "scavengeIndex", 80,
		&(struct go_types_field){ "chunks", slice, 8 }, 1);
	uint64_t scav = go_types_struct(
		&p->types, "scav", 96,
		&(struct go_types_field){ "index", index, 0 }, 1);

	go_types_struct(&p->types, "runtime.mheap", 65000, heap, 2);
	go_types_struct(&p->types, "runtime.pageAlloc", 400,
			&(struct go_types_field){ "scav", scav, 200 }, 1);
}

TEST(members_of_members_are_found)
{
	static struct program p;

	begin(&p, false, false);
	add_nested(&p);
	ASSERT_EQ(2, apply(&p));
	check_member(&p, GO_mheap_central, 64, 192 * 136);
	check_member(&p, GO_mheap_central_elem, 64, 192);
	check_member(&p, GO_mheap_curArena_base, 32000, 8);
	check_member(&p, GO_mheap_curArena_end, 32008, 8);
	check_member(&p, GO_pageAlloc_scav_index_chunks, 208, 24);
	// Behind a pointer, so it may be larger than pageAlloc.
	check_member(&p, GO_scavChunk, 0, 5000);
}

TEST(a_program_without_descriptors_changes_nothing)
{
	static struct program p;

	begin(&p, false, false);
	add_mspan(&p, "main.mspan");
	p.go.layout.at[GO_mspan] = (struct go_member){ 0, 152 };
	p.go.layout.at[GO_mspan_npages] = (struct go_member){ 40, 8 };
	ASSERT_EQ(0, apply(&p));
	check_member(&p, GO_mspan_npages, 40, 8);
}

/* Damage */

/** All members lie in their struct, so that a copy of it holds them. */
static void check_inside(const struct go_layout *layout)
{
	for (size_t i = 0; i < GO_FIELDS; i++) {
		const struct go_field_name *name = &go_field_names[i];

		if (strchr(name->path, '*'))
			continue;
		for (size_t k = 0; k < GO_FIELDS; k++)
			if (!*go_field_names[k].path &&
			    strcmp(go_field_names[k].structure,
				   name->structure) == 0)
				assert_true((uint64_t)layout->at[i].offset +
						    layout->at[i].bytes <=
					    layout->at[k].bytes);
	}
}

TEST(a_member_outside_its_struct_is_none)
{
	static struct program p;

	begin(&p, false, false);
	const struct go_types_field fields[] = {
		{ "startAddr", p.word, 152 }, // just inside
		{ "npages", p.word, 153 },
		{ "state", p.word, UINT32_MAX },
		{ "elemsize", p.word, UINT64_MAX - 6 },
	};

	// With offsets like these it looks like an old one.
	p.types.old_offsets = true;
	go_types_struct(&p.types, "runtime.mspan", 160, fields,
			MW_COUNT(fields));
	ASSERT_EQ(1, apply(&p));
	check_member(&p, GO_mspan_startAddr, 152, 8);
	check_member(&p, GO_mspan_npages, 0, 0);
	check_member(&p, GO_mspan_state, 0, 0);
	check_member(&p, GO_mspan_elemsize, 0, 0);
	check_inside(&p.go.layout);
	assert_false(go_make_span_reader(&p.go));
}

TEST(tables_have_no_member_outside_its_struct)
{
	size_t count;
	const struct go_layout *tables = go_layouts(&count);

	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		struct go_layout layout = tables[i];

		check_inside(&layout);
		go_drop_outside(&layout);
		assert_memory_equal(&layout, &tables[i], sizeof(layout));
	}
}

TEST(an_array_of_itself_ends)
{
	static struct program p;
	uint64_t list;

	begin(&p, false, false);
	list = go_types_array(&p.types, p.word, 64);
	memcpy(&p.types.bytes[list - GO_TYPES_VA + 48], &list, sizeof(list));
	go_types_struct(&p.types, "runtime.mheap", 1000,
			&(struct go_types_field){ "central", list, 64 }, 1);
	ASSERT_EQ(1, apply(&p));
	check_member(&p, GO_mheap_central, 64, 64);
	check_member(&p, GO_mheap_central_elem, 64, 64);
}

TEST(damaged_descriptors_do_no_harm)
{
	static struct program whole, p;
	uint64_t random = 1;
	unsigned applied = 0;

	begin(&whole, false, false);
	add_mspan(&whole, "*runtime.mspan");
	add_nested(&whole);
	for (int i = 0; i < 1000; i++) {
		size_t flips = 1 + mw_test_below(&random, 12);

		p = whole;
		for (; flips > 0; flips--) {
			size_t at = mw_test_below(&random, p.types.used - 8);
			uint64_t value = mw_test_random(&random);

			// A byte; or a word, a pointer or any number
			if (mw_test_below(&random, 2)) {
				p.types.bytes[at] = (uint8_t)value;
				continue;
			}
			value = value % 2 ? GO_TYPES_VA + value % 16384
					  : value >> value % 64;
			memcpy(&p.types.bytes[mw_align_down(at, 8)], &value,
			       sizeof(value));
		}
		applied += apply(&p);
		check_inside(&p.go.layout);
	}
	assert_true(applied > 1000); // most structs are still found
}

TEST(descriptors_that_end_early_do_no_harm)
{
	static struct program p;

	begin(&p, false, false);
	add_mspan(&p, "*runtime.mspan");
	add_nested(&p);
	for (size_t size = 0; size < p.types.used; size += 3) {
		p.target = (struct mw_target){ .area_count = 0 };
		fake_target_add(&p.target, GO_TYPES_VA, p.types.bytes, size);
		p.go.layout = (struct go_layout){ 0 };
		p.go.target = &p.target;
		p.go.module.types = (struct go_range){
			GO_TYPES_VA, GO_TYPES_VA + p.types.used,
		};
		go_apply_rtypes(&p.go);
		check_inside(&p.go.layout);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(members_are_where_the_descriptor_says),
		CASE(a_star_in_front_of_the_name_is_not_part_of_it),
		CASE(names_of_go_1_16_have_two_bytes_of_length),
		CASE(offsets_of_go_1_18_are_shifted),
		CASE(members_of_members_are_found),
		CASE(a_program_without_descriptors_changes_nothing),
		CASE(a_member_outside_its_struct_is_none),
		CASE(tables_have_no_member_outside_its_struct),
		CASE(an_array_of_itself_ends),
		CASE(damaged_descriptors_do_no_harm),
		CASE(descriptors_that_end_early_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_int.h"
#include "mw_test.h"

/* An mspan in a copy of its bytes, in the layout of each release. */

enum { ROOM = 256 + 8 };

static void put(const struct mw_go *go, uint8_t *bytes, enum go_field field,
		uint64_t value)
{
	assert_true(go_has(go, field));
	memcpy(bytes + go_off(go, field), &value, go_size(go, field));
}

/** A span of 2 pages with 100 slots of 160 bytes, of which 60 are taken. */
static void make(const struct mw_go *go, uint8_t bytes[static ROOM])
{
	memset(bytes, 0xa5, ROOM); // members that are not read
	put(go, bytes, GO_mspan_startAddr, UINT64_C(0xc000002000));
	put(go, bytes, GO_mspan_npages, 2);
	put(go, bytes, GO_mspan_state, GO_SPAN_IN_USE);
	put(go, bytes, GO_mspan_spanclass, 11 << 1 | 1);
	put(go, bytes, GO_mspan_elemsize, 160);
	put(go, bytes, GO_mspan_nelems, 100);
	put(go, bytes, GO_mspan_freeindex, 40);
	put(go, bytes, GO_mspan_allocCount, 60);
	put(go, bytes, GO_mspan_allocBits, 0x1000);
	put(go, bytes, GO_mspan_gcmarkBits, 0x2000);
	put(go, bytes, GO_mspan_specials, 0x3000);
	if (go_has(go, GO_mspan_isUserArenaChunk))
		put(go, bytes, GO_mspan_isUserArenaChunk, 1);
}

/** Call @run with the layout of each release. */
static void with_each_layout(void (*run)(const struct mw_go *go))
{
	static struct mw_go go;
	size_t count;
	const struct go_layout *tables = go_layouts(&count);

	for (size_t i = 0; i < count; i++) {
		go = (struct mw_go){ .layout = tables[i] };
		assert_true(go_make_span_reader(&go));
		run(&go);
	}
}

static void parse_sound(const struct mw_go *go)
{
	uint8_t bytes[ROOM];
	struct go_span span;

	make(go, bytes);
	assert_true(go_parse_span(go, bytes, &span));
	ASSERT_EQ(UINT64_C(0xc000002000), span.start);
	ASSERT_EQ(2, span.pages);
	ASSERT_EQ(GO_SPAN_IN_USE, span.state);
	ASSERT_EQ(11 << 1 | 1, span.class);
	ASSERT_EQ(160, span.elem_bytes);
	ASSERT_EQ(100, span.elems);
	ASSERT_EQ(40, span.free_index);
	ASSERT_EQ(60, span.allocated);
	ASSERT_EQ(0x1000, span.alloc_bits);
	ASSERT_EQ(0x2000, span.gcmark_bits);
	ASSERT_EQ(0x3000, span.specials);
	ASSERT_EQ(go_has(go, GO_mspan_isUserArenaChunk), span.is_user_arena);
}

TEST(a_span_is_read_in_every_layout)
{
	with_each_layout(parse_sound);
}

static void parse_damaged(const struct mw_go *go)
{
	const struct {
		enum go_field field;
		uint64_t value;
	} cases[] = {
		{ GO_mspan_state, 4 },
		{ GO_mspan_state, 255 },
		{ GO_mspan_npages, 0 },
		{ GO_mspan_npages, 1 }, // 100 slots do not fit
		{ GO_mspan_npages, UINT64_C(1) << 36 },
		{ GO_mspan_npages, UINT64_MAX },
		{ GO_mspan_startAddr, UINT64_C(0xc000002008) },
		{ GO_mspan_startAddr, UINT64_C(0xc000001000) }, // half a page
		{ GO_mspan_startAddr, -(UINT64_C(1) << 13) },
		{ GO_mspan_elemsize, 0 },
		{ GO_mspan_elemsize, 164 },
		{ GO_mspan_elemsize, UINT64_MAX / 2 },
		{ GO_mspan_nelems, 0 },
		{ GO_mspan_nelems, 103 },
		{ GO_mspan_freeindex, 101 },
		{ GO_mspan_allocCount, 101 },
	};

	for (size_t i = 0; i < MW_COUNT(cases); i++) {
		struct go_span span = { .start = 7 };
		uint8_t bytes[ROOM];

		make(go, bytes);
		put(go, bytes, cases[i].field, cases[i].value);
		assert_false(go_parse_span(go, bytes, &span));
		ASSERT_EQ(7, span.start); // untouched
	}
}

TEST(a_span_that_makes_no_sense_is_refused)
{
	with_each_layout(parse_damaged);
}

static void parse_dead(const struct mw_go *go)
{
	uint8_t bytes[ROOM];
	struct go_span span;

	// What its other members hold is left from its last life.
	memset(bytes, 0xff, sizeof(bytes));
	put(go, bytes, GO_mspan_state, GO_SPAN_DEAD);
	assert_true(go_parse_span(go, bytes, &span));
	ASSERT_EQ(GO_SPAN_DEAD, span.state);

	// A stack's has no slots.
	make(go, bytes);
	put(go, bytes, GO_mspan_state, GO_SPAN_MANUAL);
	put(go, bytes, GO_mspan_elemsize, 0);
	put(go, bytes, GO_mspan_nelems, 0);
	assert_true(go_parse_span(go, bytes, &span));
}

TEST(only_spans_in_use_have_sound_slots)
{
	with_each_layout(parse_dead);
}

TEST(random_bytes_make_no_span_that_leaves_its_pages)
{
	static struct mw_go go;
	uint64_t random = 1;
	size_t count;
	const struct go_layout *tables = go_layouts(&count);

	go = (struct mw_go){ .layout = tables[count - 1] };
	assert_true(go_make_span_reader(&go));
	for (int i = 0; i < 200000; i++) {
		struct go_span span;
		uint8_t bytes[ROOM];

		make(&go, bytes);
		for (int k = 0; k < 3; k++)
			bytes[mw_test_below(&random, ROOM)] =
				(uint8_t)mw_test_random(&random);
		if (!go_parse_span(&go, bytes, &span) ||
		    span.state != GO_SPAN_IN_USE)
			continue;
		assert_true(span.allocated <= span.elems);
		assert_true(span.free_index <= span.elems);
		assert_true(span.elems <=
			    span.pages * GO_PAGE_BYTES / span.elem_bytes);
		assert_true(span.start <= UINT64_MAX -
						  span.pages * GO_PAGE_BYTES);
	}
}

TEST(a_layout_without_what_is_needed_is_no_layout)
{
	static const enum go_field needed[] = {
		GO_mspan_startAddr, GO_mspan_npages,	 GO_mspan_state,
		GO_mspan_spanclass, GO_mspan_elemsize,	 GO_mspan_nelems,
		GO_mspan_freeindex, GO_mspan_allocCount, GO_mspan_allocBits,
		GO_mspan_gcmarkBits, GO_mspan_specials,
	};
	static struct mw_go go;
	size_t count;
	const struct go_layout *tables = go_layouts(&count);

	for (size_t i = 0; i < MW_COUNT(needed); i++) {
		go = (struct mw_go){ .layout = tables[count - 1] };
		go.layout.at[needed[i]].bytes = 0;
		assert_false(go_make_span_reader(&go));
		go.layout.at[needed[i]].bytes = 16; // no number
		assert_false(go_make_span_reader(&go));
	}
	go = (struct mw_go){ .layout = tables[count - 1] };
	go.layout.at[GO_mspan].bytes = 4096; // more than is copied
	assert_false(go_make_span_reader(&go));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_span_is_read_in_every_layout),
		CASE(a_span_that_makes_no_sense_is_refused),
		CASE(only_spans_in_use_have_sound_slots),
		CASE(random_bytes_make_no_span_that_leaves_its_pages),
		CASE(a_layout_without_what_is_needed_is_no_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

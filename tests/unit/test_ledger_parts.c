/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_books.h"
#include "mw_test.h"

/* Parts: what a claim's refine function reports, and where it is posted. */

#define AT UINT64_C(0x10000)

/** Parts by range, as a test lists them. */
struct ranges {
	struct {
		uint64_t start, bytes;
		mw_account_id account;
	} v[4];
	size_t count;
};

static struct mw_error *refine_ranges(void *ctx, const struct mw_claim *claim,
				      struct mw_parts *parts)
{
	const struct ranges *ranges = ctx;
	(void)claim;

	for (size_t i = 0; i < ranges->count; i++)
		mw_part_range(parts, ranges->v[i].start, ranges->v[i].bytes,
			      ranges->v[i].account);
	return NULL;
}

static struct mw_error *refine_slots(void *ctx, const struct mw_claim *claim,
				     struct mw_parts *parts)
{
	(void)claim;
	mw_part_slots(parts, ctx);
	return NULL;
}

TEST(what_parts_leave_stays_with_the_claim)
{
	struct books books = { 0 };
	struct ranges ranges = { .count = 2 };

	books_map(&books, AT, "PSP.");
	books_open(&books);
	ranges.v[0].start = AT + 100;
	ranges.v[0].bytes = PAGE;
	ranges.v[0].account = books_account(&books, "a/part");
	ranges.v[1] = ranges.v[0];
	ranges.v[1].start = AT + 2 * PAGE;
	ranges.v[1].bytes = 1;
	books_own(&books, AT, AT + 4 * PAGE, "a/rest", refine_ranges, &ranges);
	books_settle(&books);
	books_check(&books, "a/part", PAGE + 1, PAGE - 100 + 1, 100);
	books_check(&books, "a/rest", 3 * PAGE - 1, PAGE + 100 - 1,
		    PAGE - 100);
	ASSERT_EQ(0, books_overlaps(&books));
	books_close(&books);
}

TEST(parts_that_go_back_or_out_are_cut_and_told)
{
	struct books books = { 0 };
	struct ranges ranges = { .count = 4 };

	books_map(&books, AT, "PPPP");
	books_open(&books);
	mw_account_id first = books_account(&books, "a/first");
	mw_account_id second = books_account(&books, "a/second");
	ranges.v[0].start = AT + 100;
	ranges.v[0].bytes = 200;
	ranges.v[0].account = first;
	ranges.v[1].start = AT + 250; // goes back
	ranges.v[1].bytes = 100;
	ranges.v[1].account = second;
	ranges.v[2].start = AT + 120; // all of it lies behind
	ranges.v[2].bytes = 10;
	ranges.v[2].account = second;
	ranges.v[3].start = AT + 2 * PAGE - 7; // leaves the claim
	ranges.v[3].bytes = 100;
	ranges.v[3].account = second;
	books_own(&books, AT, AT + 2 * PAGE, "a/rest", refine_ranges, &ranges);
	books_settle(&books);
	books_check(&books, "a/first", 200, 200, 0);
	books_check(&books, "a/second", 50 + 7, 50 + 7, 0);
	books_check(&books, "a/rest", 2 * PAGE - 257, 2 * PAGE - 257, 0);
	ASSERT_EQ(3, books_overlaps(&books));
	books_check_overlap(&books, 0, AT + 250, AT + 350, "walker", "walker");
	books_check_overlap(&books, 1, AT + 120, AT + 130, "walker", "walker");
	books_check_overlap(&books, 2, AT + 2 * PAGE - 7, AT + 2 * PAGE + 93,
			    "walker", "walker");
	books_close(&books);
}

TEST(parts_that_are_empty_or_wrap_around_are_no_parts)
{
	struct books books = { 0 };
	struct ranges ranges = { .count = 2 };

	books_map(&books, AT, "PP");
	books_open(&books);
	ranges.v[0].start = AT + 100;
	ranges.v[0].account = books_account(&books, "a/part");
	ranges.v[1].start = AT + 100;
	ranges.v[1].bytes = UINT64_MAX;
	ranges.v[1].account = ranges.v[0].account;
	books_own(&books, AT, AT + 2 * PAGE, "a/rest", refine_ranges, &ranges);
	books_settle(&books);
	books_check(&books, "a/part", 0, 0, 0);
	books_check(&books, "a/rest", 2 * PAGE, 2 * PAGE, 0);
	books_close(&books);
}

TEST(contested_bytes_of_a_part_are_not_its_own)
{
	struct books books = { 0 };
	struct ranges ranges = { .count = 1 };

	books_map(&books, AT, "PPPP");
	books_open(&books);
	ranges.v[0].start = AT;
	ranges.v[0].bytes = PAGE;
	ranges.v[0].account = books_account(&books, "a/part");
	books_own(&books, AT, AT + 2 * PAGE, "a/rest", refine_ranges, &ranges);
	books_claim(&books, MW_LAYER_OWNER, "b", AT + 10, AT + 30, "b/x");
	books_settle(&books);
	books_check(&books, "a/part", PAGE - 20, PAGE - 20, 0);
	books_check(&books, "a/rest", PAGE, PAGE, 0);
	books_check(&books, "b/x", 0, 0, 0);
	books_check(&books, "unknown/contested", 20, 20, 0);
	books_close(&books);
}

static struct mw_error *refine_error(void *ctx, const struct mw_claim *claim,
				     struct mw_parts *parts)
{
	(void)ctx;
	(void)parts;
	return mw_error_at(MW_E_SYSTEM, claim->start, "broken");
}

TEST(an_error_of_a_walker_ends_the_capture)
{
	struct books books = { 0 };

	books_map(&books, AT, "PP");
	books_open(&books);
	books_own(&books, AT, AT + PAGE, "a/x", refine_error, NULL);
	ASSERT_ERR(MW_E_SYSTEM, mw_ledger_settle(books.ledger));
	books_close(&books);
}

/* Slots */

static bool load_bits(void *ctx, uint8_t *bits)
{
	const uint8_t *from = ctx;

	memcpy(bits, from + 1, from[0]);
	return true;
}

static bool load_fails(void *ctx, uint8_t *bits)
{
	(void)ctx;
	bits[0] = 0xff;
	return false;
}

static bool load_is_not_asked(void *ctx, uint8_t *bits)
{
	(void)ctx;
	(void)bits;
	fail_msg("the slots are all alike");
	return false;
}

/** 6 slots of 1,000 bytes from the middle of a present to a swapped page. */
static void slots_of(struct books *books, struct mw_slots *slots)
{
	books_map(books, AT, "PS");
	books_open(books);
	*slots = (struct mw_slots){
		.start = AT + 1096,
		.slot_bytes = 1000,
		.count = 6,
		.used_count = 3,
		.used = books_account(books, "a/used"),
		.unused = books_account(books, "a/free"),
		.unknown = books_account(books, "unknown/slots"),
		.load = load_bits,
	};
	books_own(books, AT, AT + 2 * PAGE, "a/rest", refine_slots, slots);
}

TEST(slots_are_posted_by_their_bits)
{
	struct books books = { 0 };
	struct mw_slots slots;
	// Slots 0, 3 and 5; and bits behind the last slot, which do not count.
	uint8_t bits[] = { 1, 0x29 | 0xc0 };

	slots_of(&books, &slots);
	slots.load_ctx = bits;
	books_settle(&books);
	books_check(&books, "a/used", 3000, 1000, 2000);
	books_check(&books, "a/free", 3000, 2000, 1000);
	books_check(&books, "a/rest", 2 * PAGE - 6000, 1096,
		    2 * PAGE - 6000 - 1096);
	books_check(&books, "unknown/slots", 0, 0, 0);
	books_close(&books);
}

TEST(bits_are_right_where_the_count_is_not)
{
	struct books books = { 0 };
	struct mw_slots slots;
	uint8_t bits[] = { 1, 0x3f };

	slots_of(&books, &slots);
	slots.load_ctx = bits;
	books_settle(&books);
	books_check(&books, "a/used", 6000, 3000, 3000);
	books_check(&books, "a/free", 0, 0, 0);
	books_close(&books);
}

TEST(slots_that_are_all_alike_need_no_bits)
{
	for (uint64_t used = 0; used <= 6; used += 6) {
		struct books books = { 0 };
		struct mw_slots slots;

		slots_of(&books, &slots);
		slots.used_count = used;
		slots.load = load_is_not_asked;
		books_settle(&books);
		books_check(&books, used ? "a/used" : "a/free", 6000, 3000,
			    3000);
		books_check(&books, used ? "a/free" : "a/used", 0, 0, 0);
		books_close(&books);
	}
}

TEST(slots_whose_bits_cannot_be_had_are_unknown)
{
	struct books books = { 0 };
	struct mw_slots slots;

	slots_of(&books, &slots);
	slots.load = load_fails;
	books_settle(&books);
	books_check(&books, "unknown/slots", 6000, 3000, 3000);
	books_check(&books, "a/used", 0, 0, 0);
	books_check(&books, "a/free", 0, 0, 0);
	books_close(&books);
}

TEST(slots_with_a_contested_byte_are_unknown)
{
	struct books books = { 0 };
	struct mw_slots slots;

	slots_of(&books, &slots);
	books_claim(&books, MW_LAYER_OWNER, "b", AT + 5000, AT + 5001, "b/x");
	books_settle(&books);
	books_check(&books, "unknown/slots", 5999, 3000, 2999);
	books_check(&books, "unknown/contested", 1, 0, 1);
	books_close(&books);
}

TEST(slots_that_leave_the_claim_are_unknown)
{
	struct books books = { 0 };
	struct mw_slots slots;

	slots_of(&books, &slots);
	slots.count = 8; // 904 bytes of it lie in the claim no more
	books_settle(&books);
	books_check(&books, "unknown/slots", 2 * PAGE - 1096, PAGE - 1096,
		    PAGE);
	ASSERT_EQ(1, books_overlaps(&books));
	books_close(&books);

	slots_of(&books, &slots);
	slots.count = UINT64_MAX / 2; // no part at all
	books_settle(&books);
	books_check(&books, "a/rest", 2 * PAGE, PAGE, PAGE);
	books_close(&books);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_parts_leave_stays_with_the_claim),
		CASE(parts_that_go_back_or_out_are_cut_and_told),
		CASE(parts_that_are_empty_or_wrap_around_are_no_parts),
		CASE(contested_bytes_of_a_part_are_not_its_own),
		CASE(an_error_of_a_walker_ends_the_capture),
		CASE(slots_are_posted_by_their_bits),
		CASE(bits_are_right_where_the_count_is_not),
		CASE(slots_that_are_all_alike_need_no_bits),
		CASE(slots_whose_bits_cannot_be_had_are_unknown),
		CASE(slots_with_a_contested_byte_are_unknown),
		CASE(slots_that_leave_the_claim_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

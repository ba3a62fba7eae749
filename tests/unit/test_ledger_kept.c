/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_books.h"
#include "mw_test.h"

/* What the ledger keeps besides the sums: shares, PSS, pages, ranges. */

#define AT UINT64_C(0x10000)

static void check_share(const struct books *books, size_t at, size_t mapping,
			const char *name, uint64_t vsz_bytes,
			uint64_t rss_bytes)
{
	size_t count, accounts;
	const struct mw_ledger_share *shares =
		mw_ledger_shares(books->ledger, &count);

	assert_true(at < count);
	ASSERT_EQ(mapping, shares[at].mapping);
	ASSERT_TEXT(name, mw_ledger_accounts(books->ledger, &accounts)
				  [shares[at].account].name);
	ASSERT_EQ(vsz_bytes, shares[at].tally.vsz_bytes);
	ASSERT_EQ(rss_bytes, shares[at].tally.rss_bytes);
}

/** Two mappings; "a" has bytes of both, "b" of the second one. */
static void open_two_mappings(struct books *books)
{
	books_map(books, AT, "PP.");
	books_map(books, AT + 3 * PAGE, ".P");
	books_open(books);
	mw_ledger_keep_mappings(books->ledger);
	books_claim(books, MW_LAYER_OWNER, "a", AT + PAGE, AT + 4 * PAGE + 1,
		    "a/x");
	books_claim(books, MW_LAYER_OWNER, "b", AT + 4 * PAGE + 1,
		    AT + 4 * PAGE + 4, "b/x");
	books_settle(books);
}

TEST(shares_tell_what_each_account_has_in_each_mapping)
{
	struct books books = { 0 };
	size_t count;

	open_two_mappings(&books);
	mw_ledger_shares(books.ledger, &count);
	ASSERT_EQ(5, count);
	check_share(&books, 0, 0, "a/x", 2 * PAGE, PAGE);
	check_share(&books, 1, 0, "unknown/unclaimed", PAGE, PAGE);
	check_share(&books, 2, 1, "a/x", PAGE + 1, 1);
	check_share(&books, 3, 1, "unknown/unclaimed", PAGE - 4, PAGE - 4);
	check_share(&books, 4, 1, "b/x", 3, 3);
	books_close(&books);
}

TEST(shares_are_kept_only_when_asked_for)
{
	struct books books = { 0 };
	size_t count;

	books_map(&books, AT, "PP");
	books_open(&books);
	books_settle(&books);
	mw_ledger_shares(books.ledger, &count);
	ASSERT_EQ(0, count);
	mw_ledger_pages(books.ledger, &count);
	ASSERT_EQ(0, count);
	books_close(&books);
}

/* PSS */

static uint64_t pss_of(const struct books *books, const char *name)
{
	const struct mw_ledger_account *account =
		mw_ledger_find(books->ledger, name);

	assert_non_null(account);
	return account->pss_bytes;
}

TEST(pss_is_divided_by_resident_bytes)
{
	struct books books = { 0 };
	const uint64_t pss[] = { 1001, 2 * PAGE };

	open_two_mappings(&books);
	mw_ledger_add_pss(books.ledger, pss);
	// Of the first mapping half each; of the second 2 bytes for each
	// resident byte.
	ASSERT_EQ(500 + 2, pss_of(&books, "a/x"));
	ASSERT_EQ(2 * 3, pss_of(&books, "b/x"));
	ASSERT_EQ(501 + 2 * PAGE - 8, pss_of(&books, "unknown/unclaimed"));
	books_close(&books);
}

TEST(no_byte_of_pss_is_lost_to_rounding)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct books books = { 0 };
		uint64_t random = seed, at = AT, sum = 0;
		uint64_t pss = mw_test_below(&random, 4 * PAGE);
		size_t count;
		char name[] = "a/0";

		books_map(&books, AT, "PZPSP");
		books_open(&books);
		mw_ledger_keep_mappings(books.ledger);
		for (; name[2] < '8'; name[2]++) {
			uint64_t start = at + mw_test_below(&random, 999);

			at = start + 1 + mw_test_below(&random, 2 * PAGE);
			books_claim(&books, MW_LAYER_OWNER, "a", start, at,
				    name);
		}
		books_settle(&books);
		mw_ledger_add_pss(books.ledger, &pss);

		const struct mw_ledger_account *accounts =
			mw_ledger_accounts(books.ledger, &count);
		for (size_t i = 0; i < count; i++) {
			uint64_t rss = accounts[i].tally.rss_bytes;

			sum += accounts[i].pss_bytes;
			// Within a byte for each account of its due.
			assert_true(accounts[i].pss_bytes + count >=
				    pss * rss / (3 * PAGE));
			assert_true(accounts[i].pss_bytes <=
				    pss * rss / (3 * PAGE) + count);
		}
		ASSERT_EQ(pss, sum);
		books_close(&books);
	}
}

TEST(pss_of_a_mapping_that_was_not_resident_is_not_lost)
{
	struct books books = { 0 };
	const uint64_t pss[] = { 700, 30 };

	// Its pages came after their states had been read.
	books_map(&books, AT, "....");
	books_map(&books, AT + 4 * PAGE, "P");
	books_open(&books);
	mw_ledger_keep_mappings(books.ledger);
	books_claim(&books, MW_LAYER_OWNER, "a", AT, AT + PAGE, "a/x");
	books_claim(&books, MW_LAYER_OWNER, "b", AT + PAGE, AT + 4 * PAGE,
		    "b/x");
	books_settle(&books);
	mw_ledger_add_pss(books.ledger, pss);
	ASSERT_EQ(0, pss_of(&books, "a/x"));
	ASSERT_EQ(700, pss_of(&books, "b/x")); // most of the mapping is its
	ASSERT_EQ(30, pss_of(&books, "unknown/unclaimed"));
	books_close(&books);
}

/* Pages */

static void check_page(const struct books *books, size_t at, uint64_t va,
		       const char *name, uint64_t bytes)
{
	size_t count, accounts;
	const struct mw_ledger_page *pages =
		mw_ledger_pages(books->ledger, &count);

	assert_true(at < count);
	ASSERT_EQ(va, pages[at].va);
	ASSERT_TEXT(name, mw_ledger_accounts(books->ledger, &accounts)
				  [pages[at].account].name);
	ASSERT_EQ(bytes, pages[at].bytes);
}

/** A range of 100 bytes, 8 slots of 512 bytes, another range of 100. */
static struct mw_error *refine(void *ctx, const struct mw_claim *claim,
			       struct mw_parts *parts)
{
	const struct mw_slots *slots = ctx;
	uint64_t end = slots->start + 8 * 512;

	// There is no stretch on which only sums matter.
	ASSERT_EQ(claim->start, mw_part_uniform_until(parts, claim->start));
	mw_part_range(parts, claim->start, 100, slots->used);
	mw_part_slots(parts, slots);
	mw_part_range(parts, end, 100, slots->used);
	return NULL;
}

static bool load(void *ctx, uint8_t *bits)
{
	(void)ctx;
	bits[0] = 0x71; // slots 0, 4, 5, 6
	return true;
}

TEST(pages_tell_what_each_account_has_on_them)
{
	struct books books = { 0 };
	size_t count;

	books_map(&books, AT, "PPZSP");
	books_open(&books);
	mw_ledger_keep_pages(books.ledger);
	struct mw_slots slots = {
		.start = AT + 2048,
		.slot_bytes = 512,
		.count = 8,
		.used_count = 4,
		.used = books_account(&books, "a/used"),
		.unused = books_account(&books, "a/free"),
		.load = load,
	};
	books_own(&books, AT, AT + 4 * PAGE, "a/rest", refine, &slots);
	books_settle(&books);
	mw_ledger_pages(books.ledger, &count);
	ASSERT_EQ(7, count);
	check_page(&books, 0, AT, "a/rest", 2048 - 100);
	check_page(&books, 1, AT, "a/free", 3 * 512);
	check_page(&books, 2, AT, "a/used", 100 + 512); // in two pieces
	check_page(&books, 3, AT + PAGE, "a/rest", 2048 - 100);
	check_page(&books, 4, AT + PAGE, "a/used", 3 * 512 + 100);
	check_page(&books, 5, AT + PAGE, "a/free", 512);
	check_page(&books, 6, AT + 4 * PAGE, "unknown/unclaimed", PAGE);
	books_close(&books);
}

/* Ranges */

TEST(ranges_without_a_known_owner_are_listed)
{
	struct books books = { 0 };
	const struct mw_ledger_range *ranges;
	size_t count, left_out;

	books_map(&books, AT, "PS.P");
	books_map(&books, AT + 8 * PAGE, "P");
	books_map(&books, AT + 9 * PAGE, "P");
	books_open(&books);
	books_claim(&books, MW_LAYER_OWNER, "a", AT, AT + PAGE, "a/x");
	books_claim(&books, MW_LAYER_OWNER, "b", AT + 3 * PAGE,
		    AT + 3 * PAGE + 9, "unknown/torn");
	books_claim(&books, MW_LAYER_MAPPING, "m", AT + 8 * PAGE,
		    AT + 9 * PAGE, "anonymous/private");
	books_claim(&books, MW_LAYER_MAPPING, "m", AT + 9 * PAGE,
		    AT + 10 * PAGE, "anonymous/named");
	books_settle(&books);
	ranges = mw_ledger_ranges(books.ledger, &count, &left_out);
	ASSERT_EQ(4, count);
	ASSERT_EQ(0, left_out);
	ASSERT_EQ(AT + PAGE, ranges[0].start);
	ASSERT_EQ(AT + 3 * PAGE, ranges[0].end);
	ASSERT_EQ(2 * PAGE, ranges[0].tally.vsz_bytes);
	ASSERT_EQ(0, ranges[0].tally.rss_bytes);
	ASSERT_EQ(PAGE, ranges[0].tally.swap_bytes);
	ASSERT_EQ(books_account(&books, "unknown/unclaimed"),
		  ranges[0].account);
	ASSERT_EQ(AT + 3 * PAGE, ranges[1].start);
	ASSERT_EQ(books_account(&books, "unknown/torn"), ranges[1].account);
	ASSERT_EQ(9, ranges[1].tally.rss_bytes);
	ASSERT_EQ(AT + 3 * PAGE + 9, ranges[2].start);
	ASSERT_EQ(AT + 8 * PAGE, ranges[3].start);
	ASSERT_EQ(AT + 9 * PAGE, ranges[3].end);
	ASSERT_EQ(books_account(&books, "anonymous/private"),
		  ranges[3].account);
	books_close(&books);
}

static struct mw_error *refine_many(void *ctx, const struct mw_claim *claim,
				    struct mw_parts *parts)
{
	for (uint64_t at = 0; at < claim->bytes; at += 2)
		mw_part_range(parts, claim->start + at, 1,
			      *(mw_account_id *)ctx);
	return NULL;
}

TEST(of_very_many_ranges_the_others_are_counted)
{
	struct books books = { 0 };
	mw_account_id torn;
	size_t count, left_out;

	books_map(&books, AT, "PPPPP");
	books_map(&books, AT + 5 * PAGE, ".");
	books_open(&books);
	torn = books_account(&books, "unknown/torn");
	books_own(&books, AT, AT + 5 * PAGE, "a/rest", refine_many, &torn);
	books_settle(&books);
	mw_ledger_ranges(books.ledger, &count, &left_out);
	ASSERT_EQ(10000, count);
	ASSERT_EQ(5 * PAGE / 2 + 1 - 10000, left_out);
	books_check(&books, "unknown/torn", 5 * PAGE / 2, 5 * PAGE / 2, 0);
	books_close(&books);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(shares_tell_what_each_account_has_in_each_mapping),
		CASE(shares_are_kept_only_when_asked_for),
		CASE(pss_is_divided_by_resident_bytes),
		CASE(no_byte_of_pss_is_lost_to_rounding),
		CASE(pss_of_a_mapping_that_was_not_resident_is_not_lost),
		CASE(pages_tell_what_each_account_has_on_them),
		CASE(ranges_without_a_known_owner_are_listed),
		CASE(of_very_many_ranges_the_others_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

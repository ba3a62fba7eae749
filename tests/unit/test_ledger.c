/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_books.h"
#include "mw_test.h"

/* Claims: who gets which bytes, what two owners of a byte mean, the audit. */

#define AT UINT64_C(0x10000)

static struct mw_audit audit(const struct books *books, bool exact)
{
	struct mw_tally totals = mw_ledger_totals(books->ledger);

	return mw_ledger_audit(books->ledger, &totals, exact);
}

TEST(an_empty_space_has_empty_books)
{
	struct books books = { 0 };
	struct mw_tally totals;
	size_t count, left_out;

	books_open(&books);
	books_settle(&books);
	totals = mw_ledger_totals(books.ledger);
	ASSERT_EQ(0, totals.vsz_bytes);
	ASSERT_EQ(0, totals.rss_bytes);
	ASSERT_EQ(0, totals.swap_bytes);
	ASSERT_EQ(0, books_overlaps(&books));
	assert_true(audit(&books, true).balanced);
	assert_null(mw_ledger_find(books.ledger, "go/heap/objects"));
	mw_ledger_claims(books.ledger, &count);
	ASSERT_EQ(0, count);
	mw_ledger_ranges(books.ledger, &count, &left_out);
	ASSERT_EQ(0, count);
	ASSERT_EQ(0, left_out);
	books_close(&books);
}

TEST(claims_outside_every_mapping_post_nothing)
{
	struct books books = { 0 };

	books_open(&books);
	books_claim(&books, MW_LAYER_OWNER, "a", AT, AT + 9 * PAGE, "a/x");
	books_claim(&books, MW_LAYER_REMAINDER, "b", AT, AT + 99 * PAGE,
		    "b/x");
	books_settle(&books);
	books_check(&books, "a/x", 0, 0, 0);
	books_check(&books, "b/x", 0, 0, 0);
	assert_true(audit(&books, true).balanced);
	books_close(&books);
}

TEST(what_nobody_claims_stays_with_its_mapping)
{
	struct books books = { 0 };

	books_map(&books, AT, "PS.");
	books_map(&books, AT + 8 * PAGE, "PZHB");
	books_open(&books);
	books_claim(&books, MW_LAYER_MAPPING, "mappings", AT + 8 * PAGE,
		    AT + 12 * PAGE, "anonymous/private");
	books_settle(&books);
	books_check(&books, "unknown/unclaimed", 3 * PAGE, PAGE, PAGE);
	books_check(&books, "anonymous/private", 4 * PAGE, 3 * PAGE, PAGE);
	books_close(&books);
}

TEST(an_owner_gets_what_is_mapped_of_its_claim)
{
	struct books books = { 0 };

	books_map(&books, AT, "PP");
	books_map(&books, AT + 4 * PAGE, "SP");
	books_open(&books);
	books_claim(&books, MW_LAYER_OWNER, "a", AT + PAGE, AT + 5 * PAGE,
		    "a/x");
	books_settle(&books);
	books_check(&books, "a/x", 2 * PAGE, PAGE, PAGE);
	books_check(&books, "unknown/unclaimed", 2 * PAGE, 2 * PAGE, 0);
	books_close(&books);
}

TEST(a_page_of_two_owners_is_divided_by_bytes)
{
	struct books books = { 0 };
	struct mw_tally totals;

	books_map(&books, AT, "PB");
	books_open(&books);
	books_claim(&books, MW_LAYER_OWNER, "a", AT, AT + 1001, "a/x");
	books_claim(&books, MW_LAYER_OWNER, "b", AT + 1001, AT + PAGE + 7,
		    "b/x");
	books_claim(&books, MW_LAYER_OWNER, "c", AT + 2 * PAGE - 1,
		    AT + 2 * PAGE, "c/x");
	books_settle(&books);
	books_check(&books, "a/x", 1001, 1001, 0);
	books_check(&books, "b/x", PAGE - 1001 + 7, PAGE - 1001 + 7, 7);
	books_check(&books, "c/x", 1, 1, 1);
	books_check(&books, "unknown/unclaimed", PAGE - 8, PAGE - 8, PAGE - 8);
	totals = mw_ledger_totals(books.ledger);
	ASSERT_EQ(2 * PAGE, totals.vsz_bytes);
	ASSERT_EQ(2 * PAGE, totals.rss_bytes);
	ASSERT_EQ(PAGE, totals.swap_bytes);
	ASSERT_EQ(0, books_overlaps(&books)); // to touch is not to overlap
	books_close(&books);
}

TEST(bytes_of_two_owners_are_contested_and_both_are_named)
{
	struct books books = { 0 };

	books_map(&books, AT, "PPSP");
	books_open(&books);
	// In any order; what is told is in order of address.
	books_claim(&books, MW_LAYER_OWNER, "malloc", AT + PAGE + 100,
		    AT + 4 * PAGE, "malloc/x");
	books_claim(&books, MW_LAYER_OWNER, "Go runtime", AT,
		    AT + 2 * PAGE + 50, "go/x");
	books_settle(&books);
	ASSERT_EQ(1, books_overlaps(&books));
	books_check_overlap(&books, 0, AT + PAGE + 100, AT + 2 * PAGE + 50,
			    "Go runtime", "malloc");
	books_check(&books, "unknown/contested", PAGE - 50, PAGE - 100, 50);
	books_check(&books, "go/x", PAGE + 100, PAGE + 100, 0);
	books_check(&books, "malloc/x", 2 * PAGE - 50, PAGE, PAGE - 50);
	books_check(&books, "unknown/unclaimed", 0, 0, 0);
	ASSERT_EQ(1, audit(&books, false).overlaps);
	assert_false(audit(&books, false).balanced);
	books_close(&books);
}

TEST(an_overlap_names_what_is_claimed_where_that_is_known)
{
	struct books books = { 0 };
	struct mw_claim claim = {
		.start = AT,
		.bytes = PAGE,
		.layer = MW_LAYER_OWNER,
		.walker = "walker",
		.what = "Go heap",
	};

	books_map(&books, AT, "P");
	books_open(&books);
	claim.account = books_account(&books, "a/x");
	ASSERT_OK(mw_sink_claim(mw_ledger_sink(books.ledger), &claim));
	books_claim(&books, MW_LAYER_OWNER, "b", AT + 10, AT + 20, "b/x");
	books_settle(&books);
	books_check_overlap(&books, 0, AT + 10, AT + 20, "Go heap", "b");
	books_close(&books);
}

TEST(a_byte_of_three_owners_is_contested_once)
{
	struct books books = { 0 };

	books_map(&books, AT, "PPPP");
	books_open(&books);
	books_claim(&books, MW_LAYER_OWNER, "a", AT, AT + 400, "a/x");
	books_claim(&books, MW_LAYER_OWNER, "b", AT + 100, AT + 200, "b/x");
	books_claim(&books, MW_LAYER_OWNER, "c", AT + 150, AT + 500, "c/x");
	books_settle(&books);
	ASSERT_EQ(2, books_overlaps(&books));
	books_check_overlap(&books, 0, AT + 100, AT + 200, "a", "b");
	books_check_overlap(&books, 1, AT + 150, AT + 400, "a", "c");
	books_check(&books, "unknown/contested", 300, 300, 0);
	books_check(&books, "a/x", 100, 100, 0);
	books_check(&books, "b/x", 0, 0, 0);
	books_check(&books, "c/x", 100, 100, 0);
	books_close(&books);
}

TEST(a_remainder_gets_what_no_owner_claims)
{
	struct books books = { 0 };

	books_map(&books, AT, "PPPPPP");
	books_open(&books);
	books_claim(&books, MW_LAYER_REMAINDER, "first", AT + PAGE,
		    AT + 4 * PAGE, "first/x");
	books_claim(&books, MW_LAYER_REMAINDER, "second", AT + 10,
		    AT + 5 * PAGE, "second/x");
	books_claim(&books, MW_LAYER_OWNER, "owner", AT + 2 * PAGE,
		    AT + 3 * PAGE, "owner/x");
	books_settle(&books);
	books_check(&books, "owner/x", PAGE, PAGE, 0);
	books_check(&books, "first/x", 2 * PAGE, 2 * PAGE, 0);
	books_check(&books, "second/x", 2 * PAGE - 10, 2 * PAGE - 10, 0);
	books_check(&books, "unknown/unclaimed", PAGE + 10, PAGE + 10, 0);
	ASSERT_EQ(0, books_overlaps(&books));
	books_close(&books);
}

TEST(claims_of_owners_and_remainders_are_listed_by_address)
{
	struct books books = { 0 };
	const struct mw_claim *claims;
	size_t count;

	books_map(&books, AT, "PPPP");
	books_open(&books);
	books_claim(&books, MW_LAYER_REMAINDER, "r", AT + PAGE, AT + 2 * PAGE,
		    "r/x");
	books_claim(&books, MW_LAYER_OWNER, "b", AT + 3 * PAGE, AT + 4 * PAGE,
		    "b/x");
	books_claim(&books, MW_LAYER_OWNER, "a", AT, AT + PAGE, "a/x");
	books_claim(&books, MW_LAYER_MAPPING, "m", AT, AT + 4 * PAGE, "m/x");
	books_settle(&books);
	claims = mw_ledger_claims(books.ledger, &count);
	ASSERT_EQ(3, count);
	ASSERT_TEXT("a", claims[0].walker);
	ASSERT_TEXT("r", claims[1].walker);
	ASSERT_TEXT("b", claims[2].walker);
	books_check(&books, "m/x", PAGE, PAGE, 0);
	books_close(&books);
}

TEST(a_claim_beyond_the_address_space_is_refused)
{
	struct books books = { 0 };
	struct mw_claim claim = { .start = UINT64_MAX - 9, .walker = "a" };

	books_open(&books);
	claim.account = books_account(&books, "a/x");
	claim.bytes = 10;
	ASSERT_ERR(MW_E_RANGE, mw_sink_claim(mw_ledger_sink(books.ledger),
					     &claim));
	claim.bytes = 9;
	ASSERT_OK(mw_sink_claim(mw_ledger_sink(books.ledger), &claim));
	books_settle(&books);
	books_close(&books);
}

TEST(an_account_is_made_once)
{
	struct books books = { 0 };
	const struct mw_sink *sink;
	mw_account_id a, again, other;
	size_t count;

	books_open(&books);
	sink = mw_ledger_sink(books.ledger);
	ASSERT_OK(mw_sink_account(sink, "file", "/bin/a", "maps", &a));
	ASSERT_OK(mw_sink_account(sink, "file", "/bin/b", "maps", &other));
	ASSERT_OK(mw_sink_account(sink, "file", "/bin/a", "later", &again));
	ASSERT_EQ(a, again);
	assert_true(a != other);

	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(books.ledger, &count);
	ASSERT_EQ(2, count);
	ASSERT_TEXT("file//bin/a", accounts[a].name);
	ASSERT_TEXT("file", accounts[a].parent);
	ASSERT_TEXT("/bin/a", accounts[a].leaf);
	ASSERT_TEXT("maps", accounts[a].evidence);
	assert_ptr_equal(&accounts[other],
			 mw_ledger_find(books.ledger, "file//bin/b"));
	assert_null(mw_ledger_find(books.ledger, "file"));
	books_close(&books);
}

TEST(drift_unbalances_only_an_exact_capture)
{
	struct books books = { 0 };
	struct mw_audit result;

	books_map(&books, AT, "PPS.");
	books_open(&books);
	books_settle(&books);

	struct mw_tally kernel = { 4 * PAGE, 2 * PAGE, PAGE };
	result = mw_ledger_audit(books.ledger, &kernel, true);
	assert_true(result.balanced);
	ASSERT_EQ(4 * PAGE, result.kernel.vsz_bytes);

	kernel = (struct mw_tally){ 5 * PAGE, PAGE, PAGE + 1 };
	result = mw_ledger_audit(books.ledger, &kernel, false);
	assert_true(result.balanced);
	ASSERT_EQ(-(int64_t)PAGE, result.drift_vsz_bytes);
	ASSERT_EQ(PAGE, result.drift_rss_bytes);
	ASSERT_EQ(-1, result.drift_swap_bytes);
	assert_false(mw_ledger_audit(books.ledger, &kernel, true).balanced);

	// Each domain counts.
	const struct mw_tally off[] = {
		{ 4 * PAGE + 1, 2 * PAGE, PAGE },
		{ 4 * PAGE, 2 * PAGE - 1, PAGE },
		{ 4 * PAGE, 2 * PAGE, PAGE + 1 },
	};
	for (size_t i = 0; i < MW_COUNT(off); i++)
		assert_false(mw_ledger_audit(books.ledger, &off[i], true)
				     .balanced);
	books_close(&books);
}

/* Bytes of which only the mapping is known, as smaps tells them */

TEST(bytes_without_a_page_are_the_mappings_own)
{
	struct books books = { 0 };
	struct mw_mapping *mapping = books_map(&books, AT, "....");

	mapping->unplaced_rss_bytes = 3 * PAGE;
	mapping->unplaced_swap_bytes = PAGE;
	books_open(&books);
	books_claim(&books, MW_LAYER_MAPPING, "m", AT, AT + 4 * PAGE, "m/x");
	books_claim(&books, MW_LAYER_OWNER, "a", AT + 4 * PAGE, AT + 5 * PAGE,
		    "a/x");
	books_settle(&books);
	books_check(&books, "m/x", 4 * PAGE, 3 * PAGE, PAGE);
	books_check(&books, "unknown/unplaced", 0, 0, 0);
	ASSERT_EQ(3 * PAGE, mw_ledger_totals(books.ledger).rss_bytes);
	ASSERT_EQ(PAGE, mw_ledger_totals(books.ledger).swap_bytes);
	books_close(&books);
}

TEST(bytes_without_a_page_are_unplaced_in_a_shared_mapping)
{
	struct books books = { 0 };
	struct mw_mapping *mapping = books_map(&books, AT, "....");

	mapping->unplaced_rss_bytes = 3 * PAGE;
	books_open(&books);
	books_claim(&books, MW_LAYER_MAPPING, "m", AT, AT + 4 * PAGE, "m/x");
	books_claim(&books, MW_LAYER_OWNER, "a", AT + 4 * PAGE - 1,
		    AT + 5 * PAGE, "a/x");
	books_settle(&books);
	books_check(&books, "m/x", 4 * PAGE - 1, 0, 0);
	books_check(&books, "a/x", 1, 0, 0);
	books_check(&books, "unknown/unplaced", 0, 3 * PAGE, 0);
	assert_true(audit(&books, true).balanced);
	books_close(&books);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_empty_space_has_empty_books),
		CASE(claims_outside_every_mapping_post_nothing),
		CASE(what_nobody_claims_stays_with_its_mapping),
		CASE(an_owner_gets_what_is_mapped_of_its_claim),
		CASE(a_page_of_two_owners_is_divided_by_bytes),
		CASE(bytes_of_two_owners_are_contested_and_both_are_named),
		CASE(an_overlap_names_what_is_claimed_where_that_is_known),
		CASE(a_byte_of_three_owners_is_contested_once),
		CASE(a_remainder_gets_what_no_owner_claims),
		CASE(claims_of_owners_and_remainders_are_listed_by_address),
		CASE(a_claim_beyond_the_address_space_is_refused),
		CASE(an_account_is_made_once),
		CASE(drift_unbalances_only_an_exact_capture),
		CASE(bytes_without_a_page_are_the_mappings_own),
		CASE(bytes_without_a_page_are_unplaced_in_a_shared_mapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

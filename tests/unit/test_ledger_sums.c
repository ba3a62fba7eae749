/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_books.h"
#include "mw_test.h"

/* Parts by their sums, on stretches whose pages are all in one state. */

#define AT UINT64_C(0x10000)

struct sums {
	uint64_t va, until; /* asked at va; answered */
	struct mw_sum v[2];
};

static struct mw_error *refine_sums(void *ctx, const struct mw_claim *claim,
				    struct mw_parts *parts)
{
	struct sums *sums = ctx;
	(void)claim;

	sums->until = mw_part_uniform_until(parts, sums->va);
	if (sums->until > sums->va)
		mw_part_sums(parts, sums->va, sums->until, sums->v, 2);
	return NULL;
}

/**
 * Report sums of 100 and 50 bytes of the uniform stretch that begins at @va;
 * returns where it ends.
 */
static uint64_t post_sums(struct books *books, uint64_t va)
{
	struct sums sums = { .va = va };

	sums.v[0] = (struct mw_sum){ books_account(books, "a/one"), 100 };
	sums.v[1] = (struct mw_sum){ books_account(books, "a/two"), 50 };
	books_own(books, AT, AT + 6 * PAGE, "a/rest", refine_sums, &sums);
	books_settle(books);
	return sums.until;
}

TEST(sums_of_a_stretch_are_in_its_state)
{
	struct books books = { 0 };

	books_map(&books, AT, "PPSS.P");
	books_open(&books);
	ASSERT_EQ(AT + 4 * PAGE, post_sums(&books, AT + 2 * PAGE + 8));
	books_check(&books, "a/one", 100, 0, 100);
	books_check(&books, "a/two", 50, 0, 50);
	books_check(&books, "a/rest", 6 * PAGE - 150, 3 * PAGE,
		    2 * PAGE - 150);
	books_close(&books);
}

TEST(a_stretch_ends_where_pages_the_mapping_or_the_claim_do)
{
	const struct {
		const char *first, *second;
		uint64_t from, until; /* offsets */
	} cases[] = {
		{ "PPP", "PPPPP", 0, 3 * PAGE },
		{ "PPP", "PPPPP", 3 * PAGE, 6 * PAGE }, // the claim's end
		{ "PPS", "PPPPP", 1, 2 * PAGE },
		{ "P..", "..P", PAGE, 3 * PAGE },
		{ "P..", "..P", 3 * PAGE, 5 * PAGE },
		{ "PPPPPP", "", 17, 6 * PAGE },
		{ "......", "", 0, 6 * PAGE },
		{ "P", "", 3 * PAGE, 3 * PAGE }, // nothing mapped there
	};

	for (size_t i = 0; i < MW_COUNT(cases); i++) {
		struct books books = { 0 };

		books_map(&books, AT, cases[i].first);
		if (*cases[i].second)
			books_map(&books,
				  AT + strlen(cases[i].first) * PAGE,
				  cases[i].second);
		books_open(&books);
		ASSERT_EQ(AT + cases[i].until,
			  post_sums(&books, AT + cases[i].from));
		books_close(&books);
	}
}

TEST(a_stretch_has_no_contested_byte)
{
	struct books books = { 0 };

	books_map(&books, AT, "PPPPPP");
	books_open(&books);
	books_claim(&books, MW_LAYER_OWNER, "b", AT + 500, AT + 600, "b/x");
	ASSERT_EQ(AT + 500, post_sums(&books, AT));
	books_check(&books, "a/one", 100, 100, 0);
	books_check(&books, "unknown/contested", 100, 100, 0);
	books_close(&books);

	books_map(&books, AT, "PPPPPP");
	books_open(&books);
	books_claim(&books, MW_LAYER_OWNER, "b", AT + 500, AT + 600, "b/x");
	ASSERT_EQ(AT + 500, post_sums(&books, AT + 500));
	books_check(&books, "a/one", 0, 0, 0);
	books_close(&books);
}

TEST(a_stretch_may_be_long)
{
	enum { LONG = 20000 }; // pages, more than a run can have
	struct books books = { 0 };
	struct sums sums = { .va = AT + 5 };

	assert_non_null(mw_mappings_add(&books.maps, AT, AT + LONG * PAGE, "",
					0));
	assert_true(mw_pages_add(&books.pages, AT, AT + LONG * PAGE,
				 MW_PAGE_PRESENT));
	books_open(&books);
	sums.v[0] = (struct mw_sum){ books_account(&books, "a/one"), 100 };
	sums.v[1] = sums.v[0];
	books_own(&books, AT, AT + LONG * PAGE, "a/rest", refine_sums, &sums);
	books_settle(&books);
	ASSERT_EQ(AT + LONG * PAGE, sums.until);
	books_check(&books, "a/one", 200, 200, 0);
	books_close(&books);
}

static struct mw_error *refine_back(void *ctx, const struct mw_claim *claim,
				    struct mw_parts *parts)
{
	mw_part_range(parts, claim->start + 10, 10, claim->account);
	*(uint64_t *)ctx = mw_part_uniform_until(parts, claim->start + 19);
	return NULL;
}

TEST(behind_the_last_part_there_is_no_stretch)
{
	struct books books = { 0 };
	uint64_t until;

	books_map(&books, AT, "PP");
	books_open(&books);
	books_own(&books, AT, AT + PAGE, "a/x", refine_back, &until);
	books_settle(&books);
	ASSERT_EQ(AT + 19, until);
	books_close(&books);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(sums_of_a_stretch_are_in_its_state),
		CASE(a_stretch_ends_where_pages_the_mapping_or_the_claim_do),
		CASE(a_stretch_has_no_contested_byte),
		CASE(a_stretch_may_be_long),
		CASE(behind_the_last_part_there_is_no_stretch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_books.h"
#include "mw_test.h"

/*
 * A ledger that uses everything it has, with ever more memory: each run fails
 * with MW_E_NOMEM or has all of its books right.
 */

#define AT UINT64_C(0x10000)

static bool load(void *ctx, uint8_t *bits)
{
	(void)ctx;
	bits[0] = 5;
	return true;
}

static struct mw_error *refine(void *ctx, const struct mw_claim *claim,
			       struct mw_parts *parts)
{
	mw_account_id part = *(mw_account_id *)ctx;
	const struct mw_slots slots = {
		.start = claim->start + 1000,
		.slot_bytes = 1000,
		.count = 4,
		.used_count = 2,
		.used = part,
		.unused = claim->account,
		.load = load,
		.unknown = claim->account,
	};
	const struct mw_sum sum = { part, 10 };
	uint64_t va = claim->start + 6000, end;

	mw_part_range(parts, claim->start, 100, part);
	mw_part_slots(parts, &slots);
	mw_part_range(parts, claim->start + 4999, 2, part); // 1 goes back
	end = mw_part_uniform_until(parts, va);
	if (end > va)
		mw_part_sums(parts, va, end, &sum, 1);
	return NULL;
}

static struct mw_error *make(struct mw_ledger *ledger, mw_account_id *part)
{
	const struct mw_sink *sink = mw_ledger_sink(ledger);
	struct mw_claim claims[] = {
		{ AT, 4 * PAGE, MW_LAYER_OWNER, 0, "a", NULL, refine, part },
		{ AT + 3 * PAGE, 2 * PAGE, MW_LAYER_OWNER, 0, "b", NULL, NULL,
		  NULL },
		{ AT, 6 * PAGE, MW_LAYER_REMAINDER, 0, "r", NULL, NULL, NULL },
		{ AT, 8 * PAGE, MW_LAYER_MAPPING, 0, "m", NULL, NULL, NULL },
	};
	struct mw_error *error = mw_sink_account(sink, "a", "part", "", part);

	for (size_t i = 0; !error && i < MW_COUNT(claims); i++) {
		error = mw_sink_account(sink, claims[i].walker, "x", "",
					&claims[i].account);
		if (!error)
			error = mw_sink_claim(sink, &claims[i]);
	}
	return error ? error : mw_ledger_settle(ledger);
}

/** What must be so whenever no error was returned. */
static void check(const struct books *books, bool keeps)
{
	const uint64_t pss[] = { 1000, 33 };
	size_t count, left_out;

	// Of "a", before "b" contests the rest: 100 by range, 2 slots, 1 byte
	// of a part that goes back, 10 by sums unless pages are kept.
	const uint64_t part = 100 + 2000 + 1 + (keeps ? 0 : 10);
	books_check(books, "a/part", part, part, 0);
	books_check(books, "a/x", 3 * PAGE - part, 3 * PAGE - part, 0);
	books_check(books, "unknown/contested", PAGE, PAGE, 0);
	books_check(books, "b/x", PAGE, 0, PAGE);
	books_check(books, "r/x", PAGE, PAGE, 0);
	books_check(books, "m/x", 2 * PAGE, 0, 0);
	books_check(books, "unknown/unclaimed", PAGE, 0, 0);
	books_check(books, "unknown/unplaced", 0, 0, 0);
	ASSERT_EQ(2, books_overlaps(books));
	books_check_overlap(books, 0, AT + 3 * PAGE, AT + 4 * PAGE, "a", "b");
	books_check_overlap(books, 1, AT + 4999, AT + 5001, "a", "a");
	mw_ledger_ranges(books->ledger, &count, &left_out);
	ASSERT_EQ(2, count);
	mw_ledger_claims(books->ledger, &count);
	ASSERT_EQ(3, count);
	if (!keeps)
		return;
	mw_ledger_shares(books->ledger, &count);
	ASSERT_EQ(7, count);
	mw_ledger_pages(books->ledger, &count);
	ASSERT_EQ(7, count);
	mw_ledger_add_pss(books->ledger, pss);
}

struct run {
	struct books books;
	bool keeps;
};

static struct mw_error *run(void *ctx)
{
	struct run *run = ctx;
	struct books *books = &run->books;
	mw_account_id part;
	struct mw_error *error =
		mw_ledger_new(&books->maps, &books->pages, &books->ledger);

	if (error)
		return error;
	if (run->keeps) {
		mw_ledger_keep_mappings(books->ledger);
		mw_ledger_keep_pages(books->ledger);
	}
	error = make(books->ledger, &part);
	if (!error)
		check(books, run->keeps);
	mw_ledger_free(books->ledger);
	books->ledger = NULL;
	return error;
}

static void try(bool keeps)
{
	struct run ctx = { .keeps = keeps };

	books_map(&ctx.books, AT, "PPPPSP..");
	books_map(&ctx.books, AT + 8 * PAGE, ".");
	OUT_OF_MEMORY(run, &ctx);
	books_close(&ctx.books);
}

TEST(settling_survives_a_lack_of_memory)
{
	try(false);
}

TEST(keeping_mappings_and_pages_survives_a_lack_of_memory)
{
	try(true);
}

static struct mw_error *refine_back(void *ctx, const struct mw_claim *claim,
				    struct mw_parts *parts)
{
	(void)ctx;
	mw_part_range(parts, claim->start + 10, 10, claim->account);
	mw_part_range(parts, claim->start, 10, claim->account);
	return NULL;
}

static struct mw_error *run_back(void *ctx)
{
	struct books *books = ctx;
	struct mw_claim claim = { AT, PAGE, MW_LAYER_OWNER, 0, "a", NULL,
				  refine_back, NULL };
	const struct mw_sink *sink;
	struct mw_error *error =
		mw_ledger_new(&books->maps, &books->pages, &books->ledger);

	if (error)
		return error;
	// With this account made, telling the overlap is the last allocation.
	sink = mw_ledger_sink(books->ledger);
	error = mw_sink_account(sink, "unknown", "unclaimed", "",
				&claim.account);
	if (!error)
		error = mw_sink_account(sink, "a", "x", "", &claim.account);
	if (!error)
		error = mw_sink_claim(sink, &claim);
	if (!error)
		error = mw_ledger_settle(books->ledger);
	if (!error)
		books_check_overlap(books, 0, AT, AT + 10, "a", "a");
	mw_ledger_free(books->ledger);
	books->ledger = NULL;
	return error;
}

TEST(an_overlap_is_not_forgotten_for_a_lack_of_memory)
{
	struct books books = { 0 };

	books_map(&books, AT, "P");
	OUT_OF_MEMORY(run_back, &books);
	books_close(&books);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(settling_survives_a_lack_of_memory),
		CASE(keeping_mappings_and_pages_survives_a_lack_of_memory),
		CASE(an_overlap_is_not_forgotten_for_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

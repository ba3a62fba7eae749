/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_trial.h"
#include "mw_test.h"

/*
 * Random claims with random parts on a random address space: every figure of
 * the ledger agrees with a model that counts bytes one by one.
 */

enum { TRIALS = 150 };

static void check_tally(const struct mw_tally *want, const struct mw_tally *got)
{
	ASSERT_EQ(want->vsz_bytes, got->vsz_bytes);
	ASSERT_EQ(want->rss_bytes, got->rss_bytes);
	ASSERT_EQ(want->swap_bytes, got->swap_bytes);
}

static void add(struct mw_tally *to, const struct mw_tally *more)
{
	to->vsz_bytes += more->vsz_bytes;
	to->rss_bytes += more->rss_bytes;
	to->swap_bytes += more->swap_bytes;
}

/** What the model says that @account has in mapping number @i. */
static struct mw_tally in_mapping(const struct trial *t, size_t i,
				  mw_account_id account)
{
	const struct model_mapping *m = &t->model.mappings[i];
	struct mw_tally tally =
		model_count(&t->model, m->start, m->end, account);
	mw_account_id unplaced = model_is_shared(&t->model, m)
					 ? t->unplaced
					 : t->mappings[i];

	if (account == unplaced) {
		tally.rss_bytes += m->unplaced_rss;
		tally.swap_bytes += m->unplaced_swap;
	}
	return tally;
}

static void check_accounts(const struct trial *t)
{
	struct mw_tally sum = { 0 }, totals = mw_ledger_totals(t->ledger);
	struct mw_audit audit = mw_ledger_audit(t->ledger, &totals, true);
	size_t count, overlaps;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(t->ledger, &count);

	assert_true(count <= MODEL_ACCOUNTS);
	for (mw_account_id id = 0; id < count; id++) {
		struct mw_tally want = { 0 };

		for (size_t i = 0; i < t->model.mapping_count; i++) {
			struct mw_tally part = in_mapping(t, i, id);

			add(&want, &part);
		}
		check_tally(&want, &accounts[id].tally);
		add(&sum, &want);
	}
	check_tally(&sum, &totals);
	mw_ledger_overlaps(t->ledger, &overlaps);
	ASSERT_EQ(overlaps, audit.overlaps);
	ASSERT_EQ(overlaps == 0, audit.balanced);
}

static bool holds(const struct trial *t, const char *walker, uint64_t start,
		  uint64_t end)
{
	for (size_t i = 0; i < t->owner_count; i++) {
		const struct mw_claim *c = &t->owners[i];

		if (c->walker == walker)
			return start >= c->start && end <= c->start + c->bytes;
	}
	return false;
}

/** Each is of two that claim it; together they are the contested bytes. */
static void check_overlaps(const struct trial *t)
{
	bool told[MODEL_BYTES] = { false };
	size_t count, bad = 0;
	const struct mw_overlap *overlaps =
		mw_ledger_overlaps(t->ledger, &count);

	for (size_t i = 0; i < count; i++) {
		const struct mw_overlap *o = &overlaps[i];

		if (o->first == o->second) { // a part that was cut
			bad++;
			continue;
		}
		assert_true(o->start < o->end);
		assert_true(holds(t, o->first, o->start, o->end));
		assert_true(holds(t, o->second, o->start, o->end));
		memset(&told[o->start - MODEL_START], true,
		       o->end - o->start);
	}
	ASSERT_EQ(t->bad_parts, bad);
	for (uint32_t at = 0; at < MODEL_BYTES; at++)
		ASSERT_EQ(t->model.owners[at] > 1, told[at]);
}

/** Each range lies in its account, and nothing of it is left out. */
static void check_ranges(const struct trial *t)
{
	struct mw_tally sums[MODEL_ACCOUNTS] = { 0 };
	size_t count, left_out;
	const struct mw_ledger_range *ranges =
		mw_ledger_ranges(t->ledger, &count, &left_out);
	const struct mw_ledger_account *accounts;

	ASSERT_EQ(0, left_out);
	for (size_t i = 0; i < count; i++) {
		const struct mw_ledger_range *r = &ranges[i];
		struct mw_tally want = model_count(
			&t->model, (uint32_t)(r->start - MODEL_START),
			(uint32_t)(r->end - MODEL_START), r->account);

		ASSERT_EQ(r->end - r->start, want.vsz_bytes);
		check_tally(&want, &r->tally);
		add(&sums[r->account], &want);
		if (i > 0)
			assert_true(r[-1].end <= r->start);
	}
	accounts = mw_ledger_accounts(t->ledger, &count);
	for (mw_account_id id = 0; id < count; id++) {
		bool listed = strncmp(accounts[id].name, "unknown/", 8) == 0 ||
			      strcmp(accounts[id].name,
				     "anonymous/private") == 0;

		ASSERT_EQ(listed ? accounts[id].tally.vsz_bytes : 0,
			  sums[id].vsz_bytes);
	}
}

static void check_shares(const struct trial *t)
{
	struct mw_tally sums[MODEL_ACCOUNTS] = { 0 };
	size_t count;
	const struct mw_ledger_share *shares =
		mw_ledger_shares(t->ledger, &count);
	const struct mw_ledger_account *accounts;

	for (size_t i = 0; i < count; i++) {
		const struct mw_ledger_share *s = &shares[i];
		struct mw_tally want = in_mapping(t, s->mapping, s->account);

		check_tally(&want, &s->tally);
		add(&sums[s->account], &want);
		if (i > 0)
			assert_true(s[-1].mapping < s->mapping ||
				    (s[-1].mapping == s->mapping &&
				     s[-1].tally.vsz_bytes >=
					     s->tally.vsz_bytes));
	}
	accounts = mw_ledger_accounts(t->ledger, &count);
	for (size_t i = 0; i < count; i++)
		check_tally(&accounts[i].tally, &sums[i]);
}

static void check_pages(const struct trial *t)
{
	uint64_t sum = 0, want = 0;
	size_t count;
	const struct mw_ledger_page *pages =
		mw_ledger_pages(t->ledger, &count);

	for (size_t i = 0; i < count; i++) {
		uint32_t at = (uint32_t)(pages[i].va - MODEL_START);

		ASSERT_EQ(model_count(&t->model, at, at + MW_PAGE_BYTES,
				      pages[i].account).rss_bytes,
			  pages[i].bytes);
		sum += pages[i].bytes;
		if (i > 0)
			assert_true(pages[i - 1].va < pages[i].va ||
				    (pages[i - 1].va == pages[i].va &&
				     pages[i - 1].bytes >= pages[i].bytes));
	}
	for (mw_account_id id = 0; id < MODEL_ACCOUNTS; id++)
		want += model_count(&t->model, 0, MODEL_BYTES, id).rss_bytes;
	ASSERT_EQ(want, sum);
}

/** Each traced byte that is mapped has been told once, with its account. */
static void check_trace(const struct trial *t)
{
	assert_false(t->told_twice);
	for (uint32_t at = 0; at < MODEL_BYTES; at++) {
		if (t->told[at])
			ASSERT_EQ(t->model.account[at], t->told[at] - 1);
		else
			assert_true(!t->is_traced[at] ||
				    !t->model.mapping_of[at / MW_PAGE_BYTES]);
	}
}

static void try(uint64_t seed, bool keeps)
{
	static struct trial trial;

	trial_begin(&trial, seed, keeps);
	check_accounts(&trial);
	check_overlaps(&trial);
	check_ranges(&trial);
	check_trace(&trial);
	if (keeps) {
		check_shares(&trial);
		check_pages(&trial);
	}
	trial_end(&trial);
}

TEST(random_claims_agree_with_counted_bytes)
{
	for (uint64_t seed = 1; seed <= TRIALS; seed++)
		try(seed, false);
}

TEST(kept_mappings_and_pages_agree_with_counted_bytes)
{
	for (uint64_t seed = 1; seed <= TRIALS; seed++)
		try(seed, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(random_claims_agree_with_counted_bytes),
		CASE(kept_mappings_and_pages_agree_with_counted_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_ledger.h"
#include "cmd_ledger_words.h"

/* `ledger --format=json` */

static void json_tally(struct mw_json *json, const struct mw_tally *tally)
{
	mw_json_member_u64(json, "vsz_bytes", tally->vsz_bytes);
	mw_json_member_u64(json, "rss_bytes", tally->rss_bytes);
	mw_json_member_u64(json, "swap_bytes", tally->swap_bytes);
}

static void json_audit(struct mw_json *json, const struct cmd_books *books)
{
	const struct mw_audit *audit = &books->audit;

	mw_json_key(json, "audit");
	mw_json_object(json);
	mw_json_member_text(
		json, "against",
		cmd_ledger_is_foreign_core(books) ? "core" : "kernel");
	mw_json_member_u64(json, "kernel_rss_bytes", audit->kernel.rss_bytes);
	mw_json_member_u64(json, "kernel_vsz_bytes", audit->kernel.vsz_bytes);
	mw_json_member_u64(json, "kernel_swap_bytes", audit->kernel.swap_bytes);
	mw_json_member_i64(json, "drift_rss_bytes", audit->drift_rss_bytes);
	mw_json_member_i64(json, "drift_vsz_bytes", audit->drift_vsz_bytes);
	mw_json_member_i64(json, "drift_swap_bytes", audit->drift_swap_bytes);
	mw_json_member_bool(json, "balanced", audit->balanced);
	mw_json_member_u64(json, "overlaps", audit->overlaps);
	mw_json_end(json);
}

static void json_accounts(struct mw_json *json, const struct cmd_books *books,
			  bool with_pss)
{
	size_t count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(books->ledger, &count);

	mw_json_key(json, "accounts");
	mw_json_array(json);
	for (size_t i = 0; i < count; i++) {
		const struct mw_ledger_account *a = &accounts[i];

		if (!a->tally.vsz_bytes && !a->tally.rss_bytes &&
		    !a->tally.swap_bytes)
			continue;
		mw_json_object(json);
		mw_json_member_text(json, "account", a->name);
		json_tally(json, &a->tally);
		if (with_pss)
			mw_json_member_u64(json, "pss_bytes", a->pss_bytes);
		mw_json_member_text(json, "evidence", a->evidence);
		mw_json_end(json);
	}
	mw_json_end(json);
}

static void json_overlaps(struct mw_json *json, const struct mw_ledger *ledger)
{
	size_t count;
	const struct mw_overlap *overlaps = mw_ledger_overlaps(ledger, &count);

	mw_json_key(json, "overlaps");
	mw_json_array(json);
	for (size_t i = 0; i < count; i++) {
		mw_json_object(json);
		mw_json_member_address(json, "start", overlaps[i].start);
		mw_json_member_address(json, "end", overlaps[i].end);
		mw_json_member_text(json, "first", overlaps[i].first);
		mw_json_member_text(json, "second", overlaps[i].second);
		mw_json_end(json);
	}
	mw_json_end(json);
}

static void json_ranges(struct mw_json *json, const struct mw_ledger *ledger)
{
	size_t count, accounts_count, left_out;
	const struct mw_ledger_range *ranges =
		mw_ledger_ranges(ledger, &count, &left_out);
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(ledger, &accounts_count);

	mw_json_key(json, "ranges");
	mw_json_array(json);
	for (size_t i = 0; i < count; i++) {
		mw_json_object(json);
		mw_json_member_address(json, "start", ranges[i].start);
		mw_json_member_address(json, "end", ranges[i].end);
		mw_json_member_text(json, "account",
				    accounts[ranges[i].account].name);
		json_tally(json, &ranges[i].tally);
		mw_json_end(json);
	}
	mw_json_end(json);
	mw_json_member_u64(json, "ranges_left_out", left_out);
}

static uint64_t total_pss(const struct cmd_books *books)
{
	uint64_t sum = 0;
	size_t count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(books->ledger, &count);

	for (size_t i = 0; i < count; i++)
		sum += accounts[i].pss_bytes;
	return sum;
}

void cmd_ledger_print_json(const struct cmd_books *books,
			   const struct cmd_findings *findings,
			   const struct cmd_baseline *baseline, bool with_pss,
			   const struct cmd_call *call)
{
	struct mw_tally totals = mw_ledger_totals(books->ledger);
	struct mw_json json;

	cmd_json_begin(&json, call, books->target, books->go,
		       books->stopped_ns, books->wall_ns);
	mw_json_key(&json, "totals");
	mw_json_object(&json);
	json_tally(&json, &totals);
	if (with_pss)
		mw_json_member_u64(&json, "pss_bytes", total_pss(books));
	mw_json_end(&json);
	json_audit(&json, books);
	json_accounts(&json, books, with_pss);
	cmd_address_space_json(&json, books);
	cmd_cgroup_json(&json, &findings->situation);
	cmd_findings_json(&json, findings);
	if (baseline)
		cmd_baseline_json(&json, baseline);
	if (books->audit.overlaps)
		json_overlaps(&json, books->ledger);
	if (call->verbose)
		json_ranges(&json, books->ledger);
	cmd_json_end(&json, books->target);
}

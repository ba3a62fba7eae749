/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd_boot.h"

/* The books at each stop, and whose the changes since the last ones are. */

void boot_run_deinit(struct boot_run *run)
{
	mw_free(run->own_stage);
	mw_vec_free(&run->changes);
}

static struct boot_account *account_of(struct boot *boot, const char *name)
{
	struct boot_account *account;

	for (size_t i = 0; i < boot->accounts.n; i++)
		if (strcmp(boot->accounts.v[i].name, name) == 0)
			return &boot->accounts.v[i];
	account = mw_vec_push(&boot->accounts);
	if (!account)
		return NULL;
	*account = (struct boot_account){ .name = mw_strdup(name) };
	if (!account->name)
		boot->accounts.n--;
	return account->name ? account : NULL;
}

static bool add_tally(struct boot *boot, const char *name,
		      const struct mw_tally *tally)
{
	struct boot_account *account = account_of(boot, name);

	if (!account)
		return false;
	account->now.rss_bytes += tally->rss_bytes;
	account->now.vsz_bytes += tally->vsz_bytes;
	account->now.swap_bytes += tally->swap_bytes;
	return true;
}

static struct mw_error *read_accounts(struct boot *boot)
{
	struct mw_tally totals = mw_ledger_totals(boot->books.ledger);
	size_t count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(boot->books.ledger, &count);
	bool fits;

	for (size_t i = 0; i < boot->accounts.n; i++) {
		boot->accounts.v[i].before = boot->accounts.v[i].now;
		boot->accounts.v[i].now = (struct mw_tally){ 0 };
	}
	fits = add_tally(boot, "total", &totals);
	for (size_t i = 0; i < count && fits; i++)
		fits = add_tally(boot, accounts[i].name, &accounts[i].tally);
	return fits ? NULL : mw_error_nomem();
}

struct mw_error *boot_attribute(struct boot *boot, struct boot_run *run,
				const struct mw_trace_event *event)
{
	while (run->changes.n < boot->accounts.n) {
		struct boot_change *change = mw_vec_push(&run->changes);

		if (!change)
			return mw_error_nomem();
		*change = (struct boot_change){ 0 };
	}
	for (size_t i = 0; i < boot->accounts.n; i++) {
		const struct boot_account *a = &boot->accounts.v[i];
		struct boot_change *change = &run->changes.v[i];

		change->rss_bytes +=
			(int64_t)(a->now.rss_bytes - a->before.rss_bytes);
		change->vsz_bytes +=
			(int64_t)(a->now.vsz_bytes - a->before.vsz_bytes);
		change->swap_bytes +=
			(int64_t)(a->now.swap_bytes - a->before.swap_bytes);
	}
	run->took_ns += event->ran_ns - boot->before_ns;
	run->cpu_ns += event->cpu_ns - mw_min(boot->before_cpu_ns,
					      event->cpu_ns);
	return NULL;
}

struct mw_error *boot_take(struct boot *boot,
			   const struct mw_trace_event *event)
{
	struct mw_target_options options = boot->call->capture;
	struct mw_error *error;

	cmd_books_free(&boot->books);
	boot->books = (struct cmd_books){ 0 };
	// It stands still already.
	options.mode = MW_CAPTURE_LIVE;
	error = mw_target_open(mw_trace_pid(boot->trace), &options,
			       &boot->books.target);
	if (!error)
		error = cmd_books_take(boot->call,
				       boot->go_is_set_up ? 0 : CMD_BOOKS_NO_GO,
				       &boot->books);
	if (!error)
		error = read_accounts(boot);
	if (!error && boot->open.n > 0)
		error = boot_attribute(boot, &boot->open.v[boot->open.n - 1],
				       event);
	return error;
}

void boot_settle(struct boot *boot, const struct mw_trace_event *event)
{
	boot->before_ns = event->ran_ns;
	boot->before_cpu_ns = event->cpu_ns;
	for (size_t i = 0; i < boot->accounts.n; i++)
		boot->accounts.v[i].before = boot->accounts.v[i].now;
}

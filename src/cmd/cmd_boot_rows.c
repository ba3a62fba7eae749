/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_boot.h"
#include "mw_guard.h"

enum {
	STAGE,
	FUNCTION,
	ADDRESS,
	TIME,
	TOOK,
	CPU,
	ACCOUNT,
	RSS,
	VSZ,
	SWAP,
	DELTA_RSS,
	DELTA_VSZ,
	DELTA_SWAP,
};

static const struct mw_column columns[] = {
	[STAGE] = { "stage", NULL, MW_UNIT_TEXT,
		    "what was reached; \"before …\": what went on since the "
		    "stage before and belongs to none" },
	[FUNCTION] = { "function", NULL, MW_UNIT_TEXT,
		       "the function that the stage is, or begins with" },
	[ADDRESS] = { "address", NULL, MW_UNIT_ADDRESS, "where it begins" },
	[TIME] = { "time_ns", NULL, MW_UNIT_NS,
		   "when it began: how long the program had run, without the "
		   "time for which memwhy held it" },
	[TOOK] = { "took_ns", NULL, MW_UNIT_NS,
		   "how long it ran for the changes told: the stage itself, "
		   "or for a point that is only reached, all since the stage "
		   "before" },
	[CPU] = { "cpu_ns", NULL, MW_UNIT_NS,
		  "processor time of all its threads meanwhile, which does not "
		  "depend on when memwhy hears of a stop" },
	[ACCOUNT] = { "account", NULL, MW_UNIT_TEXT,
		      "an account that has changed; \"total\" has a row in "
		      "each stage" },
	[RSS] = { "rss_bytes", NULL, MW_UNIT_BYTES,
		  "its resident bytes when the stage is told: at the point, or "
		  "at its end" },
	[VSZ] = { "vsz_bytes", NULL, MW_UNIT_BYTES, "its address space then" },
	[SWAP] = { "swap_bytes", NULL, MW_UNIT_BYTES, "what is in swap" },
	[DELTA_RSS] = { "delta_rss_bytes", NULL, MW_UNIT_DELTA,
			"what has changed in the stage itself" },
	[DELTA_VSZ] = { "delta_vsz_bytes", NULL, MW_UNIT_DELTA, "the same" },
	[DELTA_SWAP] = { "delta_swap_bytes", NULL, MW_UNIT_DELTA,
			 "the same" },
};

static bool is_change(const struct boot_change *c)
{
	return c->rss_bytes || c->vsz_bytes || c->swap_bytes;
}

bool boot_has_changes(const struct boot_run *run)
{
	for (size_t i = 0; i < run->changes.n; i++)
		if (is_change(&run->changes.v[i]))
			return true;
	return false;
}

static const char *stage_of(const struct boot_run *run)
{
	return run->stage ? run->stage : run->own_stage;
}

static struct boot_change change_of(const struct boot_run *run, size_t account)
{
	return account < run->changes.n ? run->changes.v[account]
					: (struct boot_change){ 0 };
}

/* The table */

static bool add_row(struct boot *boot, const struct boot_run *run,
		    size_t account)
{
	const struct boot_account *a = &boot->accounts.v[account];
	struct boot_change change = change_of(run, account);
	struct mw_cell *cells = mw_table_add(&boot->table);

	if (!cells || !mw_cell_text(&cells[STAGE], stage_of(run)) ||
	    !mw_cell_text(&cells[FUNCTION], run->function) ||
	    !mw_cell_text(&cells[ACCOUNT], a->name))
		return false;
	if (run->va)
		mw_cell_value(&cells[ADDRESS], run->va);
	mw_cell_value(&cells[TIME], run->begun_ns);
	mw_cell_value(&cells[TOOK], run->took_ns);
	mw_cell_value(&cells[CPU], run->cpu_ns);
	mw_cell_value(&cells[RSS], a->now.rss_bytes);
	mw_cell_value(&cells[VSZ], a->now.vsz_bytes);
	mw_cell_value(&cells[SWAP], a->now.swap_bytes);
	mw_cell_value(&cells[DELTA_RSS], (uint64_t)change.rss_bytes);
	mw_cell_value(&cells[DELTA_VSZ], (uint64_t)change.vsz_bytes);
	mw_cell_value(&cells[DELTA_SWAP], (uint64_t)change.swap_bytes);
	return true;
}

static struct mw_error *add_rows(struct boot *boot, const struct boot_run *run)
{
	bool fits = true;

	for (size_t i = 0; i < boot->accounts.n && fits; i++) {
		struct boot_change change = change_of(run, i);

		if (i == 0 || is_change(&change))
			fits = add_row(boot, run, i);
	}
	return fits ? NULL : mw_error_nomem();
}

/* Text */

static void print_figures(const struct boot *boot, const struct mw_tally *now,
			  const struct boot_change *change)
{
	bool exact = boot->call->style.exact_bytes;
	int width = exact ? 14 : 9;
	char rss[32], vsz[32], rss_change[32], vsz_change[32];

	printf("%*s %*s  %*s %*s  ", width,
	       mw_format_bytes(rss, now->rss_bytes, exact), width + 1,
	       mw_format_delta(rss_change, change->rss_bytes, exact), width,
	       mw_format_bytes(vsz, now->vsz_bytes, exact), width + 1,
	       mw_format_delta(vsz_change, change->vsz_bytes, exact));
}

static uint64_t size_of(int64_t change)
{
	return change < 0 ? -(uint64_t)change : (uint64_t)change;
}

/** An account that is to be told. */
struct told {
	size_t account;
	uint64_t rss, vsz; /* sizes of the changes */
};

static int by_change(const void *a, const void *b)
{
	const struct told *x = a, *y = b;

	if (x->rss != y->rss)
		return x->rss < y->rss ? 1 : -1;
	return x->vsz < y->vsz ? 1 : -(x->vsz > y->vsz);
}

static struct mw_error *print_accounts(const struct boot *boot,
				       const struct boot_run *run)
{
	enum { SHOWN = 6 };
	MW_CLEANUP(mw_freep) struct told *told =
		mw_calloc(boot->accounts.n, sizeof(*told));
	size_t count = 0, shown;

	if (!told)
		return mw_error_nomem();
	for (size_t i = 1; i < boot->accounts.n; i++) {
		struct boot_change change = change_of(run, i);

		if (is_change(&change))
			told[count++] = (struct told){
				i, size_of(change.rss_bytes),
				size_of(change.vsz_bytes),
			};
	}
	qsort(told, count, sizeof(*told), by_change);
	shown = boot->call->verbose ? count : mw_min(count, SHOWN);
	for (size_t i = 0; i < shown; i++) {
		const struct boot_account *a =
			&boot->accounts.v[told[i].account];
		struct boot_change change = change_of(run, told[i].account);

		printf("%12s", "");
		print_figures(boot, &a->now, &change);
		fputs("  ", stdout);
		mw_print_escaped(stdout, a->name);
		putchar('\n');
	}
	if (shown < count)
		printf("%12s%*s  and %zu more accounts; --verbose lists them\n",
		       "", boot->call->style.exact_bytes ? 64 : 44, "",
		       count - shown);
	return NULL;
}

static struct mw_error *print_run(const struct boot *boot,
				  const struct boot_run *run)
{
	const struct boot_account *total = &boot->accounts.v[0];
	struct boot_change change = change_of(run, 0);
	MW_CLEANUP(mw_freep) char *what =
		*run->function ? mw_format("%s at 0x%" PRIx64 ": %s",
					   run->function, run->va, run->what)
			       : mw_strdup(run->what);

	if (!what)
		return mw_error_nomem();
	printf("%9.3f ms", (double)run->begun_ns / 1e6);
	print_figures(boot, &total->now, &change);
	mw_print_escaped(stdout, stage_of(run));
	printf("  %.3f ms\n%12s", (double)run->cpu_ns / 1e6, "");
	mw_print_wrapped(stdout, what, 12, 12, boot->call->style.width);
	return print_accounts(boot, run);
}

/* Both */

/** What stands in front of the first stage. */
static void begin_rows(struct boot *boot)
{
	int width = boot->call->style.exact_bytes ? 14 : 9;

	mw_table_init(&boot->table, columns, MW_COUNT(columns));
	if (boot->call->format == MW_FORMAT_TEXT)
		printf("%12s%*s %*s  %*s %*s  STAGE, and its processor time\n",
		       "BEGAN", width, "RSS", width + 1, "CHANGE", width, "VSZ",
		       width + 1, "CHANGE");
}

struct mw_error *boot_rows_add(struct boot *boot, const struct boot_run *run)
{
	struct mw_error *error;

	if (!boot->table.columns)
		begin_rows(boot);
	if (boot->call->format != MW_FORMAT_TEXT)
		return add_rows(boot, run);
	// What only moved from account to account, between two stages.
	if (!run->stage && run->changes.n > 0 && !is_change(&run->changes.v[0]))
		return NULL;
	error = print_run(boot, run);
	// The program may print, too.
	fflush(stdout);
	return error;
}

void boot_rows_end(struct boot *boot)
{
	if (boot->call->format != MW_FORMAT_TEXT && boot->books.target)
		cmd_emit_table(boot->call, &boot->table, boot->books.target,
			       boot->books.go, boot->held_ns,
			       boot->books.wall_ns);
	fflush(stdout);
}

void boot_rows_help(FILE *out)
{
	cmd_print_columns(out, columns, MW_COUNT(columns));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cmd_go_memstats.h"

/* What of each account the runtime counts in Sys - HeapReleased. */

enum counted {
	COUNTED_NOT,
	COUNTED_WHOLE, /* all of it, resident or not */
	COUNTED_RUNTIME, /* what is left of Sys without heap and stacks */
};

static const struct {
	const char *prefix; /* of the account's name */
	enum counted counted;
	const char *why;
} kinds[] = {
	{ "go/heap/scavenged", COUNTED_NOT,
	  "given back, and resident again without being used" },
	{ "go/heap/reserved", COUNTED_NOT, "not counted until the heap grows "
					   "into it" },
	{ "go/heap/", COUNTED_WHOLE, "counted whole; pages that were never "
				     "touched, or are in swap, are not "
				     "resident" },
	{ "go/stacks/", COUNTED_WHOLE, "counted whole; pages that no frame "
				       "has reached are not resident" },
	{ "go/runtime/", COUNTED_RUNTIME, "counted when mapped; most pages of "
					  "large tables are never touched" },
	{ "binary/", COUNTED_NOT, "the program's file" },
	{ "library/", COUNTED_NOT, "shared objects" },
	{ "malloc/", COUNTED_NOT, "native memory: the C library's heap" },
	{ "stack/", COUNTED_NOT, "stacks of threads" },
	{ "kernel/", COUNTED_NOT, "mapped by the kernel" },
	{ "file/", COUNTED_NOT, "mapped files" },
	{ "shm/", COUNTED_NOT, "shared memory" },
	{ "anonymous/", COUNTED_NOT, "mapped by the program itself" },
	{ "unknown/", COUNTED_NOT, "whose it is is not known" },
	{ "", COUNTED_NOT, "outside the Go runtime" },
};

static size_t kind_of(const char *account)
{
	size_t i = 0;

	while (strncmp(account, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
		i++; // the last fits all
	return i;
}

static int64_t difference(const struct reconcile_row *row)
{
	return (int64_t)(row->resident_bytes - row->counted_bytes);
}

static uint64_t size_of(int64_t bytes)
{
	return bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes;
}

static int by_difference(const void *a, const void *b)
{
	uint64_t x = size_of(difference(a)), y = size_of(difference(b));

	return x > y ? -1 : x < y;
}

static uint64_t figure(const struct cmd_books *books, enum mw_go_stat stat)
{
	return books->memstats->figures[stat].value;
}

static bool add_accounts(const struct cmd_books *books,
			 struct reconciliation *r,
			 struct reconcile_row *runtime)
{
	size_t count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(books->ledger, &count);

	for (size_t i = 0; i < count; i++) {
		const struct mw_ledger_account *a = &accounts[i];
		size_t kind = kind_of(a->name);
		bool whole = kinds[kind].counted == COUNTED_WHOLE;
		struct reconcile_row *row;

		if (kinds[kind].counted == COUNTED_RUNTIME) {
			runtime->why = kinds[kind].why;
			runtime->resident_bytes += a->tally.rss_bytes;
			continue;
		}
		if (a->tally.rss_bytes == 0 &&
		    (!whole || a->tally.vsz_bytes == 0))
			continue;
		row = mw_vec_push(&r->rows);
		if (!row)
			return false;
		*row = (struct reconcile_row){
			.account = a->name,
			.why = kinds[kind].why,
			.counted_bytes = whole ? a->tally.vsz_bytes : 0,
			.resident_bytes = a->tally.rss_bytes,
		};
	}
	return true;
}

struct mw_error *reconcile(const struct cmd_books *books,
			   struct reconciliation *ret)
{
	struct reconciliation r = {
		.sys_bytes = figure(books, MW_GO_STAT_Sys),
		.released_bytes = figure(books, MW_GO_STAT_HeapReleased),
		.rss_bytes = books->audit.kernel.rss_bytes,
	};
	struct reconcile_row runtime = {
		.account = "go/runtime",
		.counted_bytes = r.sys_bytes -
				 figure(books, MW_GO_STAT_HeapSys) -
				 figure(books, MW_GO_STAT_StackInuse),
	};
	struct reconcile_row *place;
	uint64_t left;

	if (!add_accounts(books, &r, &runtime) ||
	    !(place = mw_vec_push(&r.rows))) {
		mw_vec_free(&r.rows);
		return mw_error_nomem();
	}
	*place = runtime;
	qsort(r.rows.v, r.rows.n, sizeof(*r.rows.v), by_difference);
	left = r.rss_bytes - r.sys_bytes + r.released_bytes;
	for (size_t i = 0; i < r.rows.n; i++)
		left -= (uint64_t)difference(&r.rows.v[i]);
	r.left_bytes = (int64_t)left;
	*ret = r;
	return NULL;
}

void reconciliation_free(struct reconciliation *r)
{
	mw_vec_free(&r->rows);
}

/* Text */

static const char *signed_bytes(char text[static 40], int64_t bytes,
				bool exact)
{
	char plain[32];

	snprintf(text, 40, "%s%s", bytes < 0 ? "-" : bytes > 0 ? "+" : "",
		 mw_format_bytes(plain, size_of(bytes), exact));
	return text;
}

static void print_line(const char *name, int64_t bytes, const char *why,
		       const struct mw_style *style)
{
	char text[40];

	printf("%14s  ", signed_bytes(text, bytes, style->exact_bytes));
	mw_print_escaped(stdout, name);
	if (why && *why)
		printf("%*s  %s", (int)(strlen(name) < 24 ? 24 - strlen(name)
							   : 0), "", why);
	putchar('\n');
}

void reconciliation_print(const struct reconciliation *r,
			  const struct cmd_call *call)
{
	const struct mw_style *style = &call->style;
	uint64_t least = call->verbose ? 1 : r->rss_bytes / 200 + 1;
	uint64_t small = 0;
	size_t count = 0;
	char sum[40], name[64];

	printf("\nFrom Sys - HeapReleased to RSS:\n\n%14s  "
	       "Sys - HeapReleased\n",
	       mw_format_bytes(sum, r->sys_bytes - r->released_bytes,
			       style->exact_bytes));
	for (size_t i = 0; i < r->rows.n; i++) {
		int64_t bytes = difference(&r->rows.v[i]);

		if (size_of(bytes) < least) {
			small += (uint64_t)bytes;
			count += bytes != 0;
			continue;
		}
		print_line(r->rows.v[i].account, bytes, r->rows.v[i].why,
			   style);
	}
	if (count) {
		snprintf(name, sizeof(name), "%zu small ones", count);
		print_line(name, (int64_t)small, "--verbose lists them", style);
	}
	if (r->left_bytes)
		print_line("not matched", r->left_bytes,
			   "moved while it was read; --stop leaves nothing",
			   style);
	printf("%14s  RSS\n",
	       mw_format_bytes(sum, r->rss_bytes, style->exact_bytes));
}

/* JSON */

void reconciliation_json(const struct reconciliation *r, struct mw_json *json)
{
	uint64_t ready = r->sys_bytes - r->released_bytes;

	mw_json_key(json, "reconciliation");
	mw_json_object(json);
	mw_json_member_u64(json, "sys_bytes", r->sys_bytes);
	mw_json_member_u64(json, "heap_released_bytes", r->released_bytes);
	mw_json_member_u64(json, "sys_minus_released_bytes", ready);
	mw_json_member_u64(json, "rss_bytes", r->rss_bytes);
	mw_json_member_i64(json, "difference_bytes",
			   (int64_t)(r->rss_bytes - ready));
	mw_json_key(json, "accounts");
	mw_json_array(json);
	for (size_t i = 0; i < r->rows.n; i++) {
		const struct reconcile_row *row = &r->rows.v[i];

		mw_json_object(json);
		mw_json_member_text(json, "account", row->account);
		mw_json_member_u64(json, "counted_bytes", row->counted_bytes);
		mw_json_member_u64(json, "resident_bytes", row->resident_bytes);
		mw_json_member_i64(json, "difference_bytes", difference(row));
		mw_json_member_text(json, "why", row->why);
		mw_json_end(json);
	}
	mw_json_end(json);
	mw_json_member_i64(json, "left_bytes", r->left_bytes);
	mw_json_end(json);
}

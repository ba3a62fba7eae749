/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd_ranges.h"
#include "mw_guard.h"
#include "mw_search.h"

/* From accounts to bytes, and back. */

/** Whether @account is @name or lies below it. */
static bool is_at_or_below(const char *account, const char *name)
{
	size_t length = strlen(name);

	while (length > 0 && name[length - 1] == '/')
		length--;
	return strncmp(account, name, length) == 0 &&
	       (account[length] == '\0' || account[length] == '/');
}

/* Names that are near */

#define LONGEST_NAME 96

/** Letters to be added, left out or changed to make one name the other. */
static size_t distance(const char *a, const char *b)
{
	size_t row[LONGEST_NAME + 1], columns = strnlen(b, LONGEST_NAME);

	for (size_t j = 0; j <= columns; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t corner = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < columns; j++) {
			size_t change = corner + (a[i] != b[j]);

			corner = row[j + 1];
			row[j + 1] = mw_min(change,
					    mw_min(row[j], row[j + 1]) + 1);
		}
	}
	return row[columns];
}

/** How far @account, or the nearest of what it lies below, is from @name. */
static size_t distance_to(const char *account, const char *name)
{
	size_t nearest = distance(account, name);
	char head[LONGEST_NAME];

	for (const char *slash = strchr(account, '/');
	     slash && (size_t)(slash - account) < sizeof(head);
	     slash = strchr(slash + 1, '/')) {
		memcpy(head, account, (size_t)(slash - account));
		head[slash - account] = '\0';
		nearest = mw_min(nearest, distance(head, name));
	}
	// What has the same last word is near, wherever it stands.
	const char *leaf = strrchr(name, '/');
	if (strstr(account, leaf && leaf[1] ? leaf + 1 : name))
		nearest = mw_min(nearest, 2);
	return nearest;
}

/** The names of accounts like @name, as a list; NULL without memory. */
static char *near_names(const struct mw_ledger *ledger, const char *name)
{
	enum { MOST = 5 };
	size_t count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(ledger, &count);
	const char *nearest[MOST] = { NULL };
	size_t distances[MOST];
	char *text = mw_strdup("");

	for (size_t i = 0; i < count; i++) {
		size_t d = distance_to(accounts[i].name, name), at = MOST;

		if (accounts[i].tally.vsz_bytes == 0)
			continue;
		while (at > 0 && (!nearest[at - 1] || d < distances[at - 1]))
			at--;
		if (at == MOST)
			continue;
		memmove(&nearest[at + 1], &nearest[at],
			(MOST - 1 - at) * sizeof(*nearest));
		memmove(&distances[at + 1], &distances[at],
			(MOST - 1 - at) * sizeof(*distances));
		nearest[at] = accounts[i].name;
		distances[at] = d;
	}
	for (size_t i = 0; text && i < MOST && nearest[i]; i++) {
		char *longer = mw_format("%s%s%s", text, i ? ", " : "",
					 nearest[i]);

		mw_free(text);
		text = longer;
	}
	return text;
}

static struct mw_error *nothing_in(const struct mw_ledger *ledger,
				   const char *name)
{
	size_t count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(ledger, &count);
	MW_CLEANUP(mw_freep) char *names = near_names(ledger, name);

	for (size_t i = 0; i < count; i++)
		if (is_at_or_below(accounts[i].name, name))
			return mw_error_new(MW_E_NOT_FOUND, "account %s has "
					    "no bytes here", name);
	if (!names)
		return mw_error_nomem();
	return mw_error_new(MW_E_NOT_FOUND, "no account is called %s; there "
			    "are %s and others (`memwhy ledger --verbose "
			    "--domain=vsz`)", name, names);
}

/* From an account to its bytes */

struct collector {
	const struct cmd_books *books;
	const char *name;
	struct cmd_ranges *ranges;
	MW_VEC(char) chosen; /* per account: 'y', 'n'; 0 when not known yet */
	struct mw_error *error;
};

static uint64_t every_address(void *ctx, uint64_t va)
{
	(void)ctx;
	return va;
}

static bool is_chosen(struct collector *c, mw_account_id account)
{
	size_t count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(c->books->ledger, &count);

	while (c->chosen.n <= account) {
		char *fresh = mw_vec_push(&c->chosen);

		if (!fresh) {
			if (!c->error)
				c->error = mw_error_nomem();
			return false;
		}
		*fresh = '\0';
	}
	if (!c->chosen.v[account])
		c->chosen.v[account] =
			is_at_or_below(accounts[account].name, c->name) ? 'y'
									: 'n';
	return c->chosen.v[account] == 'y';
}

static void collect(void *ctx, uint64_t start, uint64_t end,
		    mw_account_id account)
{
	struct collector *c = ctx;

	if (is_chosen(c, account) && !c->error)
		c->error = cmd_ranges_add(c->ranges, start, end);
}

struct mw_error *cmd_account_ranges(const struct cmd_call *call,
				    const char *name, struct cmd_books *books,
				    struct cmd_ranges *ranges)
{
	struct collector c = { .books = books, .name = name,
			       .ranges = ranges };
	struct mw_ledger_trace trace = { every_address, collect, &c };
	struct mw_error *error;

	books->trace = &trace;
	error = cmd_books_take(call, CMD_BOOKS_HOLD, books);
	books->trace = NULL;
	mw_vec_free(&c.chosen);
	if (!error)
		error = c.error;
	else
		mw_error_free(c.error);
	if (!error && ranges->list.n == 0)
		error = nothing_in(books->ledger, name);
	return error;
}

/* From bytes to their accounts */

struct resolver {
	const uint64_t *vas;
	size_t count;
	mw_account_id *accounts;
};

/** Index of the first address that is not below @va. */
static size_t first_from(const struct resolver *r, uint64_t va)
{
	return mw_first(i, 0, r->count, r->vas[i] >= va);
}

static uint64_t next_address(void *ctx, uint64_t va)
{
	const struct resolver *r = ctx;
	size_t at = first_from(r, va);

	return at < r->count ? r->vas[at] : UINT64_MAX;
}

static void resolve(void *ctx, uint64_t start, uint64_t end,
		    mw_account_id account)
{
	const struct resolver *r = ctx;

	for (size_t i = first_from(r, start); i < r->count && r->vas[i] < end;
	     i++)
		r->accounts[i] = account;
}

struct mw_error *cmd_account_of(const struct cmd_call *call,
				struct cmd_books *books, const uint64_t *vas,
				size_t count, mw_account_id *ret)
{
	struct resolver r = { vas, count, ret };
	struct mw_ledger_trace trace = { next_address, resolve, &r };
	struct mw_error *error;

	for (size_t i = 0; i < count; i++)
		ret[i] = CMD_NO_ACCOUNT;
	// Books taken before, to find the ranges, do not tell of these bytes.
	cmd_books_close(books);
	books->trace = &trace;
	error = cmd_books_take(call, CMD_BOOKS_HOLD, books);
	books->trace = NULL;
	return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_figures.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mw_guard.h"

void cmd_figures_free(struct cmd_figures *figures)
{
	for (size_t i = 0; i < figures->list.n; i++)
		mw_free(figures->list.v[i].account);
	mw_vec_free(&figures->list);
	mw_free(figures->title);
	figures->title = NULL;
}

static struct mw_error *add(struct cmd_figures *figures, const char *account,
			    const struct mw_tally *tally)
{
	struct cmd_figure *figure = mw_vec_push(&figures->list);

	if (!figure)
		return mw_error_nomem();
	*figure = (struct cmd_figure){ mw_strdup(account), *tally };
	return figure->account ? NULL : mw_error_nomem();
}

struct mw_error *cmd_figures_of_books(const struct cmd_books *books,
				      struct cmd_figures *figures)
{
	const struct mw_target_info *info = mw_target_info(books->target);
	struct mw_error *error = NULL;
	size_t count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(books->ledger, &count);

	figures->title = mw_format("%s (%d)", info->comm, info->pid);
	if (!figures->title)
		return mw_error_nomem();
	for (size_t i = 0; !error && i < count; i++)
		error = add(figures, accounts[i].name, &accounts[i].tally);
	return error;
}

/* JSON */

bool cmd_is_json(const char *path)
{
	MW_CLEANUP(mw_closep) int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[64];
	ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof(text));

	for (ssize_t i = 0; i < got; i++)
		if (!strchr(" \t\r\n", text[i]))
			return text[i] == '{';
	return false;
}

/** A count of bytes; false when it is none. */
static bool get_bytes(const json_t *object, const char *key, uint64_t *ret)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

static bool get_tally(const json_t *object, struct mw_tally *ret)
{
	return get_bytes(object, "vsz_bytes", &ret->vsz_bytes) &&
	       get_bytes(object, "rss_bytes", &ret->rss_bytes) &&
	       get_bytes(object, "swap_bytes", &ret->swap_bytes);
}

static struct mw_error *not_a_ledger(const char *path, const char *why)
{
	return mw_error_new(MW_E_FORMAT, "%s: not what `memwhy ledger "
			    "--format=json` wrote: %s", path, why);
}

struct mw_error *cmd_figures_of_json(const char *path,
				     struct cmd_figures *figures)
{
	json_error_t why;
	MW_CLEANUP(json_decrefp) json_t *root = json_load_file(path, 0, &why);
	const json_t *accounts, *target;
	const char *schema, *comm;
	struct mw_error *error = NULL;

	if (!root)
		return not_a_ledger(path, why.text);
	schema = json_string_value(json_object_get(root, "schema"));
	if (!schema || strcmp(schema, "memwhy.ledger/1") != 0)
		return not_a_ledger(path, "its schema is another one");
	target = json_object_get(root, "target");
	comm = json_string_value(json_object_get(target, "comm"));
	figures->title = mw_format("%s (%lld) of %s", comm ? comm : "?",
				   (long long)json_integer_value(
					   json_object_get(target, "pid")),
				   path);
	if (!figures->title)
		return mw_error_nomem();
	accounts = json_object_get(root, "accounts");
	if (!json_is_array(accounts))
		return not_a_ledger(path, "it has no accounts");
	for (size_t i = 0; !error && i < json_array_size(accounts); i++) {
		const json_t *a = json_array_get(accounts, i);
		const char *name =
			json_string_value(json_object_get(a, "account"));
		struct mw_tally tally;

		if (!name || !get_tally(a, &tally))
			return not_a_ledger(path, "an account is damaged");
		error = add(figures, name, &tally);
	}
	return error;
}

/* Comparing */

static int by_name(const void *a, const void *b)
{
	const struct cmd_figure *x = a, *y = b;

	return strcmp(x->account, y->account);
}

static void sort(struct cmd_figures *figures)
{
	if (figures->list.n)
		qsort(figures->list.v, figures->list.n,
		      sizeof(*figures->list.v), by_name);
}

static void add_up(struct mw_tally *to, const struct mw_tally *tally)
{
	to->vsz_bytes += tally->vsz_bytes;
	to->rss_bytes += tally->rss_bytes;
	to->swap_bytes += tally->swap_bytes;
}

struct mw_error *cmd_compare(struct cmd_figures *before,
			     struct cmd_figures *after, bool all,
			     struct cmd_changes *ret)
{
	size_t b = 0, a = 0;

	sort(before);
	sort(after);
	ret->total.account = "total";
	while (b < before->list.n || a < after->list.n) {
		const struct cmd_figure *x =
			b < before->list.n ? &before->list.v[b] : NULL;
		const struct cmd_figure *y =
			a < after->list.n ? &after->list.v[a] : NULL;
		int order = !x ? 1 : !y ? -1 : by_name(x, y);
		struct cmd_change change = {
			.account = order <= 0 ? x->account : y->account,
		};
		struct cmd_change *place;

		if (order <= 0) {
			change.before = x->tally;
			b++;
		}
		if (order >= 0) {
			change.after = y->tally;
			a++;
		}
		add_up(&ret->total.before, &change.before);
		add_up(&ret->total.after, &change.after);
		if (!all && memcmp(&change.before, &change.after,
				   sizeof(change.before)) == 0)
			continue;
		place = mw_vec_push(&ret->list);
		if (!place)
			return mw_error_nomem();
		*place = change;
	}
	return NULL;
}

void cmd_changes_free(struct cmd_changes *changes)
{
	mw_vec_free(&changes->list);
}

/* The table */

const struct mw_column cmd_change_columns[] = {
	{ "account", "ACCOUNT", MW_UNIT_TEXT, "name of the account" },
	{ "rss_bytes", "RSS", MW_UNIT_BYTES, "resident, after" },
	{ "delta_rss_bytes", "CHANGE", MW_UNIT_DELTA,
	  "how much more, or less, is resident than before" },
	{ "vsz_bytes", "VSZ", MW_UNIT_BYTES, "address space, after" },
	{ "delta_vsz_bytes", "CHANGE", MW_UNIT_DELTA, "change of it" },
	{ "swap_bytes", "SWAP", MW_UNIT_BYTES, "in swap, after" },
	{ "delta_swap_bytes", "CHANGE", MW_UNIT_DELTA, "change of it" },
};
const size_t cmd_change_column_count = MW_COUNT(cmd_change_columns);

static uint64_t field_of(const struct mw_tally *tally, size_t field)
{
	uint64_t value;

	memcpy(&value, (const char *)tally + field, sizeof(value));
	return value;
}

static uint64_t distance(const struct cmd_change *c, size_t field)
{
	uint64_t before = field_of(&c->before, field);
	uint64_t after = field_of(&c->after, field);

	return before > after ? before - after : after - before;
}

static int by_distance(const void *a, const void *b, void *field)
{
	uint64_t x = distance(a, *(size_t *)field);
	uint64_t y = distance(b, *(size_t *)field);

	return x < y ? 1 : -(x > y);
}

static bool fill(struct mw_table *table, const struct cmd_change *c)
{
	static const size_t fields[] = {
		offsetof(struct mw_tally, rss_bytes),
		offsetof(struct mw_tally, vsz_bytes),
		offsetof(struct mw_tally, swap_bytes),
	};
	struct mw_cell *cells = mw_table_add(table);

	if (!cells)
		return false;
	for (size_t i = 0; i < MW_COUNT(fields); i++) {
		uint64_t now = field_of(&c->after, fields[i]);

		mw_cell_value(&cells[1 + 2 * i], now);
		mw_cell_value(&cells[2 + 2 * i],
			      now - field_of(&c->before, fields[i]));
	}
	return mw_cell_text(&cells[0], c->account);
}

struct mw_error *cmd_fill_changes(struct mw_table *table,
				  struct cmd_changes *changes, size_t field)
{
	if (changes->list.n)
		qsort_r(changes->list.v, changes->list.n,
			sizeof(*changes->list.v), by_distance, &field);
	if (!fill(table, &changes->total))
		return mw_error_nomem();
	for (size_t i = 0; i < changes->list.n; i++)
		if (!fill(table, &changes->list.v[i]))
			return mw_error_nomem();
	return NULL;
}

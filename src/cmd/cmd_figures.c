/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_figures.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd_findings.h"
#include "mw_guard.h"

void cmd_figures_free(struct cmd_figures *figures)
{
	for (size_t i = 0; i < figures->list.n; i++)
		mw_free(figures->list.v[i].account);
	mw_vec_free(&figures->list);
	mw_vec_free(&figures->findings);
	mw_findings_free(&figures->found);
	json_decref(figures->json);
	mw_free(figures->comm);
	mw_free(figures->exe);
	mw_free(figures->title);
	*figures = (struct cmd_figures){ 0 };
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

static struct mw_error *add_finding(struct cmd_figures *figures,
				    const struct mw_finding *finding)
{
	struct mw_finding *place = mw_vec_push(&figures->findings);

	if (!place)
		return mw_error_nomem();
	*place = *finding;
	return NULL;
}

struct mw_error *cmd_figures_of_books(const struct cmd_books *books,
				      const struct mw_findings *found,
				      const char *file,
				      struct cmd_figures *figures)
{
	const struct mw_target_info *info = mw_target_info(books->target);
	struct mw_error *error = NULL;
	size_t count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(books->ledger, &count);

	figures->title = mw_format("%s (%d)%s%s", info->comm, info->pid,
				   file ? " of " : "", file ? file : "");
	figures->comm = mw_strdup(info->comm);
	figures->exe = mw_strdup(info->exe);
	if (!figures->title || !figures->comm || !figures->exe)
		return mw_error_nomem();
	for (size_t i = 0; !error && i < count; i++)
		error = add(figures, accounts[i].name, &accounts[i].tally);
	for (size_t i = 0; !error && i < found->list.n; i++)
		error = add_finding(figures, &found->list.v[i]);
	return error;
}

static struct mw_error *of_target(const struct cmd_call *call,
				  const char *name,
				  struct cmd_figures *figures)
{
	MW_CLEANUP(cmd_books_free) struct cmd_books books = { 0 };
	MW_CLEANUP(cmd_findings_free) struct cmd_findings findings = { 0 };
	struct cmd_call one = *call;
	struct mw_error *error;

	one.target = name;
	error = cmd_books_take(&one, CMD_BOOKS_HOLD, &books);
	if (!error)
		error = cmd_findings_take(&books, &findings);
	if (books.target)
		mw_target_release(books.target);
	if (!error)
		error = cmd_findings_look(&books, &findings);
	if (error)
		return error;
	cmd_print_notes(books.target);
	figures->found = findings.found;
	findings.found = (struct mw_findings){ 0 };
	return cmd_figures_of_books(&books, &figures->found,
				    mw_target_info(books.target)->kind ==
						    MW_TARGET_CORE
					    ? name
					    : NULL,
				    figures);
}

/* JSON */

/* An account's name holds a path at most. */
#define MOST_NAME 8192

/** Whether the file at @path begins as a JSON object does. */
static bool is_json(const char *path)
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

static struct mw_error *check_schema(const char *path, const json_t *root)
{
	const char *schema =
		json_string_value(json_object_get(root, "schema"));
	MW_CLEANUP(mw_freep) char *why = NULL;

	if (schema && strcmp(schema, "memwhy.ledger/1") == 0)
		return NULL;
	why = schema ? mw_format("its schema is %.40s, not memwhy.ledger/1",
				 schema)
		     : mw_strdup("it has no schema");
	return why ? not_a_ledger(path, why) : mw_error_nomem();
}

int cmd_figures_by_name(const void *a, const void *b)
{
	const struct cmd_figure *x = a, *y = b;

	return strcmp(x->account, y->account);
}

/** What no capture has: an account twice, or more than can be added up. */
static const char *find_fault(struct cmd_figures *figures)
{
	struct mw_tally sum = { 0 };
	struct cmd_figure *v = figures->list.v;

	if (figures->list.n)
		qsort(v, figures->list.n, sizeof(*v), cmd_figures_by_name);
	for (size_t i = 0; i < figures->list.n; i++) {
		const struct mw_tally *t = &v[i].tally;

		if (i > 0 && cmd_figures_by_name(&v[i - 1], &v[i]) == 0)
			return "an account is there twice";
		// The columns of changes are signed.
		if (__builtin_add_overflow(sum.vsz_bytes, t->vsz_bytes,
					   &sum.vsz_bytes) ||
		    __builtin_add_overflow(sum.rss_bytes, t->rss_bytes,
					   &sum.rss_bytes) ||
		    __builtin_add_overflow(sum.swap_bytes, t->swap_bytes,
					   &sum.swap_bytes) ||
		    (sum.vsz_bytes | sum.rss_bytes | sum.swap_bytes) >
			    INT64_MAX)
			return "its accounts are larger than any memory";
	}
	return NULL;
}

static struct mw_error *read_accounts(const char *path, const json_t *root,
				      struct cmd_figures *figures)
{
	const json_t *accounts = json_object_get(root, "accounts");
	struct mw_error *error = NULL;
	const char *why;

	if (!json_is_array(accounts))
		return not_a_ledger(path, "it has no accounts");
	for (size_t i = 0; !error && i < json_array_size(accounts); i++) {
		const json_t *a = json_array_get(accounts, i);
		const char *name =
			json_string_value(json_object_get(a, "account"));
		struct mw_tally tally;

		if (!name || !*name || strlen(name) > MOST_NAME ||
		    !get_tally(a, &tally))
			return not_a_ledger(path, "an account is damaged");
		error = add(figures, name, &tally);
	}
	if (!error && (why = find_fault(figures)))
		error = not_a_ledger(path, why);
	return error;
}

/** A text of a finding; it lives as long as @finding. */
static bool get_text(const json_t *finding, const char *key, char **ret)
{
	const json_t *value = json_object_get(finding, key);

	// Nobody writes to it; struct mw_finding owns its texts elsewhere.
	*ret = (char *)(uintptr_t)json_string_value(value);
	return *ret != NULL;
}

static struct mw_error *read_findings(const char *path, const json_t *root,
				      struct cmd_figures *figures)
{
	const json_t *findings = json_object_get(root, "findings");
	struct mw_error *error = NULL;

	// The first releases had none.
	if (findings && !json_is_array(findings))
		return not_a_ledger(path, "its findings are damaged");
	for (size_t i = 0; !error && i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);
		struct mw_finding finding = { 0 };
		char *id;

		if (!get_text(f, "id", &id) ||
		    !get_text(f, "summary", &finding.summary) ||
		    !get_text(f, "evidence", &finding.evidence) ||
		    !get_text(f, "advice", &finding.advice) ||
		    !get_bytes(f, "bytes", &finding.bytes))
			return not_a_ledger(path, "a finding is damaged");
		finding.id = id;
		error = add_finding(figures, &finding);
	}
	return error;
}

static struct mw_error *of_json(const char *path, struct cmd_figures *figures)
{
	json_error_t why;
	json_t *root = json_load_file(path, 0, &why);
	const json_t *target;
	const char *comm, *exe;
	struct mw_error *error;

	if (!root)
		return not_a_ledger(path, why.text);
	figures->json = root;
	error = check_schema(path, root);
	if (error)
		return error;
	target = json_object_get(root, "target");
	comm = json_string_value(json_object_get(target, "comm"));
	exe = json_string_value(json_object_get(target, "exe"));
	figures->comm = mw_strdup(comm ? comm : "?");
	figures->exe = mw_strdup(exe ? exe : "");
	figures->title = mw_format("%s (%lld) of %s", comm ? comm : "?",
				   (long long)json_integer_value(
					   json_object_get(target, "pid")),
				   path);
	if (!figures->title || !figures->comm || !figures->exe)
		return mw_error_nomem();
	error = read_accounts(path, root, figures);
	if (!error)
		error = read_findings(path, root, figures);
	return error;
}

struct mw_error *cmd_figures_take(const struct cmd_call *call,
				  const char *name,
				  struct cmd_figures *figures)
{
	struct mw_error *error;

	if (is_json(name))
		return of_json(name, figures);
	error = of_target(call, name, figures);
	// Of a file that is neither, what would be one.
	if (error && error->code == MW_E_FORMAT && access(name, F_OK) == 0) {
		struct mw_error *better = mw_error_new(
			MW_E_FORMAT, "%s; give a PID, a core file, a snapshot, "
			"or what `memwhy ledger --format=json` wrote",
			error->message);

		mw_error_free(error);
		return better;
	}
	return error;
}

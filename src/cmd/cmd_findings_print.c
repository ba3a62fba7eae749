/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd_figures.h"
#include "cmd_findings.h"
#include "mw_guard.h"

/** Columns in front of a finding's text. */
#define INDENT 4

static void print_part(const char *label, const char *text,
		       const struct mw_style *style)
{
	MW_CLEANUP(mw_freep) char *line = mw_format("%s: %s", label, text);

	printf("%*s", INDENT, "");
	mw_print_wrapped(stdout, line ? line : text, INDENT, INDENT,
			 style->width);
}

static void print_finding(size_t number, const struct mw_finding *f,
			  const char *more, const struct mw_style *style)
{
	MW_CLEANUP(mw_freep) char *line =
		mw_format("%s [%s]%s", f->summary, f->id, more);

	printf("%2zu. ", number);
	mw_print_wrapped(stdout, line ? line : f->summary, INDENT, INDENT,
			 style->width);
	print_part("evidence", f->evidence, style);
	print_part("advice", f->advice, style);
}

static void print_left_out(size_t count)
{
	if (count)
		printf("    and %zu more; --verbose lists them\n", count);
}

static size_t how_many(size_t count, const struct cmd_call *call)
{
	return call->verbose ? count : mw_min(count, CMD_FINDINGS_SHOWN);
}

/** What to say of a finding's growth; "" when it has not grown. */
static char *growth(const struct cmd_finding_change *c,
		    const struct mw_style *style)
{
	char bytes[32];

	if (!c)
		return mw_strdup("");
	if (c->is_new)
		return mw_strdup(" (new)");
	return mw_format(" (+%s)", mw_format_bytes(bytes, c->grown_bytes,
						   style->exact_bytes));
}

static const struct cmd_finding_change *
change_of(const struct cmd_changes *changes, const struct mw_finding *f)
{
	for (size_t i = 0; i < changes->findings.n; i++)
		if (strcmp(changes->findings.v[i].finding.id, f->id) == 0)
			return &changes->findings.v[i];
	return NULL;
}

void cmd_findings_print(const struct cmd_findings *findings,
			const struct cmd_changes *changes,
			const struct cmd_call *call)
{
	size_t count = findings->found.list.n;
	size_t shown = how_many(count, call);

	if (count)
		printf("\nfindings:\n");
	for (size_t i = 0; i < shown; i++) {
		const struct mw_finding *f = &findings->found.list.v[i];
		MW_CLEANUP(mw_freep) char *more =
			growth(change_of(changes, f), &call->style);

		print_finding(i + 1, f, more ? more : "", &call->style);
	}
	print_left_out(count - shown);
}

void cmd_changes_print_findings(const struct cmd_changes *changes,
				const struct cmd_call *call)
{
	size_t count = changes->findings.n, shown = how_many(count, call);

	if (count)
		printf("\nfindings that are new or have grown:\n");
	for (size_t i = 0; i < shown; i++) {
		const struct cmd_finding_change *c = &changes->findings.v[i];
		MW_CLEANUP(mw_freep) char *more = growth(c, &call->style);

		print_finding(i + 1, &c->finding, more ? more : "",
			      &call->style);
	}
	print_left_out(count - shown);
}

/** What every finding has; the object stays open. */
static void json_begin_finding(struct mw_json *json,
			       const struct mw_finding *f)
{
	mw_json_object(json);
	mw_json_member_text(json, "id", f->id);
	mw_json_member_u64(json, "bytes", f->bytes);
	mw_json_member_text(json, "summary", f->summary);
	mw_json_member_text(json, "evidence", f->evidence);
	mw_json_member_text(json, "advice", f->advice);
}

void cmd_findings_json(struct mw_json *json,
		       const struct cmd_findings *findings)
{
	mw_json_key(json, "findings");
	mw_json_array(json);
	for (size_t i = 0; i < findings->found.list.n; i++) {
		json_begin_finding(json, &findings->found.list.v[i]);
		mw_json_end(json);
	}
	mw_json_end(json);
}

void cmd_changes_json_findings(struct mw_json *json,
			       const struct cmd_changes *changes)
{
	mw_json_key(json, "findings");
	mw_json_array(json);
	for (size_t i = 0; i < changes->findings.n; i++) {
		const struct cmd_finding_change *c = &changes->findings.v[i];

		json_begin_finding(json, &c->finding);
		mw_json_member_u64(json, "delta_bytes", c->grown_bytes);
		mw_json_member_bool(json, "is_new", c->is_new);
		mw_json_end(json);
	}
	mw_json_end(json);
}

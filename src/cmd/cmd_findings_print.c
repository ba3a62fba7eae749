/* SPDX-License-Identifier: Apache-2.0 */
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

void cmd_findings_print(const struct cmd_findings *findings,
			const struct cmd_call *call)
{
	size_t count = findings->found.list.n;
	size_t shown = call->verbose ? count
				     : mw_min(count, CMD_FINDINGS_SHOWN);

	if (count == 0)
		return;
	printf("\nfindings:\n");
	for (size_t i = 0; i < shown; i++) {
		const struct mw_finding *f = &findings->found.list.v[i];

		MW_CLEANUP(mw_freep) char *line =
			mw_format("%s [%s]", f->summary, f->id);

		printf("%2zu. ", i + 1);
		mw_print_wrapped(stdout, line ? line : f->summary, INDENT,
				 INDENT, call->style.width);
		print_part("evidence", f->evidence, &call->style);
		print_part("advice", f->advice, &call->style);
	}
	if (shown < count)
		printf("    and %zu more; --verbose lists them\n",
		       count - shown);
}

void cmd_findings_json(struct mw_json *json,
		       const struct cmd_findings *findings)
{
	mw_json_key(json, "findings");
	mw_json_array(json);
	for (size_t i = 0; i < findings->found.list.n; i++) {
		const struct mw_finding *f = &findings->found.list.v[i];

		mw_json_object(json);
		mw_json_key(json, "id");
		mw_json_text(json, f->id);
		mw_json_key(json, "bytes");
		mw_json_u64(json, f->bytes);
		mw_json_key(json, "summary");
		mw_json_text(json, f->summary);
		mw_json_key(json, "evidence");
		mw_json_text(json, f->evidence);
		mw_json_key(json, "advice");
		mw_json_text(json, f->advice);
		mw_json_end(json);
	}
	mw_json_end(json);
}

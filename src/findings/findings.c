/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "findings_int.h"
#include "mw_mem.h"

static const struct rule {
	const char *id;
	bool (*find)(const struct mw_situation *s, struct mw_finding *ret);
} rules[] = {
#define RULE(name, id) { id, find_##name },
	FIND_RULES(RULE)
#undef RULE
};

static void free_finding(struct mw_finding *f)
{
	mw_free(f->summary);
	mw_free(f->evidence);
	mw_free(f->advice);
}

/** Put @f where it belongs: by falling bytes, behind its equals. */
static bool insert(struct mw_findings *findings, const struct mw_finding *f)
{
	size_t at = findings->list.n;
	struct mw_finding *end = mw_vec_push(&findings->list);

	if (!end)
		return false;
	for (; at > 0 && findings->list.v[at - 1].bytes < f->bytes; at--)
		findings->list.v[at] = findings->list.v[at - 1];
	findings->list.v[at] = *f;
	return true;
}

struct mw_error *mw_findings_look(const struct mw_situation *s,
				  struct mw_findings *ret)
{
	struct mw_findings findings = { 0 };

	for (size_t i = 0; i < MW_COUNT(rules); i++) {
		struct mw_finding f = { .id = rules[i].id };

		if (!rules[i].find(s, &f))
			continue;
		if (!f.summary || !f.evidence || !f.advice ||
		    !insert(&findings, &f)) {
			free_finding(&f);
			mw_findings_free(&findings);
			return mw_error_nomem();
		}
	}
	*ret = findings;
	return NULL;
}

void mw_findings_free(struct mw_findings *findings)
{
	for (size_t i = 0; i < findings->list.n; i++)
		free_finding(&findings->list.v[i]);
	mw_vec_free(&findings->list);
}

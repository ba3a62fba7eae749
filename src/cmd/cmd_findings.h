/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_FINDINGS_H
#define CMD_FINDINGS_H

#include "cmd_figures.h"
#include "mw_findings.h"
#include "mw_go_goroutines.h"
#include "mw_kernel.h"

/** How many findings are printed without --verbose. */
#define CMD_FINDINGS_SHOWN 5

/** What was found, and what the figures refer to. Zeroed is empty. */
struct cmd_findings {
	struct mw_findings found;
	struct mw_situation situation;
	MW_VEC(struct mw_arena_share) arenas;
	MW_VEC(const char *) images; /* names, the target's */
	struct mw_go_goroutines goroutines;
	struct mw_cgroup cgroup;
	struct mw_thp thp;
};

/**
 * Take the figures that findings need from @books, which must be settled and,
 * where the target is stopped, still held: what costs reading is read only
 * where an account is large enough for it to matter.
 *
 * Errors: MW_E_NOMEM. What cannot be read is left out.
 */
MW_MUST_USE struct mw_error *cmd_findings_take(const struct cmd_books *books,
					       struct cmd_findings *ret);
/**
 * Then look for what is remarkable. The figures of the system and of the
 * control group, with all its processes, are read now: the target need not be
 * held for them, as they are not its own.
 */
MW_MUST_USE struct mw_error *cmd_findings_look(const struct cmd_books *books,
					       struct cmd_findings *findings);
void cmd_findings_free(struct cmd_findings *findings);

/** @changes since another capture are told; empty for none. */
void cmd_findings_print(const struct cmd_findings *findings,
			const struct cmd_changes *changes,
			const struct cmd_call *call);
void cmd_findings_json(struct mw_json *json,
		       const struct cmd_findings *findings);

/**
 * The control group's memory: a line where it has a limit, and with --verbose
 * all parts.
 */
void cmd_cgroup_print(const struct mw_situation *s,
		      const struct cmd_call *call);
void cmd_cgroup_json(struct mw_json *json, const struct mw_situation *s);

/* Parts of cmd_findings_take() */

/** Whether @bytes of RSS are enough to look closer. */
bool cmd_findings_matter(const struct mw_situation *s, uint64_t bytes);

/** Resident bytes of one account. */
uint64_t cmd_findings_rss(const struct cmd_books *books, const char *account);

MW_MUST_USE struct mw_error *cmd_findings_go(const struct cmd_books *books,
					     struct cmd_findings *f);
MW_MUST_USE struct mw_error *
cmd_findings_goroutines(const struct cmd_books *books, struct cmd_findings *f);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_BOOKS_H
#define CMD_BOOKS_H

#include "cmd.h"
#include "mw_alloc.h"
#include "mw_go_stats.h"
#include "mw_gort.h"
#include "mw_ledger.h"
#include "mw_native.h"

/** One capture of a target, all walkers done and the ledger settled. */
struct cmd_books {
	struct mw_target *target; /* may be open before the books are taken */
	const struct mw_ledger_trace *trace; /* to be set before; may be NULL */
	struct mw_go *go; /* NULL: no Go runtime */
	struct mw_go_memstats *memstats; /* NULL: not asked, or no Go */
	struct mw_native *native;
	struct mw_alloc *alloc;
	struct mw_ledger *ledger;
	struct mw_audit audit;
	struct mw_smaps_figures *smaps; /* per mapping, NULL if not asked */
	uint64_t stopped_ns, wall_ns;
};

enum cmd_books_flags {
	CMD_BOOKS_SMAPS = 1,	/* read smaps */
	CMD_BOOKS_MAPPINGS = 2, /* keep what each account has per mapping */
	CMD_BOOKS_PSS = 4,	/* smaps, mappings, and PSS per account */
	CMD_BOOKS_PAGES = 8,	/* keep what each account has on each page */
	CMD_BOOKS_HOLD = 16,	/* a stopped target stays so, to be read on */
	CMD_BOOKS_MEMSTATS = 32, /* read memstats; fails without a Go runtime */
	CMD_BOOKS_NO_GO = 64,	/* its Go runtime is not set up yet */
};

/**
 * Open the target of @call, let all walkers claim and settle the ledger.
 * The target runs on when this returns, but for CMD_BOOKS_HOLD. @books must be
 * zeroed, but for what is to be set before; free it with cmd_books_free() also
 * after an error.
 */
MW_MUST_USE struct mw_error *cmd_books_take(const struct cmd_call *call,
					    unsigned flags,
					    struct cmd_books *books);

/** Free all but the target, so that books can be taken of it once more. */
void cmd_books_close(struct cmd_books *books);
void cmd_books_free(struct cmd_books *books);

#endif

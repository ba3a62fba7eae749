/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GORT_H
#define MW_GORT_H

#include <stdbool.h>
#include <stdint.h>

#include "mw_error.h"
#include "mw_facts.h"
#include "mw_target.h"

/*
 * The Go runtime inside a target, read from outside: no symbols, no debug
 * information and no help from the program are needed.
 *
 * Layouts are tables (layouts/), made from the DWARF of real toolchains. A
 * table is trusted only when the target's own structures bear it out.
 */
struct mw_go;

/** Where the layout in use came from. */
enum mw_go_layout_source {
	MW_GO_LAYOUT_TABLE, /* the table of the very release */
	MW_GO_LAYOUT_RTYPE, /* a near table, put right by the binary's types */
	MW_GO_LAYOUT_DWARF, /* the target's own debug information */
};

struct mw_go_info {
	const char *version; /* as in the binary: "go1.26.8"; or "unknown" */
	enum mw_go_layout_source layout;
	bool stripped; /* no symbol table */
	bool pie;
	bool cgo;
	uint64_t goroutines; /* as runtime.NumGoroutine counts them */
	uint64_t dead_goroutines; /* whose descriptors are kept */
	bool has_goroutines; /* false when that could not be told */
	bool is_sbrk; /* GODEBUG=sbrk=1: objects lie outside the heap */
};

/**
 * Find a Go runtime in @target. *@ret is NULL when there is none, as in a file
 * that does not run, which is not an error.
 *
 * Errors: MW_E_UNSUPPORTED for a version without a table that fits;
 *         MW_E_FORMAT when its structures are damaged. The target is as
 *         explainable as any native process then.
 */
MW_MUST_USE struct mw_error *mw_go_open(struct mw_target *target,
					struct mw_go **ret);
void mw_go_close(struct mw_go *go);

static inline void mw_go_closep(struct mw_go **go)
{
	mw_go_close(*go);
	*go = NULL;
}

/** What was found; borrowed, as long as @go lives. */
const struct mw_go_info *mw_go_info(const struct mw_go *go);

/**
 * Claim everything that the runtime owns. @go backs the claims and outlives
 * the ledger. Also tells @target where threads left their native stacks.
 */
MW_MUST_USE struct mw_error *mw_go_claim(struct mw_go *go,
					 const struct mw_sink *sink);

/** What stayed inconsistent after it was read again. */
struct mw_go_drift {
	uint64_t torn_spans;
	uint64_t torn_bytes; /* posted to unknown/go-torn */
};
const struct mw_go_drift *mw_go_drift(const struct mw_go *go);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_H
#define CMD_H

#include <stdbool.h>

#include "mw_error.h"
#include "mw_render.h"
#include "mw_target.h"

/*
 * Commands: one file each, named in the table of main.c. Only this room
 * prints. A command returns an error, or NULL and the exit status is 0.
 */

enum cmd_domain {
	CMD_DOMAIN_RSS,
	CMD_DOMAIN_VSZ,
	CMD_DOMAIN_SWAP,
};

/** Options that several commands share. */
struct cmd_options {
	const char *target; /* NULL: none was given */
	enum mw_format format;
	struct mw_style style;
	struct mw_target_options capture;
	enum cmd_domain domain;
	bool pss;
	bool verbose;
	bool explain;
	bool by_page;  /* maps: a row a resident page */
	bool no_smaps; /* maps: without what only smaps tells */
};

typedef struct mw_error *cmd_fn(const struct cmd_options *options);

cmd_fn cmd_ledger;
cmd_fn cmd_maps;

/** Print what the columns of `maps` mean, for its help. */
void cmd_maps_columns(FILE *out);

/** Resolve options->target (NULL: the largest process) and open it. */
MW_MUST_USE struct mw_error *cmd_open_target(const struct cmd_options *options,
					     struct mw_target **ret);

/** Write the members "target" and "capture" of a JSON answer. */
struct mw_go;
void cmd_json_target(struct mw_json *json, const struct mw_target *target,
		     const struct mw_go *go);
void cmd_json_capture(struct mw_json *json, const struct mw_target *target,
		      uint64_t stopped_ns, uint64_t wall_ns);
/** The member "notes": what limits the answer. */
void cmd_json_notes(struct mw_json *json, const struct mw_target *target);

/** Print the notes of a target to standard error. */
void cmd_print_notes(const struct mw_target *target);

/** A short gloss for a node of the account tree, NULL if it needs none. */
const char *cmd_gloss(const char *account);
/** A sentence that explains it, NULL if there is none. */
const char *cmd_explanation(const char *account);

#endif

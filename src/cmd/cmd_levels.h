/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_LEVELS_H
#define CMD_LEVELS_H

#include "cmd.h"

/*
 * An answer that goes from the outside to the inside: levels, each a sentence
 * for people and named facts for programs.
 */

enum cmd_fact_kind {
	CMD_FACT_TEXT,
	CMD_FACT_COUNT, /* of bytes or of anything */
	CMD_FACT_ADDRESS,
	CMD_FACT_BOOL,
	CMD_FACT_NONE, /* not known */
};

struct cmd_fact {
	const char *key; /* static */
	enum cmd_fact_kind kind;
	uint64_t value;
	char *text;
};

struct cmd_level {
	const char *name; /* static; in JSON with _ for blanks */
	char *sentence;
	MW_VEC(struct cmd_fact) facts;
};

struct cmd_levels {
	MW_VEC(struct cmd_level) list;
	bool failed; /* no memory */
};

/** Begin the next level; all below is about the last one begun. */
void cmd_level(struct cmd_levels *levels, const char *name);
/** Add to its sentence. */
void cmd_say(struct cmd_levels *levels, const char *fmt, ...) MW_PRINTF(2, 3);
void cmd_fact_text(struct cmd_levels *levels, const char *key,
		   const char *text);
void cmd_fact_count(struct cmd_levels *levels, const char *key,
		    uint64_t value);
void cmd_fact_address(struct cmd_levels *levels, const char *key,
		      uint64_t value);
void cmd_fact_bool(struct cmd_levels *levels, const char *key, bool value);
void cmd_fact_none(struct cmd_levels *levels, const char *key);

void cmd_levels_free(struct cmd_levels *levels);

void cmd_levels_text(const struct cmd_levels *levels, FILE *out,
		     const struct mw_style *style);
/** A member for each level; null for those of @names that it has not. */
void cmd_levels_json(const struct cmd_levels *levels, struct mw_json *json,
		     const char *const *names, size_t count);

#endif

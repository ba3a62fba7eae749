/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_GO_PROFILE_H
#define CMD_GO_PROFILE_H

#include "mw_go_funcs.h"
#include "mw_go_goroutines.h"
#include "mw_map64.h"
#include "mw_pprof.h"

/* A profile on its way to a file or a table. */

#define PROFILE_VALUES 4

/** One function of the table. */
struct profile_function {
	char *name;
	int64_t flat[PROFILE_VALUES], cumulative[PROFILE_VALUES];
	uint64_t sample; /* the last one that counted for cumulative */
};

struct profile {
	struct mw_target *target;
	struct mw_go *go;
	struct mw_go_funcs *funcs;
	size_t values;	 /* of each sample */
	uint64_t samples;
	struct mw_pprof *pprof;
	MW_VEC(struct profile_function) functions;
	struct mw_map64 by_hash; /* of the name -> index + 1 */
	int64_t total[PROFILE_VALUES];
	/* Of the sample that is being made: */
	uint64_t depth; /* lines so far */
	MW_VEC(uint64_t) locations;
	/* Calls inlined into one function, which are one location. */
	struct mw_pprof_line lines[MW_GO_MAX_LINES];
	size_t line_count;
	uint64_t address, key;
	bool failed; /* no memory */
};

/** Begin; @profile is zeroed but for what is set. */
MW_MUST_USE struct mw_error *profile_begin(struct profile *profile);
void profile_free(struct profile *profile);

/** Begin a sample; then its places, innermost first; then end it. */
void profile_sample(struct profile *profile);
/** What follows is not what the last places are inlined into. */
void profile_frame(struct profile *profile);
void profile_line(struct profile *profile, const struct mw_go_line *line,
		  uint64_t pc, const int64_t *values);
void profile_end(struct profile *profile, const int64_t *values,
		 const struct mw_pprof_label *labels, size_t label_count);

/** Write it, as taken now. */
MW_MUST_USE struct mw_error *profile_write(struct profile *profile, int fd);

/** Add those of @all that are wanted. */
MW_MUST_USE struct mw_error *
profile_goroutines(struct profile *profile, const struct mw_go_goroutines *all,
		   bool (*is_wanted)(const struct mw_go_goroutine *one,
				     const void *ctx),
		   const void *ctx);

#endif

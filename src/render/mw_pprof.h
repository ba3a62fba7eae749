/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_PPROF_H
#define MW_PPROF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"

/*
 * A profile for pprof and all that reads its format: protocol buffers
 * (profile.proto of github.com/google/pprof), compressed with gzip.
 *
 * Use: mw_pprof_new(), sample types, then samples and what they need, then
 * mw_pprof_write(). Without memory all of them do nothing, and the last one
 * tells.
 */
struct mw_pprof;

struct mw_pprof_line {
	const char *function, *file;
	uint32_t line;
};

MW_MUST_USE struct mw_error *mw_pprof_new(struct mw_pprof **ret);
void mw_pprof_free(struct mw_pprof *pprof);

static inline void mw_pprof_freep(struct mw_pprof **pprof)
{
	mw_pprof_free(*pprof);
	*pprof = NULL;
}

/** What each value of a sample is: "inuse_space", "bytes". */
void mw_pprof_sample_type(struct mw_pprof *pprof, const char *type,
			  const char *unit);
/** Which of them is shown first. */
void mw_pprof_default_type(struct mw_pprof *pprof, const char *type);
/** One sample stands for @period of that, as "space", "bytes". */
void mw_pprof_period(struct mw_pprof *pprof, const char *type,
		     const char *unit, int64_t period);
/** When it was taken, in ns since 1970. */
void mw_pprof_time(struct mw_pprof *pprof, int64_t time_ns);
/** The executable: all locations lie in it. */
void mw_pprof_mapping(struct mw_pprof *pprof, uint64_t start, uint64_t end,
		      uint64_t offset, const char *path, const char *build_id);

/**
 * The number of the place at @address, with its inlined calls, innermost
 * first; one that was given before with the same @key is the same.
 */
uint64_t mw_pprof_location(struct mw_pprof *pprof, uint64_t key,
			   uint64_t address, const struct mw_pprof_line *lines,
			   size_t count);

struct mw_pprof_label {
	const char *key;
	const char *text; /* NULL: it is a number */
	int64_t number;
};

/** @values in the order of the sample types; locations, innermost first. */
void mw_pprof_sample(struct mw_pprof *pprof, const uint64_t *locations,
		     size_t location_count, const int64_t *values,
		     size_t value_count, const struct mw_pprof_label *labels,
		     size_t label_count);

/** Errors: MW_E_NOMEM, MW_E_SYSTEM. */
MW_MUST_USE struct mw_error *mw_pprof_write(struct mw_pprof *pprof, int fd);

#endif

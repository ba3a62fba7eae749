/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GLIBC_POST_H
#define GLIBC_POST_H

#include "glibc_int.h"

/*
 * What the walk of a region adds up. Stretches of pages in one state are kept
 * by their sums, so that millions of chunks cost an addition each.
 */

/** Free chunks that adjoin: malloc_trim() merges them before it looks. */
struct glibc_free_run {
	uint64_t start, end;
	bool is_merged; /* the last of them is from a fastbin */
};

struct glibc_post {
	struct glibc *glibc;
	struct glibc_region *region;
	struct mw_parts *parts; /* NULL: into the region's digest */
	const struct glibc_visitor *visitor; /* instead of both; or NULL */
	struct mw_error *error; /* of the visitor, which ends the walk */
	/* A stretch in one state: added up so far is [start, at) */
	uint64_t start, at, until;
	uint64_t stretch[GLIBC_KINDS];
	/* With parts: a range, not reported yet */
	uint64_t range_start, range_end;
	enum glibc_kind range_kind;
	/* Of the whole region */
	struct glibc_sums sums;
	struct glibc_free_run run;
	/*
	 * Of a part of a region: where it begins, and the run of free chunks
	 * from there, to which the part before may have more.
	 */
	uint64_t first;
	struct glibc_free_run first_run;
	bool first_is_free, first_is_fast;
	size_t run_hint, mapping_hint; /* for page states */
	bool failed; /* no memory */
};

/**
 * Chunks in use and in fastbins that are posted together. The largest free one
 * is not told: each fastbin ends in one that is not among them.
 */
struct glibc_passed {
	uint64_t start, end;
	uint64_t blocks, free_blocks, free_bytes, link_check;
	uint64_t run; /* where the free chunks begin that end at @end */
};

/* Free chunks that adjoin and have no more bytes have no page to trim. */
#define GLIBC_RUN_SMALL (MW_PAGE_BYTES - 1 + GLIBC_TRIM_HEAD)
#define GLIBC_TRIM_HEAD 48 /* sizeof(struct malloc_chunk) */

/**
 * Whether chunks from @start on, where the last one posted ends, may be posted
 * together, and where the free ones begin that end there. Not if a run of these
 * matters by itself.
 */
bool glibc_post_may_pass(struct glibc_post *post, uint64_t start,
			 uint64_t *ret_run);
/** Post them: they lie in one stretch, and no run in them is large. */
void glibc_post_passed(struct glibc_post *post, const struct glibc_passed *p);
/** The slow way of glibc_post(): across the end of the stretch. */
void glibc_post_across(struct glibc_post *post, enum glibc_kind kind,
		       uint64_t start, uint64_t end);
void glibc_post_free(struct glibc_post *post, bool is_fast, uint64_t start,
		     uint64_t end);
/** Post the top chunk [@start, @end). */
void glibc_post_top(struct glibc_post *post, uint64_t start, uint64_t end);
/**
 * @next is the part behind @post: join the free chunks where they meet. False
 * when @next has to be walked again, as what it begins with was added up.
 */
bool glibc_post_join(struct glibc_post *post, struct glibc_post *next);
/** Report what is not reported yet; without parts, leave the sums. */
void glibc_post_finish(struct glibc_post *post);

/** [@start, @end), which follows what was posted last, is @kind: one block. */
static inline void glibc_post(struct glibc_post *post, enum glibc_kind kind,
			      uint64_t start, uint64_t end)
{
	post->sums.blocks[kind]++;
	if (kind == GLIBC_FREE || kind == GLIBC_FAST)
		glibc_post_free(post, kind == GLIBC_FAST, start, end);
	if (end <= post->until) {
		post->stretch[kind] += end - start;
		post->at = end;
	} else {
		glibc_post_across(post, kind, start, end);
	}
}

#endif

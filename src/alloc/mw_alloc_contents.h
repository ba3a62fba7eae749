/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_ALLOC_CONTENTS_H
#define MW_ALLOC_CONTENTS_H

#include "mw_alloc.h"

/*
 * What blocks seem to hold, by their first bytes. Nobody says what a block is
 * for: these are guesses, though good ones, and the same every time.
 */

/** In the order in which they are tried: the first that fits. */
enum mw_content {
	MW_CONTENT_UNREADABLE, /* swapped out, or gone */
	MW_CONTENT_BLOCK,  /* the first word leads into an allocator's memory */
	MW_CONTENT_OBJECT, /* C++: the first word leads to a vtable with RTTI */
	MW_CONTENT_MODULE, /* the first word leads into an ELF image */
	MW_CONTENT_TEXT,   /* MW_CONTENT_TEXT_LEAST or more characters, NUL */
	MW_CONTENT_ZEROS,
	MW_CONTENT_OTHER,
	MW_CONTENTS,
};

/** This much of each block is looked at. */
#define MW_CONTENT_BYTES 256
#define MW_CONTENT_TEXT_LEAST 4

struct mw_block_content {
	enum mw_content kind;
	uint64_t pointer; /* the first word, if it is a pointer; else 0 */
	const uint8_t *bytes; /* the first ones; until the next block */
	size_t count; /* at most MW_CONTENT_BYTES */
};

/**
 * Looks into blocks; those in ascending order cost least. Each thread needs one
 * of its own.
 */
struct mw_alloc_contents;

/**
 * Both are borrowed until it is closed, while the target may be read.
 *
 * Errors: MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *
mw_alloc_contents_open(struct mw_target *target, struct mw_alloc *alloc,
		       struct mw_alloc_contents **ret);
void mw_alloc_contents_close(struct mw_alloc_contents *contents);

static inline void
mw_alloc_contents_closep(struct mw_alloc_contents **contents)
{
	mw_alloc_contents_close(*contents);
	*contents = NULL;
}

/**
 * What @block, which is in use, seems to hold. Reads nothing that is not
 * resident: what was never written to is zeros.
 */
void mw_alloc_content(struct mw_alloc_contents *contents,
		      const struct mw_alloc_block *block,
		      struct mw_block_content *ret);

/**
 * The name that RTTI has for the class whose vtable is at @pointer, mangled.
 * Caller frees; NULL when there is no such vtable, or no memory.
 */
char *mw_alloc_class_name(struct mw_target *target, uint64_t pointer);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "alloc_int.h"
#include "alloc_rtti.h"
#include "mw_alloc_contents.h"
#include "mw_guard.h"
#include "mw_map64.h"
#include "mw_num.h"
#include "mw_text.h"

#define PIECE MW_KIB(256) /* read at once where blocks lie close together */
#define MAX_KNOWN (1u << 20) /* pointers into images that are remembered */

struct mw_alloc_contents {
	struct mw_target *target;
	struct mw_alloc *alloc;
	uint64_t images_start, images_end; /* of all of them, gaps included */
	struct mw_map64 known; /* pointer -> 1 + enum mw_content */
	uint64_t start, end; /* of what is in the buffer */
	uint64_t careful; /* up to here pieces cannot be read at once */
	uint8_t bytes[PIECE + MW_PAGE_BYTES];
};

struct mw_error *mw_alloc_contents_open(struct mw_target *target,
					struct mw_alloc *alloc,
					struct mw_alloc_contents **ret)
{
	struct mw_alloc_contents *c = mw_alloc(sizeof(*c));
	size_t count;
	const struct mw_image *images = mw_target_images(target, &count);

	if (!c)
		return mw_error_nomem();
	memset(c, 0, offsetof(struct mw_alloc_contents, bytes));
	c->target = target;
	c->alloc = alloc;
	c->images_start = UINT64_MAX;
	for (size_t i = 0; i < count; i++) {
		c->images_start = mw_min(c->images_start, images[i].start);
		c->images_end = mw_max(c->images_end, images[i].end);
	}
	*ret = c;
	return NULL;
}

void mw_alloc_contents_close(struct mw_alloc_contents *c)
{
	if (!c)
		return;
	mw_map64_free(&c->known);
	mw_free(c);
}

/** [@va, @va + @count), at most a page; NULL when it cannot be read. */
static const uint8_t *look(struct mw_alloc_contents *c, uint64_t va,
			   size_t count)
{
	uint64_t page_end = mw_align_up(va + count, MW_PAGE_BYTES);
	bool is_close = va - c->end < PIECE && va >= c->careful;

	if (va >= c->start && va + count <= c->end)
		return c->bytes + (va - c->start);
	c->start = va;
	c->end = is_close ? va + PIECE : page_end;
	if (is_close && !mw_target_copy(c->target, va, c->bytes, PIECE)) {
		c->careful = c->end;
		c->end = page_end;
		is_close = false;
	}
	if (is_close || mw_target_copy(c->target, va, c->bytes, c->end - va))
		return c->bytes;
	c->end = va;
	return NULL;
}

/** What a pointer to @va, in the range of images, leads to; OTHER: none. */
static enum mw_content judge_image(struct mw_alloc_contents *c, uint64_t va)
{
	uint64_t *known = mw_map64_find(&c->known, va);
	enum mw_content kind;

	if (known)
		return (enum mw_content)(*known - 1);
	if (!alloc_segment_at(c->target, va))
		return MW_CONTENT_OTHER;
	pthread_mutex_lock(&c->alloc->read_lock);
	kind = alloc_is_vtable(c->target, va) ? MW_CONTENT_OBJECT
					      : MW_CONTENT_MODULE;
	pthread_mutex_unlock(&c->alloc->read_lock);
	// Without memory, or too many: the next one is judged anew.
	if (c->known.count < MAX_KNOWN) {
		known = mw_map64_at(&c->known, va);
		if (known)
			*known = 1 + (uint64_t)kind;
	}
	return kind;
}

static bool is_printable(uint8_t c)
{
	return (c >= 0x20 && c < 0x7f) || (c && strchr("\t\n\r\f\x1b", c));
}

/** Whether @bytes begin with text that a NUL, or their end, ends. */
static bool is_text(const uint8_t *bytes, size_t count)
{
	const uint8_t *at = bytes, *end = bytes + count;
	size_t n = 0;

	for (size_t step; at < end && *at; at += step, n++) {
		step = 1;
		if (is_printable(*at))
			continue;
		step = *at < 0x80 ? 0 : mw_utf8_bytes(at, (size_t)(end - at));
		if (step > 0)
			continue;
		// The last character may be cut off.
		if (*at < 0xc2 || end - at >= 4)
			return false;
		break;
	}
	return n >= MW_CONTENT_TEXT_LEAST;
}

static bool is_zeros(const uint8_t *bytes, size_t count)
{
	return count == 0 ||
	       (bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0);
}

static enum mw_content judge(struct mw_alloc_contents *c, const uint8_t *bytes,
			     size_t count, uint64_t word)
{
	enum mw_content kind = MW_CONTENT_OTHER;

	// Heaps may lie between images. No program of x86-64 has addresses
	// as high as eight characters are.
	if (word && word >> 47 == 0 && alloc_holds(c->alloc, word))
		return MW_CONTENT_BLOCK;
	if (word >= c->images_start && word < c->images_end)
		kind = judge_image(c, word);
	if (kind != MW_CONTENT_OTHER)
		return kind;
	return is_text(bytes, count)	? MW_CONTENT_TEXT
	       : is_zeros(bytes, count) ? MW_CONTENT_ZEROS
					: kind;
}

void mw_alloc_content(struct mw_alloc_contents *c,
		      const struct mw_alloc_block *block,
		      struct mw_block_content *ret)
{
	uint64_t word = 0;

	*ret = (struct mw_block_content){
		.kind = MW_CONTENT_UNREADABLE,
		.count = mw_min(block->user_bytes, MW_CONTENT_BYTES),
	};
	ret->bytes = look(c, block->user, ret->count);
	if (!ret->bytes) {
		ret->count = 0;
		return;
	}
	if (ret->count >= sizeof(word))
		word = mw_u64(ret->bytes);
	ret->kind = judge(c, ret->bytes, ret->count, word);
	if (ret->kind == MW_CONTENT_OBJECT || ret->kind == MW_CONTENT_MODULE ||
	    ret->kind == MW_CONTENT_BLOCK)
		ret->pointer = word;
}

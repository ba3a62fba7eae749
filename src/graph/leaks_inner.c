/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "leaks_int.h"

/*
 * Pointers to the inside of a block that its owner is known to keep instead of
 * one to the start, by what stands in the block.
 */

/** What is aligned in a block is to 64 bytes, and has a word in front of it. */
#define ALIGNED_WORDS 16

/**
 * The head of a block tells how many elements or bytes are behind it: new[] of
 * what has a destructor, strings that are shared, a thread's vector of TLS,
 * Rust's Rc and Arc as raw pointers.
 */
static bool has_count(const uint64_t *words, uint64_t bytes)
{
	// In the first word, its lower half, or, aligned to 16, in the second.
	return bytes > LEAKS_HEAD_BYTES &&
	       ((words[0] > 0 && words[0] <= bytes) ||
		((uint32_t)words[0] > 0 && (uint32_t)words[0] <= bytes) ||
		(words[1] > 0 && words[1] <= bytes));
}

/** It keeps the address to be freed in front of what was aligned in it. */
static bool has_own_address(uint64_t va, const uint64_t *words, size_t count)
{
	for (size_t i = 0; i < mw_min(count, ALIGNED_WORDS); i++)
		if (words[i] == va)
			return true;
	return false;
}

static bool is_vtable(const struct mw_leaks *l, uint64_t word)
{
	return word && mw_is_aligned(word, LEAKS_UNIT) &&
	       l->options.is_vtable &&
	       l->options.is_vtable(l->options.ctx, word);
}

/** An object of several classes, seen as one of another base than its first. */
static bool has_two_vtables(const struct mw_leaks *l, const uint64_t *words,
			    size_t count)
{
	if (count == 0 || !is_vtable(l, words[0]))
		return false;
	for (size_t i = 1; i < count; i++)
		if (is_vtable(l, words[i]))
			return true;
	return false;
}

bool leaks_is_known_inner(const struct mw_leaks *l,
			  const struct leaks_ref *ref, const uint64_t *words,
			  uint64_t bytes)
{
	unsigned state = leaks_state(ref);
	size_t count = mw_min(bytes, LEAKS_ALONE_BYTES) / LEAKS_UNIT;

	return ((state & LEAKS_BEHIND_HEAD) && has_count(words, bytes)) ||
	       ((state & LEAKS_ALIGNED) &&
		(has_own_address(leaks_va(ref), words, count) ||
		 has_two_vtables(l, words, count)));
}

/*
 * A table of Rust's hashbrown 0.11 to 0.15 (src/raw/mod.rs), the standard
 * HashMap; the pointer is to its control bytes:
 *
 *	elements, as many as there are buckets (a power of 2, 4 or more), then
 *	a byte for each: 0xff empty, 0x80 deleted, below 0x80 taken; one eighth
 *	    of them or more is not taken
 *	16 bytes more: the first ones again
 */
#define GROUP 16
#define MIN_BUCKETS 4
/** So many of them are looked at. */
#define SAMPLE 1024
/** Each costs a few system calls: in a heap of other things, give up. */
#define MAX_TABLES 1000000

/** Whether @count bytes may be control bytes, with one that is not taken. */
static bool are_control(const uint8_t *bytes, size_t count)
{
	bool has_free = false;

	for (size_t i = 0; i < count; i++) {
		if (bytes[i] > 0x80 && bytes[i] != 0xff)
			return false;
		has_free |= bytes[i] >= 0x80;
	}
	return has_free;
}

/** Whether the control bytes of @buckets buckets may begin at @va. */
static bool is_control(struct mw_leaks *l, uint64_t va, uint64_t buckets)
{
	uint8_t bytes[SAMPLE], again[GROUP];
	size_t same = mw_min(buckets, GROUP), count = mw_min(buckets, SAMPLE);

	// The first ones again, in a small table behind a group's worth.
	if (!mw_target_copy(l->options.target, va, bytes, same) ||
	    !mw_target_copy(l->options.target, va + mw_max(buckets, GROUP),
			    again, same))
		return false;
	return memcmp(bytes, again, same) == 0 &&
	       mw_target_copy(l->options.target, va, bytes, count) &&
	       are_control(bytes, count);
}

bool leaks_is_table(struct mw_leaks *l, const struct leaks_ref *ref,
		    uint64_t offset)
{
	uint64_t bytes = leaks_bytes(l, ref), behind = bytes - offset;

	if (!mw_is_aligned(offset, GROUP) || l->tables_tried >= MAX_TABLES)
		return false;
	// An element has a byte at least, and behind the table is nothing but
	// what the allocator rounds up.
	for (uint64_t n = MIN_BUCKETS; n <= offset && n + GROUP <= behind;
	     n *= 2)
		if (behind - n - GROUP <= mw_max(GROUP, bytes / 4)) {
			l->tables_tried++;
			if (is_control(l, leaks_va(ref) + offset, n))
				return true;
		}
	return false;
}

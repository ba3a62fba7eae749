/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_alloc_size.h"

#include <stdbool.h>

#include "mw_num.h"

/*
 * TCMalloc (gperftools 2.10, src/common.cc: AlignmentForSize(),
 * SizeMap::NumMoveSize(), SizeMap::Init(); src/common.h): size classes are not
 * a list but worked out when a program starts. With its defaults: pages of
 * 8 KiB, 32 objects moved at once, classes up to 256 KiB.
 */
#define TC_PAGE UINT64_C(8192)
#define TC_LARGEST MW_KIB(256)
#define TC_MOVED 32

static uint64_t tc_alignment(uint64_t bytes)
{
	uint64_t alignment = 8;

	if (bytes > TC_LARGEST)
		alignment = TC_PAGE;
	else if (bytes >= 128)
		alignment = (UINT64_C(1) << (63 - __builtin_clzll(bytes))) / 8;
	else if (bytes >= 16)
		alignment = 16;
	return mw_min(alignment, TC_PAGE);
}

/** Bytes of a span of objects of @bytes. */
static uint64_t tc_span(uint64_t bytes)
{
	uint64_t moved = mw_min(mw_max(MW_KIB(64) / bytes, 2), TC_MOVED);
	uint64_t span = 0;

	// At most an eighth may be left over; and there must be a quarter of
	// what is moved at once.
	do {
		span += TC_PAGE;
		while (span % bytes > span / 8)
			span += TC_PAGE;
	} while (span / bytes < moved / 4);
	return span;
}

struct mw_alloc_size mw_tcmalloc_size(uint64_t bytes)
{
	struct mw_alloc_size s = {
		.path = "small",
		.steps = "the thread's list of the class; else 32 or fewer "
			 "objects from the central list of the class, or from "
			 "its transfer cache; else a span from the page heap; "
			 "else the system",
	};
	uint64_t size = 8;

	bytes = mw_max(bytes, 1);
	if (bytes > TC_LARGEST) {
		s.path = "large";
		s.steps = "a span from the page heap, the best fit of those "
			  "that are free; else the system";
		s.block_bytes = s.span_bytes = mw_align_up(bytes, TC_PAGE);
		s.objects = 1;
		return s;
	}
	while (size <= TC_LARGEST) {
		uint64_t span = tc_span(size);
		uint64_t objects = span / size;

		// A larger size that needs the same span for as many objects
		// takes the smaller one's class over.
		if (s.class == 0 || span != s.span_bytes ||
		    objects != s.objects) {
			if (s.class && s.block_bytes >= bytes)
				break;
			s.class++;
		}
		s.span_bytes = span;
		s.objects = objects;
		s.block_bytes = size;
		size += tc_alignment(size);
	}
	return s;
}

/*
 * glibc (malloc/malloc.c, 2.26 to 2.41, x86-64): chunks with a head of 8 bytes,
 * multiples of 16, at least 32.
 *
 *	tcache		chunks up to 1040 bytes, 7 of each size (tcache_count)
 *	fastbins	up to 128 (global_max_fast)
 *	small bins	below 1024
 *	mmap		requests from 128 KiB (mp_.mmap_threshold) up; the
 *			threshold grows up to 32 MiB as such blocks are freed
 */
#define GLIBC_HEAD 8
#define GLIBC_ALIGN 16
#define GLIBC_MIN 32
#define GLIBC_TCACHE 1040
#define GLIBC_FAST 128
#define GLIBC_SMALL 1024
#define GLIBC_MMAP MW_KIB(128)

struct mw_alloc_size mw_glibc_size(uint64_t bytes)
{
	struct mw_alloc_size s = {
		.head_bytes = GLIBC_HEAD,
		.block_bytes = mw_max(mw_align_up(bytes + GLIBC_HEAD,
						  GLIBC_ALIGN), GLIBC_MIN),
	};

	if (bytes >= GLIBC_MMAP) {
		s.path = "mmap";
		s.head_bytes = 2 * GLIBC_HEAD;
		s.block_bytes = s.span_bytes = mw_align_up(
			bytes + s.head_bytes, MW_PAGE_BYTES);
		s.objects = 1;
		s.steps = "a mapping of its own, unless a free block fits; "
			  "freeing it raises the threshold to its size, up to "
			  "32 MiB";
	} else if (s.block_bytes <= GLIBC_FAST) {
		s.path = "tcache, fast";
		s.steps = "the thread's tcache, 7 of each size; else the "
			  "arena's fastbin, small bin, the unsorted list, a "
			  "larger free block that is cut, the top; else the "
			  "break or a new heap";
	} else if (s.block_bytes < GLIBC_SMALL) {
		s.path = "tcache, small";
		s.steps = "the thread's tcache, 7 of each size; else the "
			  "arena's small bin, the unsorted list, a larger "
			  "free block that is cut, the top; else the break or "
			  "a new heap";
	} else if (s.block_bytes <= GLIBC_TCACHE) {
		s.path = "tcache, large";
		s.steps = "the thread's tcache, 7 of each size; else the "
			  "arena's unsorted list, the best fit of a large "
			  "bin, the top; else the break or a new heap";
	} else {
		s.path = "large";
		s.steps = "free blocks in fastbins are merged; the unsorted "
			  "list, the best fit of a large bin, cut to size, "
			  "the top; else the break or a new heap";
	}
	return s;
}

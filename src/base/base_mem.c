/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static long left = -1;
static bool failed;

void mw_alloc_fail_after(long count)
{
	left = count;
	failed = false;
}

bool mw_alloc_failed(void)
{
	return failed;
}

static bool refused(void)
{
	if (left < 0)
		return false;
	if (left > 0) {
		left--;
		return false;
	}
	failed = true;
	return true;
}

void *mw_alloc(size_t bytes)
{
	return refused() ? NULL : malloc(bytes ? bytes : 1);
}

#define HUGE_BYTES ((size_t)2 << 20)

/** What is mapped for @bytes: a small part of a huge page is not worth one. */
static size_t mapped_bytes(size_t bytes)
{
	size_t unit = bytes >= HUGE_BYTES / 4 ? HUGE_BYTES : 4096;

	return bytes ? (bytes + unit - 1) & ~(unit - 1) : unit;
}

void *mw_map(size_t bytes)
{
	size_t want = mapped_bytes(bytes);
	uint8_t *memory, *aligned;
	size_t slack;

	if (refused() || bytes > SIZE_MAX / 2)
		return NULL;
	// Only aligned memory becomes huge pages: map more and cut it off.
	memory = mmap(NULL, want + HUGE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	slack = -(uintptr_t)memory & (HUGE_BYTES - 1);
	aligned = memory + slack;
	if (slack > 0)
		munmap(memory, slack);
	munmap(aligned + want, HUGE_BYTES - slack);
	if (want >= HUGE_BYTES)
		madvise(aligned, want, MADV_HUGEPAGE);
	return aligned;
}

void mw_unmap(void *memory, size_t bytes)
{
	if (memory)
		munmap(memory, mapped_bytes(bytes));
}

void *mw_calloc(size_t count, size_t bytes)
{
	return refused() ? NULL : calloc(count ? count : 1, bytes ? bytes : 1);
}

void *mw_realloc(void *old, size_t count, size_t bytes)
{
	size_t total;

	if (refused() || __builtin_mul_overflow(count, bytes, &total))
		return NULL;
	return realloc(old, total ? total : 1);
}

char *mw_strndup(const char *from, size_t bytes)
{
	char *copy = bytes < SIZE_MAX ? mw_alloc(bytes + 1) : NULL;

	if (!copy)
		return NULL;
	memcpy(copy, from, bytes);
	copy[bytes] = '\0';
	return copy;
}

char *mw_strdup(const char *from)
{
	return mw_strndup(from, strlen(from));
}

char *mw_vformat(const char *fmt, va_list args)
{
	va_list again;

	va_copy(again, args);
	int length = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (length < 0)
		return NULL;

	char *text = mw_alloc((size_t)length + 1);
	if (text)
		vsnprintf(text, (size_t)length + 1, fmt, args);
	return text;
}

char *mw_format(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	char *text = mw_vformat(fmt, args);
	va_end(args);
	return text;
}

void mw_free(void *memory)
{
	free(memory);
}

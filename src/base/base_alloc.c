/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

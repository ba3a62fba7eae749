/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_funcs_int.h"
#include "mw_num.h"

/** Names of generic functions can be some KiB long. */
#define MAX_STRING MW_KIB(16)
#define BLOCK_BYTES MW_KIB(64)
/*
 * More than any program has, for the functions of which names are asked for: a
 * hostile one could name any byte a string. Terraform's provider for AWS has
 * 600,000 functions with 110 bytes each.
 */
#define MAX_KEPT MW_MIB(32)
#define MAX_KEPT_EACH 256

/** Copy up to the NUL; false when a byte cannot be read. */
bool go_read_string(const struct mw_go_funcs *funcs, uint64_t va, char *to,
		    size_t size)
{
	size_t n = 0;

	while (n + 1 < size) {
		// A piece never ends behind a page, so that only a string
		// that leaves readable memory fails; a source that is shorter
		// than its last page is read by bytes there.
		size_t take = mw_min(size - 1 - n, 128 - (va & 127));
		char *end;

		if (!go_funcs_read(funcs, va, to + n, take)) {
			take = 1;
			if (!go_funcs_read(funcs, va, to + n, 1))
				return false;
		}
		end = memchr(to + n, '\0', take);
		if (end)
			return true;
		n += take;
		va += take;
	}
	to[n] = '\0';
	return true;
}

static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

/** A place for @bytes that lasts. */
static char *keep(struct mw_go_funcs *funcs, const char *text, size_t bytes)
{
	struct go_strings *s = &funcs->strings;
	char **block;

	if (s->bytes + bytes > MAX_KEPT + funcs->count * MAX_KEPT_EACH)
		return NULL;
	if (s->blocks.n == 0 || s->used + bytes > BLOCK_BYTES) {
		block = mw_vec_push(&s->blocks);
		if (!block)
			return NULL;
		*block = mw_alloc(BLOCK_BYTES);
		if (!*block) {
			s->blocks.n--;
			return NULL;
		}
		s->used = 0;
	}
	char *to = s->blocks.v[s->blocks.n - 1] + s->used;
	memcpy(to, text, bytes);
	s->used += bytes;
	s->bytes += bytes;
	return to;
}

const char *go_keep_text(struct mw_go_funcs *funcs, uint64_t key, char *text)
{
	struct go_strings *s = &funcs->strings;
	uint64_t *known = mw_map64_find(&s->at, key);
	const char **place;

	if (known)
		return s->list.v[*known - 1];
	make_printable(text);
	const char *kept = keep(funcs, text, strlen(text) + 1);
	if (!kept)
		return "?";
	place = mw_vec_push(&s->list);
	if (!place)
		return "?";
	*place = kept;
	known = mw_map64_at(&s->at, key);
	if (!known) {
		s->list.n--;
		return "?";
	}
	*known = s->list.n;
	return kept;
}

const char *go_string(struct mw_go_funcs *funcs, uint64_t va)
{
	uint64_t *known = mw_map64_find(&funcs->strings.at, va);
	char text[MAX_STRING];

	if (known)
		return funcs->strings.list.v[*known - 1];
	return go_read_string(funcs, va, text, sizeof(text))
		       ? go_keep_text(funcs, va, text)
		       : "?";
}

void go_strings_free(struct go_strings *strings)
{
	for (size_t i = 0; i < strings->blocks.n; i++)
		mw_free(strings->blocks.v[i]);
	mw_vec_free(&strings->blocks);
	mw_vec_free(&strings->list);
	mw_map64_free(&strings->at);
}

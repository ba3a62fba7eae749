/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "gort_goroutines.h"
#include "mw_hash.h"

/*
 * What runtime/pprof.SetGoroutineLabels gave a goroutine: g.labels points to a
 * labelMap of runtime/pprof (label.go), which nobody changes any more.
 *
 * Since Go 1.24 that is a slice of labels, ascending by key:
 *	0 key	16 value	(strings)
 * Before it was a map[string]string, so a pointer to (runtime/map.go, 1.9 to
 * 1.23)
 *	0 u64 count	9 u8 B		16 buckets	24 oldbuckets
 * with 1 << B buckets of
 *	0 u8 tophash [8]	8 keys [8]	136 values [8]	264 overflow
 * where a tophash below 4 means that there is no entry.
 *
 * What it is shows: the first word of a slice is a pointer to strings, that of
 * a map to a small number.
 */
#define MAP_BYTES 32
#define MAP_B 9
#define BUCKET_ENTRIES 8
#define BUCKET_KEYS 8
#define BUCKET_VALUES 136
#define BUCKET_OVERFLOW 264
#define BUCKET_BYTES 272
#define LEAST_TOPHASH 4
#define LABEL_BYTES 32

#define MOST_LABELS 64	/* of a goroutine */
#define MOST_TEXT 4096	/* bytes of a key or value */
#define MOST_BYTES MW_MIB(16) /* of all together */

struct labels {
	struct mw_go *go;
	struct mw_go_goroutines *all;
	size_t first;
	bool failed; /* no memory */
};

/** What a key or value counts against MOST_BYTES. */
static uint64_t cost_of(const char *text)
{
	return text ? strlen(text) + sizeof(struct mw_go_label) : 0;
}

static void drop(struct labels *l, size_t from)
{
	struct mw_go_goroutines *all = l->all;

	while (all->labels.n > from) {
		struct mw_go_label *label = &all->labels.v[--all->labels.n];

		all->label_bytes -= cost_of(label->key) + cost_of(label->value);
		mw_free(label->key);
		mw_free(label->value);
	}
}

/** A copy of the string whose header is at @header; NULL when it is none. */
static char *copy_string(struct labels *l, const uint8_t *header)
{
	uint64_t va = mw_u64(header), bytes = mw_u64(header + 8);
	char *text;

	if (bytes > MOST_TEXT || l->all->label_bytes > MOST_BYTES)
		return NULL;
	text = mw_alloc(bytes + 1);
	l->failed |= !text;
	if (text && bytes > 0 &&
	    !mw_target_search(l->go->target, va, text, bytes)) {
		mw_free(text);
		return NULL;
	}
	if (text)
		text[bytes] = '\0';
	l->all->label_bytes += cost_of(text);
	return text;
}

static bool add_label(struct labels *l, const uint8_t *key,
		      const uint8_t *value)
{
	struct mw_go_label *label;

	if (l->all->labels.n - l->first == MOST_LABELS)
		return false;
	label = mw_vec_push(&l->all->labels);
	if (!label) {
		l->failed = true;
		return false;
	}
	*label = (struct mw_go_label){ 0 };
	label->key = copy_string(l, key);
	label->value = label->key ? copy_string(l, value) : NULL;
	return label->value;
}

static bool read_slice(struct labels *l, uint64_t va)
{
	struct go_slice slice;
	uint8_t bytes[LABEL_BYTES];

	if (!go_read_slice(l->go, va, &slice) || slice.len > MOST_LABELS)
		return false;
	for (uint64_t i = 0; i < slice.len; i++)
		if (!mw_target_search(l->go->target,
				      slice.ptr + i * LABEL_BYTES, bytes,
				      sizeof(bytes)) ||
		    !add_label(l, bytes, bytes + 16))
			return false;
	return true;
}

/** A bucket and those that overflow from it. */
static bool read_bucket(struct labels *l, uint64_t va)
{
	uint8_t bytes[BUCKET_BYTES];

	for (int i = 0; va && i < MOST_LABELS; i++) {
		if (!mw_target_search(l->go->target, va, bytes, sizeof(bytes)))
			return false;
		for (size_t k = 0; k < BUCKET_ENTRIES; k++)
			if (bytes[k] >= LEAST_TOPHASH &&
			    !add_label(l, bytes + BUCKET_KEYS + 16 * k,
				       bytes + BUCKET_VALUES + 16 * k))
				return false;
		va = mw_u64(bytes + BUCKET_OVERFLOW);
	}
	return va == 0;
}

static bool read_map(struct labels *l, uint64_t va)
{
	uint8_t bytes[MAP_BYTES];
	uint64_t map, count;

	if (!mw_target_read_u64(l->go->target, va, &map) || !map ||
	    !mw_target_read(l->go->target, map, bytes, sizeof(bytes)))
		return false;
	count = mw_u64(bytes);
	// One that is just being made larger is in two places; nobody is given
	// so many labels.
	if (count > MOST_LABELS || bytes[MAP_B] > 4 || mw_u64(bytes + 24))
		return false;
	for (uint64_t i = 0; i < UINT64_C(1) << bytes[MAP_B]; i++)
		if (!read_bucket(l, mw_u64(bytes + 16) + i * BUCKET_BYTES))
			return false;
	return l->all->labels.n - l->first == count;
}

static int by_key(const void *a, const void *b)
{
	const struct mw_go_label *x = a, *y = b;

	return strcmp(x->key, y->key);
}

/** Read what is at @va behind all labels so far; nothing if it is none. */
static struct mw_error *read_labels(struct labels *l, uint64_t va)
{
	bool is_known = read_map(l, va);

	if (!is_known && !l->failed) {
		drop(l, l->first);
		is_known = read_slice(l, va);
	}
	if (!is_known)
		drop(l, l->first);
	if (l->failed)
		return mw_error_nomem();
	if (l->all->labels.n > l->first)
		qsort(l->all->labels.v + l->first, l->all->labels.n - l->first,
		      sizeof(*l->all->labels.v), by_key);
	return NULL;
}

/** With its NUL, so that "ab", "c" and "a", "bc" differ. */
static uint64_t hash_string(uint64_t hash, const char *text)
{
	return mw_hash_bytes(hash, text, strlen(text) + 1);
}

static bool is_same(const struct labels *l, const struct mw_go_label_set *set)
{
	const struct mw_go_label *v = l->all->labels.v;
	bool same = set->count == l->all->labels.n - l->first;

	for (uint32_t i = 0; i < set->count && same; i++)
		same = strcmp(v[set->first + i].key, v[l->first + i].key) == 0 &&
		       strcmp(v[set->first + i].value,
			      v[l->first + i].value) == 0;
	return same;
}

/** The number of the set that was just read, which may be there already. */
static struct mw_error *intern(struct labels *l, struct mw_map64 *by_hash,
			       uint32_t *ret)
{
	struct mw_go_goroutines *all = l->all;
	struct mw_go_label_set *set;
	uint64_t hash = MW_HASH_START, *known;

	for (size_t i = l->first; i < all->labels.n; i++)
		hash = hash_string(hash_string(hash, all->labels.v[i].key),
				   all->labels.v[i].value);
	known = mw_map64_at(by_hash, hash);
	if (!known)
		return mw_error_nomem();
	if (*known && is_same(l, &all->label_sets.v[*known - 1])) {
		drop(l, l->first);
		*ret = (uint32_t)(*known - 1);
		return NULL;
	}
	set = mw_vec_push(&all->label_sets);
	if (!set)
		return mw_error_nomem();
	*set = (struct mw_go_label_set){
		l->first, (uint32_t)(all->labels.n - l->first)
	};
	*known = all->label_sets.n;
	*ret = (uint32_t)(all->label_sets.n - 1);
	return NULL;
}

struct mw_error *go_labels(struct mw_go *go, struct mw_go_goroutines *all,
			   struct go_known_labels *known, uint64_t va,
			   uint32_t *ret)
{
	struct labels l = { .go = go, .all = all, .first = all->labels.n };
	struct mw_error *error;
	uint64_t *number;
	uint32_t set = MW_GO_NO_LABELS;

	*ret = set;
	if (!va)
		return NULL;
	// Goroutines inherit them.
	number = mw_map64_find(&known->by_va, va);
	if (number) {
		*ret = (uint32_t)*number;
		return NULL;
	}
	error = read_labels(&l, va);
	if (!error && all->labels.n > l.first)
		error = intern(&l, &known->by_hash, &set);
	if (error)
		return error;
	number = mw_map64_at(&known->by_va, va);
	if (!number)
		return mw_error_nomem();
	*number = *ret = set;
	return NULL;
}

void go_known_labels_free(struct go_known_labels *known)
{
	mw_map64_free(&known->by_va);
	mw_map64_free(&known->by_hash);
}

void go_labels_free(struct mw_go_goroutines *all)
{
	struct labels l = { .all = all };

	drop(&l, 0);
	mw_vec_free(&all->labels);
	mw_vec_free(&all->label_sets);
}

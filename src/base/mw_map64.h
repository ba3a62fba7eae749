/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_MAP64_H
#define MW_MAP64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A hash map from u64 to u64. A zeroed struct is an empty map.
 * Cost: 16 bytes an entry at most two thirds full; O(1) a look-up.
 */
struct mw_map64 {
	struct mw_map64_entry *slots;
	size_t count;
	size_t mask; /* number of slots - 1, or 0 when there are none */
	bool has_zero; /* the key 0 marks a free slot, so it lives apart */
	uint64_t zero_value;
};

struct mw_map64_entry {
	uint64_t key;
	uint64_t value;
};

/** The value's place for @key, or NULL. Holds until the next insertion. */
uint64_t *mw_map64_find(const struct mw_map64 *map, uint64_t key);

/** The same; a missing key is added with value 0. NULL without memory. */
uint64_t *mw_map64_at(struct mw_map64 *map, uint64_t key);

/** Walk all entries in no order: start with *@at = 0, false at the end. */
bool mw_map64_next(const struct mw_map64 *map, size_t *at, uint64_t *ret_key,
		   uint64_t *ret_value);

void mw_map64_free(struct mw_map64 *map);

#endif

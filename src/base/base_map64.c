/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_map64.h"

#include "mw_mem.h"

static size_t hash(uint64_t key)
{
	// Fibonacci hashing; the high bits are the mixed ones.
	return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 20);
}

static struct mw_map64_entry *probe(struct mw_map64_entry *slots, size_t mask,
				    uint64_t key)
{
	size_t at = hash(key) & mask;

	while (slots[at].key && slots[at].key != key)
		at = (at + 1) & mask;
	return &slots[at];
}

uint64_t *mw_map64_find(const struct mw_map64 *map, uint64_t key)
{
	if (key == 0)
		return map->has_zero ? (uint64_t *)&map->zero_value : NULL;
	if (!map->slots)
		return NULL;

	struct mw_map64_entry *entry = probe(map->slots, map->mask, key);
	return entry->key ? &entry->value : NULL;
}

static bool grow(struct mw_map64 *map)
{
	size_t slots = map->slots ? (map->mask + 1) * 2 : 16;
	struct mw_map64_entry *fresh = mw_calloc(slots, sizeof(*fresh));

	if (!fresh)
		return false;
	for (size_t i = 0; map->slots && i <= map->mask; i++)
		if (map->slots[i].key)
			*probe(fresh, slots - 1, map->slots[i].key) =
				map->slots[i];
	mw_free(map->slots);
	map->slots = fresh;
	map->mask = slots - 1;
	return true;
}

uint64_t *mw_map64_at(struct mw_map64 *map, uint64_t key)
{
	if (key == 0) {
		if (!map->has_zero) {
			map->has_zero = true;
			map->zero_value = 0;
		}
		return &map->zero_value;
	}
	if (!map->slots || map->count >= (map->mask + 1) / 3 * 2)
		if (!grow(map))
			return NULL;

	struct mw_map64_entry *entry = probe(map->slots, map->mask, key);
	if (!entry->key) {
		entry->key = key;
		map->count++;
	}
	return &entry->value;
}

bool mw_map64_next(const struct mw_map64 *map, size_t *at, uint64_t *ret_key,
		   uint64_t *ret_value)
{
	if (*at == 0) {
		++*at;
		if (map->has_zero) {
			*ret_key = 0;
			*ret_value = map->zero_value;
			return true;
		}
	}
	for (; map->slots && *at <= map->mask + 1; ++*at) {
		const struct mw_map64_entry *entry = &map->slots[*at - 1];

		if (entry->key) {
			*ret_key = entry->key;
			*ret_value = entry->value;
			++*at;
			return true;
		}
	}
	return false;
}

void mw_map64_free(struct mw_map64 *map)
{
	mw_free(map->slots);
	*map = (struct mw_map64){ 0 };
}

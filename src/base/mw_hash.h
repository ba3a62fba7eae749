/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_HASH_H
#define MW_HASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * FNV-1a of 64 bits, as a key for struct mw_map64. Two texts may share a hash;
 * who looks one up compares the texts, too.
 */
#define MW_HASH_START UINT64_C(0xcbf29ce484222325)

/** @hash, MW_HASH_START or what has been hashed so far, with @count bytes. */
static inline uint64_t mw_hash_bytes(uint64_t hash, const void *bytes,
				     size_t count)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < count; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/** The same with @text, without its NUL. */
static inline uint64_t mw_hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return hash;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_FINGERPRINT_H
#define MW_FINGERPRINT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * To see whether a page has changed without keeping its bytes: two pages that
 * differ have the same fingerprint with a chance of at most 5 in 2^64, whoever
 * wrote them, as long as the key is random and unknown to him.
 */

#define MW_FINGERPRINT_BYTES 4096 /* of which one is taken: a page */

struct mw_fingerprint_key {
	uint64_t words[MW_FINGERPRINT_BYTES / 8 + 2];
};

/** Make a key. False when this processor or system cannot. */
bool mw_fingerprint_begin(struct mw_fingerprint_key *key);

/** The fingerprint of a page, which is never 0 or 1. */
uint64_t mw_fingerprint(const struct mw_fingerprint_key *key,
			const void *page);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GLIBC_LINKS_H
#define GLIBC_LINKS_H

#include "glibc_int.h"

/*
 * Which chunks are in fastbins, without following lists of millions of chunks
 * that lie in an order of chance.
 *
 * Where links are safe (XORed with their place >> 12), what a user keeps in a
 * chunk will hardly look like one. So while the chunks are walked, each of a
 * fitting size whose first word is a link is taken for one of a fastbin. That
 * is right when each of them but the first ones is linked from exactly one,
 * and no link leads elsewhere: the sum of a hash over all chunks taken must be
 * the sum over all links and the fastbins' heads, and each list ends once. (A
 * ring would pass, too; but a list that grows and shrinks at its head leaves
 * none behind.) A chunk that was handed out and not written to yet makes the
 * sums differ; then the lists are followed.
 */
static inline uint64_t glibc_link_hash(uint64_t chunk, uint64_t bytes)
{
	uint64_t z = (chunk ^ bytes << 52) * UINT64_C(0xbf58476d1ce4e5b9);

	return (z ^ z >> 29) * UINT64_C(0x94d049bb133111eb);
}

#endif

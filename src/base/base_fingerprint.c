/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_fingerprint.h"

#include <stddef.h>
#include <sys/random.h>
#include <wmmintrin.h>

/*
 * CLNH of Lemire and Kaser, "Faster 64-bit universal hashing using carry-less
 * multiplications" (2015): the sum over all pairs of words of
 * (m1 + k1) * (m2 + k2), as polynomials over GF(2), is the same for two
 * messages with a chance of at most 2^-64. Of its 128 bits, 64 are made by
 * high * k3 + low * k4 in GF(2^64): once more 2^-64.
 */

#define CAN_MULTIPLY __attribute__((target("pclmul")))

bool mw_fingerprint_begin(struct mw_fingerprint_key *key)
{
	uint8_t *to = (uint8_t *)key->words;
	size_t done = 0;

	if (!__builtin_cpu_supports("pclmul"))
		return false;
	while (done < sizeof(key->words)) {
		ssize_t n = getrandom(to + done, sizeof(key->words) - done,
				      GRND_NONBLOCK);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/** The product of two sums: of the 16 bytes at @page and @key. */
CAN_MULTIPLY static inline __m128i multiply(const uint8_t *page,
					    const uint8_t *key)
{
	__m128i sum = _mm_xor_si128(_mm_loadu_si128((const __m128i *)page),
				    _mm_loadu_si128((const __m128i *)key));

	return _mm_clmulepi64_si128(sum, sum, 0x10);
}

/** The 128 bits of @x modulo x^64 + x^4 + x^3 + x + 1. */
CAN_MULTIPLY static uint64_t reduce(__m128i x)
{
	const __m128i poly = _mm_cvtsi64_si128(0x1b);
	__m128i once = _mm_clmulepi64_si128(x, poly, 0x01);
	__m128i twice = _mm_clmulepi64_si128(once, poly, 0x01);

	return (uint64_t)_mm_cvtsi128_si64(
		_mm_xor_si128(x, _mm_xor_si128(once, twice)));
}

CAN_MULTIPLY uint64_t mw_fingerprint(const struct mw_fingerprint_key *key,
				     const void *page)
{
	enum { STEP = 64 };
	const uint8_t *k = (const uint8_t *)key->words;
	const uint8_t *m = page;
	// Four sums, since each multiplication waits for none before it.
	__m128i a = _mm_setzero_si128(), b = a, c = a, d = a, last;
	uint64_t print;

	for (size_t i = 0; i < MW_FINGERPRINT_BYTES; i += STEP) {
		a = _mm_xor_si128(a, multiply(m + i, k + i));
		b = _mm_xor_si128(b, multiply(m + i + 16, k + i + 16));
		c = _mm_xor_si128(c, multiply(m + i + 32, k + i + 32));
		d = _mm_xor_si128(d, multiply(m + i + 48, k + i + 48));
	}
	a = _mm_xor_si128(_mm_xor_si128(a, b), _mm_xor_si128(c, d));
	last = _mm_loadu_si128((const __m128i *)(k + MW_FINGERPRINT_BYTES));
	print = reduce(_mm_xor_si128(_mm_clmulepi64_si128(a, last, 0x00),
				     _mm_clmulepi64_si128(a, last, 0x11)));
	return print > 1 ? print : 2;
}

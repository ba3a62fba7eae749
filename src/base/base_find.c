/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_find.h"

#include <ctype.h>
#include <string.h>
#include <sys/platform/x86.h>

#include "mw_guard.h"
#include "mw_num.h"

/*
 * A pattern is found by two of its bytes, the anchors, chosen to be rare: 32
 * places are looked at together, and only where both anchors fit is the whole
 * pattern compared.
 */
struct mw_needle {
	bool is_words;
	uint64_t first, span; /* words: value - first <= span */
	size_t bytes;
	bool is_exact; /* every mask is 0xff */
	size_t anchors[2];
	bool has_avx2;
	/* A byte b fits at i when (b & masks[i]) == values[i]. */
	uint8_t values[MW_NEEDLE_BYTES], masks[MW_NEEDLE_BYTES];
};

/** How common a byte is in memory, roughly. */
static unsigned commonness(uint8_t value, uint8_t mask)
{
	unsigned bits = mw_popcount(mask);

	if (bits < 7) // letters of any case have 7
		return 1000 + 100 * (8 - bits);
	if (value == 0)
		return 500;
	if (value == 0xff || value == ' ')
		return 300;
	if (islower(value) || isupper(value))
		return strchr("etaoinsrETAOINSR", value) ? 250 : 150;
	return value < 0x20 || isdigit(value) ? 200 : 100;
}

/** Choose the two rarest bytes, of equal ones those far apart. */
static void choose_anchors(struct mw_needle *n)
{
	size_t best = 0, second;

	for (size_t i = 1; i < n->bytes; i++)
		if (commonness(n->values[i], n->masks[i]) <
		    commonness(n->values[best], n->masks[best]))
			best = i;
	second = best == n->bytes - 1 ? 0 : n->bytes - 1;
	for (size_t i = 0; i < n->bytes; i++)
		if (i != best && commonness(n->values[i], n->masks[i]) <
					 commonness(n->values[second],
						    n->masks[second]))
			second = i;
	n->anchors[0] = best;
	n->anchors[1] = second;
}

static struct mw_needle *new_needle(void)
{
	struct mw_needle *n = mw_calloc(1, sizeof(*n));

	if (n)
		n->has_avx2 = CPU_FEATURE_ACTIVE(AVX2);
	return n;
}

static void finish(struct mw_needle *n)
{
	n->is_exact = true;
	for (size_t i = 0; i < n->bytes; i++)
		n->is_exact &= n->masks[i] == 0xff;
	choose_anchors(n);
}

struct mw_error *mw_needle_text(const void *text, size_t bytes,
				bool ignore_case, struct mw_needle **ret)
{
	MW_CLEANUP(mw_needle_freep) struct mw_needle *n = new_needle();
	const uint8_t *from = text;

	if (!n)
		return mw_error_nomem();
	if (bytes == 0 || bytes > MW_NEEDLE_BYTES)
		return mw_error_new(MW_E_USAGE, "text of 1 to %d bytes can be "
				    "searched for, not of %zu",
				    MW_NEEDLE_BYTES, bytes);
	n->bytes = bytes;
	for (size_t i = 0; i < bytes; i++) {
		bool letter = (from[i] | 0x20) >= 'a' &&
			      (from[i] | 0x20) <= 'z';

		n->masks[i] = ignore_case && letter ? 0xdf : 0xff;
		n->values[i] = from[i] & n->masks[i];
	}
	finish(n);
	*ret = mw_steal(n);
	return NULL;
}

/** Put the digit @c into the lower half of *@value and *@mask. */
static bool take_digit(char c, uint8_t *value, uint8_t *mask)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c)
			   : NULL;

	if (!at && c != '?')
		return false;
	*value = (uint8_t)(*value << 4 | (at ? at - digits : 0));
	*mask = (uint8_t)(*mask << 4 | (at ? 0xf : 0));
	return true;
}

struct mw_error *mw_needle_hex(const char *text, struct mw_needle **ret)
{
	MW_CLEANUP(mw_needle_freep) struct mw_needle *n = new_needle();
	bool any = false;

	if (!n)
		return mw_error_nomem();
	for (const char *c = text; *c;) {
		if (*c == ' ' || *c == '\t') {
			c++;
			continue;
		}
		if (n->bytes == MW_NEEDLE_BYTES)
			return mw_error_new(MW_E_USAGE, "at most %d bytes can "
					    "be searched for",
					    MW_NEEDLE_BYTES);

		uint8_t *value = &n->values[n->bytes];
		uint8_t *mask = &n->masks[n->bytes];
		if (!take_digit(c[0], value, mask) ||
		    !take_digit(c[1], value, mask))
			return mw_error_new(MW_E_USAGE, "\"%s\" is not bytes "
					    "in hexadecimal, two digits each "
					    "(\"de ad ?? ef\")", text);
		any |= *mask != 0;
		n->bytes++;
		c += 2;
	}
	if (!any)
		return mw_error_new(MW_E_USAGE, "\"%s\" has no digit to look "
				    "for", text);
	finish(n);
	*ret = mw_steal(n);
	return NULL;
}

struct mw_error *mw_needle_words(uint64_t first, uint64_t last,
				 struct mw_needle **ret)
{
	MW_CLEANUP(mw_needle_freep) struct mw_needle *n = new_needle();

	if (!n)
		return mw_error_nomem();
	if (last < first)
		return mw_error_new(MW_E_USAGE, "an empty range of values");
	n->is_words = true;
	n->bytes = sizeof(uint64_t);
	n->first = first;
	n->span = last - first;
	*ret = mw_steal(n);
	return NULL;
}

void mw_needle_free(struct mw_needle *needle)
{
	mw_free(needle);
}

size_t mw_needle_bytes(const struct mw_needle *needle)
{
	return needle->bytes;
}

/* Patterns. "last" is the last place where the pattern has room. */

static bool fits(const struct mw_needle *n, const uint8_t *at)
{
	if (n->is_exact)
		return memcmp(at, n->values, n->bytes) == 0;
	for (size_t i = 0; i < n->bytes; i++)
		if ((at[i] & n->masks[i]) != n->values[i])
			return false;
	return true;
}

static size_t find_plainly(const struct mw_needle *n, const uint8_t *data,
			   size_t last, size_t from)
{
	size_t anchor = n->anchors[0];
	uint8_t value = n->values[anchor], mask = n->masks[anchor];

	if (n->is_exact) {
		const uint8_t *at = memmem(data + from, last + n->bytes - from,
					   n->values, n->bytes);

		return at ? (size_t)(at - data) : SIZE_MAX;
	}
	for (; from <= last; from++)
		if ((data[from + anchor] & mask) == value &&
		    fits(n, data + from))
			return from;
	return SIZE_MAX;
}

typedef uint8_t bytes32 __attribute__((vector_size(32), aligned(1)));
typedef char chars32 __attribute__((vector_size(32)));

/** Which of the 32 places at @at have both anchors. */
__attribute__((target("avx2"), always_inline)) static inline uint32_t
both_anchors(const uint8_t *at, size_t a, size_t b, const bytes32 fit[4])
{
	const bytes32 *x = (const bytes32 *)(at + a);
	const bytes32 *y = (const bytes32 *)(at + b);
	chars32 both = (chars32)(((*x & fit[1]) == fit[0]) &
				 ((*y & fit[3]) == fit[2]));

	return (uint32_t)__builtin_ia32_pmovmskb256(both);
}

/** Values and masks of both anchors. */
__attribute__((target("avx2"), always_inline)) static inline void
spread_anchors(const struct mw_needle *n, bytes32 fit[4])
{
	bytes32 zero = { 0 };

	for (int i = 0; i < 2; i++) {
		fit[2 * i] = zero + n->values[n->anchors[i]];
		fit[2 * i + 1] = zero + n->masks[n->anchors[i]];
	}
}

/** Counts where the anchors are; *@from is the first not looked at. */
__attribute__((target("avx2,popcnt"))) static uint64_t
count_by_anchors(const struct mw_needle *n, const uint8_t *data, size_t last,
		 size_t *from)
{
	uint64_t count = 0;
	size_t at = *from;
	bytes32 fit[4];

	spread_anchors(n, fit);
	for (; at + 31 <= last; at += 32)
		count += (unsigned)__builtin_popcount(
			both_anchors(data + at, n->anchors[0], n->anchors[1],
				     fit));
	*from = at;
	return count;
}

/** Puts places into @ret, and the first not looked at into *@from. */
__attribute__((target("avx2"))) static size_t
find_by_anchors(const struct mw_needle *n, const uint8_t *data, size_t last,
		size_t *from, size_t *ret, size_t room)
{
	size_t a = n->anchors[0], b = n->anchors[1], at = *from, count = 0;
	bytes32 fit[4];

	spread_anchors(n, fit);
	for (; at + 31 <= last; at += 32) {
		uint32_t bits = both_anchors(data + at, a, b, fit);

		for (; bits; bits &= bits - 1) {
			size_t place = at + (size_t)__builtin_ctz(bits);

			// Of two bytes, or one, the anchors are all.
			if (n->bytes > 2 && !fits(n, data + place))
				continue;
			ret[count++] = place;
			if (count == room) {
				*from = place + 1;
				return count;
			}
		}
	}
	*from = at;
	return count;
}

/* Words */

typedef uint64_t words4 __attribute__((vector_size(32), aligned(1)));
typedef double doubles4 __attribute__((vector_size(32)));

__attribute__((target("avx2"))) static size_t
find_words_by_4(const struct mw_needle *n, const uint8_t *data, size_t bytes,
		size_t *from)
{
	words4 zero = { 0 };
	words4 first = zero + n->first, span = zero + n->span;
	size_t at = *from;

	for (; at + 32 <= bytes; at += 32) {
		words4 value = *(const words4 *)(data + at) - first;
		int bits = __builtin_ia32_movmskpd256(
			(doubles4)(value <= span));

		if (bits)
			return at + 8 * (size_t)__builtin_ctz((unsigned)bits);
	}
	*from = at;
	return SIZE_MAX;
}

static size_t find_words(const struct mw_needle *n, const uint8_t *data,
			 size_t bytes, uint64_t va, size_t from)
{
	size_t at = from + (size_t)(-(va + from) & 7);

	if (n->has_avx2 && at < bytes) {
		size_t found = find_words_by_4(n, data, bytes, &at);

		if (found != SIZE_MAX)
			return found;
	}
	for (; at + 8 <= bytes; at += 8)
		if (mw_u64(data + at) - n->first <= n->span)
			return at;
	return SIZE_MAX;
}

size_t mw_needle_find_some(const struct mw_needle *n, const uint8_t *data,
			   size_t bytes, uint64_t va, size_t *from,
			   size_t *ret, size_t room)
{
	size_t last, count;

	if (bytes < n->bytes || *from > bytes - n->bytes)
		return 0;
	last = bytes - n->bytes;
	if (n->is_words) {
		*ret = find_words(n, data, bytes, va, *from);
	} else {
		count = n->has_avx2 ? find_by_anchors(n, data, last, from, ret,
						      room)
				    : 0;
		if (count > 0 || *from > last)
			return count;
		*ret = find_plainly(n, data, last, *from);
	}
	if (*ret == SIZE_MAX)
		return 0;
	*from = *ret + 1;
	return 1;
}

size_t mw_needle_find(const struct mw_needle *n, const uint8_t *data,
		      size_t bytes, uint64_t va, size_t from)
{
	size_t place;

	return mw_needle_find_some(n, data, bytes, va, &from, &place, 1) > 0
		       ? place
		       : SIZE_MAX;
}

uint64_t mw_needle_count(const struct mw_needle *n, const uint8_t *data,
			 size_t bytes, uint64_t va)
{
	size_t places[256], from = 0, found;
	uint64_t count = 0;

	// Of two bytes, or one, the anchors are all.
	if (n->has_avx2 && !n->is_words && n->bytes <= 2 && bytes >= n->bytes)
		count = count_by_anchors(n, data, bytes - n->bytes, &from);
	while ((found = mw_needle_find_some(n, data, bytes, va, &from, places,
					    sizeof(places) / sizeof(*places))))
		count += found;
	return count;
}

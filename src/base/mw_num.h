/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_NUM_H
#define MW_NUM_H

#include <stdbool.h>
#include <stdint.h>

#define MW_PAGE_SHIFT 12
#define MW_PAGE_BYTES UINT64_C(4096)

#define MW_KIB(n) ((uint64_t)(n) << 10)
#define MW_MIB(n) ((uint64_t)(n) << 20)
#define MW_GIB(n) ((uint64_t)(n) << 30)

#define MW_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline uint64_t mw_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t mw_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/** @align is a power of two. */
static inline uint64_t mw_align_down(uint64_t value, uint64_t align)
{
	return value & ~(align - 1);
}

/** Saturates: the highest aligned value when rounding up would overflow. */
static inline uint64_t mw_align_up(uint64_t value, uint64_t align)
{
	return value > UINT64_MAX - (align - 1) ? mw_align_down(UINT64_MAX, align)
						: (value + align - 1) & ~(align - 1);
}

static inline bool mw_is_aligned(uint64_t value, uint64_t align)
{
	return (value & (align - 1)) == 0;
}

/** *@ret_end = @start + @bytes; false, and *@ret_end untouched, on overflow. */
static inline bool mw_end(uint64_t start, uint64_t bytes, uint64_t *ret_end)
{
	uint64_t end;

	if (__builtin_add_overflow(start, bytes, &end))
		return false;
	*ret_end = end;
	return true;
}

/** Whether [@start, @start + @bytes) lies in [@lo, @hi). */
static inline bool mw_within(uint64_t start, uint64_t bytes, uint64_t lo,
			     uint64_t hi)
{
	return start >= lo && start <= hi && bytes <= hi - start;
}

/** Number of set bits. (The compiler's own is a call without SSE 4.2.) */
static inline unsigned mw_popcount(uint64_t bits)
{
	bits -= bits >> 1 & UINT64_C(0x5555555555555555);
	bits = (bits & UINT64_C(0x3333333333333333)) +
	       (bits >> 2 & UINT64_C(0x3333333333333333));
	bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (unsigned)(bits * UINT64_C(0x0101010101010101) >> 56);
}

/* Little-endian reads from bytes that need not be aligned. */
static inline uint64_t mw_u64(const void *at)
{
	uint64_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint32_t mw_u32(const void *at)
{
	uint32_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint16_t mw_u16(const void *at)
{
	uint16_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_allocators.h"

#include "fake_target.h"
#include "mw_num.h"

#define HEAP UINT64_C(0x1000000000) /* 64 GiB: early in each page map */
#define OWN UINT64_C(0x2000000000)  /* tables of the allocator */
#define DATA UINT64_C(0x3000000000) /* of the image */
#define THREAD 0x1000

/** Link the last FAKE_FREE blocks of those at @blocks; the list's head. */
static uint64_t link_free(struct mw_target *t, uint64_t blocks)
{
	uint64_t next = 0;

	for (unsigned i = FAKE_BLOCKS - FAKE_FREE; i < FAKE_BLOCKS; i++) {
		fake_memory_write(t, blocks + i * FAKE_BLOCK_BYTES, next);
		next = blocks + i * FAKE_BLOCK_BYTES;
	}
	return next;
}

/* mimalloc 2.3.2: a segment with a page and a free span */

static struct mw_target *make_mimalloc_v2(void)
{
	struct mw_target *t = fake_memory_new();
	uint64_t slices = HEAP + 288, page = slices + 96;
	uint64_t blocks = HEAP + MW_KIB(64) + 64;

	fake_memory_map(t, HEAP, MW_MIB(32), "");
	fake_memory_write(t, HEAP + 224, HEAP ^ 0x123456789abcdef);
	fake_memory_write(t, HEAP + 248, 512);
	fake_memory_write(t, HEAP + 256, 1);
	fake_memory_write(t, HEAP + 272, 512);
	fake_memory_write(t, HEAP + 280, THREAD);
	fake_memory_write_u32(t, slices, 1);
	fake_memory_write_u32(t, page, 1);
	fake_memory_write_u16(t, page + 10, FAKE_BLOCKS);
	fake_memory_write_u16(t, page + 12, 1000);
	fake_memory_write(t, page + 16, link_free(t, blocks));
	fake_memory_write_u16(t, page + 32, FAKE_BLOCKS - FAKE_FREE);
	fake_memory_write(t, page + 40, FAKE_BLOCK_BYTES);
	fake_memory_write(t, page + 48, blocks);
	fake_memory_write_u32(t, page + 96, 510);
	return t;
}

/* mimalloc 3.3.2: a page map, an arena with a page and free slices */

#define V3_ROOT_BYTES (UINT64_C(8) << 15)
#define V3_PART_BYTES MW_KIB(64)
#define V3_BITMAP_BYTES 192

static void make_mimalloc_v3_arena(struct mw_target *t)
{
	fake_memory_write(t, HEAP, HEAP);
	fake_memory_write(t, HEAP + 8, MW_MIB(32));
	fake_memory_write_u32(t, HEAP + 16, 4);
	fake_memory_write(t, HEAP + 40, 512);
	fake_memory_write(t, HEAP + 48, 1);
	for (uint64_t i = 0; i < 4; i++) {
		uint64_t map = HEAP + 4096 + i * V3_BITMAP_BYTES;

		fake_memory_write(t, HEAP + 104 + 8 * i, map);
		fake_memory_write(t, map, 1);
		// All but the first two are free; none was used yet.
		for (unsigned word = 0; i == 0 && word < 8; word++)
			fake_memory_write(t, map + 128 + 8 * word,
					  word == 0 ? ~UINT64_C(3)
						    : UINT64_MAX);
	}
}

static struct mw_target *make_mimalloc_v3(void)
{
	struct mw_target *t = fake_memory_new();
	uint64_t page = HEAP + MW_KIB(64), blocks = page + 128;
	uint64_t part = OWN + V3_ROOT_BYTES + V3_PART_BYTES;

	fake_memory_map(t, HEAP, MW_MIB(32), "");
	fake_memory_map(t, OWN, V3_ROOT_BYTES + 2 * V3_PART_BYTES, "");
	fake_memory_map_data(t, DATA, MW_PAGE_BYTES);
	fake_memory_write(t, DATA + 8, OWN);
	fake_memory_write(t, DATA + 16, HEAP);
	fake_memory_write(t, OWN, OWN + V3_ROOT_BYTES);
	fake_memory_write(t, OWN + 8 * (HEAP >> 29), part);
	fake_memory_write(t, part + 8, page);
	make_mimalloc_v3_arena(t);

	fake_memory_write(t, page, THREAD);
	fake_memory_write(t, page + 8, link_free(t, blocks));
	fake_memory_write_u16(t, page + 16, FAKE_BLOCKS - FAKE_FREE);
	fake_memory_write_u16(t, page + 18, FAKE_BLOCKS);
	fake_memory_write_u16(t, page + 20, 1000);
	fake_memory_write(t, page + 32, 1);
	fake_memory_write(t, page + 40, FAKE_BLOCK_BYTES);
	fake_memory_write(t, page + 48, blocks);
	fake_memory_write(t, page + 96, HEAP);
	fake_memory_write_u32(t, page + 104, 1);
	fake_memory_write_u32(t, page + 108, 1);
	fake_memory_write_u32(t, page + 112, 7);
	return t;
}

/* jemalloc 5.3: a slab and a dirty extent, and a piece of its HPA */

#define JE_ROOT (DATA + MW_PAGE_BYTES)
#define JE_TREE_BYTES MW_MIB(2)
#define JE_SZIND 4 /* of 64 bytes */
#define JE_PIECE (HEAP + MW_MIB(4))
#define JE_BASE (OWN + MW_MIB(16))

static void make_jemalloc_bins(struct mw_target *t)
{
	uint64_t bytes = 8;

	for (unsigned i = 0; i < 36; i++) {
		uint64_t at = DATA + 64 + UINT64_C(40) * i;
		uint64_t slab = MW_PAGE_BYTES;

		while (slab % bytes != 0)
			slab += MW_PAGE_BYTES;
		fake_memory_write(t, at, bytes);
		fake_memory_write(t, at + 8, slab);
		fake_memory_write_u32(t, at + 16, (uint32_t)(slab / bytes));
		bytes += i == 0 ? 8
		       : i < 4 ? 16
			       : UINT64_C(16) << (i - 4) / 4;
	}
}

/** An extent whose descriptor is at @va, with an entry of the tree. */
static void make_extent(struct mw_target *t, uint64_t va, uint64_t start,
			uint64_t bytes, uint64_t bits)
{
	fake_memory_write(t, va, bits);
	fake_memory_write(t, va + 8, start);
	fake_memory_write(t, va + 16, bytes);
	for (uint64_t at = start; at < start + bytes; at += MW_PAGE_BYTES)
		fake_memory_write(t, OWN + 8 * ((at >> 12) & 0x3ffff),
				  va | (bits >> 20 & 0xff) << 48);
}

/** A piece with an active page and a dirty one; behind it lies eden. */
static void make_hpa(struct mw_target *t)
{
	uint64_t hpdata = JE_BASE + 0x40, extent = JE_BASE + 0x200;
	uint64_t eden = DATA + 0x800;

	fake_memory_write(t, JE_BASE, MW_MIB(2));
	fake_memory_write(t, JE_BASE + 24, JE_BASE + 0x400);
	fake_memory_write(t, JE_BASE + 32, MW_MIB(2) - 0x400);
	fake_memory_write(t, hpdata, JE_PIECE);
	fake_memory_write(t, hpdata + 96, 510);
	fake_memory_write(t, hpdata + 104, 1);
	fake_memory_write(t, hpdata + 112, 1);
	fake_memory_write(t, hpdata + 176, 2);
	fake_memory_write(t, hpdata + 184, 3);
	fake_memory_write(t, eden, JE_PIECE + MW_MIB(2));
	fake_memory_write(t, eden + 8, MW_MIB(2));
	make_extent(t, extent, JE_PIECE, MW_PAGE_BYTES,
		    1u << 14 | UINT64_C(232) << 20);
	fake_memory_make_present(t, JE_PIECE, 2 * MW_PAGE_BYTES);
	fake_memory_make_present(t, JE_BASE, MW_PAGE_BYTES);
}

static struct mw_target *make_jemalloc(void)
{
	struct mw_target *t = fake_memory_new();
	uint64_t base = OWN + JE_TREE_BYTES, free = 64 - FAKE_BLOCKS;

	fake_memory_map(t, HEAP, MW_MIB(1), "");
	fake_memory_map(t, JE_PIECE, MW_MIB(4), "");
	fake_memory_map(t, OWN, JE_TREE_BYTES + MW_PAGE_BYTES, "");
	fake_memory_map(t, JE_BASE, MW_MIB(2), "");
	fake_memory_map_data(t, DATA, MW_PAGE_BYTES + JE_TREE_BYTES);
	make_jemalloc_bins(t);
	fake_memory_write(t, JE_ROOT + 8 * (HEAP >> 30), OWN);
	// The slab has 64 regions: what is above FAKE_BLOCKS is free, too.
	free += FAKE_FREE;
	make_extent(t, base, HEAP, MW_PAGE_BYTES,
		    1u << 12 | JE_SZIND << 20 | free << 28);
	fake_memory_write(t, base + 64,
			  ~((UINT64_C(1) << (FAKE_BLOCKS - FAKE_FREE)) - 1));
	make_extent(t, base + 128, HEAP + MW_PAGE_BYTES, 4 * MW_PAGE_BYTES,
		    UINT64_C(1) << 17 | UINT64_C(232) << 20);
	fake_memory_make_present(t, HEAP, 5 * MW_PAGE_BYTES);
	make_hpa(t);
	return t;
}

/* TCMalloc: a span with blocks, and a free one; 8 KiB pages */

#define TC_SIZES (DATA + 0x1000)
#define TC_ROOT (DATA + 0x2000)
#define TC_ROOT_BYTES MW_MIB(1)
#define TC_FREE (TC_ROOT + TC_ROOT_BYTES + 2 * 48 + 8)
#define TC_LEAF_BYTES MW_MIB(2)
#define TC_PAGE_SHIFT 13

static void make_span(struct mw_target *t, uint64_t va, uint64_t page,
		      uint64_t pages, uint64_t objects, uint32_t bits)
{
	uint64_t leaf = OWN + 8 * (page & 0x3ffff);

	fake_memory_write(t, va, page);
	fake_memory_write(t, va + 8, pages);
	fake_memory_write(t, va + 32, objects);
	fake_memory_write_u32(t, va + 40, bits);
	fake_memory_write(t, leaf, va);
	fake_memory_write(t, leaf + 8 * (pages - 1), va);
}

static struct mw_target *make_tcmalloc(void)
{
	struct mw_target *t = fake_memory_new();
	uint64_t spans = OWN + TC_LEAF_BYTES, page = HEAP >> TC_PAGE_SHIFT;
	uint32_t in_use = FAKE_BLOCKS - FAKE_FREE;
	uint64_t list = 0;

	fake_memory_map(t, HEAP, MW_MIB(1), "");
	fake_memory_map(t, OWN, TC_LEAF_BYTES + MW_PAGE_BYTES, "");
	fake_memory_map_data(t, DATA, MW_MIB(1) + MW_KIB(64));
	// 8, 16, 32, 64 and so on, up to 256 KiB: class 4 has 64 bytes.
	for (unsigned i = 1; i <= 16; i++)
		fake_memory_write_u32(t, TC_SIZES + 4 * i, 4u << i);
	for (uint64_t i = 0; i < 256; i++) {
		uint64_t head = TC_FREE + 48 * i;

		fake_memory_write(t, head + 16, head);
		fake_memory_write(t, head + 24, head);
	}
	fake_memory_write(t, TC_ROOT + 8 * (page >> 18), OWN);
	// The span has 128 blocks.
	for (uint64_t i = in_use; i < 128; i++) {
		fake_memory_write(t, HEAP + i * FAKE_BLOCK_BYTES, list);
		list = HEAP + i * FAKE_BLOCK_BYTES;
	}
	make_span(t, spans, page, 1, list, in_use | 4u << 16);
	make_span(t, spans + 48, page + 1, 8, 0, 1u << 24);
	fake_memory_make_present(t, HEAP, 9 << TC_PAGE_SHIFT);
	return t;
}

/* Google's TCMalloc: a span with blocks; 8 KiB pages */

#define GTC_SIZES (DATA + 0x1000)
#define GTC_GROUPS 20 /* size classes, of which 17 are used */
#define GTC_ROOT (DATA + 0x2000)
#define GTC_SPAN (OWN + MW_KIB(320))

static struct mw_target *make_google_tcmalloc(void)
{
	struct mw_target *t = fake_memory_new();
	uint64_t page = HEAP >> 13, entry = page & 0x7fff;
	uint64_t in_use = FAKE_BLOCKS - FAKE_FREE;

	fake_memory_map(t, HEAP, MW_MIB(1), "");
	fake_memory_map(t, OWN, MW_KIB(324), "");
	fake_memory_map_data(t, DATA, MW_MIB(8) + MW_KIB(64));
	// 8, 16, 32, 64 and so on, up to 256 KiB: class 4 has 64 bytes.
	for (uint64_t i = 1; i <= 16; i++) {
		fake_memory_write_u32(t, GTC_SIZES + 4 * i, 4u << i);
		// Of one byte each: the next one is written later.
		fake_memory_write_u16(t, GTC_SIZES - 2 * GTC_GROUPS + i, 2);
		fake_memory_write_u16(t, GTC_SIZES - GTC_GROUPS + i, 2);
	}
	fake_memory_write(t, GTC_ROOT + 8 * (page >> 15), OWN);
	fake_memory_write_u16(t, OWN + entry, 4);
	fake_memory_write(t, OWN + 0x8000 + 8 * entry, GTC_SPAN | 4ull << 48);
	// The span has 128 blocks.
	fake_memory_write(t, GTC_SPAN + 16, in_use << 32);
	fake_memory_write(t, GTC_SPAN + 24, page);
	fake_memory_write(t, GTC_SPAN + 32, 1);
	fake_memory_write(t, GTC_SPAN + 40, UINT64_MAX << in_use);
	fake_memory_write(t, GTC_SPAN + 48, UINT64_MAX);
	fake_memory_make_present(t, HEAP, MW_MIB(1) / 2);
	return t;
}

#define GTC_REGION UINT64_C(0x4000000000)

struct mw_target *fake_unknown_google_tcmalloc(void)
{
	struct mw_target *t = make_google_tcmalloc();
	uint64_t page = HEAP >> 13, reserved = MW_GIB(1) - MW_MIB(1);

	fake_memory_write(t, GTC_ROOT + 8 * (page >> 15), 0);
	fake_memory_map(t, GTC_REGION, reserved, "");
	t->maps.list.v[t->maps.list.n - 1].perms = 0;
	fake_memory_map(t, GTC_REGION + reserved, MW_MIB(1), "");
	return t;
}

/* musl 1.2.5: a group of slots */

#define MUSL_SECRET UINT64_C(0x0123456789abcdef)

static struct mw_target *make_musl(void)
{
	struct mw_target *t = fake_memory_new();
	uint64_t context = DATA + 64, meta = OWN + 24;
	uint32_t free = ((1u << FAKE_FREE) - 1) << (FAKE_BLOCKS - FAKE_FREE);

	fake_memory_map(t, HEAP, MW_PAGE_BYTES, "");
	fake_memory_map(t, OWN, MW_PAGE_BYTES, "");
	fake_memory_map_data(t, DATA, MW_PAGE_BYTES);
	fake_memory_set_random(t, DATA + 16);
	fake_memory_write(t, DATA + 24, MUSL_SECRET);
	fake_memory_write(t, context, MUSL_SECRET);
	fake_memory_write_u32(t, context + 8, 1);
	fake_memory_write(t, context + 56, OWN);
	fake_memory_write(t, OWN, MUSL_SECRET);
	fake_memory_write_u32(t, OWN + 16, 1);
	fake_memory_write(t, meta + 16, HEAP);
	fake_memory_write_u32(t, meta + 24, free & 0xff00);
	fake_memory_write_u32(t, meta + 28, free & ~0xff00u);
	fake_memory_write(t, meta + 32, (FAKE_BLOCKS - 1) | 3u << 6 | 1u << 12);
	fake_memory_write(t, HEAP, meta);
	return t;
}

const struct fake_allocator fake_allocators[] = {
	{ "mimalloc", "thread-1", make_mimalloc_v2 },
	{ "mimalloc", "thread-1", make_mimalloc_v3 },
	{ "jemalloc", "arena-0", make_jemalloc },
	{ "tcmalloc", "heap", make_tcmalloc },
	{ "musl", "heap", make_musl },
	{ "google-tcmalloc", "heap", make_google_tcmalloc },
};
const size_t fake_allocator_count = MW_COUNT(fake_allocators);

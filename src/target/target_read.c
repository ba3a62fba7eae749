/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "target_int.h"

int mw_target_file_of(struct mw_target *target,
		      const struct mw_mapping *mapping)
{
	for (size_t i = 0; i < OPEN_FILES; i++) {
		const struct open_file *f = &target->files[i];

		if (f->inode == mapping->inode &&
		    f->dev_major == mapping->dev_major &&
		    f->dev_minor == mapping->dev_minor)
			return f->fd;
	}

	struct open_file *f = &target->files[target->next_file];
	target->next_file = (target->next_file + 1) % OPEN_FILES;
	if (f->inode && f->fd >= 0)
		close(f->fd);
	*f = (struct open_file){
		.inode = mapping->inode,
		.dev_major = mapping->dev_major,
		.dev_minor = mapping->dev_minor,
		.fd = -1,
	};
	mw_error_free(target->source->open_file(target, mapping, &f->fd));
	return f->fd;
}

bool mw_target_read_file_page(int fd, const struct mw_mapping *mapping,
			      uint64_t va, uint8_t *to)
{
	ssize_t got = pread(fd, to, MW_PAGE_BYTES,
			    (off_t)(va - mapping->start + mapping->offset));

	if (got <= 0)
		return false; // behind the end the target would get SIGBUS
	memset(to + got, 0, MW_PAGE_BYTES - (size_t)got);
	return true;
}

/** The pages of a block that are to be copied from the target. */
struct plan {
	struct mw_remote ranges[BLOCK_PAGES];
	size_t count;
};

static void plan_copies(struct mw_target *target, const struct block *block,
			size_t run, struct plan *plan)
{
	uint64_t end = block->va + BLOCK_BYTES;

	run = mw_pages_after_hint(&target->pages, block->va, run);
	for (; run < target->pages.runs.n; run++) {
		uint64_t packed = target->pages.runs.v[run];
		uint64_t from = mw_max(mw_run_start(packed), block->va);
		uint64_t to = mw_min(mw_run_end(packed), end);
		struct mw_remote *last =
			plan->count ? &plan->ranges[plan->count - 1] : NULL;

		if (from >= to)
			break;
		if (!(mw_run_state(packed) & MW_PAGE_PRESENT))
			continue;
		if (last && last->va + last->bytes == from)
			last->bytes += to - from;
		else
			plan->ranges[plan->count++] = (struct mw_remote){
				from,
				block->bytes + (from - block->va),
				to - from,
			};
	}
}

/** Note the pages of @range as known, of which @bytes bytes have arrived. */
static void note_known(struct block *block, const struct mw_remote *range,
		       size_t bytes)
{
	size_t first = (range->va - block->va) / MW_PAGE_BYTES;

	for (size_t page = 0; page < bytes / MW_PAGE_BYTES; page++)
		block->known |= 1u << (first + page);
}

/** Read the present pages of @to, whose place is set. */
static void copy_pages(struct mw_target *target, struct block *to,
			  size_t run_hint)
{
	struct plan plan = { .count = 0 };
	size_t got;

	plan_copies(target, to, run_hint, &plan);
	if (!target->info.can_read || plan.count == 0)
		return;
	got = target->source->read_present(target, plan.ranges, plan.count);
	for (size_t i = 0; i < plan.count; i++) {
		struct mw_remote *range = &plan.ranges[i];
		size_t have = mw_min(got, range->bytes);

		note_known(to, range, have);
		got -= have;
		// A page that has gone since ends the transfer; those behind
		// it are tried by themselves.
		for (have = mw_align_down(have, MW_PAGE_BYTES);
		     have < range->bytes; have += MW_PAGE_BYTES) {
			struct mw_remote page = {
				range->va + have,
				(uint8_t *)range->to + have,
				MW_PAGE_BYTES,
			};

			note_known(to, &page,
				   target->source->read_present(target, &page,
								1));
		}
	}
}

/** Fill what of @block is neither present nor swapped, where it is known. */
static void fill_absent(struct mw_target *target, struct block *block)
{
	size_t m = mw_mappings_after(&target->maps, block->va);

	for (size_t page = 0; page < BLOCK_PAGES; page++) {
		uint64_t va = block->va + page * MW_PAGE_BYTES;

		while (m < target->maps.list.n &&
		       target->maps.list.v[m].end <= va)
			m++;
		if (m == target->maps.list.n)
			break;
		if (target->maps.list.v[m].start > va ||
		    (block->known >> page & 1) ||
		    mw_pages_state(&target->pages, va))
			continue;
		if (target->source->read_absent(
			    target, &target->maps.list.v[m], va,
			    block->bytes + page * MW_PAGE_BYTES))
			block->known |= 1u << page;
	}
}

static void fill_block(struct mw_target *target, struct block *block)
{
	block->known = 0;
	target->run_hint = mw_pages_after_hint(&target->pages, block->va,
					       target->run_hint);
	copy_pages(target, block, target->run_hint);
	if (block->known != (1u << BLOCK_PAGES) - 1)
		fill_absent(target, block);
}

static struct block *set_of(struct mw_target *target, uint64_t va)
{
	// Streams often lie a multiple of some MiB apart: mix the high bits.
	uint64_t hash = va / BLOCK_BYTES * UINT64_C(0x9e3779b97f4a7c15);

	return target->cache[(hash >> 32) % CACHE_SETS];
}

/** The block at @va if it has been read, or NULL. */
static struct block *cached_block(struct mw_target *target, uint64_t va)
{
	struct block *set = set_of(target, va);

	for (size_t way = 0; way < CACHE_WAYS; way++)
		if (set[way].used && set[way].va == va) {
			set[way].used = ++target->clock;
			return &set[way];
		}
	return NULL;
}

static bool alloc_cache(struct mw_target *target)
{
	struct block *blocks = target->cache[0];

	target->cache_bytes = mw_map(CACHE_BLOCKS * BLOCK_BYTES);
	for (size_t i = 0; target->cache_bytes && i < CACHE_BLOCKS; i++)
		blocks[i].bytes = target->cache_bytes + i * BLOCK_BYTES;
	return target->cache_bytes;
}

static struct block *find_block(struct mw_target *target, uint64_t va)
{
	struct block *block = cached_block(target, va);
	struct block *oldest = set_of(target, va);

	if (block)
		return block;
	for (size_t way = 1; way < CACHE_WAYS; way++)
		if (set_of(target, va)[way].used < oldest->used)
			oldest = &set_of(target, va)[way];
	if (!target->cache_bytes && !alloc_cache(target))
		return NULL;
	oldest->va = va;
	oldest->used = ++target->clock;
	fill_block(target, oldest);
	return oldest;
}

/** One bit for each page of a block that [@offset, @offset + @bytes) touches. */
static uint32_t pages_of(uint64_t offset, uint64_t bytes)
{
	uint32_t first = (uint32_t)(offset / MW_PAGE_BYTES);
	uint32_t last = (uint32_t)((offset + bytes - 1) / MW_PAGE_BYTES);

	return (2u << last) - (1u << first);
}

bool mw_target_read(struct mw_target *target, uint64_t va, void *to,
		    size_t bytes)
{
	if (target->kept)
		mw_kept_note_read(target, va, bytes);
	return mw_target_search(target, va, to, bytes);
}

bool mw_target_search(struct mw_target *target, uint64_t va, void *to,
		      size_t bytes)
{
	const struct block *last = target->last;
	uint8_t *at = to;
	uint64_t end;

	if (!mw_end(va, bytes, &end) || bytes == 0)
		return bytes == 0;
	// Most reads follow the one before.
	if (last && va >= last->va && end <= last->va + BLOCK_BYTES) {
		uint32_t need = pages_of(va - last->va, bytes);

		if ((last->known & need) == need) {
			memcpy(to, last->bytes + (va - last->va), bytes);
			return true;
		}
	}
	while (va < end) {
		uint64_t block_va = mw_align_down(va, BLOCK_BYTES);
		uint64_t offset = va - block_va;
		uint64_t take = mw_min(end - va, BLOCK_BYTES - offset);
		struct block *block = find_block(target, block_va);

		if (!block)
			return false;
		target->last = block;
		uint32_t need = pages_of(offset, take);
		if ((block->known & need) != need)
			return false;
		memcpy(at, block->bytes + offset, take);
		at += take;
		va += take;
	}
	return true;
}

const void *mw_target_view(struct mw_target *target, uint64_t va, size_t bytes)
{
	uint64_t block_va = mw_align_down(va, BLOCK_BYTES);
	uint64_t offset = va - block_va;
	struct block *block = target->last;

	if (bytes == 0 || offset + bytes > BLOCK_BYTES)
		return NULL;
	if (!block || block->va != block_va) {
		block = find_block(target, block_va);
		if (!block)
			return NULL;
		target->last = block;
	}
	uint32_t need = pages_of(offset, bytes);
	return (block->known & need) == need ? block->bytes + offset : NULL;
}

/** Whether absent pages of [@va, @end) are zeros to the program. */
static bool reads_as_zeros(const struct mw_target *target, uint64_t va,
			 uint64_t end)
{
	const struct mw_mapping *m = mw_mappings_find(&target->maps, va);

	return m && end <= m->end && mw_mapping_is_anonymous(m) &&
	       !target->absent_is_unknown && mw_mapping_has_states(m) && (m->perms & MW_PERM_R);
}

static bool read_exactly(const struct mw_target *target, uint64_t va, void *to,
			 size_t bytes)
{
	struct mw_remote range = { va, to, bytes };

	return target->source->read_present(target, &range, 1) == bytes;
}

bool mw_target_copy(const struct mw_target *target, uint64_t va, void *to,
		    size_t bytes)
{
	const struct mw_pages *pages = &target->pages;
	uint8_t *out = to;
	uint64_t end;

	if (!target->info.can_read || !mw_end(va, bytes, &end))
		return false;
	for (size_t i = mw_pages_after(pages, va); va < end; i++) {
		uint64_t from = end, until = end;

		if (i < pages->runs.n) {
			from = mw_min(end, mw_max(va, mw_run_start(
							      pages->runs.v[i])));
			until = mw_min(end, mw_run_end(pages->runs.v[i]));
		}
		if (from > va) {
			if (!reads_as_zeros(target, va, from))
				return false;
			memset(out, 0, from - va);
			out += from - va;
			va = from;
		}
		// Runs that adjoin are read at once.
		while (va < end && i + 1 < pages->runs.n && until < end &&
		       mw_run_start(pages->runs.v[i + 1]) == until &&
		       (mw_run_state(pages->runs.v[i + 1]) & MW_PAGE_PRESENT))
			until = mw_min(end,
				       mw_run_end(pages->runs.v[++i]));
		if (va < until) {
			if (!(mw_run_state(pages->runs.v[i]) &
			      MW_PAGE_PRESENT) ||
			    !read_exactly(target, va, out, until - va))
				return false;
			out += until - va;
			va = until;
		}
	}
	return true;
}

bool mw_target_peek(struct mw_target *target, uint64_t va, void *to,
		    size_t bytes)
{
	uint64_t first = mw_align_down(va, BLOCK_BYTES), end;
	const struct mw_mapping *mapping;

	if (!mw_end(va, bytes, &end) || bytes == 0 ||
	    mw_align_down(va, MW_PAGE_BYTES) !=
		    mw_align_down(end - 1, MW_PAGE_BYTES) ||
	    !target->info.can_read || cached_block(target, first) ||
	    !(mw_pages_state(&target->pages, va) & MW_PAGE_PRESENT))
		return mw_target_read(target, va, to, bytes);
	if (target->kept)
		mw_kept_note_read(target, va, bytes);
	mapping = mw_mappings_find(&target->maps, va);
	return mapping && read_exactly(target, va, to, bytes);
}

bool mw_target_read_now(const struct mw_target *target, uint64_t va, void *to,
			size_t bytes)
{
	uint64_t end;

	return target->info.mode == MW_CAPTURE_LIVE && target->info.can_read &&
	       target->source->read_now && bytes > 0 &&
	       bytes <= MW_PAGE_BYTES && mw_end(va, bytes, &end) &&
	       target->source->read_now(target, va, to, bytes);
}

bool mw_target_read_u64(struct mw_target *target, uint64_t va, uint64_t *ret)
{
	uint64_t value;

	if (!mw_target_read(target, va, &value, sizeof(value)))
		return false;
	*ret = value;
	return true;
}

bool mw_target_read_u32(struct mw_target *target, uint64_t va, uint32_t *ret)
{
	uint32_t value;

	if (!mw_target_read(target, va, &value, sizeof(value)))
		return false;
	*ret = value;
	return true;
}

void mw_target_forget(struct mw_target *target, uint64_t va, uint64_t bytes)
{
	target->last = NULL;
	for (size_t set = 0; set < CACHE_SETS; set++)
		for (size_t way = 0; way < CACHE_WAYS; way++) {
			struct block *b = &target->cache[set][way];

			if (b->used && b->va < va + bytes &&
			    b->va + BLOCK_BYTES > va)
				b->used = 0;
		}
}

void mw_target_free_cache(struct mw_target *target)
{
	mw_unmap(target->cache_bytes, CACHE_BLOCKS * BLOCK_BYTES);
	for (size_t i = 0; i < OPEN_FILES; i++)
		if (target->files[i].inode && target->files[i].fd >= 0)
			close(target->files[i].fd);
}

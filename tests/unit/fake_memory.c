/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fake_target.h"
#include "mw_num.h"

struct process {
	struct mw_target target; /* first: what callers have a pointer to */
	struct mw_elf elf;
	struct mw_elf_segment segment;
	struct mw_image image;
	bool *present[MW_COUNT(((struct mw_target *)0)->areas)]; /* a page each */
};

static struct process *process_of(struct mw_target *target)
{
	return (struct process *)target;
}

struct mw_target *fake_memory_new(void)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->target.info = (struct mw_target_info){
		.is_64 = true,
		.can_read = true,
		.mode = MW_CAPTURE_STOP,
	};
	return &p->target;
}

void fake_memory_free(struct mw_target *target)
{
	struct process *p = process_of(target);

	for (size_t i = 0; i < target->area_count; i++) {
		munmap(target->areas[i].bytes, target->areas[i].size);
		free(p->present[i]);
	}
	fake_target_deinit(target);
	free(p);
}

void fake_memory_map(struct mw_target *target, uint64_t start, uint64_t bytes,
		     const char *path)
{
	struct process *p = process_of(target);
	// What malloc() has may be overwritten when it is freed, all of it.
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	bool *present = calloc(bytes / MW_PAGE_BYTES, 1);

	if (at == MAP_FAILED || !present)
		abort();
	p->present[target->area_count] = present;
	fake_target_map(target, start, at, bytes, path);
}

void fake_memory_map_new(struct mw_target *target, uint64_t start,
			 uint64_t bytes)
{
	size_t area = target->area_count;
	size_t maps = target->maps.list.n;

	fake_memory_map(target, start, bytes, "");
	target->maps.list.n = maps;
	target->areas[area].is_new = true;
}

void fake_memory_map_data(struct mw_target *target, uint64_t start,
			  uint64_t bytes)
{
	struct process *p = process_of(target);

	fake_memory_map(target, start, bytes, "");
	p->segment = (struct mw_elf_segment){
		.type = PT_LOAD,
		.flags = PF_R | PF_W,
		.vaddr = start,
		.memsz = bytes,
	};
	p->elf.segments.v = &p->segment;
	p->elf.segments.n = 1;
	p->image = (struct mw_image){
		.elf = &p->elf,
		.start = start,
		.end = start + bytes,
	};
	target->images = &p->image;
	target->image_count = 1;
}

bool fake_memory_range(const struct mw_target *target, size_t i,
		       uint64_t *ret_start, uint64_t *ret_bytes)
{
	if (i >= target->area_count)
		return false;
	*ret_start = target->areas[i].va;
	*ret_bytes = target->areas[i].size;
	return true;
}

void fake_memory_make_present(struct mw_target *target, uint64_t start,
			      uint64_t bytes)
{
	uint64_t va, size;

	for (size_t i = 0; fake_memory_range(target, i, &va, &size); i++)
		for (uint64_t at = start - va;
		     start >= va && at < size && at < start - va + bytes;
		     at += MW_PAGE_BYTES)
			process_of(target)->present[i][at / MW_PAGE_BYTES] =
				true;
}

static void write_bytes(struct mw_target *target, uint64_t va,
			const void *from, size_t bytes)
{
	void *at = fake_target_at(target, va, bytes);

	if (!at)
		return;
	memcpy(at, from, bytes);
	fake_memory_make_present(target, va, 1);
	fake_memory_make_present(target, va + bytes - 1, 1);
}

void fake_memory_write(struct mw_target *target, uint64_t va, uint64_t word)
{
	write_bytes(target, va, &word, sizeof(word));
}

void fake_memory_write_u32(struct mw_target *target, uint64_t va,
			   uint32_t word)
{
	write_bytes(target, va, &word, sizeof(word));
}

void fake_memory_write_u16(struct mw_target *target, uint64_t va,
			   uint16_t word)
{
	write_bytes(target, va, &word, sizeof(word));
}

void fake_memory_set_random(struct mw_target *target, uint64_t va)
{
	target->random = va;
}

void fake_memory_finish(struct mw_target *target)
{
	uint64_t va, size;

	for (size_t i = 0; fake_memory_range(target, i, &va, &size); i++)
		for (uint64_t at = 0; at < size; at += MW_PAGE_BYTES)
			if (!target->areas[i].is_new &&
			    process_of(target)->present[i][at / MW_PAGE_BYTES] &&
			    !mw_pages_add(&target->pages, va + at,
					  va + at + MW_PAGE_BYTES,
					  MW_PAGE_PRESENT))
				abort();
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "gort_int.h"

static uint64_t little_endian(const uint8_t *bytes, uint32_t size)
{
	uint64_t value = 0;

	switch (size) {
	case 1:
		return *bytes;
	case 2:
		return mw_u16(bytes);
	case 4:
		return mw_u32(bytes);
	case 8:
		return mw_u64(bytes);
	}
	memcpy(&value, bytes, mw_min(size, sizeof(value)));
	return value;
}

bool go_read(const struct mw_go *go, uint64_t va, enum go_field field,
	     uint64_t *ret)
{
	const struct go_member *m = &go->layout.at[field];
	uint8_t bytes[8];
	uint32_t size = (uint32_t)mw_min(m->bytes, sizeof(bytes));

	if (size == 0 || va > UINT64_MAX - m->offset ||
	    !mw_target_read(go->target, va + m->offset, bytes, size))
		return false;
	*ret = little_endian(bytes, size);
	return true;
}

bool go_read_slice(const struct mw_go *go, uint64_t va, struct go_slice *ret)
{
	uint64_t words[3];

	if (!mw_target_read(go->target, va, words, sizeof(words)) ||
	    words[1] > words[2])
		return false;
	*ret = (struct go_slice){ words[0], words[1], words[2] };
	return true;
}

bool go_read_ps(const struct mw_go *go, struct go_slice *ret)
{
	if (go->allp && go->allp_count)
		*ret = (struct go_slice){ go->allp, go->allp_count,
					  go->allp_count };
	return go->allp &&
	       (go->allp_count || go_read_slice(go, go->allp, ret));
}

uint64_t go_get(const struct mw_go *go, const uint8_t *bytes,
		enum go_field field)
{
	const struct go_member *m = &go->layout.at[field];

	assert(m->bytes > 0);
	return little_endian(bytes + m->offset, m->bytes);
}

void go_each_resident(const struct mw_go *go, uint64_t start, uint64_t bytes,
		      void (*visit)(uint64_t start, uint64_t bytes, void *ctx),
		      void *ctx)
{
	const struct mw_pages *pages = mw_target_pages(go->target);
	uint64_t end;

	if (!mw_end(start, bytes, &end))
		return;
	for (size_t i = mw_pages_after(pages, start); i < pages->runs.n; i++) {
		uint64_t run = pages->runs.v[i];
		uint64_t from = mw_max(start, mw_run_start(run));
		uint64_t to = mw_min(end, mw_run_end(run));

		if (from >= to)
			break;
		// The zero page is present too, but there is nothing on it.
		if ((mw_run_state(run) & (MW_PAGE_PRESENT | MW_PAGE_ZERO)) ==
		    MW_PAGE_PRESENT)
			visit(from, to - from, ctx);
	}
}

bool go_is_mapped(const struct mw_go *go, uint64_t va, uint64_t bytes)
{
	const struct mw_mappings *maps = mw_target_mappings(go->target);
	uint64_t end;

	if (!mw_end(va, bytes, &end))
		return false;
	for (size_t i = mw_mappings_after(maps, va); va < end; i++) {
		if (i == maps->list.n || maps->list.v[i].start > va)
			return false;
		va = maps->list.v[i].end;
	}
	return true;
}

struct pointers {
	struct mw_go *go;
	uint64_t array;
	struct mw_error *(*visit)(struct mw_go *go, uint64_t index,
				  uint64_t value, void *ctx);
	void *ctx;
	struct mw_error *error;
};

static void visit_pointers(uint64_t start, uint64_t bytes, void *ctx)
{
	struct pointers *p = ctx;
	uint64_t words[1024];
	uint64_t end = start + bytes;

	for (uint64_t at = mw_align_up(start, 8); at < end && !p->error;) {
		size_t take = mw_min(end - at, sizeof(words)) & ~UINT64_C(7);

		if (take == 0)
			break;
		if (mw_target_read(p->go->target, at, words, take))
			for (size_t i = 0; i < take / 8 && !p->error; i++)
				if (words[i])
					p->error = p->visit(
						p->go,
						(at - p->array) / 8 + i,
						words[i], p->ctx);
		at += take;
	}
}

struct mw_error *
go_each_pointer(struct mw_go *go, uint64_t array, uint64_t count,
		struct mw_error *(*visit)(struct mw_go *go, uint64_t index,
					  uint64_t value, void *ctx),
		void *ctx)
{
	struct pointers p = { go, array, visit, ctx, NULL };
	uint64_t bytes;

	if (!__builtin_mul_overflow(count, 8, &bytes))
		go_each_resident(go, array, bytes, visit_pointers, &p);
	return p.error;
}

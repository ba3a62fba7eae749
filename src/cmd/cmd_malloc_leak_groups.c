/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "cmd_malloc_leaks.h"

/* Lost blocks that are alike are told together. */

static uint64_t mix(uint64_t hash, uint64_t more)
{
	hash = (hash ^ more) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint64_t hash_of(const struct leak_group *g)
{
	uint64_t hash = mix(0, g->block_bytes);

	hash = mix(hash, (uint64_t)(uintptr_t)g->arena);
	hash = mix(hash, g->pointer);
	return mix(hash, (uint64_t)g->kind << 8 | (uint64_t)g->content);
}

static bool are_alike(const struct leak_group *a, const struct leak_group *b)
{
	return a->kind == b->kind && a->content == b->content &&
	       a->arena == b->arena && a->block_bytes == b->block_bytes &&
	       a->pointer == b->pointer;
}

/** The group like @like, made if new; NULL without memory. */
static struct leak_group *group_like(struct leak_groups *groups,
				     const struct leak_group *like)
{
	uint64_t *first = mw_map64_at(&groups->by_hash, hash_of(like));
	struct leak_group *group;

	if (!first)
		return NULL;
	for (size_t at = *first; at; at = groups->list.v[at - 1].same_hash)
		if (are_alike(&groups->list.v[at - 1], like))
			return &groups->list.v[at - 1];
	group = mw_vec_push(&groups->list);
	if (!group)
		return NULL;
	*group = *like;
	group->same_hash = *first;
	*first = groups->list.n;
	return group;
}

struct mw_error *leak_groups_add(struct leak_groups *groups,
				 const struct mw_alloc_block *block,
				 const struct mw_leak *leak,
				 const struct mw_block_content *content)
{
	bool has_type = content->kind == MW_CONTENT_OBJECT ||
			content->kind == MW_CONTENT_MODULE;
	struct leak_group *group = group_like(groups, &(struct leak_group){
		.kind = leak->kind,
		.content = content->kind,
		.arena = block->arena,
		.block_bytes = block->user_bytes,
		.pointer = has_type ? content->pointer : 0,
		.example = block->user,
	});

	if (!group)
		return mw_error_nomem();
	group->blocks++;
	group->indirect_blocks += leak->indirect_blocks;
	group->indirect_bytes += leak->indirect_bytes;
	return NULL;
}

/** What is surely lost first, whatever its size: rows may be cut off. */
static int by_weight(const void *a, const void *b)
{
	static const int ranks[] = {
		[MW_LEAK_DEFINITE] = 0,
		[MW_LEAK_INDIRECT] = 1,
		[MW_LEAK_POSSIBLE] = 2,
	};
	const struct leak_group *x = a, *y = b;
	uint64_t xs = leak_group_bytes(x) + x->indirect_bytes;
	uint64_t ys = leak_group_bytes(y) + y->indirect_bytes;

	if (x->kind != y->kind)
		return ranks[x->kind] - ranks[y->kind];
	if (xs != ys)
		return xs > ys ? -1 : 1;
	return x->example < y->example ? -1 : x->example > y->example;
}

void leak_groups_sort(struct leak_groups *groups)
{
	// Afterwards the index by hash leads nowhere.
	mw_map64_free(&groups->by_hash);
	if (groups->list.n > 0)
		qsort(groups->list.v, groups->list.n, sizeof(*groups->list.v),
		      by_weight);
}

void leak_groups_free(struct leak_groups *groups)
{
	for (size_t i = 0; i < groups->list.n; i++)
		mw_free(groups->list.v[i].type);
	mw_vec_free(&groups->list);
	mw_map64_free(&groups->by_hash);
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_MALLOC_LEAKS_H
#define CMD_MALLOC_LEAKS_H

#include "cmd_malloc.h"
#include "mw_leaks.h"

/** Lost blocks of one kind, size, arena and content. */
struct leak_group {
	enum mw_leak_kind kind;
	enum mw_content content;
	const struct mw_alloc_arena *arena;
	uint64_t block_bytes;
	uint64_t pointer; /* that types them: see mw_block_content; or 0 */
	uint64_t blocks, indirect_blocks, indirect_bytes;
	uint64_t example; /* the first one's address */
	char *type;
	size_t same_hash; /* 1 + index of another group, or 0 */
};

struct leak_groups {
	MW_VEC(struct leak_group) list;
	struct mw_map64 by_hash; /* -> 1 + index */
};

/** Count @block, which is lost as @leak says and holds @content. */
MW_MUST_USE struct mw_error *
leak_groups_add(struct leak_groups *groups, const struct mw_alloc_block *block,
		const struct mw_leak *leak,
		const struct mw_block_content *content);
/** By falling bytes, those of what is lost with them included. */
void leak_groups_sort(struct leak_groups *groups);
void leak_groups_free(struct leak_groups *groups);

static inline uint64_t leak_group_bytes(const struct leak_group *group)
{
	return group->block_bytes * group->blocks;
}

#endif

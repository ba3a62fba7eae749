/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_locate.h"
#include "gort_stats.h"

/*
 * Which of the runtime's structures an address lies in, by their addresses:
 * variables, descriptors of spans and arenas, caches, and the gs, ms and ps,
 * which are objects of the heap. The member's name is that of fields.def.
 */

#define MAX_THREADS (1 << 20)

static bool holds(uint64_t start, uint64_t bytes, uint64_t va)
{
	return start && va >= start && va - start < bytes;
}

/** How long the part of a member's path that names the container is. */
static size_t array_length(const char *path)
{
	size_t length = strlen(path);

	return length > 2 && strcmp(path + length - 2, "[]") == 0 ? length - 2
								  : 0;
}

/** The bytes of an element of the array @s->field, where they are known. */
static uint64_t element_bytes(const struct mw_go *go,
			      const struct mw_go_structure *s)
{
	for (size_t i = 0; i < GO_FIELDS; i++) {
		const struct go_field_name *name = &go_field_names[i];
		size_t length = array_length(name->path);

		if (length && strcmp(name->structure, s->name) == 0 &&
		    strlen(s->field) == length &&
		    strncmp(name->path, s->field, length) == 0)
			return go_size(go, (enum go_field)i);
	}
	return 0;
}

/** Name the smallest member known that holds @offset. */
static void name_field(const struct mw_go *go, const char *structure,
		       uint64_t offset, struct mw_go_structure *s)
{
	uint64_t smallest = UINT64_MAX, bytes;

	for (size_t i = 0; i < GO_FIELDS; i++) {
		const struct go_field_name *name = &go_field_names[i];
		uint64_t at = go_off(go, (enum go_field)i);

		bytes = go_size(go, (enum go_field)i);
		if (!*name->path || strchr(name->path, '*') ||
		    array_length(name->path) || bytes == 0 ||
		    strcmp(name->structure, structure) != 0 || offset < at ||
		    offset - at >= bytes || bytes >= smallest)
			continue;
		smallest = bytes;
		s->field = name->path;
		s->field_offset = at;
	}
	if (!s->field)
		return;
	bytes = element_bytes(go, s);
	if (bytes) {
		s->has_index = true;
		s->index = (offset - s->field_offset) / bytes;
	}
}

/** Note that @va lies in a @type at @start. */
static void found(const struct mw_go *go, enum go_field type, uint64_t start,
		  uint64_t va, struct mw_go_place *ret)
{
	const char *name = go_field_names[type].structure;

	ret->has_structure = true;
	ret->structure.start = start;
	ret->structure.bytes = go_size(go, type);
	ret->structure.name = strncmp(name, "var ", 4) == 0 ? name + 4 : name;
	name_field(go, name, va - start, &ret->structure);
}

/* Variables */

static void find_variable(struct mw_go *go, uint64_t va,
			  struct mw_go_place *ret)
{
	bool has_stats = go_find_stat_vars(go);
	const struct go_stat_vars *v = &go->stat_vars;
	const struct {
		const char *name;
		enum go_field type;
		uint64_t at;
	} structs[] = {
		{ "runtime.mheap_", GO_mheap, go->mheap },
		{ "runtime.sched", GO_schedt, go->sched },
		{ "runtime.memstats", GO_mstats, has_stats ? v->memstats : 0 },
		{ "runtime.gcController", GO_gcController, v->controller },
		{ "runtime.gcCPULimiter", GO_gcCPULimiter, v->limiter },
		{ "runtime.work", GO_work, v->work },
		{ "runtime.trace", GO_trace, go->trace },
	};
	const struct {
		const char *name, *type;
		uint64_t at, bytes;
	} plain[] = {
		{ "runtime.allgs", "[]*runtime.g", go->allgs, 24 },
		{ "runtime.allp", "[]*runtime.p", go->allp,
		  go->allp_count ? go->allp_count * 8 : 24 },
		{ "runtime.allm", "*runtime.m", go->allm, 8 },
		{ "runtime.mbuckets", "*runtime.bucket", go->buckets[0], 8 },
		{ "runtime.bbuckets", "*runtime.bucket", go->buckets[1], 8 },
		{ "runtime.xbuckets", "*runtime.bucket", go->buckets[2], 8 },
		{ "runtime.buckhash", "pointer", go->buckhash, 8 },
		{ "runtime.itabTable", "*runtime.itabTableType",
		  go->itab_table, 8 },
		{ "runtime.persistentChunks", "pointer",
		  go->persistent_chunks, 8 },
	};

	for (size_t i = 0; i < MW_COUNT(structs); i++)
		if (go_has(go, structs[i].type) &&
		    holds(structs[i].at, go_size(go, structs[i].type), va)) {
			found(go, structs[i].type, structs[i].at, va, ret);
			ret->structure.variable = structs[i].name;
			return;
		}
	for (size_t i = 0; i < MW_COUNT(plain); i++)
		if (holds(plain[i].at, plain[i].bytes, va)) {
			ret->has_structure = true;
			ret->structure = (struct mw_go_structure){
				.name = plain[i].type,
				.variable = plain[i].name,
				.start = plain[i].at,
				.bytes = plain[i].bytes,
			};
			return;
		}
}

/* Descriptors of the heap */

static void about(struct mw_go_place *ret, uint64_t va)
{
	ret->structure.about = va;
	ret->structure.has_about = true;
}

static void find_descriptor(struct mw_go *go, uint64_t va,
			    struct mw_go_place *ret)
{
	uint64_t size = go_size(go, GO_mspan), arena, index;
	struct go_span span;

	for (size_t i = 0; size && i < go->mspans.n; i++) {
		const struct go_range *r = &go->mspans.v[i];
		uint64_t at = r->start + (va - r->start) / size * size;

		if (!holds(r->start, r->end - r->start, va))
			continue;
		found(go, GO_mspan, at, va, ret);
		if (go_read_span(go, at, &span) && span.state != GO_SPAN_DEAD)
			about(ret, span.start);
		return;
	}
	for (size_t at = 0;
	     mw_map64_next(&go->heap_arenas, &at, &arena, &index);) {
		if (index == 0 || !holds(arena, go_size(go, GO_heapArena), va))
			continue;
		found(go, GO_heapArena, arena, va, ret);
		about(ret, (index - 1) * GO_ARENA_BYTES - GO_BASE_OFFSET);
		return;
	}
}

/* Processors, threads, goroutines */

static void find_p(struct mw_go *go, uint64_t va, struct mw_go_place *ret)
{
	enum { LIMIT = 1 << 16 };
	struct go_slice ps;
	uint64_t p, cache;

	if (!go_read_ps(go, &ps))
		return;
	for (uint64_t i = 0; i < mw_min(ps.cap, LIMIT); i++) {
		if (!mw_target_read_u64(go->target, ps.ptr + i * 8, &p) || !p)
			continue;
		if (holds(p, go_size(go, GO_p), va))
			found(go, GO_p, p, va, ret);
		else if (go_read(go, p, GO_p_mcache, &cache) &&
			 holds(cache, go_size(go, GO_mcache), va))
			found(go, GO_mcache, cache, va, ret);
		else
			continue;
		about(ret, i);
		return;
	}
}

static void find_g(const struct mw_go *go, uint64_t g, uint64_t va,
		   struct mw_go_place *ret)
{
	uint64_t id;

	if (ret->has_structure || !holds(g, go_size(go, GO_g), va))
		return;
	found(go, GO_g, g, va, ret);
	if (go_read(go, g, GO_g_goid, &id))
		about(ret, id);
}

static void find_m(struct mw_go *go, uint64_t va, struct mw_go_place *ret)
{
	uint64_t m, id, g;

	if (!go->allm || !mw_target_read_u64(go->target, go->allm, &m))
		return;
	for (int n = 0; m && n < MAX_THREADS && !ret->has_structure; n++) {
		if (holds(m, go_size(go, GO_m), va)) {
			found(go, GO_m, m, va, ret);
			if (go_read(go, m, GO_m_id, &id))
				about(ret, id);
			return;
		}
		if (go_read(go, m, GO_m_g0, &g))
			find_g(go, g, va, ret);
		if (!go_read(go, m, GO_m_alllink, &m))
			return;
	}
}

void go_find_structure(struct mw_go *go, uint64_t va, struct mw_go_place *ret)
{
	if (go_is_variable(go, va))
		find_variable(go, va, ret);
	else if (!ret->in_heap)
		find_descriptor(go, va, ret);
	if (!ret->has_structure)
		find_p(go, va, ret);
	if (!ret->has_structure)
		find_m(go, va, ret);
	for (size_t i = 0; i < go->stacks.n && !ret->has_structure; i++)
		find_g(go, go->stacks.v[i].g, va, ret);
}

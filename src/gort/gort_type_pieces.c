/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_types_int.h"
#include "mw_guard.h"

/*
 * Which package a type belongs to, what describes it, and where its methods are
 * listed for interfaces. Layouts: gort_type_walk.c.
 */
#define TFLAG_MASK_ON_DEMAND 16
#define MOST_MASK 2048 /* bytes: what is larger has a program */
#define KIND_PROGRAM 0x40 /* what was the mask is a program that makes it */

/* Packages */

/** 1 + the place of the path with that name; 0 when it is none. */
static uint64_t path_at(struct mw_go_types *types, uint64_t name)
{
	uint64_t *place = mw_map64_at(&types->by_name, name);
	char **path;

	if (!place || *place)
		return place ? *place : 0;
	path = mw_vec_push(&types->paths);
	if (!path)
		return 0;
	*path = go_type_read_name(types, name);
	if (!*path) {
		types->paths.n--;
		return 0;
	}
	*place = types->paths.n;
	return *place;
}

#define DEEPEST 32

static uint64_t package_of(struct mw_go_types *types, uint64_t va,
			   unsigned depth);

/** That of the first parameter or field that has one. */
static uint64_t package_of_parts(struct mw_go_types *types,
				 const struct mw_go_type *type,
				 const struct go_type_shape *s, unsigned depth)
{
	enum { TRIED = 64 };
	bool is_struct = type->kind == MW_GO_STRUCT;
	uint64_t part, package = 0;

	if (!is_struct && type->kind != MW_GO_FUNC)
		return 0;
	for (uint64_t i = 0; !package && i < mw_min(s->part_count, TRIED);
	     i++)
		if (mw_target_read_u64(types->target,
				       s->parts +
					       (is_struct
							? i * GO_FIELD_BYTES + 8
							: i * 8),
				       &part))
			package = package_of(types, part, depth + 1);
	return package;
}

static uint64_t package_of(struct mw_go_types *types, uint64_t va,
			   unsigned depth)
{
	struct mw_go_type type;
	struct go_type_shape s;
	const uint64_t *known = mw_map64_find(&types->packages, va);
	uint64_t *place, package = 0;

	if (depth > DEEPEST || !mw_go_type_at(types, va, &type))
		return 0;
	if (known)
		return *known;
	place = mw_map64_at(&types->packages, va);
	if (!place)
		return 0;
	*place = 0; // also for those that lead back to it
	if (!go_type_read_shape(types, &type, &s))
		return 0;
	if (s.package)
		package = path_at(types, s.package);
	if (!package && type.elem)
		package = package_of(types, type.elem, depth + 1);
	if (!package && type.key)
		package = package_of(types, type.key, depth + 1);
	if (!package)
		package = package_of_parts(types, &type, &s, depth);
	place = mw_map64_at(&types->packages, va);
	if (place)
		*place = package;
	return package;
}

const char *mw_go_type_package(struct mw_go_types *types,
			       const struct mw_go_type *type)
{
	uint64_t package = package_of(types, type->address, 0);

	return package ? types->paths.v[package - 1] : "";
}

/* Pieces */

struct visit {
	struct mw_go_types *types;
	bool (*call)(uint64_t va, uint64_t bytes, void *ctx);
	void *ctx;
};

static bool visit_name(const struct visit *v, uint64_t name)
{
	uint64_t bytes = name && go_types_module_of(v->types, name)
				 ? go_type_name_bytes(v->types, name)
				 : 0;

	return bytes == 0 || v->call(name, bytes, v->ctx);
}

/** Names that lie @step bytes apart, by offset, or by address. */
static bool visit_names(const struct visit *v, const struct go_type_shape *s,
			uint64_t va, uint64_t count, uint64_t step,
			bool by_address)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t name = 0;

		if (!mw_target_read(v->types->target, va + i * step, &name,
				    by_address ? 8 : 4))
			continue;
		if (!visit_name(v, by_address ? name
					      : go_type_name_at(s->module,
							(uint32_t)name)))
			return false;
	}
	return true;
}

bool mw_go_type_pieces(struct mw_go_types *types,
		       const struct mw_go_type *type,
		       bool (*visit)(uint64_t va, uint64_t bytes, void *ctx),
		       void *ctx)
{
	const struct visit v = { types, visit, ctx };
	uint64_t mask, mask_bytes = (type->pointer_bytes / 8 + 7) / 8;
	struct go_type_shape s;

	if (!go_type_read_shape(types, type, &s))
		return true;
	mask = mw_u64(s.head + GO_TYPE_MASK);
	return visit(type->address, s.bytes, ctx) &&
	       visit_name(&v, go_type_name_at(s.module,
				      mw_u32(s.head + GO_TYPE_NAME))) &&
	       visit_name(&v, s.package) &&
	       (type->kind != MW_GO_STRUCT ||
		visit_names(&v, &s, s.parts, s.part_count, GO_FIELD_BYTES,
			    true)) &&
	       (type->kind != MW_GO_INTERFACE ||
		visit_names(&v, &s, s.parts, s.part_count, GO_IMETHOD_BYTES,
			    false)) &&
	       visit_names(&v, &s, s.methods, s.method_count, GO_METHOD_BYTES,
			   false) &&
	       (!mask_bytes || mask_bytes > MOST_MASK || !mask ||
		(s.head[GO_TYPE_KIND] & KIND_PROGRAM) ||
		(s.head[GO_TYPE_TFLAG] & TFLAG_MASK_ON_DEMAND) ||
		visit(mask, mask_bytes, ctx));
}

/* Tables of methods: {*interface, *type, hash of type, *method[]} */

#define ITAB_HEAD 32

/** Bytes of the itab at @va; 0 when it is none. */
static uint64_t itab_bytes(struct mw_go_types *types, const uint64_t *head,
			   struct mw_go_type *ret_type)
{
	struct mw_go_type interface;
	uint32_t hash;
	struct go_type_shape s;
	unsigned at;

	if (!mw_go_types_has(types, head[0]) ||
	    !mw_go_types_has(types, head[1]) || head[0] == head[1] ||
	    !mw_go_type_at(types, head[0], &interface) ||
	    interface.kind != MW_GO_INTERFACE ||
	    !mw_go_type_at(types, head[1], ret_type) ||
	    !mw_target_read(types->target, head[1] + 16, &hash,
			    sizeof(hash)) ||
	    !go_type_read_shape(types, &interface, &s))
		return 0;
	// The hash was behind a link once, which is 0 at first.
	at = (uint32_t)head[2] == hash ? 16 : 24;
	if (at == 24 && (head[2] || (uint32_t)head[3] != hash))
		return 0;
	return at + 8 + s.part_count * 8;
}

bool mw_go_itabs_next(struct mw_go_types *types, uint64_t *at, uint64_t end,
		      struct mw_go_type *ret_type, uint64_t *ret_va,
		      uint64_t *ret_bytes)
{
	uint64_t va = mw_align_up(*at, 8);

	while (va < end && end - va >= ITAB_HEAD) {
		uint64_t head[ITAB_HEAD / 8];

		if (!mw_target_read(types->target, va, head, sizeof(head))) {
			va = mw_align_up(va + 8, MW_PAGE_BYTES);
			continue;
		}
		*ret_bytes = itab_bytes(types, head, ret_type);
		if (*ret_bytes && *ret_bytes <= end - va) {
			*ret_va = va;
			*at = va + *ret_bytes;
			return true;
		}
		va += 8;
	}
	return false;
}

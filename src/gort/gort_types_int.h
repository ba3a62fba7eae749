/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GORT_TYPES_INT_H
#define GORT_TYPES_INT_H

#include "mw_go_types.h"
#include "mw_map64.h"
#include "mw_vec.h"

/* What the readers of type descriptors share. */

enum go_name_form { GO_NAMES_UNKNOWN, GO_NAMES_TWO_BYTES, GO_NAMES_LEB128 };

struct go_types_module {
	uint64_t start, end;
	uint64_t map_bytes; /* of a map's descriptor; 0: not known */
};

struct mw_go_types {
	struct mw_target *target;
	MW_VEC(struct go_types_module) modules;
	enum go_name_form form;
	MW_VEC(struct mw_go_type) list;
	struct mw_map64 by_address; /* 1 + place in list; 0: no type */
	MW_VEC(char *) paths;
	struct mw_map64 by_name;    /* of a path -> 1 + place in paths */
	struct mw_map64 packages;   /* of a descriptor -> the same; 0: none */
};

/* The head of a descriptor, which all kinds have. */
#define GO_TYPE_BYTES 48
#define GO_TYPE_TFLAG 20
#define GO_TYPE_KIND 23
#define GO_TYPE_MASK 32
#define GO_TYPE_NAME 40

const struct go_types_module *
go_types_module_of(const struct mw_go_types *types, uint64_t va);
/** Whether the head of a descriptor of @module may be @raw. */
bool go_type_is_plausible(const struct go_types_module *module,
			  const uint8_t raw[static GO_TYPE_BYTES]);
/** A copy of the name at @va; NULL when it is none. */
char *go_type_read_name(struct mw_go_types *types, uint64_t va);
/** Bytes that the name at @va takes, with what stands behind it; or 0. */
uint64_t go_type_name_bytes(const struct mw_go_types *types, uint64_t va);

/* gort_type_walk.c */

#define GO_METHOD_BYTES 16
#define GO_FIELD_BYTES 24
#define GO_IMETHOD_BYTES 8

/** What a descriptor consists of. */
struct go_type_shape {
	const struct go_types_module *module;
	uint8_t head[GO_TYPE_BYTES];
	uint64_t bytes;
	uint64_t package; /* its name's address; 0: none */
	/* Parameters, fields, methods of an interface; and methods. */
	uint64_t parts, part_count, methods, method_count;
};

bool go_type_read_shape(const struct mw_go_types *types,
			const struct mw_go_type *type,
			struct go_type_shape *ret);
/** Address of a name by its offset; 0 when that is none. */
uint64_t go_type_name_at(const struct go_types_module *module, uint32_t offset);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GO_TYPES_H
#define GO_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Go's type descriptors, written into an array as the linker would lay them
 * out from GO_TYPES_VA on; the tables in gort_rtype.c tell what is where.
 */

#define GO_TYPES_VA UINT64_C(0x4a0000)

struct go_types {
	uint8_t bytes[16384];
	size_t used;
	bool old_names;	  /* to Go 1.16: the length in two bytes */
	bool old_offsets; /* to Go 1.18: shifted, with the embedded bit */
};

struct go_types_field {
	const char *name;
	uint64_t type; /* address of a descriptor */
	uint64_t offset;
};

void go_types_init(struct go_types *types);

/** A type that is only a size, such as uintptr. Each returns its address. */
uint64_t go_types_word(struct go_types *types, const char *name,
		       uint64_t bytes);
uint64_t go_types_array(struct go_types *types, uint64_t elem, uint64_t bytes);
uint64_t go_types_pointer(struct go_types *types, uint64_t elem);

/** @name has a '*' in front, which is not part of it. */
uint64_t go_types_struct(struct go_types *types, const char *name,
			 uint64_t bytes, const struct go_types_field *fields,
			 size_t count);

/** Say that a struct belongs to the package @path. */
void go_types_set_package(struct go_types *types, uint64_t type,
			  const char *path);

#endif

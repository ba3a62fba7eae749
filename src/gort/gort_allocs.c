/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_int.h"
#include "mw_go_allocs.h"

/*
 * What the compiler calls to allocate: cmd/compile/internal/gc/builtin/
 * runtime.go (Go 1.9 to 1.16), cmd/compile/internal/typecheck/_builtin/
 * runtime.go (to 1.27), and what the runtime does for itself and for reflect.
 */
#define NONE                                                    \
	.type_arg = MW_GO_NO_ARG, .other_type_arg = MW_GO_NO_ARG, \
	.count_arg = MW_GO_NO_ARG, .bytes_arg = MW_GO_NO_ARG

#define MADE(name_, made_, bytes_) \
	{ .name = name_, NONE, .made = made_, .bytes = bytes_ }
#define TYPED(name_, ...)                                        \
	{ .name = name_, .type_arg = 0,                          \
	  .other_type_arg = MW_GO_NO_ARG,                        \
	  .bytes_arg = MW_GO_NO_ARG, __VA_ARGS__ }
#define ONE(name_) \
	TYPED(name_, .count_arg = MW_GO_NO_ARG, .has_type_size = true)
#define SLICE(name_, count) TYPED(name_, .count_arg = count, .is_element = true)
#define SIZED(name_)                                     \
	{ .name = name_, .is_prefix = true, .type_arg = 1,  \
	  .other_type_arg = MW_GO_NO_ARG,                   \
	  .count_arg = MW_GO_NO_ARG, .bytes_arg = 0 }

static const struct mw_go_alloc allocs[] = {
	ONE("newobject"),
	ONE("unsafe_New"), // of reflect
	TYPED("newarray", .count_arg = 1),
	TYPED("unsafe_NewArray", .count_arg = 1),
	// Since 1.26 one for each size class, too; and what it consists of.
	SIZED("mallocgc"),
	SLICE("makeslice", 2),
	SLICE("makeslice64", 2),
	SLICE("makeslicecopy", 1),
	// The element's type came first up to 1.19, and is the fifth since.
	{ .name = "growslice", .is_prefix = true, .type_arg = 4,
	  .other_type_arg = 0, .count_arg = MW_GO_NO_ARG,
	  .bytes_arg = MW_GO_NO_ARG, .is_element = true },
	TYPED("makemap", .count_arg = MW_GO_NO_ARG),
	TYPED("makemap64", .count_arg = MW_GO_NO_ARG),
	MADE("makemap_small", "map", 0),
	{ .name = "mapassign", .is_prefix = true, .type_arg = 0,
	  .other_type_arg = MW_GO_NO_ARG, .count_arg = MW_GO_NO_ARG,
	  .bytes_arg = MW_GO_NO_ARG },
	TYPED("makechan", .count_arg = MW_GO_NO_ARG),
	TYPED("makechan64", .count_arg = MW_GO_NO_ARG),
	ONE("convT"),
	ONE("convTnoptr"),
	MADE("convT16", "uint16", 2),
	MADE("convT32", "uint32", 4),
	MADE("convT64", "uint64", 8),
	MADE("convTstring", "string", 16),
	MADE("convTslice", "[]uint8", 24),
	{ .name = "convT2E", .is_prefix = true, .type_arg = 0,
	  .other_type_arg = MW_GO_NO_ARG, .count_arg = MW_GO_NO_ARG,
	  .bytes_arg = MW_GO_NO_ARG, .has_type_size = true },
	{ .name = "convT2I", .is_prefix = true, .type_arg = 0,
	  .other_type_arg = MW_GO_NO_ARG, .count_arg = MW_GO_NO_ARG,
	  .bytes_arg = MW_GO_NO_ARG, .is_itab = true,
	  .has_type_size = true },
	{ .name = "concatstring", .is_prefix = true, NONE, .made = "string" },
	{ .name = "concatbyte", .is_prefix = true, NONE, .made = "[]uint8" },
	MADE("slicebytetostring", "string", 0),
	MADE("slicerunetostring", "string", 0),
	MADE("intstring", "string", 0),
	MADE("stringtoslicebyte", "[]uint8", 0),
	MADE("stringtoslicerune", "[]int32", 0),
	MADE("rawstring", "string", 0),
	MADE("rawstringtmp", "string", 0),
	MADE("rawbyteslice", "[]uint8", 0),
	MADE("rawruneslice", "[]int32", 0),
	MADE("gostring", "string", 0),
	MADE("gostringn", "string", 0),
	MADE("gostringw", "string", 0),
	MADE("gobytes", "[]uint8", 0),
	MADE("MakeNoZero", "[]uint8", 0), // of internal/bytealg
};

/** Packages that have them, under names that the linker joins. */
static const char *const packages[] = {
	"runtime.", "reflect.", "internal/reflectlite.",
	"internal/runtime/maps.", "internal/bytealg.",
};

const struct mw_go_alloc *mw_go_alloc_named(const char *function)
{
	const char *name = NULL;

	for (size_t i = 0; i < MW_COUNT(packages) && !name; i++)
		if (strncmp(function, packages[i], strlen(packages[i])) == 0)
			name = function + strlen(packages[i]);
	for (size_t i = 0; name && i < MW_COUNT(allocs); i++) {
		const struct mw_go_alloc *a = &allocs[i];

		// Not what they have inside: "runtime.growslice.func1".
		if (a->is_prefix
			    ? strncmp(name, a->name, strlen(a->name)) == 0 &&
				      !strchr(name, '.')
			    : strcmp(name, a->name) == 0)
			return a;
	}
	return NULL;
}

int mw_go_arg_register(int arg)
{
	// AX BX CX DI SI R8 R9 R10 R11, as machine code numbers them.
	static const int8_t registers[] = { 0, 3, 1, 7, 6, 8, 9, 10, 11 };

	return arg >= 0 && arg < (int)MW_COUNT(registers) ? registers[arg] : -1;
}

/* Size classes */

uint64_t mw_go_class_bytes(const struct mw_go_classes *classes, uint64_t bytes,
			   uint64_t pointer_bytes)
{
	// Above this the bits of pointers are not at the span's end, and a
	// word in front of the object has its type.
	enum { LARGEST_WITHOUT_HEADER = 512, HEADER = 8 };
	uint64_t want = bytes;

	if (classes->has_headers && pointer_bytes > 0 &&
	    bytes > LARGEST_WITHOUT_HEADER &&
	    bytes + HEADER <= classes->bytes[classes->count - 1])
		want += HEADER;
	for (size_t i = 0; i < classes->count; i++)
		if (classes->bytes[i] >= want)
			return classes->bytes[i];
	return mw_align_up(want, GO_PAGE_BYTES);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc_int.h"

#define NONE GLIBC_NONE
#define GLIBC_ARENA(...)
#define GLIBC_HEAP_INFO(...)
#define GLIBC_PARAMS(...)
#define GLIBC_TCACHE(...)

#undef GLIBC_ARENA
#define GLIBC_ARENA(...) { __VA_ARGS__ },
static const struct glibc_arena_layout arenas[] = {
#include "layouts/glibc.def"
};
#undef GLIBC_ARENA
#define GLIBC_ARENA(...)

#undef GLIBC_HEAP_INFO
#define GLIBC_HEAP_INFO(...) { __VA_ARGS__ },
static const struct glibc_heap_layout heaps[] = {
#include "layouts/glibc.def"
};
#undef GLIBC_HEAP_INFO
#define GLIBC_HEAP_INFO(...)

#undef GLIBC_PARAMS
#define GLIBC_PARAMS(...) { __VA_ARGS__ },
static const struct glibc_params_layout params[] = {
#include "layouts/glibc.def"
};
#undef GLIBC_PARAMS
#define GLIBC_PARAMS(...)

#undef GLIBC_TCACHE
#define GLIBC_TCACHE(...) { __VA_ARGS__ },
static const struct glibc_tcache_layout tcaches[] = {
#include "layouts/glibc.def"
};

const struct glibc_arena_layout *glibc_arena_layouts(size_t *ret_count)
{
	*ret_count = MW_COUNT(arenas);
	return arenas;
}

const struct glibc_heap_layout *glibc_heap_layouts(size_t *ret_count)
{
	*ret_count = MW_COUNT(heaps);
	return heaps;
}

const struct glibc_params_layout *glibc_params_layouts(size_t *ret_count)
{
	*ret_count = MW_COUNT(params);
	return params;
}

const struct glibc_tcache_layout *glibc_tcache_layouts(size_t *ret_count)
{
	*ret_count = MW_COUNT(tcaches);
	return tcaches;
}

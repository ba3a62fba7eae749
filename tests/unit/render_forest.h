/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RENDER_FOREST_H
#define RENDER_FOREST_H

#include "mw_render.h"

/** A tree with its labels. */
struct forest {
	struct mw_tree tree;
	char labels[4000];
	size_t used;
};

/** Begin with the root, "total". */
void plant(struct forest *forest);

/** The node for @path, "a/b/c"; made when it is new. */
struct mw_tree_node *grow(struct forest *forest, const char *path);

/** Add @bytes to it. */
void add(struct forest *forest, const char *path, uint64_t bytes);

#endif

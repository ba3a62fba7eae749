/* SPDX-License-Identifier: Apache-2.0 */
#include "render_forest.h"

#include "mw_test.h"

void plant(struct forest *forest)
{
	*forest = (struct forest){ .used = 0 };
	ASSERT_EQ(0, mw_tree_root(&forest->tree, "total"));
}

struct mw_tree_node *grow(struct forest *forest, const char *path)
{
	size_t node = 0;

	while (*path) {
		size_t len = strcspn(path, "/");
		char *label = forest->labels + forest->used;

		assert_true(forest->used + len < sizeof(forest->labels));
		memcpy(label, path, len);
		label[len] = '\0';
		forest->used += len + 1;
		node = mw_tree_child(&forest->tree, node, label);
		assert_true(node != SIZE_MAX);
		path += len + (path[len] == '/');
	}
	return &forest->tree.nodes.v[node];
}

void add(struct forest *forest, const char *path, uint64_t bytes)
{
	grow(forest, path)->bytes += bytes;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "mw_guard.h"
#include "mw_hash.h"
#include "mw_num.h"
#include "render_int.h"

#define MAX_DEPTH 16

size_t mw_tree_root(struct mw_tree *tree, const char *label)
{
	struct mw_tree_node *node = mw_vec_push(&tree->nodes);

	if (!node)
		return SIZE_MAX;
	*node = (struct mw_tree_node){ .label = label };
	return tree->nodes.n - 1;
}

size_t mw_tree_child(struct mw_tree *tree, size_t parent, const char *label)
{
	uint64_t *first = mw_map64_at(
		&tree->by_hash, mw_hash_text(MW_HASH_START ^ parent, label));

	if (!first)
		return SIZE_MAX;
	for (size_t i = *first; i != 0; i = tree->nodes.v[i - 1].same_hash)
		if (tree->nodes.v[i - 1].parent == parent &&
		    strcmp(tree->nodes.v[i - 1].label, label) == 0)
			return i - 1;

	size_t at = mw_tree_root(tree, label);
	if (at == SIZE_MAX)
		return at;
	tree->nodes.v[at].parent = parent;
	tree->nodes.v[at].same_hash = *first;
	*first = at + 1;
	return at;
}

void mw_tree_free(struct mw_tree *tree)
{
	mw_vec_free(&tree->nodes);
	mw_map64_free(&tree->by_hash);
}

void mw_tree_finish(struct mw_tree *tree)
{
	// Children stand behind their parents, so one pass from the end will
	// do. A node without children is a leaf.
	for (size_t i = tree->nodes.n; i-- > 1;) {
		struct mw_tree_node *node = &tree->nodes.v[i];
		struct mw_tree_node *parent = &tree->nodes.v[node->parent];

		if (node->leaves == 0)
			node->leaves = 1;
		parent->bytes += node->bytes;
		parent->second += node->second;
		parent->leaves += node->leaves;
	}
}

struct emitter {
	const struct mw_tree *tree;
	FILE *out;
	const struct mw_style *style;
	const struct mw_tree_options *options;
	size_t *order; /* nodes by parent, then by falling bytes */
	size_t *first; /* per node: its first child's place in order */
	char indent[MAX_DEPTH * 8];
	size_t label_width; /* of the tree column, in characters */
	size_t number_width;
};

static const struct mw_tree *sorting; // qsort has no context

static int by_parent_and_bytes(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	const struct mw_tree_node *n = &sorting->nodes.v[x];
	const struct mw_tree_node *m = &sorting->nodes.v[y];

	if (n->parent != m->parent)
		return n->parent < m->parent ? -1 : 1;
	if (n->bytes != m->bytes)
		return n->bytes > m->bytes ? -1 : 1;
	return strcmp(n->label, m->label);
}

static void print_percent(struct emitter *e, uint64_t part, uint64_t whole)
{
	if (whole == 0)
		fprintf(e->out, "  %5s", "");
	else
		fprintf(e->out, "  %5.1f",
			100.0 * (double)part / (double)whole);
}

/** A line of the tree; @figures.parent is the node that it belongs to. */
struct figures {
	uint64_t bytes, second, parent;
};

/** Write @gloss behind a label that ends at @used, where there is room. */
static void print_gloss(struct emitter *e, size_t used, const char *gloss)
{
	size_t gap = mw_max(used, e->label_width) + 2 - used;
	size_t begin = e->number_width + 16 + used + gap;
	size_t left;

	if (e->options->second_heading)
		begin += e->number_width + 2;
	left = e->style->width > begin ? e->style->width - begin : 0;
	if (left < 10)
		return;
	fprintf(e->out, "%*s%s", (int)gap, "",
		e->style->color ? "\033[2m" : "");
	if (mw_text_width(gloss) <= left) {
		mw_print_escaped(e->out, gloss);
	} else {
		mw_put_text(e->out, gloss, strlen(gloss), left - 1);
		fputs("…", e->out);
	}
	if (e->style->color)
		fputs("\033[0m", e->out);
}

static void print_line(struct emitter *e, const struct figures *figures,
		       const char *branch, const char *label,
		       const char *gloss, bool bold)
{
	char number[32];
	size_t used = mw_text_width(e->indent) + mw_text_width(branch) +
		      mw_text_width(label);

	mw_format_bytes(number, figures->bytes, e->style->exact_bytes);
	fprintf(e->out, "%*s", (int)e->number_width, number);
	print_percent(e, figures->bytes, e->tree->nodes.v[0].bytes);
	print_percent(e, figures->bytes, figures->parent);
	if (e->options->second_heading) {
		mw_format_bytes(number, figures->second,
				e->style->exact_bytes);
		fprintf(e->out, "  %*s", (int)e->number_width, number);
	}
	fprintf(e->out, "  %s%s", e->indent, branch);
	if (bold && e->style->color)
		fputs("\033[1m", e->out);
	mw_print_escaped(e->out, label);
	if (bold && e->style->color)
		fputs("\033[0m", e->out);
	if (gloss && *gloss)
		print_gloss(e, used, gloss);
	putc('\n', e->out);
}

static size_t child_end(const struct emitter *e, size_t node)
{
	size_t at = e->first[node];

	while (at < e->tree->nodes.n - 1 &&
	       e->tree->nodes.v[e->order[at]].parent == node)
		at++;
	return at;
}

/**
 * How many of the children [at, end) are shown; the rest is folded. A single
 * small one is shown: a line that says "1 more" would be no shorter.
 */
static size_t shown_children(const struct emitter *e, size_t at, size_t end,
			     struct figures *ret_rest, size_t *ret_folded)
{
	size_t shown = 0;

	*ret_rest = (struct figures){ 0 };
	*ret_folded = 0;
	for (size_t i = at; i < end; i++) {
		const struct mw_tree_node *n = &e->tree->nodes.v[e->order[i]];

		if (n->bytes == 0 && e->options->fold_below_bytes > 0)
			break;
		if (n->bytes >= e->options->fold_below_bytes) {
			shown = i - at + 1;
		} else {
			ret_rest->bytes += n->bytes;
			ret_rest->second += n->second;
			*ret_folded += n->leaves;
		}
	}
	// With nothing to show there is no need to tell how much is hidden.
	if (shown == 0)
		*ret_folded = 0;
	if (*ret_folded == 1) {
		*ret_folded = 0;
		shown++;
	}
	return shown;
}

static size_t depth_of(const struct mw_tree *tree, size_t node)
{
	size_t depth = 0;

	for (; node != 0; node = tree->nodes.v[node].parent)
		depth++;
	return depth;
}

static void measure(struct emitter *e, size_t node)
{
	size_t at = e->first[node], end = child_end(e, node), folded;
	struct figures rest;
	size_t shown = shown_children(e, at, end, &rest, &folded);

	for (size_t i = at; i < at + shown; i++) {
		size_t child = e->order[i];
		size_t width = mw_text_width(e->tree->nodes.v[child].label) +
			       3 * depth_of(e->tree, child);

		if (width <= 40)
			e->label_width = mw_max(e->label_width, width);
		measure(e, child);
	}
}

static void emit_children(struct emitter *e, size_t node)
{
	const struct mw_tree_node *parent = &e->tree->nodes.v[node];
	size_t at = e->first[node], end = child_end(e, node), folded;
	struct figures rest;
	size_t shown = shown_children(e, at, end, &rest, &folded);
	size_t indent_len = strlen(e->indent);

	for (size_t i = at; i < at + shown; i++) {
		const struct mw_tree_node *child =
			&e->tree->nodes.v[e->order[i]];
		bool last = i + 1 == at + shown && folded == 0;

		print_line(e,
			   &(struct figures){ child->bytes, child->second,
					      parent->bytes },
			   last ? "└─ " : "├─ ", child->label, child->gloss,
			   node == 0);
		if (indent_len + 8 < sizeof(e->indent)) {
			strcat(e->indent, last ? "   " : "│  ");
			emit_children(e, e->order[i]);
			e->indent[indent_len] = '\0';
		}
	}
	if (folded > 0) {
		char text[64];

		snprintf(text, sizeof(text), "%zu more", folded);
		rest.parent = parent->bytes;
		print_line(e, &rest, "└─ ", text,
			   "small ones; --verbose lists them", false);
	}
}

/** The root has the largest figures; their columns are at least @usual wide. */
static size_t number_width(const struct mw_tree *tree,
			   const struct mw_style *style,
			   const struct mw_tree_options *options, size_t usual)
{
	const struct mw_tree_node *root = &tree->nodes.v[0];
	uint64_t most = root->bytes;
	char number[32];

	if (options->second_heading)
		most = mw_max(most, root->second);
	return mw_max(usual, strlen(mw_format_bytes(number, most,
						    style->exact_bytes)));
}

struct mw_error *mw_tree_emit_text(const struct mw_tree *tree, FILE *out,
				   const struct mw_style *style,
				   const struct mw_tree_options *options)
{
	size_t count = tree->nodes.n - 1;
	MW_CLEANUP(mw_freep) size_t *order =
		mw_calloc(count, sizeof(*order));
	MW_CLEANUP(mw_freep) size_t *first =
		mw_calloc(tree->nodes.n, sizeof(*first));
	struct emitter e = {
		.tree = tree,
		.out = out,
		.style = style,
		.options = options,
		.order = order,
		.first = first,
		.number_width = number_width(tree, style, options,
					     style->exact_bytes ? 17 : 10),
	};

	if (!order || !first)
		return mw_error_nomem();
	for (size_t i = 0; i < count; i++)
		order[i] = i + 1;
	sorting = tree;
	if (count > 0)
		qsort(order, count, sizeof(*order), by_parent_and_bytes);
	for (size_t i = 0; i < tree->nodes.n; i++)
		first[i] = count;
	for (size_t i = count; i-- > 0;)
		first[tree->nodes.v[order[i]].parent] = i;
	measure(&e, 0);

	if (style->color)
		fputs("\033[1m", out);
	fprintf(out, "%*s  %5s  %5s", (int)e.number_width, options->heading,
		"%", "%par.");
	if (options->second_heading)
		fprintf(out, "  %*s", (int)e.number_width,
			options->second_heading);
	putc('\n', out);
	if (style->color)
		fputs("\033[0m", out);
	print_line(&e,
		   &(struct figures){ tree->nodes.v[0].bytes,
				      tree->nodes.v[0].second, 0 },
		   "", tree->nodes.v[0].label, NULL, true);
	emit_children(&e, 0);
	return NULL;
}

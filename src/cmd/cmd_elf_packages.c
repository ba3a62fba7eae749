/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cmd_elf.h"
#include "mw_go_sizes.h"
#include "mw_guard.h"

/*
 * What each package of a Go program takes in its file. The functions have a
 * name, and so a package, even in a stripped binary: their code, and what the
 * function table tells of them. What is left of every piece of the file is a
 * row of its own, so that all add up to the file.
 */

struct package {
	char *name;
	uint64_t functions, text, table;
};

struct packages {
	const struct cmd_elf *elf;
	struct mw_target *target;
	const struct mw_image *image;
	struct mw_go_funcs *funcs;
	MW_VEC(struct package) list;
	struct mw_map64 by_name; /* hash of the name -> 1 + place in list */
	struct mw_map64 seen;
	uint64_t *taken; /* of each piece of the layout, by packages */
	size_t table_piece; /* the one with the function table; SIZE_MAX */
	uint64_t text_end; /* code below this has been told */
};

static uint64_t hash_of(const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return hash;
}

/** The package called @name; NULL without memory. */
static struct package *find_package(struct packages *p, const char *name)
{
	for (uint64_t hash = hash_of(name);; hash++) {
		uint64_t *place = mw_map64_at(&p->by_name, hash);
		struct package *package;

		if (!place)
			return NULL;
		if (*place) {
			package = &p->list.v[*place - 1];
			if (strcmp(package->name, name) == 0)
				return package;
			continue;
		}
		package = mw_vec_push(&p->list);
		if (!package)
			return NULL;
		*package = (struct package){ .name = mw_strdup(name) };
		*place = p->list.n;
		return package->name ? package : NULL;
	}
}

/** The piece of the layout that has the byte at @va; SIZE_MAX if none. */
static size_t piece_of(const struct packages *p, uint64_t va)
{
	const struct mw_elf_layout *layout = &p->elf->layout;
	uint64_t offset;

	if (!mw_elf_file_offset(p->elf->file, va - p->image->bias, &offset))
		return SIZE_MAX;
	for (size_t i = 0; i < layout->list.n; i++)
		if (layout->list.v[i].own_bytes > 0 &&
		    offset - layout->list.v[i].offset <
			    layout->list.v[i].bytes)
			return i;
	return SIZE_MAX;
}

/** As many of @bytes as piece @i still has; they are taken. */
static uint64_t take(struct packages *p, size_t i, uint64_t bytes)
{
	uint64_t room;

	if (i == SIZE_MAX)
		return 0;
	room = p->elf->layout.list.v[i].own_bytes - p->taken[i];
	bytes = mw_min(bytes, room);
	p->taken[i] += bytes;
	return bytes;
}

static bool add_function(struct packages *p, const struct mw_go_func *func,
			 size_t *text_piece)
{
	const char *name = mw_go_func_name(p->funcs, func);
	uint64_t start = mw_max(func->entry, p->text_end), table;
	struct package *package;
	char path[1024];

	mw_go_package(name, path, sizeof(path));
	package = find_package(p, *path ? path : "(compiler)");
	if (!package || !mw_go_func_table_bytes(p->funcs, func, &p->seen,
						&table))
		return false;
	package->functions++;
	package->table += take(p, p->table_piece, table);
	if (start >= func->end)
		return true;
	// Functions ascend, so the piece is mostly the last one's.
	if (*text_piece == SIZE_MAX || p->text_end != start)
		*text_piece = piece_of(p, start);
	package->text += take(p, *text_piece, func->end - start);
	p->text_end = func->end;
	return true;
}

static bool add_functions(struct packages *p)
{
	size_t text_piece = SIZE_MAX;
	struct mw_go_func func;

	for (uint64_t i = 0; i < mw_go_funcs_count(p->funcs); i++)
		if (mw_go_func_at(p->funcs, i, &func) &&
		    func.entry >= p->image->start &&
		    func.end <= p->image->end &&
		    !add_function(p, &func, &text_piece))
			return false;
	return true;
}

/* The table */

enum column { K_NAME, K_KIND, K_FUNCTIONS, K_TEXT, K_TABLE, K_BYTES };

static const struct mw_column columns[] = {
	[K_NAME] = { "package", "PACKAGE", MW_UNIT_TEXT,
		     "import path; or what else is in the file" },
	[K_KIND] = { "kind", "KIND", MW_UNIT_TEXT,
		     "package; or section, header, padding, …: what of these "
		     "belongs to no package" },
	[K_FUNCTIONS] = { "functions", "FUNCTIONS", MW_UNIT_COUNT,
			  "how many it has" },
	[K_TEXT] = { "text_bytes", "CODE", MW_UNIT_BYTES,
		     "its code, with what aligns it" },
	[K_TABLE] = { "pclntab_bytes", "PCLNTAB", MW_UNIT_BYTES,
		      "what the function table tells of it; what is shared "
		      "counts for the first" },
	[K_BYTES] = { "file_bytes", "IN FILE", MW_UNIT_BYTES,
		      "both: the sum of all rows is the size of the file" },
};

static int by_bytes(const void *a, const void *b)
{
	const struct package *x = a, *y = b;
	uint64_t x_bytes = x->text + x->table, y_bytes = y->text + y->table;

	if (x_bytes != y_bytes)
		return x_bytes > y_bytes ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool fill_package(const struct package *package, struct mw_cell *cells)
{
	mw_cell_value(&cells[K_FUNCTIONS], package->functions);
	mw_cell_value(&cells[K_TEXT], package->text);
	mw_cell_value(&cells[K_TABLE], package->table);
	mw_cell_value(&cells[K_BYTES], package->text + package->table);
	return mw_cell_text(&cells[K_NAME], package->name) &&
	       mw_cell_text(&cells[K_KIND], "package");
}

static bool fill_rest(const struct packages *p, size_t i,
		      struct mw_cell *cells)
{
	const struct mw_elf_piece *piece = &p->elf->layout.list.v[i];
	const char *kind = cmd_elf_piece_kind(piece);
	char name[32];

	mw_cell_value(&cells[K_BYTES], piece->own_bytes - p->taken[i]);
	return mw_cell_text(&cells[K_NAME],
			    cmd_elf_piece_name(p->elf, piece, name)) &&
	       mw_cell_text(&cells[K_KIND], kind);
}

static struct mw_error *fill_table(struct packages *p, struct mw_table *table)
{
	struct mw_cell *cells;

	if (p->list.n)
		qsort(p->list.v, p->list.n, sizeof(*p->list.v), by_bytes);
	for (size_t i = 0; i < p->list.n; i++) {
		cells = mw_table_add(table);
		if (!cells || !fill_package(&p->list.v[i], cells))
			return mw_error_nomem();
	}
	for (size_t i = 0; i < p->elf->layout.list.n; i++) {
		if (p->elf->layout.list.v[i].own_bytes == p->taken[i])
			continue;
		cells = mw_table_add(table);
		if (!cells || !fill_rest(p, i, cells))
			return mw_error_nomem();
	}
	return NULL;
}

static void packages_free(struct packages *p)
{
	for (size_t i = 0; i < p->list.n; i++)
		mw_free(p->list.v[i].name);
	mw_vec_free(&p->list);
	mw_map64_free(&p->by_name);
	mw_map64_free(&p->seen);
	mw_free(p->taken);
	mw_go_funcs_close(p->funcs);
}

static struct mw_error *fill_packages(const struct cmd_elf *elf,
				      struct mw_table *table)
{
	MW_CLEANUP(packages_free) struct packages p = {
		.elf = elf,
		.table_piece = SIZE_MAX,
		.target = elf->target ? elf->target : elf->go_target,
		.image = elf->go_image,
	};
	struct mw_error *error;

	if (!elf->go || !p.target || !p.image)
		return NULL;
	error = mw_go_funcs_open(p.target, &p.funcs);
	if (error) {
		mw_elf_file_problem(elf->file, error);
		return NULL;
	}
	if (!p.funcs)
		return NULL;
	p.taken = mw_calloc(elf->layout.list.n, sizeof(*p.taken));
	if (!p.taken)
		return mw_error_nomem();
	if (elf->go_summary.pclntab)
		p.table_piece = piece_of(&p, elf->go_summary.pclntab);
	if (!add_functions(&p))
		return mw_error_nomem();
	return fill_table(&p, table);
}

const struct cmd_elf_table cmd_elf_go_packages = {
	.key = "go_packages",
	.title = "Go packages, and what else is in the file",
	.columns = columns,
	.column_count = MW_COUNT(columns),
	.fill = fill_packages,
};

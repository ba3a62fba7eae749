/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cmd_elf_packages.h"
#include "mw_guard.h"
#include "mw_hash.h"

struct package *packages_find(struct packages *p, const char *name)
{
	for (uint64_t hash = mw_hash_text(MW_HASH_START, name);; hash++) {
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

size_t packages_piece(const struct packages *p, uint64_t va)
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

uint64_t packages_take(struct packages *p, size_t i, uint64_t bytes)
{
	uint64_t room;

	if (i == SIZE_MAX)
		return 0;
	room = p->elf->layout.list.v[i].own_bytes - p->taken[i];
	bytes = mw_min(bytes, room);
	p->taken[i] += bytes;
	return bytes;
}

/** Keep where the funcdata of @func is, to be measured when all are known. */
static bool add_funcdata(struct packages *p, const struct mw_go_func *func,
			 const struct package *package)
{
	uint64_t va;

	for (uint32_t i = 0; i < func->funcdata_count; i++) {
		struct package_funcdata *data;

		if (!mw_go_func_data(p->funcs, func, i, &va))
			continue;
		data = mw_vec_push(&p->funcdata);
		if (!data)
			return false;
		data->va = va;
		data->package = (size_t)(package - p->list.v);
	}
	return true;
}

struct package *packages_of_function(struct packages *p,
				     const struct mw_go_func *func)
{
	char path[1024];

	mw_go_package(mw_go_func_name(p->funcs, func), path, sizeof(path));
	return packages_find(p, *path ? path : "(compiler)");
}

static bool add_function(struct packages *p, const struct mw_go_func *func,
			 size_t *text_piece)
{
	uint64_t start = mw_max(func->entry, p->text_end), table;
	struct package *package = packages_of_function(p, func);

	if (!package || !add_funcdata(p, func, package) ||
	    !mw_go_func_table_bytes(p->funcs, func, &p->seen, &table))
		return false;
	package->functions++;
	package->table += packages_take(p, p->table_piece, table);
	if (start >= func->end)
		return true;
	// Functions ascend, so the piece is mostly the last one's.
	if (*text_piece == SIZE_MAX || p->text_end != start)
		*text_piece = packages_piece(p, start);
	package->text += packages_take(p, *text_piece, func->end - start);
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

static int by_va(const void *a, const void *b)
{
	const struct package_funcdata *x = a, *y = b;

	if (x->va != y->va)
		return x->va < y->va ? -1 : 1;
	return x->package < y->package ? -1 : x->package > y->package;
}

/**
 * The linker puts all funcdata together, each once: one reaches to the next. Go
 * 1.17 has some among the types. Of the last one, the length is not known.
 */
static void add_all_funcdata(struct packages *p)
{
	const struct package_funcdata *v = p->funcdata.v;
	size_t piece, n = p->funcdata.n;

	if (n > 0)
		qsort(p->funcdata.v, n, sizeof(*p->funcdata.v), by_va);
	for (size_t i = 0, next; i < n; i = next) {
		for (next = i + 1; next < n && v[next].va == v[i].va;)
			next++;
		if (v[i].package == PACKAGE_FENCE)
			continue;
		piece = packages_piece(p, v[i].va);
		// Two modules, or a damaged table: not next to each other.
		if (next < n && piece == packages_piece(p, v[next].va))
			p->list.v[v[i].package].table +=
				packages_take(p, piece, v[next].va - v[i].va);
	}
}

/** Add what @symbol, a variable or constant, has from @start on. */
static bool add_variable(struct packages *p, const struct mw_elf_symbol *symbol,
			 uint64_t start)
{
	const struct mw_elf_section *section =
		&p->elf->file->sections.v[symbol->section];
	uint64_t bytes = symbol->value + symbol->bytes - start;
	struct package *package;
	char path[1024];
	size_t piece;

	// What the compiler and C have made belongs to no package.
	if (mw_go_package(mw_elf_symbol_name(&p->symbols, symbol), path,
			  sizeof(path)) == 0)
		return true;
	package = packages_find(p, path);
	if (!package)
		return false;
	piece = packages_piece(p, start + p->image->bias);
	if (section->type == SHT_NOBITS)
		package->bss += bytes;
	else if (section->flags & SHF_WRITE)
		package->data += packages_take(p, piece, bytes);
	else
		package->rodata += packages_take(p, piece, bytes);
	return true;
}

static bool is_variable(const struct packages *p,
			const struct mw_elf_symbol *symbol)
{
	const struct mw_elf_file *file = p->elf->file;
	uint64_t end;

	// runtime.pclntab, whose contents have been told.
	if (strcmp(mw_elf_symbol_name(&p->symbols, symbol),
		   "runtime.pclntab") == 0)
		return false;
	return mw_elf_symbol_has_address(symbol) && !symbol->special &&
	       ELF64_ST_TYPE(symbol->info) == STT_OBJECT &&
	       mw_end(symbol->value, symbol->bytes, &end) &&
	       symbol->section < file->sections.n &&
	       (file->sections.v[symbol->section].flags & SHF_ALLOC) &&
	       !(file->sections.v[symbol->section].flags & SHF_EXECINSTR);
}

/** Variables and constants, where the symbol table has been left. */
static struct mw_error *add_variables(struct packages *p)
{
	struct mw_error *error = mw_elf_symbols_load(p->elf->file,
						     MW_ELF_SYMTAB,
						     &p->symbols);
	uint64_t end = 0; // what is below has been told

	if (!error)
		error = mw_elf_symbols_sort(&p->symbols);
	for (size_t i = 0; !error && i < p->symbols.addressed; i++) {
		const struct mw_elf_symbol *symbol =
			&p->symbols.list.v[p->symbols.by_address[i]];
		uint64_t start = mw_max(symbol->value, end);

		if (!is_variable(p, symbol) ||
		    start >= symbol->value + symbol->bytes)
			continue;
		if (!add_variable(p, symbol, start))
			return mw_error_nomem();
		end = symbol->value + symbol->bytes;
	}
	return error;
}

struct mw_error *packages_count(const struct cmd_elf *elf, struct packages *p)
{
	struct mw_error *error;

	p->elf = elf;
	p->table_piece = SIZE_MAX;
	p->target = elf->target ? elf->target : elf->go_target;
	p->image = elf->go_image;
	if (!elf->go || !p->target || !p->image)
		return NULL;
	error = mw_go_funcs_open(p->target, &p->funcs);
	if (error) {
		mw_elf_file_problem(elf->file, error);
		return NULL;
	}
	if (!p->funcs)
		return NULL;
	p->taken = mw_calloc(elf->layout.list.n, sizeof(*p->taken));
	if (!p->taken)
		return mw_error_nomem();
	if (elf->go_summary.pclntab)
		p->table_piece = packages_piece(p, elf->go_summary.pclntab);
	if (!add_functions(p))
		return mw_error_nomem();
	error = packages_add_types(p);
	if (error)
		return error;
	add_all_funcdata(p);
	error = add_variables(p);
	return error ? error : packages_add_strings(p);
}

void packages_free(struct packages *p)
{
	for (size_t i = 0; i < p->list.n; i++)
		mw_free(p->list.v[i].name);
	mw_vec_free(&p->list);
	mw_vec_free(&p->funcdata);
	mw_elf_symbols_free(&p->symbols);
	mw_map64_free(&p->by_name);
	mw_map64_free(&p->seen);
	mw_map64_free(&p->seen_types);
	mw_free(p->taken);
	mw_go_funcs_close(p->funcs);
}

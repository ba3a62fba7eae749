/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_names.h"

#include <string.h>

#include "cmd_debug.h"
#include "mw_demangle.h"
#include "mw_guard.h"
#include "mw_search.h"

/** The symbols of one image. */
struct table {
	bool is_loaded;
	struct mw_elf_symbols symbols;
};

struct cmd_names {
	struct mw_target *target;
	struct mw_go_funcs *funcs;
	struct table *tables; /* one for each image */
};

struct mw_error *cmd_names_open(struct mw_target *target,
				struct cmd_names **ret)
{
	MW_CLEANUP(cmd_names_closep) struct cmd_names *names =
		mw_calloc(1, sizeof(*names));
	struct mw_error *error;
	size_t count;

	if (!names)
		return mw_error_nomem();
	mw_target_images(target, &count);
	names->target = target;
	names->tables = mw_calloc(count, sizeof(*names->tables));
	if (!names->tables)
		return mw_error_nomem();
	error = mw_go_funcs_open(target, &names->funcs);
	if (error && error->code == MW_E_NOMEM)
		return error;
	mw_error_free(error); // a damaged table: there are symbols yet
	*ret = mw_steal(names);
	return NULL;
}

void cmd_names_close(struct cmd_names *names)
{
	size_t count;

	if (!names)
		return;
	mw_target_images(names->target, &count);
	for (size_t i = 0; names->tables && i < count; i++)
		mw_elf_symbols_free(&names->tables[i].symbols);
	mw_free(names->tables);
	mw_go_funcs_close(names->funcs);
	mw_free(names);
}

struct mw_go_funcs *cmd_names_go(struct cmd_names *names)
{
	return names->funcs;
}

static struct mw_error *load_table(struct cmd_names *names,
				   const struct mw_image *image,
				   struct table *table)
{
	MW_CLEANUP(mw_closep) int fd = -1;
	struct mw_elf_file *file = NULL;
	struct mw_error *error =
		mw_target_open_image(names->target, image, &fd);

	if (!error)
		error = mw_elf_file_open(fd, &file);
	if (!error)
		error = cmd_load_symbols(file, image->path, fd,
					 MW_ELF_DYNSYM | MW_ELF_DEBUGDATA,
					 &table->symbols);
	if (!error)
		error = mw_elf_symbols_sort(&table->symbols);
	mw_elf_file_close(file);
	return error;
}

/** The symbols of image @i; none when they cannot be had. */
static const struct mw_elf_symbols *symbols_of(struct cmd_names *names,
					       size_t i)
{
	struct table *table = &names->tables[i];
	size_t count;

	if (!table->is_loaded) {
		table->is_loaded = true;
		mw_error_free(load_table(
			names, &mw_target_images(names->target, &count)[i],
			table));
	}
	return &table->symbols;
}

static void fill(struct cmd_name *name, const struct mw_elf_symbols *symbols,
		 const struct mw_elf_symbol *symbol,
		 const struct mw_image *image)
{
	*name = (struct cmd_name){
		.text = mw_elf_symbol_name(symbols, symbol),
		.start = symbol->value + image->bias,
		.bytes = symbol->bytes,
		.image = image,
		.is_function = ELF64_ST_TYPE(symbol->info) == STT_FUNC ||
			       ELF64_ST_TYPE(symbol->info) == STT_GNU_IFUNC,
	};
}

static void fill_go(struct cmd_name *name, struct mw_go_funcs *funcs,
		    const struct mw_go_func *func)
{
	*name = (struct cmd_name){
		.text = mw_go_func_name(funcs, func),
		.start = func->entry,
		.bytes = mw_go_func_code_end(funcs, func) - func->entry,
		.is_function = true,
	};
}

bool cmd_names_at(struct cmd_names *names, uint64_t va, struct cmd_name *ret)
{
	const struct mw_elf_symbol *symbol;
	const struct mw_image *images;
	struct mw_go_func func;
	size_t count;

	if (names->funcs && mw_go_func_of(names->funcs, va, &func)) {
		fill_go(ret, names->funcs, &func);
		return true;
	}
	images = mw_target_images(names->target, &count);
	for (size_t i = 0; i < count; i++) {
		if (va < images[i].start || va >= images[i].end)
			continue;
		symbol = mw_elf_symbols_at(symbols_of(names, i),
					   va - images[i].bias);
		if (symbol) {
			fill(ret, &names->tables[i].symbols, symbol,
			     &images[i]);
			return true;
		}
	}
	return false;
}

/* Finding by name */

struct hints {
	char *text; /* ", NAME, NAME", or NULL */
	unsigned count;
};

#define MOST_HINTS 6

/** False when there are enough. */
static bool add_hint(struct hints *hints, const char *name, const char *wanted)
{
	char *longer;

	if (!strstr(name, wanted))
		return true;
	longer = mw_format("%s%s%s", hints->text ? hints->text : "",
			   hints->text ? ", " : "", name);
	mw_free(hints->text);
	hints->text = longer;
	return longer && ++hints->count < MOST_HINTS;
}

static void find_hints(struct cmd_names *names, const char *wanted,
		       struct hints *hints)
{
	size_t count;

	for (uint64_t i = 0;
	     names->funcs && i < mw_go_funcs_count(names->funcs); i++) {
		struct mw_go_func func;

		if (mw_go_func_at(names->funcs, i, &func) &&
		    !add_hint(hints, mw_go_func_name(names->funcs, &func),
			      wanted))
			return;
	}
	mw_target_images(names->target, &count);
	for (size_t i = 0; i < count; i++) {
		const struct mw_elf_symbols *symbols = symbols_of(names, i);

		for (size_t k = 0; k < symbols->list.n; k++)
			if (!add_hint(hints,
				      mw_elf_symbol_name(symbols,
							 &symbols->list.v[k]),
				      wanted))
				return;
	}
}

/** Whether the source calls it @wanted, with its arguments or without. */
static bool is_in_source(const char *mangled, const char *wanted,
			 struct mw_text *scratch)
{
	size_t length = strlen(wanted);

	scratch->n = 0;
	scratch->is_full = false;
	return mangled[0] == '_' && (mangled[1] == 'Z' || mangled[1] == 'R') &&
	       mw_demangle(mangled, MW_MANGLED_SYMBOL, scratch) &&
	       strncmp(scratch->v, wanted, length) == 0 &&
	       (!scratch->v[length] || scratch->v[length] == '(');
}

/**
 * Find what C++ or Rust calls @wanted. False when nothing is; the names of
 * others that are, overloads or instances of it, are added to @others.
 */
static bool find_in_source(struct cmd_names *names, const char *wanted,
			   struct cmd_name *ret, struct hints *others)
{
	MW_CLEANUP(mw_text_free) struct mw_text scratch = { .limit = 4096 };
	struct cmd_name found;
	bool any = false;
	size_t count;
	const struct mw_image *images =
		mw_target_images(names->target, &count);

	for (size_t i = 0; i < count; i++) {
		const struct mw_elf_symbols *symbols = symbols_of(names, i);

		for (size_t k = 0; k < symbols->list.n; k++) {
			const struct mw_elf_symbol *s = &symbols->list.v[k];

			if (!mw_elf_symbol_has_address(s) ||
			    !is_in_source(mw_elf_symbol_name(symbols, s),
					  wanted, &scratch))
				continue;
			fill(&found, symbols, s, &images[i]);
			if (!any)
				*ret = found;
			else if (found.start != ret->start &&
				 !add_hint(others, found.text, ""))
				return true;
			any = true;
		}
	}
	return any;
}

struct mw_error *cmd_names_find(struct cmd_names *names, const char *text,
				struct cmd_name *ret)
{
	struct hints hints = { 0 };
	struct mw_error *error;
	struct mw_go_func func;
	size_t count;
	const struct mw_image *images =
		mw_target_images(names->target, &count);

	// The linker's name is the more exact one: the function table has the
	// same for both ABIs of a function.
	for (size_t i = 0; i < count; i++) {
		const struct mw_elf_symbols *symbols = symbols_of(names, i);
		const struct mw_elf_symbol *symbol =
			mw_elf_symbols_find(symbols, text);

		if (symbol && mw_elf_symbol_has_address(symbol)) {
			fill(ret, symbols, symbol, &images[i]);
			return NULL;
		}
		if (i == 0 && names->funcs &&
		    mw_go_func_named(names->funcs, text, &func)) {
			fill_go(ret, names->funcs, &func);
			return NULL;
		}
	}
	if (find_in_source(names, text, ret, &hints)) {
		error = hints.text ? mw_error_new(MW_E_AMBIGUOUS, "several are "
						  "called %s: %s, %s%s", text,
						  ret->text, hints.text,
						  hints.count == MOST_HINTS
							  ? ", …" : "")
				   : NULL;
		mw_free(hints.text);
		return error;
	}
	find_hints(names, text, &hints);
	error = hints.text
			? mw_error_new(MW_E_NOT_FOUND, "nothing is called %s; "
				       "there are: %s%s", text, hints.text,
				       hints.count == MOST_HINTS ? ", …" : "")
			: mw_error_new(MW_E_NOT_FOUND, "nothing is called %s",
				       text);
	mw_free(hints.text);
	return error;
}

struct mw_error *cmd_names_find_in(struct cmd_names *names,
				   const struct mw_image *image,
				   const char *text, struct cmd_name *ret)
{
	size_t count;
	const struct mw_elf_symbols *symbols = symbols_of(
		names,
		(size_t)(image - mw_target_images(names->target, &count)));
	const struct mw_elf_symbol *symbol =
		mw_elf_symbols_find(symbols, text);

	if (!symbol || !mw_elf_symbol_has_address(symbol))
		return mw_error_new(MW_E_NOT_FOUND, "nothing in %s is called "
				    "%s", image->name, text);
	fill(ret, symbols, symbol, image);
	return NULL;
}

/** The first symbol of sorted @symbols above @value, or @end. */
static uint64_t next_symbol(const struct mw_elf_symbols *symbols,
			    uint64_t value, uint64_t end)
{
	size_t at = mw_first(i, 0, symbols->addressed,
			     symbols->list.v[symbols->by_address[i]].value >
				     value);

	return at < symbols->addressed
		       ? mw_min(end,
				symbols->list.v[symbols->by_address[at]].value)
		       : end;
}

uint64_t cmd_names_end(struct cmd_names *names, const struct cmd_name *name)
{
	const struct mw_elf_section *section;
	uint64_t end;
	size_t count;

	if (!mw_end(name->start, name->bytes, &end))
		return name->start;
	if (name->bytes > 0 || !name->image)
		return end;
	section = cmd_section_at(name->image, name->start);
	if (!section || !mw_end(section->addr, section->size, &end))
		return name->start;
	return name->image->bias +
	       next_symbol(symbols_of(names,
				      (size_t)(name->image -
					       mw_target_images(names->target,
								&count))),
			   name->start - name->image->bias, end);
}

/* Places */

const struct mw_image *cmd_image_at(const struct mw_target *target,
				    uint64_t va)
{
	size_t count;
	const struct mw_image *images = mw_target_images(target, &count);

	for (size_t i = 0; i < count; i++)
		if (va >= images[i].start && va < images[i].end)
			return &images[i];
	return NULL;
}

const struct mw_elf_section *cmd_section_at(const struct mw_image *image,
					    uint64_t va)
{
	for (size_t i = 0; i < image->elf->sections.n; i++) {
		const struct mw_elf_section *s = &image->elf->sections.v[i];

		if ((s->flags & SHF_ALLOC) && !(s->flags & SHF_TLS) &&
		    va - image->bias - s->addr < s->size)
			return s;
	}
	return NULL;
}

bool cmd_is_constant(const struct mw_target *target, uint64_t va)
{
	const struct mw_image *image = cmd_image_at(target, va);
	const struct mw_elf_section *section =
		image ? cmd_section_at(image, va) : NULL;

	return section && (!(section->flags & SHF_WRITE) ||
			   strcmp(section->name, ".got") == 0 ||
			   strncmp(section->name, ".data.rel.ro", 12) == 0);
}

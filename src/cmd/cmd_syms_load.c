/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <regex.h>
#include <string.h>

#include "cmd_syms.h"
#include "mw_guard.h"
#include "mw_hash.h"

/* From symbol tables, or what else names functions, to rows. */

struct loader {
	struct syms *syms;
	const struct syms_filter *filter;
	const char *last_package; /* of the symbol before: often the same */
};

/* Packages */

/** @name, kept once; NULL without memory. */
static const char *intern(struct loader *l, const char *name, size_t bytes)
{
	struct syms *syms = l->syms;

	if (l->last_package && strcmp(l->last_package, name) == 0)
		return l->last_package;
	for (uint64_t hash = mw_hash_bytes(MW_HASH_START, name, bytes);; hash++) {
		uint64_t *place = mw_map64_at(&syms->by_package, hash);
		char **package;

		if (!place)
			return NULL;
		if (*place &&
		    strcmp(syms->packages.v[*place - 1], name) == 0)
			return l->last_package = syms->packages.v[*place - 1];
		if (*place)
			continue;
		package = mw_vec_push(&syms->packages);
		if (!package)
			return NULL;
		*package = mw_strdup(name);
		*place = syms->packages.n;
		return l->last_package = *package;
	}
}

/** What gcc calls its clones and local statics: "f.cold", "count.0". */
static bool is_compilers(const char *name)
{
	static const char *const ends[] = { "cold", "isra", "part",
					    "constprop", "lto_priv" };
	const char *dot = strchr(name, '.');

	if (!dot || strchr(name, '/'))
		return false;
	if (dot[1] && strspn(dot + 1, "0123456789") == strlen(dot + 1))
		return true;
	for (size_t i = 0; i < MW_COUNT(ends); i++) {
		size_t length = strlen(ends[i]);

		if (strncmp(dot + 1, ends[i], length) == 0 &&
		    (dot[1 + length] == '\0' || dot[1 + length] == '.'))
			return true;
	}
	return false;
}

static bool set_package(struct loader *l, const struct syms_image *image,
			struct syms_row *row)
{
	uint64_t va = row->address - image->bias;
	char path[1024];
	size_t bytes;

	row->package = "";
	if (!image->is_go)
		return true;
	// A program with cgo has C's functions, too.
	if (row->kind == SYMS_FUNCTION && image->go_etext &&
	    (va < image->go_text || va >= image->go_etext))
		return true;
	if (row->kind != SYMS_FUNCTION && is_compilers(row->name))
		return true;
	bytes = mw_go_package(row->name, path, sizeof(path));
	if (bytes > 0)
		row->package = intern(l, path, bytes);
	return row->package != NULL;
}

/* Symbols */

/** Those of PE files, which nm knows by name: coff_section_type() there. */
static char pe_letter(const char *name)
{
	static const struct {
		const char *name;
		char letter;
	} sections[] = {
		{ ".drectve", 'i' },
		{ ".edata", 'e' },
		{ ".idata", 'i' },
		{ ".pdata", 'p' },
	};

	for (size_t i = 0; i < MW_COUNT(sections); i++) {
		size_t length = strlen(sections[i].name);

		// ".idata$5" and ".idata.5" are meant, ".idatas" is not; the
		// NUL at the end is one of those that strchr() finds.
		if (strncmp(name, sections[i].name, length) == 0 &&
		    strchr(".$0123456789", name[length]))
			return sections[i].letter;
	}
	return '\0';
}

/** As BFD knows them (_bfd_elf_make_section_from_shdr() of binutils): by name. */
static bool is_debugging(const char *name)
{
	static const char *const begins[] = {
		".debug", ".gnu.debuglto_.debug_", ".gnu.linkonce.wi.",
		".zdebug", ".line", ".stab",
	};

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (strncmp(name, begins[i], strlen(begins[i])) == 0)
			return true;
	return strcmp(name, ".gdb_index") == 0;
}

/** The letter that nm has for it. */
static char letter(const struct mw_elf_file *file,
		   const struct mw_elf_symbol *s)
{
	unsigned type = ELF64_ST_TYPE(s->info), bind = ELF64_ST_BIND(s->info);
	const struct mw_elf_section *section =
		!s->special && s->section < file->sections.n
			? &file->sections.v[s->section]
			: NULL;
	char c = '?';

	if (s->special && s->section == SHN_COMMON)
		return 'C';
	if (s->section == SHN_UNDEF)
		return bind != STB_WEAK ? 'U' : type == STT_OBJECT ? 'v' : 'w';
	if (type == STT_GNU_IFUNC)
		return 'i';
	if (bind == STB_WEAK)
		return type == STT_OBJECT ? 'V' : 'W';
	if (bind == STB_GNU_UNIQUE)
		return 'u';
	if (s->special && s->section == SHN_ABS)
		c = 'a';
	else if (!section)
		return '?';
	else if (pe_letter(section->name))
		c = pe_letter(section->name);
	else if (section->flags & SHF_EXECINSTR)
		c = 't';
	else if (section->type == SHT_NOBITS)
		c = 'b';
	else if (!(section->flags & SHF_ALLOC))
		c = is_debugging(section->name)	       ? 'N'
		    : section->flags & SHF_WRITE ? '?'
						 : 'n';
	else if (section->flags & SHF_WRITE)
		c = 'd';
	else
		c = 'r';
	return bind == STB_LOCAL ? c : (char)toupper(c);
}

static const char *section_name(const struct mw_elf_file *file,
				const struct mw_elf_symbol *s)
{
	if (s->section == SHN_UNDEF)
		return "UND";
	if (s->special)
		return s->section == SHN_ABS	  ? "ABS"
		       : s->section == SHN_COMMON ? "COM"
						  : "?";
	return s->section < file->sections.n
		       ? file->sections.v[s->section].name
		       : "?";
}

static enum syms_kind kind_of(const struct mw_elf_file *file,
			      const struct mw_elf_symbol *s)
{
	unsigned type = ELF64_ST_TYPE(s->info);

	if (!mw_elf_symbol_has_address(s) || file->header.type == ET_REL)
		return type == STT_FUNC ? SYMS_FUNCTION : SYMS_OTHER;
	if (type == STT_FUNC || type == STT_GNU_IFUNC)
		return SYMS_FUNCTION;
	return type == STT_OBJECT ? SYMS_DATA : SYMS_PLACE;
}

static bool is_wanted(const struct loader *l, const struct syms_image *image,
		      const struct mw_elf_symbol *s)
{
	unsigned type = ELF64_ST_TYPE(s->info);
	const char *section = l->filter->section;

	if (!l->filter->all && (type == STT_FILE || type == STT_SECTION))
		return false;
	return !section || strcmp(section, section_name(image->file, s)) == 0;
}

/** Add @row when its name and package are wanted. False without memory. */
static bool add_row(struct loader *l, const struct syms_image *image,
		    struct syms_row row)
{
	const struct syms_filter *f = l->filter;
	struct syms_row *place;

	if (!set_package(l, image, &row))
		return false;
	if (f->package && strcmp(row.package, f->package) != 0)
		return true;
	place = mw_vec_push(&l->syms->rows);
	if (!place)
		return false;
	*place = row;
	return true;
}

static bool add_symbols(struct loader *l, uint32_t index)
{
	const struct syms_image *image = &l->syms->images.v[index];
	const struct mw_elf_symbols *symbols = &image->symbols;

	for (size_t i = 0; i < symbols->list.n; i++) {
		const struct mw_elf_symbol *s = &symbols->list.v[i];
		bool has_address = mw_elf_symbol_has_address(s);
		struct syms_row row = {
			.name = mw_elf_symbol_name(symbols, s),
			.section = section_name(image->file, s),
			.address = s->value + (has_address ? image->bias : 0),
			.bytes = s->bytes,
			.image = index,
			.kind = (uint8_t)kind_of(image->file, s),
			.info = s->info,
			.type = (uint8_t)letter(image->file, s),
			.has_address = s->section != SHN_UNDEF,
		};

		// Only --all asks for a section's symbol, which has no name.
		if (ELF64_ST_TYPE(s->info) == STT_SECTION && !*row.name)
			row.name = row.section;
		if (is_wanted(l, image, s) && !add_row(l, image, row))
			return false;
	}
	return true;
}

/* Functions of stripped Go programs */

static bool has_symtab(const struct mw_elf_symbols *symbols)
{
	for (size_t i = 0; i < symbols->list.n; i++)
		if (symbols->list.v[i].table != MW_ELF_DYNSYM)
			return true;
	return false;
}

static const char *section_at(const struct syms_image *image, uint64_t va)
{
	for (size_t i = 1; i < image->file->sections.n; i++) {
		const struct mw_elf_section *s = &image->file->sections.v[i];

		if ((s->flags & SHF_ALLOC) && va - s->addr < s->size)
			return s->name;
	}
	return "";
}

/** The image that holds @va: one that was asked for, or UINT32_MAX. */
static uint32_t image_at(const struct syms *syms, uint64_t va)
{
	for (size_t i = 0; i < syms->images.n; i++) {
		const struct mw_image *image = syms->images.v[i].image;

		if (!image || (va >= image->start && va < image->end))
			return (uint32_t)i;
	}
	return UINT32_MAX;
}

/** Where functions are that the symbols for the loader name already. */
static bool find_exported(const struct syms_image *image,
			  struct mw_map64 *exported)
{
	for (size_t i = 0; i < image->symbols.list.n; i++) {
		const struct mw_elf_symbol *s = &image->symbols.list.v[i];

		if (kind_of(image->file, s) == SYMS_FUNCTION &&
		    mw_elf_symbol_has_address(s) &&
		    !mw_map64_at(exported, s->value + image->bias))
			return false;
	}
	return true;
}

static bool add_functions(struct loader *l)
{
	MW_CLEANUP(mw_map64_free) struct mw_map64 exported = { 0 };
	struct syms *syms = l->syms;
	const char *section = "";
	struct mw_go_func func;
	uint32_t index;

	for (size_t i = 0; i < syms->images.n; i++)
		if (!syms->images.v[i].has_symtab &&
		    !find_exported(&syms->images.v[i], &exported))
			return false;
	for (uint64_t i = 0; i < mw_go_funcs_count(syms->funcs); i++) {
		if (!mw_go_func_at(syms->funcs, i, &func))
			continue;
		index = image_at(syms, func.entry);
		if (index == UINT32_MAX || syms->images.v[index].has_symtab ||
		    mw_map64_find(&exported, func.entry))
			continue;
		section = section_at(&syms->images.v[index],
				     func.entry - syms->images.v[index].bias);
		if (l->filter->section &&
		    strcmp(l->filter->section, section) != 0)
			continue;
		if (!add_row(l, &syms->images.v[index],
			     (struct syms_row){
				     .name = mw_go_func_name(syms->funcs,
							     &func),
				     .section = section,
				     .address = func.entry,
				     .bytes = mw_go_func_code_end(
						      syms->funcs, &func) -
					      func.entry,
				     .image = index,
				     .kind = SYMS_FUNCTION,
				     .info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
				     .type = 't',
				     .has_address = true,
			     }))
			return false;
	}
	return true;
}

static struct mw_error *load_functions(struct loader *l)
{
	struct syms *syms = l->syms;
	struct mw_target *memory;
	struct mw_error *error;
	bool any = false;

	for (size_t i = 0; i < syms->images.n; i++) {
		struct syms_image *image = &syms->images.v[i];

		image->has_symtab = has_symtab(&image->symbols);
		any |= (image->is_go || image->file->sections.n == 0) &&
		       !image->has_symtab;
	}
	memory = any ? syms_memory(syms) : NULL;
	if (!memory)
		return NULL;
	error = mw_go_funcs_open(memory, &syms->funcs);
	if (error && error->code == MW_E_NOMEM)
		return error;
	mw_error_free(error); // a damaged table: nothing to be had
	if (!syms->funcs)
		return NULL;
	for (size_t i = 0; i < syms->images.n; i++)
		syms->images.v[i].is_go = true;
	return add_functions(l) ? NULL : mw_error_nomem();
}

/* Names */

/** Keep the rows for which @keep says so. */
static size_t sift(struct syms *syms,
		   bool (*keep)(const struct syms_row *row, const void *ctx),
		   const void *ctx)
{
	size_t kept = 0;

	for (size_t i = 0; i < syms->rows.n; i++)
		if (keep(&syms->rows.v[i], ctx))
			syms->rows.v[kept++] = syms->rows.v[i];
	return kept;
}

static bool contains(const struct syms_row *row, const void *text)
{
	return strstr(row->name, text) != NULL;
}

static bool matches(const struct syms_row *row, const void *regex)
{
	return regexec(regex, row->name, 0, NULL, 0) == 0;
}

/** By text; when nothing contains it, it is taken for a regular expression. */
static struct mw_error *match(struct syms *syms, const char *text)
{
	bool any = false;
	regex_t regex;

	for (size_t i = 0; !any && i < syms->rows.n; i++)
		any = contains(&syms->rows.v[i], text);
	if (any) {
		syms->rows.n = sift(syms, contains, text);
		return NULL;
	}
	if (regcomp(&regex, text, REG_EXTENDED | REG_NOSUB) != 0) {
		syms->rows.n = 0;
		return NULL;
	}
	syms->rows.n = sift(syms, matches, &regex);
	regfree(&regex);
	return NULL;
}

/* Sections */

/** Whether symbols of @file may be told to be in a section called @name. */
static bool has_section(const struct mw_elf_file *file, const char *name)
{
	return mw_elf_file_section(file, name) || strcmp(name, "UND") == 0 ||
	       strcmp(name, "ABS") == 0 || strcmp(name, "COM") == 0;
}

/** An error when no image has a section called @name. */
static struct mw_error *check_section(const struct syms *syms,
				      const char *name)
{
	const struct syms_image *image = syms->images.v;

	for (size_t i = 0; i < syms->images.n; i++)
		if (has_section(syms->images.v[i].file, name))
			return NULL;
	if (syms->images.n == 0) // a note tells why
		return NULL;
	if (syms->images.n > 1)
		return mw_error_new(MW_E_NOT_FOUND, "no image has a section %s",
				    name);
	return cmd_no_section(image->path, image->file->sections.v,
			      image->file->sections.n, name);
}

struct mw_error *syms_load(struct syms *syms, const struct syms_filter *filter)
{
	struct loader l = { .syms = syms, .filter = filter };
	struct mw_error *error = NULL;

	if (filter->section)
		error = check_section(syms, filter->section);
	if (error)
		return error;
	for (size_t i = 0; i < syms->images.n; i++)
		if (!add_symbols(&l, (uint32_t)i))
			return mw_error_nomem();
	error = load_functions(&l);
	if (!error && filter->match)
		error = match(syms, filter->match);
	return error ? error : syms_place_tls(syms);
}

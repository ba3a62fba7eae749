/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_elf_relocs.h"
#include "mw_guard.h"
#include "mw_num.h"
#include "native_tls_int.h"

/*
 * System V ABI for x86-64, 4.4.1: the loader writes the number of the module
 * that defines the symbol where R_X86_64_DTPMOD64 says so, and the symbol's
 * offset from the thread pointer (symbol + addend + the module's offset) for
 * R_X86_64_TPOFF64. Without a symbol, both mean the module itself.
 */

struct reader {
	struct mw_target *target;
	const struct mw_image *image;
	struct mw_elf_symbols symbols; /* those for the loader */
	MW_VEC(struct mw_elf_symbols) others; /* of images that have TLS */
	bool has_others; /* they have been read */
	struct native_tls_words *words;
};

struct mw_error *native_symbols(struct mw_target *target,
				const struct mw_image *image, unsigned tables,
				struct mw_elf_symbols *ret)
{
	MW_CLEANUP(mw_closep) int fd = -1;
	MW_CLEANUP(mw_elf_file_closep) struct mw_elf_file *file = NULL;
	struct mw_error *error = mw_target_open_image(target, image, &fd);

	if (!error)
		error = mw_elf_file_open(fd, &file);
	if (!error)
		error = mw_elf_symbols_load(file, tables, ret);
	if (!error || error->code == MW_E_NOMEM)
		return error;
	mw_error_free(error);
	return NULL;
}

/** Whether the word at @va, as in the file, is one that is written to. */
static bool is_in_data(const struct mw_image *image, uint64_t va)
{
	for (size_t i = 0; i < image->elf->segments.n; i++) {
		const struct mw_elf_segment *s = &image->elf->segments.v[i];
		uint64_t end;

		if (s->type == PT_LOAD && (s->flags & PF_W) &&
		    mw_end(s->vaddr, s->memsz, &end) &&
		    mw_within(va, 8, s->vaddr, end))
			return true;
	}
	return false;
}

static bool is_defined(const struct mw_elf_symbol *s)
{
	return s->section != SHN_UNDEF && ELF64_ST_TYPE(s->info) == STT_TLS;
}

/** Whether no other image can have one that is taken instead. */
static bool is_own(const struct mw_elf_symbol *s)
{
	return ELF64_ST_BIND(s->info) == STB_LOCAL ||
	       ELF64_ST_VISIBILITY(s->other) != STV_DEFAULT;
}

static struct mw_error *load_others(struct reader *r)
{
	size_t count;
	const struct mw_image *images = mw_target_images(r->target, &count);
	struct mw_error *error = NULL;

	for (size_t i = 0; i < count && !error; i++) {
		struct mw_elf_symbols *symbols;

		if (&images[i] == r->image || !native_tls_segment(&images[i]))
			continue;
		symbols = mw_vec_push(&r->others);
		if (!symbols)
			return mw_error_nomem();
		*symbols = (struct mw_elf_symbols){ 0 };
		error = native_symbols(r->target, &images[i], MW_ELF_DYNSYM,
				       symbols);
	}
	return error;
}

/** Whether another image defines @name, too, which may be the one meant. */
static struct mw_error *is_elsewhere(struct reader *r, const char *name,
				     bool *ret)
{
	struct mw_error *error = r->has_others ? NULL : load_others(r);

	r->has_others = true;
	for (size_t i = 0; i < r->others.n && !error && !*ret; i++)
		*ret = r->others.v[i].list.n == 0 ||
		       mw_elf_symbols_find(&r->others.v[i], name);
	return error;
}

/** Take what stands at @reloc, whose symbol is at @value in the block. */
static void take(struct reader *r, const struct mw_elf_reloc *reloc,
		 uint64_t value)
{
	struct native_tls_words *w = r->words;
	uint64_t word;

	if (!is_in_data(r->image, reloc->offset))
		return;
	if (!mw_target_read_u64(r->target, r->image->bias + reloc->offset,
				&word)) {
		w->has_unread = true;
		return;
	}
	if (reloc->type == R_X86_64_DTPMOD64) {
		w->differ |= w->has_id && w->id != word;
		w->has_id = true;
		w->id = word;
		return;
	}
	word -= value + (uint64_t)reloc->addend;
	w->differ |= w->has_offset && w->offset != word;
	w->has_offset = true;
	w->offset = word;
}

/** Take those whose symbols are the image's @own; or the others. */
static struct mw_error *take_all(struct reader *r,
				 const struct mw_elf_relocs *relocs, bool own)
{
	for (size_t i = 0; i < relocs->list.n; i++) {
		const struct mw_elf_reloc *reloc = &relocs->list.v[i];
		const struct mw_elf_symbol *s =
			mw_elf_reloc_symbol(&r->symbols, reloc);
		bool elsewhere = false;
		struct mw_error *error;

		r->words->has_descriptors |= reloc->type == R_X86_64_TLSDESC;
		if (reloc->type != R_X86_64_DTPMOD64 &&
		    reloc->type != R_X86_64_TPOFF64)
			continue;
		if (reloc->symbol == 0 && own)
			take(r, reloc, 0);
		if (!s || !is_defined(s) || is_own(s) != own)
			continue;
		error = own ? NULL
			    : is_elsewhere(r,
					   mw_elf_symbol_name(&r->symbols, s),
					   &elsewhere);
		if (error)
			return error;
		if (!elsewhere)
			take(r, reloc, s->value);
		if (!own && r->words->has_id && r->words->has_offset)
			break; // the others would be the same
	}
	return NULL;
}

struct mw_error *native_tls_words(struct mw_target *target,
				  const struct mw_image *image,
				  struct mw_elf_file *file,
				  struct native_tls_words *ret)
{
	struct native_tls_words words = { 0 };
	struct reader r = { .target = target, .image = image,
			    .words = &words };
	MW_CLEANUP(mw_elf_relocs_free) struct mw_elf_relocs relocs = { 0 };
	struct mw_error *error = mw_elf_relocs_dynamic(file, &relocs);

	if (!error)
		error = mw_elf_symbols_load(file, MW_ELF_DYNSYM, &r.symbols);
	if (!error)
		error = take_all(&r, &relocs, true);
	if (!error && !words.has_id && !words.has_offset)
		error = take_all(&r, &relocs, false);
	mw_elf_symbols_free(&r.symbols);
	for (size_t i = 0; i < r.others.n; i++)
		mw_elf_symbols_free(&r.others.v[i]);
	mw_vec_free(&r.others);
	if (!error)
		*ret = words;
	return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>

#include "mw_elf_relocs.h"
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_search.h"

/*
 * Elf64_Rela (gABI, "Relocation"): offset u64, type u32, symbol u32, addend
 * s64. What the types mean: System V ABI for x86-64, 4.4.1.
 */
#define ENTRY 24
/* 1.5 GiB of them: no section has that many. */
#define MOST_BYTES (MW_MIB(64) * ENTRY)
#define SHT_CREL_ 0x40000014

/** What sections of relocations there are beside SHT_RELA. */
static bool is_other_form(uint32_t type)
{
	return type == SHT_REL || type == SHT_CREL_ || type == SHT_RELR;
}

static struct mw_error *add_all(struct mw_elf_file *file,
				const struct mw_elf_section *rela,
				struct mw_elf_relocs *to)
{
	MW_CLEANUP(mw_freep) uint8_t *raw = NULL;
	struct mw_error *error;

	if (!file->is_64 || is_other_form(rela->type))
		return mw_error_at(MW_E_UNSUPPORTED, rela->offset,
				   "%s has relocations in a form that is not "
				   "read", rela->name);
	if (rela->entry_size != ENTRY)
		return mw_error_at(MW_E_FORMAT, rela->offset, "%s: relocations "
				   "of %" PRIu64 " bytes instead of %d",
				   rela->name, rela->entry_size, ENTRY);
	error = mw_elf_file_copy(file, rela->offset, rela->size, MOST_BYTES,
				 rela->name, &raw);
	for (uint64_t at = 0; !error && at + ENTRY <= rela->size; at += ENTRY) {
		struct mw_elf_reloc *r = mw_vec_push(&to->list);

		if (!r)
			return mw_error_nomem();
		*r = (struct mw_elf_reloc){
			.offset = mw_elf_get(file, raw + at, 8),
			.type = (uint32_t)mw_elf_get(file, raw + at + 8, 4),
			.symbol = (uint32_t)mw_elf_get(file, raw + at + 12, 4),
			.addend = (int64_t)mw_elf_get(file, raw + at + 16, 8),
			.order = (uint32_t)(to->list.n - 1),
		};
	}
	to->symtab = rela->link;
	return error;
}

struct mw_error *mw_elf_relocs_add(struct mw_elf_file *file,
				   const struct mw_elf_section *rela,
				   struct mw_elf_relocs *to)
{
	struct mw_error *error = add_all(file, rela, to);

	if (!error || error->code == MW_E_NOMEM)
		return error;
	mw_elf_file_problem(file, error);
	return NULL;
}

static int by_offset(const void *a, const void *b)
{
	const struct mw_elf_reloc *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void mw_elf_relocs_sort(struct mw_elf_relocs *relocs)
{
	bool is_sorted = true;

	for (size_t i = 1; is_sorted && i < relocs->list.n; i++)
		is_sorted = relocs->list.v[i - 1].offset <=
			    relocs->list.v[i].offset;
	if (!is_sorted)
		qsort(relocs->list.v, relocs->list.n, sizeof(*relocs->list.v),
		      by_offset);
}

struct mw_error *mw_elf_relocs_load(struct mw_elf_file *file, uint32_t index,
				    struct mw_elf_relocs *ret)
{
	struct mw_elf_relocs relocs = { 0 };
	struct mw_error *error = NULL;

	for (size_t i = 1; !error && i < file->sections.n; i++) {
		const struct mw_elf_section *s = &file->sections.v[i];

		if (s->info == index && (s->type == SHT_RELA ||
					 is_other_form(s->type)))
			error = mw_elf_relocs_add(file, s, &relocs);
	}
	if (error) {
		mw_elf_relocs_free(&relocs);
		return error;
	}
	mw_elf_relocs_sort(&relocs);
	*ret = relocs;
	return NULL;
}

void mw_elf_relocs_free(struct mw_elf_relocs *relocs)
{
	mw_vec_free(&relocs->list);
	*relocs = (struct mw_elf_relocs){ 0 };
}

size_t mw_elf_relocs_from(const struct mw_elf_relocs *relocs, uint64_t offset)
{
	return mw_first(i, 0, relocs->list.n,
			relocs->list.v[i].offset >= offset);
}

struct mw_elf_reloc_kind mw_elf_reloc_kind(uint32_t type)
{
	static const struct mw_elf_reloc_kind kinds[] = {
		[R_X86_64_64] = { 8, false, "" },
		[R_X86_64_PC32] = { 4, true, "" },
		[R_X86_64_GOT32] = { 4, false, "@GOT" },
		[R_X86_64_PLT32] = { 4, true, "" },
		[R_X86_64_GOTPCREL] = { 4, true, "@GOTPCREL" },
		[R_X86_64_32] = { 4, false, "" },
		[R_X86_64_32S] = { 4, false, "" },
		[R_X86_64_16] = { 2, false, "" },
		[R_X86_64_PC16] = { 2, true, "" },
		[R_X86_64_8] = { 1, false, "" },
		[R_X86_64_PC8] = { 1, true, "" },
		[R_X86_64_DTPOFF64] = { 8, false, "@DTPOFF" },
		[R_X86_64_TPOFF64] = { 8, false, "@TPOFF" },
		[R_X86_64_TLSGD] = { 4, true, "@TLSGD" },
		[R_X86_64_TLSLD] = { 4, true, "@TLSLD" },
		[R_X86_64_DTPOFF32] = { 4, false, "@DTPOFF" },
		[R_X86_64_GOTTPOFF] = { 4, true, "@GOTTPOFF" },
		[R_X86_64_TPOFF32] = { 4, false, "@TPOFF" },
		[R_X86_64_PC64] = { 8, true, "" },
		[R_X86_64_GOTOFF64] = { 8, false, "@GOTOFF" },
		[R_X86_64_GOTPC32] = { 4, true, "" },
		[R_X86_64_GOTPC32_TLSDESC] = { 4, true, "@TLSDESC" },
		[R_X86_64_GOTPCRELX] = { 4, true, "@GOTPCREL" },
		[R_X86_64_REX_GOTPCRELX] = { 4, true, "@GOTPCREL" },
	};

	if (type < MW_COUNT(kinds) && kinds[type].suffix)
		return kinds[type];
	return (struct mw_elf_reloc_kind){ .suffix = "" };
}

const struct mw_elf_symbol *
mw_elf_reloc_symbol(const struct mw_elf_symbols *symbols,
		    const struct mw_elf_reloc *reloc)
{
	const struct mw_elf_symbol *s;

	if (reloc->symbol == 0 || reloc->symbol > symbols->list.n)
		return NULL;
	s = &symbols->list.v[reloc->symbol - 1];
	return s->table == symbols->list.v[0].table &&
			       s->index == reloc->symbol
		       ? s
		       : NULL;
}

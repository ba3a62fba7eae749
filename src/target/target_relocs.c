/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_search.h"
#include "target_relocs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mw_guard.h"
#include "mw_num.h"
#include "mw_vec.h"

/*
 * Layouts: System V ABI, "Dynamic Section" and "Relocation" (Elf64_Rela:
 * offset, info, addend).
 */

struct reloc {
	uint64_t va;
	uint64_t value;
	uint64_t symbol; /* index of what is to be added to it; 0: nothing */
};

struct target_relocs {
	MW_VEC(struct reloc) list; /* ascending */
};

/** The part of the file that is loaded at @va; fewer bytes than asked: 0. */
static size_t read_at(int fd, const struct mw_elf *elf, uint64_t va, void *to,
		      size_t bytes)
{
	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];
		uint64_t end;

		if (s->type != PT_LOAD || !mw_end(s->vaddr, s->filesz, &end) ||
		    va < s->vaddr || va >= end)
			continue;
		bytes = mw_min(bytes, end - va);
		ssize_t got = pread(fd, to, bytes,
				    (off_t)(va - s->vaddr + s->offset));
		return got < 0 ? 0 : (size_t)got;
	}
	return 0;
}

/** Where DT_RELA lies, and DT_SYMTAB. */
struct table {
	uint64_t va, bytes;
	uint64_t symbols;
};

static void find_table(int fd, const struct mw_elf *elf, struct table *ret)
{
	enum { MOST = 4096 };

	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];

		if (s->type != PT_DYNAMIC)
			continue;
		for (uint64_t k = 0; k < s->filesz / 16 && k < MOST; k++) {
			uint64_t pair[2];

			if (pread(fd, pair, sizeof(pair),
				  (off_t)(s->offset + 16 * k)) !=
			    sizeof(pair))
				return;
			if (pair[0] == DT_RELA)
				ret->va = pair[1];
			else if (pair[0] == DT_RELASZ)
				ret->bytes = pair[1];
			else if (pair[0] == DT_SYMTAB)
				ret->symbols = pair[1];
			else if (pair[0] == DT_NULL)
				return;
		}
	}
}

/** What @rela makes of its word; false when that cannot be told. */
static bool take(const Elf64_Rela *rela, struct reloc *ret)
{
	uint64_t type = ELF64_R_TYPE(rela->r_info);

	*ret = (struct reloc){ .va = rela->r_offset };
	if (type != R_X86_64_GLOB_DAT)
		ret->value = (uint64_t)rela->r_addend;
	if (type == R_X86_64_RELATIVE)
		return true;
	// The first symbol is none.
	ret->symbol = ELF64_R_SYM(rela->r_info);
	return (type == R_X86_64_64 || type == R_X86_64_GLOB_DAT) &&
	       ret->symbol;
}

static bool load_rela(struct target_relocs *relocs, int fd,
		      const struct mw_elf *elf, const struct table *table)
{
	uint64_t va = table->va, left = table->bytes;
	Elf64_Rela batch[256];

	while (left >= sizeof(batch[0])) {
		size_t got = read_at(fd, elf, va, batch,
				     mw_min(left, sizeof(batch)));
		size_t count = got / sizeof(batch[0]);

		for (size_t i = 0; i < count; i++) {
			struct reloc reloc, *place;

			if (!take(&batch[i], &reloc))
				continue;
			place = mw_vec_push(&relocs->list);
			if (!place)
				return false;
			*place = reloc;
		}
		if (count == 0)
			break;
		va += count * sizeof(batch[0]);
		left -= count * sizeof(batch[0]);
	}
	return true;
}

/** Whether it is the file that says where @symbol is. */
static bool is_defined(const Elf64_Sym *symbol)
{
	return symbol->st_shndx != SHN_UNDEF &&
	       symbol->st_shndx < SHN_LORESERVE &&
	       ELF64_ST_TYPE(symbol->st_info) != STT_TLS &&
	       ELF64_ST_TYPE(symbol->st_info) != STT_GNU_IFUNC;
}

/** Add what symbols stand for, and leave out what depends on other files. */
static bool add_symbols(struct target_relocs *relocs, int fd,
			const struct mw_elf *elf, uint64_t table)
{
	MW_CLEANUP(mw_freep) Elf64_Sym *symbols = NULL;
	uint64_t last = 0, bytes, count = 0;
	size_t kept = 0;

	for (size_t i = 0; i < relocs->list.n; i++)
		last = mw_max(last, relocs->list.v[i].symbol);
	if (last && table) {
		bytes = mw_min((last + 1) * sizeof(*symbols), elf->file_bytes);
		symbols = mw_alloc(bytes);
		if (!symbols)
			return false;
		count = read_at(fd, elf, table, symbols, bytes) /
			sizeof(*symbols);
	}
	for (size_t i = 0; i < relocs->list.n; i++) {
		struct reloc r = relocs->list.v[i];

		if (r.symbol) {
			if (r.symbol >= count ||
			    !is_defined(&symbols[r.symbol]))
				continue;
			r.value += symbols[r.symbol].st_value;
		}
		relocs->list.v[kept++] = r;
	}
	relocs->list.n = kept;
	return true;
}

static int by_va(const void *a, const void *b)
{
	const struct reloc *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

struct mw_error *mw_relocs_load(int fd, const struct mw_elf *elf,
				struct target_relocs **ret)
{
	struct target_relocs *relocs = mw_calloc(1, sizeof(*relocs));
	struct table table = { 0 };

	if (!relocs)
		return mw_error_nomem();
	if (elf->is_64 && elf->machine == EM_X86_64)
		find_table(fd, elf, &table);
	// No table is longer than the file that holds it.
	table.bytes = mw_min(table.bytes, elf->file_bytes);
	if (!load_rela(relocs, fd, elf, &table) ||
	    !add_symbols(relocs, fd, elf, table.symbols)) {
		mw_relocs_free(relocs);
		return mw_error_nomem();
	}
	if (relocs->list.n)
		qsort(relocs->list.v, relocs->list.n, sizeof(struct reloc),
		      by_va);
	*ret = relocs;
	return NULL;
}

void mw_relocs_free(struct target_relocs *relocs)
{
	if (!relocs)
		return;
	mw_vec_free(&relocs->list);
	mw_free(relocs);
}

void mw_relocs_apply(const struct target_relocs *relocs, uint64_t va,
		     uint8_t *page)
{
	size_t at = mw_first(i, 0, relocs->list.n, relocs->list.v[i].va >= va);

	for (; at < relocs->list.n; at++) {
		const struct reloc *r = &relocs->list.v[at];

		// Words that cross a page are none of a compiler's.
		if (r->va > va + MW_PAGE_BYTES - 8)
			break;
		memcpy(page + (r->va - va), &r->value, 8);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <lzma.h>
#include <string.h>

#include "mw_elf_symbols.h"
#include "mw_guard.h"
#include "mw_num.h"

/*
 * Chromium with symbols has 3 million and 400 MB of names. The names' places
 * have 32 bits.
 */
#define MAX_SYMBOLS (UINT64_C(1) << 27)
#define MAX_STRINGS MW_GIB(3)
#define MAX_DEBUGDATA MW_MIB(512)
#define BLOCK MW_MIB(1)

struct loader {
	struct mw_elf_file *file;
	struct mw_elf_symbols *to;
	uint8_t table;
	const struct mw_elf_section *symbols;
	uint64_t strings_at; /* of this table, in to->strings */
	uint64_t string_bytes;
	uint8_t *extended; /* section indices of SHN_XINDEX */
	uint64_t extended_count;
};

/** Append the string table of the symbol table, and a NUL. */
static struct mw_error *load_strings(struct loader *l)
{
	const struct mw_elf_section *strings;
	struct mw_elf_symbols *to = l->to;
	char *grown;

	if (l->symbols->link >= l->file->sections.n)
		return mw_error_at(MW_E_FORMAT, l->symbols->offset,
				   "%s has no string table", l->symbols->name);
	strings = &l->file->sections.v[l->symbols->link];
	if (!mw_elf_section_in_file(strings) ||
	    !mw_within(strings->offset, strings->size, 0, l->file->bytes))
		return mw_error_at(MW_E_FORMAT, strings->offset,
				   "%s, the names of %s, at offset 0x%" PRIx64
				   " leaves the file (truncated?)",
				   strings->name, l->symbols->name,
				   strings->offset);
	if (strings->size > MAX_STRINGS - to->string_bytes)
		return mw_error_at(MW_E_LIMIT, strings->offset,
				   "%s has more bytes than make sense",
				   strings->name);
	grown = mw_realloc(to->strings,
			   to->string_bytes + strings->size + 1, 1);
	if (!grown)
		return mw_error_nomem();
	to->strings = grown;
	if (!mw_elf_file_read(l->file, strings->offset,
			      grown + to->string_bytes, strings->size))
		return mw_error_at(MW_E_SYSTEM, strings->offset,
				   "%s cannot be read", strings->name);
	l->strings_at = to->string_bytes;
	l->string_bytes = strings->size;
	to->string_bytes += strings->size;
	grown[to->string_bytes++] = '\0';
	return NULL;
}

/** The table of section indices that are too large for a symbol's 16 bits. */
static struct mw_error *load_extended(struct loader *l)
{
	size_t index = (size_t)(l->symbols - l->file->sections.v);

	for (size_t i = 1; i < l->file->sections.n; i++) {
		const struct mw_elf_section *s = &l->file->sections.v[i];

		if (s->type != SHT_SYMTAB_SHNDX || s->link != index)
			continue;
		l->extended_count = s->size / 4;
		return mw_elf_file_copy(l->file, s->offset, s->size,
					MAX_SYMBOLS * 4, s->name,
					&l->extended);
	}
	return NULL;
}

/*
 * A symbol:	32 bits: name u32, value u32, size u32, info u8, other u8,
 *			 section u16
 *		64 bits: name u32, info u8, other u8, section u16, value u64,
 *			 size u64
 */
static struct mw_elf_symbol decode(const struct loader *l, const uint8_t *raw,
				   uint64_t index)
{
	const struct mw_elf_file *file = l->file;
	uint64_t name = mw_elf_get(file, raw, 4);
	unsigned info = file->is_64 ? 4 : 12;
	struct mw_elf_symbol s = {
		.value = mw_elf_get(file, raw + (file->is_64 ? 8 : 4),
				    mw_elf_word(file)),
		.bytes = mw_elf_get(file, raw + (file->is_64 ? 16 : 8),
				    mw_elf_word(file)),
		.name = name < l->string_bytes
				? (uint32_t)(l->strings_at + name)
				: 0,
		.section = (uint32_t)mw_elf_get(file, raw + info + 2, 2),
		.index = (uint32_t)index,
		.info = raw[info],
		.other = raw[info + 1],
		.table = l->table,
	};

	if (s.section == SHN_XINDEX && index < l->extended_count)
		s.section = (uint32_t)mw_elf_get(file, l->extended + 4 * index,
						 4);
	else
		s.special = s.section >= SHN_LORESERVE;
	return s;
}

static struct mw_error *load_symbols(struct loader *l, uint64_t entry)
{
	uint64_t count = l->symbols->size / entry, done = 0;
	uint64_t per_block = BLOCK / entry;
	MW_CLEANUP(mw_freep) uint8_t *block =
		mw_alloc(mw_min(count, per_block) * entry);

	if (!block)
		return mw_error_nomem();
	while (done < count) {
		uint64_t part = mw_min(count - done, per_block);

		if (!mw_elf_file_read(l->file,
				      l->symbols->offset + done * entry, block,
				      part * entry))
			return mw_error_at(MW_E_SYSTEM, l->symbols->offset,
					   "%s cannot be read",
					   l->symbols->name);
		for (uint64_t i = done == 0; i < part; i++) {
			struct mw_elf_symbol *s = mw_vec_push(&l->to->list);

			if (!s)
				return mw_error_nomem();
			*s = decode(l, block + i * entry, done + i);
		}
		done += part;
	}
	return NULL;
}

static struct mw_error *load_table(struct mw_elf_file *file, uint32_t type,
				   uint8_t table, struct mw_elf_symbols *to)
{
	struct loader l = { .file = file, .to = to, .table = table,
			    .symbols = mw_elf_file_section_of_type(file,
								   type) };
	uint64_t entry = file->is_64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
	struct mw_error *error;

	if (!l.symbols)
		return NULL;
	if (!mw_within(l.symbols->offset, l.symbols->size, 0, file->bytes))
		return mw_error_at(MW_E_FORMAT, l.symbols->offset,
				   "%s at offset 0x%" PRIx64
				   " leaves the file (truncated?)",
				   l.symbols->name, l.symbols->offset);
	if (l.symbols->size / entry > MAX_SYMBOLS)
		return mw_error_at(MW_E_LIMIT, l.symbols->offset,
				   "%s has more symbols than make sense",
				   l.symbols->name);
	error = load_strings(&l);
	if (!error)
		error = load_extended(&l);
	if (!error)
		error = load_symbols(&l, entry);
	mw_free(l.extended);
	return error;
}

/* The file inside */

static struct mw_error *unpack(const struct mw_elf_section *section,
			       const uint8_t *packed, uint8_t **ret,
			       uint64_t *ret_bytes)
{
	uint64_t limit = MW_MIB(256), room = MW_MIB(1);
	MW_CLEANUP(mw_freep) uint8_t *bytes = NULL;

	for (; room <= MAX_DEBUGDATA; room *= 4) {
		size_t in = 0, out = 0;
		uint8_t *grown = mw_realloc(bytes, room, 1);
		lzma_ret status;

		if (!grown)
			return mw_error_nomem();
		bytes = grown;
		status = lzma_stream_buffer_decode(&limit, 0, NULL, packed, &in,
						   section->size, bytes, &out,
						   room);
		if (status == LZMA_OK) {
			*ret = mw_steal(bytes);
			*ret_bytes = out;
			return NULL;
		}
		if (status == LZMA_MEM_ERROR)
			return mw_error_nomem();
		if (status != LZMA_BUF_ERROR || in == section->size)
			break;
	}
	return mw_error_at(MW_E_FORMAT, section->offset, "%s at offset 0x%" PRIx64
			   " is damaged or too large to be unpacked",
			   section->name, section->offset);
}

static struct mw_error *load_inner(struct mw_elf_file *file,
				   struct mw_elf_symbols *to)
{
	const struct mw_elf_section *section =
		mw_elf_file_section(file, ".gnu_debugdata");
	MW_CLEANUP(mw_elf_file_closep) struct mw_elf_file *inner = NULL;
	MW_CLEANUP(mw_freep) uint8_t *packed = NULL;
	MW_CLEANUP(mw_freep) uint8_t *bytes = NULL;
	struct mw_error *error;
	uint64_t count = 0;

	if (!section || !mw_elf_section_in_file(section))
		return NULL;
	error = mw_elf_file_copy(file, section->offset, section->size,
				 MAX_DEBUGDATA, section->name, &packed);
	if (!error)
		error = unpack(section, packed, &bytes, &count);
	if (!error)
		error = mw_elf_file_open_memory(bytes, count, &inner);
	if (!error)
		error = load_table(inner, SHT_SYMTAB, MW_ELF_DEBUGDATA, to);
	return error ? mw_error_prefix(error, ".gnu_debugdata") : NULL;
}

struct mw_error *mw_elf_symbols_load(struct mw_elf_file *file,
				     unsigned tables,
				     struct mw_elf_symbols *ret)
{
	struct mw_elf_symbols symbols = { .strings = mw_strdup(""),
					  .string_bytes = 1 };
	struct mw_error *error = symbols.strings ? NULL : mw_error_nomem();

	for (unsigned table = 1; !error && table <= MW_ELF_DEBUGDATA;
	     table <<= 1) {
		if (!(tables & table))
			continue;
		if (table == MW_ELF_DEBUGDATA)
			error = load_inner(file, &symbols);
		else
			error = load_table(file,
					   table == MW_ELF_SYMTAB ? SHT_SYMTAB
								  : SHT_DYNSYM,
					   (uint8_t)table, &symbols);
		if (error && error->code != MW_E_NOMEM) {
			mw_elf_file_problem(file, error);
			error = NULL;
		}
	}
	if (error)
		mw_elf_symbols_free(&symbols);
	else
		*ret = symbols;
	return error;
}

void mw_elf_symbols_free(struct mw_elf_symbols *symbols)
{
	mw_vec_free(&symbols->list);
	mw_free(symbols->strings);
	mw_free(symbols->by_address);
	mw_free(symbols->reach);
	*symbols = (struct mw_elf_symbols){ 0 };
}

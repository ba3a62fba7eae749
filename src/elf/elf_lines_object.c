/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "elf_lines_int.h"
#include "elf_unpacked.h"
#include "mw_guard.h"
#include "mw_num.h"

/*
 * Debug information of object files. libdw reads it as it stands, where all
 * that refers to code or to another section is 0. (libdwfl relocates it, too,
 * but with a layout of its own.)
 */

/* No .o or .ko comes near, nor would libdw be quick. */
#define MOST_BYTES MW_GIB(1)

static bool is_debug(const struct mw_elf_section *section)
{
	return mw_elf_section_in_file(section) &&
	       strncmp(section->name, ".debug_", 7) == 0;
}

/** Put the unpacked bytes of section @index behind all others. */
static struct mw_error *append(struct lines_object *object,
			       const struct mw_elf_file *file, size_t index,
			       const Elf_Data *data)
{
	uint64_t at = mw_align_up(object->count, 8);
	uint64_t header = file->header.shoff + index * sizeof(Elf64_Shdr);
	uint8_t *grown;
	Elf64_Shdr s;

	if (!data || !data->d_buf || data->d_size > MOST_BYTES - 1 ||
	    at > MOST_BYTES)
		return NULL;
	// libdw goes on to the NUL of a string, so there is one.
	grown = mw_realloc(object->bytes, at + data->d_size + 1, 1);
	if (!grown)
		return mw_error_nomem();
	memcpy(grown + at, data->d_buf, data->d_size);
	grown[at + data->d_size] = '\0';
	memcpy(&s, grown + header, sizeof(s));
	s.sh_offset = at;
	s.sh_size = data->d_size;
	s.sh_flags &= ~(uint64_t)SHF_COMPRESSED;
	memcpy(grown + header, &s, sizeof(s));
	object->bytes = grown;
	object->count = at + data->d_size + 1;
	return NULL;
}

static struct mw_error *unpack(struct lines_object *object, int fd,
			       const struct mw_elf_file *file)
{
	struct mw_error *error = NULL;
	Elf *packed = NULL;

	for (size_t i = 1; !error && i < file->sections.n; i++) {
		const struct mw_elf_section *s = &file->sections.v[i];
		struct mw_elf_compression how;
		Elf_Scn *scn;

		if (!(s->flags & SHF_COMPRESSED) || !is_debug(s))
			continue;
		if (!packed)
			packed = elf_begin(fd, ELF_C_READ, NULL);
		scn = packed ? elf_getscn(packed, i) : NULL;
		if (scn && elf_compress(scn, 0, 0) > 0) {
			error = append(object, file, i, elf_rawdata(scn, NULL));
			continue;
		}
		error = mw_elf_compression(file, s, &how);
		if (!error)
			error = elf_unpack_error(s, &how);
	}
	elf_end(packed);
	return error;
}

static void apply(const struct mw_elf_reloc *reloc,
		  const struct mw_elf_symbols *symbols, Elf_Data *data)
{
	const struct mw_elf_symbol *s = mw_elf_reloc_symbol(symbols, reloc);
	uint64_t value = (s ? s->value : 0) + (uint64_t)reloc->addend;
	size_t bytes = mw_elf_reloc_kind(reloc->type).bytes;

	switch (reloc->type) {
	case R_X86_64_64:
	case R_X86_64_32:
	case R_X86_64_32S:
	case R_X86_64_DTPOFF64:
	case R_X86_64_DTPOFF32:
		break;
	default:
		return;
	}
	if (data->d_buf && mw_within(reloc->offset, bytes, 0, data->d_size))
		memcpy((uint8_t *)data->d_buf + reloc->offset, &value, bytes);
}

static struct mw_error *relocate_section(struct lines_object *object,
					 struct mw_elf_file *file,
					 const struct mw_elf_section *rela,
					 const struct mw_elf_symbols *symbols)
{
	struct mw_elf_relocs relocs = { 0 };
	struct mw_error *error = mw_elf_relocs_add(file, rela, &relocs);
	Elf_Scn *scn = error ? NULL : elf_getscn(object->elf, rela->info);
	Elf_Data *data = scn ? elf_rawdata(scn, NULL) : NULL;

	for (size_t i = 0; data && i < relocs.list.n; i++)
		apply(&relocs.list.v[i], symbols, data);
	mw_elf_relocs_free(&relocs);
	return error;
}

static struct mw_error *relocate(struct lines_object *object,
				 struct mw_elf_file *file)
{
	MW_CLEANUP(mw_elf_symbols_free) struct mw_elf_symbols symbols = { 0 };
	struct mw_error *error = mw_elf_places_make(file, &object->places);

	if (!error)
		error = mw_elf_symbols_load(file, MW_ELF_SYMTAB, &symbols);
	if (error)
		return error;
	mw_elf_places_put(&object->places, &symbols);
	for (size_t i = 1; !error && i < file->sections.n; i++) {
		const struct mw_elf_section *s = &file->sections.v[i];

		if (s->type == SHT_RELA && s->info > 0 &&
		    s->info < file->sections.n &&
		    is_debug(&file->sections.v[s->info]))
			error = relocate_section(object, file, s, &symbols);
	}
	return error;
}

struct mw_error *lines_object_open(int fd, struct lines_object *ret)
{
	MW_CLEANUP(mw_elf_file_closep) struct mw_elf_file *file = NULL;
	struct lines_object object = { 0 };
	struct mw_error *error = mw_elf_file_open(fd, &file);

	if (!error)
		error = mw_elf_file_copy(file, 0, file->bytes, MOST_BYTES,
					 "the object file", &object.bytes);
	object.count = file ? file->bytes : 0;
	if (!error)
		error = unpack(&object, fd, file);
	if (!error) {
		object.elf = elf_memory((char *)object.bytes, object.count);
		if (!object.elf)
			error = mw_error_new(MW_E_FORMAT, "%s",
					     elf_errmsg(-1));
	}
	if (!error)
		error = relocate(&object, file);
	if (error)
		lines_object_close(&object);
	else
		*ret = object;
	return error;
}

void lines_object_close(struct lines_object *object)
{
	elf_end(object->elf);
	mw_free(object->bytes);
	mw_elf_places_free(&object->places);
	*object = (struct lines_object){ 0 };
}

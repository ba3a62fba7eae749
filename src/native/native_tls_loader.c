/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "mw_guard.h"
#include "mw_num.h"
#include "native_tls_int.h"

/*
 * glibc's loader lists the modules that have TLS, by their numbers, in chunks
 * (sysdeps/generic/ldsodefs.h, struct dtv_slotinfo_list):
 *
 *	0	u64 count of this chunk's entries
 *	8	u64 next chunk
 *	16	entries: u64 generation, u64 link_map (0: none)
 *
 * and in each struct link_map (include/link.h), whose beginning is public:
 * 0 l_addr, 16 l_ld. Where the rest lies differs from version to version; for
 * debuggers, libc.so.6 (libpthread.so.0 before 2.34) tells it in symbols that
 * begin with _thread_db_ (nptl_db/db_info.c): u32 bits of the field, u32 count,
 * u32 offset.
 */
#define SLOT_BYTES 16
#define CHUNK_HEAD 16
#define LINK_MAP_ADDR 0
#define LINK_MAP_LD 16
#define MAX_CHUNKS 4096
#define MAX_MODULES 1000000
/* Values of l_tls_offset: no block at a fixed place. */
#define NO_TLS_OFFSET 0
#define FORCED_DYNAMIC UINT64_MAX

enum field { LIST, MODULE_ID, MODULE_OFFSET, FIELDS };

static const char *const field_names[] = {
	[LIST] = "_thread_db_rtld_global__dl_tls_dtv_slotinfo_list",
	[MODULE_ID] = "_thread_db_link_map_l_tls_modid",
	[MODULE_OFFSET] = "_thread_db_link_map_l_tls_offset",
};

struct places {
	uint64_t global; /* _rtld_global */
	uint32_t fields[FIELDS];
};

static bool read_fields(struct mw_target *target, const struct mw_image *image,
			const struct mw_elf_symbols *symbols,
			struct places *places)
{
	for (size_t i = 0; i < FIELDS; i++) {
		const struct mw_elf_symbol *s =
			mw_elf_symbols_find(symbols, field_names[i]);
		uint32_t field[3];

		if (!s ||
		    !mw_target_read(target, s->value + image->bias, field,
				    sizeof(field)) ||
		    field[0] != 64 || field[2] > MW_MIB(1))
			return false;
		places->fields[i] = field[2];
	}
	return true;
}

/** The loader is an executable when it is told to run another. */
static bool is_loader(const struct mw_image *image)
{
	return image->kind == MW_IMAGE_LOADER ||
	       strcmp(image->name, "ld-linux-x86-64.so.2") == 0;
}

static bool has_places_of_fields(const char *name)
{
	return strcmp(name, "libc.so.6") == 0 ||
	       strcmp(name, "libpthread.so.0") == 0;
}

static struct mw_error *find_places(struct mw_target *target,
				    struct places *places, bool *ret)
{
	size_t count;
	const struct mw_image *images = mw_target_images(target, &count);
	struct mw_error *error = NULL;
	bool has_fields = false;

	for (size_t i = 0; i < count && !error; i++) {
		MW_CLEANUP(mw_elf_symbols_free) struct mw_elf_symbols symbols =
			{ 0 };
		const struct mw_elf_symbol *s;

		if (!is_loader(&images[i]) &&
		    (has_fields || !has_places_of_fields(images[i].name)))
			continue;
		// Until 2.33 they are not among those for the loader.
		error = native_symbols(target, &images[i],
				       MW_ELF_DYNSYM | MW_ELF_SYMTAB,
				       &symbols);
		if (error)
			break;
		if (!is_loader(&images[i])) {
			has_fields = read_fields(target, &images[i], &symbols,
						 places);
			continue;
		}
		s = mw_elf_symbols_find(&symbols, "_rtld_global");
		if (s)
			places->global = s->value + images[i].bias;
	}
	*ret = has_fields && places->global;
	return error;
}

/** Whether the link_map at @map is that of @image. */
static bool is_of(struct mw_target *target, const struct mw_image *image,
		  uint64_t map)
{
	uint64_t addr, ld;

	if (!mw_target_read_u64(target, map + LINK_MAP_ADDR, &addr) ||
	    addr != image->bias ||
	    !mw_target_read_u64(target, map + LINK_MAP_LD, &ld))
		return false;
	for (size_t i = 0; i < image->elf->segments.n; i++) {
		const struct mw_elf_segment *s = &image->elf->segments.v[i];

		if (s->type == PT_DYNAMIC)
			return s->vaddr + image->bias == ld;
	}
	return false;
}

static bool take(struct mw_target *target, const struct places *places,
		 uint64_t id, const uint64_t slot[2],
		 struct native_tls_record *record)
{
	uint64_t same, offset;

	// An entry 0 can be there; it is none's.
	if (id == 0 ||
	    !mw_target_read_u64(target, slot[1] + places->fields[MODULE_ID],
				&same) ||
	    !mw_target_read_u64(target, slot[1] + places->fields[MODULE_OFFSET],
				&offset) ||
	    same != id)
		return false;
	*record = (struct native_tls_record){
		.is_known = true,
		.id = id,
		.generation = slot[0],
		.has_offset = offset != NO_TLS_OFFSET &&
			      offset != FORCED_DYNAMIC,
		.offset = -offset, // it is told downwards
	};
	return true;
}

static void find_record(struct mw_target *target, const struct mw_image *image,
			const struct places *places,
			struct native_tls_record *record)
{
	uint64_t chunk, left = MAX_MODULES, first = 0;

	if (!mw_target_read_u64(target, places->global + places->fields[LIST],
				&chunk))
		return;
	for (int i = 0; chunk && i < MAX_CHUNKS; i++) {
		uint64_t head[2], slot[2];

		if (!mw_target_read(target, chunk, head, sizeof(head)) ||
		    head[0] > left)
			return;
		for (uint64_t k = 0; k < head[0]; k++) {
			if (!mw_target_read(target,
					    chunk + CHUNK_HEAD + k * SLOT_BYTES,
					    slot, sizeof(slot)))
				return;
			if (slot[1] && is_of(target, image, slot[1]) &&
			    take(target, places, first + k, slot, record))
				return;
		}
		left -= head[0];
		first += head[0];
		chunk = head[1];
	}
}

struct mw_error *native_tls_record(struct mw_target *target,
				   const struct mw_image *image,
				   struct native_tls_record *ret)
{
	struct places places = { 0 };
	struct native_tls_record record = { 0 };
	bool has_places = false;
	struct mw_error *error = find_places(target, &places, &has_places);

	if (!error && has_places)
		find_record(target, image, &places, &record);
	if (!error)
		*ret = record;
	return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "mw_guard.h"
#include "target_core.h"
#include "target_note.h"

/*
 * The tables of ELF images in a snapshot, for when their files are gone, or are
 * on another machine or in a container; their form is in target_note.h.
 */

/* Writing. Names begin with an empty one. */

static void put_record(struct mw_core_bytes *out,
		       const uint64_t words[static IMAGE_WORDS])
{
	mw_core_put(out, words, IMAGE_WORDS * sizeof(*words));
}

/** Where @name will be; *@end is where those before it end. */
static uint64_t place_name(const char *name, uint64_t *end)
{
	uint64_t place = *end;

	*end += strlen(name) + 1;
	return place;
}

static const struct mw_mapping *mapping_of(const struct mw_target *target,
					   const struct mw_image *image)
{
	for (size_t i = mw_mappings_after(&target->maps, image->start);
	     i < target->maps.list.n; i++)
		if (mw_target_image_of(target, &target->maps.list.v[i]) ==
		    image)
			return &target->maps.list.v[i];
	return NULL;
}

/** Whether @image is one of a file, whose tables are to be written. */
static const struct mw_mapping *file_of(const struct mw_target *target,
					const struct mw_image *image)
{
	const struct mw_mapping *m = mapping_of(target, image);

	return image->elf && m && m->inode ? m : NULL;
}

static void put_image(struct mw_core_bytes *out, const struct mw_elf *elf,
		      const struct mw_mapping *m, uint64_t *names)
{
	const uint64_t file[IMAGE_WORDS] = {
		IMAGE_FILE, (uint64_t)m->dev_major << 32 | m->dev_minor,
		m->inode,
		elf->type | (uint64_t)elf->machine << 16 |
			(uint64_t)elf->is_64 << 32,
		elf->entry, elf->soname ? place_name(elf->soname, names) : 0,
		elf->file_bytes, elf->phoff, elf->ph_bytes | elf->eh_bytes << 32,
	};
	uint64_t id[IMAGE_WORDS] = { IMAGE_BUILD_ID };

	put_record(out, file);
	if (elf->build_id_bytes <= sizeof(id) - 16) {
		id[1] = elf->build_id_bytes;
		memcpy(&id[2], elf->build_id, elf->build_id_bytes);
	}
	put_record(out, id);
	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];
		const uint64_t words[IMAGE_WORDS] = {
			IMAGE_SEGMENT, s->type | (uint64_t)s->flags << 32,
			s->offset, s->vaddr, s->paddr, s->filesz, s->memsz,
			s->align,
		};

		put_record(out, words);
	}
	for (size_t i = 0; i < elf->sections.n; i++) {
		const struct mw_elf_section *s = &elf->sections.v[i];
		const uint64_t words[IMAGE_WORDS] = {
			IMAGE_SECTION, s->type, s->flags, s->addr, s->offset,
			s->size, place_name(s->name, names),
			s->link | (uint64_t)s->info << 32, s->align,
		};

		put_record(out, words);
	}
}

static void put_names(struct mw_core_bytes *out, const struct mw_elf *elf)
{
	if (elf->soname)
		mw_core_put(out, elf->soname, strlen(elf->soname) + 1);
	for (size_t i = 0; i < elf->sections.n; i++)
		mw_core_put(out, elf->sections.v[i].name,
			    strlen(elf->sections.v[i].name) + 1);
}

void mw_note_put_images(struct mw_core_bytes *out,
			const struct mw_target *target)
{
	size_t note = mw_core_note_begin(out, NOTE_NAME, NOTE_IMAGES);
	const struct mw_image *images = target->images.v;
	const struct mw_mapping *m;
	uint64_t count = 0, names = 1;

	for (size_t i = 0; i < target->images.n; i++)
		if (file_of(target, &images[i]))
			count += 2 + images[i].elf->segments.n +
				 images[i].elf->sections.n;
	mw_core_put_u64(out, count);
	mw_core_put_u64(out, IMAGE_WORDS);
	for (size_t i = 0; i < target->images.n; i++) {
		m = file_of(target, &images[i]);
		if (m)
			put_image(out, images[i].elf, m, &names);
	}
	mw_core_put(out, "", 1);
	for (size_t i = 0; i < target->images.n; i++)
		if (file_of(target, &images[i]))
			put_names(out, images[i].elf);
	mw_core_note_end(out, note);
}

/* Reading */

static const char *name_at(const struct target_core *core, uint64_t place)
{
	return place < core->image_names.n ? core->image_names.v + place : "";
}

static void take_file(struct mw_elf *elf, const uint64_t *w)
{
	elf->type = (uint16_t)w[3];
	elf->machine = (uint16_t)(w[3] >> 16);
	elf->is_64 = w[3] >> 32 & 1;
	elf->entry = w[4];
	elf->file_bytes = w[6];
	elf->phoff = w[7];
	elf->ph_bytes = (uint32_t)w[8];
	elf->eh_bytes = w[8] >> 32;
}

static bool take_segment(struct mw_elf *elf, const uint64_t *w)
{
	struct mw_elf_segment *s = mw_vec_push(&elf->segments);

	if (s)
		*s = (struct mw_elf_segment){
			.type = (uint32_t)w[1],
			.flags = (uint32_t)(w[1] >> 32),
			.offset = w[2],
			.vaddr = w[3],
			.paddr = w[4],
			.filesz = w[5],
			.memsz = w[6],
			.align = w[7],
		};
	return s;
}

static bool take_section(const struct target_core *core, struct mw_elf *elf,
			 const uint64_t *w)
{
	const struct mw_elf_section section = {
		.name = name_at(core, w[6]),
		.type = (uint32_t)w[1],
		.flags = w[2],
		.addr = w[3],
		.offset = w[4],
		.size = w[5],
		.link = (uint32_t)w[7],
		.info = (uint32_t)(w[7] >> 32),
		.align = w[8],
	};

	return mw_elf_add_section(elf, &section);
}

/** Take the record at @w into @elf. False without memory. */
static bool take_record(const struct target_core *core, struct mw_elf *elf,
			const uint64_t *w)
{
	switch (w[0]) {
	case IMAGE_FILE:
		take_file(elf, w);
		return w[5] == 0 || !*name_at(core, w[5]) ||
		       mw_elf_set_soname(elf, name_at(core, w[5]));
	case IMAGE_BUILD_ID:
		elf->build_id_bytes = mw_min(w[1], 7 * sizeof(*w));
		memcpy(elf->build_id, &w[2], elf->build_id_bytes);
		return true;
	case IMAGE_SEGMENT:
		return take_segment(elf, w);
	case IMAGE_SECTION:
		return take_section(core, elf, w);
	}
	return true; // of a newer memwhy
}

struct mw_error *mw_note_tables(struct mw_target *target,
				const struct mw_mapping *m,
				struct mw_elf **ret)
{
	const struct target_core *core = target->of.core;
	uint64_t device = (uint64_t)m->dev_major << 32 | m->dev_minor;
	MW_CLEANUP(mw_elf_freep) struct mw_elf *elf = NULL;

	for (size_t i = 0; i < core->image_words.n; i += IMAGE_WORDS) {
		const uint64_t *w = core->image_words.v + i;

		if (w[0] == IMAGE_FILE) {
			if (elf)
				break;
			if (w[1] != device || w[2] != m->inode)
				continue;
			elf = mw_calloc(1, sizeof(*elf));
			if (!elf)
				return mw_error_nomem();
		}
		if (elf && !take_record(core, elf, w))
			return mw_error_nomem();
	}
	*ret = mw_steal(elf);
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "mw_guard.h"
#include "native_int.h"

static struct mw_error *refine(void *ctx, const struct mw_claim *claim,
			       struct mw_parts *parts)
{
	mw_part_list_emit(ctx, claim, parts);
	return NULL;
}

/** What the accounts of one image are called. */
struct naming {
	const struct mw_sink *sink;
	const char *parent; /* "binary" or "library/NAME" */
};

static struct mw_error *add_part(struct mw_part_list *to,
				 const struct naming *naming, uint64_t start,
				 uint64_t bytes, const char *leaf,
				 const char *evidence)
{
	mw_account_id account;

	if (bytes == 0)
		return NULL;
	struct mw_error *error = mw_sink_account(naming->sink, naming->parent,
						 leaf, evidence, &account);
	return error ? error : mw_part_list_add(to, start, bytes, account);
}

/** The ELF header and the program headers, where a segment maps them. */
static struct mw_error *add_headers(struct mw_part_list *to,
				    const struct naming *naming,
				    const struct mw_image *image)
{
	const struct mw_elf *elf = image->elf;
	const uint64_t tables[][2] = {
		{ 0, elf->eh_bytes },
		{ elf->phoff, elf->ph_bytes },
	};

	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];

		if (s->type != PT_LOAD)
			continue;
		for (size_t t = 0; t < MW_COUNT(tables); t++) {
			if (!mw_within(tables[t][0], tables[t][1], s->offset,
				       s->offset + s->filesz))
				continue;
			struct mw_error *error = add_part(
				to, naming,
				s->vaddr + image->bias + tables[t][0] -
					s->offset,
				tables[t][1], "headers",
				"ELF header and program headers");
			if (error)
				return error;
		}
	}
	return NULL;
}

static struct mw_error *add_sections(struct mw_part_list *to,
				     const struct naming *naming,
				     const struct mw_image *image)
{
	for (size_t i = 0; i < image->elf->sections.n; i++) {
		const struct mw_elf_section *s = &image->elf->sections.v[i];

		// .tbss has an address but takes no room there.
		if (!(s->flags & SHF_ALLOC) ||
		    (s->type == SHT_NOBITS && (s->flags & SHF_TLS)))
			continue;
		struct mw_error *error =
			add_part(to, naming, s->addr + image->bias, s->size,
				 s->name, "ELF section header");
		if (error)
			return error;
	}
	return NULL;
}

/** A file without section headers: its segments. */
static struct mw_error *add_segments(struct mw_part_list *to,
				     const struct naming *naming,
				     const struct mw_image *image)
{
	for (size_t i = 0; i < image->elf->segments.n; i++) {
		const struct mw_elf_segment *s = &image->elf->segments.v[i];
		char name[16];

		if (s->type != PT_LOAD)
			continue;
		snprintf(name, sizeof(name), "segment-%s%s%s",
			 s->flags & PF_R ? "r" : "", s->flags & PF_W ? "w" : "",
			 s->flags & PF_X ? "x" : "");
		struct mw_error *error = add_part(
			to, naming, s->vaddr + image->bias, s->memsz, name,
			"ELF program header; there is no section table");
		if (error)
			return error;
	}
	return NULL;
}

static bool has_alloc_section(const struct mw_elf *elf)
{
	for (size_t i = 0; i < elf->sections.n; i++)
		if (elf->sections.v[i].flags & SHF_ALLOC)
			return true;
	return false;
}

/** What is claimed of an image, and where it has been found. */
struct claiming {
	struct mw_native *native;
	const struct mw_image *image;
	struct mw_part_list *parts;
	mw_account_id padding;
};

static struct mw_error *claim_range(const struct claiming *c, uint64_t start,
				    uint64_t end)
{
	return mw_sink_claim(c->native->sink, &(struct mw_claim){
		.start = start,
		.bytes = end - start,
		.layer = MW_LAYER_OWNER,
		.account = c->padding,
		.walker = "ELF",
		.what = c->image->name,
		.refine = refine,
		.ctx = c->parts,
	});
}

/**
 * Claim what segments have of [@start, @end), of an anonymous mapping: their
 * .bss, or of a program without a file more than one, whose mappings of one
 * kind the kernel has joined.
 */
static struct mw_error *claim_segments(const struct claiming *c, uint64_t start,
				       uint64_t end)
{
	const struct mw_image *image = c->image;
	struct mw_error *error = NULL;

	for (size_t i = 0; i < image->elf->segments.n && !error; i++) {
		const struct mw_elf_segment *s = &image->elf->segments.v[i];
		uint64_t lo, hi;

		if (s->type != PT_LOAD || !mw_end(s->vaddr, s->memsz, &hi))
			continue;
		lo = mw_align_down(s->vaddr, MW_PAGE_BYTES) + image->bias;
		hi = mw_align_up(hi, MW_PAGE_BYTES) + image->bias;
		lo = mw_max(start, lo);
		hi = mw_min(end, hi);
		if (lo >= hi)
			continue;
		error = claim_range(c, lo, hi);
		start = hi; // segments are in ascending order
	}
	return error;
}

static struct mw_error *claim_image(const struct claiming *c)
{
	struct mw_target *target = c->native->target;
	const struct mw_mappings *maps = mw_target_mappings(target);
	struct mw_error *error = NULL;

	for (size_t i = mw_mappings_after(maps, c->image->start);
	     i < maps->list.n && maps->list.v[i].start < c->image->end &&
	     !error;
	     i++) {
		const struct mw_mapping *m = &maps->list.v[i];
		uint64_t start = mw_max(m->start, c->image->start);
		uint64_t end = mw_min(m->end, c->image->end);
		const struct mw_image *of = mw_target_image_of(target, m);

		if (of == c->image)
			error = claim_range(c, start, end);
		else if (!of && mw_mapping_is_anonymous(m))
			error = claim_segments(c, start, end);
	}
	return error;
}

struct mw_error *mw_native_claim_images(struct mw_native *native)
{
	const struct mw_image *images =
		mw_target_images(native->target, &native->image_count);

	native->images = mw_calloc(native->image_count,
				   sizeof(*native->images));
	if (!native->images) {
		native->image_count = 0;
		return mw_error_nomem();
	}
	for (size_t i = 0; i < native->image_count; i++) {
		const struct mw_image *image = &images[i];
		struct mw_part_list *parts = &native->images[i];
		MW_CLEANUP(mw_freep) char *parent =
			image->kind == MW_IMAGE_EXECUTABLE
				? mw_strdup("binary")
				: mw_format("library/%s", image->name);
		struct naming naming = { native->sink, parent };
		mw_account_id padding;
		struct mw_error *error = parent ? NULL : mw_error_nomem();

		if (!error)
			error = add_headers(parts, &naming, image);
		if (!error)
			error = has_alloc_section(image->elf)
					? add_sections(parts, &naming, image)
					: add_segments(parts, &naming, image);
		if (!error)
			error = mw_sink_account(
				native->sink, parent, "padding",
				"mapped bytes of the file that belong to no "
				"section", &padding);
		if (error)
			return error;
		mw_part_list_tidy(parts);
		error = claim_image(&(struct claiming){
			native, image, parts, padding });
		if (error)
			return error;
	}
	return NULL;
}

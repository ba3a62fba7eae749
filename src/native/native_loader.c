/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "mw_guard.h"
#include "native_int.h"

/*
 * Before malloc exists, glibc's loader takes its memory from mmap, a few pages
 * at a time (elf/dl-minimal-malloc.c): the descriptions of the loaded objects
 * and the main thread's TLS. Nothing records those pages; they are found by
 * what lies in them.
 *
 * struct r_debug (elf/link.h): 0 i32 version, 8 u64 first link_map
 * struct link_map (include/link.h): 0 l_addr, 8 l_name, 16 l_ld, 24 l_next
 */
#define R_DEBUG_MAP 8
#define LINK_MAP_NEXT 24
#define MAX_OBJECTS 100000

/** Value of a DT_… entry in the memory of @image; false if there is none. */
static bool read_dynamic(struct mw_native *native,
			 const struct mw_image *image, int64_t tag,
			 uint64_t *ret)
{
	for (size_t i = 0; i < image->elf->segments.n; i++) {
		const struct mw_elf_segment *s = &image->elf->segments.v[i];
		uint64_t entry[2];

		if (s->type != PT_DYNAMIC)
			continue;
		for (uint64_t at = 0; at + sizeof(entry) <= s->memsz;
		     at += sizeof(entry)) {
			if (!mw_target_read(native->target,
					    s->vaddr + image->bias + at, entry,
					    sizeof(entry)) ||
			    entry[0] == DT_NULL)
				break;
			if ((int64_t)entry[0] == tag) {
				*ret = entry[1];
				return true;
			}
		}
	}
	return false;
}

static const struct mw_image *find_image(struct mw_native *native,
					 enum mw_image_kind kind)
{
	size_t count;
	const struct mw_image *images =
		mw_target_images(native->target, &count);

	for (size_t i = 0; i < count; i++)
		if (images[i].kind == kind)
			return &images[i];
	return NULL;
}

/** The page of @va and the next one: what the loader allocates at once. */
static struct mw_error *claim_around(struct mw_native *native, uint64_t start,
				     uint64_t end, mw_account_id account)
{
	const struct mw_mapping *m =
		mw_mappings_find(mw_target_mappings(native->target), start);

	if (!m || !mw_mapping_is_anonymous(m) || !(m->perms & MW_PERM_W) ||
	    *mw_mapping_path(mw_target_mappings(native->target), m))
		return NULL;
	start = mw_align_down(start, MW_PAGE_BYTES);
	end = mw_min(mw_align_up(end, MW_PAGE_BYTES) + MW_PAGE_BYTES, m->end);
	return mw_sink_claim(native->sink, &(struct mw_claim){
		.start = start,
		.bytes = end - start,
		.layer = MW_LAYER_REMAINDER,
		.account = account,
		.walker = "loader",
		.what = "loader's own memory",
	});
}

struct mw_error *mw_native_claim_loader(struct mw_native *native)
{
	const struct mw_image *executable =
		find_image(native, MW_IMAGE_EXECUTABLE);
	const struct mw_image *loader = find_image(native, MW_IMAGE_LOADER);
	MW_CLEANUP(mw_freep) char *parent = NULL;
	struct mw_error *error;
	mw_account_id account;
	uint64_t debug, at = 0;
	size_t count;
	const struct mw_thread *threads =
		mw_target_threads(native->target, &count);

	if (!executable || !loader)
		return NULL;
	parent = mw_format("library/%s", loader->name);
	if (!parent)
		return mw_error_nomem();
	error = mw_sink_account(native->sink, parent, "early-malloc",
				"pages around the loader's link_map list and "
				"the main thread's TLS, mapped before malloc "
				"existed", &account);

	if (!error && read_dynamic(native, executable, DT_DEBUG, &debug) &&
	    mw_target_read_u64(native->target, debug + R_DEBUG_MAP, &at)) {
		uint64_t last_page = 0;

		for (int i = 0; !error && at && i < MAX_OBJECTS; i++) {
			uint64_t page = mw_align_down(at, MW_PAGE_BYTES);

			if (page != last_page)
				error = claim_around(native, at, at + 1,
						     account);
			last_page = page;
			if (!mw_target_read_u64(native->target,
						at + LINK_MAP_NEXT, &at))
				break;
		}
	}
	for (size_t i = 0; !error && i < count; i++)
		if (threads[i].tid == mw_target_info(native->target)->pid) {
			uint64_t tcb = mw_native_tcb(native->target,
						     &threads[i]);

			if (tcb)
				error = claim_around(
					native,
					tcb - mw_min(native->tls_bytes, tcb),
					tcb + 1, account);
		}
	return error;
}

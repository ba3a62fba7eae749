/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_syms.h"
#include "mw_native.h"

/* Thread-local variables of the main thread. */

static struct mw_error *find_tls(struct mw_target *target,
				 struct syms_image *image)
{
	size_t count;
	const struct mw_thread *threads = mw_target_threads(target, &count);
	const char *why = "there is no main thread";

	for (size_t i = 0; i < count; i++) {
		struct mw_error *error;

		if (threads[i].tid != mw_target_info(target)->pid)
			continue;
		error = mw_native_tls(target, image->image, image->file,
				      &threads[i], &image->tls, &why);
		if (error)
			return error;
	}
	if (!image->tls)
		mw_target_note(target,
			       "%s: thread-local variables without values: %s",
			       image->image->name, why);
	return NULL;
}

struct mw_error *syms_place_tls(struct syms *syms)
{
	for (size_t i = 0; i < syms->rows.n; i++) {
		struct syms_row *row = &syms->rows.v[i];
		struct syms_image *image = &syms->images.v[row->image];
		struct mw_error *error;

		if (ELF64_ST_TYPE(row->info) != STT_TLS || !image->image ||
		    !row->has_address)
			continue;
		error = image->has_sought_tls ? NULL
					      : find_tls(syms->target, image);
		if (error)
			return error;
		image->has_sought_tls = true;
		if (image->tls == 0)
			continue;
		row->address += image->tls;
		row->kind = SYMS_DATA;
		row->is_tls = true;
	}
	return NULL;
}

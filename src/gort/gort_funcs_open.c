/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_funcs_int.h"
#include "gort_int.h"
#include "mw_guard.h"

static bool read_target(void *ctx, uint64_t va, void *to, size_t bytes)
{
	return mw_target_read(ctx, va, to, bytes);
}

/** A pointer of the moduledata at @module; 0 when this release has none. */
static uint64_t pointer_of(const struct mw_go *go, uint64_t module,
			   enum go_field field)
{
	uint64_t value;

	return go_read(go, module, field, &value) ? value : 0;
}

/** The module whose moduledata is at @module, and those linked behind it. */
static struct mw_error *add_modules(struct mw_go_funcs *funcs,
				    const struct mw_go *go, uint64_t module)
{
	enum { LIMIT = 256 };
	struct mw_error *error;

	for (int n = 0; module && n < LIMIT; n++) {
		struct mw_go_tables tables = {
			.text = pointer_of(go, module, GO_moduledata_text),
			.gofunc = pointer_of(go, module, GO_moduledata_gofunc),
			.minor = go->minor,
		};

		// The first word, pcHeader or pclntable.
		if (!mw_target_read_u64(go->target, module, &tables.pclntab))
			break;
		error = mw_go_funcs_add(funcs, &tables);
		if (error && n == 0)
			return error;
		// A plugin that is just being loaded is no reason to fail.
		mw_error_free(error);
		module = pointer_of(go, module, GO_moduledata_next);
	}
	return NULL;
}

static struct mw_error *open_modules(const struct mw_go *go,
				     struct mw_go_funcs **ret)
{
	MW_CLEANUP(mw_go_funcs_closep) struct mw_go_funcs *funcs = NULL;
	const struct mw_go_reader reader = { read_target, go->target };
	struct mw_error *error = mw_go_funcs_new(&reader, &funcs);

	if (!error)
		error = add_modules(funcs, go, go->module.address);
	if (error)
		return error;
	*ret = mw_steal(funcs);
	return NULL;
}

/**
 * A release that is not named is a new one, or garble made it: of all layouts
 * the one whose go:func.* holds calls that were inlined.
 */
static struct mw_error *open_unnamed(struct mw_go *go,
				     struct mw_go_funcs **ret)
{
	size_t count;
	const struct go_layout *tables = go_layouts(&count);
	struct mw_error *error = NULL;

	for (size_t i = count; i-- > 0 && !*ret;) {
		go->layout = tables[i];
		mw_error_free(error);
		error = open_modules(go, ret);
	}
	return error;
}

struct mw_error *mw_go_funcs_open(struct mw_target *target,
				  struct mw_go_funcs **ret)
{
	MW_CLEANUP(mw_freep) struct mw_go *go = mw_calloc(1, sizeof(*go));
	size_t count, i = 0;
	const struct mw_image *images = mw_target_images(target, &count);
	const struct go_layout *table;
	bool exact;

	*ret = NULL;
	if (!go)
		return mw_error_nomem();
	go->target = target;
	while (i < count && !go_find_module(go, &images[i]))
		i++;
	if (i == count)
		return NULL;
	go_find_version(go, 0);
	table = go_nearest_table(go, &exact);
	if (!table)
		return open_unnamed(go, ret);
	go->layout = *table;
	return open_modules(go, ret);
}

struct mw_error *go_open_funcs(struct mw_go *go)
{
	return go->funcs ? NULL : open_modules(go, &go->funcs);
}

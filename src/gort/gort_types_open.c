/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "mw_go_sizes.h"
#include "mw_go_types.h"
#include "mw_guard.h"

static struct mw_error *add_module(struct mw_go_types *types,
				   const struct mw_go_summary *module)
{
	for (size_t i = 0; i < module->part_count; i++)
		if (strcmp(module->parts[i].name, "types") == 0)
			return mw_go_types_add(types, module->parts[i].start,
					       module->parts[i].end,
					       module->map_type_bytes);
	return NULL;
}

struct mw_error *mw_go_types_open(struct mw_target *target,
				  struct mw_go_types **ret)
{
	MW_CLEANUP(mw_go_types_closep) struct mw_go_types *types = NULL;
	struct mw_error *error = mw_go_types_new(target, &types);
	struct mw_go_summary summary;
	size_t count, found = 0;
	const struct mw_image *images = mw_target_images(target, &count);

	*ret = NULL;
	for (size_t i = 0; !error && i < count; i++)
		if (mw_go_summary_read(target, &images[i], &summary)) {
			error = add_module(types, &summary);
			found++;
		}
	if (!error && found > 0)
		*ret = mw_steal(types);
	return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_int.h"
#include "mw_dwarf.h"
#include "mw_guard.h"

bool go_apply_dwarf(struct mw_go *go)
{
	MW_CLEANUP(mw_dwarf_closep) struct mw_dwarf *dwarf = NULL;
	MW_CLEANUP(mw_closep) int fd = -1;
	unsigned found = 0;
	struct mw_error *error = mw_target_open_image(go->target, go->image,
						      &fd);

	if (!error)
		error = mw_dwarf_open(fd, "runtime.", &dwarf);
	if (error) {
		// A stripped program has none, which is no error.
		mw_error_free(error);
		return false;
	}
	go->layout = (struct go_layout){ .source = "DWARF" };
	for (size_t i = 0; i < GO_FIELDS; i++) {
		uint64_t offset, bytes;

		if (!mw_dwarf_member(dwarf, go_field_names[i].structure,
				     go_field_names[i].path, &offset,
				     &bytes) ||
		    offset > UINT32_MAX || bytes > UINT32_MAX)
			continue;
		go->layout.at[i] = (struct go_member){ (uint32_t)offset,
						       (uint32_t)bytes };
		found++;
	}
	go_drop_outside(&go->layout);
	return found > 0;
}

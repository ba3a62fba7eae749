/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>

#include "kernel_int.h"
#include "kernel_parse.h"

#define THP "/sys/kernel/mm/transparent_hugepage/"

static void read_choice(const char *name, char *ret, size_t room)
{
	MW_CLEANUP(mw_freep) char *text = NULL;
	size_t bytes;

	mw_error_free(mw_kernel_slurp(AT_FDCWD, name, name, &text, &bytes));
	if (text)
		mw_parse_choice(text, bytes, ret, room);
}

void mw_kernel_thp(struct mw_thp *ret)
{
	MW_CLEANUP(mw_freep) char *text = NULL;
	const char *name = THP "khugepaged/max_ptes_none";
	size_t bytes;

	memset(ret, 0, sizeof(*ret));
	read_choice(THP "enabled", ret->enabled, sizeof(ret->enabled));
	read_choice(THP "defrag", ret->defrag, sizeof(ret->defrag));
	mw_error_free(mw_kernel_slurp(AT_FDCWD, name, name, &text, &bytes));
	if (text) {
		const char *at = text;

		mw_parse_u64(&at, text + bytes, 10, &ret->max_ptes_none);
	}
}

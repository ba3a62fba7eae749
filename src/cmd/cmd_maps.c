/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_books.h"

void cmd_maps_columns(FILE *out)
{
	(void)out;
}

struct mw_error *cmd_maps(const struct cmd_options *options)
{
	(void)options;
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd.h"

const char *cmd_gloss(const char *account)
{
	(void)account;
	return NULL;
}

const char *cmd_explanation(const char *account)
{
	(void)account;
	return NULL;
}

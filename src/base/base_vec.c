/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_vec.h"

bool mw_vec_grow(void **elements, size_t *cap, size_t used, size_t bytes)
{
	if (used < *cap)
		return true;

	// Half as much again, not twice: the largest of these hold millions
	// of page runs, and memwhy itself must stay small.
	size_t more = *cap < 16 ? 16 : *cap + *cap / 2;
	void *grown = mw_realloc(*elements, more, bytes);

	if (!grown)
		return false;
	*elements = grown;
	*cap = more;
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ELF_CORE_INT_H
#define ELF_CORE_INT_H

#include "mw_core.h"

/** Read as many as there are of @bytes at @offset; how many. */
size_t mw_core_read(int fd, uint64_t offset, void *to, size_t bytes);

/** Take what the notes at @offset tell. A damaged note ends their list. */
MW_MUST_USE struct mw_error *mw_core_load_notes(struct mw_core *core, int fd,
						uint64_t offset,
						uint64_t bytes);

#endif

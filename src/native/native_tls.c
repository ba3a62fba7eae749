/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_num.h"
#include "native_int.h"

/*
 * Variant II of "ELF Handling For Thread-Local Storage" (U. Drepper), 3.4.6:
 * the executable's block ends at the thread pointer. Linkers put that into
 * instructions, so every C library and the Go runtime keep to it.
 */
bool mw_native_tls(struct mw_target *target, const struct mw_image *image,
		   const struct mw_thread *thread, uint64_t *ret)
{
	uint64_t pointer = thread->has_fs && thread->fs_base
				   ? thread->fs_base
				   : mw_native_tcb(target, thread);

	if (!pointer || image->kind != MW_IMAGE_EXECUTABLE)
		return false;
	for (size_t i = 0; i < image->elf->segments.n; i++) {
		const struct mw_elf_segment *s = &image->elf->segments.v[i];
		uint64_t align = s->align ? s->align : 1, end;

		if (s->type != PT_TLS)
			continue;
		if ((align & (align - 1)) ||
		    !mw_end(s->vaddr, s->memsz, &end) || s->memsz > pointer)
			return false;
		*ret = pointer - s->memsz - (-end & (align - 1));
		return true;
	}
	return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "alloc_int.h"
#include "mw_num.h"

/*
 * Where the threads' variables lie. glibc's descriptor at the thread pointer A
 * has A itself at 0 and at 0x10, and at 0x2e0 the head of the robust list, of
 * which the kernel knows the place.
 */
#define SELF 0x10
#define ROBUST_HEAD 0x2e0
#define WINDOW_SLACK MW_KIB(32) /* alignment, and TLS of what is not seen */
#define WINDOW_MAX MW_MIB(4)

uint64_t alloc_tls_bytes(const struct mw_target *target)
{
	uint64_t sum = WINDOW_SLACK;
	size_t count;
	const struct mw_image *images = mw_target_images(target, &count);

	for (size_t i = 0; i < count; i++)
		for (size_t s = 0; s < images[i].elf->segments.n; s++)
			if (images[i].elf->segments.v[s].type == PT_TLS)
				sum += mw_min(
					images[i].elf->segments.v[s].memsz,
					WINDOW_MAX);
	return mw_align_up(mw_min(sum, WINDOW_MAX), 8);
}

uint64_t alloc_tcb(struct mw_target *target, const struct mw_thread *thread)
{
	const uint64_t guesses[] = {
		thread->has_fs ? thread->fs_base : 0,
		thread->robust_list ? thread->robust_list - ROBUST_HEAD : 0,
	};

	for (size_t i = 0; i < MW_COUNT(guesses); i++) {
		uint64_t at = guesses[i], words[3];

		if (at && mw_is_aligned(at, 16) &&
		    mw_target_read(target, at, words, sizeof(words)) &&
		    words[0] == at && words[SELF / 8] == at)
			return at;
	}
	return 0;
}

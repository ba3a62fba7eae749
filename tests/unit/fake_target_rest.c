/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_target.h"
#include "mw_test.h"

/*
 * The rest of mw_target.h, for tests that link what opens a runtime and never
 * open one.
 */

const struct mw_target_info *mw_target_info(const struct mw_target *target)
{
	(void)target;
	fail();
	return NULL;
}

const struct mw_image *mw_target_images(const struct mw_target *target,
					size_t *ret_count)
{
	(void)target;
	*ret_count = 0;
	return NULL;
}

const struct mw_thread *mw_target_threads(const struct mw_target *target,
					  size_t *ret_count)
{
	(void)target;
	*ret_count = 0;
	return NULL;
}

void mw_target_set_native_sp(struct mw_target *target, int32_t tid,
			     uint64_t sp)
{
	(void)target;
	(void)tid;
	(void)sp;
	fail();
}

struct mw_error *mw_target_open_image(struct mw_target *target,
				      const struct mw_image *image, int *ret_fd)
{
	(void)target;
	(void)image;
	(void)ret_fd;
	fail();
	return NULL;
}

bool mw_target_peek(struct mw_target *target, uint64_t va, void *to,
		    size_t bytes)
{
	return mw_target_copy(target, va, to, bytes);
}

void mw_target_forget(struct mw_target *target, uint64_t va, uint64_t bytes)
{
	(void)target;
	(void)va;
	(void)bytes;
}

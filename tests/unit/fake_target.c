/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_target.h"

#include "mw_test.h"

void fake_target_add(struct mw_target *target, uint64_t va, const void *bytes,
		     size_t size)
{
	assert_true(target->area_count < MW_COUNT(target->areas));
	target->areas[target->area_count].va = va;
	target->areas[target->area_count].bytes = bytes;
	target->areas[target->area_count++].size = size;
}

bool mw_target_copy(const struct mw_target *target, uint64_t va, void *to,
		    size_t bytes)
{
	for (size_t i = 0; i < target->area_count; i++) {
		uint64_t start = target->areas[i].va;

		if (!mw_within(va, bytes, start,
			       start + target->areas[i].size))
			continue;
		memcpy(to, (const uint8_t *)target->areas[i].bytes +
				   (va - start), bytes);
		return true;
	}
	return false;
}

bool mw_target_read(struct mw_target *target, uint64_t va, void *to,
		    size_t bytes)
{
	return mw_target_copy(target, va, to, bytes);
}

bool mw_target_search(struct mw_target *target, uint64_t va, void *to,
		      size_t bytes)
{
	return mw_target_copy(target, va, to, bytes);
}

void mw_target_keep(const struct mw_target *target, uint64_t va,
		    uint64_t bytes)
{
	(void)target, (void)va, (void)bytes;
}

bool mw_target_read_u64(struct mw_target *target, uint64_t va, uint64_t *ret)
{
	return mw_target_copy(target, va, ret, sizeof(*ret));
}

bool mw_target_read_u32(struct mw_target *target, uint64_t va, uint32_t *ret)
{
	return mw_target_copy(target, va, ret, sizeof(*ret));
}

const struct mw_mappings *mw_target_mappings(const struct mw_target *target)
{
	return &target->maps;
}

const struct mw_pages *mw_target_pages(const struct mw_target *target)
{
	return &target->pages;
}

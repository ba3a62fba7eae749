/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "mw_go_allocs.h"
#include "mw_go_sizes.h"
#include "mw_guard.h"

/*
 * runtime.class_to_size, an array of u16 among the data (sizeclasses.go; since
 * 1.26 internal/runtime/gc.SizeClassToSize): 0, 8, 16, 24 or 32, … 32768.
 */
static bool parse_classes(const uint8_t *at, const uint8_t *end,
			  struct mw_go_classes *ret)
{
	enum { LARGEST = 32768 };
	size_t count = 0;

	for (; end - at >= 2 && count < MW_COUNT(ret->bytes); at += 2) {
		uint16_t bytes = mw_u16(at);

		if ((count > 0 && bytes <= ret->bytes[count - 1]) || bytes & 7)
			return false;
		ret->bytes[count++] = bytes;
		if (bytes == LARGEST) {
			ret->count = count;
			return count > 32;
		}
	}
	return false;
}

static bool search_classes(struct mw_target *target, uint64_t start,
			   uint64_t end, struct mw_go_classes *ret)
{
	static const uint8_t head[] = { 0, 0, 8, 0, 16, 0 };
	enum { PIECE = 64 << 10, OVERLAP = 256 };
	MW_CLEANUP(mw_freep) uint8_t *piece = mw_alloc(PIECE);

	for (uint64_t at = start; piece && at < end; at += PIECE - OVERLAP) {
		size_t size = mw_min(PIECE, end - at);
		const uint8_t *found = piece, *last = piece + size;

		if (!mw_target_read(target, at, piece, size))
			continue;
		while ((found = memmem(found, (size_t)(last - found), head,
				       sizeof(head)))) {
			if (parse_classes(found, last, ret))
				return true;
			found++;
		}
	}
	return false;
}

bool mw_go_classes_read(struct mw_target *target, struct mw_go_classes *ret)
{
	size_t count;
	const struct mw_image *images = mw_target_images(target, &count);
	struct mw_go_summary summary;

	for (size_t i = 0; i < count; i++) {
		if (!mw_go_summary_read(target, &images[i], &summary))
			continue;
		*ret = (struct mw_go_classes){ .has_headers =
						       summary.has_headers };
		for (size_t k = 0; k < summary.part_count; k++)
			if (strstr(summary.parts[k].name, "data") &&
			    search_classes(target, summary.parts[k].start,
					   summary.parts[k].end, ret))
				return true;
	}
	return false;
}

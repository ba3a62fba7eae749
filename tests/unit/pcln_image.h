/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PCLN_IMAGE_H
#define PCLN_IMAGE_H

#include "mw_go_funcs.h"

/*
 * A small function table of any release, made of bytes. It has
 *
 *	400000	main.main	/src/a.go:10, from +20 on :11
 *	400040	main.big	/src/a.go:20; from +10 to +20 main.small,
 *				inlined from :21, /src/b.go:7, in it from +18
 *				main.tiny, inlined from b.go:8, /src/b.go:3
 *	400100	runtime.goexit	/src/asm.s:1; outermost, its frame is 0
 *	400110	(end)
 *
 * The frames of the first two are 0 up to +4 and 24 from there.
 */
struct pcln_image {
	uint8_t bytes[2048];
	size_t size;
	struct mw_go_tables tables;
};

#define PCLN_IMAGE_VA UINT64_C(0x10000)
#define PCLN_IMAGE_TEXT UINT64_C(0x400000)

/** Make the table that Go 1.@minor would make. */
void pcln_image_make(struct pcln_image *image, unsigned minor);

/** A reader of the image alone. */
struct mw_go_reader pcln_image_reader(struct pcln_image *image);

#endif

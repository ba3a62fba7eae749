/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make_pclntab FOLDER: writes a small function table of each format, as the
 * corpus of fuzz_pclntab begins.
 */
#include <stdio.h>

#include "../tests/unit/pcln_image.h"

int main(int argc, char **argv)
{
	static const unsigned minors[] = { 9, 11, 12, 15, 16, 17, 18, 19, 20,
					   26 };

	for (size_t i = 0; argc == 2 && i < sizeof(minors) / sizeof(*minors);
	     i++) {
		struct pcln_image image;
		char path[4096];
		FILE *file;

		pcln_image_make(&image, minors[i]);
		uint32_t gofunc = image.tables.gofunc
					  ? (uint32_t)(image.tables.gofunc -
						       image.tables.pclntab)
					  : 0;
		uint8_t head[6] = { (uint8_t)minors[i] };
		__builtin_memcpy(head + 2, &gofunc, 4);
		snprintf(path, sizeof(path), "%s/go1.%u", argv[1], minors[i]);
		file = fopen(path, "wb");
		if (!file || fwrite(head, sizeof(head), 1, file) != 1 ||
		    fwrite(image.bytes, image.size, 1, file) != 1 ||
		    fclose(file) != 0) {
			perror(path);
			return 1;
		}
	}
	return argc == 2 ? 0 : 2;
}

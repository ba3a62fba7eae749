/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "elf_int.h"
#include "mw_error.h"
#include "mw_num.h"

/* What is taken for an ELF file by mistake. */
static const struct {
	const char *magic;
	size_t bytes;
	const char *what;
} others[] = {
	{ "!<arch>\n", 8, "an archive: `ar x` takes the object files out" },
	{ "!<thin>\n", 8, "a thin archive: `ar t` names the object files" },
	{ "\xfd" "7zXZ\0", 6, "compressed: `xz -dk` unpacks it" },
	{ "\x28\xb5\x2f\xfd", 4, "compressed: `zstd -d` unpacks it" },
	{ "\x1f\x8b", 2, "compressed: `gzip -dk` unpacks it" },
	{ "BZh", 3, "compressed: `bzip2 -dk` unpacks it" },
	{ "go object", 8, "a Go object file: `go tool objdump` reads it" },
	{ "#!", 2, "a script" },
};

struct mw_error *elf_not_elf(const uint8_t head[ELF_MAGIC_BYTES])
{
	for (size_t i = 0; i < MW_COUNT(others); i++)
		if (memcmp(head, others[i].magic, others[i].bytes) == 0)
			return mw_error_at(MW_E_FORMAT, 0, "not an ELF file "
					   "but %s", others[i].what);
	return mw_error_at(MW_E_FORMAT, 0, "not an ELF file");
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_ELF_FILE_H
#define FUZZ_ELF_FILE_H

#include "fuzz.h"
#include "mw_elf_file.h"
#include "mw_num.h"

/* What the fuzz targets of the ELF library share. */

struct input {
	const uint8_t *data;
	size_t size;
};

/** Problems have texts, and places in or behind the file. */
static inline void check_problems(const struct mw_elf_file *file)
{
	for (size_t i = 0; i < file->problems.n; i++)
		CHECK(file->problems.v[i]->message &&
		      *file->problems.v[i]->message);
}

/** Open the input, hand it to @use, close it. */
static inline void with_file(const struct input *in,
			     void (*use)(struct mw_elf_file *file))
{
	struct mw_elf_file *file = NULL;
	struct mw_error *error =
		mw_elf_file_open_memory(in->data, in->size, &file);

	CHECK(!error == !!file);
	if (error) {
		CHECK(error->message && *error->message);
		mw_error_free(error);
		return;
	}
	CHECK(file->sections.n <= in->size / sizeof(Elf32_Shdr));
	CHECK(file->segments.n <= in->size / sizeof(Elf32_Phdr));
	use(file);
	check_problems(file);
	mw_elf_file_close(file);
}

struct fuzz_elf {
	struct input in;
	void (*use)(struct mw_elf_file *file);
};

static inline void fuzz_elf_run(void *ctx)
{
	const struct fuzz_elf *elf = ctx;

	with_file(&elf->in, elf->use);
}

/** All that a target which only wants the open file has to do. */
static inline int fuzz_elf(const uint8_t *data, size_t size,
			   void (*use)(struct mw_elf_file *file))
{
	struct fuzz_elf elf = { { data, size }, use };

	fuzz_starve(data, size, fuzz_elf_run, &elf);
	return 0;
}

#endif

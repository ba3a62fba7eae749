/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_elf_file.h"
#include "mw_elf_names.h"
#include "mw_elf_relocs.h"
#include "mw_lines.h"

/** Sections lie apart from each other, and symbols in their sections'. */
static void check_places(const struct mw_elf_file *file,
			 const struct mw_elf_places *places)
{
	uint64_t end = 0;

	CHECK(places->count == file->sections.n);
	for (size_t i = 0; i < places->count; i++) {
		if (places->base[i] == 0)
			continue;
		CHECK(places->base[i] > end);
		CHECK(mw_end(places->base[i], file->sections.v[i].size, &end));
	}
	CHECK(mw_elf_place(places, UINT64_MAX) == 0);
}

static void check_relocs(const struct mw_elf_relocs *relocs,
			 const struct mw_elf_symbols *symbols)
{
	char name[MW_ELF_NAME_BYTES];

	for (size_t i = 0; i < relocs->list.n; i++) {
		const struct mw_elf_reloc *r = &relocs->list.v[i];
		const struct mw_elf_symbol *s =
			mw_elf_reloc_symbol(symbols, r);

		CHECK(i == 0 || r[-1].offset <= r->offset);
		CHECK(mw_elf_relocs_from(relocs, r->offset) <= i);
		CHECK(!s || s->index == r->symbol);
		CHECK(mw_elf_reloc_kind(r->type).bytes <= 8);
		CHECK(mw_elf_reloc_kind(r->type).suffix);
		CHECK(*mw_elf_relocation_name(r->type, name));
	}
}

static void use(struct mw_elf_file *file)
{
	enum { MOST = 64 };
	struct mw_elf_symbols symbols = { 0 };
	struct mw_elf_places places = { 0 };
	struct mw_error *error =
		mw_elf_symbols_load(file, MW_ELF_SYMTAB, &symbols);

	if (!error)
		error = mw_elf_places_make(file, &places);
	if (!error) {
		check_places(file, &places);
		mw_elf_places_put(&places, &symbols);
		error = mw_elf_symbols_sort(&symbols);
	}
	for (uint32_t i = 0; !error && i < file->sections.n && i < MOST; i++) {
		struct mw_elf_relocs relocs = { 0 };

		error = mw_elf_relocs_load(file, i, &relocs);
		check_relocs(&relocs, &symbols);
		mw_elf_relocs_free(&relocs);
	}
	if (!error) {
		struct mw_elf_relocs relocs = { 0 };

		mw_elf_symbols_free(&symbols);
		error = mw_elf_symbols_load(file, MW_ELF_DYNSYM, &symbols);
		if (!error)
			error = mw_elf_relocs_dynamic(file, &relocs);
		check_relocs(&relocs, &symbols);
		mw_elf_relocs_free(&relocs);
	}
	CHECK(!error || error->code == MW_E_NOMEM);
	mw_error_free(error);
	mw_elf_places_free(&places);
	mw_elf_symbols_free(&symbols);
}

/** Source lines, with all of it done. */
static void use_lines(void *ctx)
{
	const int *fd = ctx;
	struct mw_lines *lines = NULL;
	struct mw_error *error = mw_lines_open(*fd, &lines);
	const char *file;
	uint32_t line;

	CHECK(!error == !!lines);
	mw_error_free(error);
	for (uint32_t i = 0; lines && i < 16; i++)
		for (uint64_t at = 0; at < 8; at++)
			if (mw_lines_at(lines, mw_lines_section(lines, i) + at,
					&file, &line))
				CHECK(strlen(file) < MW_MIB(64));
	mw_lines_close(lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = fuzz_file(data, size);

	fuzz_elf(data, size, use);
	fuzz_starve(data, size, use_lines, &fd);
	return 0;
}

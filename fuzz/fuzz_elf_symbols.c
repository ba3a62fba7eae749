/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_elf_file.h"
#include "mw_elf_symbols.h"

static void check_sorted(const struct mw_elf_symbols *symbols)
{
	uint64_t last = 0;

	for (size_t i = 0; i < symbols->addressed; i++) {
		const struct mw_elf_symbol *s =
			&symbols->list.v[symbols->by_address[i]];
		const struct mw_elf_symbol *found;

		CHECK(s->value >= last);
		CHECK(mw_elf_symbol_has_address(s));
		last = s->value;
		if (i > 64)
			continue;
		found = mw_elf_symbols_at(symbols, s->value);
		CHECK(found && found->value <= s->value);
		CHECK(found->value == s->value ||
		      s->value - found->value < found->bytes);
	}
}

static void check_names(const struct mw_elf_symbols *symbols)
{
	for (size_t i = 0; i < symbols->list.n; i++) {
		const struct mw_elf_symbol *s = &symbols->list.v[i];

		CHECK(s->name < symbols->string_bytes);
		CHECK(strlen(mw_elf_symbol_name(symbols, s)) <
		      symbols->string_bytes);
		if (i < 16 && s->section != SHN_UNDEF)
			CHECK(mw_elf_symbols_find(
				symbols, mw_elf_symbol_name(symbols, s)));
	}
}

static void use(struct mw_elf_file *file)
{
	struct mw_elf_symbols symbols = { 0 };
	struct mw_error *error = mw_elf_symbols_load(
		file, MW_ELF_SYMTAB | MW_ELF_DYNSYM | MW_ELF_DEBUGDATA,
		&symbols);

	CHECK(!error || error->code == MW_E_NOMEM);
	if (!error) {
		check_names(&symbols);
		error = mw_elf_symbols_sort(&symbols);
		CHECK(!error || error->code == MW_E_NOMEM);
		if (!error)
			check_sorted(&symbols);
	}
	mw_error_free(error);
	mw_elf_symbols_free(&symbols);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_elf(data, size, use);
}

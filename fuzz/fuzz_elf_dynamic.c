/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_elf_file.h"
#include "mw_elf_dynamic.h"
#include "mw_elf_names.h"

static void check_entry(const struct mw_elf_file *file,
			const struct mw_elf_dynamic_entry *entry)
{
	char name[MW_ELF_NAME_BYTES], value[512];
	const char *text = mw_elf_tag_value(entry->tag, entry->value, value);

	CHECK(*mw_elf_tag_name(file, entry->tag, name));
	CHECK(strlen(name) < sizeof(name));
	CHECK(!text || strlen(text) < sizeof(value));
	CHECK(!entry->text || strlen(entry->text) < file->bytes);
}

static void use(struct mw_elf_file *file)
{
	struct mw_elf_dynamic dynamic = { 0 };
	struct mw_error *error = mw_elf_dynamic_load(file, true, &dynamic);

	CHECK(!error || error->code == MW_E_NOMEM);
	CHECK(dynamic.list.n <= file->bytes / 8);
	for (size_t i = 0; i < dynamic.list.n; i++) {
		check_entry(file, &dynamic.list.v[i]);
		// Only the last one ends the table.
		CHECK(dynamic.list.v[i].tag != DT_NULL ||
		      i + 1 == dynamic.list.n);
	}
	mw_error_free(error);
	mw_elf_dynamic_free(&dynamic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_elf(data, size, use);
}

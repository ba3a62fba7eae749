/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_elf_file.h"
#include "mw_elf_names.h"
#include "mw_elf_notes.h"

static void check_note(const struct mw_elf_file *file,
		       const struct mw_elf_note *note)
{
	char name[MW_ELF_NAME_BYTES];
	char *text = mw_elf_note_text(file, note);

	CHECK(mw_within(note->offset, 12, 0, file->bytes));
	CHECK(note->owner_bytes <= file->bytes && note->bytes <= file->bytes);
	CHECK(note->owner[note->owner_bytes] == '\0');
	CHECK(*mw_elf_note_name(file, note->owner, note->type, name));
	// Bytes that are not there would be told by the sanitizer.
	mw_free(mw_elf_hex(note->description, note->bytes, UINT64_MAX / 4));
	mw_free(text);
}

static void use(struct mw_elf_file *file)
{
	for (int from = MW_ELF_NOTES_ANY; from <= MW_ELF_NOTES_SEGMENTS;
	     from++) {
		struct mw_elf_notes notes = { 0 };
		struct mw_error *error = mw_elf_notes_load(
			file, (enum mw_elf_notes_from)from, &notes);

		CHECK(!error || error->code == MW_E_NOMEM);
		for (size_t i = 0; !error && i < notes.list.n; i++)
			check_note(file, &notes.list.v[i]);
		mw_error_free(error);
		mw_elf_notes_free(&notes);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_elf(data, size, use);
}

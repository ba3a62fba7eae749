/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_image.h"
#include "mw_elf_notes.h"
#include "mw_test.h"

/* Notes: where each begins, whose they are and what they say. */

struct loaded {
	struct mw_elf_file *file;
	struct mw_elf_notes notes;
};

static struct loaded load(const struct elf_image *image)
{
	struct loaded l = { 0 };

	ASSERT_OK(mw_elf_file_open_memory(image, sizeof(*image), &l.file));
	ASSERT_OK(mw_elf_notes_load(l.file, MW_ELF_NOTES_ANY, &l.notes));
	return l;
}

static void unload(struct loaded *l)
{
	mw_elf_notes_free(&l->notes);
	mw_elf_file_close(l->file);
}

TEST(a_build_id)
{
	struct elf_image image;

	elf_image_init(&image);
	struct loaded l = load(&image);
	ASSERT_EQ(1, l.notes.list.n);
	assert_true(l.notes.in_segments);
	const struct mw_elf_note *note = &l.notes.list.v[0];
	ASSERT_EQ(IMAGE_NOTE, note->place);
	ASSERT_EQ(ELF_IMAGE_OFF(note), note->offset);
	ASSERT_EQ(4, note->owner_bytes);
	assert_true(mw_elf_note_is(note, "GNU", NT_GNU_BUILD_ID));
	assert_false(mw_elf_note_is(note, "GNU", NT_GNU_ABI_TAG));
	assert_false(mw_elf_note_is(note, "GN", NT_GNU_BUILD_ID));
	char *text = mw_elf_note_text(l.file, note);
	ASSERT_TEXT("000102030405060708090a0b0c0d0e0f10111213", text);
	mw_free(text);
	unload(&l);
}

TEST(the_next_note_is_aligned)
{
	struct elf_image image;
	Elf64_Nhdr second = { 3, 4, 7 };

	// The first one's description has 17 bytes, and 3 of padding behind.
	elf_image_init(&image);
	image.note.head.n_descsz = 17;
	memcpy(image.note.desc + 20, &second, sizeof(second));
	memcpy(image.note.desc + 32, "Go", 3);
	image.segments[IMAGE_NOTE].p_filesz = 16 + 20 + 12 + 4 + 4;
	struct loaded l = load(&image);
	ASSERT_EQ(2, l.notes.list.n);
	const struct mw_elf_note *note = &l.notes.list.v[1];
	ASSERT_EQ(ELF_IMAGE_OFF(note) + 16 + 20, note->offset);
	assert_true(mw_elf_note_is(note, "Go", 7));
	ASSERT_EQ(4, note->bytes);
	ASSERT_EQ(36, note->description[0]);
	unload(&l);
}

TEST(a_note_that_leaves_its_segment_is_a_problem)
{
	struct elf_image image;

	for (int i = 0; i < 4; i++) {
		elf_image_init(&image);
		switch (i) {
		case 0:
			image.note.head.n_descsz = 21;
			break;
		case 1:
			image.note.head.n_descsz = UINT32_MAX;
			break;
		case 2:
			image.note.head.n_namesz = 25;
			break;
		case 3:
			image.note.head.n_namesz = UINT32_MAX;
			break;
		}
		struct loaded l = load(&image);
		ASSERT_EQ(0, l.notes.list.n);
		ASSERT_EQ(1, l.file->problems.n);
		ASSERT_EQ(ELF_IMAGE_OFF(note), l.file->problems.v[0]->where);
		unload(&l);
	}
}

TEST(what_comes_before_the_damage_is_kept)
{
	struct elf_image image;

	elf_image_init(&image);
	image.segments[IMAGE_NOTE].p_filesz = 16 + 20 + 16;
	// A header of what the description's bytes happen to be.
	struct loaded l = load(&image);
	ASSERT_EQ(1, l.notes.list.n);
	ASSERT_EQ(1, l.file->problems.n);
	ASSERT_EQ(ELF_IMAGE_OFF(note) + 36, l.file->problems.v[0]->where);
	unload(&l);
}

TEST(hexadecimal_is_cut)
{
	const uint8_t bytes[] = { 0xab, 0x0c, 0xff };
	char *all = mw_elf_hex(bytes, 3, 3), *part = mw_elf_hex(bytes, 3, 2);

	ASSERT_TEXT("ab0cff", all);
	ASSERT_TEXT("ab0c…", part);
	mw_free(all);
	mw_free(part);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_build_id),
		CASE(the_next_note_is_aligned),
		CASE(a_note_that_leaves_its_segment_is_a_problem),
		CASE(what_comes_before_the_damage_is_kept),
		CASE(hexadecimal_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

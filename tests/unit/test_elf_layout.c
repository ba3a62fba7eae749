/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_image.h"
#include "mw_elf_layout.h"
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_test.h"

/* The note is in no section of the image: a gap. */

struct laid {
	struct mw_elf_file *file;
	struct mw_elf_layout layout;
};

static void laid_free(struct laid *laid)
{
	mw_elf_layout_free(&laid->layout);
	mw_elf_file_close(laid->file);
}

/** Lay out the @bytes at @image; each byte must have one owner. */
static struct laid lay_out(const void *image, size_t bytes)
{
	struct laid laid = { 0 };
	uint64_t sum = 0;

	ASSERT_OK(mw_elf_file_open_memory(image, bytes, &laid.file));
	ASSERT_OK(mw_elf_layout_build(laid.file, &laid.layout));
	for (size_t i = 0; i < laid.layout.list.n; i++) {
		const struct mw_elf_piece *p = &laid.layout.list.v[i];

		assert_true(i == 0 || p[-1].offset <= p->offset);
		assert_true(p->own_bytes <= p->bytes);
		assert_true(mw_within(p->offset, p->bytes, 0, bytes));
		assert_int_equal(p->own_bytes < p->bytes,
				 p->overlaps != SIZE_MAX);
		sum += p->own_bytes;
	}
	ASSERT_EQ(bytes, sum);
	return laid;
}

/** The first piece of @kind, and with @index where that is not SIZE_MAX. */
static const struct mw_elf_piece *find(const struct laid *laid,
				       enum mw_elf_piece_kind kind,
				       size_t index)
{
	for (size_t i = 0; i < laid->layout.list.n; i++)
		if (laid->layout.list.v[i].kind == kind &&
		    (index == SIZE_MAX || laid->layout.list.v[i].index == index))
			return &laid->layout.list.v[i];
	return NULL;
}

static const struct mw_elf_piece *section(const struct laid *laid, size_t index)
{
	const struct mw_elf_piece *piece =
		find(laid, MW_ELF_PIECE_SECTION, index);

	assert_non_null(piece);
	return piece;
}

static void check_gap(const struct elf_image *image,
		      enum mw_elf_content content)
{
	MW_CLEANUP(laid_free) struct laid laid =
		lay_out(image, sizeof(*image));
	const struct mw_elf_piece *gap =
		find(&laid, MW_ELF_PIECE_GAP, SIZE_MAX);

	assert_non_null(gap);
	ASSERT_EQ(ELF_IMAGE_OFF(note), gap->offset);
	ASSERT_EQ(sizeof(image->note), gap->bytes);
	assert_int_equal(content, gap->content);
}

TEST(every_byte_of_a_sound_file_has_its_place)
{
	struct elf_image image;

	elf_image_init(&image);
	MW_CLEANUP(laid_free) struct laid laid =
		lay_out(&image, sizeof(image));
	const struct mw_elf_piece *header =
		find(&laid, MW_ELF_PIECE_HEADER, SIZE_MAX);
	const struct mw_elf_piece *segments =
		find(&laid, MW_ELF_PIECE_SEGMENT_TABLE, SIZE_MAX);
	const struct mw_elf_piece *sections =
		find(&laid, MW_ELF_PIECE_SECTION_TABLE, SIZE_MAX);

	ASSERT_EQ(64, header->own_bytes);
	ASSERT_EQ(sizeof(image.segments), segments->own_bytes);
	ASSERT_EQ(sizeof(image.sections), sections->own_bytes);
	ASSERT_EQ(sizeof(image.text),
		  section(&laid, IMAGE_TEXT_SECTION)->own_bytes);
	// .bss has no bytes in the file.
	assert_null(find(&laid, MW_ELF_PIECE_SECTION, IMAGE_BSS_SECTION));
	assert_null(find(&laid, MW_ELF_PIECE_TRAILING, SIZE_MAX));
}

TEST(a_gap_is_zero_only_when_each_byte_is)
{
	struct elf_image image;
	uint8_t *note = (uint8_t *)&image.note;

	elf_image_init(&image);
	check_gap(&image, MW_ELF_CONTENT_DATA);
	memset(note, 0, sizeof(image.note));
	check_gap(&image, MW_ELF_CONTENT_ZERO);
	for (size_t i = 0; i < sizeof(image.note); i++) {
		note[i] = 1;
		check_gap(&image, MW_ELF_CONTENT_DATA);
		note[i] = 0;
	}
	// As the one before it, but not zero.
	memset(note, 7, sizeof(image.note));
	check_gap(&image, MW_ELF_CONTENT_DATA);
}

TEST(what_two_sections_have_counts_once)
{
	struct elf_image image;
	Elf64_Shdr *text = &image.sections[IMAGE_TEXT_SECTION];

	elf_image_init(&image);
	text->sh_size += 16; // into the names
	MW_CLEANUP(laid_free) struct laid laid =
		lay_out(&image, sizeof(image));
	const struct mw_elf_piece *names =
		section(&laid, IMAGE_NAMES_SECTION);

	ASSERT_EQ(sizeof(image.text) + 16,
		  section(&laid, IMAGE_TEXT_SECTION)->own_bytes);
	ASSERT_EQ(sizeof(image.names) - 16, names->own_bytes);
	ASSERT_EQ(IMAGE_TEXT_SECTION,
		  laid.layout.list.v[names->overlaps].index);
}

TEST(a_section_may_leave_the_file)
{
	struct elf_image image;
	Elf64_Shdr *text = &image.sections[IMAGE_TEXT_SECTION];

	elf_image_init(&image);
	text->sh_offset = sizeof(image) - 8;
	MW_CLEANUP(laid_free) struct laid laid =
		lay_out(&image, sizeof(image));
	const struct mw_elf_piece *piece = section(&laid, IMAGE_TEXT_SECTION);

	ASSERT_EQ(8, piece->bytes);
	ASSERT_EQ(sizeof(image.text) - 8, piece->outside_bytes);
}

TEST(bytes_behind_everything_trail)
{
	struct {
		struct elf_image image;
		char more[10];
	} file = { .more = "more" };

	elf_image_init(&file.image);
	MW_CLEANUP(laid_free) struct laid laid =
		lay_out(&file, sizeof(file));
	const struct mw_elf_piece *piece =
		find(&laid, MW_ELF_PIECE_TRAILING, SIZE_MAX);

	assert_non_null(piece);
	ASSERT_EQ(sizeof(file.image), piece->offset);
	ASSERT_EQ(sizeof(file) - sizeof(file.image), piece->own_bytes);
	assert_int_equal(MW_ELF_CONTENT_DATA, piece->content);
}

TEST(without_sections_there_are_segments)
{
	struct elf_image image;

	elf_image_init(&image);
	image.ehdr.e_shnum = image.ehdr.e_shoff = image.ehdr.e_shstrndx = 0;
	MW_CLEANUP(laid_free) struct laid laid =
		lay_out(&image, sizeof(image));
	const struct mw_elf_piece *piece =
		find(&laid, MW_ELF_PIECE_SEGMENT, IMAGE_LOAD);

	// Behind the headers, which it maps as well.
	assert_non_null(piece);
	ASSERT_EQ(64 + sizeof(image.segments), piece->offset);
	ASSERT_EQ(ELF_IMAGE_OFF(sections), piece->offset + piece->own_bytes);
}

static struct mw_error *lay_out_again(void *ctx)
{
	const struct laid *laid = ctx;
	struct mw_elf_layout layout = { 0 };
	struct mw_error *error = mw_elf_layout_build(laid->file, &layout);

	mw_elf_layout_free(&layout);
	return error;
}

TEST(laying_out_survives_a_lack_of_memory)
{
	struct elf_image image;

	elf_image_init(&image);
	MW_CLEANUP(laid_free) struct laid laid =
		lay_out(&image, sizeof(image));
	OUT_OF_MEMORY(lay_out_again, &laid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_byte_of_a_sound_file_has_its_place),
		CASE(a_gap_is_zero_only_when_each_byte_is),
		CASE(what_two_sections_have_counts_once),
		CASE(a_section_may_leave_the_file),
		CASE(bytes_behind_everything_trail),
		CASE(without_sections_there_are_segments),
		CASE(laying_out_survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_image.h"
#include "mw_elf_dynamic.h"
#include "mw_guard.h"
#include "mw_test.h"

/* The dynamic section and its strings. */

struct loaded {
	struct mw_elf_file *file;
	struct mw_elf_dynamic dynamic;
};

static struct loaded load(const struct elf_image *image, size_t bytes)
{
	struct loaded l = { 0 };

	ASSERT_OK(mw_elf_file_open_memory(image, bytes, &l.file));
	ASSERT_OK(mw_elf_dynamic_load(l.file, true, &l.dynamic));
	return l;
}

static void unload(struct loaded *l)
{
	mw_elf_dynamic_free(&l->dynamic);
	mw_elf_file_close(l->file);
}

TEST(entries_to_the_end_mark_with_their_strings)
{
	struct elf_image image;

	elf_image_init(&image);
	struct loaded l = load(&image, sizeof(image));
	ASSERT_EQ(0, l.file->problems.n);
	ASSERT_EQ(ELF_IMAGE_OFF(dynamic), l.dynamic.offset);
	ASSERT_EQ(3, l.dynamic.list.n);
	ASSERT_TEXT("libtest.so.1",
		    mw_elf_dynamic_find(&l.dynamic, DT_SONAME)->text);
	assert_null(mw_elf_dynamic_find(&l.dynamic, DT_STRTAB)->text);
	assert_null(mw_elf_dynamic_find(&l.dynamic, DT_NEEDED));
	unload(&l);
}

TEST(by_the_section_where_there_is_no_segment)
{
	struct elf_image image;

	elf_image_init(&image);
	image.segments[IMAGE_DYNAMIC].p_type = PT_NULL;
	// Without an address to go by, its strings are those of sh_link.
	image.dynamic[0].d_tag = DT_HASH;
	struct loaded l = load(&image, sizeof(image));
	ASSERT_EQ(3, l.dynamic.list.n);
	ASSERT_TEXT("libtest.so.1", l.dynamic.list.v[1].text);
	unload(&l);
}

TEST(strings_must_end_within_their_table)
{
	struct elf_image image;

	elf_image_init(&image);
	image.dynamic[2] = (Elf64_Dyn){ DT_STRSZ, { 12 } }; // cut by one
	struct loaded l = load(&image, sizeof(image));
	assert_null(mw_elf_dynamic_find(&l.dynamic, DT_SONAME)->text);
	unload(&l);

	image.dynamic[2].d_un.d_val = 14;
	image.dynamic[1].d_un.d_val = 14;
	l = load(&image, sizeof(image));
	assert_null(mw_elf_dynamic_find(&l.dynamic, DT_SONAME)->text);
	unload(&l);
}

TEST(a_table_that_leaves_the_file_is_a_problem)
{
	struct elf_image image;

	elf_image_init(&image);
	image.segments[IMAGE_DYNAMIC].p_offset = sizeof(image) - 8;
	struct loaded l = load(&image, sizeof(image));
	ASSERT_EQ(0, l.dynamic.list.n);
	ASSERT_EQ(1, l.file->problems.n);
	ASSERT_EQ(MW_E_FORMAT, l.file->problems.v[0]->code);
	ASSERT_EQ(sizeof(image) - 8, l.file->problems.v[0]->where);
	unload(&l);
}

TEST(which_tags_have_strings)
{
	struct mw_elf_file file = { .header.machine = EM_X86_64 };

	assert_true(mw_elf_tag_is_string(&file, DT_NEEDED));
	assert_true(mw_elf_tag_is_string(&file, DT_FILTER));
	assert_false(mw_elf_tag_is_string(&file, DT_STRTAB));
	file.header.machine = EM_IA_64;
	assert_false(mw_elf_tag_is_string(&file, DT_FILTER));
}

static struct mw_error *load_all(void *image)
{
	MW_CLEANUP(mw_elf_file_closep) struct mw_elf_file *file = NULL;
	struct mw_elf_dynamic dynamic = { 0 };
	struct mw_error *error = mw_elf_file_open_memory(
		image, sizeof(struct elf_image), &file);

	if (!error)
		error = mw_elf_dynamic_load(file, true, &dynamic);
	mw_elf_dynamic_free(&dynamic);
	return error;
}

TEST(a_lack_of_memory_is_told)
{
	struct elf_image image;

	elf_image_init(&image);
	OUT_OF_MEMORY(load_all, &image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(entries_to_the_end_mark_with_their_strings),
		CASE(by_the_section_where_there_is_no_segment),
		CASE(strings_must_end_within_their_table),
		CASE(a_table_that_leaves_the_file_is_a_problem),
		CASE(which_tags_have_strings),
		CASE(a_lack_of_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

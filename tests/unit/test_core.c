/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "elf_image.h"
#include "mw_core.h"
#include "mw_guard.h"
#include "mw_test.h"

/*
 * A core made by the writer: a process, a thread, a list of files, and two
 * segments, of which the second is longer than what the file has of it.
 */

#define VA UINT64_C(0x7000000000)

static void make(struct mw_core_bytes *out)
{
	struct mw_core_registers thread = { .tid = 43 };
	const struct mw_core_process process = {
		.pid = 42, .uid = 1000, .state = 'S', .comm = "program",
		.args = "program one two",
	};
	struct mw_mappings maps = { 0 };
	struct mw_core_bytes notes = { 0 };
	uint8_t page[MW_PAGE_BYTES];

	thread.general[16] = 0x1234;
	thread.general[19] = VA + 8;
	thread.general[21] = VA + 16;
	mw_mappings_add(&maps, VA, VA + MW_PAGE_BYTES, "/program", 8);
	maps.list.v[0].inode = 7;
	maps.list.v[0].offset = 3 * MW_PAGE_BYTES;
	mw_core_put_process(&notes, &process);
	mw_core_put_files(&notes, &maps);
	mw_core_put_thread(&notes, &thread, &process);
	size_t own = mw_core_note_begin(&notes, "memwhy", 9);
	mw_core_put(&notes, "12345", 5);
	mw_core_note_end(&notes, own);
	mw_mappings_free(&maps);

	*out = (struct mw_core_bytes){ 0 };
	mw_core_put_header(out, 64, 3, 0);
	mw_core_put_segment(out, PT_NOTE, 0, 2 * MW_PAGE_BYTES, 0,
			    notes.data.n, 0);
	mw_core_put_segment(out, PT_LOAD, MW_PERM_R | MW_PERM_W,
			    MW_PAGE_BYTES, VA, MW_PAGE_BYTES,
			    3 * MW_PAGE_BYTES);
	mw_core_put_segment(out, PT_LOAD, MW_PERM_R, 0, 0x1000, 0,
			    MW_PAGE_BYTES);
	memset(page, 0, sizeof(page));
	mw_core_put(out, page, MW_PAGE_BYTES - out->data.n);
	memset(page, 0x5a, sizeof(page));
	mw_core_put(out, page, sizeof(page));
	mw_core_put(out, notes.data.v, notes.data.n);
	mw_vec_free(&notes.data);
	assert_false(out->failed);
}

static struct mw_error *load(const struct mw_core_bytes *bytes, size_t length,
			     struct mw_core **ret)
{
	int fd = elf_image_file(bytes->data.v, length);
	struct mw_error *error;

	assert_true(fd >= 0);
	error = mw_core_load(fd, ret);
	close(fd);
	return error;
}

TEST(reads_what_was_written)
{
	MW_CLEANUP(mw_core_freep) struct mw_core *core = NULL;
	struct mw_core_bytes bytes;

	make(&bytes);
	ASSERT_OK(load(&bytes, bytes.data.n, &core));
	mw_vec_free(&bytes.data);
	assert_int_equal(core->segments.n, 2);
	assert_true(core->segments.v[0].start == 0x1000);
	assert_true(core->segments.v[1].file_bytes == MW_PAGE_BYTES);
	assert_true(core->segments.v[1].end == VA + 3 * MW_PAGE_BYTES);
	assert_int_equal(core->segments.v[1].perms, MW_PERM_R | MW_PERM_W);
	assert_ptr_equal(mw_core_find(core, VA + 2 * MW_PAGE_BYTES),
			 &core->segments.v[1]);
	assert_null(mw_core_find(core, VA + 3 * MW_PAGE_BYTES));
	assert_null(mw_core_find(core, VA - 1));

	assert_int_equal(core->pid, 42);
	assert_int_equal(core->uid, 1000);
	assert_string_equal(core->comm, "program");
	assert_string_equal(core->args, "program one two");
	assert_int_equal(core->threads.n, 1);
	assert_int_equal(core->threads.v[0].tid, 43);
	assert_true(core->threads.v[0].pc == 0x1234);
	assert_true(core->threads.v[0].sp == VA + 8);
	assert_true(core->threads.v[0].fs_base == VA + 16);
	assert_int_equal(core->files.n, 1);
	assert_string_equal(&core->paths.v[core->files.v[0].path], "/program");
	assert_true(core->files.v[0].offset == 3 * MW_PAGE_BYTES);
	assert_int_equal(core->notes.n, 1);
	assert_int_equal(core->notes.v[0].type, 9);
	assert_true(core->notes.v[0].bytes == 5);
	assert_true(core->missing_bytes == 0 && core->damaged_notes == 0);
}

TEST(reads_a_core_that_was_cut_at_any_byte)
{
	struct mw_core_bytes bytes;

	make(&bytes);
	for (size_t length = 0; length < bytes.data.n;
	     length += length < 300 ? 1 : 97) {
		struct mw_core *core = NULL;
		struct mw_error *error = load(&bytes, length, &core);

		assert_true(!error == !!core);
		// The headers end at 232.
		assert_true(!error == (length >= 64 + 3 * 56));
		if (error) {
			assert_int_equal(error->code, MW_E_FORMAT);
			assert_true(error->has_where);
			mw_error_free(error);
			continue;
		}
		assert_true(core->missing_bytes > 0);
		assert_true(core->missing_offset >=
			    mw_min(length, MW_PAGE_BYTES));
		mw_core_free(core);
	}
	mw_vec_free(&bytes.data);
}

/** Load after the u64 at @offset was set to @value; what must come of it. */
static void check_damage(size_t offset, uint64_t value, size_t where)
{
	struct mw_core_bytes bytes;
	struct mw_core *core = NULL;
	struct mw_error *error;

	make(&bytes);
	memcpy(bytes.data.v + offset, &value, sizeof(value));
	error = load(&bytes, bytes.data.n, &core);
	mw_vec_free(&bytes.data);
	assert_non_null(error);
	assert_null(core);
	assert_true(error->has_where && error->where == where);
	mw_error_free(error);
}

TEST(tells_where_a_segment_is_damaged)
{
	enum { NOTES = 64, FIRST = NOTES + 56, SECOND = FIRST + 56 };

	check_damage(32, 1 << 20, 1 << 20);		/* e_phoff */
	check_damage(32, UINT64_MAX - 8, UINT64_MAX - 8);
	check_damage(FIRST + 16, VA + 1, FIRST);	/* inside a page */
	check_damage(FIRST + 32, UINT64_C(1) << 62, FIRST); /* filesz > memsz */
	check_damage(FIRST + 40, UINT64_MAX - VA + 1, FIRST);
	check_damage(FIRST + 8, INT64_MAX, FIRST);	/* p_offset */
	check_damage(SECOND + 16, VA + MW_PAGE_BYTES, 64); /* two for one */
}

TEST(survives_without_memory)
{
	struct mw_core_bytes bytes;

	make(&bytes);
	for (long i = 0; i < 12; i++) {
		struct mw_core *core = NULL;
		int fd = elf_image_file(bytes.data.v, bytes.data.n);
		struct mw_error *error;

		mw_alloc_fail_after(i);
		error = mw_core_load(fd, &core);
		bool failed = mw_alloc_failed();

		mw_alloc_fail_after(-1);
		close(fd);
		assert_true(failed == !!error);
		assert_true(!error || error->code == MW_E_NOMEM);
		mw_error_free(error);
		mw_core_free(core);
	}
	mw_vec_free(&bytes.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(reads_what_was_written),
		CASE(reads_a_core_that_was_cut_at_any_byte),
		CASE(tells_where_a_segment_is_damaged),
		CASE(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mw_guard.h"
#include "mw_num.h"
#include "mw_test.h"

/* ASan ends the program at a size that malloc() refuses, unless told so. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/** The size of our own address space, read without allocating. */
static uint64_t own_vsz_bytes(void)
{
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	char text[100] = "";

	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strtoul(text, NULL, 10) * MW_PAGE_BYTES;
}

static bool is_zero(const uint8_t *memory, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (memory[i])
			return false;
	return true;
}

TEST(nothing_is_something)
{
	void *a = mw_alloc(0), *b = mw_calloc(0, 8), *c = mw_calloc(8, 0);
	void *d = mw_realloc(NULL, 0, 8);

	assert_true(a && b && c && d);
	mw_free(a);
	mw_free(b);
	mw_free(c);
	mw_free(d);
	mw_free(NULL);
}

TEST(products_that_overflow_are_refused)
{
	uint8_t *old = mw_alloc(16);

	assert_null(mw_calloc(SIZE_MAX / 2, 3));
	assert_null(mw_calloc(SIZE_MAX, SIZE_MAX));
	assert_null(mw_realloc(old, SIZE_MAX / 2, 3));
	assert_null(mw_realloc(old, SIZE_MAX / 8 + 2, 8));
	assert_null(mw_strndup("x", SIZE_MAX));
	old[15] = 1; // is still ours
	mw_free(old);
}

TEST(calloc_gives_zeros_and_realloc_keeps)
{
	uint8_t *memory = mw_calloc(300, 7);

	assert_true(is_zero(memory, 2100));
	for (size_t i = 0; i < 2100; i++)
		memory[i] = (uint8_t)(i * 3);
	memory = mw_realloc(memory, 1000, 7);
	for (size_t i = 0; i < 2100; i++)
		ASSERT_EQ((uint8_t)(i * 3), memory[i]);
	memory[6999] = 1;
	mw_free(memory);
}

TEST(maps_are_zeroed_and_writable_to_the_end)
{
	const size_t sizes[] = {
		0,	    1,		   4096,	  4097,
		300000,	    MW_KIB(512) - 1, MW_KIB(512), MW_MIB(2) - 1,
		MW_MIB(2),  MW_MIB(2) + 1, MW_MIB(5),
	};

	for (size_t i = 0; i < MW_COUNT(sizes); i++) {
		uint8_t *memory = mw_map(sizes[i]);

		assert_non_null(memory);
		assert_true(is_zero(memory, sizes[i]));
		memset(memory, 0xff, sizes[i]);
		mw_unmap(memory, sizes[i]);
	}
}

TEST(big_maps_lie_where_huge_pages_do)
{
	for (size_t i = 1; i <= 8; i++) {
		size_t bytes = i * MW_MIB(1) + i * 4096;
		uint8_t *memory = mw_map(bytes);

		assert_non_null(memory);
		assert_true(mw_is_aligned((uintptr_t)memory, MW_MIB(2)));
		mw_unmap(memory, bytes);
	}
}

TEST(maps_leave_nothing_behind)
{
	const size_t sizes[] = { 0, 1, 5000, MW_KIB(512), MW_MIB(3) };
	// What is mapped: 4 KiB steps, or 2 MiB steps for large ones.
	const uint64_t mapped[] = { 4096, 4096, 8192, MW_MIB(2), MW_MIB(4) };

	for (size_t i = 0; i < MW_COUNT(sizes); i++) {
		uint64_t before = own_vsz_bytes();
		void *memory = mw_map(sizes[i]);
		uint64_t during = own_vsz_bytes();
		unsigned char in_core;

		mw_unmap(memory, sizes[i]);
		ASSERT_EQ(before + mapped[i], during);
		ASSERT_EQ(before, own_vsz_bytes());
		assert_true(mincore(memory, 1, &in_core) != 0 &&
			    errno == ENOMEM);
	}
	mw_unmap(NULL, 4096);
}

TEST(a_map_that_cannot_be_is_refused)
{
	uint64_t before = own_vsz_bytes();

	assert_null(mw_map(SIZE_MAX));
	assert_null(mw_map(SIZE_MAX / 2 + 1));
	assert_null(mw_map(SIZE_MAX / 2));
	ASSERT_EQ(before, own_vsz_bytes());
}

TEST(copies_of_text_are_terminated)
{
	const char bytes[] = { 'a', 'b', '\0', 'c', 'd' };
	char *copy = mw_strndup(bytes, 5);

	// The bytes as they are, NUL and all, and one more.
	assert_memory_equal(copy, "ab\0cd", 6);
	mw_free(copy);
	copy = mw_strndup(bytes, 0);
	ASSERT_TEXT("", copy);
	mw_free(copy);
	copy = mw_strndup(bytes, 2);
	ASSERT_TEXT("ab", copy);
	mw_free(copy);
	copy = mw_strdup("");
	ASSERT_TEXT("", copy);
	mw_free(copy);
	copy = mw_strdup("a text");
	ASSERT_TEXT("a text", copy);
	mw_free(copy);
}

TEST(formats_have_the_length_they_need)
{
	char *text = mw_format("%d-%s", -5, "x");

	ASSERT_TEXT("-5-x", text);
	mw_free(text);
	text = mw_format("%s", "");
	ASSERT_TEXT("", text);
	mw_free(text);
	text = mw_format("%5000d", 1);
	ASSERT_EQ(5000, strlen(text));
	ASSERT_EQ('1', text[4999]);
	mw_free(text);
}

TEST(refusals_begin_where_they_are_asked_to)
{
	void *memory[3];

	mw_alloc_fail_after(3);
	for (int i = 0; i < 3; i++) {
		memory[i] = mw_alloc(1);
		assert_non_null(memory[i]);
	}
	assert_false(mw_alloc_failed());
	// Each of the ways to memory is refused now, and stays so.
	assert_null(mw_alloc(1));
	assert_true(mw_alloc_failed());
	assert_null(mw_calloc(1, 1));
	assert_null(mw_realloc(NULL, 1, 1));
	assert_null(mw_strndup("x", 1));
	assert_null(mw_strdup("x"));
	assert_null(mw_format("x"));
	assert_null(mw_map(4096));
	assert_true(mw_alloc_failed());

	mw_alloc_fail_after(-1);
	assert_false(mw_alloc_failed());
	for (int i = 0; i < 3; i++)
		mw_free(memory[i]);
	memory[0] = mw_alloc(1);
	assert_non_null(memory[0]);
	mw_free(memory[0]);
	assert_false(mw_alloc_failed());
}

TEST(a_refused_realloc_keeps_the_old)
{
	char *text = mw_strdup("kept");

	mw_alloc_fail_after(0);
	assert_null(mw_realloc(text, 100, 1));
	mw_alloc_fail_after(-1);
	ASSERT_TEXT("kept", text);
	mw_free(text);
}

static char *make_and_steal(void)
{
	MW_CLEANUP(mw_freep) char *a = mw_strdup("freed");
	MW_CLEANUP(mw_freep) char *b = mw_strdup("stolen");

	return a ? mw_steal(b) : NULL;
}

TEST(guards_free_what_is_not_stolen)
{
	// That "freed" is freed, the leak sanitizer tells.
	char *text = make_and_steal();

	ASSERT_TEXT("stolen", text);
	mw_free(text);
}

TEST(guards_close_files)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), copy = fd;

	mw_closep(&fd);
	assert_int_equal(-1, fd);
	assert_int_equal(-1, fcntl(copy, F_GETFD));
	mw_closep(&fd);

	FILE *file = fopen("/dev/null", "re");
	mw_fclosep(&file);
	assert_null(file);
	mw_fclosep(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nothing_is_something),
		CASE(products_that_overflow_are_refused),
		CASE(calloc_gives_zeros_and_realloc_keeps),
		CASE(maps_are_zeroed_and_writable_to_the_end),
		CASE(big_maps_lie_where_huge_pages_do),
		CASE(maps_leave_nothing_behind),
		CASE(a_map_that_cannot_be_is_refused),
		CASE(copies_of_text_are_terminated),
		CASE(formats_have_the_length_they_need),
		CASE(refusals_begin_where_they_are_asked_to),
		CASE(a_refused_realloc_keeps_the_old),
		CASE(guards_free_what_is_not_stolen),
		CASE(guards_close_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

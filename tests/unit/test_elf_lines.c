/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "elf_image.h"
#include "mw_guard.h"
#include "mw_lines.h"
#include "mw_test.h"

/* Source lines: this program's own, which the compiler tells it as well. */

extern const char __executable_start[]; // by the linker; of a PIE, address 0

enum { KNOWN_LINE = __LINE__ + 1 };
__attribute__((noinline)) static int known(int value) { return value * 3; }

TEST(a_function_of_this_program)
{
	MW_CLEANUP(mw_closep) int fd = open("/proc/self/exe", O_RDONLY);
	MW_CLEANUP(mw_lines_closep) struct mw_lines *lines = NULL;
	uint64_t va = (uintptr_t)known - (uintptr_t)__executable_start;
	const char *file = NULL;
	uint32_t line = 0;

	ASSERT_EQ(21, known(7));
	ASSERT_OK(mw_lines_open(fd, &lines));
	assert_true(mw_lines_at(lines, va, &file, &line));
	ASSERT_EQ(KNOWN_LINE, line);
	ASSERT_TEXT(strrchr(__FILE__, '/') + 1, strrchr(file, '/') + 1);
	assert_false(mw_lines_at(lines, UINT64_MAX, &file, &line));
	assert_false(mw_lines_at(lines, 0, &file, &line));
}

TEST(a_file_without_debug_information)
{
	struct elf_image image;
	struct mw_lines *lines = NULL;

	elf_image_init(&image);
	for (size_t size = 0; size <= sizeof(image); size += 60) {
		MW_CLEANUP(mw_closep) int fd = elf_image_file(&image, size);
		struct mw_error *error = mw_lines_open(fd, &lines);

		assert_true(error && (error->code == MW_E_NOT_FOUND ||
				      error->code == MW_E_FORMAT));
		assert_null(lines);
		mw_error_free(error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_function_of_this_program),
		CASE(a_file_without_debug_information),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

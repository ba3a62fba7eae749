/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mw_guard.h"
#include "mw_num.h"
#include "mw_output.h"
#include "mw_test.h"

static char folder[64], path[96];

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/mw_output_XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
	return 0;
}

static int count_files(void)
{
	DIR *dir = opendir(folder);
	int count = 0;

	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));)
		count += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(dir);
	return count;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	assert_int_equal(rmdir(folder), 0);
	return 0;
}

static void put(struct mw_output *output, const char *text)
{
	ssize_t bytes = (ssize_t)strlen(text);

	assert_true(pwrite(mw_output_fd(output), text, strlen(text), 0) ==
		    bytes);
}

static void check_content(const char *text)
{
	char buffer[64] = "";
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_true(read(fd, buffer, sizeof(buffer) - 1) >= 0);
	close(fd);
	assert_string_equal(buffer, text);
}

static void write_whole(void)
{
	MW_CLEANUP(mw_output_freep) struct mw_output *output = NULL;
	struct stat st;

	ASSERT_OK(mw_output_open(path, false, &output));
	put(output, "whole");
	assert_int_not_equal(access(path, F_OK), 0);
	ASSERT_OK(mw_output_commit(output));
	check_content("whole");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	mw_output_freep(&output);
	assert_int_equal(count_files(), 1);
}

TEST(has_its_name_when_it_is_whole)
{
	write_whole();
}

TEST(leaves_nothing_when_it_is_given_up)
{
	struct mw_output *output = NULL;

	ASSERT_OK(mw_output_open(path, false, &output));
	put(output, "part");
	mw_output_free(output);
	assert_int_equal(count_files(), 0);
	mw_output_free(NULL);
}

TEST(replaces_only_by_force)
{
	struct mw_output *output = NULL;

	write_whole();
	ASSERT_ERR(MW_E_USAGE, mw_output_open(path, false, &output));

	ASSERT_OK(mw_output_open(path, true, &output));
	put(output, "other");
	check_content("whole");
	ASSERT_OK(mw_output_commit(output));
	check_content("other");
	mw_output_free(output);
	assert_int_equal(count_files(), 1);
}

TEST(loses_a_race_for_the_name)
{
	struct mw_output *first = NULL, *second = NULL;
	struct mw_error *error;

	ASSERT_OK(mw_output_open(path, false, &first));
	ASSERT_OK(mw_output_open(path, false, &second));
	put(first, "first");
	put(second, "second");
	ASSERT_OK(mw_output_commit(first));
	error = mw_output_commit(second);
	assert_non_null(error);
	mw_error_free(error);
	mw_output_free(first);
	mw_output_free(second);
	check_content("first");
	assert_int_equal(count_files(), 1);
}

TEST(refuses_what_is_no_file)
{
	static const char *const paths[] = { "/dev/null", "/tmp", "/tmp/",
					     "/tmp/no such folder/x" };

	for (size_t i = 0; i < MW_COUNT(paths); i++) {
		struct mw_output *output = NULL;
		struct mw_error *error =
			mw_output_open(paths[i], true, &output);

		assert_non_null(error);
		assert_null(output);
		mw_error_free(error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(has_its_name_when_it_is_whole,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			leaves_nothing_when_it_is_given_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(replaces_only_by_force, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(loses_a_race_for_the_name,
						set_up, tear_down),
		CASE(refuses_what_is_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

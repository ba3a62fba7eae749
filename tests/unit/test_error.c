/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "mw_num.h"
#include "mw_test.h"

TEST(an_error_has_a_code_and_a_message)
{
	struct mw_error *error = mw_error_new(MW_E_FORMAT, "bad %s %d", "x", 7);

	ASSERT_EQ(MW_E_FORMAT, error->code);
	ASSERT_TEXT("bad x 7", error->message);
	assert_false(error->has_where);
	mw_error_free(error);
}

TEST(an_error_may_know_where)
{
	struct mw_error *error = mw_error_at(MW_E_RANGE, 0, "at zero");

	ASSERT_EQ(MW_E_RANGE, error->code);
	assert_true(error->has_where);
	ASSERT_EQ(0, error->where);
	ASSERT_TEXT("at zero", error->message);
	mw_error_free(error);

	error = mw_error_at(MW_E_ABSENT, UINT64_MAX, "%s", "");
	assert_true(error->has_where);
	ASSERT_EQ(UINT64_MAX, error->where);
	ASSERT_TEXT("", error->message);
	mw_error_free(error);
}

TEST(the_code_follows_from_errno)
{
	const struct {
		int errnum;
		enum mw_error_code code;
	} pairs[] = {
		{ EPERM, MW_E_PERMISSION },   { EACCES, MW_E_PERMISSION },
		{ ESRCH, MW_E_GONE },	      { ENOMEM, MW_E_NOMEM },
		{ ENOENT, MW_E_NOT_FOUND },   { EIO, MW_E_SYSTEM },
		{ EINVAL, MW_E_SYSTEM },      { 0, MW_E_SYSTEM },
	};

	for (size_t i = 0; i < MW_COUNT(pairs); i++) {
		struct mw_error *error =
			mw_error_errno(pairs[i].errnum, "reading %d", 5);
		char want[200];

		snprintf(want, sizeof(want), "reading 5: %s",
			 strerror(pairs[i].errnum));
		ASSERT_EQ(pairs[i].code, error->code);
		ASSERT_TEXT(want, error->message);
		assert_false(error->has_where);
		mw_error_free(error);
	}
}

TEST(prefixes_go_in_front_and_keep_the_rest)
{
	struct mw_error *error = mw_error_at(MW_E_LIMIT, 9, "too much");
	struct mw_error *same = mw_error_prefix(error, "file %d", 3);

	assert_ptr_equal(error, same);
	same = mw_error_prefix(same, "outer");
	ASSERT_TEXT("outer: file 3: too much", same->message);
	ASSERT_EQ(MW_E_LIMIT, same->code);
	assert_true(same->has_where);
	ASSERT_EQ(9, same->where);
	mw_error_free(same);

	assert_null(mw_error_prefix(NULL, "nothing"));
}

TEST(text_is_not_a_format)
{
	struct mw_error *error = mw_error_new(MW_E_FORMAT, "%s", "100%n%s");

	error = mw_error_prefix(error, "%s", "%d%%");
	ASSERT_TEXT("%d%%: 100%n%s", error->message);
	mw_error_free(error);
}

TEST(out_of_memory_is_static)
{
	struct mw_error *error = mw_error_nomem();

	ASSERT_EQ(MW_E_NOMEM, error->code);
	ASSERT_TEXT("out of memory", error->message);
	mw_error_free(error);
	mw_error_free(error);
	assert_ptr_equal(error, mw_error_prefix(error, "what"));
	ASSERT_TEXT("out of memory", mw_error_nomem()->message);
	assert_ptr_equal(error, mw_error_nomem());
	mw_error_free(NULL);
}

TEST(an_error_that_cannot_be_made_is_out_of_memory)
{
	for (long count = 0; count < 2; count++) {
		mw_alloc_fail_after(count);
		assert_ptr_equal(mw_error_nomem(),
				 mw_error_new(MW_E_FORMAT, "x"));
		mw_alloc_fail_after(count);
		assert_ptr_equal(mw_error_nomem(),
				 mw_error_at(MW_E_FORMAT, 1, "x"));
	}
	for (long count = 0; count < 3; count++) {
		mw_alloc_fail_after(count);
		assert_ptr_equal(mw_error_nomem(), mw_error_errno(EIO, "x"));
	}
	mw_alloc_fail_after(-1);
}

TEST(a_prefix_without_memory_leaves_the_error)
{
	for (long count = 0; count < 2; count++) {
		struct mw_error *error = mw_error_new(MW_E_GONE, "it ended");

		mw_alloc_fail_after(count);
		assert_ptr_equal(error, mw_error_prefix(error, "pid %d", 1));
		mw_alloc_fail_after(-1);
		ASSERT_EQ(MW_E_GONE, error->code);
		ASSERT_TEXT("it ended", error->message);
		mw_error_free(error);
	}
}

TEST(a_guard_frees_and_clears)
{
	struct mw_error *error = mw_error_new(MW_E_GONE, "it ended");

	mw_error_freep(&error);
	assert_null(error);
	mw_error_freep(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_error_has_a_code_and_a_message),
		CASE(an_error_may_know_where),
		CASE(the_code_follows_from_errno),
		CASE(prefixes_go_in_front_and_keep_the_rest),
		CASE(text_is_not_a_format),
		CASE(out_of_memory_is_static),
		CASE(an_error_that_cannot_be_made_is_out_of_memory),
		CASE(a_prefix_without_memory_leaves_the_error),
		CASE(a_guard_frees_and_clears),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_guard.h"
#include "mw_test.h"
#include "mw_text.h"

/* Text that grows up to a limit. */

TEST(it_grows)
{
	MW_CLEANUP(mw_text_free) struct mw_text text = { .limit = 1000 };

	for (int i = 0; i < 100; i++)
		mw_text_add(&text, "%d,", i % 10);
	ASSERT_EQ(200, text.n);
	assert_memory_equal("0,1,2,", text.v, 6);
	ASSERT_EQ(200, strlen(text.v));
	assert_false(text.is_full || text.failed);
}

TEST(it_ends_at_its_limit)
{
	MW_CLEANUP(mw_text_free) struct mw_text text = { .limit = 8 };

	mw_text_add(&text, "12345");
	mw_text_add(&text, "6789");
	ASSERT_TEXT("12345…", text.v);
	assert_true(text.is_full);
	mw_text_add(&text, "x");
	ASSERT_TEXT("12345…", text.v);
}

static void check_quote(const char *want, const void *bytes, size_t count,
			bool is_cut)
{
	MW_CLEANUP(mw_text_free) struct mw_text text = { .limit = 1000 };

	mw_text_quote(&text, bytes, count, is_cut);
	ASSERT_TEXT(want, text.v);
}

#define QUOTE(want, bytes) check_quote(want, bytes, sizeof(bytes) - 1, false)

TEST(quotes)
{
	QUOTE("\"\"", "");
	QUOTE("\"a \\\"b\\\" \\\\\"", "a \"b\" \\");
	QUOTE("\"\\n\\t\\r\\x00\\x1b\\x7f\"", "\n\t\r\0\x1b\x7f");
	QUOTE("\"grüße ☃ 𝄞\"", "grüße ☃ 𝄞");
	// Not UTF-8: alone, overlong, a surrogate, too high, cut short.
	QUOTE("\"\\x80\\xc0\\x80\"", "\x80\xc0\x80");
	QUOTE("\"\\xe0\\x80\\xaf\"", "\xe0\x80\xaf");
	QUOTE("\"\\xed\\xa0\\x80\"", "\xed\xa0\x80");
	QUOTE("\"\\xf4\\x90\\x80\\x80\"", "\xf4\x90\x80\x80");
	QUOTE("\"a\\xe2\\x98\"", "a\xe2\x98");
	check_quote("\"a\"…", "a\xe2\x98", 3, true);
	check_quote("\"ab\"…", "ab", 2, true);
}

static struct mw_error *fill(void *ctx)
{
	MW_CLEANUP(mw_text_free) struct mw_text text = { .limit = 1000 };

	(void)ctx;
	for (int i = 0; i < 50; i++)
		mw_text_quote(&text, "12345678", 8, false);
	// What was added before is text.
	if (text.v)
		ASSERT_EQ(text.n, strlen(text.v));
	return mw_test_memory(!text.failed);
}

TEST(without_memory)
{
	OUT_OF_MEMORY(fill, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(it_grows),
		CASE(it_ends_at_its_limit),
		CASE(quotes),
		CASE(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

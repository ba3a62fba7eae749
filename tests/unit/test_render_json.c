/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_render.h"
#include "mw_test.h"

/** Check that write(json) makes @want. */
static void check(void (*write)(struct mw_json *json), const char *want)
{
	struct mw_test_output output;
	struct mw_json json;

	mw_json_init(&json, mw_test_output_begin(&output));
	write(&json);
	ASSERT_TEXT(want, mw_test_output_end(&output));
	mw_test_output_deinit(&output);
}

static void write_nested(struct mw_json *json)
{
	mw_json_object(json);
	mw_json_key(json, "schema");
	mw_json_text(json, "memwhy.test/1");
	mw_json_key(json, "list");
	mw_json_array(json);
	mw_json_u64(json, 1);
	mw_json_array(json);
	mw_json_end(json);
	mw_json_object(json);
	mw_json_key(json, "inner");
	mw_json_bool(json, false);
	mw_json_key(json, "other");
	mw_json_null(json);
	mw_json_end(json);
	mw_json_end(json);
	mw_json_key(json, "empty");
	mw_json_object(json);
	mw_json_end(json);
	mw_json_key(json, "last");
	mw_json_bool(json, true);
	mw_json_end(json);
}

TEST(objects_and_arrays_nest)
{
	check(write_nested,
	      "{\n"
	      "  \"schema\": \"memwhy.test/1\",\n"
	      "  \"list\": [\n"
	      "    1,\n"
	      "    [],\n"
	      "    {\n"
	      "      \"inner\": false,\n"
	      "      \"other\": null\n"
	      "    }\n"
	      "  ],\n"
	      "  \"empty\": {},\n"
	      "  \"last\": true\n"
	      "}\n");
}

static void write_deep(struct mw_json *json)
{
	for (int i = 0; i < 31; i++)
		mw_json_array(json);
	for (int i = 0; i < 31; i++)
		mw_json_end(json);
}

TEST(thirty_one_levels_are_possible)
{
	struct mw_test_output output;
	struct mw_json json;
	int open = 0, close = 0;

	mw_json_init(&json, mw_test_output_begin(&output));
	write_deep(&json);
	for (const char *c = mw_test_output_end(&output); *c; c++) {
		open += *c == '[';
		close += *c == ']';
	}
	ASSERT_EQ(31, open);
	ASSERT_EQ(31, close);
	ASSERT_EQ(0, json.depth);
	mw_test_output_deinit(&output);
}

static void write_numbers(struct mw_json *json)
{
	mw_json_array(json);
	mw_json_u64(json, 0);
	// Doubles have no integer of its own for it.
	mw_json_u64(json, (UINT64_C(1) << 53) + 1);
	mw_json_u64(json, UINT64_MAX);
	mw_json_i64(json, -1);
	mw_json_i64(json, INT64_MIN);
	mw_json_i64(json, INT64_MAX);
	mw_json_end(json);
}

TEST(integers_are_exact_and_have_no_other_form)
{
	check(write_numbers,
	      "[\n"
	      "  0,\n"
	      "  9007199254740993,\n"
	      "  18446744073709551615,\n"
	      "  -1,\n"
	      "  -9223372036854775808,\n"
	      "  9223372036854775807\n"
	      "]\n");
}

static void write_addresses(struct mw_json *json)
{
	mw_json_array(json);
	mw_json_address(json, 0);
	mw_json_address(json, UINT64_C(0xc000000000));
	mw_json_address(json, UINT64_C(0xffffffffff600000));
	mw_json_end(json);
}

TEST(addresses_are_strings)
{
	check(write_addresses,
	      "[\n"
	      "  \"0x0\",\n"
	      "  \"0xc000000000\",\n"
	      "  \"0xffffffffff600000\"\n"
	      "]\n");
}

/** Check that @text is written as @want, without the quotes. */
static void check_text(const char *text, const char *want)
{
	struct mw_test_output output;
	struct mw_json json;
	char quoted[200], key[400];

	snprintf(quoted, sizeof(quoted), "\"%s\"\n", want);
	mw_json_init(&json, mw_test_output_begin(&output));
	mw_json_text(&json, text);
	putc('\n', output.file);
	ASSERT_TEXT(quoted, mw_test_output_end(&output));
	mw_test_output_deinit(&output);

	// A key is a string like any other.
	snprintf(key, sizeof(key), "{\n  \"%s\": 0\n}\n", want);
	mw_json_init(&json, mw_test_output_begin(&output));
	mw_json_object(&json);
	mw_json_key(&json, text);
	mw_json_u64(&json, 0);
	mw_json_end(&json);
	ASSERT_TEXT(key, mw_test_output_end(&output));
	mw_test_output_deinit(&output);
}

TEST(strings_are_escaped)
{
	check_text("", "");
	check_text("/usr/lib/libc.so.6", "/usr/lib/libc.so.6");
	check_text("a \"b\" \\ c", "a \\\"b\\\" \\\\ c");
	check_text("a\nb\tc\rd", "a\\u000ab\\u0009c\\u000dd");
	check_text("\x01\x1b[31m\x1f\x7f", "\\u0001\\u001b[31m\\u001f\\u007f");
}

TEST(valid_utf8_stands_as_it_is)
{
	check_text("\xc2\xa0\xc3\xa9\xdf\xbf", "\xc2\xa0\xc3\xa9\xdf\xbf");
	check_text("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf",
		   "\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf");
	check_text("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
		   "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
}

TEST(controls_of_two_bytes_are_escaped)
{
	// U+009B begins a command for a terminal, like ESC [.
	check_text("a\xc2\x9b" "31mb", "a\\u009b31mb");
	check_text("\xc2\x80\xc2\x9f\xc2\xa0", "\\u0080\\u009f\xc2\xa0");
}

TEST(what_is_not_utf8_becomes_lone_surrogates)
{
	check_text("a\xff\xfe", "a\\udcff\\udcfe");
	check_text("\x80\xbf", "\\udc80\\udcbf"); // continue nothing
	check_text("\xc3", "\\udcc3"); // cut off
	check_text("\xe2\x82", "\\udce2\\udc82");
	check_text("\xf0\x9f\x98", "\\udcf0\\udc9f\\udc98");
	check_text("\xc3(", "\\udcc3(");
	check_text("\xe2\x28\xa1", "\\udce2(\\udca1");
	check_text("\xc0\xaf", "\\udcc0\\udcaf"); // longer than need be
	check_text("\xc1\xbf", "\\udcc1\\udcbf");
	check_text("\xe0\x9f\xbf", "\\udce0\\udc9f\\udcbf");
	check_text("\xf0\x8f\xbf\xbf", "\\udcf0\\udc8f\\udcbf\\udcbf");
	check_text("\xed\xa0\x80", "\\udced\\udca0\\udc80"); // a surrogate
	check_text("\xf4\x90\x80\x80", "\\udcf4\\udc90\\udc80\\udc80");
	check_text("\xf5\x80\x80\x80", "\\udcf5\\udc80\\udc80\\udc80");
}

TEST(every_byte_leaves_valid_utf8)
{
	for (int byte = 1; byte < 256; byte++) {
		const char text[] = { (char)byte, 'a', (char)byte, '\0' };
		struct mw_test_output output;
		struct mw_json json;
		const char *written;

		mw_json_init(&json, mw_test_output_begin(&output));
		mw_json_text(&json, text);
		written = mw_test_output_end(&output);
		for (const char *c = written; *c; c++)
			assert_true((uint8_t)*c >= 0x20 &&
				    (uint8_t)*c < 0x7f);
		mw_test_output_deinit(&output);
	}
}

static void write_null(struct mw_json *json)
{
	mw_json_object(json);
	mw_json_key(json, "text");
	mw_json_text(json, NULL);
	mw_json_end(json);
}

TEST(no_text_is_null)
{
	check(write_null, "{\n  \"text\": null\n}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(objects_and_arrays_nest),
		CASE(thirty_one_levels_are_possible),
		CASE(integers_are_exact_and_have_no_other_form),
		CASE(addresses_are_strings),
		CASE(strings_are_escaped),
		CASE(valid_utf8_stands_as_it_is),
		CASE(controls_of_two_bytes_are_escaped),
		CASE(what_is_not_utf8_becomes_lone_surrogates),
		CASE(every_byte_leaves_valid_utf8),
		CASE(no_text_is_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

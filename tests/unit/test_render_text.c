/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_num.h"
#include "mw_render.h"
#include "mw_test.h"

/* Text from the target on a terminal; text in lines. */

static void check_escaped(const char *want, const char *text)
{
	struct mw_test_output output;

	mw_print_escaped(mw_test_output_begin(&output), text);
	ASSERT_TEXT(want, mw_test_output_end(&output));
	mw_test_output_deinit(&output);
}

TEST(ordinary_text_stands_as_it_is)
{
	check_escaped("", "");
	check_escaped("/usr/lib/x y \\x1b ~", "/usr/lib/x y \\x1b ~");
	check_escaped("Zürich 東京 😀", "Zürich 東京 😀");
	check_escaped("\xc2\xa0", "\xc2\xa0"); // the first one after C1
}

TEST(control_characters_do_not_reach_the_terminal)
{
	check_escaped("\\x1b[31mred\\x07", "\x1b[31mred\x07");
	check_escaped("a\\x0ab\\x0dc\\x09d", "a\nb\rc\td");
	check_escaped("\\x7f", "\x7f");
	// C1, in UTF-8: 9b is CSI, 9d begins a command to the title bar
	check_escaped("\\xc2\\x9b31m", "\xc2\x9b" "31m");
	check_escaped("\\xc2\\x80\\xc2\\x9d\\xc2\\x9f",
		      "\xc2\x80\xc2\x9d\xc2\x9f");
	// and as the single bytes that they are elsewhere
	check_escaped("\\x9b31m", "\x9b" "31m");
}

TEST(what_is_not_utf8_is_shown_in_hex)
{
	check_escaped("a\\xffb", "a\xff" "b");
	check_escaped("\\xc3", "\xc3");
	check_escaped("\\xe2\\x82", "\xe2\x82");
	check_escaped("\\xed\\xa0\\x80", "\xed\xa0\x80");
	check_escaped("\\xc0\\x9b", "\xc0\x9b");
}

TEST(characters_that_turn_a_line_around_are_shown_in_hex)
{
	// U+202E: "gnp.exe" would be seen as "exe.png"
	check_escaped("\\xe2\\x80\\xaegnp.exe", "\xe2\x80\xaegnp.exe");
	check_escaped("\\xe2\\x80\\xa8\\xe2\\x81\\xa6\\xe2\\x81\\xa9",
		      "\xe2\x80\xa8\xe2\x81\xa6\xe2\x81\xa9");
	// Their neighbours: U+2027, U+202F, U+2065, U+206A
	check_escaped("\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
		      "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa");
}

TEST(no_byte_is_obeyed_by_a_terminal)
{
	for (int a = 1; a < 256; a++)
		for (int b = 1; b < 256; b++) {
			const char text[] = { (char)a, (char)b, '\0' };
			struct mw_test_output output;
			const char *c;

			mw_print_escaped(mw_test_output_begin(&output), text);
			c = mw_test_output_end(&output);
			for (; *c; c++) {
				uint8_t byte = (uint8_t)*c;

				assert_true(byte >= 0x20 && byte != 0x7f);
				// Continuations have a beginning before them
				// that makes no C1 of them.
				if (byte >= 0x80 && byte < 0xa0)
					assert_true((uint8_t)c[-1] > 0xc2);
			}
			mw_test_output_deinit(&output);
		}
}

static void check_wrapped(const char *want, const char *text, unsigned used,
			  unsigned indent, unsigned width)
{
	struct mw_test_output output;

	mw_print_wrapped(mw_test_output_begin(&output), text, used, indent,
			 width);
	ASSERT_TEXT(want, mw_test_output_end(&output));
	mw_test_output_deinit(&output);
}

TEST(words_are_wrapped_at_the_width)
{
	check_wrapped("one two\nthree\n", "one two three", 0, 0, 10);
	check_wrapped("one two three\n", "one two three", 0, 0, 13);
	check_wrapped("one two\nthree\n", "one two three", 0, 0, 12);
	check_wrapped("\n", "", 0, 0, 10);
	check_wrapped("one\n", "one", 0, 0, 3);
}

TEST(all_lines_but_the_first_are_indented)
{
	check_wrapped("one\n    two\n    three\n", "one two three", 4, 4, 10);
	check_wrapped("one two\n  three\n", "one two three", 0, 2, 8);
}

TEST(blanks_between_words_are_one)
{
	check_wrapped("one two\n", "one    two", 0, 0, 20);
	check_wrapped("one two\n", "  one two  ", 0, 0, 20);
	check_wrapped("\n", "   ", 0, 0, 20);
}

TEST(the_first_word_goes_on_where_it_fits)
{
	check_wrapped("one\n", "one", 7, 2, 10);
	check_wrapped("\n  one\n", "one", 8, 2, 10);
	check_wrapped("\n  one\n", "one", 99, 2, 10);
}

TEST(a_word_wider_than_a_line_has_one_of_its_own)
{
	check_wrapped("one\n  twelve-columns\n  two\n",
		      "one twelve-columns two", 0, 2, 10);
	check_wrapped("twelve-columns\n", "twelve-columns", 2, 2, 10);
}

TEST(a_character_is_one_column)
{
	check_wrapped("äöü äöü\näöü\n", "äöü äöü äöü", 0, 0, 7);
}

TEST(wrapped_text_is_escaped_too)
{
	check_wrapped("a\\x1bb\nc\n", "a\x1b" "b c", 0, 0, 7);
}

/** Words of 'x', up to @longest of them, with a blank behind each. */
static void make_words(uint64_t *random, char *text, size_t room,
		       unsigned longest)
{
	size_t at = 0;

	while (at + longest + 2 <= room) {
		size_t len = 1 + mw_test_below(random, longest);

		memset(text + at, 'x', len);
		at += len;
		text[at++] = ' ';
	}
	text[at] = '\0';
}

TEST(no_line_is_wider_than_asked_and_no_word_is_lost)
{
	for (uint64_t seed = 1; seed <= 300; seed++) {
		struct mw_test_output output;
		uint64_t random = seed;
		unsigned indent = (unsigned)mw_test_below(&random, 20);
		unsigned used = (unsigned)mw_test_below(&random, 40);
		unsigned width = indent + 9 +
				 (unsigned)mw_test_below(&random, 60);
		size_t at = used;
		char text[400], *word = text;
		const char *c;

		make_words(&random, text, sizeof(text), 9);
		mw_print_wrapped(mw_test_output_begin(&output), text, used,
				 indent, width);
		for (c = mw_test_output_end(&output); *c; c++) {
			if (*c == '\n') {
				assert_true(at <= mw_max(width, used));
				at = 0;
				continue;
			}
			at++;
			if (*c != 'x')
				continue;
			word += strspn(word, " ");
			ASSERT_EQ('x', *word);
			word++;
		}
		ASSERT_EQ(0, at); // a line end last
		ASSERT_EQ(1, strlen(word));
		mw_test_output_deinit(&output);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(ordinary_text_stands_as_it_is),
		CASE(control_characters_do_not_reach_the_terminal),
		CASE(what_is_not_utf8_is_shown_in_hex),
		CASE(characters_that_turn_a_line_around_are_shown_in_hex),
		CASE(no_byte_is_obeyed_by_a_terminal),
		CASE(words_are_wrapped_at_the_width),
		CASE(all_lines_but_the_first_are_indented),
		CASE(blanks_between_words_are_one),
		CASE(the_first_word_goes_on_where_it_fits),
		CASE(a_word_wider_than_a_line_has_one_of_its_own),
		CASE(a_character_is_one_column),
		CASE(wrapped_text_is_escaped_too),
		CASE(no_line_is_wider_than_asked_and_no_word_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

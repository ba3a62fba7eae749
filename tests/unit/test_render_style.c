/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "mw_guard.h"
#include "mw_num.h"
#include "mw_render.h"
#include "mw_test.h"

/* Sizes for people; when there is colour, and how wide a line may be. */

static void check_bytes(const char *want, uint64_t bytes)
{
	char text[32];

	ASSERT_TEXT(want, mw_format_bytes(text, bytes, false));
}

TEST(sizes_have_three_digits_and_a_binary_unit)
{
	check_bytes("0 B", 0);
	check_bytes("1 B", 1);
	check_bytes("999 B", 999);
	check_bytes("0.98 KiB", 1000); // four digits would be too many
	check_bytes("1.00 KiB", 1024);
	check_bytes("4.00 KiB", 4096);
	check_bytes("1.44 KiB", 1475);
	check_bytes("999 KiB", 999 * 1024);
	check_bytes("1.00 MiB", MW_MIB(1));
	check_bytes("2.50 GiB", MW_GIB(5) / 2);
	check_bytes("128 TiB", UINT64_C(1) << 47);
	check_bytes("64.0 PiB", UINT64_C(1) << 56);
	check_bytes("16.0 EiB", UINT64_MAX);
}

TEST(rounding_never_makes_a_fourth_digit)
{
	check_bytes("9.99 KiB", 10234);	   // 9.9941
	check_bytes("10.0 KiB", 10235);	   // 9.9951
	check_bytes("99.9 KiB", 102348);   // 99.949
	check_bytes("100 KiB", 102349);	   // 99.950
	check_bytes("999 KiB", 1023487);   // 999.499
	check_bytes("0.98 MiB", 1023488);  // 999.500
	check_bytes("1.00 MiB", 1048575);
	check_bytes("1.00 GiB", MW_GIB(1) - 1);
}

TEST(sizes_are_right_to_half_a_digit)
{
	static const char *const units[] = { "B",   "KiB", "MiB", "GiB",
					     "TiB", "PiB", "EiB" };
	uint64_t random = 1;

	for (int i = 0; i < 100000; i++) {
		uint64_t bytes = mw_test_random(&random) >>
				 mw_test_below(&random, 64);
		char text[32], unit[8];
		double value, scale = 1, step = 1;
		size_t u = 0;
		const char *dot;

		mw_format_bytes(text, bytes, false);
		assert_true(sscanf(text, "%lf %7s", &value, unit) == 2);
		for (; strcmp(units[u], unit) != 0; u++) {
			assert_true(u + 1 < MW_COUNT(units));
			scale *= 1024;
		}
		dot = strchr(text, '.');
		for (size_t k = 1; dot && dot[k] != ' '; k++)
			step /= 10;
		assert_true(strchr(text, ' ') - text <= (dot ? 4 : 3));
		assert_true(fabs(value * scale - (double)bytes) <=
			    scale * step * 0.500001);
	}
}

TEST(exact_sizes_are_grouped_by_thousands)
{
	const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 12, "12" },
		{ 999, "999" },
		{ 1000, "1,000" },
		{ 123456, "123,456" },
		{ 1234567, "1,234,567" },
		{ UINT64_MAX, "18,446,744,073,709,551,615" },
	};

	for (size_t i = 0; i < MW_COUNT(cases); i++) {
		char text[32];

		ASSERT_TEXT(cases[i].text,
			    mw_format_bytes(text, cases[i].bytes, true));
	}
}

static void check_ns(const char *want, uint64_t ns)
{
	char text[32];

	ASSERT_TEXT(want, mw_format_ns(text, ns, false));
}

TEST(times_have_the_unit_that_people_use)
{
	const uint64_t s = 1000000000;
	char text[32];

	check_ns("0 ns", 0);
	check_ns("999 ns", 999);
	check_ns("1.0 us", 1000);
	check_ns("99.9 us", 99999);
	check_ns("830 ms", 830 * s / 1000);
	check_ns("999 ms", s - 1);
	check_ns("1.0 s", s);
	check_ns("59.9 s", 60 * s - 1);
	check_ns("1.0 min", 60 * s);
	check_ns("59.9 min", 3600 * s - 1);
	check_ns("47.9 h", 48 * 3600 * s - 1);
	check_ns("2.0 d", 48 * 3600 * s);
	check_ns("213503 d", UINT64_MAX);
	ASSERT_TEXT("1,234,567", mw_format_ns(text, 1234567, true));
}

TEST(units_have_names)
{
	ASSERT_TEXT("text", mw_unit_name(MW_UNIT_TEXT));
	ASSERT_TEXT("bytes", mw_unit_name(MW_UNIT_BYTES));
	ASSERT_TEXT("count", mw_unit_name(MW_UNIT_COUNT));
	ASSERT_TEXT("address", mw_unit_name(MW_UNIT_ADDRESS));
	ASSERT_TEXT("ns", mw_unit_name(MW_UNIT_NS));
}

/* Style */

static void set_environment(const char *no_color, const char *term)
{
	if (no_color)
		setenv("NO_COLOR", no_color, 1);
	else
		unsetenv("NO_COLOR");
	if (term)
		setenv("TERM", term, 1);
	else
		unsetenv("TERM");
}

TEST(what_is_not_a_terminal_has_no_colour)
{
	FILE *files[] = { tmpfile(), fopen("/dev/null", "w"), NULL };
	struct mw_test_output output;

	set_environment(NULL, "xterm-256color");
	files[2] = mw_test_output_begin(&output); // without a descriptor
	for (size_t i = 0; i < MW_COUNT(files); i++) {
		struct mw_style style;

		assert_non_null(files[i]);
		style = mw_style_for(files[i]);
		assert_false(style.is_terminal);
		assert_false(style.color);
		assert_false(style.exact_bytes);
		ASSERT_EQ(100, style.width);
	}
	fclose(files[0]);
	fclose(files[1]);
	mw_test_output_deinit(&output);
}

/** The near end of a new terminal, or NULL; *@ret_far is the other one. */
static FILE *open_terminal(int *ret_far)
{
	int far = posix_openpt(O_RDWR | O_NOCTTY);
	int near = -1;
	char name[64];

	*ret_far = far;
	if (far < 0 || grantpt(far) || unlockpt(far) ||
	    ptsname_r(far, name, sizeof(name)))
		return NULL;
	// Not this program's own terminal: it would be hung up at the end.
	near = open(name, O_RDWR | O_NOCTTY);
	return near < 0 ? NULL : fdopen(near, "r+");
}

TEST(a_terminal_has_colour_unless_told_otherwise)
{
	const struct {
		const char *no_color, *term;
		bool color;
	} cases[] = {
		{ NULL, "xterm", true },  { NULL, NULL, true },
		{ "", "xterm", true },	  { "1", "xterm", false },
		{ "0", "xterm", false },  { NULL, "dumb", false },
	};
	MW_CLEANUP(mw_fclosep) FILE *terminal = NULL;
	MW_CLEANUP(mw_closep) int far = -1;

	terminal = open_terminal(&far);
	if (!terminal) {
		print_message("no pseudoterminal to be had here\n");
		skip();
	}
	for (size_t i = 0; i < MW_COUNT(cases); i++) {
		struct mw_style style;

		set_environment(cases[i].no_color, cases[i].term);
		style = mw_style_for(terminal);
		assert_true(style.is_terminal);
		ASSERT_EQ(cases[i].color, style.color);
	}
}

TEST(a_terminal_tells_its_width)
{
	const struct {
		unsigned short columns;
		unsigned width;
	} cases[] = {
		{ 80, 80 }, { 250, 250 }, { 40, 40 },
		{ 39, 100 }, // of no use
		{ 0, 100 },  // not known
	};
	MW_CLEANUP(mw_fclosep) FILE *terminal = NULL;
	MW_CLEANUP(mw_closep) int far = -1;

	terminal = open_terminal(&far);
	if (!terminal) {
		print_message("no pseudoterminal to be had here\n");
		skip();
	}
	for (size_t i = 0; i < MW_COUNT(cases); i++) {
		const struct winsize size = { .ws_row = 24,
					      .ws_col = cases[i].columns };

		assert_int_equal(0, ioctl(far, TIOCSWINSZ, &size));
		ASSERT_EQ(cases[i].width, mw_style_for(terminal).width);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(sizes_have_three_digits_and_a_binary_unit),
		CASE(rounding_never_makes_a_fourth_digit),
		CASE(sizes_are_right_to_half_a_digit),
		CASE(exact_sizes_are_grouped_by_thousands),
		CASE(times_have_the_unit_that_people_use),
		CASE(units_have_names),
		CASE(what_is_not_a_terminal_has_no_colour),
		CASE(a_terminal_has_colour_unless_told_otherwise),
		CASE(a_terminal_tells_its_width),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

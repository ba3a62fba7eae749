/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_num.h"
#include "mw_render.h"
#include "mw_test.h"

/* One table in its three forms. */

static const struct mw_column columns[] = {
	{ "path", "PATH", MW_UNIT_TEXT, NULL },
	{ "start", "START", MW_UNIT_ADDRESS, NULL },
	{ "rss_bytes", "RSS", MW_UNIT_BYTES, NULL },
	{ "faults", NULL, MW_UNIT_COUNT, NULL }, // not in text
	{ "time_ns", "NS", MW_UNIT_NS, NULL },
	{ "note", "NOTE", MW_UNIT_TEXT, NULL },
};

/** A cell's value: a text, a number, or NULL and -1 for none. */
struct value {
	const char *text;
	int64_t number;
};
#define TEXT(text) { text, -1 }
#define NUMBER(number) { NULL, number }
#define NONE { NULL, -1 }

static void add(struct mw_table *table, const struct value *values)
{
	struct mw_cell *cells = mw_table_add(table);

	assert_non_null(cells);
	for (size_t i = 0; i < table->column_count; i++)
		if (values[i].text)
			assert_true(mw_cell_text(&cells[i], values[i].text));
		else if (values[i].number >= 0)
			mw_cell_value(&cells[i], (uint64_t)values[i].number);
}

static void make(struct mw_table *table)
{
	const struct value rows[][MW_COUNT(columns)] = {
		{ TEXT("/bin/true"), NUMBER(0x7f0000001000), NUMBER(4096),
		  NUMBER(12), NUMBER(1000000), TEXT("text") },
		{ TEXT("[heap]"), NUMBER(0), NUMBER(0), NUMBER(0), NUMBER(0),
		  NONE },
		{ NONE, NONE, NONE, NONE, NONE, NONE },
		{ TEXT("a, \"b\""), NUMBER(1), NUMBER((1LL << 53) + 1),
		  NUMBER(INT64_MAX), NONE, TEXT("") },
	};

	mw_table_init(table, columns, MW_COUNT(columns));
	for (size_t i = 0; i < MW_COUNT(rows); i++)
		add(table, rows[i]);
	ASSERT_EQ(MW_COUNT(rows), mw_table_rows(table));
}

static void check_text(const struct mw_table *table,
		       const struct mw_style *style, const char *want)
{
	struct mw_test_output output;

	mw_table_emit_text(table, mw_test_output_begin(&output), style);
	ASSERT_TEXT(want, mw_test_output_end(&output));
	mw_test_output_deinit(&output);
}

static void check_csv(const struct mw_table *table, const char *want)
{
	struct mw_test_output output;

	mw_table_emit_csv(table, mw_test_output_begin(&output));
	ASSERT_TEXT(want, mw_test_output_end(&output));
	mw_test_output_deinit(&output);
}

TEST(text_is_aligned_under_its_headings)
{
	struct mw_table table;

	make(&table);
	check_text(&table, &(struct mw_style){ .width = 20 },
		   "PATH              START       RSS      NS  NOTE\n"
		   "/bin/true  7f0000001000  4.00 KiB  1.0 ms  text\n"
		   "[heap]                0       0 B    0 ns\n"
		   "\n"
		   "a, \"b\"                1  8.00 PiB\n");
	mw_table_deinit(&table);
}

TEST(exact_bytes_have_all_their_digits)
{
	struct mw_table table;

	make(&table);
	check_text(&table, &(struct mw_style){ .exact_bytes = true },
		   "PATH              START                    RSS         NS"
		   "  NOTE\n"
		   "/bin/true  7f0000001000                  4,096  1,000,000"
		   "  text\n"
		   "[heap]                0                      0          0\n"
		   "\n"
		   "a, \"b\"                1  9,007,199,254,740,993\n");
	mw_table_deinit(&table);
}

TEST(csv_has_the_same_numbers)
{
	struct mw_table table;

	make(&table);
	check_csv(&table,
		  "path,start,rss_bytes,faults,time_ns,note\n"
		  "/bin/true,0x7f0000001000,4096,12,1000000,text\n"
		  "[heap],0x0,0,0,0,\n"
		  ",,,,,\n"
		  "\"a, \"\"b\"\"\",0x1,9007199254740993,"
		  "9223372036854775807,,\n");
	mw_table_deinit(&table);
}

TEST(json_has_the_same_numbers_and_the_units)
{
	struct mw_test_output output;
	struct mw_table table;
	struct mw_json json;
	const char *written;

	make(&table);
	mw_json_init(&json, mw_test_output_begin(&output));
	mw_json_object(&json);
	mw_json_table(&json, &table);
	mw_json_end(&json);
	written = mw_test_output_end(&output);
	// All columns, also those that text leaves out
	assert_non_null(strstr(written,
			       "{\n"
			       "  \"columns\": [\n"
			       "    {\n"
			       "      \"name\": \"path\",\n"
			       "      \"unit\": \"text\"\n"
			       "    },\n"
			       "    {\n"
			       "      \"name\": \"start\",\n"
			       "      \"unit\": \"address\"\n"
			       "    },\n"
			       "    {\n"
			       "      \"name\": \"rss_bytes\",\n"
			       "      \"unit\": \"bytes\"\n"
			       "    },\n"
			       "    {\n"
			       "      \"name\": \"faults\",\n"
			       "      \"unit\": \"count\"\n"
			       "    },\n"
			       "    {\n"
			       "      \"name\": \"time_ns\",\n"
			       "      \"unit\": \"ns\"\n"
			       "    },\n"));
	assert_non_null(strstr(written,
			       "    {\n"
			       "      \"path\": null,\n"
			       "      \"start\": null,\n"
			       "      \"rss_bytes\": null,\n"
			       "      \"faults\": null,\n"
			       "      \"time_ns\": null,\n"
			       "      \"note\": null\n"
			       "    },\n"
			       "    {\n"
			       "      \"path\": \"a, \\\"b\\\"\",\n"
			       "      \"start\": \"0x1\",\n"
			       "      \"rss_bytes\": 9007199254740993,\n"
			       "      \"faults\": 9223372036854775807,\n"
			       "      \"time_ns\": null,\n"
			       "      \"note\": \"\"\n"
			       "    }\n"
			       "  ]\n"
			       "}\n"));
	mw_test_output_deinit(&output);
	mw_table_deinit(&table);
}

TEST(empty_cells_leave_their_columns_blank)
{
	struct mw_table table;

	mw_table_init(&table, columns, MW_COUNT(columns));
	add(&table, (struct value[]){ TEXT("a"), NUMBER(0x1234), NUMBER(5),
				      NONE, NUMBER(6), TEXT("b") });
	add(&table, (struct value[]){ NONE, NUMBER(1), NONE, NONE, NUMBER(2),
				      TEXT("c") });
	add(&table, (struct value[]){ TEXT("d"), NONE, NONE, NONE, NONE,
				      TEXT("e") });
	check_text(&table, &(struct mw_style){ 0 },
		   "PATH  START  RSS    NS  NOTE\n"
		   "a      1234  5 B  6 ns  b\n"
		   "          1       2 ns  c\n"
		   "d                       e\n");
	mw_table_deinit(&table);
}

TEST(a_table_without_rows_has_its_headings)
{
	struct mw_table table;

	mw_table_init(&table, columns, 3);
	ASSERT_EQ(0, mw_table_rows(&table));
	check_text(&table, &(struct mw_style){ 0 }, "PATH  START  RSS\n");
	check_csv(&table, "path,start,rss_bytes\n");
	mw_table_deinit(&table);
}

TEST(csv_quotes_what_would_be_taken_apart)
{
	const char *const cases[][2] = {
		{ "plain text; 'so'", "plain text; 'so'" },
		{ "a,b", "\"a,b\"" },
		{ "\"", "\"\"\"\"" },
		{ "two\nlines", "\"two\nlines\"" },
		{ "return\r", "\"return\r\"" },
		{ " blanks ", " blanks " },
		{ "", "" },
	};

	for (size_t i = 0; i < MW_COUNT(cases); i++) {
		struct mw_table table;
		char want[64];

		mw_table_init(&table, columns, 1);
		add(&table, &(struct value)TEXT(cases[i][0]));
		snprintf(want, sizeof(want), "path\n%s\n", cases[i][1]);
		check_csv(&table, want);
		mw_table_deinit(&table);
	}
}

/** A table of paths and addresses. */
static void make_paths(struct mw_table *table, const char *const *paths,
		       size_t count)
{
	mw_table_init(table, columns, 2);
	for (size_t i = 0; i < count; i++)
		add(table, (struct value[]){ TEXT(paths[i]),
					     NUMBER((int64_t)i) });
}

TEST(columns_are_as_wide_as_what_is_shown)
{
	const char *const paths[] = { "/tmp/\x1b[31m", "/tmp/ä東", "/tmp/\xff" };
	struct mw_table table;

	make_paths(&table, paths, MW_COUNT(paths));
	check_text(&table, &(struct mw_style){ 0 },
		   "PATH           START\n"
		   "/tmp/\\x1b[31m      0\n"
		   "/tmp/ä東            1\n"
		   "/tmp/\\xff          2\n");
	mw_table_deinit(&table);
}

TEST(on_a_terminal_lines_are_cut_to_its_width)
{
	const char *const paths[] = { "0123456789", "äöüäöüäöüä",
				      "0123456\033x" };
	const struct mw_style style = { .is_terminal = true, .width = 10 };
	struct mw_table table;

	make_paths(&table, paths, MW_COUNT(paths));
	check_text(&table, &style,
		   "PATH     …\n"
		   "012345678…\n"
		   "äöüäöüäöü…\n"
		   "0123456…\n"); // half of \x1b would say nothing
	mw_table_deinit(&table);

	make_paths(&table, (const char *[]){ "abc" }, 1);
	check_text(&table, &(struct mw_style){ .is_terminal = true,
					       .width = 11 },
		   "PATH  START\n"
		   "abc       0\n");
	mw_table_deinit(&table);
}

TEST(elsewhere_nothing_is_lost)
{
	const char *const paths[] = { "0123456789" };
	struct mw_table table;

	make_paths(&table, paths, MW_COUNT(paths));
	check_text(&table, &(struct mw_style){ .width = 10 },
		   "PATH        START\n"
		   "0123456789      0\n");
	mw_table_deinit(&table);
}

TEST(colour_comes_only_when_asked_for)
{
	struct mw_table table;

	mw_table_init(&table, columns, 1);
	add(&table, &(struct value)TEXT("a"));
	check_text(&table, &(struct mw_style){ .color = true },
		   "\033[1mPATH\n\033[0ma\n");
	check_text(&table, &(struct mw_style){ .is_terminal = true },
		   "PATH\na\n");
	mw_table_deinit(&table);
}

TEST(a_cell_takes_the_last_text)
{
	struct mw_table table;
	struct mw_cell *cell;

	mw_table_init(&table, columns, 1);
	cell = mw_table_add(&table);
	assert_true(mw_cell_text(cell, "first"));
	assert_true(mw_cell_text(cell, "second"));
	check_csv(&table, "path\nsecond\n");
	mw_table_deinit(&table);
}

static struct mw_error *fill(void *ctx)
{
	struct mw_table table;
	bool ok = true;
	(void)ctx;

	mw_table_init(&table, columns, MW_COUNT(columns));
	for (size_t i = 0; ok && i < 20; i++) {
		struct mw_cell *cells = mw_table_add(&table);

		ok = cells && mw_cell_text(&cells[0], "text") &&
		     mw_cell_text(&cells[5], "more");
		// No half of a row
		ASSERT_EQ(0, table.cells.n % MW_COUNT(columns));
	}
	mw_table_deinit(&table);
	return mw_test_memory(ok);
}

TEST(filling_survives_a_lack_of_memory)
{
	OUT_OF_MEMORY(fill, NULL);
}

TEST(writing_needs_no_memory)
{
	const struct mw_style style = { .is_terminal = true, .width = 30 };
	struct mw_table table;

	make(&table);
	mw_alloc_fail_after(0);
	check_text(&table, &style,
		   "PATH              START      …\n"
		   "/bin/true  7f0000001000  4.00…\n"
		   "[heap]                0      …\n"
		   "\n"
		   "a, \"b\"                1  8.00…\n");
	assert_false(mw_alloc_failed());
	mw_alloc_fail_after(-1);
	mw_table_deinit(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(text_is_aligned_under_its_headings),
		CASE(exact_bytes_have_all_their_digits),
		CASE(csv_has_the_same_numbers),
		CASE(json_has_the_same_numbers_and_the_units),
		CASE(empty_cells_leave_their_columns_blank),
		CASE(a_table_without_rows_has_its_headings),
		CASE(csv_quotes_what_would_be_taken_apart),
		CASE(columns_are_as_wide_as_what_is_shown),
		CASE(on_a_terminal_lines_are_cut_to_its_width),
		CASE(elsewhere_nothing_is_lost),
		CASE(colour_comes_only_when_asked_for),
		CASE(a_cell_takes_the_last_text),
		CASE(filling_survives_a_lack_of_memory),
		CASE(writing_needs_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

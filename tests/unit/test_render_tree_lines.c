/* SPDX-License-Identifier: Apache-2.0 */
#include "render_forest.h"

#include "mw_num.h"
#include "mw_test.h"

/* The lines of a tree: how wide they are, and what is in them. */

static const struct mw_tree_options options = { .heading = "RSS" };

static const char *emit(struct forest *forest, const struct mw_style *style,
			struct mw_test_output *output)
{
	mw_tree_finish(&forest->tree);
	ASSERT_OK(mw_tree_emit_text(&forest->tree,
				    mw_test_output_begin(output), style,
				    &options));
	return mw_test_output_end(output);
}

/** Columns of the line at @text; *@ret_next is the next one, or NULL. */
static size_t columns_of(const char *text, const char **ret_next)
{
	size_t columns = 0;

	for (; *text && *text != '\n'; text++)
		columns += ((uint8_t)*text & 0xc0) != 0x80;
	*ret_next = *text ? text + 1 : NULL;
	return columns;
}

TEST(glosses_are_cut_at_the_width)
{
	const struct mw_style style = { .width = 49 };
	struct mw_test_output output;
	struct forest f;

	plant(&f);
	add(&f, "a", 1);
	grow(&f, "a")->gloss = "0123456789 äöü 89";
	add(&f, "b", 1);
	grow(&f, "b")->gloss = "0123456789 äöü 89x";
	ASSERT_TEXT("       RSS      %  %par.\n"
		    "       2 B  100.0         total\n"
		    "       1 B   50.0   50.0  ├─ a  0123456789 äöü 89\n"
		    "       1 B   50.0   50.0  └─ b  0123456789 äöü 8…\n",
		    emit(&f, &style, &output));
	mw_test_output_deinit(&output);
	mw_tree_free(&f.tree);
}

TEST(a_gloss_without_room_is_left_out)
{
	struct mw_test_output output;
	struct forest f;

	for (unsigned width = 0; width < 60; width++) {
		const struct mw_style style = { .width = width };
		bool there;

		plant(&f);
		add(&f, "abc", 1);
		grow(&f, "abc")->gloss = "0123456789";
		there = strstr(emit(&f, &style, &output), "0123") != NULL;
		// 26 columns, "└─ abc", two blanks, and the ten at least
		ASSERT_EQ(width >= 26 + 6 + 2 + 10, there);
		mw_test_output_deinit(&output);
		mw_tree_free(&f.tree);
	}
}

/** A tree of labels of all lengths up to @longest, each with a gloss. */
static void plant_at_random(struct forest *f, uint64_t *random,
			    unsigned longest)
{
	static const char *const glosses[] = {
		"short",
		"one that is longer than any line has room for, I should say",
		"ein längerer, mit Umlauten: äöüäöüäöüäöüäöüäöüäöüäöüäöüäöü",
	};

	plant(f);
	for (int i = 0; i < 40; i++) {
		char path[200];
		size_t at = 0, depth = 1 + mw_test_below(random, 4);

		for (size_t level = 0; level < depth; level++) {
			size_t len = 1 + mw_test_below(random, longest);

			memset(path + at, 'a' + (int)mw_test_below(random, 3),
			       len);
			at += len;
			path[at++] = '/';
		}
		path[at - 1] = '\0';
		grow(f, path)->gloss =
			glosses[mw_test_below(random, MW_COUNT(glosses))];
		add(f, path, mw_test_below(random, MW_MIB(1)));
	}
}

TEST(no_line_is_wider_than_a_hundred_columns)
{
	const struct mw_style style = { .width = 100 };

	for (uint64_t seed = 1; seed <= 300; seed++) {
		uint64_t random = seed;
		struct mw_test_output output;
		struct forest f;
		const char *line;
		const struct mw_tree_options folding = {
			.heading = "RSS",
			.second_heading = seed % 2 ? "PSS" : NULL,
			.fold_below_bytes = mw_test_below(&random, MW_MIB(1)),
		};

		plant_at_random(&f, &random, seed % 3 ? 14 : 5);
		mw_tree_finish(&f.tree);
		ASSERT_OK(mw_tree_emit_text(&f.tree,
					    mw_test_output_begin(&output),
					    &style, &folding));
		for (line = mw_test_output_end(&output); line && *line;)
			assert_true(columns_of(line, &line) <= 100);
		mw_test_output_deinit(&output);
		mw_tree_free(&f.tree);
	}
}

TEST(behind_a_wide_label_there_are_two_blanks)
{
	const struct mw_style style = { .width = 100 };
	struct mw_test_output output;
	struct forest f;
	const char *text;

	// 40 columns with the branch, 41, and 42: those up to 40 are aligned.
	plant(&f);
	add(&f, "0123456789012345678901234567890123456", 3);
	grow(&f, "0123456789012345678901234567890123456")->gloss = "forty";
	add(&f, "01234567890123456789012345678901234567", 2);
	grow(&f, "01234567890123456789012345678901234567")->gloss = "one more";
	add(&f, "012345678901234567890123456789012345678", 1);
	grow(&f, "012345678901234567890123456789012345678")->gloss = "two";
	text = emit(&f, &style, &output);
	assert_non_null(strstr(text, "0123456  forty\n"));
	assert_non_null(strstr(text, "01234567  one more\n"));
	assert_non_null(strstr(text, "012345678  two\n"));
	mw_test_output_deinit(&output);
	mw_tree_free(&f.tree);
}

TEST(labels_and_glosses_cannot_command_the_terminal)
{
	const struct mw_style style = { .width = 100 };
	struct mw_test_output output;
	struct forest f;
	const char *text;

	plant(&f);
	add(&f, "a\x1b[2Jb\nc", 1);
	grow(&f, "a\x1b[2Jb\nc")->gloss = "x\x1b]0;y\x07";
	add(&f, "plain", 1);
	grow(&f, "plain")->gloss = "z";
	text = emit(&f, &style, &output);
	assert_null(strchr(text, '\x1b'));
	assert_null(strchr(text, '\x07'));
	// Aligned as they are shown
	assert_non_null(strstr(text, "├─ a\\x1b[2Jb\\x0ac  x\\x1b]0;y\\x07\n"));
	assert_non_null(strstr(text, "└─ plain           z\n"));
	mw_test_output_deinit(&output);
	mw_tree_free(&f.tree);
}

TEST(colour_comes_only_when_asked_for)
{
	const struct mw_style plain = { .is_terminal = true, .width = 100 };
	const struct mw_style bold = { .color = true, .width = 100 };
	struct mw_test_output output;
	struct forest f;

	plant(&f);
	add(&f, "a/b", 1);
	grow(&f, "a/b")->gloss = "gloss";
	assert_null(strchr(emit(&f, &plain, &output), '\x1b'));
	mw_test_output_deinit(&output);
	mw_tree_free(&f.tree);

	plant(&f);
	add(&f, "a/b", 1);
	grow(&f, "a/b")->gloss = "gloss";
	ASSERT_TEXT("\033[1m       RSS      %  %par.\n"
		    "\033[0m       1 B  100.0         \033[1mtotal\033[0m\n"
		    "       1 B  100.0  100.0  └─ \033[1ma\033[0m\n"
		    "       1 B  100.0  100.0     └─ b  "
		    "\033[2mgloss\033[0m\n",
		    emit(&f, &bold, &output));
	mw_test_output_deinit(&output);
	mw_tree_free(&f.tree);
}

TEST(a_deep_tree_is_no_danger)
{
	const struct mw_style style = { .width = 100 };
	struct mw_test_output output;
	struct forest f;
	char path[400] = "";

	for (size_t i = 0; i < 100; i++)
		strcat(path, i ? "/ab" : "ab");
	plant(&f);
	add(&f, path, 5);
	emit(&f, &style, &output);
	ASSERT_EQ(5, f.tree.nodes.v[0].bytes);
	mw_test_output_deinit(&output);
	mw_tree_free(&f.tree);
}

static struct mw_error *make(void *ctx)
{
	const struct mw_style style = { .width = 100 };
	struct mw_tree tree = { 0 };
	struct mw_test_output output;
	struct mw_error *error = NULL;
	bool ok = mw_tree_root(&tree, "total") != SIZE_MAX;
	const char *line;
	size_t lines = 0;
	(void)ctx;

	for (int i = 0; ok && i < 20; i++) {
		static const char *const labels[] = { "a", "b", "c", "d" };
		size_t node = mw_tree_child(&tree, 0, labels[i % 4]);

		if (node != SIZE_MAX)
			node = mw_tree_child(&tree, node, labels[i / 4 % 4]);
		ok = node != SIZE_MAX;
		if (ok)
			tree.nodes.v[node].bytes = 1;
	}
	if (ok) {
		mw_tree_finish(&tree);
		error = mw_tree_emit_text(&tree,
					  mw_test_output_begin(&output),
					  &style, &options);
		for (line = mw_test_output_end(&output); line && *line;
		     lines++)
			columns_of(line, &line);
		// All of it or nothing: headings, total, 4 and 16 nodes
		ASSERT_EQ(error ? 0 : 22, lines);
		mw_test_output_deinit(&output);
	}
	mw_tree_free(&tree);
	return ok ? error : mw_error_nomem();
}

TEST(a_tree_survives_a_lack_of_memory)
{
	OUT_OF_MEMORY(make, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(glosses_are_cut_at_the_width),
		CASE(a_gloss_without_room_is_left_out),
		CASE(no_line_is_wider_than_a_hundred_columns),
		CASE(behind_a_wide_label_there_are_two_blanks),
		CASE(labels_and_glosses_cannot_command_the_terminal),
		CASE(colour_comes_only_when_asked_for),
		CASE(a_deep_tree_is_no_danger),
		CASE(a_tree_survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

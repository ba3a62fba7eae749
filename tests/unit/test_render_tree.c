/* SPDX-License-Identifier: Apache-2.0 */
#include "render_forest.h"

#include "mw_num.h"
#include "mw_test.h"

static const struct mw_style plain = { .width = 100 };

static const char *emit(struct forest *forest, const struct mw_style *style,
			const struct mw_tree_options *options,
			struct mw_test_output *output)
{
	ASSERT_OK(mw_tree_emit_text(&forest->tree,
				    mw_test_output_begin(output), style,
				    options));
	return mw_test_output_end(output);
}

/** Finish the tree, check its text, and release it. */
static void check(struct forest *forest, const struct mw_style *style,
		  uint64_t fold_below_bytes, const char *want)
{
	const struct mw_tree_options options = {
		.heading = "RSS",
		.fold_below_bytes = fold_below_bytes,
	};
	struct mw_test_output output;

	mw_tree_finish(&forest->tree);
	ASSERT_TEXT(want, emit(forest, style, &options, &output));
	mw_test_output_deinit(&output);
	mw_tree_free(&forest->tree);
}

TEST(a_child_is_made_once)
{
	struct mw_tree tree = { 0 };
	size_t a, b;

	ASSERT_EQ(0, mw_tree_root(&tree, "total"));
	a = mw_tree_child(&tree, 0, "a");
	b = mw_tree_child(&tree, a, "a"); // the same label, further down
	assert_true(a != b);
	ASSERT_EQ(a, mw_tree_child(&tree, 0, "a"));
	ASSERT_EQ(b, mw_tree_child(&tree, a, "a"));
	ASSERT_EQ(3, tree.nodes.n);
	ASSERT_EQ(a, tree.nodes.v[b].parent);
	mw_tree_free(&tree);
}

TEST(leaves_are_added_up)
{
	struct forest f;

	plant(&f);
	add(&f, "go/heap/objects", 100);
	add(&f, "go/heap/idle", 20);
	add(&f, "go/stacks", 3);
	add(&f, "unknown", 0);
	grow(&f, "go/heap/idle")->second = 7;
	mw_tree_finish(&f.tree);
	ASSERT_EQ(123, f.tree.nodes.v[0].bytes);
	ASSERT_EQ(7, f.tree.nodes.v[0].second);
	ASSERT_EQ(4, f.tree.nodes.v[0].leaves);
	ASSERT_EQ(120, grow(&f, "go/heap")->bytes);
	ASSERT_EQ(2, grow(&f, "go/heap")->leaves);
	ASSERT_EQ(3, grow(&f, "go/stacks")->bytes);
	mw_tree_free(&f.tree);
}

TEST(larger_ones_come_first_and_equals_by_name)
{
	struct forest f;

	plant(&f);
	add(&f, "b", 10);
	add(&f, "small/b", 2);
	add(&f, "small/a", 5);
	add(&f, "a", 10);
	add(&f, "none", 0);
	add(&f, "big/one", 973);
	check(&f, &plain, 0,
	      "       RSS      %  %par.\n"
	      "  0.98 KiB  100.0         total\n"
	      "     973 B   97.3   97.3  ├─ big\n"
	      "     973 B   97.3  100.0  │  └─ one\n"
	      "      10 B    1.0    1.0  ├─ a\n"
	      "      10 B    1.0    1.0  ├─ b\n"
	      "       7 B    0.7    0.7  ├─ small\n"
	      "       5 B    0.5   71.4  │  ├─ a\n"
	      "       2 B    0.2   28.6  │  └─ b\n"
	      "       0 B    0.0    0.0  └─ none\n");
}

TEST(percentages_are_of_the_total_and_of_the_parent)
{
	struct forest f;

	plant(&f);
	add(&f, "a/x", MW_KIB(3));
	add(&f, "a/y", MW_KIB(1));
	add(&f, "b", MW_KIB(12));
	check(&f, &plain, 0,
	      "       RSS      %  %par.\n"
	      "  16.0 KiB  100.0         total\n"
	      "  12.0 KiB   75.0   75.0  ├─ b\n"
	      "  4.00 KiB   25.0   25.0  └─ a\n"
	      "  3.00 KiB   18.8   75.0     ├─ x\n"
	      "  1.00 KiB    6.2   25.0     └─ y\n");
}

TEST(of_nothing_there_are_no_percentages)
{
	struct forest f;

	plant(&f);
	check(&f, &plain, 0,
	      "       RSS      %  %par.\n"
	      "       0 B                total\n");
	plant(&f);
	add(&f, "a/x", 0);
	check(&f, &plain, 0,
	      "       RSS      %  %par.\n"
	      "       0 B                total\n"
	      "       0 B                └─ a\n"
	      "       0 B                   └─ x\n");
}

TEST(small_ones_are_folded_into_one_line_with_their_sum)
{
	struct forest f;

	plant(&f);
	add(&f, "a", 900);
	add(&f, "b/p", 15);
	add(&f, "b/q", 15);
	add(&f, "c", 40);
	add(&f, "d", 29);
	add(&f, "e", 1);
	check(&f, &plain, 50,
	      "       RSS      %  %par.\n"
	      "  0.98 KiB  100.0         total\n"
	      "     900 B   90.0   90.0  ├─ a\n"
	      // c, d, e, and both leaves of b
	      "     100 B   10.0   10.0  └─ 5 more  "
	      "small ones; --verbose lists them\n");
}

TEST(a_single_small_one_is_shown)
{
	struct forest f;

	plant(&f);
	add(&f, "a", 90);
	add(&f, "b", 10);
	add(&f, "c", 0); // nothing is hidden with it
	check(&f, &plain, 50,
	      "       RSS      %  %par.\n"
	      "     100 B  100.0         total\n"
	      "      90 B   90.0   90.0  ├─ a\n"
	      "      10 B   10.0   10.0  └─ b\n");
}

TEST(a_parent_of_small_ones_alone_hides_them)
{
	struct forest f;

	plant(&f);
	add(&f, "a/x", 40);
	add(&f, "a/y", 40);
	add(&f, "b", 920);
	check(&f, &plain, 50,
	      "       RSS      %  %par.\n"
	      "  0.98 KiB  100.0         total\n"
	      "     920 B   92.0   92.0  ├─ b\n"
	      "      80 B    8.0    8.0  └─ a\n");
}

TEST(a_second_figure_has_a_column_of_its_own)
{
	const struct mw_tree_options options = {
		.heading = "RSS",
		.second_heading = "PSS",
	};
	struct mw_test_output output;
	struct forest f;

	plant(&f);
	add(&f, "a", MW_KIB(8));
	grow(&f, "a")->second = 100;
	grow(&f, "a")->gloss = "what it is";
	mw_tree_finish(&f.tree);
	ASSERT_TEXT("       RSS      %  %par.         PSS\n"
		    "  8.00 KiB  100.0              100 B  total\n"
		    "  8.00 KiB  100.0  100.0       100 B  └─ a"
		    "  what it is\n",
		    emit(&f, &plain, &options, &output));
	mw_test_output_deinit(&output);
	mw_tree_free(&f.tree);
}

TEST(exact_bytes_keep_their_columns_however_many)
{
	const struct mw_style exact = { .exact_bytes = true, .width = 100 };
	struct forest f;

	plant(&f);
	add(&f, "a", 4096);
	check(&f, &exact, 0,
	      "              RSS      %  %par.\n"
	      "            4,096  100.0         total\n"
	      "            4,096  100.0  100.0  └─ a\n");
	// The address space of a sanitized program
	plant(&f);
	add(&f, "a", UINT64_C(21990232555520));
	add(&f, "b", 1);
	check(&f, &exact, 0,
	      "               RSS      %  %par.\n"
	      "21,990,232,555,521  100.0         total\n"
	      "21,990,232,555,520  100.0  100.0  ├─ a\n"
	      "                 1    0.0    0.0  └─ b\n");
}

TEST(glosses_stand_below_each_other)
{
	struct forest f;

	plant(&f);
	add(&f, "short", 1000);
	grow(&f, "short")->gloss = "one";
	add(&f, "longer-name", 100);
	grow(&f, "longer-name")->gloss = "two";
	add(&f, "äöü", 10);
	grow(&f, "äöü")->gloss = "three";
	check(&f, &plain, 0,
	      "       RSS      %  %par.\n"
	      "  1.08 KiB  100.0         total\n"
	      "  0.98 KiB   90.1   90.1  ├─ short        one\n"
	      "     100 B    9.0    9.0  ├─ longer-name  two\n"
	      "      10 B    0.9    0.9  └─ äöü          three\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_child_is_made_once),
		CASE(leaves_are_added_up),
		CASE(larger_ones_come_first_and_equals_by_name),
		CASE(percentages_are_of_the_total_and_of_the_parent),
		CASE(of_nothing_there_are_no_percentages),
		CASE(small_ones_are_folded_into_one_line_with_their_sum),
		CASE(a_single_small_one_is_shown),
		CASE(a_parent_of_small_ones_alone_hides_them),
		CASE(a_second_figure_has_a_column_of_its_own),
		CASE(exact_bytes_keep_their_columns_however_many),
		CASE(glosses_stand_below_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_test.h"
#include "pcln_image.h"

/* Every format, and the releases at its ends. */
static const unsigned minors[] = { 9, 10, 11, 12, 13, 15, 16, 17, 18, 19, 20,
				   25, 26, 27, 40 };

static struct mw_go_funcs *open_image(struct pcln_image *image)
{
	const struct mw_go_reader reader = pcln_image_reader(image);
	struct mw_go_funcs *funcs = NULL;

	ASSERT_OK(mw_go_funcs_new(&reader, &funcs));
	ASSERT_OK(mw_go_funcs_add(funcs, &image->tables));
	return funcs;
}

TEST(functions_ascend_and_have_their_names)
{
	for (size_t i = 0; i < MW_COUNT(minors); i++) {
		struct pcln_image image;
		struct mw_go_func f;

		pcln_image_make(&image, minors[i]);
		MW_CLEANUP(mw_go_funcs_closep)
		struct mw_go_funcs *funcs = open_image(&image);

		ASSERT_EQ(3, mw_go_funcs_count(funcs));
		assert_true(mw_go_func_at(funcs, 0, &f));
		ASSERT_EQ(PCLN_IMAGE_TEXT, f.entry);
		ASSERT_EQ(PCLN_IMAGE_TEXT + 0x40, f.end);
		ASSERT_TEXT("main.main", mw_go_func_name(funcs, &f));
		ASSERT_EQ(16, f.args_bytes);
		assert_true(mw_go_func_at(funcs, 2, &f));
		ASSERT_EQ(PCLN_IMAGE_TEXT + 0x110, f.end);
		ASSERT_TEXT("runtime.goexit", mw_go_func_name(funcs, &f));
		ASSERT_EQ(minors[i] >= 17 ? MW_GO_FUNC_TOP_FRAME : 0, f.flags);
		assert_false(mw_go_func_at(funcs, 3, &f));
	}
}

TEST(a_function_is_found_by_each_of_its_addresses)
{
	for (size_t i = 0; i < MW_COUNT(minors); i++) {
		struct pcln_image image;
		struct mw_go_func f;

		pcln_image_make(&image, minors[i]);
		MW_CLEANUP(mw_go_funcs_closep)
		struct mw_go_funcs *funcs = open_image(&image);

		for (uint64_t pc = 0; pc < 0x110; pc++) {
			assert_true(mw_go_func_of(funcs, PCLN_IMAGE_TEXT + pc,
						  &f));
			ASSERT_EQ(pc < 0x40 ? 0 : pc < 0x100 ? 1 : 2, f.index);
		}
		assert_false(mw_go_func_of(funcs, PCLN_IMAGE_TEXT - 1, &f));
		assert_false(mw_go_func_of(funcs, PCLN_IMAGE_TEXT + 0x110,
					   &f));
		assert_false(mw_go_func_of(funcs, 0, &f));
		assert_false(mw_go_func_of(funcs, UINT64_MAX, &f));
	}
}

TEST(a_function_is_found_by_its_name)
{
	struct pcln_image image;
	struct mw_go_func f;

	pcln_image_make(&image, 26);
	MW_CLEANUP(mw_go_funcs_closep)
	struct mw_go_funcs *funcs = open_image(&image);
	assert_true(mw_go_func_named(funcs, "main.big", &f));
	ASSERT_EQ(1, f.index);
	assert_false(mw_go_func_named(funcs, "main.bi", &f));
	assert_false(mw_go_func_named(funcs, "main.bigger", &f));
	assert_false(mw_go_func_named(funcs, "", &f));
}

static void check_line(const struct mw_go_line *line, const char *function,
		       const char *file, unsigned number, bool inlined)
{
	ASSERT_TEXT(function, line->function);
	ASSERT_TEXT(file, line->file);
	ASSERT_EQ(number, line->line);
	ASSERT_EQ(inlined, line->is_inlined);
	assert_false(line->is_wrapper);
}

TEST(lines_tell_inlined_calls_innermost_first)
{
	for (size_t i = 0; i < MW_COUNT(minors); i++) {
		struct pcln_image image;
		struct mw_go_line l[MW_GO_MAX_LINES];
		struct mw_go_func f;

		pcln_image_make(&image, minors[i]);
		MW_CLEANUP(mw_go_funcs_closep)
		struct mw_go_funcs *funcs = open_image(&image);

		assert_true(mw_go_func_at(funcs, 0, &f));
		ASSERT_EQ(1, mw_go_lines(funcs, &f, f.entry + 0x20, l, 64));
		check_line(&l[0], "main.main", "/src/a.go", 11, false);
		assert_true(mw_go_func_at(funcs, 1, &f));
		ASSERT_EQ(1, mw_go_lines(funcs, &f, f.entry + 0xf, l, 64));
		check_line(&l[0], "main.big", "/src/a.go", 21, false);
		ASSERT_EQ(2, mw_go_lines(funcs, &f, f.entry + 0x10, l, 64));
		check_line(&l[0], "main.small", "/src/b.go", 7, true);
		check_line(&l[1], "main.big", "/src/a.go", 21, false);
		ASSERT_EQ(3, mw_go_lines(funcs, &f, f.entry + 0x1f, l, 64));
		check_line(&l[0], "main.tiny", "/src/b.go", 3, true);
		check_line(&l[1], "main.small", "/src/b.go", 8, true);
		check_line(&l[2], "main.big", "/src/a.go", 21, false);
		// Cut, the function itself is still last.
		ASSERT_EQ(2, mw_go_lines(funcs, &f, f.entry + 0x1f, l, 2));
		ASSERT_TEXT("main.big", l[1].function);
		ASSERT_EQ(1, mw_go_lines(funcs, &f, f.entry + 0x1f, l, 1));
		ASSERT_TEXT("main.big", l[0].function);
	}
}

TEST(frames_have_sizes)
{
	for (size_t i = 0; i < MW_COUNT(minors); i++) {
		struct pcln_image image;
		struct mw_go_func f;
		uint64_t bytes = 7;

		pcln_image_make(&image, minors[i]);
		MW_CLEANUP(mw_go_funcs_closep)
		struct mw_go_funcs *funcs = open_image(&image);

		assert_true(mw_go_func_at(funcs, 1, &f));
		assert_false(mw_go_frame_bytes(funcs, &f, f.end, &bytes));
		assert_false(mw_go_frame_bytes(funcs, &f, f.entry - 1, &bytes));
		ASSERT_EQ(7, bytes);
		assert_true(mw_go_frame_bytes(funcs, &f, f.entry + 3, &bytes));
		ASSERT_EQ(0, bytes);
		assert_true(mw_go_frame_bytes(funcs, &f, f.entry + 4, &bytes));
		ASSERT_EQ(24, bytes);
		assert_true(mw_go_frame_bytes(funcs, &f, f.end - 1, &bytes));
		ASSERT_EQ(24, bytes);
	}
}

TEST(the_format_is_told_without_a_release_or_magic)
{
	for (size_t i = 0; i < MW_COUNT(minors); i++) {
		struct pcln_image image;
		struct mw_go_line l[4];
		struct mw_go_func f;

		pcln_image_make(&image, minors[i]);
		image.tables.minor = 0;
		MW_CLEANUP(mw_go_funcs_closep)
		struct mw_go_funcs *funcs = open_image(&image);
		assert_true(mw_go_func_at(funcs, 1, &f));
		ASSERT_EQ(3, mw_go_lines(funcs, &f, f.entry + 0x1f, l, 4));
		// As garble does.
		if (minors[i] < 16)
			continue;
		memset(image.bytes, 0x5a, 4);
		MW_CLEANUP(mw_go_funcs_closep)
		struct mw_go_funcs *again = open_image(&image);
		assert_true(mw_go_func_at(again, 1, &f));
		ASSERT_EQ(3, mw_go_lines(again, &f, f.entry + 0x1f, l, 4));
	}
}

TEST(several_modules_are_one_list)
{
	struct pcln_image image;
	struct mw_go_func f;

	pcln_image_make(&image, 26);
	MW_CLEANUP(mw_go_funcs_closep)
	struct mw_go_funcs *funcs = open_image(&image);
	image.tables.text += 0x10000;
	ASSERT_OK(mw_go_funcs_add(funcs, &image.tables));
	ASSERT_EQ(6, mw_go_funcs_count(funcs));
	assert_true(mw_go_func_of(funcs, PCLN_IMAGE_TEXT + 0x10041, &f));
	ASSERT_EQ(4, f.index);
	ASSERT_EQ(1, f.module);
	ASSERT_TEXT("main.big", mw_go_func_name(funcs, &f));
	assert_true(mw_go_func_of(funcs, PCLN_IMAGE_TEXT + 0x41, &f));
	ASSERT_EQ(1, f.index);
}

static void check_package(const char *name, const char *want)
{
	char got[64];

	ASSERT_EQ(strlen(want), mw_go_package(name, got, sizeof(got)));
	ASSERT_TEXT(want, got);
}

TEST(packages_are_told_from_names)
{
	char small[4];

	check_package("main.main", "main");
	check_package("net/http.(*conn).serve", "net/http");
	check_package("github.com/a/b.F.func1", "github.com/a/b");
	check_package("gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml.v3");
	check_package("slices.SortFunc[go.shape.[]a/b.T]", "slices");
	check_package("go.uber.org/zap.New", "go.uber.org/zap");
	check_package("gopkg.in/src-d/go-git.v4/utils.F",
		      "gopkg.in/src-d/go-git.v4/utils");
	check_package("a.b/c.(*T).d.e/f.m", "a.b/c");
	check_package("a.b/c.T.d.e/f.m", "a.b/c");
	check_package("a.b/c.thisType.net/http.m", "a.b/c");
	check_package("a.b/vendor/c.d.e/f.M", "a.b/vendor/c.d.e/f");
	check_package("main.t.d.e/f.m", "main");
	check_package("sort.Slice.d.e/f.m", "sort");
	check_package("sort.Slice.m", "sort");
	check_package("type:.eq.net/http.Request", "");
	check_package("type..hash.os.File", "");
	check_package("go.buildid", "");
	check_package("go:buildid", "");
	check_package("_rt0_amd64_linux", "");
	check_package("", "");
	check_package("a%2", "");
	check_package("a%2.b", "a%2");
	ASSERT_EQ(3, mw_go_package("runtime.main", small, sizeof(small)));
	ASSERT_TEXT("run", small);
}

TEST(damage_is_an_error)
{
	static const struct mw_go_tables nowhere = { .pclntab = UINT64_MAX };
	struct pcln_image image;
	struct mw_go_funcs *funcs = NULL;

	pcln_image_make(&image, 26);
	const struct mw_go_reader reader = pcln_image_reader(&image);
	ASSERT_OK(mw_go_funcs_new(&reader, &funcs));
	ASSERT_ERR(MW_E_FORMAT, mw_go_funcs_add(funcs, &nowhere));
	memset(image.bytes + 8, 0, 8); // no functions
	ASSERT_ERR(MW_E_FORMAT, mw_go_funcs_add(funcs, &image.tables));
	memset(image.bytes + 8, 0xff, 8); // more than there can be
	ASSERT_ERR(MW_E_FORMAT, mw_go_funcs_add(funcs, &image.tables));
	pcln_image_make(&image, 26);
	image.bytes[4] = 1;
	ASSERT_ERR(MW_E_FORMAT, mw_go_funcs_add(funcs, &image.tables));
	pcln_image_make(&image, 26);
	memset(image.bytes + 32, 0, 40); // tables in no order
	ASSERT_ERR(MW_E_FORMAT, mw_go_funcs_add(funcs, &image.tables));
	ASSERT_EQ(0, mw_go_funcs_count(funcs));
	mw_go_funcs_close(funcs);
	mw_go_funcs_close(NULL);
}

/** Ask for all that a damaged table may still tell. */
static void use_damaged(struct pcln_image *image)
{
	const struct mw_go_reader reader = pcln_image_reader(image);
	struct mw_go_funcs *funcs = NULL;

	ASSERT_OK(mw_go_funcs_new(&reader, &funcs));
	mw_error_free(mw_go_funcs_add(funcs, &image->tables));
	for (uint64_t pc = 0; pc < 0x110; pc += 7) {
		struct mw_go_line l[8];
		struct mw_go_func f;
		uint64_t va = PCLN_IMAGE_TEXT + pc;

		if (!mw_go_func_of(funcs, va, &f))
			continue;
		assert_true(f.entry <= va && va < f.end);
		assert_in_range(mw_go_lines(funcs, &f, va, l, 8), 1, 8);
	}
	mw_go_funcs_close(funcs);
}

TEST(any_byte_may_be_wrong)
{
	const uint8_t changes[] = { 0x01, 0x80, 0xff };
	struct pcln_image good, image;

	for (size_t m = 0; m < MW_COUNT(minors); m++) {
		pcln_image_make(&good, minors[m]);
		for (size_t at = 0; at < good.size * 3; at++) {
			image = good;
			image.bytes[at / 3] ^= changes[at % 3];
			use_damaged(&image);
		}
	}
}

TEST(it_may_break_off_at_every_byte)
{
	struct pcln_image image;

	for (size_t m = 0; m < MW_COUNT(minors); m++) {
		pcln_image_make(&image, minors[m]);
		while (image.size-- > 0)
			use_damaged(&image);
	}
}

static struct mw_error *use_all(void *ctx)
{
	MW_CLEANUP(mw_go_funcs_closep) struct mw_go_funcs *funcs = NULL;
	struct pcln_image *image = ctx;
	const struct mw_go_reader reader = pcln_image_reader(image);
	struct mw_error *error = mw_go_funcs_new(&reader, &funcs);
	struct mw_go_line l[8];
	struct mw_go_func f;

	if (!error)
		error = mw_go_funcs_add(funcs, &image->tables);
	if (error)
		return error;
	assert_true(mw_go_func_of(funcs, PCLN_IMAGE_TEXT + 0x5f, &f));
	ASSERT_EQ(3, mw_go_lines(funcs, &f, f.entry + 0x1f, l, 8));
	// Without memory a name is not kept, and that is no error.
	return mw_alloc_failed() ? mw_error_nomem() : NULL;
}

TEST(memory_may_run_out)
{
	struct pcln_image image;

	pcln_image_make(&image, 26);
	OUT_OF_MEMORY(use_all, &image);
}

/*
 * A table of Go 1.20 with so many functions that their names take 38 MB. It is
 * made where it is read: names, the table, records, one behind the other.
 */
#define MANY 150000
#define MANY_NAME 256
#define MANY_NAMES 0x1000
#define MANY_TABLE (MANY_NAMES + MANY * MANY_NAME)
#define MANY_RECORDS 0x200000
#define MANY_RECORD 48

static uint8_t byte_of_many(uint64_t at)
{
	const uint64_t header[] = {
		0x08010000fffffff1, MANY, 0, 0x400000,
		MANY_NAMES, MANY_NAMES, MANY_NAMES, MANY_NAMES, MANY_TABLE,
	};
	uint32_t record[MANY_RECORD / 4] = { 0 }, entry[2];
	uint64_t i;

	if (at < sizeof(header))
		return ((const uint8_t *)header)[at];
	if (at < MANY_NAMES)
		return 0;
	if (at < MANY_TABLE) {
		i = (at - MANY_NAMES) / MANY_NAME;
		at = (at - MANY_NAMES) % MANY_NAME;
		if (at < 5)
			return (uint8_t)"main."[at];
		for (uint64_t digit = at; i > 0 && digit < MANY_NAME - 2;
		     digit++)
			i /= 10;
		return at < MANY_NAME - 1 ? (uint8_t)('0' + i % 10) : 0;
	}
	at -= MANY_TABLE;
	if (at < MANY_RECORDS) {
		i = at / sizeof(entry);
		entry[0] = (uint32_t)i * 16;
		entry[1] = (uint32_t)(MANY_RECORDS + i * MANY_RECORD);
		return ((const uint8_t *)entry)[at % sizeof(entry)];
	}
	at -= MANY_RECORDS;
	i = at / MANY_RECORD;
	record[0] = (uint32_t)i * 16;
	record[1] = (uint32_t)i * MANY_NAME;
	record[10] = 1u << 24; // one funcdata
	return ((const uint8_t *)record)[at % MANY_RECORD];
}

static bool read_many(void *ctx, uint64_t va, void *to, size_t bytes)
{
	(void)ctx;
	for (size_t i = 0; i < bytes; i++)
		((uint8_t *)to)[i] = byte_of_many(va - PCLN_IMAGE_VA + i);
	return true;
}

TEST(names_of_a_very_large_program)
{
	const struct mw_go_reader reader = { .read = read_many };
	const struct mw_go_tables tables = { .pclntab = PCLN_IMAGE_VA,
					     .text = 0x400000,
					     .minor = 20 };
	MW_CLEANUP(mw_go_funcs_closep) struct mw_go_funcs *funcs = NULL;
	struct mw_go_func f;
	char name[MANY_NAME];

	ASSERT_OK(mw_go_funcs_new(&reader, &funcs));
	ASSERT_OK(mw_go_funcs_add(funcs, &tables));
	ASSERT_EQ(MANY, mw_go_funcs_count(funcs));
	for (unsigned i = 0; i < MANY; i++) {
		assert_true(mw_go_func_at(funcs, i, &f));
		snprintf(name, sizeof(name), "main.%0250u", i);
		ASSERT_TEXT(name, mw_go_func_name(funcs, &f));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(functions_ascend_and_have_their_names),
		CASE(a_function_is_found_by_each_of_its_addresses),
		CASE(a_function_is_found_by_its_name),
		CASE(lines_tell_inlined_calls_innermost_first),
		CASE(frames_have_sizes),
		CASE(the_format_is_told_without_a_release_or_magic),
		CASE(several_modules_are_one_list),
		CASE(packages_are_told_from_names),
		CASE(damage_is_an_error),
		CASE(any_byte_may_be_wrong),
		CASE(it_may_break_off_at_every_byte),
		CASE(memory_may_run_out),
		CASE(names_of_a_very_large_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_num.h"
#include "mw_part_list.h"
#include "mw_test.h"

static void add(struct mw_part_list *list, uint64_t start, uint64_t bytes,
		mw_account_id account)
{
	ASSERT_OK(mw_part_list_add(list, start, bytes, account));
}

static void check_part(const struct mw_part_list *list, size_t at,
		       uint64_t start, uint64_t end, mw_account_id account)
{
	assert_true(at < list->parts.n);
	ASSERT_EQ(start, list->parts.v[at].start);
	ASSERT_EQ(end, list->parts.v[at].end);
	ASSERT_EQ(account, list->parts.v[at].account);
}

/* A sink that writes down what it is told. */
struct told {
	struct mw_list_part parts[600];
	size_t count;
};

static void told_range(void *ctx, uint64_t start, uint64_t bytes,
		       mw_account_id account)
{
	struct told *told = ctx;

	assert_true(bytes > 0);
	assert_true(told->count < MW_COUNT(told->parts));
	told->parts[told->count++] =
		(struct mw_list_part){ start, start + bytes, account };
}

static const struct mw_part_ops told_ops = { .range = told_range };

static void emit(const struct mw_part_list *list, uint64_t start,
		 uint64_t bytes, struct told *ret)
{
	struct mw_claim claim = { .start = start, .bytes = bytes };
	struct mw_parts parts = { &told_ops, ret };

	ret->count = 0;
	mw_part_list_emit(list, &claim, &parts);
}

TEST(an_empty_list_has_nothing_to_tell)
{
	struct mw_part_list list = { 0 };
	struct told told;

	ASSERT_EQ(0, mw_part_list_tidy(&list));
	emit(&list, 0, UINT64_MAX, &told);
	ASSERT_EQ(0, told.count);
	mw_part_list_free(&list);
}

TEST(parts_that_touch_become_one)
{
	struct mw_part_list list = { 0 };

	add(&list, 100, 10, 1);
	add(&list, 110, 5, 1);
	add(&list, 115, 5, 2); // another account
	add(&list, 121, 5, 2); // a gap
	add(&list, 126, 0, 2); // nothing
	add(&list, 126, 4, 2);
	ASSERT_EQ(0, mw_part_list_tidy(&list));
	ASSERT_EQ(3, list.parts.n);
	check_part(&list, 0, 100, 115, 1);
	check_part(&list, 1, 115, 120, 2);
	check_part(&list, 2, 121, 130, 2);
	mw_part_list_free(&list);
}

TEST(parts_come_out_sorted)
{
	struct mw_part_list list = { 0 };

	add(&list, 300, 10, 3);
	add(&list, 100, 10, 1);
	add(&list, 200, 10, 2);
	ASSERT_EQ(0, mw_part_list_tidy(&list));
	ASSERT_EQ(3, list.parts.n);
	check_part(&list, 0, 100, 110, 1);
	check_part(&list, 1, 200, 210, 2);
	check_part(&list, 2, 300, 310, 3);
	// A second time there is nothing to do, until a part is added.
	ASSERT_EQ(0, mw_part_list_tidy(&list));
	add(&list, 50, 60, 4);
	ASSERT_EQ(10, mw_part_list_tidy(&list));
	ASSERT_EQ(3, list.parts.n);
	check_part(&list, 0, 50, 110, 4);
	mw_part_list_free(&list);
}

TEST(of_two_the_lower_one_stays_whole)
{
	struct mw_part_list list = { 0 };

	add(&list, 150, 100, 2);
	add(&list, 100, 100, 1);
	ASSERT_EQ(50, mw_part_list_tidy(&list));
	ASSERT_EQ(2, list.parts.n);
	check_part(&list, 0, 100, 200, 1);
	check_part(&list, 1, 200, 250, 2);
	mw_part_list_free(&list);
}

TEST(of_two_at_one_address_the_shorter_stays_whole)
{
	struct mw_part_list list = { 0 };

	add(&list, 100, 100, 1);
	add(&list, 100, 30, 2);
	ASSERT_EQ(30, mw_part_list_tidy(&list));
	ASSERT_EQ(2, list.parts.n);
	check_part(&list, 0, 100, 130, 2);
	check_part(&list, 1, 130, 200, 1);
	mw_part_list_free(&list);
}

TEST(a_part_inside_another_is_cut_off_whole)
{
	struct mw_part_list list = { 0 };

	add(&list, 100, 100, 1);
	add(&list, 120, 10, 2);
	add(&list, 180, 20, 3); // up to the very end
	add(&list, 200, 1, 4);
	ASSERT_EQ(30, mw_part_list_tidy(&list));
	ASSERT_EQ(2, list.parts.n);
	check_part(&list, 0, 100, 200, 1);
	check_part(&list, 1, 200, 201, 4);
	mw_part_list_free(&list);
}

TEST(parts_that_leave_the_address_space_are_left_out)
{
	struct mw_part_list list = { 0 };

	add(&list, UINT64_MAX - 9, 9, 1);
	add(&list, UINT64_MAX - 9, 10, 2); // its end does not fit in 64 bits
	add(&list, 100, UINT64_MAX, 2);
	ASSERT_EQ(0, mw_part_list_tidy(&list));
	ASSERT_EQ(1, list.parts.n);
	check_part(&list, 0, UINT64_MAX - 9, UINT64_MAX, 1);
	add(&list, UINT64_MAX, 1, 3);
	ASSERT_EQ(1, list.parts.n);
	mw_part_list_free(&list);
}

TEST(only_what_lies_in_the_claim_is_told)
{
	struct mw_part_list list = { 0 };
	struct told told;

	add(&list, 100, 100, 1);
	add(&list, 200, 100, 2);
	add(&list, 400, 100, 3);
	ASSERT_EQ(0, mw_part_list_tidy(&list));

	emit(&list, 150, 300, &told);
	ASSERT_EQ(3, told.count);
	ASSERT_EQ(150, told.parts[0].start);
	ASSERT_EQ(200, told.parts[0].end);
	ASSERT_EQ(1, told.parts[0].account);
	ASSERT_EQ(200, told.parts[1].start);
	ASSERT_EQ(300, told.parts[1].end);
	ASSERT_EQ(400, told.parts[2].start);
	ASSERT_EQ(450, told.parts[2].end);
	ASSERT_EQ(3, told.parts[2].account);

	emit(&list, 300, 100, &told); // between two
	ASSERT_EQ(0, told.count);
	emit(&list, 0, 100, &told);
	ASSERT_EQ(0, told.count);
	emit(&list, 500, 100, &told);
	ASSERT_EQ(0, told.count);
	emit(&list, 199, 2, &told);
	ASSERT_EQ(2, told.count);
	ASSERT_EQ(199, told.parts[0].start);
	ASSERT_EQ(201, told.parts[1].end);
	mw_part_list_free(&list);
}

enum {
	SPACE = 3000,
	MAX_PARTS = 200,
};

/** How many bytes of [@start, @end) are marked; marks them all. */
static uint64_t mark(bool *marked, uint64_t start, uint64_t end)
{
	uint64_t twice = 0;

	for (; start < end; start++) {
		twice += marked[start];
		marked[start] = true;
	}
	return twice;
}

TEST(random_parts_agree_with_marked_bytes)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct mw_part_list list = { 0 };
		bool marked[SPACE] = { false };
		uint64_t random = seed, twice = 0, bytes = 0;
		size_t count = 1 + mw_test_below(&random, MAX_PARTS);
		uint64_t longest = 1 + mw_test_below(&random, 60);

		for (size_t i = 0; i < count; i++) {
			uint64_t start = mw_test_below(&random, SPACE - 100);
			uint64_t size = mw_test_below(&random, longest);

			add(&list, start, size,
			    (mw_account_id)mw_test_below(&random, 3));
			twice += mark(marked, start, start + size);
		}
		// Cut off is exactly what was there before.
		ASSERT_EQ(twice, mw_part_list_tidy(&list));
		for (size_t i = 0; i < list.parts.n; i++) {
			const struct mw_list_part *p = &list.parts.v[i];

			assert_true(p->start < p->end);
			if (i > 0)
				assert_true(p[-1].end <= p->start);
			bytes += p->end - p->start;
			for (uint64_t at = p->start; at < p->end; at++) {
				assert_true(marked[at]);
				marked[at] = false;
			}
		}
		for (size_t at = 0; at < SPACE; at++)
			assert_false(marked[at]);

		struct told told;
		uint64_t emitted = 0, begin = 0;
		// Claims side by side get every byte once.
		while (begin < SPACE) {
			uint64_t size = 1 + mw_test_below(&random, 700);

			emit(&list, begin, size, &told);
			for (size_t i = 0; i < told.count; i++) {
				assert_true(told.parts[i].start >= begin);
				assert_true(told.parts[i].end <= begin + size);
				emitted += told.parts[i].end -
					   told.parts[i].start;
			}
			begin += size;
		}
		ASSERT_EQ(bytes, emitted);
		mw_part_list_free(&list);
	}
}

static struct mw_error *fill(void *ctx)
{
	struct mw_part_list list = { 0 };
	struct mw_error *error = NULL;
	uint64_t i;
	(void)ctx;

	for (i = 0; !error && i < 100; i++)
		error = mw_part_list_add(&list, 10000 - i * 20, 10, 1);
	ASSERT_EQ(error ? i - 1 : i, list.parts.n);
	ASSERT_EQ(0, mw_part_list_tidy(&list));
	mw_part_list_free(&list);
	ASSERT_EQ(0, list.parts.n);
	return error;
}

TEST(adding_survives_a_lack_of_memory)
{
	OUT_OF_MEMORY(fill, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_empty_list_has_nothing_to_tell),
		CASE(parts_that_touch_become_one),
		CASE(parts_come_out_sorted),
		CASE(of_two_the_lower_one_stays_whole),
		CASE(of_two_at_one_address_the_shorter_stays_whole),
		CASE(a_part_inside_another_is_cut_off_whole),
		CASE(parts_that_leave_the_address_space_are_left_out),
		CASE(only_what_lies_in_the_claim_is_told),
		CASE(random_parts_agree_with_marked_bytes),
		CASE(adding_survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

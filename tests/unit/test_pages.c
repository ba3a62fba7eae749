/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_space.h"
#include "mw_test.h"

#define PAGE MW_PAGE_BYTES

enum {
	P = MW_PAGE_PRESENT,
	S = MW_PAGE_SWAPPED,
};

static void add(struct mw_pages *pages, uint64_t first, uint64_t count,
		unsigned state)
{
	assert_true(mw_pages_add(pages, first * PAGE, (first + count) * PAGE,
				 state));
}

static void check_run(const struct mw_pages *pages, size_t at, uint64_t first,
		      uint64_t count, unsigned state)
{
	assert_true(at < pages->runs.n);
	ASSERT_EQ(first * PAGE, mw_run_start(pages->runs.v[at]));
	ASSERT_EQ(count * PAGE, mw_run_bytes(pages->runs.v[at]));
	ASSERT_EQ((first + count) * PAGE, mw_run_end(pages->runs.v[at]));
	ASSERT_EQ(state, mw_run_state(pages->runs.v[at]));
}

TEST(without_runs_all_pages_are_absent)
{
	struct mw_pages pages = { 0 };

	ASSERT_EQ(0, mw_pages_after(&pages, 0));
	ASSERT_EQ(0, mw_pages_after_hint(&pages, 5, 9));
	ASSERT_EQ(0, mw_pages_state(&pages, 0x1000));
	mw_pages_free(&pages);
}

TEST(touching_runs_of_one_state_become_one)
{
	struct mw_pages pages = { 0 };

	add(&pages, 10, 5, P);
	add(&pages, 15, 1, P);
	ASSERT_EQ(1, pages.runs.n);
	check_run(&pages, 0, 10, 6, P);
	add(&pages, 16, 1, S); // another state
	add(&pages, 18, 1, S); // a gap
	ASSERT_EQ(3, pages.runs.n);
	check_run(&pages, 1, 16, 1, S);
	check_run(&pages, 2, 18, 1, S);
	mw_pages_free(&pages);
}

TEST(all_state_bits_are_kept)
{
	struct mw_pages pages = { 0 };

	for (unsigned state = 0; state < 64; state++)
		add(&pages, state * 2, 1, state);
	ASSERT_EQ(64, pages.runs.n);
	for (unsigned state = 0; state < 64; state++)
		check_run(&pages, state, state * 2, 1, state);
	mw_pages_free(&pages);
}

TEST(long_runs_are_stored_as_several)
{
	struct mw_pages pages = { 0 };

	add(&pages, 1, 8191, P);
	ASSERT_EQ(1, pages.runs.n);
	check_run(&pages, 0, 1, 8191, P);
	add(&pages, 8192, 1, P);
	ASSERT_EQ(2, pages.runs.n);
	check_run(&pages, 1, 8192, 1, P);
	// Fills the second one up, then needs three more.
	add(&pages, 8193, 3 * 8191, P);
	ASSERT_EQ(5, pages.runs.n);
	for (size_t i = 0; i < 4; i++)
		check_run(&pages, i, 1 + i * 8191, 8191, P);
	check_run(&pages, 4, 1 + 4 * 8191, 1, P);
	// 1 TiB at once
	add(&pages, UINT64_C(1) << 30, UINT64_C(1) << 28, S);
	ASSERT_EQ(5 + ((UINT64_C(1) << 28) + 8190) / 8191, pages.runs.n);
	ASSERT_EQ(S, mw_pages_state(&pages, (UINT64_C(5) << 40) - 1));
	ASSERT_EQ(0, mw_pages_state(&pages, UINT64_C(5) << 40));
	ASSERT_EQ(0, mw_pages_state(&pages, (UINT64_C(4) << 40) - 1));
	ASSERT_EQ(S, mw_pages_state(&pages, UINT64_C(4) << 40));
	mw_pages_free(&pages);
}

TEST(the_highest_addresses_fit)
{
	struct mw_pages pages = { 0 };
	// 57 bits are what five levels of page tables can tell apart.
	const uint64_t top = (UINT64_C(1) << 45) - 1;

	add(&pages, top - 2, 2, P);
	check_run(&pages, 0, top - 2, 2, P);
	// [vsyscall] has no state that could be asked.
	assert_true(mw_pages_add(&pages, UINT64_C(0xffffffffff600000),
				 UINT64_C(0xffffffffff601000), P));
	ASSERT_EQ(1, pages.runs.n);
	mw_pages_free(&pages);
}

TEST(what_does_not_ascend_is_not_added)
{
	struct mw_pages pages = { 0 };

	add(&pages, 10, 10, P);
	assert_true(mw_pages_add(&pages, 5 * PAGE, 6 * PAGE, P));
	assert_true(mw_pages_add(&pages, 10 * PAGE, 20 * PAGE, P));
	assert_true(mw_pages_add(&pages, 19 * PAGE, 30 * PAGE, P));
	assert_true(mw_pages_add(&pages, 30 * PAGE, 30 * PAGE, P)); // empty
	assert_true(mw_pages_add(&pages, 31 * PAGE, 30 * PAGE, P));
	assert_true(mw_pages_add(&pages, 30 * PAGE + 1, 31 * PAGE, P));
	assert_true(mw_pages_add(&pages, 30 * PAGE, 31 * PAGE - 1, P));
	ASSERT_EQ(1, pages.runs.n);
	check_run(&pages, 0, 10, 10, P);
	add(&pages, 20, 1, P);
	check_run(&pages, 0, 10, 11, P);
	mw_pages_free(&pages);
}

/* The reference: the state of each page in a byte of its own. */
enum { MODEL_PAGES = 400 };

/** Fill pages [@from, @to) of @model at random, and @pages likewise. */
static void fill(uint64_t *random, uint8_t *model, struct mw_pages *pages,
		 uint64_t from, uint64_t to)
{
	const unsigned states[] = {
		0, 0, P, P, S, P | MW_PAGE_HUGE, P | MW_PAGE_ZERO,
	};

	while (from < to) {
		uint64_t end = from + 1 + mw_test_below(random, 9);
		unsigned state = states[mw_test_below(random,
						      MW_COUNT(states))];

		end = mw_min(end, to);
		if (state)
			add(pages, from, end - from, state);
		for (; from < end; from++)
			model[from] = (uint8_t)state;
	}
}

static void check_model(const struct mw_pages *pages, const uint8_t *model)
{
	for (uint64_t page = 0; page < MODEL_PAGES; page++) {
		ASSERT_EQ(model[page], mw_pages_state(pages, page * PAGE));
		ASSERT_EQ(model[page],
			  mw_pages_state(pages, page * PAGE + PAGE - 1));
	}
	// Ascending, disjoint, and joined where that is possible.
	for (size_t i = 1; i < pages->runs.n; i++) {
		uint64_t a = pages->runs.v[i - 1], b = pages->runs.v[i];

		assert_true(mw_run_end(a) <= mw_run_start(b));
		assert_false(mw_run_end(a) == mw_run_start(b) &&
			     mw_run_state(a) == mw_run_state(b));
	}
}

TEST(random_runs_agree_with_a_byte_a_page)
{
	for (uint64_t seed = 1; seed <= 100; seed++) {
		uint8_t model[MODEL_PAGES];
		struct mw_pages pages = { 0 };
		uint64_t random = seed;

		fill(&random, model, &pages, 0, MODEL_PAGES);
		check_model(&pages, model);
		mw_pages_free(&pages);
	}
}

TEST(appending_is_adding_run_by_run)
{
	for (uint64_t seed = 1; seed <= 100; seed++) {
		uint8_t model[MODEL_PAGES];
		struct mw_pages pages = { 0 };
		uint64_t random = seed, from = 0;

		while (from < MODEL_PAGES) {
			uint64_t to = mw_min(from + mw_test_below(&random, 90),
					     MODEL_PAGES);
			struct mw_pages more = { 0 };

			fill(&random, model, &more, from, to);
			assert_true(mw_pages_append(&pages, &more));
			mw_pages_free(&more);
			from = to;
		}
		check_model(&pages, model);
		mw_pages_free(&pages);
	}
}

TEST(appending_long_runs_keeps_their_bytes)
{
	struct mw_pages pages = { 0 }, more = { 0 };
	uint64_t bytes = 0;

	add(&pages, 0, 100, P);
	add(&more, 100, 20000, P);
	assert_true(mw_pages_append(&pages, &more));
	for (size_t i = 0; i < pages.runs.n; i++) {
		ASSERT_EQ(bytes, mw_run_start(pages.runs.v[i]));
		ASSERT_EQ(P, mw_run_state(pages.runs.v[i]));
		bytes += mw_run_bytes(pages.runs.v[i]);
	}
	ASSERT_EQ(20100 * PAGE, bytes);
	mw_pages_free(&more);
	assert_true(mw_pages_append(&pages, &more)); // nothing
	assert_true(mw_pages_append(&more, &pages)); // to nothing
	ASSERT_EQ(pages.runs.n, more.runs.n);
	assert_memory_equal(pages.runs.v, more.runs.v,
			    pages.runs.n * sizeof(*pages.runs.v));
	mw_pages_free(&more);
	mw_pages_free(&pages);
}

static size_t look_through(const struct mw_pages *pages, uint64_t va)
{
	size_t at = 0;

	while (at < pages->runs.n && mw_run_end(pages->runs.v[at]) <= va)
		at++;
	return at;
}

TEST(any_hint_gives_the_same_answer)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		uint8_t model[MODEL_PAGES];
		struct mw_pages pages = { 0 };
		uint64_t random = seed;

		fill(&random, model, &pages, 3, MODEL_PAGES);
		size_t n = pages.runs.n;
		for (uint64_t va = 0; va < (MODEL_PAGES + 2) * PAGE;
		     va += PAGE / 2 - 1) {
			size_t want = look_through(&pages, va);

			ASSERT_EQ(want, mw_pages_after(&pages, va));
			for (size_t hint = 0; hint < n + 3; hint++)
				ASSERT_EQ(want, mw_pages_after_hint(&pages, va,
								    hint));
			ASSERT_EQ(want,
				  mw_pages_after_hint(&pages, va, SIZE_MAX));
		}
		ASSERT_EQ(n, mw_pages_after(&pages, UINT64_MAX));
		ASSERT_EQ(n, mw_pages_after_hint(&pages, UINT64_MAX, 0));
		mw_pages_free(&pages);
	}
}

static struct mw_error *add_and_append(void *ctx)
{
	struct mw_pages pages = { 0 }, more = { 0 };
	bool ok = true;
	(void)ctx;

	for (uint64_t i = 0; ok && i < 60; i++)
		ok = mw_pages_add(&pages, i * 2 * PAGE, (i * 2 + 1) * PAGE, P);
	ok = ok && mw_pages_add(&more, 1000 * PAGE, 300000 * PAGE, S);
	ok = ok && mw_pages_append(&pages, &more);
	// Whatever is there is in order.
	for (size_t i = 1; i < pages.runs.n; i++)
		assert_true(mw_run_end(pages.runs.v[i - 1]) <=
			    mw_run_start(pages.runs.v[i]));
	mw_pages_free(&pages);
	mw_pages_free(&more);
	return mw_test_memory(ok);
}

TEST(the_next_present_multiple_is_found)
{
	const uint64_t far = UINT64_C(1) << 50, mib = UINT64_C(1) << 20;
	struct mw_pages pages = { 0 };
	size_t hint = 0;

	ASSERT_EQ(UINT64_MAX, mw_pages_next_aligned(&pages, 0, mib, &hint));
	assert_true(mw_pages_add(&pages, PAGE, 2 * mib + PAGE,
				 MW_PAGE_PRESENT));
	assert_true(mw_pages_add(&pages, 3 * mib, 4 * mib, MW_PAGE_SWAPPED));
	assert_true(mw_pages_add(&pages, far + PAGE, far + mib + PAGE,
				 MW_PAGE_PRESENT));
	ASSERT_EQ(mib, mw_pages_next_aligned(&pages, 0, mib, &hint));
	ASSERT_EQ(mib, mw_pages_next_aligned(&pages, mib, mib, &hint));
	ASSERT_EQ(2 * mib, mw_pages_next_aligned(&pages, mib + 1, mib, &hint));
	ASSERT_EQ(far + mib, mw_pages_next_aligned(&pages, 2 * mib + 1, mib,
						   &hint));
	ASSERT_EQ(UINT64_MAX, mw_pages_next_aligned(&pages, far + mib + 1, mib,
						    &hint));
	ASSERT_EQ(mib, mw_pages_next_aligned(&pages, 0, mib, &hint));
	mw_pages_free(&pages);
}

TEST(adding_survives_a_lack_of_memory)
{
	OUT_OF_MEMORY(add_and_append, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(without_runs_all_pages_are_absent),
		CASE(touching_runs_of_one_state_become_one),
		CASE(all_state_bits_are_kept),
		CASE(long_runs_are_stored_as_several),
		CASE(the_highest_addresses_fit),
		CASE(what_does_not_ascend_is_not_added),
		CASE(random_runs_agree_with_a_byte_a_page),
		CASE(appending_is_adding_run_by_run),
		CASE(appending_long_runs_keeps_their_bytes),
		CASE(any_hint_gives_the_same_answer),
		CASE(the_next_present_multiple_is_found),
		CASE(adding_survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_TEST_H
#define MW_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mw_error.h"
#include "mw_mem.h"

/*
 * What all unit tests share. A test is TEST(name) { … }, listed as CASE(name)
 * in main(). A failed check leaves the test by longjmp(), so that scope guards
 * do not run: what leaks then is of no interest any more.
 */

#define TEST(name) \
	static void name(void **test_state __attribute__((unused)))
#define CASE(name) cmocka_unit_test(name)

#define ASSERT_OK(call) mw_test_ok((call), #call, __FILE__, __LINE__)
#define ASSERT_ERR(code, call) \
	mw_test_err((code), (call), #call, __FILE__, __LINE__)
#define ASSERT_EQ(want, got) \
	mw_test_eq((uint64_t)(want), (uint64_t)(got), #got, __FILE__, __LINE__)
#define ASSERT_TEXT(want, got) \
	mw_test_text((want), (got), #got, __FILE__, __LINE__)

/** Run @run(ctx) again and again, with ever more memory; see below. */
#define OUT_OF_MEMORY(run, ctx) \
	mw_test_out_of_memory((run), (ctx), __FILE__, __LINE__)

static inline void mw_test_ok(struct mw_error *error, const char *call,
			      const char *file, int line)
{
	if (!error)
		return;
	print_error("%s: error %d: %s\n", call, error->code, error->message);
	mw_error_free(error);
	_fail(file, line);
}

static inline void mw_test_err(enum mw_error_code code, struct mw_error *error,
			       const char *call, const char *file, int line)
{
	if (error && error->code == code && error->message) {
		mw_error_free(error);
		return;
	}
	print_error("%s: wanted error %d, got %d: %s\n", call, code,
		    error ? error->code : 0,
		    error && error->message ? error->message : "(none)");
	mw_error_free(error);
	_fail(file, line);
}

static inline void mw_test_eq(uint64_t want, uint64_t got, const char *what,
			      const char *file, int line)
{
	if (want == got)
		return;
	print_error("%s: wanted %lu (0x%lx), got %lu (0x%lx)\n", what, want,
		    want, got, got);
	_fail(file, line);
}

static inline void mw_test_text(const char *want, const char *got,
				const char *what, const char *file, int line)
{
	if (want && got && strcmp(want, got) == 0)
		return;
	print_error("%s: wanted\n%s\ngot\n%s\n", what, want ? want : "(null)",
		    got ? got : "(null)");
	_fail(file, line);
}

/** NULL when @ok, otherwise the error for a failed allocation. */
static inline struct mw_error *mw_test_memory(bool ok)
{
	return ok ? NULL : mw_error_nomem();
}

/**
 * Run @run(ctx) with no memory, with memory for one allocation, for two, …,
 * until nothing is refused any more. Each run succeeds or returns MW_E_NOMEM,
 * and releases what it made: that it does, the leak sanitizer tells. At least
 * one run must have met a refusal.
 */
static inline void mw_test_out_of_memory(struct mw_error *(*run)(void *ctx),
					 void *ctx, const char *file, int line)
{
	for (long count = 0;; count++) {
		struct mw_error *error;
		bool failed;

		mw_alloc_fail_after(count);
		error = run(ctx);
		failed = mw_alloc_failed();
		mw_alloc_fail_after(-1);
		if (failed && error)
			mw_test_err(MW_E_NOMEM, error, "run without memory",
				    file, line);
		else
			mw_test_ok(error, "run with memory", file, line);
		if (!failed) {
			if (count == 0)
				_fail(file, line);
			return;
		}
	}
}

/** The next number of a fixed sequence (splitmix64); @state is the seed. */
static inline uint64_t mw_test_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/** The next number, below @limit, which is not 0. */
static inline uint64_t mw_test_below(uint64_t *state, uint64_t limit)
{
	return mw_test_random(state) % limit;
}

/** A stream that keeps what is written to it. */
struct mw_test_output {
	FILE *file;
	char *text;
	size_t bytes;
};

static inline FILE *mw_test_output_begin(struct mw_test_output *output)
{
	*output = (struct mw_test_output){ 0 };
	output->file = open_memstream(&output->text, &output->bytes);
	assert_non_null(output->file);
	return output->file;
}

/** What was written; holds until mw_test_output_deinit(). */
static inline const char *mw_test_output_end(struct mw_test_output *output)
{
	fclose(output->file);
	output->file = NULL;
	return output->text;
}

static inline void mw_test_output_deinit(struct mw_test_output *output)
{
	if (output->file)
		fclose(output->file);
	free(output->text);
	*output = (struct mw_test_output){ 0 };
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_target.h"
#include "gort_int.h"
#include "mw_go_unwind.h"
#include "mw_guard.h"
#include "mw_test.h"
#include "pcln_image.h"

#define STACK UINT64_C(0xc000010000)
#define MAIN PCLN_IMAGE_TEXT
#define BIG (PCLN_IMAGE_TEXT + 0x40)
#define GOEXIT (PCLN_IMAGE_TEXT + 0x100)

/** A program of one function table and one stack of 64 words. */
struct program {
	struct pcln_image image;
	uint64_t stack[64];
	struct mw_target target;
	struct mw_go go;
};

static void set_up(struct program *p, unsigned minor)
{
	memset(p, 0, sizeof(*p));
	pcln_image_make(&p->image, minor);
	const struct mw_go_reader reader = pcln_image_reader(&p->image);
	ASSERT_OK(mw_go_funcs_new(&reader, &p->go.funcs));
	ASSERT_OK(mw_go_funcs_add(p->go.funcs, &p->image.tables));
	fake_target_add(&p->target, STACK, p->stack, sizeof(p->stack));
	p->go.target = &p->target;
}

static void tear_down(struct program *p)
{
	mw_go_funcs_close(p->go.funcs);
	mw_map64_free(&p->go.known_pcs);
	mw_vec_free(&p->go.known);
}

struct seen {
	struct mw_go_frame frames[100];
	size_t count, most;
};

static bool note(const struct mw_go_frame *frame, void *ctx)
{
	struct seen *seen = ctx;

	assert_true(seen->count < MW_COUNT(seen->frames));
	seen->frames[seen->count++] = *frame;
	return seen->count != seen->most;
}

static enum mw_go_end walk(struct program *p, uint64_t pc, uint64_t sp,
			   bool interrupted, uint64_t max, struct seen *seen)
{
	const struct mw_go_start start = {
		.pc = pc,
		.sp = sp,
		.is_interrupted = interrupted,
	};
	enum mw_go_end end;

	seen->count = 0;
	ASSERT_OK(mw_go_unwind(&p->go, &start, max, note, seen, &end));
	return end;
}

static void check_frame(const struct mw_go_frame *frame, uint64_t pc,
			uint64_t line_pc, uint64_t sp, uint64_t bytes)
{
	ASSERT_EQ(pc, frame->pc);
	ASSERT_EQ(line_pc, frame->line_pc);
	ASSERT_EQ(sp, frame->sp);
	ASSERT_EQ(bytes, frame->bytes);
	assert_true(frame->func.entry <= line_pc && line_pc < frame->func.end);
}

TEST(frames_follow_up_to_the_outermost)
{
	static const unsigned minors[] = { 9, 12, 15, 16, 17, 19, 26 };

	for (size_t i = 0; i < MW_COUNT(minors); i++) {
		struct program p;
		struct seen seen = { 0 };

		set_up(&p, minors[i]);
		p.stack[3] = MAIN + 0x10; // where main.big returns to
		p.stack[7] = GOEXIT + 1;
		ASSERT_EQ(MW_GO_END_TOP,
			  walk(&p, BIG + 0x1f, STACK, true, 100, &seen));
		ASSERT_EQ(3, seen.count);
		check_frame(&seen.frames[0], BIG + 0x1f, BIG + 0x1f, STACK, 32);
		check_frame(&seen.frames[1], MAIN + 0x10, MAIN + 0xf,
			    STACK + 32, 32);
		check_frame(&seen.frames[2], GOEXIT + 1, GOEXIT, STACK + 64, 8);
		// Left at a call, it is the call that counts.
		ASSERT_EQ(MW_GO_END_TOP,
			  walk(&p, BIG + 0x1f, STACK, false, 100, &seen));
		ASSERT_EQ(BIG + 0x1e, seen.frames[0].line_pc);
		tear_down(&p);
	}
}

TEST(a_function_that_just_begins_has_no_frame_yet)
{
	struct program p;
	struct seen seen = { 0 };

	set_up(&p, 26);
	p.stack[0] = MAIN + 0x10;
	p.stack[4] = GOEXIT + 1;
	ASSERT_EQ(MW_GO_END_TOP, walk(&p, BIG, STACK, false, 100, &seen));
	check_frame(&seen.frames[0], BIG, BIG, STACK, 8);
	check_frame(&seen.frames[1], MAIN + 0x10, MAIN + 0xf, STACK + 8, 32);
	tear_down(&p);
}

TEST(a_call_of_nil_begins_with_its_caller)
{
	struct program p;
	struct seen seen = { 0 };

	set_up(&p, 26);
	p.stack[0] = BIG + 0x30;
	p.stack[4] = GOEXIT + 1;
	ASSERT_EQ(MW_GO_END_TOP, walk(&p, 0, STACK, true, 100, &seen));
	ASSERT_EQ(2, seen.count);
	check_frame(&seen.frames[0], BIG + 0x30, BIG + 0x2f, STACK + 8, 32);
	tear_down(&p);
}

TEST(why_a_walk_ends_is_told)
{
	struct program p;
	struct seen seen = { 0 };

	set_up(&p, 26);
	// Code that is not Go's, at once and later.
	ASSERT_EQ(MW_GO_END_FOREIGN, walk(&p, 0x1000, STACK, true, 9, &seen));
	ASSERT_EQ(0, seen.count);
	p.stack[3] = 0x7f0000000000;
	ASSERT_EQ(MW_GO_END_FOREIGN,
		  walk(&p, BIG + 0x10, STACK, true, 9, &seen));
	ASSERT_EQ(1, seen.count);
	// The stack's end, without an outermost function.
	p.stack[3] = 0;
	ASSERT_EQ(MW_GO_END_TOP, walk(&p, BIG + 0x10, STACK, true, 9, &seen));
	// Out of what can be read.
	ASSERT_EQ(MW_GO_END_UNREADABLE,
		  walk(&p, BIG + 0x10, STACK + sizeof(p.stack), true, 9,
		       &seen));
	ASSERT_EQ(MW_GO_END_UNREADABLE, walk(&p, 0, 8, true, 9, &seen));
	ASSERT_EQ(MW_GO_END_DAMAGED,
		  walk(&p, BIG + 0x10, UINT64_MAX - 7, true, 9, &seen));
	for (unsigned end = 0; end <= MW_GO_END_DAMAGED; end++)
		assert_true(*mw_go_end_name((enum mw_go_end)end));
	tear_down(&p);
}

TEST(a_walk_is_cut_off_where_asked)
{
	struct program p;
	struct seen seen = { 0 };

	set_up(&p, 26);
	for (size_t i = 3; i < MW_COUNT(p.stack); i += 4)
		p.stack[i] = MAIN + 0x10;
	ASSERT_EQ(MW_GO_END_UNREADABLE,
		  walk(&p, BIG + 0x10, STACK, true, 100, &seen));
	ASSERT_EQ(17, seen.count);
	ASSERT_EQ(MW_GO_END_STOPPED,
		  walk(&p, BIG + 0x10, STACK, true, 5, &seen));
	ASSERT_EQ(5, seen.count);
	ASSERT_EQ(MW_GO_END_STOPPED,
		  walk(&p, BIG + 0x10, STACK, true, 0, &seen));
	ASSERT_EQ(0, seen.count);
	seen.most = 2;
	ASSERT_EQ(MW_GO_END_STOPPED,
		  walk(&p, BIG + 0x10, STACK, true, 100, &seen));
	ASSERT_EQ(2, seen.count);
	tear_down(&p);
}

TEST(any_stack_ends)
{
	uint64_t seed = 5;
	struct program p;
	struct seen seen = { 0 };

	set_up(&p, 26);
	for (int round = 0; round < 5000; round++) {
		for (size_t i = 0; i < MW_COUNT(p.stack); i++)
			p.stack[i] = mw_test_below(&seed, 3) == 0
					     ? mw_test_random(&seed)
				     : mw_test_below(&seed, 2)
					     ? STACK + mw_test_below(
							       &seed, 600)
					     : PCLN_IMAGE_TEXT +
						       mw_test_below(&seed,
								     0x120);
		walk(&p, PCLN_IMAGE_TEXT + mw_test_below(&seed, 0x110),
		     STACK + 8 * mw_test_below(&seed, 70),
		     mw_test_below(&seed, 2), 100, &seen);
		// Up one stack, and never beyond it.
		for (size_t i = 1; i < seen.count; i++)
			ASSERT_EQ(seen.frames[i - 1].sp +
					  seen.frames[i - 1].bytes,
				  seen.frames[i].sp);
	}
	tear_down(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(frames_follow_up_to_the_outermost),
		CASE(a_function_that_just_begins_has_no_frame_yet),
		CASE(a_call_of_nil_begins_with_its_caller),
		CASE(why_a_walk_ends_is_told),
		CASE(a_walk_is_cut_off_where_asked),
		CASE(any_stack_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

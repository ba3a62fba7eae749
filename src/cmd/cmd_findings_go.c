/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd_findings.h"
#include "mw_go_gc.h"
#include "mw_go_locate.h"
#include "mw_go_sched.h"
#include "mw_go_spans.h"
#include "mw_guard.h"

/* Of large objects, so many pages are looked at. */
#define SAMPLE_PAGES 2048

/* Below this the figures of the scheduler's threads are not asked for. */
#define MANY_THREADS 64

/** An error that only means that something is not known. */
static struct mw_error *pass_over(struct mw_error *error)
{
	if (!error || error->code == MW_E_NOMEM)
		return error;
	mw_error_free(error);
	return NULL;
}

static const struct mw_go_figure *figure(const struct mw_go_gc *gc,
					 const char *name)
{
	for (size_t i = 0; i < gc->figures.n; i++)
		if (strcmp(gc->figures.v[i].name, name) == 0)
			return &gc->figures.v[i];
	return NULL;
}

static uint64_t value(const struct mw_go_gc *gc, const char *name)
{
	const struct mw_go_figure *f = figure(gc, name);

	return f && f->is_known ? f->value : 0;
}

static bool is_text(const struct mw_go_figure *f)
{
	return f && f->is_known && f->unit == MW_GO_UNIT_TEXT;
}

static struct mw_error *fill_gc(const struct cmd_books *books,
				struct mw_go_situation *go)
{
	MW_CLEANUP(mw_go_gc_free) struct mw_go_gc gc = { 0 };
	struct mw_error *error = mw_go_gc_read(books->go, 0, &gc);
	const struct mw_go_figure *limit, *marked;

	if (error)
		return pass_over(error);
	limit = figure(&gc, "memory_limit");
	marked = figure(&gc, "heap_marked");
	go->has_gc = marked && marked->is_known;
	go->gc_off = is_text(figure(&gc, "gogc"));
	go->gogc = value(&gc, "gogc");
	go->cycles = value(&gc, "cycles_completed");
	go->marked_bytes = value(&gc, "heap_marked");
	go->goal_bytes = value(&gc, "heap_goal");
	go->has_limit = limit && limit->is_known && !is_text(limit);
	go->limit_bytes = go->has_limit ? limit->value : 0;
	go->ready_bytes = value(&gc, "mapped_ready");
	go->goal_is_limited = value(&gc, "goal_by_memory_limit") != 0;
	go->cpu_limiter_on = value(&gc, "cpu_limiter_on") != 0;
	go->cpu_limiter_cycle = value(&gc, "cpu_limiter_last_cycle");
	go->to_scavenge_bytes = value(&gc, "scavenger_to_return");
	return NULL;
}

/** What the spans of one size class have. */
struct class_sum {
	uint64_t elem_bytes, spans, elems, allocated;
};

static uint64_t free_bytes(const struct class_sum *c)
{
	return c->elems > c->allocated
		       ? (c->elems - c->allocated) * c->elem_bytes
		       : 0;
}

static void fill_classes(const struct mw_go_spans *spans,
			 struct mw_go_situation *go)
{
	struct class_sum sums[256] = { 0 };

	for (size_t i = 0; i < spans->list.n; i++) {
		const struct mw_go_span *span = &spans->list.v[i];
		struct class_sum *c = &sums[span->class];

		if (span->state != MW_GO_SPAN_IN_USE || span->class == 0)
			continue;
		c->elem_bytes = span->elem_bytes;
		c->spans++;
		c->elems += span->elems;
		c->allocated += span->allocated;
	}
	for (size_t k = 0; k < MW_SHARES; k++) {
		struct class_sum *best = &sums[0];

		for (size_t i = 1; i < MW_COUNT(sums); i++)
			if (free_bytes(&sums[i]) > free_bytes(best))
				best = &sums[i];
		go->classes[k].elem_bytes = best->elem_bytes;
		go->classes[k].spans = best->spans;
		go->classes[k].elems = best->elems;
		go->classes[k].allocated = best->allocated;
		go->classes[k].free_bytes = free_bytes(best);
		*best = (struct class_sum){ 0 };
	}
}

static bool is_large_scan(const struct mw_go_span *span)
{
	return span->state == MW_GO_SPAN_IN_USE && span->class == 0 &&
	       !span->is_noscan && span->allocated;
}

static bool is_zero(const uint8_t *page)
{
	return page[0] == 0 && memcmp(page, page + 1, MW_PAGE_BYTES - 1) == 0;
}

/** Look at resident pages of large objects, evenly spread. */
static void sample(const struct cmd_books *books,
		   const struct mw_go_spans *spans, struct mw_go_situation *go)
{
	const struct mw_pages *pages = mw_target_pages(books->target);
	uint64_t step = go->large_scan_bytes / MW_PAGE_BYTES / SAMPLE_PAGES + 1;
	uint64_t countdown = step;
	uint8_t page[MW_PAGE_BYTES];

	for (size_t i = 0; i < spans->list.n; i++) {
		const struct mw_go_span *span = &spans->list.v[i];
		uint64_t va = span->address;
		uint64_t end = va + mw_go_span_bytes(span);

		for (; is_large_scan(span) && va < end; va += MW_PAGE_BYTES) {
			if (!mw_state_is_rss(mw_pages_state(pages, va)) ||
			    --countdown > 0)
				continue;
			countdown = step;
			if (!mw_target_copy(books->target, va, page,
					    sizeof(page)))
				continue;
			go->sampled_pages++;
			go->zero_pages += is_zero(page);
		}
	}
}

static void fill_large(const struct cmd_books *books,
		       const struct mw_go_spans *spans,
		       struct mw_go_situation *go)
{
	struct mw_tally tally = { 0 };
	size_t hint = 0;

	for (size_t i = 0; i < spans->list.n; i++) {
		const struct mw_go_span *span = &spans->list.v[i];

		if (is_large_scan(span))
			mw_pages_tally(mw_target_pages(books->target), &hint,
				       span->address,
				       span->address + mw_go_span_bytes(span),
				       &tally);
	}
	go->large_scan_bytes = tally.rss_bytes;
}

static struct mw_error *fill_spans(const struct cmd_books *books,
				   struct cmd_findings *f)
{
	MW_CLEANUP(mw_go_spans_free) struct mw_go_spans spans = { 0 };
	struct mw_situation *s = &f->situation;
	bool zeroes = mw_findings_go_zeroes(s->go.version);
	struct mw_error *error;

	if (!cmd_findings_matter(s, cmd_findings_rss(books,
						     "go/heap/free-slots")) &&
	    !zeroes)
		return NULL;
	error = mw_go_spans_known(books->go, &spans);
	if (error)
		return error;
	s->go.has_spans = true;
	fill_classes(&spans, &s->go);
	fill_large(books, &spans, &s->go);
	if (zeroes && cmd_findings_matter(s, s->go.large_scan_bytes) &&
	    !mw_target_info(books->target)->no_contents)
		sample(books, &spans, &s->go);
	return NULL;
}

/** What of the heap is on huge pages: C memory can be, too. */
static void fill_huge(const struct cmd_books *books, struct mw_situation *s)
{
	const struct mw_pages *pages = mw_target_pages(books->target);

	if (!s->huge_bytes ||
	    !cmd_findings_matter(s, cmd_findings_rss(books,
						     "go/heap/scavenged")))
		return;
	for (size_t i = 0; i < pages->runs.n; i++) {
		uint64_t run = pages->runs.v[i];
		struct mw_go_place place;

		if (!(mw_run_state(run) & MW_PAGE_HUGE))
			continue;
		mw_go_locate(books->go, mw_run_start(run), &place);
		if (place.in_heap)
			s->go.heap_huge_bytes += mw_run_bytes(run);
	}
}

static struct mw_error *fill_sched(const struct cmd_books *books,
				   struct mw_situation *s)
{
	MW_CLEANUP(mw_go_sched_free) struct mw_go_sched sched = { 0 };
	struct mw_error *error;

	if (s->threads < MANY_THREADS)
		return NULL;
	error = mw_go_sched_read(books->go, 0, &sched);
	if (error)
		return pass_over(error);
	s->go.has_threads = true;
	for (size_t i = 0; i < sched.ms.n; i++)
		s->go.idle_threads += sched.ms.v[i].state == MW_GO_M_IDLE;
	return NULL;
}

struct mw_error *cmd_findings_go(const struct cmd_books *books,
				 struct cmd_findings *f)
{
	const struct mw_go_info *info = mw_go_info(books->go);
	struct mw_go_situation *go = &f->situation.go;
	struct mw_error *error;

	go->is_known = true;
	go->version = info->version;
	go->cgo = info->cgo;
	fill_huge(books, &f->situation);
	error = fill_gc(books, go);
	if (!error)
		error = fill_spans(books, f);
	if (!error)
		error = fill_sched(books, &f->situation);
	// What stacks hold may be a user's.
	if (!error && !mw_target_info(books->target)->no_contents &&
	    !mw_target_keeps(books->target))
		error = pass_over(cmd_findings_goroutines(books, f));
	return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "kernel_parse.h"

struct input {
	const char *text;
	size_t bytes;
};

static void check_figures(const struct mw_smaps_list *smaps)
{
	for (size_t i = 0; i < smaps->list.n; i++) {
		const struct mw_smaps *s = &smaps->list.v[i];
		uint64_t bits = s->rss_bytes | s->pss_bytes |
				s->shared_dirty_bytes |
				s->private_dirty_bytes | s->lazy_free_bytes |
				s->anon_huge_bytes | s->shmem_huge_bytes |
				s->file_huge_bytes | s->hugetlb_bytes |
				s->swap_bytes | s->swap_pss_bytes |
				s->locked_bytes | s->kernel_page_bytes;

		CHECK(s->start < s->end);
		CHECK(mw_is_aligned(s->start | s->end, MW_PAGE_BYTES));
		CHECK(mw_is_aligned(bits, MW_KIB(1)));
	}
}

static void run(void *ctx)
{
	const struct input *in = ctx;
	struct mw_smaps_list smaps = { 0 };
	struct mw_error *error = mw_parse_smaps(in->text, in->bytes, &smaps);

	fuzz_check_error(error);
	check_figures(&smaps);
	mw_smaps_free(&smaps);
	mw_error_free(error);
}

/** smaps has all mappings that maps has, in the same order. */
static void check_as_maps(const struct input *in,
			  const struct mw_smaps_list *smaps)
{
	struct mw_mappings maps = { 0 };
	size_t at = 0;

	CHECK(!mw_parse_maps(in->text, in->bytes, &maps));
	CHECK(maps.list.n <= smaps->list.n);
	for (size_t i = 0; i < maps.list.n; i++, at++) {
		while (at < smaps->list.n &&
		       (smaps->list.v[at].start != maps.list.v[i].start ||
			smaps->list.v[at].end != maps.list.v[i].end))
			at++;
		CHECK(at < smaps->list.n);
	}
	mw_mappings_free(&maps);
}

/** A file that is read line by line has the same figures. */
static void check_lines(const struct input *in,
			const struct mw_smaps_list *whole)
{
	struct mw_smaps_list smaps = { 0 };
	const char *end = in->text + in->bytes;

	for (const char *line = in->text; line < end;) {
		const char *eol = memchr(line, '\n', (size_t)(end - line));
		const char *next = eol ? eol + 1 : end;

		CHECK(!mw_parse_smaps(line, (size_t)(next - line), &smaps));
		line = next;
	}
	CHECK(smaps.list.n == whole->list.n);
	CHECK(smaps.list.n == 0 ||
	      memcmp(smaps.list.v, whole->list.v,
		     smaps.list.n * sizeof(*smaps.list.v)) == 0);
	mw_smaps_free(&smaps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { (const char *)data, size };
	struct mw_smaps_list smaps = { 0 };

	fuzz_starve(data, size, run, &in);
	CHECK(!mw_parse_smaps(in.text, size, &smaps));
	check_as_maps(&in, &smaps);
	check_lines(&in, &smaps);
	mw_smaps_free(&smaps);
	return 0;
}

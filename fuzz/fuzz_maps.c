/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "fuzz.h"
#include "kernel_parse.h"

struct input {
	const char *text;
	size_t bytes;
	size_t cut; /* where a line begins */
};

static void check_mappings(const struct mw_mappings *maps)
{
	const unsigned perms = MW_PERM_R | MW_PERM_W | MW_PERM_X |
			       MW_PERM_SHARED;
	uint64_t end = 0;

	for (size_t i = 0; i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];

		CHECK(m->start >= end && m->start < m->end);
		CHECK(mw_is_aligned(m->start | m->end, MW_PAGE_BYTES));
		CHECK((m->perms & ~perms) == 0);
		CHECK(!m->hugetlb && m->unplaced_rss_bytes == 0 &&
		      m->unplaced_swap_bytes == 0);
		CHECK(m->path < maps->paths.n);
		CHECK(memchr(&maps->paths.v[m->path], '\0',
			     maps->paths.n - m->path));
		CHECK(mw_mapping_path(maps, m)[0] != ' ');
		CHECK(!strchr(mw_mapping_path(maps, m), '\n'));

		CHECK(mw_mappings_find(maps, m->start) == m);
		CHECK(mw_mappings_find(maps, m->end - 1) == m);
		CHECK(mw_mappings_after(maps, m->end) == i + 1);
		CHECK(m->start == end || !mw_mappings_find(maps, end));
		end = m->end;
	}
}

static void check_same(const struct mw_mappings *a,
		       const struct mw_mappings *b)
{
	CHECK(a->list.n == b->list.n);
	for (size_t i = 0; i < a->list.n; i++) {
		const struct mw_mapping *x = &a->list.v[i];
		const struct mw_mapping *y = &b->list.v[i];

		CHECK(x->start == y->start && x->end == y->end);
		CHECK(x->offset == y->offset && x->inode == y->inode);
		CHECK(x->dev_major == y->dev_major &&
		      x->dev_minor == y->dev_minor);
		CHECK(x->perms == y->perms);
		CHECK(strcmp(mw_mapping_path(a, x),
			     mw_mapping_path(b, y)) == 0);
	}
}

static void run(void *ctx)
{
	const struct input *in = ctx;
	struct mw_mappings maps = { 0 };
	struct mw_error *error = mw_parse_maps(in->text, in->bytes, &maps);

	fuzz_check_error(error);
	check_mappings(&maps);
	mw_mappings_free(&maps);
	mw_error_free(error);
}

/** A file that is read in two pieces has the same mappings. */
static void check_pieces(const struct input *in,
			 const struct mw_mappings *whole)
{
	struct mw_mappings maps = { 0 };

	CHECK(!mw_parse_maps(in->text, in->cut, &maps));
	CHECK(!mw_parse_maps(in->text + in->cut, in->bytes - in->cut, &maps));
	check_same(whole, &maps);
	mw_mappings_free(&maps);
}

/** What is written as the kernel writes it reads as the same. */
static void check_round_trip(const struct mw_mappings *maps)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *file = open_memstream(&text, &bytes);
	struct mw_mappings again = { 0 };

	CHECK(file);
	for (size_t i = 0; i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];

		fprintf(file, "%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08" PRIx64
			" %02" PRIx32 ":%02" PRIx32 " %" PRIu64 " %s\n",
			m->start, m->end, m->perms & MW_PERM_R ? 'r' : '-',
			m->perms & MW_PERM_W ? 'w' : '-',
			m->perms & MW_PERM_X ? 'x' : '-',
			m->perms & MW_PERM_SHARED ? 's' : 'p', m->offset,
			m->dev_major, m->dev_minor, m->inode,
			mw_mapping_path(maps, m));
	}
	CHECK(fclose(file) == 0);
	CHECK(!mw_parse_maps(text, bytes, &again));
	check_same(maps, &again);
	mw_mappings_free(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *eol = memrchr(text, '\n', size / 2);
	struct input in = { text, size, eol ? (size_t)(eol + 1 - text) : 0 };
	struct mw_mappings maps = { 0 };

	fuzz_starve(data, size, run, &in);
	CHECK(!mw_parse_maps(text, size, &maps));
	check_pieces(&in, &maps);
	check_round_trip(&maps);
	mw_mappings_free(&maps);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_heap.h"
#include "mw_alloc_classes.h"
#include "mw_alloc_contents.h"
#include "mw_test.h"

/* Single blocks of glibc: visited, by list, and what they hold. */

struct fixture {
	struct fake_heap heap;
	struct fake_sink sink;
	struct mw_alloc *alloc;
	uint64_t text, object, free, fast, last; /* chunks */
};

static void write_text(struct fake_heap *heap, uint64_t va, const char *text)
{
	size_t left = strlen(text) + 1;

	for (size_t step; left > 0; va += 8, text += step, left -= step) {
		uint64_t word = 0;

		step = left < 8 ? left : 8;
		memcpy(&word, text, step);
		fake_heap_write(heap, va, word);
	}
}

static void make(struct fixture *f)
{
	*f = (struct fixture){ 0 };
	fake_heap_init(&f->heap);
	f->text = fake_heap_chunk(&f->heap, 0x50, true);
	f->object = fake_heap_chunk(&f->heap, 0x30, true);
	f->free = fake_heap_chunk(&f->heap, 0x5000, false);
	f->fast = fake_heap_chunk(&f->heap, 0x30, true);
	f->last = fake_heap_chunk(&f->heap, 0x1000, true);
	fake_heap_finish(&f->heap);
	fake_heap_write(&f->heap, FAKE_ARENA + 0x18, f->fast);
	// The end of the list, XORed with its place >> 12.
	fake_heap_write(&f->heap, f->fast + 16, (f->fast + 16) >> 12);
	write_text(&f->heap, f->text + 16, "some text");
}

static void walk(struct fixture *f)
{
	fake_sink_init(&f->sink);
	ASSERT_OK(mw_alloc_claim(f->heap.target, &f->sink.sink, &f->alloc));
	ASSERT_OK(fake_sink_settle(&f->sink));
}

static void end(struct fixture *f)
{
	mw_alloc_free(f->alloc);
	fake_sink_deinit(&f->sink);
	fake_heap_deinit(&f->heap);
}

struct seen {
	struct mw_alloc_block v[8];
	size_t n, most; /* as many are taken */
};

static struct mw_error *see(void *ctx, const struct mw_alloc_block *block)
{
	struct seen *seen = ctx;

	if (seen->n == seen->most)
		return mw_error_new(MW_E_LIMIT, "enough");
	seen->v[seen->n++] = *block;
	return NULL;
}

TEST(blocks_come_in_ascending_order)
{
	struct seen seen = { .most = 8 };
	struct fixture f;

	make(&f);
	walk(&f);
	ASSERT_OK(mw_alloc_blocks(f.alloc, MW_ALLOC_IN_USE, see, &seen));
	ASSERT_EQ(3, seen.n);
	ASSERT_EQ(f.text, seen.v[0].start);
	ASSERT_EQ(f.text + 16, seen.v[0].user);
	ASSERT_EQ(0x50, seen.v[0].bytes);
	ASSERT_EQ(0x48, seen.v[0].user_bytes);
	ASSERT_EQ(f.object, seen.v[1].start);
	ASSERT_EQ(f.last, seen.v[2].start);
	seen.n = 0;
	ASSERT_OK(mw_alloc_blocks(f.alloc, MW_ALLOC_FREE, see, &seen));
	ASSERT_EQ(2, seen.n);
	ASSERT_EQ(f.free, seen.v[0].start);
	ASSERT_EQ(f.fast, seen.v[1].start);
	end(&f);
}

TEST(an_error_ends_it)
{
	struct seen seen = { .most = 2 };
	struct fixture f;

	make(&f);
	walk(&f);
	ASSERT_ERR(MW_E_LIMIT, mw_alloc_blocks(f.alloc,
					       MW_ALLOC_IN_USE | MW_ALLOC_FREE,
					       see, &seen));
	ASSERT_EQ(2, seen.n);
	// The next one begins anew.
	seen = (struct seen){ .most = 8 };
	ASSERT_OK(mw_alloc_blocks(f.alloc, MW_ALLOC_IN_USE, see, &seen));
	ASSERT_EQ(3, seen.n);
	end(&f);
}

static void check_bin(const struct mw_alloc_bin *bin, const char *kind,
		      uint32_t number, uint64_t bytes)
{
	ASSERT_TEXT(kind, bin->kind);
	ASSERT_EQ(number, bin->number);
	ASSERT_EQ(1, bin->count.blocks);
	ASSERT_EQ(bytes, bin->count.bytes);
	ASSERT_EQ(bytes, bin->least_bytes);
	ASSERT_EQ(bytes, bin->most_bytes);
}

TEST(lists_have_free_blocks)
{
	struct mw_alloc_bins bins = { 0 };
	struct fixture f;

	make(&f);
	walk(&f);
	ASSERT_OK(mw_alloc_bins(f.alloc, &bins));
	ASSERT_EQ(2, bins.list.n);
	check_bin(&bins.list.v[0], "fast", 1, 0x30);
	// 110 + (0x5000 >> 12)
	check_bin(&bins.list.v[1], "large", 115, 0x5000);
	mw_alloc_bins_free(&bins);
	end(&f);
}

TEST(what_is_not_sorted_yet)
{
	uint64_t head = FAKE_ARENA + 0x70 - 16; /* as if it were a chunk */
	struct mw_alloc_bins bins = { 0 };
	struct fixture f;

	make(&f);
	fake_heap_write(&f.heap, head + 16, f.free);
	fake_heap_write(&f.heap, f.free + 16, head);
	walk(&f);
	ASSERT_OK(mw_alloc_bins(f.alloc, &bins));
	ASSERT_EQ(2, bins.list.n);
	check_bin(&bins.list.v[1], "unsorted", 1, 0x5000);
	mw_alloc_bins_free(&bins);
	end(&f);
	// A ring that never comes back is left where it closes.
	bins = (struct mw_alloc_bins){ 0 };
	make(&f);
	fake_heap_write(&f.heap, head + 16, f.free);
	fake_heap_write(&f.heap, f.free + 16, f.free);
	walk(&f);
	ASSERT_OK(mw_alloc_bins(f.alloc, &bins));
	ASSERT_EQ(2, bins.list.n);
	mw_alloc_bins_free(&bins);
	end(&f);
}

/* Contents */

#define INFO (FAKE_LIBC + 0x1900)   /* a type_info */
#define NAME (FAKE_LIBC + 0x1a00)   /* its name */
#define VTABLE (FAKE_LIBC + 0x1810) /* the address point */

static void make_class(struct fixture *f, const char *name)
{
	fake_heap_write(&f->heap, VTABLE - 16, 0);
	fake_heap_write(&f->heap, VTABLE - 8, INFO);
	fake_heap_write(&f->heap, INFO, FAKE_LIBC + 0x1700);
	fake_heap_write(&f->heap, INFO + 8, NAME);
	write_text(&f->heap, NAME, name);
	fake_heap_write(&f->heap, f->object + 16, VTABLE);
}

static enum mw_content content_at(struct fixture *f, uint64_t chunk)
{
	struct mw_alloc_contents *contents;
	struct mw_block_content content;
	struct mw_alloc_block block;
	bool found = false;

	ASSERT_OK(mw_alloc_contents_open(f->heap.target, f->alloc, &contents));
	ASSERT_OK(mw_alloc_block_at(f->alloc, chunk, &block, &found));
	assert_true(found);
	mw_alloc_content(contents, &block, &content);
	mw_alloc_contents_close(contents);
	return content.kind;
}

TEST(an_object_tells_its_class)
{
	struct fixture f;
	char *name;

	make(&f);
	make_class(&f, "N3foo3barE");
	walk(&f);
	ASSERT_EQ(MW_CONTENT_OBJECT, content_at(&f, f.object));
	name = mw_alloc_class_name(f.heap.target, VTABLE);
	ASSERT_TEXT("N3foo3barE", name);
	mw_free(name);
	// A name that is none, a part of another object, nothing there.
	make_class(&f, "not a class");
	ASSERT_EQ(MW_CONTENT_MODULE, content_at(&f, f.object));
	make_class(&f, "3foo");
	fake_heap_write(&f.heap, VTABLE - 16, (uint64_t)-8);
	ASSERT_EQ(MW_CONTENT_MODULE, content_at(&f, f.object));
	fake_heap_write(&f.heap, f.object + 16, FAKE_LIBC + FAKE_LIBC_BYTES);
	ASSERT_EQ(MW_CONTENT_OTHER, content_at(&f, f.object));
	assert_null(mw_alloc_class_name(f.heap.target, 8));
	end(&f);
}

TEST(other_contents)
{
	struct fixture f;

	make(&f);
	walk(&f);
	ASSERT_EQ(MW_CONTENT_TEXT, content_at(&f, f.text));
	ASSERT_EQ(MW_CONTENT_ZEROS, content_at(&f, f.object));
	fake_heap_write(&f.heap, f.object + 16, f.text + 16);
	ASSERT_EQ(MW_CONTENT_BLOCK, content_at(&f, f.object));
	write_text(&f.heap, f.text + 16, "abc");
	ASSERT_EQ(MW_CONTENT_OTHER, content_at(&f, f.text));
	write_text(&f.heap, f.text + 16, "\xc3\xa4\xe2\x82\xac\n\tx");
	ASSERT_EQ(MW_CONTENT_TEXT, content_at(&f, f.text));
	write_text(&f.heap, f.text + 16, "text \xff and more");
	ASSERT_EQ(MW_CONTENT_OTHER, content_at(&f, f.text));
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(blocks_come_in_ascending_order),
		CASE(an_error_ends_it),
		CASE(lists_have_free_blocks),
		CASE(what_is_not_sorted_yet),
		CASE(an_object_tells_its_class),
		CASE(other_contents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_books.h"

#include "mw_test.h"

static unsigned state_of(char letter)
{
	switch (letter) {
	case 'P':
		return MW_PAGE_PRESENT;
	case 'S':
		return MW_PAGE_SWAPPED;
	case 'B':
		return MW_PAGE_PRESENT | MW_PAGE_SWAPPED;
	case 'H':
		return MW_PAGE_PRESENT | MW_PAGE_HUGE;
	case 'Z':
		return MW_PAGE_PRESENT | MW_PAGE_ZERO;
	}
	ASSERT_EQ('.', letter);
	return 0;
}

struct mw_mapping *books_map(struct books *books, uint64_t start,
			     const char *states)
{
	uint64_t at = start;
	struct mw_mapping *mapping = mw_mappings_add(
		&books->maps, start, start + strlen(states) * PAGE, "", 0);

	assert_non_null(mapping);
	for (; *states; states++, at += PAGE)
		if (state_of(*states))
			assert_true(mw_pages_add(&books->pages, at, at + PAGE,
						 state_of(*states)));
	return mapping;
}

void books_open(struct books *books)
{
	ASSERT_OK(mw_ledger_new(&books->maps, &books->pages, &books->ledger));
}

mw_account_id books_account(struct books *books, const char *name)
{
	char parent[80];
	const char *slash = strrchr(name, '/');
	mw_account_id account = 0;

	assert_non_null(slash);
	assert_true((size_t)(slash - name) < sizeof(parent));
	memcpy(parent, name, (size_t)(slash - name));
	parent[slash - name] = '\0';
	ASSERT_OK(mw_sink_account(mw_ledger_sink(books->ledger), parent,
				  slash + 1, "the test says so", &account));
	return account;
}

void books_claim(struct books *books, enum mw_layer layer, const char *walker,
		 uint64_t start, uint64_t end, const char *name)
{
	struct mw_claim claim = {
		.start = start,
		.bytes = end - start,
		.layer = layer,
		.account = books_account(books, name),
		.walker = walker,
	};

	ASSERT_OK(mw_sink_claim(mw_ledger_sink(books->ledger), &claim));
}

void books_own(struct books *books, uint64_t start, uint64_t end,
	       const char *name, mw_refine_fn *refine, void *ctx)
{
	struct mw_claim claim = {
		.start = start,
		.bytes = end - start,
		.layer = MW_LAYER_OWNER,
		.account = books_account(books, name),
		.walker = "walker",
		.refine = refine,
		.ctx = ctx,
	};

	ASSERT_OK(mw_sink_claim(mw_ledger_sink(books->ledger), &claim));
}

void books_settle(struct books *books)
{
	ASSERT_OK(mw_ledger_settle(books->ledger));
}

void books_check(const struct books *books, const char *name,
		 uint64_t vsz_bytes, uint64_t rss_bytes, uint64_t swap_bytes)
{
	const struct mw_ledger_account *account =
		mw_ledger_find(books->ledger, name);
	struct mw_tally tally = { 0 };

	if (account)
		tally = account->tally;
	if (tally.vsz_bytes == vsz_bytes && tally.rss_bytes == rss_bytes &&
	    tally.swap_bytes == swap_bytes)
		return;
	print_error("%s: wanted vsz %lu rss %lu swap %lu, "
		    "got vsz %lu rss %lu swap %lu\n", name, vsz_bytes,
		    rss_bytes, swap_bytes, tally.vsz_bytes, tally.rss_bytes,
		    tally.swap_bytes);
	fail();
}

void books_check_overlap(const struct books *books, size_t at, uint64_t start,
			 uint64_t end, const char *first, const char *second)
{
	size_t count;
	const struct mw_overlap *overlaps =
		mw_ledger_overlaps(books->ledger, &count);

	assert_true(at < count);
	ASSERT_EQ(start, overlaps[at].start);
	ASSERT_EQ(end, overlaps[at].end);
	ASSERT_TEXT(first, overlaps[at].first);
	ASSERT_TEXT(second, overlaps[at].second);
}

size_t books_overlaps(const struct books *books)
{
	size_t count;

	mw_ledger_overlaps(books->ledger, &count);
	return count;
}

void books_close(struct books *books)
{
	mw_ledger_free(books->ledger);
	mw_pages_free(&books->pages);
	mw_mappings_free(&books->maps);
	*books = (struct books){ 0 };
}

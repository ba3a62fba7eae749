/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_book.h"

#include <ctype.h>

void book_init(struct book *book)
{
	memset(book, 0, sizeof(*book));
	book->s.rss_bytes = MW_MIB(1000);
	book->s.vsz_bytes = MW_MIB(2000);
	book->s.anon_bytes = MW_MIB(900);
	book->s.page_table_bytes = MW_MIB(3);
	book->s.threads = book->s.sleeping_threads = 4;
	book->s.cpus = 2;
	book->s.accounts = book->accounts;
	book->s.arenas = book->arenas;
}

static struct mw_ledger_account *account_of(struct book *book, const char *name)
{
	for (size_t i = 0; i < book->s.account_count; i++)
		if (strcmp(book->accounts[i].name, name) == 0)
			return &book->accounts[i];
	assert_true(book->s.account_count < MW_COUNT(book->accounts));
	book->accounts[book->s.account_count].name = name;
	return &book->accounts[book->s.account_count++];
}

void book_put(struct book *book, const char *account, uint64_t mib)
{
	struct mw_tally *tally = &account_of(book, account)->tally;

	tally->rss_bytes = tally->vsz_bytes = MW_MIB(mib);
}

void book_map(struct book *book, const char *account, uint64_t mib)
{
	account_of(book, account)->tally.vsz_bytes = MW_MIB(mib);
}

void book_swap(struct book *book, const char *account, uint64_t mib)
{
	account_of(book, account)->tally.swap_bytes = MW_MIB(mib);
	book->s.swap_bytes += MW_MIB(mib);
}

struct mw_arena_share *book_arena(struct book *book, const char *name,
				  uint64_t in_use, uint64_t resident,
				  uint64_t trimmable)
{
	struct mw_arena_share *arena = &book->arenas[book->s.arena_count++];

	assert_true(book->s.arena_count <= MW_COUNT(book->arenas));
	*arena = (struct mw_arena_share){
		.allocator = "glibc",
		.name = name,
		.in_use_bytes = MW_MIB(in_use),
		.in_use_blocks = in_use * 10,
		.resident_bytes = MW_MIB(resident),
		.trimmable_bytes = MW_MIB(trimmable),
	};
	return arena;
}

/** A sentence: a capital or a digit first, a full stop last. */
static void check_sentence(const char *text)
{
	size_t len = strlen(text);

	assert_true(len > 20);
	assert_true(isupper((unsigned char)text[0]) ||
		    isdigit((unsigned char)text[0]) || text[0] == 'g');
	assert_int_equal('.', text[len - 1]);
	assert_null(strstr(text, "  "));
	assert_null(strchr(text, '\n'));
}

void book_speaks(const struct book *book, const char *id, uint64_t mib,
		 const char *word, const char *file, int line)
{
	struct mw_findings findings = { 0 };
	const struct mw_finding *found = NULL;

	ASSERT_OK(mw_findings_look(&book->s, &findings));
	for (size_t i = 0; i < findings.list.n; i++) {
		const struct mw_finding *f = &findings.list.v[i];

		check_sentence(f->summary);
		check_sentence(f->advice);
		assert_true(strlen(f->evidence) > 10);
		assert_null(strstr(f->evidence, "  "));
		assert_true(f->evidence[0] != ' ');
		assert_true(i == 0 || f[-1].bytes >= f->bytes);
		if (strcmp(f->id, id) == 0)
			found = f;
	}
	if (!found != !word) {
		print_error("%s %s\n", id, found ? "speaks" : "is silent");
		_fail(file, line);
	}
	if (found) {
		mw_test_eq(MW_MIB(mib), found->bytes, id, file, line);
		if (!strstr(found->summary, word) &&
		    !strstr(found->evidence, word) &&
		    !strstr(found->advice, word)) {
			print_error("%s: no %s in: %s %s %s\n", id, word,
				    found->summary, found->evidence,
				    found->advice);
			_fail(file, line);
		}
	}
	mw_findings_free(&findings);
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FINDINGS_BOOK_H
#define FINDINGS_BOOK_H

#include "mw_findings.h"
#include "mw_num.h"
#include "mw_test.h"

/*
 * Made-up situations for the rules of findings. A book begins as a process of
 * 1000 MiB in which nothing is remarkable.
 */
struct book {
	struct mw_situation s;
	struct mw_ledger_account accounts[16];
	struct mw_arena_share arenas[16];
};

void book_init(struct book *book);

/** Let an account have so many MiB, resident and mapped. */
void book_put(struct book *book, const char *account, uint64_t mib);

/** Mapped, but no more of it resident. */
void book_map(struct book *book, const char *account, uint64_t mib);

/** Swapped, too. */
void book_swap(struct book *book, const char *account, uint64_t mib);

/** Add an arena of malloc, figures in MiB. */
struct mw_arena_share *book_arena(struct book *book, const char *name,
				  uint64_t in_use, uint64_t resident,
				  uint64_t trimmable);

/**
 * Whether the rule @id speaks, of so many MiB, and says @word. All
 * texts of all findings are checked.
 */
#define SPEAKS(book, id, mib, word) \
	book_speaks((book), (id), (mib), (word), __FILE__, __LINE__)
#define SILENT(book, id) \
	book_speaks((book), (id), 0, NULL, __FILE__, __LINE__)

void book_speaks(const struct book *book, const char *id, uint64_t mib,
		 const char *word, const char *file, int line);

#endif

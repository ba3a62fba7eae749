/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_books.h"

#include "mw_guard.h"
#include "mw_kernel.h"

/**
 * Claim what a Go runtime owns. One that cannot be read leaves a note: the
 * target is then explained as a native process.
 */
static struct mw_error *claim_go(struct cmd_books *books)
{
	struct mw_error *error = mw_go_open(books->target, &books->go);

	if (error && error->code != MW_E_NOMEM) {
		mw_target_note(books->target, "%s; the Go heap is not told "
			       "apart", error->message);
		mw_error_free(error);
		return NULL;
	}
	if (!error && books->go)
		error = mw_go_claim(books->go, mw_ledger_sink(books->ledger));
	return error;
}

static struct mw_error *add_pss(struct cmd_books *books)
{
	size_t count = mw_target_mappings(books->target)->list.n;
	MW_CLEANUP(mw_freep) uint64_t *pss = mw_calloc(count, sizeof(*pss));

	if (!pss)
		return mw_error_nomem();
	if (!books->smaps)
		return NULL;
	for (size_t i = 0; i < count; i++)
		pss[i] = books->smaps[i].pss_bytes;
	mw_ledger_add_pss(books->ledger, pss);
	return NULL;
}

/** Read the Go program's own figures. */
static struct mw_error *read_memstats(const struct cmd_call *call,
				      struct cmd_books *books)
{
	struct mw_error *error;

	if (!books->go)
		return cmd_no_go(call, books->target);
	books->memstats = mw_calloc(1, sizeof(*books->memstats));
	if (!books->memstats)
		return mw_error_nomem();
	error = mw_go_memstats_read(books->go, books->memstats);
	if (error) {
		mw_free(books->memstats);
		books->memstats = NULL;
	}
	return error;
}

/** Tell what of the Go heap is elsewhere, or moved while it was read. */
static void note_drift(struct cmd_books *books)
{
	const struct mw_go_drift *drift = mw_go_drift(books->go);

	if (mw_go_info(books->go)->is_sbrk)
		mw_target_note(books->target, "GODEBUG=sbrk=1: Go's objects lie "
			       "outside its heap and are never freed; small "
			       "ones are in go/runtime/persistent, those from "
			       "64 KiB on in anonymous/private");
	if (drift->torn_spans || drift->torn_bytes)
		mw_target_note(books->target, "the Go heap changed while it "
			       "was read: %zu spans and %zu bytes of pages "
			       "could not be made out (unknown/go-torn); %s",
			       (size_t)drift->torn_spans,
			       (size_t)drift->torn_bytes,
			       cmd_torn_remedy(books->target));
}

/**
 * The kernel's figures to be held against ours. Its running counters may lag
 * behind on older kernels; where the target stands still and they differ, the
 * sum over smaps, which is exact, decides.
 */
static struct mw_error *take_audit(struct cmd_books *books)
{
	const struct mw_kernel_books *kernel = mw_target_books(books->target);
	bool exact = mw_target_info(books->target)->mode != MW_CAPTURE_LIVE &&
		     mw_target_info(books->target)->unhalted == 0;
	struct mw_tally figures = {
		.vsz_bytes = kernel->vsz_bytes,
		.rss_bytes = kernel->rss_bytes,
		.swap_bytes = kernel->swap_bytes,
	};

	books->audit = mw_ledger_audit(books->ledger, &figures, exact);
	// A snapshot has had this done when it was taken.
	if (!exact || books->audit.balanced ||
	    mw_target_info(books->target)->kind == MW_TARGET_CORE)
		return NULL;
	if (!books->smaps) {
		struct mw_error *error =
			mw_target_smaps(books->target, &books->smaps);
		if (error || !books->smaps)
			return error;
	}
	figures.rss_bytes = figures.swap_bytes = 0;
	for (size_t i = 0; i < mw_target_mappings(books->target)->list.n;
	     i++) {
		figures.rss_bytes += books->smaps[i].rss_bytes;
		figures.swap_bytes += books->smaps[i].swap_bytes;
	}
	books->audit = mw_ledger_audit(books->ledger, &figures, exact);
	return NULL;
}

struct mw_error *cmd_books_take(const struct cmd_call *call,
				unsigned flags, struct cmd_books *books)
{
	uint64_t begun = mw_kernel_now();
	struct mw_error *error = NULL;

	if (!books->target)
		error = cmd_open_target(call, &books->target);
	if (!error && (flags & (CMD_BOOKS_SMAPS | CMD_BOOKS_PSS)))
		error = mw_target_smaps(books->target, &books->smaps);
	if (!error)
		error = mw_ledger_new(mw_target_mappings(books->target),
				      mw_target_pages(books->target),
				      &books->ledger);
	if (!error && (flags & (CMD_BOOKS_MAPPINGS | CMD_BOOKS_PSS)))
		mw_ledger_keep_mappings(books->ledger);
	if (!error && (flags & CMD_BOOKS_PAGES))
		mw_ledger_keep_pages(books->ledger);
	if (!error && books->trace)
		mw_ledger_trace(books->ledger, books->trace);
	if (!error && !(flags & CMD_BOOKS_NO_GO))
		error = claim_go(books);
	if (!error && (flags & CMD_BOOKS_MEMSTATS))
		error = read_memstats(call, books);
	if (!error)
		error = mw_alloc_claim(books->target,
				       mw_ledger_sink(books->ledger),
				       &books->alloc);
	if (!error)
		error = mw_native_claim(books->target,
					mw_ledger_sink(books->ledger),
					&books->native);
	if (!error)
		error = mw_ledger_settle(books->ledger);
	if (!error)
		error = take_audit(books);
	if (!error && books->go)
		note_drift(books);
	if (!error)
		mw_alloc_note_drift(books->alloc);
	if (books->target && !(flags & CMD_BOOKS_HOLD))
		books->stopped_ns = mw_target_release(books->target);
	if (!error && (flags & CMD_BOOKS_PSS))
		error = add_pss(books);
	books->wall_ns = mw_kernel_now() - begun;
	return error;
}

void cmd_books_close(struct cmd_books *books)
{
	mw_ledger_freep(&books->ledger);
	mw_native_freep(&books->native);
	mw_alloc_freep(&books->alloc);
	if (books->memstats)
		mw_go_memstats_free(books->memstats);
	mw_free(mw_steal(books->memstats));
	mw_go_closep(&books->go);
	mw_free(mw_steal(books->smaps));
}

void cmd_books_free(struct cmd_books *books)
{
	cmd_books_close(books);
	mw_target_close(books->target);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mw_guard.h"
#include "target_snapshot.h"

struct mw_error *mw_snapshot_begin(int fd, uint64_t expected,
				   const struct mw_snapshot_options *options,
				   struct mw_snapshot **ret)
{
	MW_CLEANUP(mw_snapshot_freep) struct mw_snapshot *s =
		mw_calloc(1, sizeof(*s));
	struct mw_error *error;

	if (!s)
		return mw_error_nomem();
	s->fd = fd;
	s->options = *options;
	s->expected = expected;
	s->offset = MW_PAGE_BYTES; // behind the ELF header
	// So that a full disk is known before the target is stopped. A file
	// system that cannot is asked when the bytes come.
	if (expected && fallocate(fd, 0, 0, (off_t)expected) != 0 &&
	    (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
		return mw_error_errno(errno, "room for a snapshot of about %"
				      PRIu64 " bytes", expected);
	error = mw_stream_begin(fd, &s->stream);
	if (error)
		return error;
	*ret = mw_steal(s);
	return NULL;
}

void mw_snapshot_free(struct mw_snapshot *s)
{
	if (!s)
		return;
	mw_stream_abort(s->stream);
	mw_vec_free(&s->extents);
	mw_vec_free(&s->lost);
	mw_snapshot_free_before(s);
	mw_smaps_free(&s->extra.smaps);
	for (size_t i = 0; i < s->extra.remarks.n; i++)
		mw_free(s->extra.remarks.v[i]);
	mw_vec_free(&s->extra.remarks);
	mw_free(s);
}

/* The notes of all cores, which have registers: while the target stands. */

/** The command line's beginning, blanks between its words. */
static void read_args(const struct mw_target *target, char *args, size_t size)
{
	const struct mw_start_info *start = &target->status.start;
	uint64_t bytes = start->arg_end > start->arg_start
				 ? mw_min(start->arg_end - start->arg_start,
					  size - 1)
				 : 0;

	if (bytes == 0 ||
	    !mw_target_copy(target, start->arg_start, args, bytes))
		bytes = 0;
	args[bytes] = '\0';
	while (bytes > 0 && args[bytes - 1] == '\0')
		bytes--;
	for (size_t i = 0; i < bytes; i++)
		if (args[i] == '\0')
			args[i] = ' ';
}

static bool put_all(struct mw_snapshot *s, struct mw_core_bytes *out)
{
	bool ok = !out->failed &&
		  mw_snapshot_put(s, out->data.v, out->data.n);

	out->data.n = 0;
	return ok;
}

/** Of struct user_regs_struct: what is no user's, and leads to frames. */
static void keep_pointers_only(uint64_t general[27])
{
	enum { RBP = 4, RIP = 16, CS, EFLAGS, RSP, SS, FS_BASE, GS_BASE };

	for (size_t i = 0; i < 27; i++)
		if (i != RBP && (i < RIP || i == EFLAGS))
			general[i] = 0;
}

static bool put_thread(struct mw_snapshot *s, const struct mw_target *target,
		       int32_t tid, const struct mw_core_process *process,
		       struct mw_core_bytes *out)
{
	struct mw_core_registers registers = { .tid = tid };
	struct mw_registers all;

	if (!mw_stop_registers(target->of.stop, tid, &all))
		return true; // not halted, or gone
	memcpy(registers.general, all.general, sizeof(all.general));
	if (target->kept) {
		keep_pointers_only(registers.general);
		mw_core_put_thread(out, &registers, process);
		return put_all(s, out);
	}
	if (all.has_fp)
		registers.fp = all.fp;
	if (all.xstate_bytes) {
		registers.xstate = all.xstate;
		registers.xstate_bytes = all.xstate_bytes;
	}
	if (all.has_siginfo)
		registers.siginfo = all.siginfo;
	mw_core_put_thread(out, &registers, process);
	return put_all(s, out);
}

static bool put_core_notes(struct mw_snapshot *s,
			   const struct mw_target *target)
{
	struct mw_core_bytes out = { 0 };
	char args[81] = "";
	const struct mw_core_process process = {
		.pid = target->info.pid,
		.parent = target->status.parent,
		.group = target->status.group,
		.session = target->status.session,
		.uid = target->status.uid,
		.gid = target->status.gid,
		.state = target->status.state,
		.comm = target->info.comm,
		.args = args,
	};
	size_t note;
	bool ok;

	if (!target->kept)
		read_args(target, args, sizeof(args));
	mw_core_put_process(&out, &process);
	note = mw_core_note_begin(&out, "CORE", NT_AUXV);
	mw_core_put(&out, target->auxv, target->auxv_bytes);
	mw_core_note_end(&out, note);
	mw_core_put_files(&out, &target->maps);
	ok = put_all(s, &out);
	for (size_t i = 0; ok && i < target->threads.list.n; i++)
		ok = put_thread(s, target, target->threads.list.v[i].tid,
				&process, &out);
	mw_vec_free(&out.data);
	return ok;
}

/* What is put behind the memory, while the target runs again. */

/** Write all of @out at s->offset. */
static struct mw_error *write_out(struct mw_snapshot *s,
				  const struct mw_core_bytes *out)
{
	int errnum;

	if (out->failed)
		return mw_error_nomem();
	errnum = mw_stream_write(s->fd, out->data.v, out->data.n, s->offset);
	if (errnum)
		return mw_error_errno(errnum, "writing the snapshot");
	s->offset += out->data.n;
	return NULL;
}

/** A copy of the pages alone needs no images; one without contents has them. */
static struct mw_error *find_images(struct mw_target *target)
{
	if (target->images.n)
		return NULL;
	mw_target_free_images(target);
	return mw_target_find_images(target);
}

static struct mw_error *write_memwhy_notes(struct mw_snapshot *s,
					   struct mw_target *target)
{
	struct mw_core_bytes out = { 0 };
	struct mw_error *error = find_images(target);
	size_t note;

	if (error)
		return error;
	mw_note_put(&out, target, &s->extra);
	error = write_out(s, &out);
	out.data.n = 0;
	note = mw_core_note_begin(&out, NOTE_NAME, NOTE_PAGES);
	mw_core_put(&out, target->pages.runs.v,
		    target->pages.runs.n * sizeof(*target->pages.runs.v));
	mw_core_note_end(&out, note);
	if (!error)
		error = write_out(s, &out);
	mw_vec_free(&out.data);
	return error;
}

struct headers {
	struct mw_core_bytes bytes;
	uint64_t count;
};

static void put_load(struct headers *h, const struct mw_mapping *m,
		     uint64_t start, uint64_t file_end, uint64_t end,
		     uint64_t offset)
{
	mw_core_put_segment(&h->bytes, PT_LOAD, m->perms, offset, start,
			    file_end - start, end - start);
	h->count++;
}

/** Segments for an extent, up to @end: cut where pages were lost. */
static void put_extent(struct headers *h, const struct mw_mapping *m,
		       const struct extent *e, uint64_t end,
		       const struct mw_snapshot *s, size_t *lost)
{
	uint64_t at = e->start;

	while (*lost < s->lost.n && s->lost.v[*lost].end <= e->start)
		++*lost;
	for (size_t i = *lost; i < s->lost.n && s->lost.v[i].start < e->end;
	     i++) {
		uint64_t from = mw_max(s->lost.v[i].start, at);
		uint64_t to = mw_min(s->lost.v[i].end, e->end);

		if (from > at)
			put_load(h, m, at, from, to,
				 e->offset + (at - e->start));
		else
			put_load(h, m, from, from, to,
				 e->offset + (at - e->start));
		at = to;
	}
	if (at < e->end)
		put_load(h, m, at, e->end, end, e->offset + (at - e->start));
	else if (at < end)
		put_load(h, m, at, at, end, e->offset);
}

/** Segments that cover every mapping; what has no bytes takes no room. */
static void put_mappings(struct headers *h, const struct mw_snapshot *s,
			 const struct mw_target *target)
{
	const struct extent *e = s->extents.v;
	size_t left = s->extents.n, lost = 0;

	for (size_t i = 0; i < target->maps.list.n; i++) {
		const struct mw_mapping *m = &target->maps.list.v[i];

		if (!left || e->mapping != i) {
			put_load(h, m, m->start, m->start, m->end, 0);
			continue;
		}
		if (e->start > m->start)
			put_load(h, m, m->start, m->start, e->start, 0);
		for (; left && e->mapping == i; e++, left--)
			put_extent(h, m, e,
				   left > 1 && e[1].mapping == i ? e[1].start
								 : m->end,
				   s, &lost);
	}
}

static struct mw_error *write_headers(struct mw_snapshot *s,
				      const struct mw_target *target,
				      uint64_t memwhy_offset, uint64_t *ret)
{
	struct headers h = { .count = 2 };
	uint64_t phoff, shoff = 0;
	struct mw_error *error;

	mw_core_put_segment(&h.bytes, PT_NOTE, 0, s->notes_offset, 0,
			    s->notes_bytes, 0);
	mw_core_put_segment(&h.bytes, PT_NOTE, 0, memwhy_offset, 0,
			    s->offset - memwhy_offset, 0);
	put_mappings(&h, s, target);
	s->offset = phoff = mw_align_up(s->offset, 8);
	if (h.count >= PN_XNUM) {
		shoff = phoff + h.bytes.data.n;
		mw_core_put_count(&h.bytes, h.count);
	}
	error = write_out(s, &h.bytes);
	if (!error) {
		uint64_t end = s->offset;

		h.bytes.data.n = 0;
		mw_core_put_header(&h.bytes, phoff, h.count, shoff);
		s->offset = 0;
		error = write_out(s, &h.bytes);
		s->offset = end;
	}
	mw_vec_free(&h.bytes.data);
	*ret = h.count;
	return error;
}

/**
 * The kernel's counters may lag behind its page tables; then the sum over
 * smaps is what the audit is held against, as `ledger --stop` does.
 */
static struct mw_error *check_books(struct mw_snapshot *s,
				    struct mw_target *target)
{
	struct mw_tally sum = { 0 };
	struct mw_error *error;
	size_t hint = 0;

	for (size_t i = 0; i < target->maps.list.n; i++)
		mw_pages_tally(&target->pages, &hint,
			       target->maps.list.v[i].start,
			       target->maps.list.v[i].end, &sum);
	if (!s->options.smaps && sum.rss_bytes == target->books.rss_bytes &&
	    sum.swap_bytes == target->books.swap_bytes)
		return NULL;
	error = target->source->smaps(target, &s->extra.smaps);
	if (error)
		return error;
	target->books.rss_bytes = target->books.swap_bytes = 0;
	for (size_t i = 0; i < s->extra.smaps.list.n; i++) {
		target->books.rss_bytes += s->extra.smaps.list.v[i].rss_bytes;
		target->books.swap_bytes +=
			s->extra.smaps.list.v[i].swap_bytes;
	}
	return NULL;
}

static void note_lost(struct mw_snapshot *s, uint64_t bytes)
{
	char *remark, **place;

	if (bytes == 0)
		return;
	remark = mw_format("%" PRIu64 " bytes of present pages could not be "
			   "read when the snapshot was taken, the first at %#"
			   PRIx64, bytes, s->lost.v[0].start);
	place = remark ? mw_vec_push(&s->extra.remarks) : NULL;
	if (place)
		*place = remark;
	else
		mw_free(remark);
}

struct mw_error *mw_snapshot_interrupted(struct mw_snapshot *s)
{
	return s->options.cancel && *s->options.cancel
		       ? mw_error_new(MW_E_SYSTEM, "interrupted: no snapshot "
				      "was written")
		       : NULL;
}

/** All that needs the target to stand still. */
static struct mw_error *copy_target(struct mw_snapshot *s,
				    struct mw_target *target)
{
	struct mw_error *error = check_books(s, target);

	if (error)
		return error;
	if (target->kept)
		s->extra.flags |= NOTE_NO_CONTENTS;
	s->notes_offset = s->offset;
	if (!put_core_notes(s, target))
		return NULL; // the end of the stream tells why
	s->notes_bytes = s->offset - s->notes_offset;
	mw_snapshot_flush(s);
	s->offset = mw_align_up(s->offset, MW_PAGE_BYTES);
	error = mw_snapshot_plan(s, target);
	if (!error)
		error = mw_snapshot_copy(s, target);
	return error;
}

struct mw_error *mw_snapshot_write(struct mw_snapshot *s,
				   struct mw_target *target,
				   struct mw_snapshot_result *ret)
{
	struct mw_snapshot_result result = { 0 };
	struct mw_error *error = copy_target(s, target);
	uint64_t memwhy_offset;
	struct timespec now;

	s->extra.stopped_ns = result.stopped_ns = mw_target_release(target);
	clock_gettime(CLOCK_REALTIME, &now);
	s->extra.monotonic_ns = mw_kernel_now();
	s->extra.time_ns = (uint64_t)now.tv_sec * 1000000000u +
			   (uint64_t)now.tv_nsec;
	if (!error)
		error = mw_snapshot_interrupted(s);
	if (!error)
		error = mw_stream_end(mw_steal(s->stream));
	if (!error)
		error = mw_snapshot_drop_gone(s);
	if (!error)
		error = mw_snapshot_interrupted(s);
	if (error)
		return error;
	for (size_t i = 0; i < s->lost.n; i++)
		result.lost_bytes += s->lost.v[i].end - s->lost.v[i].start;
	note_lost(s, result.lost_bytes);
	memwhy_offset = s->offset = mw_align_up(s->offset, 8);
	error = write_memwhy_notes(s, target);
	if (!error)
		error = write_headers(s, target, memwhy_offset,
				      &result.segments);
	if (error)
		return error;
	result.file_bytes = s->offset;
	result.memory_bytes = s->memory_bytes - result.lost_bytes;
	if (ftruncate(s->fd, (off_t)s->offset) != 0)
		return mw_error_errno(errno, "writing the snapshot");
	*ret = result;
	return NULL;
}

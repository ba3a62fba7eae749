/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "mw_guard.h"
#include "target_snapshot.h"

/*
 * Writing takes longer than reading, even when no disk is waited for. So what
 * is present is written while the target runs, and of each page a fingerprint
 * is kept, by its place in the file. While the target is stopped, all pages are
 * read, and those whose fingerprint is another are written again.
 *
 * What is read while the target runs is read as if it had relatives, and only
 * if it is present just then: it shall not notice.
 */

/* For 8 GiB; what is more is written while the target is stopped. */
#define MOST_PRINTS (MW_MIB(16) / sizeof(uint64_t))

/* A hole takes the file system longer than writing as many zeros. */
#define SMALLEST_HOLE MW_KIB(256)

/* In place of a fingerprint, which is neither. */
#define IS_THERE 0 /* the page has been read since the target was stopped */
#define NOT_COPIED 1

static size_t count_prints(const struct mw_snapshot *s)
{
	return s->before_end ? s->before_end / MW_PAGE_BYTES - 1 : 0;
}

/** Leave out what goes beyond @end in the file. */
static void cut_extents(struct mw_snapshot *s, uint64_t end)
{
	while (s->extents.n) {
		struct extent *last = &s->extents.v[s->extents.n - 1];

		if (last->offset < end) {
			last->end = mw_min(last->end,
					   last->start + (end - last->offset));
			break;
		}
		s->extents.n--;
	}
	s->offset = mw_min(s->offset, end);
}

static struct mw_error *copy_before(struct mw_snapshot *s,
				    struct mw_target *target)
{
	uint64_t begin = s->offset;
	struct mw_error *error = mw_snapshot_plan(s, target);

	if (error)
		return error;
	cut_extents(s, begin + MOST_PRINTS * MW_PAGE_BYTES);
	if (s->offset > begin)
		s->prints = mw_map((s->offset - begin) / MW_PAGE_BYTES *
				   sizeof(*s->prints));
	if (!s->prints) {
		s->extents.n = 0;
		s->offset = begin;
		return NULL;
	}
	s->before_end = s->offset;
	for (size_t i = 0; i < count_prints(s); i++)
		s->prints[i] = NOT_COPIED;
	// As much is to be done again when it is stopped.
	s->total = 2 * (s->offset - begin);
	s->is_before = true;
	error = mw_snapshot_copy(s, target);
	s->is_before = false;
	if (!error)
		error = mw_snapshot_interrupted(s);
	if (!error && !mw_stream_settle(s->stream))
		error = mw_stream_end(mw_steal(s->stream));
	return error;
}

struct mw_error *mw_snapshot_before(struct mw_snapshot *s, int32_t pid,
				    const struct mw_target_options *options)
{
	MW_CLEANUP(mw_target_closep) struct mw_target *target = NULL;
	struct mw_target_options running = *options;
	struct mw_error *error;

	if (s->expected <= STREAM_HOLDS_BYTES || !mw_fingerprint_begin(&s->key))
		return NULL;
	running.mode = MW_CAPTURE_LIVE;
	running.no_images = running.may_fork = true;
	error = mw_target_open(pid, &running, &target);
	if (error) {
		// If it is still so when it is to be stopped, it is told then.
		mw_error_free(error);
		return NULL;
	}
	error = copy_before(s, target);
	// What could not be read now may be there then.
	s->lost.n = 0;
	s->memory_bytes = 0;
	mw_vec_free(&s->before);
	s->before.v = s->extents.v;
	s->before.n = s->extents.n;
	s->before.cap = s->extents.cap;
	s->extents.v = NULL;
	s->extents.n = s->extents.cap = 0;
	return error;
}

bool mw_snapshot_differs(struct mw_snapshot *s, uint64_t offset,
			 const uint8_t *page)
{
	uint64_t before, now;
	size_t at;

	if (offset >= s->before_end)
		return true;
	at = offset / MW_PAGE_BYTES - 1;
	before = s->prints[at];
	now = mw_fingerprint(&s->key, page);
	s->prints[at] = s->is_before ? now : IS_THERE;
	return before != now;
}

bool mw_snapshot_place(const struct mw_snapshot *s, size_t *hint,
		       struct extent *extent)
{
	const struct extent *e;

	while (*hint < s->before.n && s->before.v[*hint].end <= extent->start)
		++*hint;
	if (*hint == s->before.n)
		return false;
	e = &s->before.v[*hint];
	if (e->start > extent->start) {
		extent->end = mw_min(extent->end, e->start);
		return false;
	}
	extent->end = mw_min(extent->end, e->end);
	extent->offset = e->offset + (extent->start - e->start);
	return true;
}

static int write_zeros(int fd, uint64_t offset, uint64_t bytes)
{
	static const uint8_t zeros[MW_KIB(64)];
	int errnum = 0;

	while (bytes > 0 && !errnum) {
		uint64_t take = mw_min(bytes, sizeof(zeros));

		errnum = mw_stream_write(fd, zeros, take, offset);
		offset += take;
		bytes -= take;
	}
	return errnum;
}

struct mw_error *mw_snapshot_drop_gone(struct mw_snapshot *s)
{
	size_t count = count_prints(s), end;

	for (size_t i = 0; i < count; i = end + 1) {
		uint64_t offset = (i + 1) * MW_PAGE_BYTES, bytes;
		bool copied = false;
		int errnum = 0;

		for (end = i; end < count && s->prints[end] != IS_THERE; end++)
			copied |= s->prints[end] != NOT_COPIED;
		bytes = (end - i) * MW_PAGE_BYTES;
		if (bytes >= SMALLEST_HOLE &&
		    fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t)offset, (off_t)bytes) == 0)
			continue;
		if (copied)
			errnum = write_zeros(s->fd, offset, bytes);
		if (errnum)
			return mw_error_errno(errnum, "writing the snapshot");
	}
	return NULL;
}

void mw_snapshot_free_before(struct mw_snapshot *s)
{
	mw_vec_free(&s->before);
	mw_unmap(s->prints, count_prints(s) * sizeof(*s->prints));
}

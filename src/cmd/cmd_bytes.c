/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd_ranges.h"
#include "mw_guard.h"
#include "mw_kernel.h"

/* Reading the bytes that were chosen. */

void cmd_hold_output(struct cmd_bytes *bytes)
{
	int memory = memfd_create("memwhy", MFD_CLOEXEC);
	int held = memory >= 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : -1;

	// Where that cannot be had, a slow reader prolongs the stop.
	if (held >= 0 && fflush(stdout) == 0 &&
	    dup2(memory, STDOUT_FILENO) >= 0)
		bytes->held_output = 1 + held;
	else
		mw_closep(&held);
	mw_closep(&memory);
}

/** Put standard output back, and write what was held back. */
static void write_held_output(struct cmd_bytes *bytes)
{
	MW_CLEANUP(mw_closep) int held = bytes->held_output - 1;
	MW_CLEANUP(mw_closep) int memory = -1;
	MW_CLEANUP(mw_freep) uint8_t *room = mw_alloc(MW_STREAM_BYTES);
	ssize_t got;

	bytes->held_output = 0;
	fflush(stdout);
	memory = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(held, STDOUT_FILENO);
	lseek(memory, 0, SEEK_SET);
	while (room && (got = read(memory, room, MW_STREAM_BYTES)) > 0)
		fwrite(room, 1, (size_t)got, stdout);
}

void cmd_bytes_release(struct cmd_bytes *bytes)
{
	if (bytes->books.target)
		bytes->books.stopped_ns +=
			mw_target_release(bytes->books.target);
	bytes->books.wall_ns = mw_kernel_now() - bytes->begun_ns;
	if (bytes->held_output)
		write_held_output(bytes);
}

void cmd_bytes_free(struct cmd_bytes *bytes)
{
	cmd_bytes_release(bytes);
	if (bytes->file_section)
		mw_closep(&bytes->file_fd);
	mw_vec_free(&bytes->ranges.list);
	mw_extents_free(&bytes->extents);
	cmd_books_free(&bytes->books);
}

bool cmd_is_read(const struct mw_extent *extent)
{
	return extent->kind == MW_BYTES_PRESENT ||
	       (extent->kind == MW_BYTES_FILE && cmd_choice.from_files);
}

bool cmd_is_lost(const struct mw_piece *piece)
{
	return !piece->data &&
	       (piece->kind == MW_BYTES_GONE ||
		(piece->kind == MW_BYTES_FILE && cmd_choice.from_files));
}

/** Bytes of a section of a file; returns what there is, from the start. */
static size_t read_section(const struct cmd_bytes *bytes, uint64_t va,
			   uint8_t *to, size_t want)
{
	const struct mw_elf_section *s = bytes->file_section;
	uint64_t offset;
	size_t done = 0;

	if (!mw_end(s->offset, va - s->addr, &offset))
		return 0;
	while (done < want) {
		ssize_t got = pread(bytes->file_fd, to + done, want - done,
				    (off_t)(offset + done));

		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done;
}

bool cmd_bytes_read(struct cmd_bytes *bytes, uint64_t va, void *to,
		    size_t count)
{
	const struct mw_elf_section *s = bytes->file_section;

	if (s)
		return mw_within(va, count, s->addr, s->addr + s->size) &&
		       read_section(bytes, va, to, count) == count;
	return mw_target_copy(bytes->books.target, va, to, count) ||
	       mw_target_read(bytes->books.target, va, to, count);
}

static struct mw_error *stream_section(const struct cmd_bytes *bytes,
				       const struct mw_extent *extent,
				       const struct mw_stream *stream)
{
	size_t head = stream->before_bytes, before = 0;
	MW_CLEANUP(mw_freep) uint8_t *room =
		mw_alloc(head + MW_STREAM_BYTES);
	bool more = room;

	for (uint64_t va = extent->start; more && va < extent->end;) {
		size_t want = mw_min(extent->end - va, MW_STREAM_BYTES);
		size_t got = read_section(bytes, va, room + head, want);
		struct mw_piece piece = {
			.va = va,
			.bytes = got ? got : extent->end - va,
			.kind = got ? MW_BYTES_PRESENT : MW_BYTES_GONE,
			.data = got ? room + head : NULL,
			.before = before,
		};

		more = stream->piece(stream->ctx, &piece);
		va += piece.bytes;
		before = mw_min(head, before + got);
		memmove(room + head - before, room + head + got - before,
			before);
	}
	return room ? NULL : mw_error_nomem();
}

struct mw_error *cmd_bytes_stream(struct cmd_bytes *bytes,
				  const struct mw_extent *extents,
				  size_t count, const struct mw_stream *stream)
{
	struct mw_error *error = NULL;

	if (!bytes->file_section)
		return mw_target_stream(bytes->books.target, extents, count,
					stream);
	for (size_t i = 0; !error && i < count; i++)
		error = stream_section(bytes, &extents[i], stream);
	return error;
}

void cmd_note_absent(struct cmd_bytes *bytes, uint64_t lost, const char *done)
{
	static const char *const whats[MW_BYTES_KINDS] = {
		[MW_BYTES_FILE] = "of files and shared memory, which are not "
				  "resident (--from-files reads them)",
		[MW_BYTES_SWAPPED] = "in swap",
		[MW_BYTES_UNREADABLE] = "that may not be read",
		[MW_BYTES_UNPLACED] = "of mappings of which the kernel does "
				      "not tell what is resident",
		[MW_BYTES_UNMAPPED] = "that are not mapped",
	};
	uint64_t sums[MW_BYTES_KINDS] = { 0 };
	char text[32];

	for (size_t i = 0; i < bytes->extents.list.n; i++) {
		const struct mw_extent *e = &bytes->extents.list.v[i];

		if (!cmd_is_read(e))
			sums[e->kind] += e->end - e->start;
	}
	for (size_t kind = 0; kind < MW_BYTES_KINDS; kind++)
		if (whats[kind] && sums[kind])
			mw_target_note(bytes->books.target, "%s %s were not "
				       "%s", mw_format_bytes(text, sums[kind],
							     false),
				       whats[kind], done);
	if (lost)
		mw_target_note(bytes->books.target, "%s that were there, or in "
			       "files, could not be read",
			       mw_format_bytes(text, lost, false));
}

uint64_t cmd_bytes_to_read(const struct cmd_bytes *bytes)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < bytes->extents.list.n; i++)
		if (cmd_is_read(&bytes->extents.list.v[i]))
			sum += bytes->extents.list.v[i].end -
			       bytes->extents.list.v[i].start;
	return sum;
}

/* Progress */

#define FIRST_NS UINT64_C(1000000000)
#define EVERY_NS UINT64_C(200000000)

void cmd_progress_begin(struct cmd_progress *progress, const char *what,
			uint64_t total_bytes)
{
	*progress = (struct cmd_progress){
		.what = what,
		.total_bytes = total_bytes,
		.next_ns = isatty(STDERR_FILENO) ? mw_kernel_now() + FIRST_NS
						 : UINT64_MAX,
	};
}

void cmd_progress_add(struct cmd_progress *progress, uint64_t bytes)
{
	char done[32], total[32];

	progress->done_bytes += bytes;
	if (progress->next_ns == UINT64_MAX ||
	    mw_kernel_now() < progress->next_ns)
		return;
	progress->next_ns = mw_kernel_now() + EVERY_NS;
	progress->is_shown = true;
	fprintf(stderr, "\r%s %s of %s \033[K", progress->what,
		mw_format_bytes(done, progress->done_bytes, false),
		mw_format_bytes(total, progress->total_bytes, false));
}

void cmd_progress_end(struct cmd_progress *progress)
{
	if (progress->is_shown)
		fputs("\r\033[K", stderr);
	progress->is_shown = false;
}

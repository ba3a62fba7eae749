/* SPDX-License-Identifier: Apache-2.0 */
#include "target_stream.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "mw_guard.h"

#define PIECES 32
/*
 * Writing takes time on a processor that copying needs, too: it begins when so
 * many are filled, and with fewer when no more will come.
 */
#define PIECES_TO_BEGIN (STREAM_HOLDS_BYTES / STREAM_PIECE_BYTES)

struct target_stream {
	int fd;
	uint8_t *memory;
	struct stream_piece pieces[PIECES];
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
	struct stream_piece *empty[PIECES];
	size_t empty_count;
	struct stream_piece *full[PIECES]; /* handed on: a ring */
	size_t first, count;
	int errnum; /* why writing has failed, 0 while it has not */
	bool begun, ended, has_thread;
	pthread_t thread;
};

int mw_stream_write(int fd, const void *bytes, size_t count, uint64_t offset)
{
	size_t done = 0;

	while (done < count) {
		ssize_t n = pwrite(fd, (const uint8_t *)bytes + done,
				   count - done,
				   (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		done += (size_t)n;
	}
	return 0;
}

static int write_piece(int fd, const struct stream_piece *piece)
{
	static const uint8_t zeros[STREAM_MOST_ZEROS];
	const uint8_t *from = piece->bytes;
	int errnum = 0;

	for (size_t i = 0; i < piece->count && !errnum; i++) {
		const struct stream_part *part = &piece->parts[i];

		errnum = mw_stream_write(fd, zeros, part->zeros,
					 part->offset - part->zeros);
		if (!errnum)
			errnum = mw_stream_write(fd, from, part->bytes,
						 part->offset);
		from += part->bytes;
	}
	return errnum;
}

/** Write the oldest piece. Called and returns with the lock held. */
static void write_oldest(struct target_stream *s)
{
	struct stream_piece *piece = s->full[s->first];
	int errnum = s->errnum;

	pthread_mutex_unlock(&s->lock);
	if (!errnum)
		errnum = write_piece(s->fd, piece);
	pthread_mutex_lock(&s->lock);
	s->errnum = errnum;
	s->first = (s->first + 1) % PIECES;
	s->count--;
	s->empty[s->empty_count++] = piece;
	pthread_cond_broadcast(&s->emptied);
}

static void *write_all(void *ctx)
{
	struct target_stream *s = ctx;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (s->count < (s->begun ? 1 : PIECES_TO_BEGIN) && !s->ended)
			pthread_cond_wait(&s->filled, &s->lock);
		s->begun = true;
		if (s->count == 0)
			break;
		write_oldest(s);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

struct mw_error *mw_stream_begin(int fd, struct target_stream **ret)
{
	struct target_stream *s = mw_calloc(1, sizeof(*s));

	if (!s)
		return mw_error_nomem();
	s->fd = fd;
	s->memory = mw_map(PIECES * STREAM_PIECE_BYTES);
	if (!s->memory) {
		mw_free(s);
		return mw_error_nomem();
	}
	memset(s->memory, 1, PIECES * STREAM_PIECE_BYTES);
	for (size_t i = 0; i < PIECES; i++) {
		s->pieces[i].bytes = s->memory + i * STREAM_PIECE_BYTES;
		s->empty[s->empty_count++] = &s->pieces[i];
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->filled, NULL);
	pthread_cond_init(&s->emptied, NULL);
	// Without a thread, pieces are written when they are needed again.
	s->has_thread = pthread_create(&s->thread, NULL, write_all, s) == 0;
	*ret = s;
	return NULL;
}

/** Have the oldest piece written, now. With the lock held. */
static void wait_for_oldest(struct target_stream *s)
{
	if (!s->has_thread) {
		write_oldest(s);
		return;
	}
	s->begun = true;
	pthread_cond_signal(&s->filled);
	pthread_cond_wait(&s->emptied, &s->lock);
}

struct stream_piece *mw_stream_take(struct target_stream *s)
{
	struct stream_piece *piece = NULL;

	pthread_mutex_lock(&s->lock);
	while (!s->empty_count && !s->errnum)
		wait_for_oldest(s);
	if (!s->errnum) {
		// The one that was written last may still be in a cache.
		piece = s->empty[--s->empty_count];
		piece->used = piece->count = 0;
	}
	pthread_mutex_unlock(&s->lock);
	return piece;
}

void mw_stream_add(struct stream_piece *piece, uint64_t offset, size_t bytes)
{
	struct stream_part *part = piece->parts + piece->count;

	if (piece->count && part[-1].offset + part[-1].bytes == offset) {
		part[-1].bytes += bytes;
	} else {
		assert(piece->count < STREAM_PARTS);
		*part = (struct stream_part){ offset, bytes, 0 };
		piece->count++;
	}
	piece->used += bytes;
}

void mw_stream_add_after_gap(struct stream_piece *piece, uint64_t offset,
			     size_t bytes)
{
	struct stream_part *part = piece->parts + piece->count;
	uint64_t end = piece->count ? part[-1].offset + part[-1].bytes : 0;

	mw_stream_add(piece, offset, bytes);
	if (end && offset > end && offset - end <= STREAM_MOST_ZEROS)
		part->zeros = offset - end;
}

void mw_stream_give(struct target_stream *s, struct stream_piece *piece)
{
	pthread_mutex_lock(&s->lock);
	s->full[(s->first + s->count++) % PIECES] = piece;
	if (s->begun || s->count >= PIECES_TO_BEGIN)
		pthread_cond_signal(&s->filled);
	pthread_mutex_unlock(&s->lock);
}

bool mw_stream_settle(struct target_stream *s)
{
	bool good;

	pthread_mutex_lock(&s->lock);
	while (s->count)
		wait_for_oldest(s);
	s->begun = false;
	good = !s->errnum;
	pthread_mutex_unlock(&s->lock);
	return good;
}

/** Let the thread write what is left, or nothing more if @errnum. */
static int finish(struct target_stream *s, int errnum)
{
	pthread_mutex_lock(&s->lock);
	if (errnum && !s->errnum)
		s->errnum = errnum;
	s->ended = true;
	pthread_cond_signal(&s->filled);
	while (!s->has_thread && s->count)
		write_oldest(s);
	pthread_mutex_unlock(&s->lock);
	if (s->has_thread)
		pthread_join(s->thread, NULL);
	errnum = s->errnum;
	pthread_cond_destroy(&s->filled);
	pthread_cond_destroy(&s->emptied);
	pthread_mutex_destroy(&s->lock);
	mw_unmap(s->memory, PIECES * STREAM_PIECE_BYTES);
	mw_free(s);
	return errnum;
}

struct mw_error *mw_stream_end(struct target_stream *stream)
{
	int errnum = finish(stream, 0);

	return errnum ? mw_error_errno(errnum, "writing the snapshot") : NULL;
}

void mw_stream_abort(struct target_stream *stream)
{
	if (stream)
		finish(stream, ECANCELED);
}

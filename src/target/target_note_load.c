/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mw_guard.h"
#include "target_core.h"
#include "target_note.h"

/*
 * Reading the notes of a snapshot; their form is in target_note.h. They are
 * read piece by piece, and what is kept of each piece is checked before the
 * next one: a file that claims more than it holds costs nothing.
 */

struct reader {
	int fd;
	uint64_t offset, end; /* of what is not yet taken */
	uint64_t words[512];
	size_t at, have;
};

static struct mw_error *damaged(const struct reader *r, const char *what)
{
	return mw_error_at(MW_E_FORMAT, r->offset, "damaged note of %s", what);
}

static size_t read_some(struct reader *r, void *to, size_t bytes)
{
	size_t done = 0;

	bytes = mw_min(bytes, r->end - r->offset);
	while (done < bytes) {
		ssize_t got = pread(r->fd, (char *)to + done, bytes - done,
				    (off_t)(r->offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	r->offset += done;
	return done;
}

static bool take_word(struct reader *r, uint64_t *ret)
{
	if (r->at == r->have) {
		size_t got = read_some(r, r->words, sizeof(r->words));

		r->at = 0;
		r->have = got / 8;
		r->offset -= got % 8; // not a word's: text follows
		if (r->have == 0)
			return false;
	}
	*ret = r->words[r->at++];
	return true;
}

/**
 * Take a record of @in_file words, of which the first @count are wanted; those
 * that an older memwhy did not write are 0.
 */
static bool take_record(struct reader *r, uint64_t in_file, uint64_t *ret,
			size_t count)
{
	uint64_t unwanted;

	for (size_t i = 0; i < count; i++) {
		ret[i] = 0;
		if (i < in_file && !take_word(r, &ret[i]))
			return false;
	}
	for (uint64_t i = count; i < in_file; i++)
		if (!take_word(r, &unwanted))
			return false;
	return true;
}

static bool take_record_words(struct reader *r, uint64_t *ret)
{
	enum { MOST = 64 };

	return take_word(r, ret) && *ret > 0 && *ret <= MOST;
}

/** Begin to take bytes where the words end. */
static void leave_words(struct reader *r)
{
	r->offset -= (r->have - r->at) * 8;
	r->at = r->have = 0;
}

static struct mw_error *load_picture(struct mw_target *target,
				     struct reader *r)
{
	struct mw_kernel_books *b = &target->books;
	struct mw_start_info *s = &target->status.start;
	uint64_t version, in_file, w[24];
	char text[4096 + 256];
	size_t got, comm;

	if (!take_word(r, &version))
		return damaged(r, "the process");
	if (version != NOTE_VERSION)
		return mw_error_at(MW_E_UNSUPPORTED, r->offset, "a snapshot of "
				   "form %llu; this memwhy reads form %d",
				   (unsigned long long)version, NOTE_VERSION);
	if (!take_record_words(r, &in_file) ||
	    !take_record(r, in_file, w, MW_COUNT(w)))
		return damaged(r, "the process");
	leave_words(r);
	got = read_some(r, text, sizeof(text) - 1);
	text[got] = '\0';
	comm = strlen(text);

	target->info.pid = (int32_t)w[0];
	target->info.pages = w[1] <= MW_PAGE_DETAIL_SMAPS
				     ? (enum mw_page_detail)w[1]
				     : MW_PAGE_DETAIL_SCAN;
	target->info.unhalted = w[2];
	target->status.uid = (uint32_t)w[3];
	target->status.threads = (uint32_t)w[4];
	target->info.no_contents = w[5] & NOTE_NO_CONTENTS;
	*b = (struct mw_kernel_books){ w[6],  w[7],  w[8], w[9],
				       w[10], w[11], 0, 0 };
	*s = (struct mw_start_info){ w[12], w[13], w[14], w[15],
				     w[16], w[17], w[18] };
	target->exe_inode = w[19];
	target->exe_dev = w[20];
	target->info.snapshot_stopped_ns = w[21];
	target->info.snapshot_time_ns = w[22];
	target->info.snapshot_monotonic_ns = w[23];
	snprintf(target->status.comm, sizeof(target->status.comm), "%.63s",
		 text);
	mw_free(target->exe);
	target->exe = mw_strdup(comm < got ? text + comm + 1 : "");
	return target->exe ? NULL : mw_error_nomem();
}

static bool add_mapping(struct mw_target *target, const uint64_t *w)
{
	struct mw_mapping *m = mw_vec_push(&target->maps.list);

	if (!m)
		return false;
	*m = (struct mw_mapping){
		.start = w[0],
		.end = w[1],
		.offset = w[2],
		.inode = w[3],
		.dev_major = (uint32_t)(w[4] >> 32),
		.dev_minor = (uint32_t)w[4],
		.perms = (uint8_t)(w[5] & 15),
		.hugetlb = w[5] & 256,
		.path = (uint32_t)w[6],
		.unplaced_rss_bytes = mw_min(w[7], w[1] - w[0]),
		.unplaced_swap_bytes = mw_min(w[8], w[1] - w[0]),
	};
	return true;
}

/** Take the paths, and see that every mapping's lies in them. */
static struct mw_error *load_paths(struct mw_target *target, struct reader *r)
{
	struct mw_mappings *maps = &target->maps;
	char piece[4096];
	size_t got;

	leave_words(r);
	while ((got = read_some(r, piece, sizeof(piece))) > 0) {
		char *grown;

		// A path has at most 4 KiB, and some mapping has it.
		if (maps->paths.n / 4200 > maps->list.n)
			return damaged(r, "the mappings' names");
		if (maps->paths.n + got > maps->paths.cap) {
			size_t cap = (maps->paths.n + got) * 2;

			grown = mw_realloc(maps->paths.v, cap, 1);
			if (!grown)
				return mw_error_nomem();
			maps->paths.v = grown;
			maps->paths.cap = cap;
		}
		memcpy(maps->paths.v + maps->paths.n, piece, got);
		maps->paths.n += got;
	}
	if (maps->paths.n == 0 || maps->paths.v[maps->paths.n - 1] != '\0')
		return damaged(r, "the mappings' names");
	for (size_t i = 0; i < maps->list.n; i++)
		if (maps->list.v[i].path >= maps->paths.n)
			return damaged(r, "the mappings");
	return NULL;
}

static struct mw_error *load_mappings(struct mw_target *target,
				      struct reader *r)
{
	uint64_t count, in_file, w[9], end = 0;

	if (target->maps.list.n || !take_word(r, &count) ||
	    !take_record_words(r, &in_file))
		return damaged(r, "the mappings");
	for (uint64_t i = 0; i < count; i++) {
		if (!take_record(r, in_file, w, MW_COUNT(w)) ||
		    w[0] < end || w[0] >= w[1] || w[2] > INT64_MAX ||
		    w[1] - w[0] > INT64_MAX || w[6] > UINT32_MAX ||
		    !mw_is_aligned(w[0] | w[1], MW_PAGE_BYTES))
			return damaged(r, "the mappings");
		end = w[1];
		if (!add_mapping(target, w))
			return mw_error_nomem();
	}
	return load_paths(target, r);
}

static struct mw_error *load_pages(struct mw_target *target, struct reader *r)
{
	uint64_t run, end = 0;

	if (target->pages.runs.n)
		return damaged(r, "the pages");
	while (take_word(r, &run)) {
		uint64_t *place;

		if (mw_run_bytes(run) == 0 || mw_run_start(run) < end)
			return damaged(r, "the pages");
		end = mw_run_end(run);
		place = mw_vec_push(&target->pages.runs);
		if (!place)
			return mw_error_nomem();
		*place = run;
	}
	return NULL;
}

/** The note has no registers but those that all targets tell. */
static void find_registers(const struct mw_core *core, struct mw_thread *thread)
{
	for (size_t i = 0; i < core->threads.n; i++) {
		const struct mw_thread *same = &core->threads.v[i];

		if (same->tid != thread->tid || !same->has_registers)
			continue;
		thread->has_registers = true;
		memcpy(thread->registers, same->registers,
		       sizeof(thread->registers));
		return;
	}
}

static struct mw_error *load_threads(struct mw_target *target,
				     struct reader *r)
{
	uint64_t in_file, w[6];

	if (!take_record_words(r, &in_file))
		return damaged(r, "the threads");
	mw_threads_free(&target->threads);
	while (r->at < r->have || r->offset < r->end) {
		struct mw_thread *thread;

		if (!take_record(r, in_file, w, MW_COUNT(w)))
			return damaged(r, "the threads");
		thread = mw_vec_push(&target->threads.list);
		if (!thread)
			return mw_error_nomem();
		*thread = (struct mw_thread){
			.tid = (int32_t)w[0],
			.state = (char)w[1],
			.has_sp = w[1] & 256,
			.has_fs = w[1] & 512,
			.sp = w[2],
			.pc = w[3],
			.fs_base = w[4],
			.robust_list = w[5],
		};
		// Without contents they have been cleared.
		if (!target->info.no_contents)
			find_registers(target->of.core->core, thread);
	}
	return NULL;
}

static struct mw_error *load_smaps(struct mw_target *target, struct reader *r)
{
	struct mw_smaps_list *smaps = &target->of.core->smaps;
	uint64_t in_file;

	if (!take_record_words(r, &in_file))
		return damaged(r, "smaps");
	while (r->at < r->have || r->offset < r->end) {
		uint64_t w[sizeof(struct mw_smaps) / 8];
		struct mw_smaps *place;

		if (!take_record(r, in_file, w, MW_COUNT(w)))
			return damaged(r, "smaps");
		place = mw_vec_push(&smaps->list);
		if (!place)
			return mw_error_nomem();
		memcpy(place, w, sizeof(w));
	}
	return NULL;
}

static struct mw_error *load_files(struct mw_target *target, struct reader *r)
{
	struct target_core *core = target->of.core;
	uint64_t in_file, w[4];

	if (!take_record_words(r, &in_file))
		return damaged(r, "the files");
	while (r->at < r->have || r->offset < r->end) {
		struct core_file *file;
		uint64_t *at;

		if (!take_record(r, in_file, w, MW_COUNT(w)))
			return damaged(r, "the files");
		at = mw_map64_at(&core->file_at,
				 mw_core_file_key((uint32_t)(w[0] >> 32),
						  (uint32_t)w[0], w[1]));
		if (!at)
			return mw_error_nomem();
		if (*at)
			continue;
		file = mw_vec_push(&core->files);
		if (!file)
			return mw_error_nomem();
		*file = (struct core_file){ .bytes = w[2], .mtime_ns = w[3] };
		*at = core->files.n;
	}
	return NULL;
}

static struct mw_error *load_images(struct mw_target *target, struct reader *r)
{
	struct target_core *core = target->of.core;
	uint64_t count, in_file, w[IMAGE_WORDS];
	char piece[4096];
	size_t got;

	if (core->image_names.n || !take_word(r, &count) ||
	    !take_record_words(r, &in_file))
		return damaged(r, "the images");
	for (uint64_t i = 0; i < count; i++) {
		if (!take_record(r, in_file, w, IMAGE_WORDS))
			return damaged(r, "the images");
		for (size_t k = 0; k < IMAGE_WORDS; k++) {
			uint64_t *word = mw_vec_push(&core->image_words);

			if (!word)
				return mw_error_nomem();
			*word = w[k];
		}
	}
	leave_words(r);
	while ((got = read_some(r, piece, sizeof(piece))) > 0)
		for (size_t i = 0; i < got; i++) {
			char *place = mw_vec_push(&core->image_names);

			if (!place)
				return mw_error_nomem();
			*place = piece[i];
		}
	if (core->image_names.n == 0 ||
	    core->image_names.v[core->image_names.n - 1] != '\0')
		return damaged(r, "the images' names");
	return NULL;
}

static struct mw_error *load_remarks(struct mw_target *target,
				     struct reader *r)
{
	char text[8192];
	size_t got = read_some(r, text, sizeof(text) - 1);

	text[got] = '\0';
	for (char *save, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		mw_target_note(target, "%s", line);
	return NULL;
}

static struct mw_error *load_one(struct mw_target *target,
				 const struct mw_core_note *note, int fd)
{
	struct reader r = {
		.fd = fd,
		.offset = note->offset,
		.end = note->offset + note->bytes,
	};

	switch (note->type) {
	case NOTE_PICTURE:
		return load_picture(target, &r);
	case NOTE_MAPPINGS:
		return load_mappings(target, &r);
	case NOTE_PAGES:
		return load_pages(target, &r);
	case NOTE_THREADS:
		return load_threads(target, &r);
	case NOTE_SMAPS:
		return load_smaps(target, &r);
	case NOTE_FILES:
		return load_files(target, &r);
	case NOTE_REMARKS:
		return load_remarks(target, &r);
	case NOTE_IMAGES:
		return load_images(target, &r);
	}
	return NULL; // of a newer memwhy
}

struct mw_error *mw_note_load(struct mw_target *target,
			      const struct mw_core *core, int fd,
			      bool *ret_found)
{
	unsigned have = 0;

	*ret_found = false;
	for (size_t i = 0; i < core->notes.n; i++) {
		const struct mw_core_note *note = &core->notes.v[i];
		struct mw_error *error = load_one(target, note, fd);

		if (error)
			return error;
		if (note->type < 32)
			have |= 1u << note->type;
	}
	if (core->notes.n == 0)
		return NULL;
	if (!(have & 1u << NOTE_PICTURE) || !(have & 1u << NOTE_MAPPINGS) ||
	    !(have & 1u << NOTE_PAGES))
		return mw_error_at(MW_E_FORMAT, core->notes.v[0].offset,
				   "a snapshot without the notes of its "
				   "process, mappings or pages");
	*ret_found = true;
	return NULL;
}

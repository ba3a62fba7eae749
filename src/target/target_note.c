/* SPDX-License-Identifier: Apache-2.0 */
#include "target_note.h"

#include <string.h>
#include <unistd.h>

/* Writing the notes of a snapshot; their form is in target_note.h. */

static void put_words(struct mw_core_bytes *out, const uint64_t *words,
		      size_t count)
{
	mw_core_put(out, words, count * sizeof(*words));
}

static void put_text(struct mw_core_bytes *out, const char *text)
{
	mw_core_put(out, text, strlen(text) + 1);
}

static void put_picture(struct mw_core_bytes *out,
			const struct mw_target *target,
			const struct note_extra *extra)
{
	const struct mw_kernel_books *b = &target->books;
	const struct mw_start_info *s = &target->status.start;
	const uint64_t words[] = {
		(uint64_t)target->info.pid,
		target->info.pages,
		target->info.unhalted,
		target->status.uid,
		target->status.threads,
		extra->flags,
		b->vsz_bytes, b->rss_bytes, b->swap_bytes, b->rss_peak_bytes,
		b->page_table_bytes, b->locked_bytes,
		s->start_stack, s->arg_start, s->arg_end, s->env_start,
		s->env_end, s->start_brk, s->start_code,
		target->exe_inode, target->exe_dev,
		extra->stopped_ns, extra->time_ns, extra->monotonic_ns,
	};
	size_t note = mw_core_note_begin(out, NOTE_NAME, NOTE_PICTURE);

	mw_core_put_u64(out, NOTE_VERSION);
	mw_core_put_u64(out, MW_COUNT(words));
	put_words(out, words, MW_COUNT(words));
	put_text(out, target->info.comm);
	put_text(out, target->info.exe);
	mw_core_note_end(out, note);
}

static void put_mappings(struct mw_core_bytes *out,
			 const struct mw_mappings *maps)
{
	size_t note = mw_core_note_begin(out, NOTE_NAME, NOTE_MAPPINGS);

	mw_core_put_u64(out, maps->list.n);
	mw_core_put_u64(out, 9);
	for (size_t i = 0; i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];
		const uint64_t words[9] = {
			m->start, m->end, m->offset, m->inode,
			(uint64_t)m->dev_major << 32 | m->dev_minor,
			m->perms | (m->hugetlb ? 256u : 0u), m->path,
			m->unplaced_rss_bytes, m->unplaced_swap_bytes,
		};

		put_words(out, words, MW_COUNT(words));
	}
	mw_core_put(out, maps->paths.v, maps->paths.n);
	mw_core_note_end(out, note);
}

static void put_threads(struct mw_core_bytes *out,
			const struct mw_threads *threads)
{
	size_t note = mw_core_note_begin(out, NOTE_NAME, NOTE_THREADS);

	mw_core_put_u64(out, 6);
	for (size_t i = 0; i < threads->list.n; i++) {
		const struct mw_thread *t = &threads->list.v[i];
		const uint64_t words[6] = {
			(uint64_t)t->tid,
			(uint8_t)t->state | (t->has_sp ? 256u : 0u) |
				(t->has_fs ? 512u : 0u),
			t->sp, t->pc, t->fs_base, t->robust_list,
		};

		put_words(out, words, MW_COUNT(words));
	}
	mw_core_note_end(out, note);
}

static void put_smaps(struct mw_core_bytes *out,
		      const struct mw_smaps_list *smaps)
{
	size_t note = mw_core_note_begin(out, NOTE_NAME, NOTE_SMAPS);

	mw_core_put_u64(out, sizeof(struct mw_smaps) / 8);
	mw_core_put(out, smaps->list.v,
		    smaps->list.n * sizeof(struct mw_smaps));
	mw_core_note_end(out, note);
}

static bool is_same_file(const struct mw_mapping *a,
			 const struct mw_mapping *b)
{
	return a->inode == b->inode && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor;
}

/** Size and time of each mapped file; neighbours share one. */
static void put_files(struct mw_core_bytes *out,
		      const struct mw_target *target)
{
	size_t note = mw_core_note_begin(out, NOTE_NAME, NOTE_FILES);
	const struct mw_mapping *last = NULL;

	mw_core_put_u64(out, 4);
	for (size_t i = 0; i < target->maps.list.n; i++) {
		const struct mw_mapping *m = &target->maps.list.v[i];
		struct mw_error *error;
		struct stat st;
		int fd;

		if (m->inode == 0 || (last && is_same_file(last, m)))
			continue;
		last = m;
		error = target->source->open_file((struct mw_target *)target,
						  m, &fd);
		if (error) {
			mw_error_free(error);
			continue;
		}
		if (fstat(fd, &st) == 0) {
			const uint64_t words[4] = {
				(uint64_t)m->dev_major << 32 | m->dev_minor,
				m->inode, (uint64_t)st.st_size,
				(uint64_t)st.st_mtim.tv_sec * 1000000000u +
					(uint64_t)st.st_mtim.tv_nsec,
			};

			put_words(out, words, MW_COUNT(words));
		}
		close(fd);
	}
	mw_core_note_end(out, note);
}

static void put_remarks(struct mw_core_bytes *out,
			const struct note_extra *extra)
{
	size_t note = mw_core_note_begin(out, NOTE_NAME, NOTE_REMARKS);

	for (size_t i = 0; i < extra->remarks.n; i++) {
		mw_core_put(out, extra->remarks.v[i],
			    strlen(extra->remarks.v[i]));
		mw_core_put(out, "\n", 1);
	}
	mw_core_note_end(out, note);
}

void mw_note_put(struct mw_core_bytes *out, const struct mw_target *target,
		 const struct note_extra *extra)
{
	put_picture(out, target, extra);
	put_mappings(out, &target->maps);
	put_threads(out, &target->threads);
	put_files(out, target);
	mw_note_put_images(out, target);
	if (extra->smaps.list.n)
		put_smaps(out, &extra->smaps);
	if (extra->remarks.n)
		put_remarks(out, extra);
}

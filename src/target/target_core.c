/* SPDX-License-Identifier: Apache-2.0 */
#include "target_core.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mw_guard.h"
#include "target_note.h"

/* A core file. */

static size_t read_segment(const struct target_core *core,
			   const struct mw_core_segment *s, uint64_t va,
			   void *to, size_t bytes)
{
	uint64_t at = va - s->start;
	size_t done = 0;

	if (at >= s->file_bytes)
		return 0;
	bytes = mw_min(bytes, s->file_bytes - at);
	while (done < bytes) {
		ssize_t got = pread(core->fd, (char *)to + done, bytes - done,
				    (off_t)(s->offset + at + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break; // cut short since it was opened
		done += (size_t)got;
	}
	return done;
}

size_t mw_core_target_read(const struct mw_target *target, uint64_t va,
			   void *to, size_t bytes)
{
	const struct target_core *core = target->of.core;
	size_t done = 0;

	while (done < bytes) {
		const struct mw_core_segment *s =
			mw_core_find(core->core, va + done);
		size_t want = s ? mw_min(bytes - done, s->end - (va + done))
				: 0;
		size_t got = s ? read_segment(core, s, va + done,
					      (char *)to + done, want)
			       : 0;

		done += got;
		if (got < want || want == 0)
			break;
	}
	return done;
}

bool mw_core_target_read_all(const struct mw_target *target, uint64_t va,
			     void *to, size_t bytes)
{
	return mw_core_target_read(target, va, to, bytes) == bytes;
}

/** A page of zeros that the kernel shared was not worth storing. */
static bool is_zero_page(const struct mw_target *target, uint64_t va)
{
	return mw_pages_state(&target->pages, va) & MW_PAGE_ZERO;
}

static size_t read_range(const struct mw_target *target,
			 const struct mw_remote *range)
{
	size_t done = 0;

	while (done < range->bytes) {
		uint64_t va = range->va + done;
		uint8_t *to = (uint8_t *)range->to + done;
		size_t left = range->bytes - done;

		done += mw_core_target_read(target, va, to, left);
		if (done == range->bytes)
			break;
		va = range->va + done;
		to = (uint8_t *)range->to + done;
		left = mw_min(range->bytes - done,
			      MW_PAGE_BYTES - va % MW_PAGE_BYTES);
		if (!is_zero_page(target, va))
			break;
		memset(to, 0, left);
		done += left;
	}
	return done;
}

static size_t read_present(const struct mw_target *target,
			   const struct mw_remote *ranges, size_t count)
{
	size_t done = 0;

	for (size_t i = 0; i < count; i++) {
		size_t got = read_range(target, &ranges[i]);

		done += got;
		if (got < ranges[i].bytes)
			break;
	}
	return done;
}

/** Whether a core that was cut short had the page at @va. */
static bool was_cut(const struct target_core *core, uint64_t va)
{
	const struct mw_core_segment *s = mw_core_find(core->core, va);

	return s && va - s->start < s->file_bytes + s->cut_bytes;
}

static bool read_absent(struct mw_target *target,
			const struct mw_mapping *mapping, uint64_t va,
			uint8_t *to)
{
	int fd;

	if (!(mapping->perms & MW_PERM_R) || !mw_mapping_has_states(mapping) ||
	    was_cut(target->of.core, va))
		return false;
	if (mw_mapping_is_anonymous(mapping)) {
		if (target->absent_is_unknown)
			return false;
		memset(to, 0, MW_PAGE_BYTES);
		return true;
	}
	if (mapping->inode == 0 || mapping->hugetlb)
		return false;
	fd = mw_target_file_of(target, mapping);
	return fd >= 0 && mw_target_read_file_page(fd, mapping, va, to);
}

static struct mw_error *smaps(struct mw_target *target,
			      struct mw_smaps_list *ret)
{
	const struct mw_smaps_list *have = &target->of.core->smaps;

	if (have->list.n == 0) {
		mw_target_note(target, "the core has no figures of smaps: "
			       "what is dirty, locked, huge or shared is not "
			       "known");
		return NULL;
	}
	for (size_t i = 0; i < have->list.n; i++) {
		struct mw_smaps *place = mw_vec_push(&ret->list);

		if (!place) {
			mw_smaps_free(ret);
			return mw_error_nomem();
		}
		*place = have->list.v[i];
	}
	return NULL;
}

static void close_core(struct mw_target *target)
{
	struct target_core *core = target->of.core;

	if (!core)
		return;
	mw_closep(&core->fd);
	mw_core_free(core->core);
	mw_vec_free(&core->files);
	mw_map64_free(&core->file_at);
	mw_smaps_free(&core->smaps);
	mw_vec_free(&core->image_words);
	mw_vec_free(&core->image_names);
	mw_free(core->exe_option);
	mw_free(core);
}

static const struct target_source core_source = {
	.read_present = read_present,
	.read_absent = read_absent,
	.open_file = mw_core_open_file,
	.tables = mw_note_tables,
	.smaps = smaps,
	.close = close_core,
};

/** Threads, auxiliary vector, name: what every core tells. */
static struct mw_error *take_notes(struct mw_target *target)
{
	struct mw_core *core = target->of.core->core;

	for (size_t i = 0; i < core->threads.n; i++) {
		struct mw_thread *thread = mw_vec_push(&target->threads.list);

		if (!thread)
			return mw_error_nomem();
		*thread = core->threads.v[i];
	}
	target->auxv = mw_steal(core->auxv);
	target->auxv_bytes = core->auxv_bytes;
	target->info.pid = core->pid;
	if (!core->pid && core->threads.n)
		target->info.pid = core->threads.v[0].tid;
	target->status.uid = core->uid;
	target->status.threads = (uint32_t)core->threads.n;
	snprintf(target->status.comm, sizeof(target->status.comm), "%s",
		 core->comm);
	return NULL;
}

/** Without the kernel's figures, what the core has stands for them. */
static void fill_books(struct mw_target *target)
{
	struct mw_tally tally = { 0 };
	size_t hint = 0;

	for (size_t i = 0; i < target->maps.list.n; i++) {
		const struct mw_mapping *m = &target->maps.list.v[i];

		tally.vsz_bytes += mw_mapping_bytes(m);
		mw_pages_tally(&target->pages, &hint, m->start, m->end,
			       &tally);
	}
	target->books = (struct mw_kernel_books){
		.vsz_bytes = tally.vsz_bytes,
		.rss_bytes = tally.rss_bytes,
	};
}

static void note_limits(struct mw_target *target)
{
	const struct mw_core *core = target->of.core->core;

	if (core->missing_bytes)
		mw_target_note(target, "the core was cut short: %llu bytes "
			       "from offset %#llx on are missing",
			       (unsigned long long)core->missing_bytes,
			       (unsigned long long)core->missing_offset);
	if (core->damaged_notes)
		mw_target_note(target, "the core has damaged notes, the first "
			       "at offset %#llx",
			       (unsigned long long)core->damaged_offset);
	if (target->info.no_contents)
		mw_target_note(target, "a snapshot without contents: what can "
			       "hold user data reads as zeros");
	if (!target->info.is_snapshot)
		mw_target_note(target, "a core does not tell which pages were "
			       "resident or swapped: what it has counts as "
			       "resident, and the audit is against the core");
	if (target->threads.list.n == 0)
		mw_target_note(target, "the core tells no thread");
}

/** The file that the executable was mapped from; "" when not known. */
static struct mw_error *find_exe(struct mw_target *target)
{
	const struct mw_mapping *m;
	uint64_t va = target->of.core->executable;

	if (target->exe)
		return NULL;
	if (!va && !mw_target_auxv(target, AT_PHDR, &va))
		mw_target_auxv(target, AT_ENTRY, &va);
	m = mw_mappings_find(&target->maps, va);
	target->exe = mw_strdup(m ? mw_mapping_path(&target->maps, m) : "");
	return target->exe ? NULL : mw_error_nomem();
}

static struct mw_error *take_picture(struct mw_target *target)
{
	struct target_core *core = target->of.core;
	struct mw_error *error = take_notes(target);
	bool found = false;

	target->info.is_64 = true;
	if (!error)
		error = mw_note_load(target, core->core, core->fd, &found);
	target->info.is_snapshot = found;
	if (error || found)
		return error;
	target->absent_is_unknown = true;
	if (core->core->files.n == 0)
		error = mw_core_guess_files(target);
	if (!error)
		error = mw_core_make_picture(target);
	if (!error)
		fill_books(target);
	return error;
}

/** The message with the file, and where in it something is wrong. */
static struct mw_error *tell_place(struct mw_error *error, const char *path)
{
	if (!error->has_where)
		return mw_error_prefix(error, "%s", path);
	return mw_error_prefix(error, "%s, offset %#llx", path,
			       (unsigned long long)error->where);
}

static struct mw_error *open_all(struct mw_target *target, const char *path,
				 const struct mw_target_options *options)
{
	struct target_core *core = target->of.core;
	struct mw_error *error;
	struct stat st;

	if (options->exe) {
		core->exe_option = mw_strdup(options->exe);
		if (!core->exe_option)
			return mw_error_nomem();
	}
	error = mw_target_open_regular(path, &core->fd, &st);
	if (error)
		return error;
	error = mw_core_load(core->fd, &core->core);
	if (!error)
		error = take_picture(target);
	if (!error && target->maps.list.n == 0)
		error = mw_error_at(MW_E_FORMAT, 0, "the core has no memory");
	if (error)
		return tell_place(error, path);
	error = find_exe(target);
	if (!error)
		error = mw_core_list_files(target);
	return error;
}

struct mw_error *mw_target_open_core(const char *path,
				     const struct mw_target_options *options,
				     struct mw_target **ret)
{
	MW_CLEANUP(mw_target_closep) struct mw_target *target =
		mw_target_new(&core_source);
	struct mw_error *error;

	if (!target)
		return mw_error_nomem();
	target->of.core = mw_calloc(1, sizeof(*target->of.core));
	if (!target->of.core)
		return mw_error_nomem();
	target->of.core->fd = -1;
	error = open_all(target, path, options);
	if (error)
		return error;
	target->info.kind = MW_TARGET_CORE;
	target->info.mode = MW_CAPTURE_CORE;
	target->info.comm = target->status.comm;
	target->info.exe = target->exe;
	target->info.can_read = true;
	note_limits(target);
	error = mw_target_find_images(target);
	if (error)
		return error;
	*ret = mw_steal(target);
	return NULL;
}

struct mw_error *mw_target_open_path(const char *path,
				     const struct mw_target_options *options,
				     struct mw_target **ret)
{
	MW_CLEANUP(mw_closep) int fd = -1;
	struct stat st;
	struct mw_error *error = mw_target_open_regular(path, &fd, &st);

	if (error)
		return error;
	return mw_core_has_magic(fd) ? mw_target_open_core(path, options, ret)
				     : mw_target_open_file(path, ret);
}

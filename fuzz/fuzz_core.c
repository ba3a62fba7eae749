/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "mw_guard.h"
#include "mw_target.h"

/* A core as a target: its tables, notes and pages, and what is made of them. */

static void check_maps(const struct mw_target *target)
{
	const struct mw_mappings *maps = mw_target_mappings(target);
	const struct mw_pages *pages = mw_target_pages(target);
	uint64_t end = 0;

	CHECK(maps->list.n > 0);
	for (size_t i = 0; i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];

		CHECK(m->start >= end && m->start < m->end);
		CHECK(mw_is_aligned(m->start | m->end, MW_PAGE_BYTES));
		CHECK(m->path < maps->paths.n);
		CHECK(strlen(mw_mapping_path(maps, m)) < maps->paths.n);
		end = m->end;
	}
	end = 0;
	for (size_t i = 0; i < pages->runs.n; i++) {
		CHECK(mw_run_start(pages->runs.v[i]) >= end);
		CHECK(mw_run_bytes(pages->runs.v[i]) > 0);
		end = mw_run_end(pages->runs.v[i]);
	}
}

/** No more is kept than the file can have told. */
static void check_size(const struct mw_target *target, size_t size)
{
	size_t threads, images, notes;

	mw_target_threads(target, &threads);
	mw_target_images(target, &images);
	mw_target_notes(target, &notes);
	CHECK(threads <= size / 40);
	CHECK(mw_target_pages(target)->runs.n <= size / 8 + size / 56 + 1);
	// A segment, a listed file, and the pieces between them.
	CHECK(mw_target_mappings(target)->list.n <= size / 8);
	CHECK(images <= mw_target_mappings(target)->list.n);
	CHECK(notes <= 100);
}

static void read_some(struct mw_target *target)
{
	const struct mw_mappings *maps = mw_target_mappings(target);
	struct mw_smaps_figures *smaps = NULL;
	uint8_t bytes[256];

	for (size_t i = 0; i < maps->list.n && i < 64; i++) {
		const struct mw_mapping *m = &maps->list.v[i];

		mw_target_read(target, m->start, bytes, sizeof(bytes));
		mw_target_read(target, m->end - 1, bytes, 1);
		mw_target_copy(target, m->start, bytes, sizeof(bytes));
		mw_target_view(target, m->start + 8, 8);
		mw_target_peek(target, m->start, bytes, 8);
	}
	mw_error_free(mw_target_smaps(target, &smaps));
	mw_free(smaps);
}

static void run(void *ctx)
{
	MW_CLEANUP(mw_target_closep) struct mw_target *target = NULL;
	struct mw_target_options options = { .mode = MW_CAPTURE_CORE };
	const size_t *size = ((void **)ctx)[1];
	struct mw_error *error = mw_target_open_core(((void **)ctx)[0],
						     &options, &target);

	CHECK(!error == !!target);
	if (error) {
		CHECK(error->message && *error->message);
		CHECK(error->code != MW_E_NOMEM || mw_alloc_failed());
		mw_error_free(error);
		return;
	}
	check_maps(target);
	check_size(target, *size);
	read_some(target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	void *ctx[2] = { path, &size };

	snprintf(path, sizeof(path), "/proc/self/fd/%d",
		 fuzz_file(data, size));
	fuzz_starve(data, size, run, ctx);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_go_profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "mw_guard.h"
#include "mw_hash.h"

/* Samples of a profile: into the file, and summed up by function. */

static void add_mapping(struct profile *p)
{
	size_t count;
	const struct mw_image *images =
		mw_target_images(p->target, &count);

	for (size_t i = 0; i < count; i++) {
		const struct mw_image *image = &images[i];
		char build_id[2 * sizeof(image->elf->build_id) + 1] = "";

		if (image->kind != MW_IMAGE_EXECUTABLE)
			continue;
		for (size_t k = 0; k < image->elf->build_id_bytes; k++)
			snprintf(build_id + 2 * k, 3, "%02x",
				 image->elf->build_id[k]);
		mw_pprof_mapping(p->pprof, image->start, image->end, 0,
				 image->path, build_id);
		return;
	}
}

struct mw_error *profile_begin(struct profile *p)
{
	struct mw_error *error = mw_pprof_new(&p->pprof);

	if (!error)
		add_mapping(p);
	return error;
}

void profile_free(struct profile *p)
{
	for (size_t i = 0; i < p->functions.n; i++)
		mw_free(p->functions.v[i].name);
	mw_vec_free(&p->functions);
	mw_vec_free(&p->locations);
	mw_map64_free(&p->by_hash);
	mw_pprof_free(p->pprof);
}

static struct profile_function *function_called(struct profile *p,
						const char *name)
{
	struct profile_function *f;
	uint64_t *place = mw_map64_at(&p->by_hash,
				      mw_hash_text(MW_HASH_START, name));

	if (!place)
		return NULL;
	if (*place && strcmp(p->functions.v[*place - 1].name, name) == 0)
		return &p->functions.v[*place - 1];
	f = mw_vec_push(&p->functions);
	if (!f)
		return NULL;
	*f = (struct profile_function){ .name = mw_strdup(name) };
	if (!f->name) {
		p->functions.n--;
		return NULL;
	}
	*place = p->functions.n;
	return f;
}

void profile_sample(struct profile *p)
{
	p->samples++;
	p->depth = 0;
	p->locations.n = 0;
	p->line_count = 0;
}

void profile_frame(struct profile *p)
{
	uint64_t *location;

	if (p->line_count == 0)
		return;
	location = mw_vec_push(&p->locations);
	if (location)
		*location = mw_pprof_location(p->pprof, p->key, p->address,
					      p->lines, p->line_count);
	else
		p->failed = true;
	p->line_count = 0;
}

/** A place is known by its address and what was inlined there. */
static uint64_t mix(uint64_t key, const struct mw_pprof_line *line)
{
	key = (key ^ mw_hash_text(MW_HASH_START, line->function)) *
	      UINT64_C(0x9e3779b97f4a7c15);
	key = (key ^ key >> 29 ^ mw_hash_text(MW_HASH_START, line->file)) *
	      UINT64_C(0xbf58476d1ce4e5b9);
	return key ^ key >> 31 ^ line->line;
}

void profile_line(struct profile *p, const struct mw_go_line *line,
		  uint64_t pc, const int64_t *values)
{
	struct profile_function *f = function_called(p, line->function);

	if (!f) {
		p->failed = true;
		return;
	}
	for (size_t i = 0; i < p->values; i++) {
		if (p->depth == 0)
			f->flat[i] += values[i];
		// A function that calls itself counts once.
		if (f->sample != p->samples)
			f->cumulative[i] += values[i];
	}
	f->sample = p->samples;
	p->depth++;
	if (p->line_count == 0)
		p->address = p->key = pc;
	p->lines[p->line_count] =
		(struct mw_pprof_line){ f->name, line->file, line->line };
	p->key = mix(p->key, &p->lines[p->line_count++]);
	if (!line->is_inlined || p->line_count == MW_COUNT(p->lines))
		profile_frame(p);
}

void profile_end(struct profile *p, const int64_t *values,
		 const struct mw_pprof_label *labels, size_t label_count)
{
	profile_frame(p);
	for (size_t i = 0; i < p->values; i++)
		p->total[i] += values[i];
	mw_pprof_sample(p->pprof, p->locations.v, p->locations.n, values,
			p->values, labels, label_count);
}

struct mw_error *profile_write(struct profile *p, int fd)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_REALTIME, &now);
	mw_pprof_time(p->pprof, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
	return mw_pprof_write(p->pprof, fd);
}

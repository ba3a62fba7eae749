/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_names.h"
#include "cmd_ranges.h"
#include "mw_guard.h"
#include "mw_kernel.h"

struct cmd_choice cmd_choice;

/* Lists of ranges */

struct mw_error *cmd_ranges_add(struct cmd_ranges *ranges, uint64_t start,
				uint64_t end)
{
	struct cmd_range *last = ranges->list.n
					 ? &ranges->list.v[ranges->list.n - 1]
					 : NULL;

	if (start >= end)
		return NULL;
	if (last && last->end == start) {
		last->end = end;
		return NULL;
	}
	last = mw_vec_push(&ranges->list);
	if (!last)
		return mw_error_nomem();
	*last = (struct cmd_range){ start, end };
	return NULL;
}

static int by_start(const void *a, const void *b)
{
	const struct cmd_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

void cmd_ranges_tidy(struct cmd_ranges *ranges)
{
	struct cmd_range *v = ranges->list.v;
	size_t kept = 0;

	if (ranges->list.n > 0)
		qsort(v, ranges->list.n, sizeof(*v), by_start);
	for (size_t i = 0; i < ranges->list.n; i++) {
		if (kept > 0 && v[i].start <= v[kept - 1].end)
			v[kept - 1].end = mw_max(v[kept - 1].end, v[i].end);
		else
			v[kept++] = v[i];
	}
	ranges->list.n = kept;
}

/* Numbers */

/** Parse a number up to @*at; false when there is none. */
static bool take_number(const char **at, int base, uint64_t *ret)
{
	char *end;

	// What strtoull() would accept in front.
	if (strspn(*at, " \t\n\v\f\r+-"))
		return false;
	errno = 0;
	unsigned long long value = strtoull(*at, &end, base);
	if (errno || end == *at)
		return false;
	*ret = value;
	*at = end;
	return true;
}

bool cmd_parse_address(const char *text, uint64_t *ret)
{
	uint64_t value;

	if (!take_number(&text, 16, &value) || *text)
		return false;
	*ret = value;
	return true;
}

struct mw_error *cmd_parse_range(const char *text, uint64_t *ret_start,
				 uint64_t *ret_end)
{
	const char *at = text;
	uint64_t start, end = 0;
	bool good = take_number(&at, 16, &start);

	if (good && *at == '-') {
		at++;
		good = take_number(&at, 16, &end);
	} else if (good && *at == '+') {
		at++;
		good = take_number(&at, 0, &end) &&
		       mw_end(start, end, &end);
	} else {
		good = false;
	}
	if (!good || *at)
		return mw_error_new(MW_E_USAGE, "%s is not a range: write "
				    "START-END in hexadecimal, or START+BYTES",
				    text);
	if (end <= start)
		return mw_error_new(MW_E_USAGE, "%s is an empty range", text);
	*ret_start = start;
	*ret_end = end;
	return NULL;
}

/* What was chosen */

static struct mw_error *choose_range(const struct mw_target *target,
				     const char *text,
				     struct cmd_ranges *ranges)
{
	const struct mw_mappings *maps = mw_target_mappings(target);
	uint64_t start, end;
	struct mw_error *error = cmd_parse_range(text, &start, &end);

	if (error)
		return error;
	size_t at = mw_mappings_after(maps, start);
	if (at == maps->list.n || maps->list.v[at].start >= end)
		return mw_error_at(MW_E_RANGE, start, "0x%" PRIx64 "-0x%"
				   PRIx64 ": nothing is mapped there "
				   "(`memwhy maps` lists what is)", start,
				   end);
	return cmd_ranges_add(ranges, start, end);
}

static bool is_called(const char *path, const char *name)
{
	static const char deleted[] = " (deleted)";
	size_t length = strlen(path), tail = sizeof(deleted) - 1;
	size_t name_length = strlen(name);

	if (strcmp(path, name) == 0)
		return true;
	if (length > tail && strcmp(path + length - tail, deleted) == 0)
		length -= tail;
	if (length < name_length || path[0] != '/' ||
	    strncmp(path + length - name_length, name, name_length) != 0)
		return false;
	return length == name_length || path[length - name_length - 1] == '/';
}

static struct mw_error *choose_mapping(const struct mw_target *target,
				       const char *name,
				       struct cmd_ranges *ranges)
{
	const struct mw_mappings *maps = mw_target_mappings(target);
	struct mw_error *error = NULL;
	uint64_t va;

	if (cmd_parse_address(name, &va)) {
		const struct mw_mapping *m = mw_mappings_find(maps, va);

		if (!m)
			return mw_error_at(MW_E_RANGE, va, "0x%" PRIx64
					   " is not mapped", va);
		return cmd_ranges_add(ranges, m->start, m->end);
	}
	for (size_t i = 0; !error && i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];

		if (is_called(mw_mapping_path(maps, m), name))
			error = cmd_ranges_add(ranges, m->start, m->end);
	}
	if (!error && ranges->list.n == 0)
		error = mw_error_new(MW_E_NOT_FOUND, "no mapping is called "
				     "%s (`memwhy maps --verbose` lists them)",
				     name);
	return error;
}

static struct mw_error *choose_all(const struct mw_target *target,
				   struct cmd_ranges *ranges)
{
	const struct mw_mappings *maps = mw_target_mappings(target);
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];

		// The kernel's clock data can be copied by nobody.
		if (m->perms & MW_PERM_R &&
		    strncmp(mw_mapping_path(maps, m), "[vvar", 5) != 0)
			error = cmd_ranges_add(ranges, m->start, m->end);
	}
	return error;
}

/* Sections */

/** The image that @name's part in front of a ':' names; *@name moves on. */
static const struct mw_image *choose_image(const struct mw_target *target,
					   const char **name)
{
	const char *colon = strrchr(*name, ':');
	size_t count, bytes = colon ? (size_t)(colon - *name) : 0;
	const struct mw_image *images = mw_target_images(target, &count);
	const struct mw_image *executable = NULL;

	for (size_t i = 0; i < count; i++) {
		if (images[i].kind == MW_IMAGE_EXECUTABLE && !executable)
			executable = &images[i];
		if (cmd_image_is_called(&images[i], *name, bytes)) {
			*name = colon + 1;
			return &images[i];
		}
	}
	// A file that does not run may be a shared object.
	return executable ? executable : count > 0 ? &images[0] : NULL;
}

static struct mw_error *choose_section(struct cmd_bytes *bytes,
				       const char *name)
{
	struct mw_target *target = bytes->books.target;
	const struct mw_image *image = choose_image(target, &name);
	const struct mw_elf_section *section;
	uint64_t start, end;

	if (!image)
		return mw_error_new(MW_E_NOT_FOUND, "the target has no ELF "
				    "file whose sections could be told");
	section = mw_elf_find_section(image->elf, name);
	if (!section)
		return cmd_no_section(image->name, image->elf->sections.v,
				      image->elf->sections.n, name);
	if (mw_target_info(target)->kind == MW_TARGET_FILE &&
	    section->type != SHT_NOBITS) {
		bytes->file_section = section;
		return mw_target_open_image(target, image, &bytes->file_fd);
	}
	if (!(section->flags & SHF_ALLOC))
		return mw_error_new(MW_E_NOT_FOUND, "section %s is not loaded "
				    "into memory; give %s itself as the "
				    "target", name, image->path);
	start = section->addr + image->bias;
	if (!mw_end(start, section->size, &end) || start == end)
		return mw_error_new(MW_E_NOT_FOUND, "section %s is empty",
				    name);
	return cmd_ranges_add(&bytes->ranges, start, end);
}

/* Symbols */

static struct mw_error *find_symbol(struct mw_target *target, const char *name,
				    uint64_t *ret_start, uint64_t *ret_end)
{
	MW_CLEANUP(cmd_names_closep) struct cmd_names *names = NULL;
	const char *rest = name;
	const struct mw_image *image = choose_image(target, &rest);
	struct cmd_name found;
	struct mw_error *error = cmd_names_open(target, &names);

	if (error)
		return error;
	error = rest == name ? cmd_names_find(names, name, &found)
			     : cmd_names_find_in(names, image, rest, &found);
	if (error)
		return error;
	*ret_start = found.start;
	*ret_end = cmd_names_end(names, &found);
	return NULL;
}

static struct mw_error *choose_symbol(struct mw_target *target,
				      const char *text,
				      struct cmd_ranges *ranges)
{
	const char *plus = strrchr(text, '+'), *at = plus ? plus + 1 : text;
	MW_CLEANUP(mw_freep) char *name = NULL;
	uint64_t start, end, offset = 0;
	struct mw_error *error = find_symbol(target, text, &start, &end);

	if (error && error->code == MW_E_NOT_FOUND && plus &&
	    take_number(&at, 0, &offset) && !*at) {
		mw_error_free(error);
		name = mw_strndup(text, (size_t)(plus - text));
		error = name ? find_symbol(target, name, &start, &end)
			     : mw_error_nomem();
	}
	if (error)
		return error;
	if (start >= end)
		return mw_error_at(MW_E_RANGE, start, "%s is at 0x%" PRIx64
				   " and has no bytes", text, start);
	if (offset >= end - start)
		return mw_error_at(MW_E_RANGE, start, "%s: the symbol has "
				   "only %" PRIu64 " bytes", text,
				   end - start);
	return cmd_ranges_add(ranges, start + offset, end);
}

/* All together */

static size_t count_choices(void)
{
	const struct cmd_choice *c = &cmd_choice;

	return (size_t)!!c->range + !!c->account + !!c->section +
	       !!c->symbol + !!c->mapping + c->all;
}

static struct mw_error *choose(const struct cmd_call *call,
			       struct cmd_bytes *bytes)
{
	struct mw_target *target = bytes->books.target;

	if (cmd_choice.range)
		return choose_range(target, cmd_choice.range, &bytes->ranges);
	if (cmd_choice.mapping)
		return choose_mapping(target, cmd_choice.mapping,
				      &bytes->ranges);
	if (cmd_choice.section)
		return choose_section(bytes, cmd_choice.section);
	if (cmd_choice.symbol)
		return choose_symbol(target, cmd_choice.symbol,
				     &bytes->ranges);
	if (cmd_choice.account)
		return cmd_account_ranges(call, cmd_choice.account,
					  &bytes->books, &bytes->ranges);
	return choose_all(target, &bytes->ranges);
}

/** The section of a file as the only extent. */
static struct mw_error *add_section_extent(struct cmd_bytes *bytes)
{
	const struct mw_elf_section *s = bytes->file_section;
	struct mw_extent *extent;
	uint64_t end;

	if (s->size == 0 || !mw_end(s->addr, s->size, &end))
		return mw_error_new(MW_E_NOT_FOUND, "section %s is empty",
				    s->name);
	extent = mw_vec_push(&bytes->extents.list);
	if (!extent)
		return mw_error_nomem();
	*extent = (struct mw_extent){ s->addr, end, MW_BYTES_PRESENT };
	return cmd_ranges_add(&bytes->ranges, s->addr, end);
}

struct mw_error *cmd_bytes_take(const struct cmd_call *call,
				bool all_is_default, struct cmd_bytes *bytes)
{
	const struct mw_target_info *info;
	struct mw_error *error;

	bytes->file_fd = -1;
	if (count_choices() > 1)
		return mw_error_new(MW_E_USAGE, "choose bytes in one way "
				    "only: --range, --mapping, --section, "
				    "--symbol, --account or --all");
	if (count_choices() == 0 && !all_is_default)
		return mw_error_new(MW_E_USAGE, "which bytes? Choose with "
				    "--range, --mapping, --section, "
				    "--symbol, --account or --all");
	bytes->begun_ns = mw_kernel_now();
	error = cmd_open_target(call, &bytes->books.target);
	if (error)
		return error;
	if (call->capture.mode == MW_CAPTURE_STOP)
		cmd_hold_output(bytes);
	info = mw_target_info(bytes->books.target);
	// What a file that does not run, or a core, leaves to files, was there.
	if (info->kind == MW_TARGET_FILE ||
	    (info->kind == MW_TARGET_CORE && !info->is_snapshot))
		cmd_choice.from_files = true;
	error = choose(call, bytes);
	if (error)
		return error;
	if (bytes->file_section)
		return add_section_extent(bytes);
	cmd_ranges_tidy(&bytes->ranges);
	for (size_t i = 0; !error && i < bytes->ranges.list.n; i++)
		error = mw_target_extents(bytes->books.target,
					  bytes->ranges.list.v[i].start,
					  bytes->ranges.list.v[i].end,
					  &bytes->extents);
	return error;
}

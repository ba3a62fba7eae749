/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "mw_elf_file.h"
#include "mw_go_buildinfo.h"
#include "mw_guard.h"
#include "mw_num.h"

/*
 * Build info (debug/buildinfo/buildinfo.go of Go), 16-aligned:
 *	0	"\xff Go buildinf:"	14	u8 pointer size
 *	15	u8 flags: 1 big-endian, 2 strings inline (Go 1.18)
 *	16	without flag 2: pointers to two string headers (pointer and
 *		length): the version and the module text
 *	32	with flag 2: length in LEB128, then the version; then the same
 *		for the module text
 * The module text stands between two markers of 16 random bytes.
 */
static const char magic[] = "\xff Go buildinf:";
#define MAGIC_BYTES 14
#define HEAD 32
#define MARKER 16
#define MAX_VERSION 4096
#define MAX_TEXT MW_MIB(64)

struct reader {
	struct mw_target *target; /* NULL: from a section of @file */
	const struct mw_image *image;
	const struct mw_elf_file *file;
	const struct mw_elf_section *section;
	uint64_t searched; /* bytes */
	bool is_big_endian;
	unsigned word; /* bytes of a pointer */
	struct mw_go_buildinfo *info;
};

static bool read_bytes(const struct reader *r, uint64_t va, void *to,
		       uint64_t bytes)
{
	if (r->target)
		return mw_target_read(r->target, va, to, bytes);
	return va >= r->section->addr &&
	       mw_within(va - r->section->addr, bytes, 0, r->section->size) &&
	       mw_elf_file_read(r->file,
				va - r->section->addr + r->section->offset, to,
				bytes);
}

/** How long a string can be at most, whatever is said of it. */
static uint64_t room(const struct reader *r)
{
	return r->target ? r->image->end - r->image->start : r->section->size;
}

static struct mw_error *damaged(const struct reader *r, const char *what)
{
	return mw_error_at(MW_E_FORMAT, r->info->address, "the Go build info at "
			   "0x%" PRIx64 " is damaged: %s", r->info->address,
			   what);
}

static bool read_word(const struct reader *r, uint64_t va, uint64_t *ret)
{
	uint8_t raw[8];
	uint64_t value = 0;

	if (!read_bytes(r, va, raw, r->word))
		return false;
	for (unsigned i = 0; i < r->word; i++)
		value |= (uint64_t)raw[i]
			 << 8 * (r->is_big_endian ? r->word - 1 - i : i);
	*ret = value;
	return true;
}

/** A copy of @bytes at @va with a NUL behind them. */
static struct mw_error *copy_text(const struct reader *r, uint64_t va,
				  uint64_t bytes, uint64_t limit, char **ret)
{
	MW_CLEANUP(mw_freep) char *text = NULL;

	// The image has to have room for it before we make room.
	if (bytes > limit || bytes > room(r))
		return damaged(r, "a string is too long");
	text = mw_calloc(bytes + 1, 1);
	if (!text)
		return mw_error_nomem();
	if (bytes && !read_bytes(r, va, text, bytes))
		return damaged(r, "a string cannot be read");
	*ret = mw_steal(text);
	return NULL;
}

static struct mw_error *take_modules(const struct reader *r, char *text,
				     uint64_t bytes)
{
	// As Go decides whether there are any.
	if (bytes < 2 * MARKER + 1 || text[bytes - MARKER - 1] != '\n')
		return mw_go_buildinfo_parse(r->info, "", 0);
	return mw_go_buildinfo_parse(r->info, text + MARKER,
				     bytes - 2 * MARKER);
}

/** The string with its length in front; moves *@va behind it. */
static struct mw_error *inline_text(const struct reader *r, uint64_t *va,
				    uint64_t limit, char **ret,
				    uint64_t *ret_bytes)
{
	struct mw_error *error;
	uint64_t bytes = 0;
	uint8_t byte = 0x80;

	for (unsigned shift = 0; shift < 63 && (byte & 0x80); shift += 7) {
		if (!read_bytes(r, (*va)++, &byte, 1))
			return damaged(r, "a length cannot be read");
		bytes |= (uint64_t)(byte & 0x7f) << shift;
	}
	error = copy_text(r, *va, bytes, limit, ret);
	if (error)
		return error;
	*va += bytes;
	*ret_bytes = bytes;
	return NULL;
}

static struct mw_error *pointed_text(const struct reader *r, uint64_t va,
				     uint64_t limit, char **ret,
				     uint64_t *ret_bytes)
{
	uint64_t header, text, bytes;
	struct mw_error *error;

	if (!read_word(r, va, &header))
		return damaged(r, "a pointer cannot be read");
	if (header == 0) {
		text = bytes = 0;
	} else if (!read_word(r, header, &text) ||
		   !read_word(r, header + r->word, &bytes)) {
		return damaged(r, "a string cannot be read");
	}
	error = copy_text(r, text, bytes, limit, ret);
	if (!error)
		*ret_bytes = bytes;
	return error;
}

static struct mw_error *read_info(struct reader *r, const uint8_t *head)
{
	MW_CLEANUP(mw_freep) char *text = NULL;
	struct mw_go_buildinfo *info = r->info;
	uint64_t at = info->address, bytes = 0;
	struct mw_error *error;

	if (head[15] & 2) {
		info->form = MW_GO_BUILDINFO_INLINE;
		at += HEAD;
		error = inline_text(r, &at, MAX_VERSION, &info->version,
				    &bytes);
		if (!error)
			error = inline_text(r, &at, MAX_TEXT, &text, &bytes);
	} else {
		info->form = MW_GO_BUILDINFO_POINTERS;
		if (head[14] != 4 && head[14] != 8)
			return damaged(r, "its pointers are of an odd size");
		r->word = head[14];
		r->is_big_endian = head[15] & 1;
		error = pointed_text(r, at + 16, MAX_VERSION, &info->version,
				     &bytes);
		if (!error)
			error = pointed_text(r, at + 16 + r->word, MAX_TEXT,
					     &text, &bytes);
	}
	return error ? error : take_modules(r, text, bytes);
}

/* Finding it */

/**
 * Go through the readable bytes of a data segment; @visit ends the walk by
 * returning true.
 */
static bool search(struct reader *r, const struct mw_elf_segment *s,
		   bool (*visit)(struct reader *r, uint64_t va,
				 const uint8_t *bytes, size_t size))
{
	MW_CLEANUP(mw_freep) uint8_t *page = mw_alloc(MW_PAGE_BYTES);
	uint64_t va = s->vaddr + r->image->bias, end;
	// What no file has room for would take for ever; segments may lie
	// over each other, too.
	uint64_t most = r->image->from_memory
				? r->image->end - r->image->start
				: r->image->elf->file_bytes;

	if (!page || !mw_end(va, mw_min(s->filesz, most), &end))
		return false;
	va = mw_align_down(va, 16);
	while (va < end && r->searched / 4 <= most) {
		size_t take = mw_min(end - va,
				     MW_PAGE_BYTES - (va & (MW_PAGE_BYTES - 1)));

		if (read_bytes(r, va, page, take) &&
		    visit(r, va, page, take))
			return true;
		va += take;
		r->searched += take;
	}
	return false;
}

static bool find_magic(struct reader *r, uint64_t va, const uint8_t *bytes,
		       size_t size)
{
	for (size_t at = 0; at + 16 <= size; at += 16)
		if (bytes[at] == 0xff &&
		    memcmp(bytes + at, magic, MAGIC_BYTES) == 0) {
			r->info->address = va + at;
			return true;
		}
	return false;
}

/** The text of a version of Go: "go1.9.2", "devel +a1b2c3 …". */
static bool is_version(const char *text)
{
	return (strncmp(text, "go1", 3) == 0 &&
		(text[3] == '.' || text[3] == '\0')) ||
	       strncmp(text, "devel ", 6) == 0;
}

/** runtime.buildVersion, a string header in the data of any Go program. */
static bool find_version(struct reader *r, uint64_t va, const uint8_t *bytes,
			 size_t size)
{
	char text[128];

	(void)va;
	for (size_t at = 0; at + 2 * r->word <= size; at += r->word) {
		uint64_t from = r->word == 8 ? mw_u64(bytes + at)
					     : mw_u32(bytes + at);
		uint64_t length = r->word == 8 ? mw_u64(bytes + at + 8)
					       : mw_u32(bytes + at + 4);

		if (length < 3 || length >= sizeof(text) ||
		    from < r->image->start || from >= r->image->end ||
		    !read_bytes(r, from, text, length))
			continue;
		text[length] = '\0';
		if (is_version(text)) {
			r->info->version = mw_strdup(text);
			return true;
		}
	}
	return false;
}

/** Look in all segments, those that are written to first. */
static bool search_all(struct reader *r,
		       bool (*visit)(struct reader *r, uint64_t va,
				     const uint8_t *bytes, size_t size))
{
	const struct mw_elf *elf = r->image->elf;

	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < elf->segments.n; i++) {
			const struct mw_elf_segment *s = &elf->segments.v[i];

			if (s->type == PT_LOAD && !(s->flags & PF_X) &&
			    !(s->flags & PF_W) == (round == 1) &&
			    search(r, s, visit))
				return true;
		}
	return false;
}

static bool find_info(struct reader *r, uint8_t *head)
{
	const struct mw_elf_section *section =
		mw_elf_find_section(r->image->elf, ".go.buildinfo");

	if (section) {
		r->info->address = section->addr + r->image->bias;
		if (read_bytes(r, r->info->address, head, HEAD) &&
		    memcmp(head, magic, MAGIC_BYTES) == 0)
			return true;
		r->info->address = 0;
	}
	return search_all(r, find_magic) &&
	       read_bytes(r, r->info->address, head, HEAD);
}

struct mw_error *mw_go_buildinfo_read(struct mw_target *target,
				      const struct mw_image *image,
				      struct mw_go_buildinfo **ret)
{
	MW_CLEANUP(mw_go_buildinfo_freep) struct mw_go_buildinfo *info =
		mw_calloc(1, sizeof(*info));
	struct reader r = { .target = target, .image = image, .info = info,
			    .word = image->elf->is_64 ? 8 : 4 };
	struct mw_error *error;
	uint8_t head[HEAD];

	if (!info)
		return mw_error_nomem();
	if (find_info(&r, head)) {
		error = read_info(&r, head);
	} else {
		info->address = 0;
		if (!search_all(&r, find_version)) {
			*ret = NULL;
			return NULL;
		}
		error = info->version ? mw_go_buildinfo_parse(info, "", 0)
				      : mw_error_nomem();
	}
	if (error)
		return error;
	*ret = mw_steal(info);
	return NULL;
}

struct mw_error *mw_go_buildinfo_read_file(const struct mw_elf_file *file,
					   struct mw_go_buildinfo **ret)
{
	MW_CLEANUP(mw_go_buildinfo_freep) struct mw_go_buildinfo *info =
		mw_calloc(1, sizeof(*info));
	struct reader r = { .file = file, .info = info };
	struct mw_error *error;
	uint8_t head[HEAD];

	if (!info)
		return mw_error_nomem();
	*ret = NULL;
	r.section = mw_elf_file_section(file, ".go.buildinfo");
	if (!r.section || !mw_elf_section_in_file(r.section))
		return NULL;
	info->address = r.section->addr;
	if (!read_bytes(&r, info->address, head, HEAD) ||
	    memcmp(head, magic, MAGIC_BYTES) != 0 || !(head[15] & 2))
		return NULL;
	error = read_info(&r, head);
	if (!error)
		*ret = mw_steal(info);
	return error;
}

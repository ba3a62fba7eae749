/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gort_int.h"
#include "mw_guard.h"

/*
 * pcHeader (runtime/symtab.go), the head of the line table:
 *	0	u32 magic		4	u8 0, u8 0
 *	6	u8 minLC, 1 on amd64	7	u8 ptrSize, 8
 *	8	int nfunc
 * Magic is 0xfffffffb to 1.15, …fa to 1.17, …f0 to 1.19, …f1 since; garble
 * writes a random one. So the other four bytes and the moduledata decide.
 */
#define PCHEADER_TAIL 0x08010000u

/** Sections that only a Go linker makes. */
static bool has_go_section(const struct mw_elf *elf)
{
	static const char *const names[] = {
		".gopclntab", ".data.rel.ro.gopclntab", ".go.buildinfo",
		".note.go.buildid", ".go.module",
	};

	for (size_t i = 0; i < MW_COUNT(names); i++)
		if (mw_elf_find_section(elf, names[i]))
			return true;
	return false;
}

struct search {
	struct mw_go *go;
	const struct mw_image *image;
	MW_VEC(uint64_t) heads; /* addresses that look like a pcHeader */
	uint64_t head, address;	/* found: line table and moduledata */
	unsigned skip; /* versions to be passed over */
	uint64_t searched; /* bytes */
};

/** Walk the readable bytes of a segment in pieces; false ends the walk. */
static bool each_piece(struct search *s, const struct mw_elf_segment *seg,
		       uint64_t bytes,
		       bool (*visit)(struct search *s, uint64_t va,
				     const uint8_t *bytes, size_t size))
{
	enum { PIECE = 64 << 10 };
	MW_CLEANUP(mw_freep) uint8_t *piece = mw_alloc(PIECE);
	const struct mw_image *image = s->image;
	uint64_t start = seg->vaddr + image->bias, end;
	uint64_t va = mw_align_down(start, 8);
	// What no file has room for would take for ever; segments may lie
	// over each other, too.
	uint64_t room = image->end - image->start;

	if (!image->from_memory && image->elf->file_bytes > 0)
		room = mw_min(room, image->elf->file_bytes);

	if (!mw_end(start, mw_min(bytes, room), &end))
		return true;
	while (piece && va < end && s->searched / 4 <= room) {
		size_t take = mw_min(end - va,
				     PIECE - (va & (PIECE - 1)));

		if (mw_target_search(s->go->target, va, piece, take)) {
			if (!visit(s, va, piece, take))
				return false;
		} else {
			// A hole in it: page by page.
			for (size_t at = 0; at < take;) {
				size_t page = mw_min(
					take - at,
					MW_PAGE_BYTES -
						((va + at) &
						 (MW_PAGE_BYTES - 1)));

				if (mw_target_search(s->go->target, va + at,
						     piece, page) &&
				    !visit(s, va + at, piece, page))
					return false;
				at += page;
			}
		}
		va += take;
		s->searched += take;
	}
	return true;
}

/** Search the program's initialised data. */
static bool search_data(struct search *s,
			bool (*visit)(struct search *s, uint64_t va,
				      const uint8_t *bytes, size_t size))
{
	const struct mw_elf *elf = s->image->elf;

	for (size_t i = 0; i < elf->segments.n; i++)
		if (elf->segments.v[i].type == PT_LOAD &&
		    (elf->segments.v[i].flags & PF_W) &&
		    !each_piece(s, &elf->segments.v[i],
				elf->segments.v[i].filesz, visit))
			return true;
	return false;
}

static bool find_heads(struct search *s, uint64_t va, const uint8_t *bytes,
		       size_t size)
{
	enum { LIMIT = 64 };

	for (size_t at = 0; at + 16 <= size; at += 8) {
		uint64_t *place;

		if (mw_u32(bytes + at + 4) != PCHEADER_TAIL ||
		    mw_u64(bytes + at + 8) == 0 ||
		    mw_u64(bytes + at + 8) > UINT32_MAX)
			continue;
		place = mw_vec_push(&s->heads);
		if (!place || s->heads.n >= LIMIT)
			return false;
		*place = va + at;
	}
	return true;
}

/** The words of a moduledata that all versions have in these places. */
static bool is_moduledata(struct search *s, uint64_t va)
{
	uint64_t w[24];
	const struct mw_image *image = s->image;

	if (!mw_target_read(s->go->target, va, w, sizeof(w)))
		return false;
	// Up to Go 1.15: pclntable {0,1,2}, ftab {3,4,5}, filetab {6,7,8},
	// findfunctab 9, minpc 10, maxpc 11, text 12, etext 13.
	if (w[1] == w[2] && w[4] == w[5] && w[3] == w[0] + 16)
		return w[10] < w[11] && w[12] <= w[10] && w[11] <= w[13];
	// Since 1.16: pcHeader 0, funcnametab {1,2,3}, cutab {4…}, filetab
	// {7…}, pctab {10…}, pclntable {13…}, ftab {16,17,18}, findfunctab
	// 19, minpc 20, maxpc 21, text 22, etext 23.
	return w[2] == w[3] && w[17] == w[18] && w[20] < w[21] &&
	       w[22] <= w[20] && w[21] <= w[23] && w[1] >= image->start &&
	       w[1] < image->end;
}

static bool find_moduledata(struct search *s, uint64_t va,
			    const uint8_t *bytes, size_t size)
{
	for (size_t at = 0; at + 8 <= size; at += 8) {
		uint64_t word = mw_u64(bytes + at);

		for (size_t i = 0; i < s->heads.n; i++)
			if (word == s->heads.v[i] &&
			    is_moduledata(s, va + at)) {
				s->head = word;
				s->address = va + at;
				return false;
			}
	}
	return true;
}

/** Take the sections that hold a line table as what they are. */
static void take_sections(struct search *s)
{
	const struct mw_elf *elf = s->image->elf;
	static const char *const names[] = { ".gopclntab",
					     ".data.rel.ro.gopclntab" };

	for (size_t i = 0; i < MW_COUNT(names); i++) {
		const struct mw_elf_section *section =
			mw_elf_find_section(elf, names[i]);
		uint64_t *place = section ? mw_vec_push(&s->heads) : NULL;

		if (place)
			*place = section->addr + s->image->bias;
	}
}

/**
 * An external linker merges the line table into .data.rel.ro, and the section
 * table may be gone: look for heads in one segment after the other, since
 * constants in one may look like them.
 */
static void search_segments(struct search *s)
{
	const struct mw_elf *elf = s->image->elf;

	for (size_t i = 0; s->address == 0 && i < elf->segments.n; i++) {
		if (elf->segments.v[i].type != PT_LOAD)
			continue;
		s->heads.n = 0;
		each_piece(s, &elf->segments.v[i], elf->segments.v[i].filesz,
			   find_heads);
		if (s->heads.n > 0)
			search_data(s, find_moduledata);
	}
}

bool go_find_module(struct mw_go *go, const struct mw_image *image)
{
	const struct mw_elf *elf = image->elf;
	struct search s = { .go = go, .image = image };

	// A program without a section table may be anything; a library
	// without one is not searched.
	if (elf->sections.n > 0 ? !has_go_section(elf)
				: image->kind != MW_IMAGE_EXECUTABLE)
		return false;
	take_sections(&s);
	if (s.heads.n > 0)
		search_data(&s, find_moduledata);
	else
		search_segments(&s);
	mw_vec_free(&s.heads);
	go->image = image;
	go->module.pclntab = s.head;
	go->module.address = s.address;
	return s.address != 0;
}

static bool read_range(const struct mw_go *go, enum go_field first,
		       enum go_field last, struct go_range *ret)
{
	struct go_range range;

	if (!go_read(go, go->module.address, first, &range.start) ||
	    !go_read(go, go->module.address, last, &range.end) ||
	    range.start > range.end || range.end - range.start > MW_GIB(64))
		return false;
	*ret = range;
	return true;
}

/** gobitvector {n int32, bytedata *uint8}; one bit a word of @of. */
static bool read_mask(const struct mw_go *go, enum go_field field,
		      const struct go_range *of, uint64_t *ret_n,
		      uint64_t *ret_bytes)
{
	uint64_t va = go->module.address + go_off(go, field);
	uint32_t n;
	uint64_t bytes;

	if (!go_has(go, field) || !mw_target_read_u32(go->target, va, &n) ||
	    !mw_target_read_u64(go->target, va + 8, &bytes) ||
	    (n != (uint32_t)((of->end - of->start) / 8) &&
	     (n || bytes))) // it is made when the heap is there
		return false;
	*ret_n = n;
	*ret_bytes = bytes;
	return true;
}

bool go_fill_module(struct mw_go *go)
{
	struct go_module *m = &go->module;

	return read_range(go, GO_moduledata_text, GO_moduledata_etext,
			  &m->text) &&
	       read_range(go, GO_moduledata_types, GO_moduledata_etypes,
			  &m->types) &&
	       read_range(go, GO_moduledata_noptrdata, GO_moduledata_enoptrdata,
			  &m->noptrdata) &&
	       read_range(go, GO_moduledata_data, GO_moduledata_edata,
			  &m->data) &&
	       read_range(go, GO_moduledata_bss, GO_moduledata_ebss,
			  &m->bss) &&
	       read_range(go, GO_moduledata_noptrbss, GO_moduledata_enoptrbss,
			  &m->noptrbss) &&
	       read_mask(go, GO_moduledata_gcdatamask, &m->data,
			 &m->gcdatamask_n, &m->gcdatamask) &&
	       read_mask(go, GO_moduledata_gcbssmask, &m->bss,
			 &m->gcbssmask_n, &m->gcbssmask);
}

/* The version */

/*
 * Build info (debug/buildinfo/buildinfo.go), 16-aligned:
 *	0	"\xff Go buildinf:"	14	u8 pointer size
 *	15	u8 flags: 1 big-endian, 2 strings inline (Go 1.18)
 *	16	without flag 2: pointer to the string header of the version
 *	32	with flag 2: length in LEB128, then the version
 */
static const char magic[] = "\xff Go buildinf:";
#define MAGIC_BYTES 14

static bool read_version_at(struct mw_go *go, uint64_t va)
{
	uint8_t head[32];
	uint8_t length[2];
	uint64_t text = va + 33, header[2];

	if (!mw_target_read(go->target, va, head, sizeof(head)) ||
	    memcmp(head, magic, MAGIC_BYTES) != 0)
		return false;
	if (head[15] & 2) {
		// None is so long that it needs a third byte.
		if (!mw_target_read(go->target, va + 32, length, 2))
			return false;
		header[1] = length[0];
		if (length[0] & 0x80) {
			header[1] = (length[0] & 0x7f) |
				    (uint64_t)length[1] << 7;
			text++;
		}
	} else {
		if (head[14] != 8 || (head[15] & 1) ||
		    !mw_target_read(go->target, mw_u64(head + 16), header,
				    sizeof(header)))
			return false;
		text = header[0];
	}
	if (header[1] == 0 || header[1] >= sizeof(go->version) ||
	    !mw_target_read(go->target, text, go->version, header[1]))
		return false;
	go->version[header[1]] = '\0';
	return true;
}

static bool find_version(struct search *s, uint64_t va, const uint8_t *bytes,
			 size_t size)
{
	for (size_t at = mw_align_up(va, 16) - va; at + 32 <= size; at += 16)
		if (memcmp(bytes + at, magic, MAGIC_BYTES) == 0 &&
		    read_version_at(s->go, va + at))
			return false;
	return true;
}

/** "go1.26.8" and what follows it: "-X:nogreenteagc", " (vendor 1.2)". */
static void parse_version(struct mw_go *go)
{
	const char *at = strstr(go->version, "go1.");
	char *end;

	go->minor = go->patch = 0;
	go->is_release = false;
	for (char *c = go->version; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	if (!at)
		return;
	go->minor = (unsigned)strtoul(at + 4, &end, 10);
	go->is_release = at == go->version;
	if (*end == '.' && isdigit((unsigned char)end[1]))
		go->patch = (unsigned)strtoul(end + 1, &end, 10);
	if (*end)
		go->is_release = false;
}

/**
 * Before there was build info, to Go 1.12: runtime.buildVersion, a string among
 * the module's data. Other strings may look like a version, too.
 */
static bool find_build_version(struct search *s, uint64_t va,
			       const uint8_t *bytes, size_t size)
{
	static const char *const heads[] = { "go1.", "devel " };
	struct mw_go *go = s->go;

	(void)va;
	for (size_t at = 0; at + 16 <= size; at += 8) {
		uint64_t text = mw_u64(bytes + at);
		uint64_t length = mw_u64(bytes + at + 8);

		if (length < 5 || length >= sizeof(go->version) ||
		    text < s->image->start || text >= s->image->end ||
		    !mw_target_read(go->target, text, go->version, length))
			continue;
		go->version[length] = '\0';
		for (size_t i = 0; i < MW_COUNT(heads); i++)
			if (strncmp(go->version, heads[i],
				    strlen(heads[i])) == 0 && s->skip-- == 0)
				return false;
	}
	return true;
}

bool go_find_version(struct mw_go *go, unsigned skip)
{
	const struct mw_elf_section *section =
		mw_elf_find_section(go->image->elf, ".go.buildinfo");
	struct search s = { .go = go, .image = go->image, .skip = skip };
	bool found = (section &&
		      read_version_at(go, section->addr + go->image->bias)) ||
		     search_data(&s, find_version);

	if (found && skip > 0)
		return false;
	found = found || search_data(&s, find_build_version);
	if (!found)
		strcpy(go->version, "unknown");
	parse_version(go);
	return found || skip == 0;
}

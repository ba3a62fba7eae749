/* SPDX-License-Identifier: Apache-2.0 */
#include "pcln_image.h"

#include <string.h>

#include "mw_num.h"

static void put(struct pcln_image *i, const void *bytes, size_t size)
{
	memcpy(i->bytes + i->size, bytes, size);
	i->size += size;
}

static void put_int(struct pcln_image *i, uint64_t value, size_t size)
{
	put(i, &value, size);
}

static uint32_t put_text(struct pcln_image *i, const char *text)
{
	uint32_t at = (uint32_t)i->size;

	put(i, text, strlen(text) + 1);
	return at;
}

static void align(struct pcln_image *i, size_t to)
{
	i->size = mw_align_up(i->size, to);
}

static void put_varint(struct pcln_image *i, uint32_t value)
{
	for (; value >= 0x80; value >>= 7)
		put_int(i, (value & 0x7f) | 0x80, 1);
	put_int(i, value, 1);
}

struct pair {
	int32_t value;
	uint32_t until;
};

/** Where in the image it begins. */
static uint32_t put_pc_values(struct pcln_image *i, const struct pair *pairs)
{
	uint32_t at = (uint32_t)i->size, pc = 0;
	int32_t value = -1;

	for (; pairs->until; pairs++) {
		uint32_t change = (uint32_t)(pairs->value - value);

		put_varint(i, change << 1 ^ -(change >> 31));
		put_varint(i, pairs->until - pc);
		value = pairs->value;
		pc = pairs->until;
	}
	put_int(i, 0, 1);
	return at;
}

/** What the parts of an image need to know of each other. */
struct parts {
	unsigned minor;
	uint32_t names[5];     /* main, big, goexit, small, tiny */
	uint32_t files[3];     /* a.go, b.go, asm.s */
	uint32_t pcsp, pcfile[3], pcln[3], pcinline, pcsp_zero;
	uint32_t tree;
};

static const struct {
	uint32_t start, end;
} funcs[] = { { 0, 0x40 }, { 0x40, 0x100 }, { 0x100, 0x110 } };

static void put_names(struct pcln_image *i, struct parts *p)
{
	static const char *const names[] = { "main.main", "main.big",
					     "runtime.goexit", "main.small",
					     "main.tiny" };

	for (size_t n = 0; n < MW_COUNT(names); n++)
		p->names[n] = put_text(i, names[n]);
}

static void put_files(struct pcln_image *i, struct parts *p)
{
	static const char *const files[] = { "/src/a.go", "/src/b.go",
					     "/src/asm.s" };

	for (size_t n = 0; n < MW_COUNT(files); n++)
		p->files[n] = put_text(i, files[n]);
}

/** File numbers count from 1 up to Go 1.15, from 0 since. */
static void put_tables(struct pcln_image *i, struct parts *p)
{
	int32_t f = p->minor < 16;
	const struct pair sp[] = { { 0, 4 }, { 24, 0xc0 }, { 0, 0 } };
	const struct pair sp_zero[] = { { 0, 0x10 }, { 0, 0 } };
	const struct pair file[][4] = {
		{ { f, 0x40 }, { 0, 0 } },
		{ { f, 0x10 }, { f + 1, 0x20 }, { f, 0xc0 }, { 0, 0 } },
		{ { f + 2, 0x10 }, { 0, 0 } },
	};
	const struct pair line[][7] = {
		{ { 10, 0x20 }, { 11, 0x40 }, { 0, 0 } },
		{ { 20, 0x8 }, { 21, 0x10 }, { 7, 0x14 }, { 8, 0x18 },
		  { 3, 0x20 }, { 22, 0xc0 }, { 0, 0 } },
		{ { 1, 0x10 }, { 0, 0 } },
	};
	const struct pair in[] = { { -1, 0x10 }, { 0, 0x18 }, { 1, 0x20 },
				   { -1, 0xc0 }, { 0, 0 } };

	put_int(i, 0, 1); // offset 0 means none
	p->pcsp = put_pc_values(i, sp);
	p->pcsp_zero = put_pc_values(i, sp_zero);
	for (size_t n = 0; n < 3; n++) {
		p->pcfile[n] = put_pc_values(i, file[n]);
		p->pcln[n] = put_pc_values(i, line[n]);
	}
	// -1 is where it begins, and a change of 0 only allowed there.
	p->pcinline = put_pc_values(i, in);
}

/** inlinedCalls of main.small in main.big, and of main.tiny in that. */
static void put_tree(struct pcln_image *i, struct parts *p, uint32_t names)
{
	const uint32_t lines[] = { 21, 8 }, pcs[] = { 0x8, 0x14 };

	align(i, 8);
	p->tree = (uint32_t)i->size;
	for (uint32_t n = 0; n < 2; n++) {
		if (p->minor >= 20) {
			put_int(i, 0, 4);
			put_int(i, p->names[3 + n] - names, 4);
			put_int(i, pcs[n], 4);
			put_int(i, 1, 4);
			continue;
		}
		put_int(i, n - 1, p->minor < 12 ? 4 : 2);
		put_int(i, 0, p->minor < 12 ? 0 : 2);
		put_int(i, 1 + n, 4); // file, as up to 1.15
		put_int(i, lines[n], 4);
		put_int(i, p->names[3 + n] - names, 4);
		if (p->minor >= 12)
			put_int(i, pcs[n], 4);
	}
}

static void put_funcdata(struct pcln_image *i, const struct parts *p, size_t n)
{
	unsigned which = p->minor < 13 ? 2 : p->minor < 16 ? 4 : 3;

	if (p->minor < 18)
		align(i, 8);
	for (unsigned d = 0; d <= which; d++) {
		bool here = n == 1 && d == which;

		if (p->minor < 18)
			put_int(i, here ? PCLN_IMAGE_VA + p->tree : 0, 8);
		else
			put_int(i, here ? 0 : UINT32_MAX, 4);
	}
}

/** A _func; offsets count from @names and @pctab. */
static void put_func(struct pcln_image *i, const struct parts *p, size_t n,
		     uint32_t names, uint32_t pctab)
{
	unsigned which = p->minor < 13 ? 1 : 2;
	unsigned count = p->minor < 13 ? 3 : p->minor < 16 ? 5 : 4;

	put_int(i, p->minor < 18 ? PCLN_IMAGE_TEXT + funcs[n].start
				 : funcs[n].start,
		p->minor < 18 ? 8 : 4);
	put_int(i, p->names[n] - names, 4);
	put_int(i, 16, 4); // args
	put_int(i, p->minor < 12 ? 0 : 0x30, 4); // deferreturn
	put_int(i, (n == 2 ? p->pcsp_zero : p->pcsp) - pctab, 4);
	put_int(i, p->pcfile[n] - pctab, 4);
	put_int(i, p->pcln[n] - pctab, 4);
	put_int(i, which + 1, 4); // npcdata
	if (p->minor >= 16)
		put_int(i, 0, 4); // cuOffset
	if (p->minor >= 20)
		put_int(i, 9 + 10 * n, 4); // startLine
	if (p->minor < 12) {
		put_int(i, count, 4);
	} else {
		put_int(i, n == 2 ? 8 : 0, 1); // funcID
		put_int(i, p->minor >= 17 && n == 2, 1); // flag
		put_int(i, 0, 1);
		put_int(i, count, 1);
	}
	for (unsigned d = 0; d < which; d++)
		put_int(i, 0, 4);
	put_int(i, n == 1 ? p->pcinline - pctab : 0, 4);
	put_funcdata(i, p, n);
}

/** ftab and the _funcs; offsets count from @base, where ftab's place is. */
static void put_functab(struct pcln_image *i, const struct parts *p,
			uint32_t ftab, uint32_t base, uint32_t names,
			uint32_t pctab)
{
	size_t half = p->minor < 18 ? 8 : 4;

	for (size_t n = 0; n < 3; n++) {
		uint64_t pc = (p->minor < 18 ? PCLN_IMAGE_TEXT : 0) +
			      funcs[n].start;
		uint64_t off;

		align(i, 8);
		off = i->size - base;
		memcpy(i->bytes + ftab + n * 2 * half, &pc, half);
		memcpy(i->bytes + ftab + n * 2 * half + half, &off, half);
		put_func(i, p, n, names, pctab);
	}
	uint64_t end = (p->minor < 18 ? PCLN_IMAGE_TEXT : 0) + funcs[2].end;
	memcpy(i->bytes + ftab + 6 * half, &end, half);
}

/** Go 1.2 to 1.15. */
static void make_old(struct pcln_image *i, struct parts *p)
{
	uint32_t ftab = (uint32_t)i->size;
	uint32_t files;

	i->size += 3 * 16 + 8 + 4;
	put_names(i, p);
	put_files(i, p);
	put_tables(i, p);
	put_tree(i, p, 0);
	put_functab(i, p, ftab, 0, 0, 0);
	align(i, 4);
	files = (uint32_t)i->size;
	put_int(i, 4, 4);
	for (size_t n = 0; n < 3; n++)
		put_int(i, p->files[n], 4);
	memcpy(i->bytes + ftab + 3 * 16 + 8, &files, 4);
}

/** Since Go 1.16. */
static void make_new(struct pcln_image *i, struct parts *p)
{
	size_t header = i->size;
	size_t words = p->minor < 18 ? 6 : 7;
	uint64_t at[5];
	uint64_t nfiles = 3, text = p->minor < 26 ? PCLN_IMAGE_TEXT : 0;

	i->size += words * 8;
	at[0] = i->size;
	put_names(i, p);
	align(i, 8);
	at[1] = i->size;
	i->size += 3 * 4; // cutab, filled below
	align(i, 8);
	at[2] = i->size;
	put_files(i, p);
	for (uint32_t n = 0; n < 3; n++) {
		uint32_t off = p->files[n] - (uint32_t)at[2];

		memcpy(i->bytes + at[1] + 4 * n, &off, 4);
	}
	align(i, 8);
	at[3] = i->size;
	put_tables(i, p);
	align(i, 8);
	at[4] = i->size;
	i->size += p->minor < 18 ? 3 * 16 + 8 : 3 * 8 + 4;
	// The tree lies elsewhere in a real program; but its place is free.
	uint64_t functab = at[4];
	put_tree(i, p, (uint32_t)at[0]);
	put_functab(i, p, (uint32_t)functab, (uint32_t)functab,
		    (uint32_t)at[0], (uint32_t)at[3]);
	memcpy(i->bytes + header, &nfiles, 8);
	header += 8;
	if (p->minor >= 18) {
		memcpy(i->bytes + header, &text, 8);
		header += 8;
	}
	memcpy(i->bytes + header, at, sizeof(at));
}

void pcln_image_make(struct pcln_image *image, unsigned minor)
{
	struct parts parts = { .minor = minor };
	uint32_t magic = minor < 16   ? 0xfffffffb
			 : minor < 18 ? 0xfffffffa
			 : minor < 20 ? 0xfffffff0
				      : 0xfffffff1;

	*image = (struct pcln_image){ .size = 0 };
	put_int(image, magic, 4);
	put_int(image, 0x08010000, 4);
	put_int(image, 3, 8);
	if (minor < 16)
		make_old(image, &parts);
	else
		make_new(image, &parts);
	image->tables = (struct mw_go_tables){
		.pclntab = PCLN_IMAGE_VA,
		.text = minor < 26 ? 0 : PCLN_IMAGE_TEXT,
		.gofunc = minor < 18 ? 0 : PCLN_IMAGE_VA + parts.tree,
		.minor = minor,
	};
}

static bool read_image(void *ctx, uint64_t va, void *to, size_t bytes)
{
	const struct pcln_image *image = ctx;

	if (!mw_within(va, bytes, PCLN_IMAGE_VA, PCLN_IMAGE_VA + image->size))
		return false;
	memcpy(to, image->bytes + (va - PCLN_IMAGE_VA), bytes);
	return true;
}

struct mw_go_reader pcln_image_reader(struct pcln_image *image)
{
	return (struct mw_go_reader){ read_image, image };
}

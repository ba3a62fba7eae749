/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mw_elf_notes.h"
#include "mw_guard.h"
#include "mw_num.h"

/* elf.h of glibc 2.36 lacks some of these. Values: x86-64 psABI, binutils. */
#define NT_GO_BUILDID 4
#define NT_FDO_PACKAGING 0xcafe1a7e
#define NT_STAPSDT 3
#define MAX_TEXT 4096

char *mw_elf_hex(const uint8_t *bytes, uint64_t count, uint64_t most)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t shown = mw_min(count, most);
	char *text = mw_alloc(2 * shown + sizeof("…"));

	if (!text)
		return NULL;
	for (uint64_t i = 0; i < shown; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	strcpy(text + 2 * shown, shown < count ? "…" : "");
	return text;
}

static char *abi_text(const struct mw_elf_file *file,
		      const struct mw_elf_note *note)
{
	static const char *const systems[] = { "Linux", "Hurd", "Solaris",
					       "FreeBSD", "NetBSD", "Syllable",
					       "NaCl" };
	uint64_t words[4];

	if (note->bytes < 16)
		return NULL;
	for (unsigned i = 0; i < 4; i++)
		words[i] = mw_elf_get(file, note->description + 4 * i, 4);
	return mw_format("OS: %s, ABI: %" PRIu64 ".%" PRIu64 ".%" PRIu64,
			 words[0] < MW_COUNT(systems) ? systems[words[0]]
						      : "Unknown",
			 words[1], words[2], words[3]);
}

/* Properties */

struct property_kind {
	uint32_t type;
	const char *name;
	const char *const *bits; /* NULL: nothing but the name */
};

static const char *const x86_isa[] = { "x86-64-baseline", "x86-64-v2",
				       "x86-64-v3", "x86-64-v4", NULL };
static const char *const x86_feature_1[] = { "IBT", "SHSTK", "LAM_U48",
					     "LAM_U57", NULL };
static const char *const x86_feature_2[] = {
	"x86",	  "x87",      "MMX",	"XMM",	"YMM", "ZMM",
	"FXSR",	  "XSAVE",    "XSAVEOPT", "XSAVEC", "TMM", "MASK", NULL,
};
static const char *const aarch64_feature[] = { "BTI", "PAC", NULL };
static const char *const needed_1[] = { "indirect external access", NULL };

static const struct property_kind x86_properties[] = {
	{ 0xc0000002, "x86 feature", x86_feature_1 },
	{ 0xc0008001, "x86 feature needed", x86_feature_2 },
	{ 0xc0010001, "x86 feature used", x86_feature_2 },
	{ 0xc0008002, "x86 ISA needed", x86_isa },
	{ 0xc0010002, "x86 ISA used", x86_isa },
};
static const struct property_kind aarch64_properties[] = {
	{ 0xc0000000, "AArch64 feature", aarch64_feature },
};
static const struct property_kind any_properties[] = {
	{ 2, "no copy on protected", NULL },
	{ 0xb0008000, "1_needed", needed_1 },
};

static const struct property_kind *
find_property(const struct property_kind *kinds, size_t count, uint32_t type)
{
	for (size_t i = 0; i < count; i++)
		if (kinds[i].type == type)
			return &kinds[i];
	return NULL;
}

static const struct property_kind *property_of(uint16_t machine, uint32_t type)
{
	const struct property_kind *kind = NULL;

	if (machine == EM_X86_64 || machine == EM_386)
		kind = find_property(x86_properties, MW_COUNT(x86_properties),
				     type);
	else if (machine == EM_AARCH64)
		kind = find_property(aarch64_properties,
				     MW_COUNT(aarch64_properties), type);
	return kind ? kind
		    : find_property(any_properties, MW_COUNT(any_properties),
				    type);
}

static void print_bits(FILE *out, const char *const *names, uint32_t bits)
{
	const char *comma = "";

	if (bits == 0)
		fputs("<None>", out);
	for (unsigned i = 0; names[i]; i++)
		if (bits & 1U << i) {
			fprintf(out, "%s%s", comma, names[i]);
			comma = ", ";
			bits &= ~(1U << i);
		}
	if (bits)
		fprintf(out, "%s<unknown: %x>", comma, bits);
}

/** One property: type u32, bytes u32, data. */
static void print_property(const struct mw_elf_file *file, FILE *out,
			   uint32_t type, const uint8_t *data, uint32_t bytes)
{
	const struct property_kind *kind =
		property_of(file->header.machine, type);
	unsigned word = mw_elf_word(file);

	if (type == 1 && bytes == word) {
		fprintf(out, "stack size: 0x%" PRIx64,
			mw_elf_get(file, data, word));
	} else if (kind && !kind->bits && bytes == 0) {
		fputs(kind->name, out);
	} else if (kind && kind->bits && bytes == 4) {
		fprintf(out, "%s: ", kind->name);
		print_bits(out, kind->bits,
			   (uint32_t)mw_elf_get(file, data, 4));
	} else {
		fprintf(out, "<unknown type 0x%x data: ", type);
		for (uint32_t i = 0; i < bytes && i < 64; i++)
			fprintf(out, "%02x ", data[i]);
		putc('>', out);
	}
}

static void print_properties(const struct mw_elf_file *file, FILE *out,
			     const struct mw_elf_note *note)
{
	uint64_t align = mw_elf_word(file), at = 0;

	while (mw_within(at, 8, 0, note->bytes)) {
		const uint8_t *raw = note->description + at;
		uint32_t type = (uint32_t)mw_elf_get(file, raw, 4);
		uint32_t bytes = (uint32_t)mw_elf_get(file, raw + 4, 4);

		if (bytes > note->bytes - at - 8) {
			fputs("<damaged>", out);
			return;
		}
		if (at > 0)
			fputs(", ", out);
		print_property(file, out, type, raw + 8, bytes);
		at = mw_align_up(at + 8 + bytes, align);
	}
}

/* A SystemTap probe: pc, base, semaphore, then provider, name, arguments. */
static void print_probe(const struct mw_elf_file *file, FILE *out,
			const struct mw_elf_note *note)
{
	unsigned word = mw_elf_word(file);
	const char *text = (const char *)note->description + 3 * word;
	const char *end = (const char *)note->description + note->bytes;
	const char *strings[3] = { "", "", "" };

	if (note->bytes < 3 * word)
		return;
	for (unsigned i = 0; i < 3 && text < end; i++) {
		const char *nul = memchr(text, '\0', (size_t)(end - text));

		if (!nul)
			break;
		strings[i] = text;
		text = nul + 1;
	}
	fprintf(out, "%s:%s at 0x%" PRIx64 ", base 0x%" PRIx64
		", semaphore 0x%" PRIx64 ", arguments: %s",
		strings[0], strings[1],
		mw_elf_get(file, note->description, word),
		mw_elf_get(file, note->description + word, word),
		mw_elf_get(file, note->description + 2 * word, word),
		strings[2]);
}

static char *printed(const struct mw_elf_file *file,
		     const struct mw_elf_note *note,
		     void (*print)(const struct mw_elf_file *file, FILE *out,
				   const struct mw_elf_note *note))
{
	char *buffer = NULL, *text;
	size_t bytes = 0;
	FILE *out = open_memstream(&buffer, &bytes);

	if (!out)
		return NULL;
	print(file, out, note);
	fclose(out);
	text = buffer ? mw_strndup(buffer, bytes) : NULL;
	free(buffer);
	return text;
}

char *mw_elf_note_text(const struct mw_elf_file *file,
		       const struct mw_elf_note *note)
{
	const char *text = (const char *)note->description;

	if (mw_elf_note_is(note, "GNU", NT_GNU_BUILD_ID))
		return mw_elf_hex(note->description, note->bytes, MAX_TEXT);
	if (mw_elf_note_is(note, "GNU", NT_GNU_ABI_TAG))
		return abi_text(file, note);
	if (mw_elf_note_is(note, "GNU", NT_GNU_PROPERTY_TYPE_0))
		return printed(file, note, print_properties);
	if (mw_elf_note_is(note, "stapsdt", NT_STAPSDT))
		return printed(file, note, print_probe);
	if (mw_elf_note_is(note, "Go", NT_GO_BUILDID) ||
	    mw_elf_note_is(note, "FDO", NT_FDO_PACKAGING) ||
	    mw_elf_note_is(note, "GNU", NT_GNU_GOLD_VERSION))
		return mw_strndup(text, strnlen(text, mw_min(note->bytes,
							      MAX_TEXT)));
	return NULL;
}

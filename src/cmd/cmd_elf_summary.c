/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cmd_elf.h"
#include "mw_guard.h"

/* What the bytes of the file are for, in a few lines. */

enum use {
	CODE, READ_ONLY, DATA, DEBUG, SYMBOLS, OTHER, HEADERS, PADDING,
	UNNAMED, USES,
};

static const struct {
	const char *key, *label;
} uses[] = {
	[CODE] = { "code", "code" },
	[READ_ONLY] = { "read_only", "read-only data" },
	[DATA] = { "data", "data" },
	[DEBUG] = { "debug", "debug information" },
	[SYMBOLS] = { "symbols", "symbols" },
	[OTHER] = { "other", "other sections" },
	[HEADERS] = { "headers", "headers" },
	[PADDING] = { "padding", "alignment padding" },
	[UNNAMED] = { "unnamed", "in no section" },
};

static bool is_debug(const char *name)
{
	return strncmp(name, ".debug", 6) == 0 ||
	       strncmp(name, ".zdebug", 7) == 0 ||
	       strncmp(name, ".gnu_debug", 10) == 0 ||
	       strcmp(name, ".gdb_index") == 0;
}

static enum use use_of_section(const struct mw_elf_section *s)
{
	if (s->flags & SHF_ALLOC)
		return s->flags & SHF_EXECINSTR ? CODE
		       : s->flags & SHF_WRITE	? DATA
						: READ_ONLY;
	if (is_debug(s->name))
		return DEBUG;
	return s->type == SHT_SYMTAB || s->type == SHT_STRTAB ? SYMBOLS : OTHER;
}

static enum use use_of(const struct cmd_elf *elf,
		       const struct mw_elf_piece *piece)
{
	switch (piece->kind) {
	case MW_ELF_PIECE_HEADER:
	case MW_ELF_PIECE_SEGMENT_TABLE:
	case MW_ELF_PIECE_SECTION_TABLE:
		return HEADERS;
	case MW_ELF_PIECE_SECTION:
		return use_of_section(&elf->file->sections.v[piece->index]);
	case MW_ELF_PIECE_PADDING:
		return PADDING;
	case MW_ELF_PIECE_SEGMENT:
	case MW_ELF_PIECE_GAP:
	case MW_ELF_PIECE_TRAILING:
		break;
	}
	return UNNAMED;
}

static void add_up(const struct cmd_elf *elf, uint64_t sums[USES])
{
	memset(sums, 0, USES * sizeof(*sums));
	for (size_t i = 0; i < elf->layout.list.n; i++) {
		const struct mw_elf_piece *p = &elf->layout.list.v[i];

		sums[use_of(elf, p)] += p->own_bytes;
	}
}

/** Memory that the file asks for and has no bytes for. */
static uint64_t zero_bytes(const struct cmd_elf *elf)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < elf->file->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->file->segments.v[i];

		if (s->type == PT_LOAD && s->memsz > s->filesz)
			sum += s->memsz - s->filesz;
	}
	return sum;
}

/** The program interpreter; NULL if there is none. The caller frees it. */
static char *interpreter(const struct cmd_elf *elf)
{
	const struct mw_elf_segment *s =
		mw_elf_file_segment_of_type(elf->file, PT_INTERP);
	uint8_t *text = NULL;

	if (!s)
		return NULL;
	mw_error_free(mw_elf_file_copy(elf->file, s->offset, s->filesz, 4096,
				       "the interpreter", &text));
	return (char *)text;
}

static const struct mw_elf_note *find_note(const struct cmd_elf *elf,
					   const char *owner, uint32_t type)
{
	for (size_t i = 0; i < elf->notes.list.n; i++)
		if (mw_elf_note_is(&elf->notes.list.v[i], owner, type))
			return &elf->notes.list.v[i];
	return NULL;
}

static bool has_debug(const struct mw_elf_file *file)
{
	return mw_elf_file_section(file, ".debug_info") ||
	       mw_elf_file_section(file, ".zdebug_info");
}

static const char *kind_of(const struct cmd_elf *elf, const char *interp)
{
	switch (elf->file->header.type) {
	case ET_REL:
		return "relocatable object file";
	case ET_EXEC:
		return interp ? "executable, dynamically linked"
			      : "executable, statically linked";
	case ET_DYN:
		return interp ? "position-independent executable, dynamically "
				"linked"
		       : elf->is_pie ? "position-independent executable, "
				       "statically linked"
				     : "shared object";
	case ET_CORE:
		return "core file";
	}
	return "of unknown type";
}

static const char *strip_of(const struct mw_elf_file *file)
{
	return has_debug(file) ? "with debug information"
	       : mw_elf_file_section_of_type(file, SHT_SYMTAB)
		       ? "with symbols, without debug information"
		       : "stripped";
}

static void print_uses(const struct cmd_elf *elf, FILE *out)
{
	bool exact = elf->call->style.exact_bytes;
	uint64_t sums[USES], bytes = elf->file->bytes;
	char text[32];

	add_up(elf, sums);
	for (unsigned i = 0; i < USES; i++)
		if (sums[i])
			fprintf(out, "%14s %5.1f%%  %s\n",
				mw_format_bytes(text, sums[i], exact),
				bytes ? 100.0 * (double)sums[i] / (double)bytes
				      : 0.0,
				uses[i].label);
	fprintf(out, "%14s 100.0%%  in the file\n",
		mw_format_bytes(text, bytes, exact));
	if (zero_bytes(elf))
		fprintf(out, "%14s         more in memory, which begin as "
			"zeros\n",
			mw_format_bytes(text, zero_bytes(elf), exact));
}

void cmd_elf_summary_text(const struct cmd_elf *elf, FILE *out)
{
	const struct mw_elf_file *file = elf->file;
	const struct mw_elf_note *id = find_note(elf, "GNU", NT_GNU_BUILD_ID);
	MW_CLEANUP(mw_freep) char *interp = interpreter(elf);
	MW_CLEANUP(mw_freep) char *digits =
		id ? mw_elf_hex(id->description, id->bytes, 64) : NULL;
	char machine[MW_ELF_NAME_BYTES];

	mw_print_escaped(out, elf->path);
	fprintf(out, "\n%s, %s, %s, %s\n",
		mw_elf_class_name(file),
		mw_elf_machine_name(file->header.machine, machine),
		kind_of(elf, interp), strip_of(file));
	if (interp) {
		fputs("interpreter ", out);
		mw_print_escaped(out, interp);
		putc('\n', out);
	}
	fprintf(out, "entry 0x%" PRIx64 ", %zu sections, %zu segments%s%s\n\n",
		file->header.entry,
		file->sections.n ? file->sections.n - 1 : 0, file->segments.n,
		digits ? ", build id " : "", digits ? digits : "");
	print_uses(elf, out);
}

void cmd_elf_summary_json(const struct cmd_elf *elf, struct mw_json *json)
{
	MW_CLEANUP(mw_freep) char *interp = interpreter(elf);
	uint64_t sums[USES];

	add_up(elf, sums);
	mw_json_object(json);
	mw_json_member_text(json, "kind", kind_of(elf, interp));
	mw_json_member_text(json, "interpreter", interp);
	mw_json_member_bool(
		json, "stripped",
		!mw_elf_file_section_of_type(elf->file, SHT_SYMTAB));
	mw_json_member_bool(json, "debug_information", has_debug(elf->file));
	mw_json_member_u64(json, "file_bytes", elf->file->bytes);
	mw_json_member_u64(json, "zero_bytes", zero_bytes(elf));
	for (unsigned i = 0; i < USES; i++) {
		char key[32];

		snprintf(key, sizeof(key), "%s_bytes", uses[i].key);
		mw_json_member_u64(json, key, sums[i]);
	}
	mw_json_end(json);
}

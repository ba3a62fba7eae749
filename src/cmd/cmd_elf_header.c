/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "cmd_elf.h"

/* The ELF header: a list of fields, written in one of three ways. */

enum field_kind { TEXT, NUMBER, ADDRESS };

struct field {
	const char *key, *label;
	enum field_kind kind;
	uint64_t value;
	const char *text;
};

#define FIELDS 22

struct fields {
	struct field v[FIELDS];
	size_t n;
	char names[3][MW_ELF_NAME_BYTES];
	char magic[3 * EI_NIDENT + 1];
};

static void add_text(struct fields *f, const char *key, const char *label,
		     const char *text)
{
	f->v[f->n++] = (struct field){ key, label, TEXT, 0, text };
}

static void add_number(struct fields *f, const char *key, const char *label,
		       enum field_kind kind, uint64_t value)
{
	f->v[f->n++] = (struct field){ key, label, kind, value, NULL };
}

static void collect(const struct cmd_elf *elf, struct fields *f)
{
	const struct mw_elf_file *file = elf->file;
	const struct mw_elf_header *h = &file->header;

	f->n = 0;
	for (unsigned i = 0; i < EI_NIDENT; i++)
		snprintf(f->magic + 3 * i, 4, "%02x%s", h->ident[i],
			 i + 1 < EI_NIDENT ? " " : "");
	add_text(f, "magic", "Magic", f->magic);
	add_text(f, "class", "Class", mw_elf_class_name(file));
	add_text(f, "data", "Data", mw_elf_data_name(file));
	add_number(f, "ident_version", "Version (identification)", NUMBER,
		   h->ident[EI_VERSION]);
	add_text(f, "osabi", "OS/ABI", mw_elf_osabi_name(file, f->names[0]));
	add_number(f, "abi_version", "ABI version", NUMBER,
		   h->ident[EI_ABIVERSION]);
	add_text(f, "type", "Type",
		 mw_elf_type_name(file, elf->is_pie, f->names[1]));
	add_text(f, "machine", "Machine",
		 mw_elf_machine_name(h->machine, f->names[2]));
	add_number(f, "version", "Version", ADDRESS, h->version);
	add_number(f, "entry", "Entry point", ADDRESS, h->entry);
	add_number(f, "program_headers_offset", "Program headers at", NUMBER,
		   h->phoff);
	add_number(f, "section_headers_offset", "Section headers at", NUMBER,
		   h->shoff);
	add_number(f, "flags", "Flags", ADDRESS, h->flags);
	add_number(f, "header_bytes", "Size of this header", NUMBER,
		   h->ehsize);
	add_number(f, "program_header_bytes", "Size of a program header",
		   NUMBER, h->phentsize);
	add_number(f, "program_headers", "Program headers", NUMBER,
		   h->segments);
	add_number(f, "section_header_bytes", "Size of a section header",
		   NUMBER, h->shentsize);
	add_number(f, "section_headers", "Section headers", NUMBER,
		   h->sections);
	add_number(f, "names_section", "Section of the names", NUMBER,
		   h->names_section);
	add_number(f, "file_bytes", "Bytes in the file", NUMBER, file->bytes);
}

static void print_number(const struct field *field, FILE *out)
{
	fprintf(out, field->kind == NUMBER ? "%" PRIu64 : "0x%" PRIx64,
		field->value);
}

void cmd_elf_header_text(const struct cmd_elf *elf, FILE *out)
{
	struct fields f;

	collect(elf, &f);
	for (size_t i = 0; i < f.n; i++) {
		fprintf(out, "%-26s ", f.v[i].label);
		if (f.v[i].kind == TEXT)
			mw_print_escaped(out, f.v[i].text);
		else
			print_number(&f.v[i], out);
		putc('\n', out);
	}
}

void cmd_elf_header_json(const struct cmd_elf *elf, struct mw_json *json)
{
	struct fields f;

	collect(elf, &f);
	mw_json_object(json);
	for (size_t i = 0; i < f.n; i++) {
		mw_json_key(json, f.v[i].key);
		if (f.v[i].kind == TEXT)
			mw_json_text(json, f.v[i].text);
		else if (f.v[i].kind == NUMBER)
			mw_json_u64(json, f.v[i].value);
		else
			mw_json_address(json, f.v[i].value);
	}
	mw_json_end(json);
}

void cmd_elf_header_csv(const struct cmd_elf *elf, FILE *out)
{
	struct fields f;

	collect(elf, &f);
	fputs("field,value\n", out);
	for (size_t i = 0; i < f.n; i++) {
		fprintf(out, "%s,", f.v[i].key);
		if (f.v[i].kind == TEXT)
			fprintf(out, "\"%s\"", f.v[i].text);
		else
			print_number(&f.v[i], out);
		putc('\n', out);
	}
}

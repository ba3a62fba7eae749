/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "cmd_elf.h"
#include "mw_guard.h"

enum column {
	Y_TABLE, Y_INDEX, Y_VALUE, Y_SIZE, Y_TYPE, Y_BIND, Y_VISIBILITY,
	Y_SECTION, Y_NAME,
};

static const struct mw_column columns[] = {
	[Y_TABLE] = { "table", "TABLE", MW_UNIT_TEXT,
		      "symtab, dynsym, or debugdata (.gnu_debugdata)" },
	[Y_INDEX] = { "index", "NUM", MW_UNIT_COUNT, "number in its table" },
	[Y_VALUE] = { "value", "VALUE", MW_UNIT_ADDRESS,
		      "mostly an address" },
	[Y_SIZE] = { "size_bytes", "SIZE", MW_UNIT_COUNT, "bytes" },
	[Y_TYPE] = { "type", "TYPE", MW_UNIT_TEXT, "FUNC, OBJECT, …" },
	[Y_BIND] = { "bind", "BIND", MW_UNIT_TEXT, "LOCAL, GLOBAL, WEAK" },
	[Y_VISIBILITY] = { "visibility", "VIS", MW_UNIT_TEXT,
			   "DEFAULT, HIDDEN, …" },
	[Y_SECTION] = { "section", "SECTION", MW_UNIT_TEXT,
			"where it is; UND, ABS, COM" },
	[Y_NAME] = { "name", "NAME", MW_UNIT_TEXT, "its name" },
};

static const char *numbered(const char *const *names, size_t count,
			    unsigned value, char text[static 24])
{
	if (value < count && names[value])
		return names[value];
	snprintf(text, 24, "<unknown>: %u", value);
	return text;
}

static const char *section_of(const struct cmd_elf *elf,
			      const struct mw_elf_symbol *s, char text[24])
{
	if (s->section == SHN_UNDEF)
		return "UND";
	if (s->special && s->section == SHN_ABS)
		return "ABS";
	if (s->special && s->section == SHN_COMMON)
		return "COM";
	if (!s->special && s->section < elf->file->sections.n)
		return elf->file->sections.v[s->section].name;
	snprintf(text, 24, "0x%x", s->section);
	return text;
}

static bool fill_symbol(const struct cmd_elf *elf,
			const struct mw_elf_symbols *symbols,
			const struct mw_elf_symbol *s, struct mw_cell *cells)
{
	static const char *const types[] = {
		[STT_NOTYPE] = "NOTYPE", [STT_OBJECT] = "OBJECT",
		[STT_FUNC] = "FUNC",	 [STT_SECTION] = "SECTION",
		[STT_FILE] = "FILE",	 [STT_COMMON] = "COMMON",
		[STT_TLS] = "TLS",	 [STT_GNU_IFUNC] = "IFUNC",
	};
	static const char *const binds[] = {
		[STB_LOCAL] = "LOCAL", [STB_GLOBAL] = "GLOBAL",
		[STB_WEAK] = "WEAK",   [STB_GNU_UNIQUE] = "UNIQUE",
	};
	static const char *const visibilities[] = { "DEFAULT", "INTERNAL",
						    "HIDDEN", "PROTECTED" };
	static const char *const tables[] = {
		[MW_ELF_SYMTAB] = "symtab",
		[MW_ELF_DYNSYM] = "dynsym",
		[MW_ELF_DEBUGDATA] = "debugdata",
	};
	char type[24], bind[24], section[24];

	mw_cell_value(&cells[Y_INDEX], s->index);
	mw_cell_value(&cells[Y_VALUE], s->value);
	mw_cell_value(&cells[Y_SIZE], s->bytes);
	return mw_cell_text(&cells[Y_TABLE], tables[s->table]) &&
	       mw_cell_text(&cells[Y_TYPE],
			    numbered(types, MW_COUNT(types),
				     ELF64_ST_TYPE(s->info), type)) &&
	       mw_cell_text(&cells[Y_BIND],
			    numbered(binds, MW_COUNT(binds),
				     ELF64_ST_BIND(s->info), bind)) &&
	       mw_cell_text(&cells[Y_VISIBILITY],
			    visibilities[ELF64_ST_VISIBILITY(s->other)]) &&
	       mw_cell_text(&cells[Y_SECTION], section_of(elf, s, section)) &&
	       mw_cell_text(&cells[Y_NAME], mw_elf_symbol_name(symbols, s));
}

static struct mw_error *fill_symbols(const struct cmd_elf *elf,
				     struct mw_table *table)
{
	struct mw_elf_symbols symbols = { 0 };
	struct mw_error *error = mw_elf_symbols_load(
		elf->file, MW_ELF_SYMTAB | MW_ELF_DYNSYM | MW_ELF_DEBUGDATA,
		&symbols);

	for (size_t i = 0; !error && i < symbols.list.n; i++) {
		struct mw_cell *cells = mw_table_add(table);

		if (!cells || !fill_symbol(elf, &symbols,
					   &symbols.list.v[i], cells))
			error = mw_error_nomem();
	}
	mw_elf_symbols_free(&symbols);
	return error;
}

const struct cmd_elf_table cmd_elf_symbols = {
	.key = "symbols",
	.title = "Symbols",
	.columns = columns,
	.column_count = MW_COUNT(columns),
	.fill = fill_symbols,
};

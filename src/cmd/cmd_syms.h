/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_SYMS_H
#define CMD_SYMS_H

#include "cmd.h"
#include "mw_elf_symbols.h"
#include "mw_go_funcs.h"
#include "mw_map64.h"

/* What the files of `syms` share. */

/** One ELF file whose symbols are listed. */
struct syms_image {
	const struct mw_image *image; /* NULL: a file that is not loaded */
	uint64_t bias;
	const char *path; /* owned by the target or the command line */
	int fd;
	struct mw_elf_file *file;
	struct mw_elf_symbols symbols;
	bool is_go;
	bool has_symtab; /* all symbols, not only those for the loader */
	/* Its TLS, of the main thread, in the target; 0: not known. */
	uint64_t tls;
	bool has_sought_tls;
	/* Go's own code, by symbols; 0: not told. */
	uint64_t go_text, go_etext;
};

enum syms_kind {
	SYMS_OTHER, /* no address in memory: undefined, absolute, … */
	SYMS_FUNCTION,
	SYMS_DATA,
	SYMS_PLACE, /* an address without a type, such as an end of something */
};

struct syms_row {
	const char *name;
	const char *section;
	const char *package; /* "" when it has none */
	uint64_t address, bytes;
	uint32_t image; /* place in syms.images */
	uint8_t kind;	/* enum syms_kind */
	uint8_t info;	/* as in an ELF symbol */
	uint8_t type;	/* letter, as nm has it */
	bool has_address;
	bool is_tls; /* the address is the main thread's */
};

struct syms {
	const struct cmd_call *call;
	struct mw_target *target; /* NULL: an ELF file that was not loaded */
	struct mw_target *loaded; /* that file as if it were, when asked for */
	bool load_failed;
	MW_VEC(struct syms_image) images;
	struct mw_go_funcs *funcs; /* when symbols are stripped */
	MW_VEC(struct syms_row) rows;
	MW_VEC(char *) packages; /* behind syms_row.package */
	struct mw_map64 by_package; /* hash -> 1 + place in packages */
};

/**
 * Open what @call names: the executable, the image called @image, or all of
 * them for "all". @syms is zeroed; close it also after an error.
 */
MW_MUST_USE struct mw_error *syms_open(const struct cmd_call *call,
				       const char *image, struct syms *syms);
void syms_close(struct syms *syms);

/** What memory can be read from: the target, or the file as if loaded; NULL. */
struct mw_target *syms_memory(struct syms *syms);

/** Which symbols are wanted; NULL: any. */
struct syms_filter {
	const char *section, *package, *match;
	bool all; /* also those that only name a file or a section */
};

/** Fill syms->rows. */
MW_MUST_USE struct mw_error *syms_load(struct syms *syms,
				       const struct syms_filter *filter);

/**
 * Give the rows that are thread-local variables their addresses in the main
 * thread, where these are known; where not, the target's notes tell why.
 */
MW_MUST_USE struct mw_error *syms_place_tls(struct syms *syms);

/* Values */

struct syms_value {
	char *type; /* NULL: not known */
	char *text; /* NULL: not known */
};

/** How many rows are variables. */
uint64_t syms_variables(const struct syms *syms);

/**
 * What the variables of the rows hold; @ret has one for each row, to be freed with
 * syms_values_free().
 */
MW_MUST_USE struct mw_error *syms_values(struct syms *syms,
					 struct syms_value **ret);
void syms_values_free(struct syms_value *values, size_t count);

/* Literals */

/** Print where the bytes of @text are in the image, and who refers to them. */
MW_MUST_USE struct mw_error *syms_literal(struct syms *syms, const char *text,
					  uint64_t begun_ns);
void syms_literal_help(FILE *out);

#endif

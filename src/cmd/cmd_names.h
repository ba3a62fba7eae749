/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_NAMES_H
#define CMD_NAMES_H

#include "cmd.h"
#include "mw_go_funcs.h"

/*
 * What addresses of a target are called: by the function table of a Go
 * program, which is there when symbols are stripped, and by the symbols of all
 * images. Tables are loaded when they are first asked.
 */
struct cmd_names;

struct cmd_name {
	const char *text; /* owned by the cmd_names */
	uint64_t start, bytes;
	const struct mw_image *image; /* NULL for a Go function */
	bool is_function;
};

MW_MUST_USE struct mw_error *cmd_names_open(struct mw_target *target,
					    struct cmd_names **ret);
void cmd_names_close(struct cmd_names *names);

static inline void cmd_names_closep(struct cmd_names **names)
{
	cmd_names_close(*names);
	*names = NULL;
}

/** The name of what contains @va. False when it has none. */
bool cmd_names_at(struct cmd_names *names, uint64_t va, struct cmd_name *ret);

/**
 * What is called @text, by the linker or in the source of C++ or Rust. Errors:
 * MW_E_NOT_FOUND, with a few names that contain it; MW_E_AMBIGUOUS, with a few
 * of those that the source calls so.
 */
MW_MUST_USE struct mw_error *cmd_names_find(struct cmd_names *names,
					    const char *text,
					    struct cmd_name *ret);

/** The same among the symbols of @image only. */
MW_MUST_USE struct mw_error *cmd_names_find_in(struct cmd_names *names,
					       const struct mw_image *image,
					       const char *text,
					       struct cmd_name *ret);

/**
 * The end of what is called @name: for a symbol that does not tell its size,
 * where the next one, or its section's end, is.
 */
uint64_t cmd_names_end(struct cmd_names *names, const struct cmd_name *name);

/** The function table of a Go program, or NULL. */
struct mw_go_funcs *cmd_names_go(struct cmd_names *names);

/** The image that contains @va and the section of it there, or NULL. */
const struct mw_image *cmd_image_at(const struct mw_target *target,
				    uint64_t va);
const struct mw_elf_section *cmd_section_at(const struct mw_image *image,
					    uint64_t va);

/** Whether what is at @va is not written to once the program is loaded. */
bool cmd_is_constant(const struct mw_target *target, uint64_t va);

#endif

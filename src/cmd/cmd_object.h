/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_OBJECT_H
#define CMD_OBJECT_H

#include "cmd_code.h"
#include "cmd_names.h"

/*
 * Code of object files, kernel modules among them. Addresses are those of the
 * section, as objdump has them: they count from 0 in each.
 */
struct cmd_object;

/** Whether @target is an object file. */
bool cmd_is_object(const struct mw_target *target);

/** @target is one, and outlives it. */
MW_MUST_USE struct mw_error *cmd_object_open(struct mw_target *target,
					     struct cmd_object **ret);
void cmd_object_close(struct cmd_object *object);

static inline void cmd_object_closep(struct cmd_object **object)
{
	cmd_object_close(*object);
	*object = NULL;
}

/**
 * Find the function called @text, or the address that it is, in the section
 * called @section, or with that number; NULL: in any with code. From now on,
 * @object is about the section that has it.
 *
 * Errors: MW_E_NOT_FOUND; MW_E_AMBIGUOUS when several have it.
 */
MW_MUST_USE struct mw_error *cmd_object_find(struct cmd_object *object,
					     struct cmd_names *names,
					     const char *text,
					     const char *section,
					     struct cmd_name *ret);

/** The section found: its name, index and address, which is 0. */
const struct mw_elf_section *
cmd_object_section(const struct cmd_object *object, uint32_t *ret_index);

/** cmd_code_read() in the section. */
MW_MUST_USE struct mw_error *cmd_object_read(struct cmd_object *object,
					     uint64_t start, uint64_t bytes,
					     size_t most,
					     struct cmd_code *code);

/**
 * What @va, of an operand of instruction @i, is when the object is linked; or
 * what is there in the section. False when neither is told.
 */
bool cmd_object_name(const struct cmd_object *object,
		     const struct cmd_code *code, size_t i, uint64_t va,
		     char *to, size_t size);

/** Whether a relocation decides what @va of instruction @i is. */
bool cmd_object_is_relocated(const struct cmd_object *object,
			     const struct cmd_code *code, size_t i,
			     uint64_t va);

/** The relocations of instruction @i, as objdump has them; NULL: none. */
char *cmd_object_relocations(const struct cmd_object *object,
			     const struct cmd_code *code, size_t i);

/**
 * The text that instruction @i refers to, read into @to, which has room for
 * @size bytes; else *@ret_section, the name of the section that it refers to.
 * The length of the text, which has a NUL behind it; 0: none.
 */
size_t cmd_object_data(const struct cmd_object *object,
		       const struct cmd_code *code, size_t i, uint8_t *to,
		       size_t size, const char **ret_section);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_VARS_H
#define MW_VARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"
#include "mw_text.h"

/* Variables: their types, from DWARF, and what memory of such a type says. */
struct mw_vars;

struct mw_var {
	uint64_t vaddr; /* as in the file; of TLS, the place in its block */
	bool is_tls;
	/* What the unit that has it is called: a Go package; NULL: not known */
	const char *unit;
	size_t place; /* the caller's own */
	bool is_found;
	bool was_tried; /* the unit was there */
	uint64_t type; /* when found: for the functions below */
};

/** Where bytes and names come from. */
struct mw_vars_memory {
	/** Copy @bytes at @va; false, and @to undefined, when it cannot. */
	bool (*read)(void *ctx, uint64_t va, void *to, size_t bytes);
	/** Add the name of what is at @va; false when it has none. */
	bool (*name)(void *ctx, uint64_t va, struct mw_text *to);
	/**
	 * Add the value of a Go interface, whose type descriptor is at @type
	 * and whose data word is @data; false when it is not known.
	 */
	bool (*dynamic)(void *ctx, uint64_t type, uint64_t data,
			struct mw_text *to);
	void *ctx;
};

/**
 * Read the debug information of the ELF file open as @fd, which stays the
 * caller's and open until mw_vars_close().
 *
 * Errors: MW_E_NOT_FOUND when there is none.
 */
MW_MUST_USE struct mw_error *mw_vars_open(int fd, struct mw_vars **ret);
void mw_vars_close(struct mw_vars *vars);

static inline void mw_vars_closep(struct mw_vars **vars)
{
	mw_vars_close(*vars);
	*vars = NULL;
}

/** Where the files of split DWARF are. */
struct mw_vars_files {
	/**
	 * Open the @n-th place where the file @name of what was compiled in
	 * @folder, or NULL, may be; without @name, the package of all.
	 * *@ret_fd is -1 when nothing is there. False: there is no such place.
	 */
	bool (*open)(void *ctx, const char *folder, const char *name,
		     unsigned n, int *ret_fd);
	void *ctx;
};

/** Look there for types; @files->ctx outlives @vars. */
void mw_vars_use_files(struct mw_vars *vars, const struct mw_vars_files *files);

/**
 * Find the types of @list, and sort it.
 *
 * Cost: reads the units named first, and others only when some are not found
 *       there.
 */
void mw_vars_find(struct mw_vars *vars, struct mw_var *list, size_t count);
/**
 * Whether units were met whose types are in files of their own (.dwo, .dwp),
 * which could not be had.
 */
bool mw_vars_lacks_split(const struct mw_vars *vars);

/** Add the name of @type: "[]main.T", "const char *", "int [8]". */
void mw_vars_type_name(struct mw_vars *vars, uint64_t type,
		       struct mw_text *to);

/** Its size; 0 when it is not known. */
uint64_t mw_vars_type_bytes(struct mw_vars *vars, uint64_t type);

/**
 * Add what the variable of @type at @va holds: "3", "\"text\"", "{x: 1, y: 2}".
 * What is long is cut. Nothing in memory is trusted.
 */
void mw_vars_value(struct mw_vars *vars, uint64_t type,
		   const struct mw_vars_memory *memory, uint64_t va,
		   struct mw_text *to);

#endif

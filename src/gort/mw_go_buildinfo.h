/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GO_BUILDINFO_H
#define MW_GO_BUILDINFO_H

#include "mw_elf_file.h"
#include "mw_error.h"
#include "mw_target.h"
#include "mw_vec.h"

/*
 * What a Go binary says of how it was built: the version, the modules and the
 * settings, as `go version -m` shows them. They are there in stripped binaries
 * too; the version since ever, the rest since Go 1.13.
 */

/** A module, "" where nothing is told. All strings are the mw_go_buildinfo's. */
struct mw_go_build_module {
	const char *path, *version, *sum;
};

struct mw_go_dependency {
	bool is_main;
	struct mw_go_build_module module;
	struct mw_go_build_module replacement; /* path "": none */
};

struct mw_go_setting {
	const char *key, *value; /* quoted as `go version -m` does it */
};

enum mw_go_buildinfo_form {
	MW_GO_BUILDINFO_NONE,	 /* to Go 1.12: a version at most */
	MW_GO_BUILDINFO_POINTERS, /* Go 1.13 to 1.17 */
	MW_GO_BUILDINFO_INLINE,	 /* since Go 1.18 */
};

struct mw_go_buildinfo {
	enum mw_go_buildinfo_form form;
	uint64_t address; /* of the build info; 0: none */
	char *version;
	char *text; /* the lines as they are; NULL: none. Cut up below. */
	const char *path; /* of the main package; "" when not told */
	MW_VEC(struct mw_go_dependency) modules; /* the main module first */
	MW_VEC(struct mw_go_setting) settings;
	char *lines; /* behind the strings above */
};

/**
 * Read it from @image of @target. *@ret is NULL when it is not a Go program or
 * does not even tell its version, which is not an error.
 *
 * Errors: MW_E_NOMEM; MW_E_FORMAT for damaged build info, with its address.
 * Cost:   without a section .go.buildinfo, one pass over the data segments.
 */
MW_MUST_USE struct mw_error *
mw_go_buildinfo_read(struct mw_target *target, const struct mw_image *image,
		     struct mw_go_buildinfo **ret);
/**
 * The same from a file, quickly, when it has its strings in the section
 * .go.buildinfo (Go 1.18); *@ret is NULL otherwise.
 */
MW_MUST_USE struct mw_error *
mw_go_buildinfo_read_file(const struct mw_elf_file *file,
			  struct mw_go_buildinfo **ret);

void mw_go_buildinfo_free(struct mw_go_buildinfo *info);

static inline void mw_go_buildinfo_freep(struct mw_go_buildinfo **info)
{
	mw_go_buildinfo_free(*info);
	*info = NULL;
}

/**
 * Cut up the lines of @text, which is what `go version -m` prints. For
 * mw_go_buildinfo_read() and its tests.
 *
 * Errors: MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *
mw_go_buildinfo_parse(struct mw_go_buildinfo *info, const char *text,
		      size_t bytes);

#endif

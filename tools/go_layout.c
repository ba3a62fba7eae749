/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Print where the members of src/gort/layouts/fields.def lie in a Go program
 * built with DWARF, one line each: symbol, offset, bytes. Absent members are
 * left out. tools/go_layouts.py makes the layout tables of its output.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "mw_dwarf.h"
#include "mw_guard.h"

static const struct {
	const char *symbol, *structure, *path;
} members[] = {
#define GO_MEMBER(symbol, structure, path) { #symbol, structure, path },
#include "layouts/fields.def"
#undef GO_MEMBER
};

/** The members of structs whose name begins with @prefix. */
static struct mw_error *print_members(int fd, const char *prefix)
{
	MW_CLEANUP(mw_dwarf_closep) struct mw_dwarf *dwarf = NULL;
	struct mw_error *error = mw_dwarf_open(fd, prefix, &dwarf);

	if (error)
		return error;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		uint64_t offset, bytes;

		if (mw_dwarf_member(dwarf, members[i].structure,
				    members[i].path, &offset, &bytes))
			printf("%s %" PRIu64 " %" PRIu64 "\n",
			       members[i].symbol, offset, bytes);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static const char *const prefixes[] = { "runtime.", "internal/abi." };
	MW_CLEANUP(mw_closep) int fd = -1;

	if (argc != 2) {
		fputs("usage: go-layout PROGRAM\n", stderr);
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		struct mw_error *error = print_members(fd, prefixes[i]);

		if (error) {
			fprintf(stderr, "%s: %s\n", argv[1], error->message);
			mw_error_free(error);
			return 1;
		}
	}
	return 0;
}

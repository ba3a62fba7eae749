/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests: what mw_go_funcs says of a running Go program, or of one in a
 * file, which is named by a path with a '/'.
 *
 *	go-funcs PID		each function: entry, end, start line, name
 *	go-funcs PID packages	each function: name, package
 *	go-funcs PID lines	the inlined functions at addresses that are
 *				read from standard input, innermost first
 *	go-funcs PID named N	entry of the function N
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mw_go_funcs.h"
#include "mw_guard.h"

static void list(struct mw_go_funcs *funcs, bool packages)
{
	for (uint64_t i = 0; i < mw_go_funcs_count(funcs); i++) {
		struct mw_go_func func, again;
		char package[4096];
		const char *name;

		if (!mw_go_func_at(funcs, i, &func)) {
			printf("bad %" PRIu64 "\n", i);
			continue;
		}
		if (!mw_go_func_of(funcs, func.end - 1, &again) ||
		    again.index != i)
			printf("lost %" PRIu64 "\n", i);
		name = mw_go_func_name(funcs, &func);
		mw_go_package(name, package, sizeof(package));
		if (packages)
			printf("%s\t%s\n", name, package);
		else
			printf("%" PRIx64 " %" PRIx64 " %u %s\n", func.entry,
			       func.end, mw_go_func_start_line(funcs, &func),
			       name);
	}
}

static void lines(struct mw_go_funcs *funcs)
{
	char text[64];

	while (fgets(text, sizeof(text), stdin)) {
		uint64_t pc = strtoull(text, NULL, 16);
		struct mw_go_line lines[MW_GO_MAX_LINES];
		struct mw_go_func func;
		uint64_t bytes = 0;
		size_t n = 0;
		bool framed = false;

		if (mw_go_func_of(funcs, pc, &func)) {
			n = mw_go_lines(funcs, &func, pc, lines,
					MW_GO_MAX_LINES);
			framed = mw_go_frame_bytes(funcs, &func, pc, &bytes);
		}
		printf("%" PRIx64 " %zu %" PRId64 "\n", pc, n,
		       framed ? (int64_t)bytes : -1);
		for (size_t i = 0; i < n; i++)
			printf("\t%s\t%s:%u\n", lines[i].function,
			       lines[i].file, lines[i].line);
	}
}

static struct mw_error *run(int argc, char **argv)
{
	MW_CLEANUP(mw_target_closep) struct mw_target *target = NULL;
	MW_CLEANUP(mw_go_funcs_closep) struct mw_go_funcs *funcs = NULL;
	const struct mw_target_options options = { .file_pages = true };
	const char *what = argc > 2 ? argv[2] : "";
	struct mw_go_func func;
	struct mw_error *error =
		strchr(argv[1], '/')
			? mw_target_open_file(argv[1], &target)
			: mw_target_open(atoi(argv[1]), &options, &target);

	if (!error)
		error = mw_go_funcs_open(target, &funcs);
	if (error)
		return error;
	if (!funcs)
		return mw_error_new(MW_E_NOT_FOUND, "no Go program");
	if (strcmp(what, "lines") == 0)
		lines(funcs);
	else if (strcmp(what, "named") == 0 && argc > 3)
		printf("%" PRIx64 "\n",
		       mw_go_func_named(funcs, argv[3], &func) ? func.entry
							       : 0);
	else
		list(funcs, strcmp(what, "packages") == 0);
	return NULL;
}

int main(int argc, char **argv)
{
	struct mw_error *error;

	if (argc < 2)
		return 2;
	error = run(argc, argv);
	if (error)
		fprintf(stderr, "%s\n", error->message);
	mw_error_free(error);
	return error ? 1 : 0;
}

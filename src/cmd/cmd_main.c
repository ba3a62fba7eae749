/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio_ext.h>
#include <string.h>

#include "cmd.h"

/** All commands; the first is meant when none is named. */
static const struct cmd_command *const commands[] = {
	&cmd_ledger,
	&cmd_maps,
	&cmd_watch,
	&cmd_diff,
	&cmd_malloc,
	&cmd_go_memstats,
	&cmd_go_spans,
	&cmd_go_classes,
	&cmd_go_goroutines,
	&cmd_go_gc,
	&cmd_go_sched,
	&cmd_go_profile,
	&cmd_boot,
	&cmd_elf,
	&cmd_syms,
	&cmd_disas,
	&cmd_allocs,
	&cmd_explain,
	&cmd_hexdump,
	&cmd_strings,
	&cmd_search,
	&cmd_dump,
	&cmd_snapshot,
};

/**
 * The command that argv[1], or argv[1] and argv[2], name; *@ret_words tells
 * how many they are. NULL when argv[1] names none.
 */
static const struct cmd_command *find_command(int argc, char **argv,
					      int *ret_words)
{
	for (size_t i = 0; i < MW_COUNT(commands); i++) {
		const char *name = commands[i]->name;
		const char *second = strchr(name, ' ');
		size_t first = second ? (size_t)(second - name) : strlen(name);

		if (argc < 2 || strlen(argv[1]) != first ||
		    strncmp(argv[1], name, first) != 0)
			continue;
		if (second && (argc < 3 || strcmp(argv[2], second + 1) != 0))
			continue;
		*ret_words = second ? 2 : 1;
		return commands[i];
	}
	return NULL;
}

/** Whether @word begins the names of several commands, as "go" does. */
static bool is_group(const char *word)
{
	size_t length = strlen(word);

	for (size_t i = 0; i < MW_COUNT(commands); i++)
		if (strncmp(commands[i]->name, word, length) == 0 &&
		    commands[i]->name[length] == ' ')
			return true;
	return false;
}

/** The commands that begin with @group, or all for NULL. */
static void list_commands(FILE *out, const char *group)
{
	size_t length = group ? strlen(group) : 0;

	for (size_t i = 0; i < MW_COUNT(commands); i++)
		if (!group || strncmp(commands[i]->name, group, length) == 0)
			fprintf(out, "  %-14s %s\n", commands[i]->name,
				commands[i]->summary);
}

static void help_all(FILE *out)
{
	fputs("usage: memwhy [COMMAND] [OPTION…] TARGET\n\n"
	      "Tells where a process's memory went, and why. TARGET is a PID, "
	      "or a name that\nexactly one process has; without a command, "
	      "`ledger` is meant, and without a\ntarget, the process with the "
	      "largest RSS.\n\nCommands:\n", out);
	list_commands(out, NULL);
	fputs("\n`memwhy COMMAND --help` tells a command's options.\n", out);
}

/** Help for a group of commands; the exit status. */
static int help_group(const char *group, const char *word)
{
	bool asked = word && (strcmp(word, "--help") == 0 ||
			      strcmp(word, "-h") == 0);
	FILE *out = asked ? stdout : stderr;

	if (word && !asked)
		fprintf(out, "memwhy: %s has no command %s; there are:\n",
			group, word);
	else
		fprintf(out, "usage: memwhy %s COMMAND [OPTION…] TARGET\n\n"
			"Commands:\n", group);
	list_commands(out, group);
	return asked ? 0 : 2;
}

static int run(const struct cmd_call *call)
{
	struct mw_error *error = call->command->run(call);
	int status;

	if (!error && (fflush(stdout) != 0 || ferror(stdout)))
		error = mw_error_new(MW_E_SYSTEM, "standard output: could not "
				     "be written");
	if (!error)
		return 0;
	fflush(stdout);
	fputs("memwhy: ", stderr);
	mw_print_escaped(stderr, error->message);
	putc('\n', stderr);
	status = error->code == MW_E_USAGE ? 2 : 1;
	mw_error_free(error);
	return status;
}

int main(int argc, char **argv)
{
	static char buffer[64 << 10]; // outlives main()
	struct cmd_call call = { .style = mw_style_for(stdout) };
	int words = 0;
	const struct cmd_command *command = find_command(argc, argv, &words);

	// A reader that closes the pipe early is no reason for an error.
	signal(SIGPIPE, SIG_DFL);
	// Only this thread prints.
	__fsetlocking(stdout, FSETLOCKING_BYCALLER);
	// The C library's own buffer is a page, for tables of many megabytes.
	if (!call.style.is_terminal)
		setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	if (!command && argc > 1) {
		if (strcmp(argv[1], "--help") == 0 ||
		    strcmp(argv[1], "-h") == 0 ||
		    strcmp(argv[1], "help") == 0) {
			help_all(stdout);
			return 0;
		}
		if (is_group(argv[1]))
			return help_group(argv[1], argc > 2 ? argv[2] : NULL);
	}
	if (!command)
		command = commands[0];
	argv[words] = argv[0];

	int status = cmd_parse(command, argc - words, argv + words, &call);
	return status >= 0 ? status : run(&call);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

#ifndef MW_VERSION
#define MW_VERSION "unknown"
#endif

enum option_bit {
	OPT_FORMAT = 1,
	OPT_CSV = 2, /* --format=csv makes sense */
	OPT_CAPTURE = 4,
	OPT_DOMAIN = 8,
	OPT_PSS = 16,
	OPT_VERBOSE = 32,
	OPT_EXPLAIN = 64,
	OPT_BYTES = 128,
	OPT_MAPS = 256,
};

struct command {
	const char *name;
	const char *summary;
	const char *usage;
	cmd_fn *run;
	unsigned options;
	void (*help)(FILE *out); /* more than the options; may be NULL */
};

static const struct command commands[] = {
	{ "ledger", "where RSS, VSZ and swap went, to the byte",
	  "memwhy ledger [OPTION…] TARGET", cmd_ledger,
	  OPT_FORMAT | OPT_CAPTURE | OPT_DOMAIN | OPT_PSS | OPT_VERBOSE |
		  OPT_EXPLAIN | OPT_BYTES, NULL },
	{ "maps", "every mapping with its owner and what of it is resident",
	  "memwhy maps [OPTION…] TARGET", cmd_maps,
	  OPT_FORMAT | OPT_CSV | OPT_CAPTURE | OPT_BYTES | OPT_MAPS |
		  OPT_VERBOSE,
	  cmd_maps_columns },
};

static const struct option_text {
	const char *name;
	int letter;
	int has_arg;
	unsigned bit; /* 0: every command takes it */
	const char *argument;
	const char *text;
} option_texts[] = {
	{ "format", 'f', required_argument, OPT_FORMAT, "text|json",
	  "how to print" },
	{ "live", 'l', no_argument, OPT_CAPTURE, NULL,
	  "never stop the target (default); what moves meanwhile is\n"
	  "reported as drift" },
	{ "stop", 's', no_argument, OPT_CAPTURE, NULL,
	  "stop all its threads while its memory is read: exact books" },
	{ "domain", 'd', required_argument, OPT_DOMAIN, "rss|vsz|swap",
	  "what to show and sort by" },
	{ "pss", 'p', no_argument, OPT_PSS, NULL,
	  "add PSS: shared pages divided by the number of their users\n"
	  "(reads smaps, which can delay the target's own mmap)" },
	{ "verbose", 'v', no_argument, OPT_VERBOSE, NULL,
	  "ledger: every account, however small, and the ranges whose\n"
	  "owner is not known; maps: the path, too" },
	{ "explain", 'e', no_argument, OPT_EXPLAIN, NULL,
	  "a sentence for each account" },
	{ "bytes", 'b', no_argument, OPT_BYTES, NULL,
	  "exact bytes instead of KiB, MiB, GiB" },
	{ "by-page", 'B', no_argument, OPT_MAPS, NULL,
	  "a row for each resident page, with what is on it" },
	{ "no-smaps", 'S', no_argument, OPT_MAPS, NULL,
	  "do not read smaps: dirty, huge and locked are left out" },
	{ "pages", 'P', required_argument, OPT_CAPTURE, "scan|pagemap|smaps",
	  "best source of page states to use (default: scan)" },
	{ "help", 'h', no_argument, 0, NULL, "this text" },
	{ "version", 'V', no_argument, 0, NULL, "print the version" },
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void print_options(FILE *out, const struct command *command)
{
	fputs("\nOptions:\n", out);
	for (size_t i = 0;
	     i < sizeof(option_texts) / sizeof(option_texts[0]); i++) {
		const struct option_text *o = &option_texts[i];
		const char *argument = o->argument;
		char left[48];

		if (o->bit && !(command->options & o->bit))
			continue;
		if (o->bit == OPT_FORMAT && (command->options & OPT_CSV))
			argument = "text|json|csv";
		snprintf(left, sizeof(left), "--%s%s%s", o->name,
			 argument ? "=" : "", argument ? argument : "");
		fprintf(out, "  %-26s ", left);
		for (const char *c = o->text; *c; c++) {
			putc(*c, out);
			if (*c == '\n')
				fprintf(out, "%29s", "");
		}
		putc('\n', out);
	}
}

static void help_command(FILE *out, const struct command *command)
{
	fprintf(out, "usage: %s\n\n%s: %s.\n\n"
		"TARGET is a PID, or a name that exactly one process has.\n",
		command->usage, command->name, command->summary);
	print_options(out, command);
	if (command->help)
		command->help(out);
}

static void help_all(FILE *out)
{
	fputs("usage: memwhy [COMMAND] [OPTION…] TARGET\n\n"
	      "Tells where a process's memory went, and why. TARGET is a PID, "
	      "or a name that\nexactly one process has; without a command, "
	      "`ledger` is meant, and without a\ntarget, the process with the "
	      "largest RSS.\n\nCommands:\n", out);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name,
			commands[i].summary);
	fputs("\n`memwhy COMMAND --help` tells a command's options.\n", out);
}

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "memwhy: %s%s%s\n", what, value ? ": " : "",
		value ? value : "");
	fputs("Try `memwhy --help`.\n", stderr);
	return 2;
}

/** Index of @value in @names, or -1. */
static int choose(const char *value, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], value) == 0)
			return i;
	return -1;
}

/** Take one option. 0 to go on, otherwise the exit status. */
static int take_option(int letter, const struct command *command,
		       struct cmd_options *options)
{
	static const char *const formats[] = { "text", "json", "csv", NULL };
	static const char *const domains[] = { "rss", "vsz", "swap", NULL };
	static const char *const pages[] = { "scan", "pagemap", "smaps",
					     NULL };
	int choice;

	switch (letter) {
	case 'f':
		choice = choose(optarg, formats);
		if (choice < 0 ||
		    (choice == MW_FORMAT_CSV && !(command->options & OPT_CSV)))
			return usage_error("no such format", optarg);
		options->format = (enum mw_format)choice;
		return 0;
	case 'd':
		choice = choose(optarg, domains);
		if (choice < 0)
			return usage_error("no such domain", optarg);
		options->domain = (enum cmd_domain)choice;
		return 0;
	case 'P':
		choice = choose(optarg, pages);
		if (choice < 0)
			return usage_error("no such source of page states",
					   optarg);
		options->capture.pages = (enum mw_page_detail)choice;
		return 0;
	case 'l':
		options->capture.mode = MW_CAPTURE_LIVE;
		return 0;
	case 's':
		options->capture.mode = MW_CAPTURE_STOP;
		return 0;
	case 'p':
		options->pss = true;
		return 0;
	case 'v':
		options->verbose = true;
		return 0;
	case 'e':
		options->explain = true;
		return 0;
	case 'B':
		options->by_page = true;
		return 0;
	case 'S':
		options->no_smaps = true;
		return 0;
	case 'b':
		options->style.exact_bytes = true;
		return 0;
	}
	return usage_error("unknown option", NULL);
}

static unsigned bit_of(int letter)
{
	for (size_t i = 0;
	     i < sizeof(option_texts) / sizeof(option_texts[0]); i++)
		if (option_texts[i].letter == letter)
			return option_texts[i].bit;
	return 0;
}

/** Parse what follows the command. -1 to run it, otherwise the exit status. */
static int parse(int argc, char **argv, const struct command *command,
		 struct cmd_options *options)
{
	enum { COUNT = sizeof(option_texts) / sizeof(option_texts[0]) };
	struct option longs[COUNT + 1] = { 0 };
	int letter;

	for (size_t i = 0; i < COUNT; i++)
		longs[i] = (struct option){ option_texts[i].name,
					    option_texts[i].has_arg, NULL,
					    option_texts[i].letter };
	optind = 1;
	while ((letter = getopt_long(argc, argv, "hv", longs, NULL)) != -1) {
		if (letter == '?')
			return usage_error("see the options of", command->name);
		if (letter == 'h') {
			help_command(stdout, command);
			return 0;
		}
		if (letter == 'V') {
			puts("memwhy " MW_VERSION);
			return 0;
		}
		unsigned bit = bit_of(letter);
		if (bit && !(command->options & bit))
			return usage_error("this option does not go with",
					   command->name);
		int status = take_option(letter, command, options);
		if (status)
			return status;
	}
	if (optind < argc)
		options->target = argv[optind++];
	if (optind < argc)
		return usage_error("more than one target", argv[optind]);
	return -1;
}

int main(int argc, char **argv)
{
	struct cmd_options options = { .style = mw_style_for(stdout) };
	const struct command *command = NULL;

	// A reader that closes the pipe early is no reason for an error.
	signal(SIGPIPE, SIG_DFL);
	if (argc > 1) {
		command = find_command(argv[1]);
		if (!command && (strcmp(argv[1], "--help") == 0 ||
				 strcmp(argv[1], "-h") == 0 ||
				 strcmp(argv[1], "help") == 0)) {
			help_all(stdout);
			return 0;
		}
	}
	if (command) {
		argv[1] = argv[0];
		argv++;
		argc--;
	} else {
		command = &commands[0];
	}

	int status = parse(argc, argv, command, &options);
	if (status >= 0)
		return status;
	struct mw_error *error = command->run(&options);
	if (!error && (fflush(stdout) != 0 || ferror(stdout)))
		error = mw_error_new(MW_E_SYSTEM, "standard output: could not "
				     "be written");
	if (error) {
		fflush(stdout);
		fprintf(stderr, "memwhy: %s\n", error->message);
		status = error->code == MW_E_USAGE ? 2 : 1;
		mw_error_free(error);
		return status;
	}
	return 0;
}

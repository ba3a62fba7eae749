/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "mw_text.h"

#ifndef MW_VERSION
#define MW_VERSION "unknown"
#endif

/* Options of several commands, and all that each option becomes here. */

enum which {
	OWN = 256, /* and above: the command's own, by index */
	FORMAT = 1,
	BYTES,
	LIVE,
	STOP,
	PAGES,
	EXE,
	VERBOSE,
	HELP,
	VERSION,
};

static const struct shared_option {
	unsigned bit; /* of cmd_command.shared; 0: every command takes it */
	enum which which;
	struct cmd_option option;
} shared_options[] = {
	{ CMD_FORMAT, FORMAT,
	  { .name = "format", .argument = "text|json",
	    .help = "how to print" } },
	{ CMD_CAPTURE, LIVE,
	  { .name = "live",
	    .help = "never stop the target (default); what moves meanwhile is\n"
		    "reported as drift" } },
	{ CMD_CAPTURE, STOP,
	  { .name = "stop",
	    .help = "stop all its threads while its memory is read: exact "
		    "books" } },
	{ CMD_FORMAT, BYTES,
	  { .name = "bytes",
	    .help = "exact bytes instead of KiB, MiB, GiB" } },
	{ CMD_VERBOSE, VERBOSE,
	  { .name = "verbose", .letter = 'v',
	    .help = "all there is to tell" } },
	{ CMD_CAPTURE, PAGES,
	  { .name = "pages", .argument = "scan|pagemap|smaps",
	    .help = "best source of page states to use (default: scan)" } },
	{ CMD_CAPTURE, EXE,
	  { .name = "exe", .argument = "FILE",
	    .help = "the executable of a core that does not tell where it "
		    "lies" } },
	{ 0, HELP, { .name = "help", .letter = 'h', .help = "this text" } },
	{ 0, VERSION, { .name = "version", .help = "print the version" } },
};

#define MOST_OPTIONS 48

/** All options of one command, as getopt_long() wants them. */
struct parser {
	const struct cmd_command *command;
	struct option longs[MOST_OPTIONS + 1];
	char shorts[2 * MOST_OPTIONS + 2];
	size_t long_count, short_count;
};

static void add_option(struct parser *p, const struct cmd_option *o, int which)
{
	int value = o->letter ? o->letter : which;

	if (p->long_count == MOST_OPTIONS)
		abort(); // our own tables are at fault
	p->longs[p->long_count++] = (struct option){
		o->name, o->argument ? required_argument : no_argument, NULL,
		value,
	};
	if (!o->letter)
		return;
	p->shorts[p->short_count++] = o->letter;
	if (o->argument)
		p->shorts[p->short_count++] = ':';
}

static bool takes(const struct cmd_command *command,
		  const struct shared_option *o)
{
	return !o->bit || (command->shared & o->bit);
}

static void build_parser(struct parser *p, const struct cmd_command *command)
{
	*p = (struct parser){ .command = command };
	if (command->shared & CMD_PROGRAM)
		p->shorts[p->short_count++] = '+';
	for (size_t i = 0; i < MW_COUNT(shared_options); i++)
		if (takes(command, &shared_options[i]))
			add_option(p, &shared_options[i].option,
				   (int)shared_options[i].which);
	for (size_t i = 0; command->options && command->options[i].name; i++)
		add_option(p, &command->options[i], OWN + (int)i);
}

/* Help */

static void print_option(FILE *out, const struct cmd_option *o,
			 const char *argument)
{
	char left[64];

	snprintf(left, sizeof(left), "%s%c%s--%s%s%s", o->letter ? "-" : "",
		 o->letter ? o->letter : ' ', o->letter ? ", " : "   ",
		 o->name, argument ? "=" : "", argument ? argument : "");
	if (strlen(left) > 30)
		fprintf(out, "  %s\n%33s", left, "");
	else
		fprintf(out, "  %-30s ", left);
	for (const char *c = o->help; *c; c++) {
		putc(*c, out);
		if (*c == '\n')
			fprintf(out, "%33s", "");
	}
	putc('\n', out);
}

static const char *format_names(unsigned shared)
{
	if (shared & CMD_PPROF)
		return "text|json|csv|pprof";
	return shared & CMD_CSV ? "text|json|csv" : "text|json";
}

static void print_help(FILE *out, const struct cmd_command *command)
{
	fprintf(out, "usage: memwhy %s [OPTION…] %s\n\n%s: %s.\n",
		command->name, command->operands, command->name,
		command->summary);
	if (strstr(command->operands, "TARGET"))
		fprintf(out, "\nTARGET is a PID or a name that exactly one "
			"process has%s%s.\n",
			command->shared & CMD_RUNNING
				? ""
				: ", or the path of a core file",
			command->shared & CMD_FILES ? " or an ELF file" : "");
	fputs("\nOptions:\n", out);
	for (size_t i = 0; command->options && command->options[i].name; i++)
		print_option(out, &command->options[i],
			     command->options[i].argument);
	for (size_t i = 0; i < MW_COUNT(shared_options); i++) {
		const struct shared_option *o = &shared_options[i];

		if (takes(command, o))
			print_option(out, &o->option,
				     o->which == FORMAT
					     ? format_names(command->shared)
					     : o->option.argument);
	}
	if (command->help)
		command->help(out);
}

/* Parsing */

int cmd_usage_error(const char *what, const char *value)
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

static bool take_number(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	unsigned long long value = strtoull(text, &end, 0);
	if (errno || end == text || *end || strchr(text, '-'))
		return false;
	*ret = value;
	return true;
}

static int not_chosen(const struct cmd_option *o, const char *value)
{
	struct mw_text what = { .limit = 512 };
	int status;

	mw_text_add(&what, "--%s=%s: not one of", o->name, value);
	for (int i = 0; o->choices[i]; i++)
		mw_text_add(&what, "%s%s", i ? ", " : " ", o->choices[i]);
	status = cmd_usage_error(what.v ? what.v : "not one of the choices",
				 NULL);
	mw_text_free(&what);
	return status;
}

/** Put the value of an own option in its place. 0, or the exit status. */
static int take_own(const struct cmd_option *o)
{
	int choice;

	if (o->flag)
		*o->flag = true;
	if (o->text)
		*o->text = optarg;
	if (o->number && !take_number(optarg, o->number))
		return cmd_usage_error("not a number", optarg);
	if (o->choice) {
		choice = choose(optarg, o->choices);
		if (choice < 0)
			return not_chosen(o, optarg);
		*o->choice = (unsigned)choice;
	}
	return 0;
}

static int take_shared(enum which which, struct cmd_call *call)
{
	static const char *const formats[] = { "text", "json", "csv", NULL };
	static const char *const pages[] = { "scan", "pagemap", "smaps",
					     NULL };
	int choice;

	switch (which) {
	case FORMAT:
		call->as_pprof = call->command->shared & CMD_PPROF &&
				 strcmp(optarg, "pprof") == 0;
		choice = call->as_pprof ? MW_FORMAT_TEXT
					: choose(optarg, formats);
		if (choice < 0 || (choice == MW_FORMAT_CSV &&
				   !(call->command->shared & CMD_CSV)))
			return cmd_usage_error("no such format", optarg);
		call->format = (enum mw_format)choice;
		break;
	case PAGES:
		choice = choose(optarg, pages);
		if (choice < 0)
			return cmd_usage_error("no such source of page states",
					       optarg);
		call->capture.pages = (enum mw_page_detail)choice;
		break;
	case EXE:
		call->capture.exe = optarg;
		break;
	case LIVE:
		call->capture.mode = MW_CAPTURE_LIVE;
		break;
	case STOP:
		call->capture.mode = MW_CAPTURE_STOP;
		break;
	case BYTES:
		call->style.exact_bytes = true;
		break;
	case VERBOSE:
		call->verbose = true;
		break;
	case HELP:
	case VERSION:
	case OWN:
		break;
	}
	return 0;
}

/** What getopt_long() returned, as an enum which, OWN + index for own ones. */
static int which_option(const struct cmd_command *command, int value)
{
	for (size_t i = 0; i < MW_COUNT(shared_options); i++)
		if (takes(command, &shared_options[i]) &&
		    shared_options[i].option.letter &&
		    shared_options[i].option.letter == value)
			return (int)shared_options[i].which;
	for (size_t i = 0; command->options && command->options[i].name; i++)
		if (command->options[i].letter &&
		    command->options[i].letter == value)
			return OWN + (int)i;
	return value;
}

static int take_operands(struct cmd_call *call, int argc, char **argv)
{
	if (optind < argc)
		call->target = argv[optind++];
	call->operands = argv + optind;
	call->operand_count = (size_t)(argc - optind);
	if (call->operand_count > call->command->max_operands)
		return cmd_usage_error(call->command->max_operands
					       ? "too many arguments"
					       : "more than one target",
				       argv[argc - 1]);
	if (call->operand_count < call->command->min_operands) {
		fprintf(stderr, "usage: memwhy %s [OPTION…] %s\n",
			call->command->name, call->command->operands);
		return 2;
	}
	return -1;
}

int cmd_parse(const struct cmd_command *command, int argc, char **argv,
	      struct cmd_call *call)
{
	struct parser p;
	int value;

	build_parser(&p, command);
	call->command = command;
	optind = 1;
	while ((value = getopt_long(argc, argv, p.shorts, p.longs, NULL)) !=
	       -1) {
		int which = which_option(command, value), status;

		if (value == '?') {
			// What is wrong with it has been said.
			fprintf(stderr, "Try `memwhy %s --help`.\n",
				command->name);
			return 2;
		}
		if (which == HELP) {
			print_help(stdout, command);
			return 0;
		}
		if (which == VERSION) {
			puts("memwhy " MW_VERSION);
			return 0;
		}
		status = which >= OWN
				 ? take_own(&command->options[which - OWN])
				 : take_shared((enum which)which, call);
		if (status)
			return status;
	}
	return take_operands(call, argc, argv);
}

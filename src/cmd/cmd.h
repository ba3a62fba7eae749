/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_H
#define CMD_H

#include <stdbool.h>
#include <sys/types.h>

#include "mw_error.h"
#include "mw_render.h"
#include "mw_target.h"

/*
 * Commands: one file each, listed in cmd_main.c. Only this room prints. A
 * command returns an error, or NULL and the exit status is 0.
 */

/** Options that several commands share: bits of cmd_command.shared. */
enum cmd_shared {
	CMD_FORMAT = 1,	  /* --format=text|json, --bytes */
	CMD_CSV = 2,	  /* --format=csv, too */
	CMD_CAPTURE = 4,  /* --live, --stop, --pages */
	CMD_VERBOSE = 8,  /* --verbose, -v */
	CMD_FILES = 16,	  /* the target may be an ELF file that does not run */
	CMD_PROGRAM = 32, /* all behind the first operand belongs to it */
	CMD_PPROF = 64,	  /* --format=pprof, too */
	CMD_RUNNING = 128, /* the target must be a process, not its core */
};

/**
 * An option of a command's own. Exactly one of the pointers says where its
 * value goes: a variable of the command's file.
 */
struct cmd_option {
	const char *name;
	char letter;	      /* short form, or 0 */
	const char *argument; /* what --help calls the value; NULL: none */
	const char *help;     /* lines of at most 60 columns */
	bool *flag;
	const char **text;
	uint64_t *number;
	const char *const *choices; /* ends with NULL */
	unsigned *choice;	    /* index of one of them */
};

/** What a command was called with. */
struct cmd_call {
	const struct cmd_command *command;
	const char *target; /* the first operand; NULL: none was given */
	char **operands;    /* behind the target, @operand_count of them */
	size_t operand_count;
	enum mw_format format;
	bool as_pprof; /* in place of a format */
	struct mw_style style;
	struct mw_target_options capture;
	bool verbose;
};

struct cmd_command {
	const char *name;     /* may be two words */
	const char *operands; /* for the usage line: "TARGET TEXT" */
	const char *summary;  /* no capital, no full stop */
	unsigned shared;      /* enum cmd_shared */
	const struct cmd_option *options; /* ends with a nameless one */
	size_t min_operands, max_operands; /* behind the target */
	struct mw_error *(*run)(const struct cmd_call *call);
	void (*help)(FILE *out); /* more than the options; may be NULL */
};

extern const struct cmd_command cmd_allocs;
extern const struct cmd_command cmd_boot;
extern const struct cmd_command cmd_diff;
extern const struct cmd_command cmd_disas;
extern const struct cmd_command cmd_dump;
extern const struct cmd_command cmd_elf;
extern const struct cmd_command cmd_go_classes;
extern const struct cmd_command cmd_go_gc;
extern const struct cmd_command cmd_explain;
extern const struct cmd_command cmd_go_goroutines;
extern const struct cmd_command cmd_go_memstats;
extern const struct cmd_command cmd_go_profile;
extern const struct cmd_command cmd_go_sched;
extern const struct cmd_command cmd_go_spans;
extern const struct cmd_command cmd_hexdump;
extern const struct cmd_command cmd_ledger;
extern const struct cmd_command cmd_malloc;
extern const struct cmd_command cmd_maps;
extern const struct cmd_command cmd_search;
extern const struct cmd_command cmd_snapshot;
extern const struct cmd_command cmd_strings;
extern const struct cmd_command cmd_syms;
extern const struct cmd_command cmd_watch;

/**
 * Parse what follows the command's name. -1 to run it, otherwise the exit
 * status: the help was asked for, or a message has told what is wrong.
 */
int cmd_parse(const struct cmd_command *command, int argc, char **argv,
	      struct cmd_call *call);

/** Tell that the command line is wrong; returns the exit status for it. */
int cmd_usage_error(const char *what, const char *value);

/** Print what the columns of a table mean, for a command's help. */
void cmd_print_columns(FILE *out, const struct mw_column *columns,
		       size_t count);

/** Print a table in the form asked for; in JSON with all that goes around. */
struct mw_go;
void cmd_emit_table(const struct cmd_call *call, const struct mw_table *table,
		    const struct mw_target *target, const struct mw_go *go,
		    uint64_t stopped_ns, uint64_t wall_ns);

/** Begin and end a JSON answer: schema, target, capture; and the notes. */
void cmd_json_begin(struct mw_json *json, const struct cmd_call *call,
		    const struct mw_target *target, const struct mw_go *go,
		    uint64_t stopped_ns, uint64_t wall_ns);
/** Begin one, but for all behind the schema. */
void cmd_json_schema(struct mw_json *json, const struct cmd_call *call);
void cmd_json_end(struct mw_json *json, const struct mw_target *target);

/** The same for an answer that begins before the capture has ended. */
void cmd_json_begin_early(struct mw_json *json, const struct cmd_call *call,
			  const struct mw_target *target,
			  const struct mw_go *go);
void cmd_json_capture(struct mw_json *json, const struct mw_target *target,
		      uint64_t stopped_ns, uint64_t wall_ns);

/**
 * The process that call->target stands for (NULL: the largest); 0 when it is
 * the name of a file.
 */
MW_MUST_USE struct mw_error *cmd_find_target(const struct cmd_call *call,
					     pid_t *ret_pid);

/** Open call->target (NULL: the largest process). */
MW_MUST_USE struct mw_error *cmd_open_target(const struct cmd_call *call,
					     struct mw_target **ret);

/** What to tell behind "… changed while they were read and are left out". */
const char *cmd_torn_remedy(const struct mw_target *target);

/**
 * The error for a command that needs a Go runtime where there is none: what the
 * target's last note says, if it has any.
 */
MW_MUST_USE struct mw_error *cmd_no_go(const struct cmd_call *call,
				       const struct mw_target *target);

/**
 * Whether the @bytes at @name are its soname, its path, or the last part of
 * that, perhaps without its ".so" and what follows: "libc".
 */
bool cmd_image_is_called(const struct mw_image *image, const char *name,
			 size_t bytes);
/** The error for a @name (NULL: the executable) that no image has. */
MW_MUST_USE struct mw_error *cmd_no_image(const struct mw_target *target,
					  const char *name);

/** The error for a @name that none of the sections of the file @of has. */
MW_MUST_USE struct mw_error *
cmd_no_section(const char *of, const struct mw_elf_section *sections,
	       size_t count, const char *name);

/** Print the notes of a target to standard error. */
void cmd_print_notes(const struct mw_target *target);

/** A short gloss for a node of the account tree, NULL if it needs none. */
const char *cmd_gloss(const char *account);
/** A sentence that explains it, NULL if there is none. */
const char *cmd_explanation(const char *account);

#endif

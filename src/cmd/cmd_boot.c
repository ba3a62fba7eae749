/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#include "cmd_boot.h"
#include "mw_guard.h"
#include "mw_output.h"

static const char *until, *output_path;
static bool kill_then, force, int3;

static void boot_deinit(struct boot *boot)
{
	mw_trace_freep(&boot->trace);
	for (size_t i = 0; i < boot->open.n; i++)
		boot_run_deinit(&boot->open.v[i]);
	mw_vec_free(&boot->open);
	for (size_t i = 0; i < boot->accounts.n; i++)
		mw_free(boot->accounts.v[i].name);
	mw_vec_free(&boot->accounts);
	cmd_books_free(&boot->books);
	boot_plan_free(&boot->plan);
	mw_table_deinit(&boot->table);
}

/** How a program ended, where that is worth a word. */
static void tell_end(const struct boot *boot, int status)
{
	const char *when = boot->is_done ? "" : " before the last stage";

	if (WIFSIGNALED(status))
		fprintf(stderr, "memwhy: the program was ended by signal %d "
			"(%s)%s\n", WTERMSIG(status),
			strsignal(WTERMSIG(status)), when);
	else if (WEXITSTATUS(status) != 0 || !boot->is_done)
		fprintf(stderr, "memwhy: the program ended with status %d%s\n",
			WEXITSTATUS(status), when);
}

/** Up to the last stage; then what is not text is written. */
static struct mw_error *show(struct boot *boot, struct mw_trace_event *event)
{
	struct mw_error *error = NULL;

	error = boot_walk(boot, event);
	if (error)
		return error;
	if (boot->is_done && !kill_then)
		mw_trace_release(boot->trace);
	if (mw_trace_pages_written(boot->trace))
		mw_target_note(boot->books.target, "%" PRIu64 " pages of code "
			       "are the program's own copies now: more places "
			       "were watched than the processor has debug "
			       "registers for",
			       mw_trace_pages_written(boot->trace));
	boot_rows_end(boot);
	if (boot->call->format == MW_FORMAT_TEXT)
		cmd_print_notes(boot->books.target);
	return NULL;
}

/** Then the program goes on as if it had been started by itself. */
static struct mw_error *see_it_end(struct boot *boot,
				   const struct mw_trace_event *event)
{
	struct mw_error *error = NULL;
	int status = event->status;

	if (boot->is_done && kill_then) {
		mw_trace_kill(boot->trace);
		return NULL;
	}
	if (boot->is_done)
		error = mw_trace_wait(boot->trace, &status);
	if (error)
		return error;
	tell_end(boot, status);
	if (boot->until && !boot->is_done)
		return mw_error_new(MW_E_NOT_FOUND, "%s was not reached",
				    boot->until);
	return NULL;
}

/** Let the program run to its end. */
static void run_on(struct boot *boot)
{
	int status;

	mw_trace_release(boot->trace);
	mw_error_free(mw_trace_wait(boot->trace, &status));
}

/** What memwhy itself prints goes to @output; the program has its own. */
static struct mw_error *redirect(struct mw_output *output)
{
	fflush(stdout);
	if (output && dup2(mw_output_fd(output), STDOUT_FILENO) < 0)
		return mw_error_errno(errno, "%s", output_path);
	return NULL;
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(mw_output_freep) struct mw_output *output = NULL;
	MW_CLEANUP(boot_deinit) struct boot boot = {
		.call = call,
		.until = until,
	};
	struct mw_trace_event event;
	struct mw_error *error = NULL;

	if (!call->target)
		return mw_error_new(MW_E_USAGE, "boot: which program? Give "
				    "boot -- COMMAND");
	if (output_path)
		error = mw_output_open(output_path, force, &output);
	// The operands of argv begin with the command and end with NULL.
	if (!error)
		error = mw_trace_start(call->operands - 1, !int3,
				       &boot.trace, &event);
	if (!error)
		error = redirect(output);
	if (!error) {
		error = show(&boot, &event);
		// Its memory could not be told, but it may well run on.
		if (error && error->code != MW_E_USAGE)
			run_on(&boot);
	}
	if (!error && output && fflush(stdout) == 0)
		error = mw_output_commit(output);
	return error ? error : see_it_end(&boot, &event);
}

static void help(FILE *out)
{
	fputs("\nThe stages: kernel entry, loader (of a dynamic program), main "
	      "(of C),\n_rt0_amd64_linux, rt0_go, schedinit, mallocinit, "
	      "gcinit, procresize, newproc, mstart,\nruntime.main, sysmon, "
	      "gcenable, \"init PACKAGE\" for each package, main.main. At each, "
	      "the\nprogram is held while the books are taken: all its memory, "
	      "by account, and what has\nchanged. Of a program without Go, up "
	      "to main.\n\n"
	      "The program has memwhy's standard input, output and error, and "
	      "gets its signals. It is\nheld by the processor's debug "
	      "registers, which leave no trace; where more than four\nplaces "
	      "are watched at a time (packages up to Go 1.12), or the machine "
	      "has none, a byte of\nits code is replaced until it is reached. "
	      "Until the last stage it dies with memwhy; then\nit runs on "
	      "untraced, and memwhy waits for its end.\n\n"
	      "The exit status is memwhy's: 0 when the stages were shown, "
	      "whatever becomes of the\nprogram, which is told on standard "
	      "error when it fails.\n", out);
	boot_rows_help(out);
}

static const struct cmd_option options[] = {
	{ .name = "until", .argument = "STAGE", .text = &until,
	  .help = "the last stage to be shown, by its name, its function or\n"
		  "its package; from there on the program runs freely" },
	{ .name = "kill", .flag = &kill_then,
	  .help = "kill the program after the last stage" },
	{ .name = "output", .letter = 'o', .argument = "FILE",
	  .text = &output_path,
	  .help = "where to write; standard output stays the program's" },
	{ .name = "force", .flag = &force,
	  .help = "replace the file if it is there" },
	{ .name = "int3", .flag = &int3,
	  .help = "do not use debug registers, but replace bytes of code" },
	{ 0 },
};

const struct cmd_command cmd_boot = {
	.name = "boot",
	.operands = "-- COMMAND [ARGUMENT…]",
	.summary = "run a program and show its memory at each stage of its "
		   "start",
	.shared = CMD_FORMAT | CMD_CSV | CMD_VERBOSE | CMD_PROGRAM,
	.options = options,
	.max_operands = SIZE_MAX,
	.run = run,
	.help = help,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd_findings.h"
#include "mw_guard.h"
#include "mw_kernel.h"
#include "mw_output.h"
#include "mw_snapshot.h"

static const char *output_path;
static bool force, with_smaps, no_contents;

static const struct mw_column columns[] = {
	{ "file", "FILE", MW_UNIT_TEXT, "the snapshot" },
	{ "file_bytes", "SIZE", MW_UNIT_BYTES, "its size" },
	{ "memory_bytes", "MEMORY", MW_UNIT_BYTES,
	  "what of it is the process's memory: the pages that were present" },
	{ "lost_bytes", "LOST", MW_UNIT_BYTES,
	  "pages that were present but could not be read, as a device's" },
	{ "segments", "SEGMENTS", MW_UNIT_COUNT, "program headers" },
	{ "threads", "THREADS", MW_UNIT_COUNT, "threads" },
	{ "stopped_ns", "STOPPED", MW_UNIT_NS,
	  "how long the process was held" },
};

static void help(FILE *out)
{
	fputs("\nThe process is stopped while its memory is read; most of it "
	      "is written before. What\nis written is an ELF core, which gdb "
	      "and Delve open; memwhy answers from it what\nit would have "
	      "answered about the process. Only pages that are present are "
	      "read and\nstored; what is in swap stays there. The file can be "
	      "read by its owner only, and\nis written whole or not at all.\n",
	      out);
	cmd_print_columns(out, columns, MW_COUNT(columns));
}

/* Being told to end */

static volatile sig_atomic_t cancelled;

static void cancel(int signal_number)
{
	(void)signal_number;
	cancelled = 1;
}

/** Without it, a process that is held and a file without its end were left. */
static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = cancel };

	for (size_t i = 0; i < MW_COUNT(signals); i++)
		sigaction(signals[i], &action, NULL);
	// A file size limit is an error like a full disk.
	signal(SIGXFSZ, SIG_IGN);
}

/* Progress */

struct progress {
	uint64_t begun_ns, last_ns;
	bool shown;
};

static void show_progress(uint64_t written, uint64_t total, void *ctx)
{
	struct progress *p = ctx;
	struct pollfd terminal = { STDERR_FILENO, POLLOUT, 0 };
	uint64_t now = mw_kernel_now();

	if (now - p->begun_ns < 1000000000 || now - p->last_ns < 200000000)
		return;
	p->last_ns = now;
	// The target must not wait for a terminal that takes nothing.
	if (poll(&terminal, 1, 0) != 1 || !(terminal.revents & POLLOUT))
		return;
	p->shown = true;
	fprintf(stderr, "\rmemwhy: %3d%% of %llu MiB ",
		(int)(total ? mw_min(written * 100 / total, 100) : 100),
		(unsigned long long)(total >> 20));
	fflush(stderr);
}

static void end_progress(const struct progress *p)
{
	if (p->shown)
		fputs("\r\33[K", stderr);
}

/* Without contents */

struct keeper {
	const struct cmd_books *books;
	MW_VEC(char) chosen; /* per account: 'y', 'n'; 0 when not known yet */
	bool nomem;
};

static uint64_t every_address(void *ctx, uint64_t va)
{
	(void)ctx;
	return va;
}

/** Accounts whose bytes are a runtime's or an allocator's own. */
static bool is_structure(const char *account)
{
	const char *leaf = strrchr(account, '/');

	return strncmp(account, "go/runtime/", 11) == 0 ||
	       (strncmp(account, "malloc/", 7) == 0 &&
		strcmp(leaf, "/metadata") == 0);
}

static void keep(void *ctx, uint64_t start, uint64_t end,
		 mw_account_id account)
{
	struct keeper *k = ctx;
	size_t count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(k->books->ledger, &count);

	while (k->chosen.n <= account) {
		char *fresh = mw_vec_push(&k->chosen);

		if (!fresh) {
			k->nomem = true;
			return;
		}
		*fresh = '\0';
	}
	if (!k->chosen.v[account])
		k->chosen.v[account] =
			is_structure(accounts[account].name) ? 'y' : 'n';
	if (k->chosen.v[account] == 'y')
		mw_target_keep(k->books->target, start, end - start);
}

/** Have the walkers say what is structure, while the target stands still. */
static struct mw_error *find_structure(const struct cmd_call *call,
				       struct mw_target **target)
{
	MW_CLEANUP(cmd_books_free) struct cmd_books books = {
		.target = *target,
	};
	MW_CLEANUP(cmd_findings_free) struct cmd_findings findings = { 0 };
	struct keeper k = { .books = &books };
	struct mw_ledger_trace trace = { every_address, keep, &k };
	struct mw_error *error;

	if (!mw_target_keep_structure(*target))
		k.nomem = true;
	*target = NULL;
	books.trace = &trace;
	error = cmd_books_take(call, CMD_BOOKS_HOLD, &books);
	// What findings ask for, too, so that they are the same.
	if (!error)
		error = cmd_findings_take(&books, &findings);
	*target = mw_steal(books.target);
	mw_vec_free(&k.chosen);
	return !error && k.nomem ? mw_error_nomem() : error;
}

/* The command */

/** The process that @call names, and about how large it is. */
static struct mw_error *find_process(const struct cmd_call *call,
				     pid_t *ret_pid, uint64_t *ret_bytes)
{
	MW_CLEANUP(mw_process_closep) struct mw_process *process = NULL;
	struct mw_status status;
	struct mw_error *error;
	pid_t pid;

	if (!call->target)
		return mw_error_new(MW_E_USAGE, "snapshot: of which process?");
	if (!output_path)
		return mw_error_new(MW_E_USAGE, "snapshot: where to? Give "
				    "-o FILE");
	error = mw_kernel_find(call->target, &pid);
	if (!error)
		error = mw_process_open(pid, &process);
	if (!error)
		error = mw_process_status(process, &status);
	if (error)
		return error;
	*ret_pid = pid;
	*ret_bytes = status.rss_bytes;
	return NULL;
}

static struct mw_error *take(const struct cmd_call *call, pid_t pid,
			     uint64_t expected, struct mw_target **ret_target,
			     struct mw_snapshot_result *ret)
{
	MW_CLEANUP(mw_output_freep) struct mw_output *output = NULL;
	MW_CLEANUP(mw_snapshot_freep) struct mw_snapshot *snapshot = NULL;
	struct progress progress = { .begun_ns = mw_kernel_now() };
	struct mw_snapshot_options options = {
		.smaps = with_smaps,
		.cancel = &cancelled,
		.progress = isatty(STDERR_FILENO) ? show_progress : NULL,
		.ctx = &progress,
	};
	struct mw_target_options capture = call->capture;
	struct mw_error *error = mw_output_open(output_path, force, &output);

	if (!error)
		error = mw_snapshot_begin(mw_output_fd(output),
					  no_contents ? 0 : expected,
					  &options, &snapshot);
	if (!error)
		error = mw_snapshot_before(snapshot, pid, &capture);
	if (error) {
		end_progress(&progress);
		return error;
	}
	capture.mode = MW_CAPTURE_STOP;
	capture.no_images = !no_contents;
	error = mw_target_open(pid, &capture, ret_target);
	if (!error && no_contents)
		error = find_structure(call, ret_target);
	if (!error)
		error = mw_snapshot_write(snapshot, *ret_target, ret);
	end_progress(&progress);
	if (!error)
		error = mw_output_commit(output);
	return error;
}

static struct mw_error *print(const struct cmd_call *call,
			      const struct mw_target *target,
			      const struct mw_snapshot_result *result,
			      uint64_t wall_ns)
{
	struct mw_table table;
	struct mw_cell *row;
	size_t threads;

	mw_target_threads(target, &threads);
	mw_table_init(&table, columns, MW_COUNT(columns));
	row = mw_table_add(&table);
	if (!row || !mw_cell_text(&row[0], output_path)) {
		mw_table_deinit(&table);
		return mw_error_nomem();
	}
	mw_cell_value(&row[1], result->file_bytes);
	mw_cell_value(&row[2], result->memory_bytes);
	mw_cell_value(&row[3], result->lost_bytes);
	mw_cell_value(&row[4], result->segments);
	mw_cell_value(&row[5], threads);
	mw_cell_value(&row[6], result->stopped_ns);
	cmd_print_notes(target);
	cmd_emit_table(call, &table, target, NULL, result->stopped_ns, wall_ns);
	mw_table_deinit(&table);
	return NULL;
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(mw_target_closep) struct mw_target *target = NULL;
	struct mw_snapshot_result result;
	uint64_t begun = mw_kernel_now(), expected = 0;
	pid_t pid = 0;
	struct mw_error *error = find_process(call, &pid, &expected);

	if (error)
		return error;
	catch_signals();
	error = take(call, pid, expected, &target, &result);
	if (error)
		return error;
	return print(call, target, &result, mw_kernel_now() - begun);
}

static const struct cmd_option options[] = {
	{ .name = "output", .letter = 'o', .argument = "FILE",
	  .text = &output_path, .help = "where to; must be given" },
	{ .name = "force", .flag = &force,
	  .help = "replace a file that is there already" },
	{ .name = "no-contents", .flag = &no_contents,
	  .help = "leave out what can hold user data: all but code, the\n"
		  "structures of runtime and allocators, and pointers;\n"
		  "the ledger stays the same, the stop takes longer" },
	{ .name = "smaps", .flag = &with_smaps,
	  .help = "the figures of smaps, too, so that `maps` and\n"
		  "`ledger --pss` can tell them; the stop takes longer" },
	{ 0 },
};

const struct cmd_command cmd_snapshot = {
	.name = "snapshot",
	.operands = "TARGET",
	.summary = "write a process's memory to a core that debuggers open",
	.shared = CMD_FORMAT | CMD_CSV | CMD_RUNNING,
	.options = options,
	.run = run,
	.help = help,
};

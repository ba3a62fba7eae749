/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd_books.h"
#include "mw_guard.h"
#include "mw_kernel.h"

static const char *interval_text = "1";
static const char *account;
static uint64_t most_samples;
static bool on_change;

/** Samples that a graph shows. */
#define GRAPH 24

/** What is known of one account. */
struct series {
	char *name;
	struct mw_tally before, now;
	uint64_t rss_bytes[GRAPH]; /* of the last samples, in a ring */
	bool is_new;
};

struct watch {
	const struct cmd_call *call;
	struct cmd_call again; /* the same, with a PID for a name */
	char pid[16];
	struct mw_start_info start; /* tells the program that was first seen */
	uint64_t begun_ns, time_ns; /* of the first sample, and this one's age */
	uint64_t interval_ns, samples;
	MW_VEC(struct series) list; /* the total first */
};

static void watch_deinit(struct watch *watch)
{
	for (size_t i = 0; i < watch->list.n; i++)
		mw_free(watch->list.v[i].name);
	mw_vec_free(&watch->list);
}

/** "0.5", "0.5s", "200ms". False for what is no time. */
static bool parse_interval(const char *text, uint64_t *ret_ns)
{
	char *end;
	double value = strtod(text, &end);

	if (strcmp(end, "ms") == 0)
		value /= 1000;
	else if (*end && strcmp(end, "s") != 0)
		return false;
	if (end == text || !isfinite(value) || value < 0.001 || value > 86400)
		return false;
	*ret_ns = (uint64_t)(value * 1e9);
	return true;
}

/* Samples */

static struct series *series_of(struct watch *watch, const char *name)
{
	struct series *series;

	for (size_t i = 0; i < watch->list.n; i++)
		if (strcmp(watch->list.v[i].name, name) == 0)
			return &watch->list.v[i];
	series = mw_vec_push(&watch->list);
	if (!series)
		return NULL;
	*series = (struct series){ .name = mw_strdup(name), .is_new = true };
	return series->name ? series : NULL;
}

/** Whether @name is the account asked for, or below it. */
static bool is_wanted(const char *name)
{
	size_t length = account ? strlen(account) : 0;

	return !account || (strncmp(name, account, length) == 0 &&
			    (name[length] == '\0' || name[length] == '/'));
}

static bool add_to(struct watch *watch, const char *name,
		   const struct mw_tally *tally)
{
	struct series *series = series_of(watch, name);

	if (!series)
		return false;
	series->now.rss_bytes += tally->rss_bytes;
	series->now.vsz_bytes += tally->vsz_bytes;
	series->now.swap_bytes += tally->swap_bytes;
	return true;
}

static struct mw_error *take_figures(struct watch *watch,
				     const struct cmd_books *books)
{
	size_t count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(books->ledger, &count);

	for (size_t i = 0; i < watch->list.n; i++) {
		watch->list.v[i].before = watch->list.v[i].now;
		watch->list.v[i].now = (struct mw_tally){ 0 };
		watch->list.v[i].is_new = false;
	}
	if (!series_of(watch, "total"))
		return mw_error_nomem();
	for (size_t i = 0; i < count; i++) {
		const struct mw_tally *t = &accounts[i].tally;

		if (!is_wanted(accounts[i].name) ||
		    !(t->rss_bytes | t->vsz_bytes | t->swap_bytes))
			continue;
		if (!add_to(watch, accounts[i].name, t) ||
		    !add_to(watch, "total", t))
			return mw_error_nomem();
	}
	for (size_t i = 0; i < watch->list.n; i++) {
		struct series *s = &watch->list.v[i];

		s->rss_bytes[watch->samples % GRAPH] = s->now.rss_bytes;
		if (watch->samples == 0)
			s->before = s->now; // nothing has moved yet
	}
	return NULL;
}

/** One sample. MW_E_GONE when the process, or its program, has ended. */
static struct mw_error *take_sample(struct watch *watch)
{
	MW_CLEANUP(cmd_books_free) struct cmd_books books = { 0 };
	uint64_t now = mw_kernel_now();
	struct mw_error *error = cmd_books_take(&watch->again, 0, &books);
	const struct mw_start_info *start;

	if (error)
		return error;
	if (mw_target_info(books.target)->kind != MW_TARGET_PROCESS)
		return mw_error_new(MW_E_USAGE, "%s: only a process moves; "
				    "ledger tells of a core",
				    watch->again.target);
	start = mw_target_start(books.target);
	if (watch->samples == 0) {
		snprintf(watch->pid, sizeof(watch->pid), "%d",
			 mw_target_info(books.target)->pid);
		watch->again.target = watch->pid;
		watch->start = *start;
		watch->begun_ns = now;
	} else if (memcmp(start, &watch->start, sizeof(*start)) != 0) {
		return mw_error_new(MW_E_GONE, "process %s is another program "
				    "now", watch->pid);
	}
	watch->time_ns = now - watch->begun_ns;
	error = take_figures(watch, &books);
	if (watch->samples++ > 0 || error)
		return error;
	if (account && watch->list.n == 1)
		mw_target_note(books.target, "no account is called %s so far; "
			       "ledger --verbose lists those that there are",
			       account);
	cmd_print_notes(books.target);
	return NULL;
}

/* Output */

static bool has_changed(const struct series *s)
{
	return s->is_new || s->now.rss_bytes != s->before.rss_bytes ||
	       s->now.vsz_bytes != s->before.vsz_bytes ||
	       s->now.swap_bytes != s->before.swap_bytes;
}

/** Whether there is anything to tell of it in this sample. */
static bool is_told(const struct watch *watch, const struct series *s)
{
	if (on_change || (watch->call->format == MW_FORMAT_TEXT &&
			  watch->samples > 1))
		return has_changed(s);
	return (s->now.rss_bytes | s->now.vsz_bytes | s->now.swap_bytes) != 0;
}

static const struct figure {
	const char *name;
	size_t offset;
	bool is_delta;
} figures[] = {
	{ "rss_bytes", offsetof(struct mw_tally, rss_bytes), false },
	{ "vsz_bytes", offsetof(struct mw_tally, vsz_bytes), false },
	{ "swap_bytes", offsetof(struct mw_tally, swap_bytes), false },
	{ "delta_rss_bytes", offsetof(struct mw_tally, rss_bytes), true },
	{ "delta_vsz_bytes", offsetof(struct mw_tally, vsz_bytes), true },
	{ "delta_swap_bytes", offsetof(struct mw_tally, swap_bytes), true },
};

static int64_t figure_of(const struct series *s, const struct figure *f)
{
	uint64_t now, before;

	memcpy(&now, (const char *)&s->now + f->offset, sizeof(now));
	memcpy(&before, (const char *)&s->before + f->offset, sizeof(before));
	return (int64_t)(f->is_delta ? now - before : now);
}

static void print_json(const struct watch *watch, const struct series *s)
{
	struct mw_json json;

	mw_json_init(&json, stdout);
	json.is_line = true;
	mw_json_object(&json);
	mw_json_member_u64(&json, "time_ns", watch->time_ns);
	mw_json_member_text(&json, "account", s->name);
	for (size_t i = 0; i < MW_COUNT(figures); i++)
		mw_json_member_i64(&json, figures[i].name,
				   figure_of(s, &figures[i]));
	mw_json_end(&json);
}

static void print_csv(const struct watch *watch, const struct series *s)
{
	printf("%" PRIu64 ",", watch->time_ns);
	mw_csv_text(stdout, s->name);
	for (size_t i = 0; i < MW_COUNT(figures); i++)
		printf(",%" PRId64, figure_of(s, &figures[i]));
	putchar('\n');
}

static void print_line(const struct watch *watch, const struct series *s)
{
	bool exact = watch->call->style.exact_bytes;
	int width = exact ? 18 : 10;
	char rss[32], delta[32];

	printf("%10.3f s  %*s  %*s  ", (double)watch->time_ns / 1e9, width,
	       mw_format_bytes(rss, s->now.rss_bytes, exact), width + 1,
	       mw_format_delta(delta,
			    (int64_t)(s->now.rss_bytes - s->before.rss_bytes),
			    exact));
	mw_print_escaped(stdout, s->name);
	putchar('\n');
}

/** The last samples as a line of bars, of which the highest is full. */
static void print_graph(const struct watch *watch, const struct series *s)
{
	static const char *const bars[] = { " ", "▁", "▂", "▃", "▄",
					    "▅", "▆", "▇", "█" };
	uint64_t shown = mw_min(watch->samples, (uint64_t)GRAPH), most = 1;

	for (uint64_t i = 0; i < shown; i++)
		most = mw_max(most, s->rss_bytes[i]);
	for (uint64_t i = shown; i < GRAPH; i++)
		putchar(' ');
	for (uint64_t i = watch->samples - shown; i < watch->samples; i++) {
		uint64_t value = s->rss_bytes[i % GRAPH];

		fputs(bars[value ? 1 + (uint64_t)(7.0 * (double)value /
						  (double)most)
				 : 0],
		      stdout);
	}
}

static int by_rss(const void *a, const void *b)
{
	const struct series *x = *(const struct series *const *)a;
	const struct series *y = *(const struct series *const *)b;

	return x->now.rss_bytes < y->now.rss_bytes
		       ? 1
		       : -(x->now.rss_bytes > y->now.rss_bytes);
}

static void print_screen(const struct watch *watch,
			 const struct series *const *sorted)
{
	struct winsize size = { 0 };
	bool exact = watch->call->style.exact_bytes;
	int width = exact ? 18 : 10;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || !size.ws_row)
		size.ws_row = 24;
	// Home, and what was there before is cleared line by line; long names
	// are cut off at the margin.
	printf("\033[?7l\033[Hprocess %s  %.1f s, %" PRIu64 " sample%s\033[K\n"
	       "%*s  %*s  %*s  ACCOUNT\033[K\n", watch->pid,
	       (double)watch->time_ns / 1e9, watch->samples,
	       watch->samples == 1 ? "" : "s", width, "RSS", width + 1,
	       "CHANGE", GRAPH, "");
	for (size_t i = 0; i < watch->list.n && i + 4 < size.ws_row; i++) {
		const struct series *s = sorted[i];
		char rss[32], delta[32];

		printf("%*s  %*s  ", width,
		       mw_format_bytes(rss, s->now.rss_bytes, exact),
		       width + 1,
		       mw_format_delta(delta, (int64_t)(s->now.rss_bytes -
						     s->before.rss_bytes),
				    exact));
		print_graph(watch, s);
		fputs("  ", stdout);
		mw_print_escaped(stdout, s->name);
		fputs("\033[K\n", stdout);
	}
	fputs("\033[J\033[?7h", stdout);
}

static void print_head(const struct cmd_call *call)
{
	if (call->format == MW_FORMAT_CSV) {
		fputs("time_ns,account", stdout);
		for (size_t i = 0; i < MW_COUNT(figures); i++)
			printf(",%s", figures[i].name);
		putchar('\n');
	} else if (call->format == MW_FORMAT_TEXT) {
		int width = call->style.exact_bytes ? 18 : 10;

		if (call->style.is_terminal)
			fputs("\033[2J", stdout);
		else
			printf("%12s  %*s  %*s  ACCOUNT\n", "TIME", width,
			       "RSS", width + 1, "CHANGE");
	}
}

static struct mw_error *print_sample(const struct watch *watch)
{
	const struct cmd_call *call = watch->call;
	MW_CLEANUP(mw_freep) const struct series **sorted =
		mw_calloc(watch->list.n, sizeof(*sorted));

	if (!sorted)
		return mw_error_nomem();
	for (size_t i = 0; i < watch->list.n; i++)
		sorted[i] = &watch->list.v[i];
	qsort(sorted, watch->list.n, sizeof(*sorted), by_rss);
	if (call->format == MW_FORMAT_TEXT && call->style.is_terminal) {
		print_screen(watch, sorted);
		return NULL;
	}
	for (size_t i = 0; i < watch->list.n; i++) {
		if (!is_told(watch, sorted[i]))
			continue;
		if (call->format == MW_FORMAT_JSON)
			print_json(watch, sorted[i]);
		else if (call->format == MW_FORMAT_CSV)
			print_csv(watch, sorted[i]);
		else
			print_line(watch, sorted[i]);
	}
	return NULL;
}

/**
 * Sleep until the next sample is due, or the target ends; those that were missed
 * are left out.
 */
static void wait_for_next(const struct watch *watch)
{
	uint64_t age = mw_kernel_now() - watch->begun_ns;
	uint64_t due = (age / watch->interval_ns + 1) * watch->interval_ns;

	mw_kernel_wait_for_end((pid_t)strtol(watch->pid, NULL, 10), due - age);
}

static bool has_ended(const struct mw_error *error)
{
	return error->code == MW_E_GONE || error->code == MW_E_NOT_FOUND;
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(watch_deinit) struct watch watch = { .call = call,
							.again = *call };
	struct mw_error *error;

	if (!parse_interval(interval_text, &watch.interval_ns))
		return mw_error_new(MW_E_USAGE, "%s: not an interval between "
				    "1 ms and a day", interval_text);
	do {
		if (watch.samples)
			wait_for_next(&watch);
		error = take_sample(&watch);
		if (error && watch.samples && has_ended(error)) {
			fflush(stdout);
			fprintf(stderr, "memwhy: %s\n", error->message);
			mw_error_free(error);
			return NULL;
		}
		if (!error && watch.samples == 1)
			print_head(call);
		if (!error)
			error = print_sample(&watch);
		if (error)
			return error;
		if (fflush(stdout) != 0)
			return NULL; // main() tells why
	} while (!most_samples || watch.samples < most_samples);
	return NULL;
}

static void help(FILE *out)
{
	fputs("\nOn a terminal, the largest accounts with a graph of their RSS, "
	      "drawn anew each time.\nOtherwise a line for each account, and "
	      "then for each that has changed. CSV and JSON\n(one object a line) "
	      "have all accounts in each sample, or with --on-change those that "
	      "have\nchanged: time_ns since the first sample, account, "
	      "rss_bytes, vsz_bytes, swap_bytes, and\neach one's delta_ since "
	      "the sample before.\n", out);
}

static const struct cmd_option options[] = {
	{ .name = "interval", .argument = "TIME", .text = &interval_text,
	  .help = "between samples: 0.5, 2s, 200ms (default: 1 second)" },
	{ .name = "count", .argument = "N", .number = &most_samples,
	  .help = "how many samples (default: until the target ends)" },
	{ .name = "on-change", .flag = &on_change,
	  .help = "only accounts that have changed since the last sample" },
	{ .name = "account", .argument = "NAME", .text = &account,
	  .help = "only this account and those below it" },
	{ 0 },
};

const struct cmd_command cmd_watch = {
	.name = "watch",
	.operands = "TARGET",
	.summary = "how the accounts move in time",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE | CMD_RUNNING,
	.options = options,
	.run = run,
	.help = help,
};

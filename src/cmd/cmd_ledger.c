/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_ledger.h"
#include "cmd_ledger_words.h"
#include "mw_guard.h"

enum domain {
	DOMAIN_RSS,
	DOMAIN_VSZ,
	DOMAIN_SWAP,
};

static unsigned domain = DOMAIN_RSS;
static bool with_pss, explain;
static const char *baseline_name;

/** Bytes in the domain that was asked for. */
static uint64_t in_domain(const struct mw_tally *tally)
{
	switch (domain) {
	case DOMAIN_VSZ:
		return tally->vsz_bytes;
	case DOMAIN_SWAP:
		return tally->swap_bytes;
	default:
		return tally->rss_bytes;
	}
}

bool cmd_ledger_is_foreign_core(const struct cmd_books *books)
{
	const struct mw_target_info *info = mw_target_info(books->target);

	return info->kind == MW_TARGET_CORE && !info->is_snapshot;
}

/* Text */

static void print_header(const struct cmd_books *books,
			 const struct cmd_call *call)
{
	const struct mw_target_info *info = mw_target_info(books->target);
	const struct mw_kernel_books *kernel = mw_target_books(books->target);
	const struct mw_go_info *go = books->go ? mw_go_info(books->go) : NULL;
	struct mw_tally totals = mw_ledger_totals(books->ledger);
	bool exact = call->style.exact_bytes;
	char rss[32], vsz[32], swap[32], peak[32], tables[32];
	size_t threads;

	mw_target_threads(books->target, &threads);
	mw_print_escaped(stdout, info->comm);
	printf(" (%d)", info->pid);
	if (go) {
		fputs("  ", stdout);
		if (strcmp(go->version, "unknown") == 0)
			fputs("Go of unknown version", stdout);
		else
			mw_print_escaped(stdout, go->version);
		printf("%s%s%s", go->cgo ? ", cgo" : "",
		       go->pie ? ", PIE" : "",
		       go->stripped ? ", stripped" : "");
	}
	printf("  threads %zu", threads);
	if (go && go->has_goroutines)
		printf("  goroutines %" PRIu64, go->goroutines);
	putchar('\n');
	printf("RSS %s   VSZ %s   swap %s",
	       mw_format_bytes(rss, totals.rss_bytes, exact),
	       mw_format_bytes(vsz, totals.vsz_bytes, exact),
	       mw_format_bytes(swap, totals.swap_bytes, exact));
	// A core that is no snapshot does not tell these.
	if (!cmd_ledger_is_foreign_core(books))
		printf("   peak RSS %s   page tables %s",
		       mw_format_bytes(peak, kernel->rss_peak_bytes, exact),
		       mw_format_bytes(tables, kernel->page_table_bytes,
				       exact));
	fputs("\n\n", stdout);
}

/** The node of an account: its parent's path name by name, then the leaf. */
static size_t tree_node(struct mw_tree *tree, const char *parent,
			const char *leaf, char **storage)
{
	size_t node = 0;
	char *path = mw_strdup(parent);

	*storage = path;
	if (!path)
		return SIZE_MAX;
	for (char *name = strtok(path, "/"); name && node != SIZE_MAX;
	     name = strtok(NULL, "/"))
		node = mw_tree_child(tree, node, name);
	return node == SIZE_MAX ? node : mw_tree_child(tree, node, leaf);
}

/** Full path of a node, for its gloss; caller frees. */
static char *node_path(const struct mw_tree *tree, size_t node)
{
	char *path = mw_strdup(tree->nodes.v[node].label);

	while (path && tree->nodes.v[node].parent != 0) {
		node = tree->nodes.v[node].parent;
		char *longer = mw_format("%s/%s", tree->nodes.v[node].label,
					 path);
		mw_free(path);
		path = longer;
	}
	return path;
}

struct text {
	struct mw_tree tree;
	MW_VEC(char *) storage;
};

static void text_free(struct text *text)
{
	for (size_t i = 0; i < text->storage.n; i++)
		mw_free(text->storage.v[i]);
	mw_vec_free(&text->storage);
	mw_tree_free(&text->tree);
}

static bool build_tree(struct text *text, const struct cmd_books *books)
{
	size_t count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(books->ledger, &count);

	if (mw_tree_root(&text->tree, "total") == SIZE_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		uint64_t bytes = in_domain(&accounts[i].tally);
		char **storage;

		if (bytes == 0)
			continue;
		storage = mw_vec_push(&text->storage);
		if (!storage)
			return false;
		size_t node = tree_node(&text->tree, accounts[i].parent,
					accounts[i].leaf, storage);
		if (node == SIZE_MAX)
			return false;
		text->tree.nodes.v[node].bytes += bytes;
		text->tree.nodes.v[node].second += accounts[i].pss_bytes;
	}
	for (size_t i = 1; i < text->tree.nodes.n; i++) {
		MW_CLEANUP(mw_freep) char *path = node_path(&text->tree, i);
		char **live = mw_vec_push(&text->storage);

		if (!path || !live)
			return false;
		*live = cmd_live_gloss(books, path);
		text->tree.nodes.v[i].gloss = *live ? *live : cmd_gloss(path);
	}
	mw_tree_finish(&text->tree);
	return true;
}

static void print_ranges(const struct cmd_books *books,
			 const struct cmd_call *call)
{
	size_t count, accounts_count, left_out;
	const struct mw_ledger_range *ranges =
		mw_ledger_ranges(books->ledger, &count, &left_out);
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(books->ledger, &accounts_count);

	if (count == 0)
		return;
	puts("\nRanges whose owner is not known:");
	for (size_t i = 0; i < count; i++) {
		char vsz[32], rss[32], swap[32];
		bool exact = call->style.exact_bytes;
		const struct mw_ledger_range *r = &ranges[i];

		printf("  %012" PRIx64 "-%012" PRIx64 "  VSZ %10s  RSS %10s",
		       r->start, r->end,
		       mw_format_bytes(vsz, r->tally.vsz_bytes, exact),
		       mw_format_bytes(rss, r->tally.rss_bytes, exact));
		if (r->tally.swap_bytes)
			printf("  swap %s",
			       mw_format_bytes(swap, r->tally.swap_bytes,
					       exact));
		fputs("  ", stdout);
		mw_print_escaped(stdout, accounts[r->account].name);
		putchar('\n');
	}
	if (left_out)
		printf("  and %zu more\n", left_out);
}

static void print_overlaps(const struct mw_ledger *ledger)
{
	size_t count;
	const struct mw_overlap *overlaps = mw_ledger_overlaps(ledger, &count);

	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "memwhy: %" PRIx64 "-%" PRIx64 " is claimed by "
			"%s and by %s: one of them is wrong; please report "
			"this\n", overlaps[i].start, overlaps[i].end,
			overlaps[i].first, overlaps[i].second);
}

static void print_audit(const struct cmd_books *books)
{
	const struct mw_audit *audit = &books->audit;
	struct mw_tally totals = mw_ledger_totals(books->ledger);
	uint64_t posted = in_domain(&totals);
	uint64_t kernel = in_domain(&audit->kernel);
	int64_t drift = (int64_t)(posted - kernel);
	char left[32], right[32], apart[32];

	const struct mw_target_info *info = mw_target_info(books->target);
	bool foreign = cmd_ledger_is_foreign_core(books);

	printf("\naudit: %s posted = the %s %s",
	       mw_format_bytes(left, posted, true),
	       foreign ? "core's" : "kernel's",
	       mw_format_bytes(right, kernel, true));
	if (drift != 0)
		printf(" %c %s drift", drift > 0 ? '+' : '-',
		       mw_format_bytes(apart, drift > 0 ? (uint64_t)drift
							: -(uint64_t)drift,
				       true));
	if (foreign)
		printf(" (%.0f ms)\n", (double)books->wall_ns / 1e6);
	else if (info->mode != MW_CAPTURE_LIVE)
		printf(" (stopped for %.1f ms)\n",
		       (double)(books->stopped_ns +
				info->snapshot_stopped_ns) / 1e6);
	else
		printf(" (%.0f ms, never stopped)\n",
		       (double)books->wall_ns / 1e6);
	if (!audit->balanced)
		puts("audit: THE BOOKS DO NOT BALANCE.");
}

static void print_explanations(const struct text *text,
			       const struct cmd_call *call)
{
	puts("\nWhat the accounts mean:");
	for (size_t i = 1; i < text->tree.nodes.n; i++) {
		MW_CLEANUP(mw_freep) char *path = node_path(&text->tree, i);
		const char *sentence = path ? cmd_explanation(path) : NULL;

		if (!sentence)
			continue;
		fputs("  ", stdout);
		mw_print_escaped(stdout, path);
		fputs("\n      ", stdout);
		mw_print_wrapped(stdout, sentence, 6, 6, call->style.width);
	}
}

static struct mw_error *print_text(const struct cmd_books *books,
				   const struct cmd_findings *findings,
				   const struct cmd_baseline *baseline,
				   const struct cmd_call *call)
{
	static const char *const headings[] = { "RSS", "VSZ", "swap" };
	struct mw_tally totals = mw_ledger_totals(books->ledger);
	struct mw_tree_options tree_options = {
		.heading = headings[domain],
		.second_heading = with_pss ? "PSS" : NULL,
		.fold_below_bytes =
			call->verbose
				? 0
				: in_domain(&totals) / 200 + 1,
	};
	MW_CLEANUP(text_free) struct text text = { 0 };

	if (!build_tree(&text, books))
		return mw_error_nomem();
	print_header(books, call);
	struct mw_error *error = mw_tree_emit_text(&text.tree, stdout,
						   &call->style, &tree_options);
	if (error)
		return error;
	if (explain)
		print_explanations(&text, call);
	if (call->verbose)
		print_ranges(books, call);
	if (baseline_name)
		cmd_baseline_print(baseline, call);
	if (domain == DOMAIN_VSZ)
		cmd_address_space_print(books, &call->style);
	cmd_cgroup_print(&findings->situation, call);
	print_audit(books);
	cmd_findings_print(findings, &baseline->changes, call);
	print_overlaps(books->ledger);
	return NULL;
}

static struct mw_error *run(const struct cmd_call *call)
{
	static const size_t fields[] = {
		[DOMAIN_RSS] = offsetof(struct mw_tally, rss_bytes),
		[DOMAIN_VSZ] = offsetof(struct mw_tally, vsz_bytes),
		[DOMAIN_SWAP] = offsetof(struct mw_tally, swap_bytes),
	};
	MW_CLEANUP(cmd_books_free) struct cmd_books books = { 0 };
	MW_CLEANUP(cmd_findings_free) struct cmd_findings findings = { 0 };
	MW_CLEANUP(cmd_baseline_free) struct cmd_baseline baseline = { 0 };
	uint64_t begun = mw_kernel_now();
	struct mw_error *error = cmd_books_take(
		call, CMD_BOOKS_HOLD | (with_pss ? CMD_BOOKS_PSS : 0), &books);

	if (!error)
		error = cmd_findings_take(&books, &findings);
	if (books.target)
		books.stopped_ns = mw_target_release(books.target);
	if (!error)
		error = cmd_findings_look(&books, &findings);
	books.wall_ns = mw_kernel_now() - begun;
	if (!error && baseline_name)
		error = cmd_baseline_take(call, baseline_name, &books,
					  &findings.found, fields[domain],
					  &baseline);
	if (error)
		return error;
	cmd_print_notes(books.target);
	if (call->format == MW_FORMAT_JSON)
		cmd_ledger_print_json(&books, &findings,
				      baseline_name ? &baseline : NULL,
				      with_pss, call);
	else
		error = print_text(&books, &findings, &baseline, call);
	return error;
}

static const char *const domains[] = { "rss", "vsz", "swap", NULL };

static const struct cmd_option options[] = {
	{ .name = "domain", .argument = "rss|vsz|swap", .choices = domains,
	  .choice = &domain, .help = "what to show and sort by" },
	{ .name = "pss", .flag = &with_pss,
	  .help = "add PSS: shared pages divided by the number of their\n"
		  "users (reads smaps, which can delay the target's mmap)" },
	{ .name = "baseline", .argument = "FILE", .text = &baseline_name,
	  .help = "what has changed since FILE: an earlier\n"
		  "`ledger --format=json`, a snapshot or a core" },
	{ .name = "explain", .flag = &explain,
	  .help = "a sentence for each account" },
	{ 0 },
};

const struct cmd_command cmd_ledger = {
	.name = "ledger",
	.operands = "TARGET",
	.summary = "where RSS, VSZ and swap went, to the byte",
	.shared = CMD_FORMAT | CMD_CAPTURE | CMD_VERBOSE,
	.options = options,
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "cmd_findings.h"
#include "mw_guard.h"

/* The control group's memory, part by part. */

struct part {
	const char *key, *label;
	uint64_t bytes;
};

#define MOST_PARTS 8

/** The parts; together with what ret_rest says they are current_bytes. */
static size_t split(const struct mw_situation *s,
		    struct part ret[static MOST_PARTS], int64_t *ret_rest)
{
	const struct mw_cgroup_situation *g = &s->cgroup;
	uint64_t own = mw_min(s->anon_bytes, g->anon_bytes);
	uint64_t told = g->slab_bytes + g->kernel_stack_bytes +
			g->page_table_bytes;
	const struct part parts[] = {
		{ "process_anon_bytes", "anonymous memory of this process",
		  own },
		{ "others_anon_bytes", "anonymous memory of others",
		  g->anon_bytes - own },
		{ "file_bytes", "page cache, shared memory included",
		  g->file_bytes },
		{ "slab_bytes", "kernel: slab", g->slab_bytes },
		{ "kernel_stack_bytes", "kernel: stacks of threads",
		  g->kernel_stack_bytes },
		{ "page_table_bytes", "kernel: page tables",
		  g->page_table_bytes },
		{ "other_kernel_bytes", "kernel: other",
		  g->kernel_bytes > told ? g->kernel_bytes - told : 0 },
		{ "sock_bytes", "buffers of sockets", g->sock_bytes },
	};
	uint64_t sum = 0;

	for (size_t i = 0; i < MW_COUNT(parts); i++) {
		ret[i] = parts[i];
		sum += parts[i].bytes;
	}
	// Version 1 does not count sockets' buffers with the rest.
	if (g->version == 1)
		sum -= g->sock_bytes;
	*ret_rest = (int64_t)(g->current_bytes - sum);
	return MW_COUNT(parts);
}

static void json_others(struct mw_json *json,
			const struct mw_cgroup_situation *g)
{
	mw_json_key(json, "largest_others");
	mw_json_array(json);
	for (size_t i = 0; i < MW_SHARES && g->others[i].bytes; i++) {
		mw_json_object(json);
		mw_json_member_u64(json, "pid", g->others[i].count);
		mw_json_member_text(json, "comm", g->others[i].name);
		mw_json_member_u64(json, "anon_bytes", g->others[i].bytes);
		mw_json_end(json);
	}
	mw_json_end(json);
}

static void json_limit(struct mw_json *json, const char *key, uint64_t limit)
{
	mw_json_key(json, key);
	if (limit == UINT64_MAX)
		mw_json_null(json);
	else
		mw_json_u64(json, limit);
}

void cmd_cgroup_json(struct mw_json *json, const struct mw_situation *s)
{
	const struct mw_cgroup_situation *g = &s->cgroup;
	struct part parts[MOST_PARTS];
	int64_t rest;
	size_t n = split(s, parts, &rest);

	mw_json_key(json, "cgroup");
	if (!g->is_known) {
		mw_json_null(json);
		return;
	}
	mw_json_object(json);
	mw_json_member_u64(json, "version", g->version);
	mw_json_member_text(json, "path", g->path);
	mw_json_member_u64(json, "current_bytes", g->current_bytes);
	json_limit(json, "limit_bytes", g->limit_bytes);
	mw_json_member_text(json, "limit_file", g->limit_file);
	for (size_t i = 0; i < n; i++)
		mw_json_member_u64(json, parts[i].key, parts[i].bytes);
	mw_json_member_i64(json, "rest_bytes", rest);
	mw_json_member_u64(json, "shmem_bytes", g->shmem_bytes);
	mw_json_member_u64(json, "droppable_bytes", g->droppable_bytes);
	mw_json_member_u64(json, "swap_bytes", g->swap_bytes);
	json_limit(json, "swap_limit_bytes", g->swap_limit_bytes);
	mw_json_member_u64(json, "processes", g->processes);
	json_others(json, g);
	mw_json_end(json);
}

static void print_parts(const struct mw_situation *s,
			const struct mw_style *style)
{
	const struct mw_cgroup_situation *g = &s->cgroup;
	struct part parts[MOST_PARTS];
	char bytes[32];
	int64_t rest;
	size_t n = split(s, parts, &rest);

	for (size_t i = 0; i < n; i++)
		if (parts[i].bytes)
			printf("%12s  %s\n",
			       mw_format_bytes(bytes, parts[i].bytes,
					       style->exact_bytes),
			       parts[i].label);
	if (rest > 0)
		printf("%12s  not told apart\n",
		       mw_format_bytes(bytes, (uint64_t)rest,
				       style->exact_bytes));
	for (size_t i = 0; i < MW_SHARES && g->others[i].bytes; i++) {
		printf("%12s  of others: ",
		       mw_format_bytes(bytes, g->others[i].bytes,
				       style->exact_bytes));
		mw_print_escaped(stdout, g->others[i].name);
		printf(" (%" PRIu64 ")\n", g->others[i].count);
	}
}

void cmd_cgroup_print(const struct mw_situation *s,
		      const struct cmd_call *call)
{
	const struct mw_cgroup_situation *g = &s->cgroup;
	bool exact = call->style.exact_bytes;
	char current[32], limit[32], swap[32], swap_limit[32];

	// Without a limit it is the session's or the machine's.
	if (!g->is_known || g->limit_bytes == UINT64_MAX)
		return;
	printf("\ncontrol group ");
	mw_print_escaped(stdout, g->path);
	printf(": %s of %s (%.0f %%)%s, %" PRIu64 " process%s",
	       mw_format_bytes(current, g->current_bytes, exact),
	       mw_format_bytes(limit, g->limit_bytes, exact),
	       100.0 * (double)g->current_bytes /
		       (double)mw_max(g->limit_bytes, 1),
	       g->limit_only_slows ? " by memory.high" : "",
	       g->processes, g->processes == 1 ? "" : "es");
	if (g->swap_bytes)
		printf(", %s in swap",
		       mw_format_bytes(swap, g->swap_bytes, exact));
	if (g->swap_bytes && g->swap_limit_bytes != UINT64_MAX)
		printf(" of %s", mw_format_bytes(swap_limit,
						 g->swap_limit_bytes, exact));
	putchar('\n');
	if (call->verbose)
		print_parts(s, &call->style);
}

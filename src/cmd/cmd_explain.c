/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_explain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_ranges.h"
#include "mw_guard.h"

static const char *size;

/** All levels there are, from the outside to the inside. */
static const char *const levels[] = {
	"mapping", "page",    "account",   "image",   "section",
	"segment", "symbol",  "thread stack", "malloc", "arena",
	"span",	   "slot",    "object",	   "stack",   "goroutine",
	"frame",   "structure",
};

static void help(FILE *out)
{
	fputs("\nADDRESS is hexadecimal, or the name of a symbol, with +N for "
	      "N bytes behind. The answer\ngoes from the outside to the "
	      "inside: mapping, page, account; then the ELF image, section,\n"
	      "segment and symbol; or the thread's stack; or malloc's block; "
	      "or Go's arena, span, slot,\nobject and its type, goroutine, "
	      "stack and frame, the runtime's structure and its member.\n",
	      out);
}

/* What the operands are */

static bool is_address(const char *text)
{
	uint64_t va;

	return (strncmp(text, "0x", 2) == 0 || strncmp(text, "0X", 2) == 0) &&
	       cmd_parse_address(text, &va);
}

/** Which of the two operands is the target: the other is the address. */
static void take_operands(const struct cmd_call *call, struct cmd_call *own,
			  const char **ret_address)
{
	const char *first = call->target, *second = call->operands[0];

	// 0x tells an address. Otherwise the first one is the target, but
	// where the second can be no address and the first can.
	bool swapped = is_address(first) && !is_address(second);

	*own = *call;
	own->target = swapped ? second : first;
	own->capture.file_pages = true;
	*ret_address = swapped ? first : second;
}

/** The address that @text names, by its digits or as SYMBOL[+N]. */
static struct mw_error *find_address(struct explain *e, const char *text)
{
	MW_CLEANUP(mw_freep) char *name = NULL;
	const char *plus = strrchr(text, '+');
	uint64_t more = 0;
	struct cmd_name found;
	struct mw_error *error;

	if (cmd_parse_address(text, &e->va))
		return NULL;
	if (plus && plus > text && cmd_parse_address(plus + 1, &more))
		name = mw_strndup(text, (size_t)(plus - text));
	else
		name = mw_strdup(text);
	if (!name)
		return mw_error_nomem();
	error = cmd_names_find(e->names, name, &found);
	if (!error)
		e->va = found.start + more;
	return error;
}

static struct mw_error *explain(struct explain *e)
{
	struct mw_error *error = NULL;

	if (!explain_mapping(e))
		return NULL;
	explain_account(e);
	explain_image(e);
	if (e->books.go)
		error = explain_go(e);
	if (error)
		return error;
	explain_thread_stack(e);
	return explain_malloc(e);
}

static struct mw_error *run_address(const struct cmd_call *call,
				    struct explain *e, const char *address)
{
	struct mw_error *error = cmd_open_target(call, &e->books.target);

	e->call = call;
	if (!error)
		error = cmd_names_open(e->books.target, &e->names);
	if (!error)
		error = find_address(e, address);
	if (!error)
		error = cmd_account_of(call, &e->books, &e->va, 1,
				       &e->account);
	if (!error)
		error = explain(e);
	if (!error && e->levels.failed)
		error = mw_error_nomem();
	return error;
}

static void emit(const struct cmd_call *call, const struct explain *e)
{
	struct mw_json json;

	if (call->format == MW_FORMAT_TEXT) {
		printf("0x%" PRIx64 "\n\n", e->va);
		cmd_levels_text(&e->levels, stdout, &call->style);
		return;
	}
	cmd_json_begin(&json, call, e->books.target, e->books.go,
		       e->books.stopped_ns, e->books.wall_ns);
	mw_json_member_address(&json, "address", e->va);
	cmd_levels_json(&e->levels, &json, levels, MW_COUNT(levels));
	cmd_json_end(&json, e->books.target);
}

static void free_explain(struct explain *e)
{
	cmd_levels_free(&e->levels);
	cmd_names_close(e->names);
	cmd_books_free(&e->books);
}

/** How many bits @unit shifts a number: "", B, K, KiB, M, …; -1 if none. */
static int unit_bits(const char *unit)
{
	static const char letters[] = "KMGT";
	const char *letter = *unit ? strchr(letters, *unit) : NULL;

	if (letter)
		unit++;
	if (*unit && strcmp(unit, letter ? "iB" : "B") != 0)
		return -1;
	return letter ? 10 * (int)(letter - letters + 1) : 0;
}

/** A number of bytes, decimal or with 0x, that may have a unit. */
static bool take_size(uint64_t *ret)
{
	bool is_hex = size[0] == '0' && (size[1] | 0x20) == 'x';
	uint64_t number;
	char *end;
	int bits;

	errno = 0;
	number = strtoull(size, &end, is_hex ? 16 : 10);
	bits = unit_bits(end);
	if (errno || *size < '0' || *size > '9' || bits < 0 ||
	    number > UINT64_MAX >> bits)
		return false;
	*ret = number << bits;
	return true;
}

static struct mw_error *run_size(const struct cmd_call *call)
{
	uint64_t bytes;

	if (call->operand_count > 0)
		return mw_error_new(MW_E_USAGE, "--size explains a size, not "
				    "an address");
	if (!take_size(&bytes))
		return mw_error_new(MW_E_USAGE, "%s: not a number of bytes, "
				    "like 4096, 0x1000 or 4KiB", size);
	return explain_size(call, bytes);
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(free_explain) struct explain e = { 0 };
	struct cmd_call own;
	const char *address;
	struct mw_error *error;

	if (size)
		return run_size(call);
	if (call->operand_count == 0)
		return mw_error_new(MW_E_USAGE, "say which address, or which "
				    "--size");
	take_operands(call, &own, &address);
	error = run_address(&own, &e, address);
	if (e.books.target && !e.books.stopped_ns)
		e.books.stopped_ns = mw_target_release(e.books.target);
	if (error)
		return error;
	cmd_print_notes(e.books.target);
	emit(call, &e);
	return NULL;
}

static const struct cmd_option options[] = {
	{ .name = "size", .argument = "N", .text = &size,
	  .help = "instead of an address, what an allocation of N bytes\n"
		  "takes: in the target's Go release, with and without\n"
		  "pointers, in TCMalloc and in glibc" },
	{ 0 },
};

const struct cmd_command cmd_explain = {
	.name = "explain",
	.operands = "TARGET ADDRESS | --size=N TARGET",
	.summary = "one address all the way: mapping, page, owner, object",
	.shared = CMD_FORMAT | CMD_CAPTURE | CMD_FILES,
	.options = options,
	.min_operands = 0,
	.max_operands = 1,
	.run = run,
	.help = help,
};

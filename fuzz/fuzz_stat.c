/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "kernel_parse.h"

/** The fields that /proc/PID/stat has; the others are not its own. */
static void copy_fields(struct mw_status *to, const struct mw_status *from)
{
	to->state = from->state;
	to->parent = from->parent;
	to->group = from->group;
	to->session = from->session;
	to->threads = from->threads;
	to->start_ticks = from->start_ticks;
	to->start.start_stack = from->start.start_stack;
	to->start.arg_start = from->start.arg_start;
	to->start.arg_end = from->start.arg_end;
	to->start.env_start = from->start.env_start;
	to->start.env_end = from->start.env_end;
	to->start.start_brk = from->start.start_brk;
	to->start.start_code = from->start.start_code;
}

/** Parse into a status of @fill bytes; whether it went well. */
static bool parse(const char *text, size_t bytes, int fill,
		  struct mw_status *ret)
{
	struct mw_status before, expected;
	struct mw_error *error;

	memset(&before, fill, sizeof(before));
	memcpy(&expected, &before, sizeof(before));
	memcpy(ret, &before, sizeof(before));
	error = mw_parse_stat(text, bytes, ret);
	fuzz_check_error(error);
	if (!error)
		copy_fields(&expected, ret);
	CHECK(memcmp(ret, &expected, sizeof(expected)) == 0);
	CHECK(!error || error->code == MW_E_FORMAT || mw_alloc_failed());

	bool ok = !error;

	mw_error_free(error);
	return ok;
}

struct input {
	const char *text;
	size_t bytes;
};

static void run(void *ctx)
{
	const struct input *in = ctx;
	struct mw_status status;

	parse(in->text, in->bytes, 0xa5, &status);
}

/** Whatever the process is called, the fields behind its name are the same. */
static void check_name_does_not_matter(const char *tail, size_t bytes,
				       const struct mw_status *status)
{
	static const char name[] = "77 (a ) R 1 (b";
	size_t length = sizeof(name) - 1 + bytes;
	char *text = malloc(length);
	struct mw_status again;

	CHECK(text);
	memcpy(text, name, sizeof(name) - 1);
	memcpy(text + sizeof(name) - 1, tail, bytes);
	CHECK(parse(text, length, 0, &again));
	CHECK(memcmp(&again, status, sizeof(again)) == 0);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { (const char *)data, size };
	const char *tail = memrchr(in.text, ')', size);
	struct mw_status status;

	fuzz_starve(data, size, run, &in);
	if (!parse(in.text, size, 0, &status))
		return 0;
	CHECK(tail);
	check_name_does_not_matter(tail, (size_t)(in.text + size - tail),
				   &status);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "mw_gort.h"
#include "mw_guard.h"
#include "mw_kernel.h"
#include "mw_text.h"

/**
 * Open the file that @call names: one that has a '/' in its name, or that is
 * there when no process is called so.
 */
static struct mw_error *open_file(const struct cmd_call *call,
				  struct mw_target **ret)
{
	MW_CLEANUP(mw_target_closep) struct mw_target *target = NULL;
	struct mw_error *error = mw_target_open_path(call->target,
						     &call->capture, &target);

	if (error)
		return error;
	if (mw_target_info(target)->kind == MW_TARGET_FILE &&
	    !(call->command->shared & CMD_FILES))
		return mw_error_new(MW_E_USAGE, "%s: %s looks at processes and "
				    "core files, not at other files",
				    call->target, call->command->name);
	*ret = mw_steal(target);
	return NULL;
}

struct mw_error *cmd_find_target(const struct cmd_call *call, pid_t *ret_pid)
{
	struct mw_error *error;

	*ret_pid = 0;
	if (call->target && strchr(call->target, '/'))
		return NULL;
	error = call->target ? mw_kernel_find(call->target, ret_pid)
			     : mw_kernel_find_largest(ret_pid);
	if (error && error->code == MW_E_NOT_FOUND && call->target &&
	    access(call->target, F_OK) == 0) {
		mw_error_free(error);
		*ret_pid = 0;
		return NULL;
	}
	if (!error && !call->target)
		fprintf(stderr, "memwhy: no target given: the process with the "
			"largest RSS, %d\n", *ret_pid);
	return error;
}

struct mw_error *cmd_open_target(const struct cmd_call *call,
				 struct mw_target **ret)
{
	pid_t pid;
	struct mw_error *error = cmd_find_target(call, &pid);

	if (error)
		return error;
	if (pid == 0)
		return open_file(call, ret);
	return mw_target_open(pid, &call->capture, ret);
}

struct mw_error *cmd_no_go(const struct cmd_call *call,
			   const struct mw_target *target)
{
	size_t count;
	const char *const *notes = mw_target_notes(target, &count);

	return mw_error_new(MW_E_NOT_FOUND, "%s: %s",
			    call->target ? call->target : "the target",
			    count ? notes[count - 1]
				  : "not a Go program, or its memory may not "
				    "be read");
}

const char *cmd_torn_remedy(const struct mw_target *target)
{
	const struct mw_target_info *info = mw_target_info(target);

	return info->kind == MW_TARGET_PROCESS &&
			       info->mode == MW_CAPTURE_LIVE
		       ? "--stop gives all"
		       : "it was stopped in the midst of a change, or is "
			 "damaged";
}

/** libc is short for libc.so.6, and for the libc-2.31.so of older systems. */
static bool is_called(const char *file, const char *name, size_t bytes)
{
	if (strncmp(file, name, bytes) != 0)
		return false;
	file += bytes;
	return *file == '\0' || strncmp(file, ".so", 3) == 0 ||
	       (*file == '-' && isdigit((unsigned char)file[1]));
}

bool cmd_image_is_called(const struct mw_image *image, const char *name,
			 size_t bytes)
{
	const char *slash = strrchr(image->path, '/');

	return bytes > 0 && (is_called(image->name, name, bytes) ||
			     is_called(image->path, name, bytes) ||
			     (slash && is_called(slash + 1, name, bytes)));
}

struct mw_error *cmd_no_image(const struct mw_target *target, const char *name)
{
	struct mw_text names = { .limit = 1024 };
	struct mw_error *error;
	size_t count;
	const struct mw_image *images = mw_target_images(target, &count);

	for (size_t i = 0; i < count; i++)
		mw_text_add(&names, "%s%s", i ? ", " : "; there are ",
			    images[i].name);
	error = mw_error_new(MW_E_NOT_FOUND, "no image called %s is mapped%s",
			     name ? name : "as the executable",
			     names.v ? names.v : "");
	mw_text_free(&names);
	return error;
}

struct mw_error *cmd_no_section(const char *of,
				const struct mw_elf_section *sections,
				size_t count, const char *name)
{
	struct mw_text names = { .limit = 400 };
	struct mw_error *error;

	for (size_t i = 0; i < count; i++)
		if (*sections[i].name) // the null section has none
			mw_text_add(&names, "%s%s",
				    names.v ? ", " : "; it has ",
				    sections[i].name);
	error = names.v ? mw_error_new(MW_E_NOT_FOUND, "%s has no section "
				       "%s%s", of, name, names.v)
			: mw_error_new(MW_E_NOT_FOUND, "%s has no section "
				       "table", of);
	mw_text_free(&names);
	return error;
}

static void json_go(struct mw_json *json, const struct mw_go *go)
{
	static const char *const layouts[] = {
		[MW_GO_LAYOUT_TABLE] = "table",
		[MW_GO_LAYOUT_RTYPE] = "rtype",
		[MW_GO_LAYOUT_DWARF] = "dwarf",
	};
	const struct mw_go_info *info = go ? mw_go_info(go) : NULL;

	if (!info) {
		mw_json_null(json);
		return;
	}
	mw_json_object(json);
	mw_json_member_text(json, "version", info->version);
	mw_json_member_text(json, "layout", layouts[info->layout]);
	mw_json_member_bool(json, "stripped", info->stripped);
	mw_json_member_bool(json, "pie", info->pie);
	mw_json_member_bool(json, "cgo", info->cgo);
	mw_json_key(json, "goroutines");
	if (info->has_goroutines)
		mw_json_u64(json, info->goroutines);
	else
		mw_json_null(json);
	mw_json_end(json);
}

/** A file whose tables were read without loading it has no target. */
static struct mw_target_info info_of(const struct cmd_call *call,
				     const struct mw_target *target)
{
	return target ? *mw_target_info(target)
		      : (struct mw_target_info){
				.kind = MW_TARGET_FILE,
				.comm = call->target,
				.exe = call->target,
				.is_64 = true,
			};
}

static void json_target(struct mw_json *json, const struct cmd_call *call,
			const struct mw_target *target, const struct mw_go *go)
{
	static const char *const kinds[] = { "process", "file", "core" };
	const struct mw_target_info own = info_of(call, target), *info = &own;

	mw_json_key(json, "target");
	mw_json_object(json);
	mw_json_member_text(json, "kind", kinds[info->kind]);
	mw_json_key(json, "pid");
	if (info->kind != MW_TARGET_FILE)
		mw_json_i64(json, info->pid);
	else
		mw_json_null(json);
	mw_json_member_text(json, "comm", info->comm);
	mw_json_member_text(json, "exe", info->exe);
	mw_json_member_u64(json, "bits", info->is_64 ? 64 : 32);
	mw_json_member_u64(json, "page_bytes", MW_PAGE_BYTES);
	mw_json_key(json, "go");
	json_go(json, go);
	mw_json_end(json);
}

void cmd_json_capture(struct mw_json *json, const struct mw_target *target,
		      uint64_t stopped_ns, uint64_t wall_ns)
{
	static const char *const pages[] = { "scan", "pagemap", "smaps" };
	static const char *const modes[] = {
		[MW_CAPTURE_LIVE] = "live",
		[MW_CAPTURE_STOP] = "stop",
		[MW_CAPTURE_CORE] = "core",
	};
	// What was read without loading it was neither stopped nor scanned.
	const struct mw_target_info none = { .mode = MW_CAPTURE_LIVE };
	const struct mw_target_info *info =
		target ? mw_target_info(target) : &none;

	mw_json_key(json, "capture");
	mw_json_object(json);
	mw_json_member_text(json, "mode", modes[info->mode]);
	mw_json_member_text(json, "pages", pages[info->pages]);
	mw_json_member_u64(json, "stopped_ns", stopped_ns);
	mw_json_member_u64(json, "wall_ns", wall_ns);
	mw_json_end(json);
}

/** What limits the answer. */
static void json_notes(struct mw_json *json, const struct mw_target *target)
{
	size_t count = 0;
	const char *const *notes =
		target ? mw_target_notes(target, &count) : NULL;

	mw_json_key(json, "notes");
	mw_json_array(json);
	for (size_t i = 0; i < count; i++)
		mw_json_text(json, notes[i]);
	mw_json_end(json);
}

/** memwhy.<command>/1, the words of the command joined by '-'. */
static void json_schema(struct mw_json *json, const struct cmd_command *command)
{
	char schema[64];

	snprintf(schema, sizeof(schema), "memwhy.%s/1", command->name);
	for (char *c = schema; *c; c++)
		if (*c == ' ')
			*c = '-';
	mw_json_member_text(json, "schema", schema);
}

void cmd_json_schema(struct mw_json *json, const struct cmd_call *call)
{
	mw_json_init(json, stdout);
	mw_json_object(json);
	json_schema(json, call->command);
}

void cmd_json_begin_early(struct mw_json *json, const struct cmd_call *call,
			  const struct mw_target *target,
			  const struct mw_go *go)
{
	cmd_json_schema(json, call);
	json_target(json, call, target, go);
}

void cmd_json_begin(struct mw_json *json, const struct cmd_call *call,
		    const struct mw_target *target, const struct mw_go *go,
		    uint64_t stopped_ns, uint64_t wall_ns)
{
	cmd_json_begin_early(json, call, target, go);
	cmd_json_capture(json, target, stopped_ns, wall_ns);
}

void cmd_json_end(struct mw_json *json, const struct mw_target *target)
{
	json_notes(json, target);
	mw_json_end(json);
}

void cmd_print_notes(const struct mw_target *target)
{
	size_t count;
	const char *const *notes = mw_target_notes(target, &count);

	for (size_t i = 0; i < count; i++) {
		fputs("memwhy: note: ", stderr);
		mw_print_escaped(stderr, notes[i]);
		putc('\n', stderr);
	}
}

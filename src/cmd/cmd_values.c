/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_values.h"

#include <inttypes.h>

static bool read_memory(void *ctx, uint64_t va, void *to, size_t bytes)
{
	struct cmd_values *v = ctx;

	return mw_target_read(v->memory, va, to, bytes);
}

bool cmd_values_name(void *ctx, uint64_t va, struct mw_text *to)
{
	struct cmd_values *v = ctx;
	struct cmd_name name;

	if (!v->names || !cmd_names_at(v->names, va, &name))
		return false;
	mw_text_add(to, "%s", name.text);
	if (va != name.start)
		mw_text_add(to, "+0x%" PRIx64, va - name.start);
	return true;
}

struct mw_error *cmd_values_open(struct mw_target *memory,
				 struct cmd_values *ret)
{
	struct mw_error *error;

	ret->memory = memory;
	error = cmd_names_open(memory, &ret->names);
	return error ? error : mw_go_types_open(memory, &ret->types);
}

void cmd_values_close(struct cmd_values *values)
{
	mw_go_types_close(values->types);
	cmd_names_close(values->names);
}

struct mw_vars_memory cmd_values_memory(struct cmd_values *values)
{
	return (struct mw_vars_memory){
		.read = read_memory,
		.name = cmd_values_name,
		.dynamic = cmd_values_dynamic,
		.ctx = values,
	};
}

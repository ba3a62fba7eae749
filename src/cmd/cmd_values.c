/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_values.h"

#include <inttypes.h>
#include <string.h>

#include "mw_num.h"

#define MOST_STRING 128 /* bytes of a string in an interface */

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

/* Go's interfaces */

static bool add_go_string(struct cmd_values *v, uint64_t header,
			  struct mw_text *to)
{
	uint64_t words[2], take;
	uint8_t text[MOST_STRING];

	if (!mw_target_read(v->memory, header, words, sizeof(words)))
		return false;
	take = mw_min(words[1], sizeof(text));
	if (take > 0 && !mw_target_read(v->memory, words[0], text, take))
		return false;
	mw_text_quote(to, text, take, take < words[1]);
	return true;
}

static bool add_number(struct cmd_values *v, const struct mw_go_type *type,
		       uint64_t va, struct mw_text *to)
{
	uint64_t raw = 0;
	unsigned unused;
	double value;
	float single;

	if (type->bytes == 0 || type->bytes > 8 ||
	    !mw_target_read(v->memory, va, &raw, type->bytes))
		return false;
	unused = 64 - 8 * (unsigned)type->bytes;
	switch (type->kind) {
	case MW_GO_BOOL:
		mw_text_add(to, raw ? "true" : "false");
		return true;
	case MW_GO_INT:
	case MW_GO_INT8:
	case MW_GO_INT16:
	case MW_GO_INT32:
	case MW_GO_INT64:
		mw_text_add(to, "%" PRId64, (int64_t)(raw << unused) >> unused);
		return true;
	case MW_GO_FLOAT32:
		memcpy(&single, &raw, sizeof(single));
		mw_text_add(to, "%.9g", (double)single);
		return true;
	case MW_GO_FLOAT64:
		memcpy(&value, &raw, sizeof(value));
		mw_text_add(to, "%.17g", value);
		return true;
	default:
		mw_text_add(to, "%" PRIu64, raw);
		return type->kind >= MW_GO_UINT && type->kind <= MW_GO_UINTPTR;
	}
}

bool cmd_values_dynamic(void *ctx, uint64_t descriptor, uint64_t data,
			struct mw_text *to)
{
	struct cmd_values *v = ctx;
	struct mw_go_type type;
	bool done = false;

	if (!v->types || !mw_go_type_at(v->types, descriptor, &type))
		return false;
	mw_text_add(to, "%s(", type.name);
	if (mw_go_type_is_direct(v->types, &type)) {
		mw_text_add(to, data ? "0x%" PRIx64 : "nil", data);
		done = true;
	} else if (type.kind == MW_GO_STRING) {
		done = add_go_string(v, data, to);
	} else if (type.kind <= MW_GO_FLOAT64) {
		done = add_number(v, &type, data, to);
	}
	mw_text_add(to, done ? ")" : "at 0x%" PRIx64 ")", data);
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

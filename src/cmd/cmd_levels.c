/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_levels.h"

#include <stdarg.h>
#include <string.h>

#define NAME_COLUMNS 12

static struct cmd_level *last(struct cmd_levels *levels)
{
	return levels->failed ? NULL : &levels->list.v[levels->list.n - 1];
}

void cmd_level(struct cmd_levels *levels, const char *name)
{
	struct cmd_level *level =
		levels->failed ? NULL : mw_vec_push(&levels->list);

	if (!level) {
		levels->failed = true;
		return;
	}
	*level = (struct cmd_level){ .name = name,
				     .sentence = mw_strdup("") };
	if (!level->sentence)
		levels->failed = true;
}

void cmd_say(struct cmd_levels *levels, const char *fmt, ...)
{
	struct cmd_level *level = last(levels);
	char *more, *longer = NULL;
	va_list args;

	if (!level)
		return;
	va_start(args, fmt);
	more = mw_vformat(fmt, args);
	va_end(args);
	if (more)
		longer = mw_format("%s%s", level->sentence, more);
	mw_free(more);
	if (!longer) {
		levels->failed = true;
		return;
	}
	mw_free(level->sentence);
	level->sentence = longer;
}

static struct cmd_fact *add(struct cmd_levels *levels, const char *key,
			    enum cmd_fact_kind kind)
{
	struct cmd_level *level = last(levels);
	struct cmd_fact *fact = level ? mw_vec_push(&level->facts) : NULL;

	if (!fact) {
		levels->failed = true;
		return NULL;
	}
	*fact = (struct cmd_fact){ .key = key, .kind = kind };
	return fact;
}

void cmd_fact_text(struct cmd_levels *levels, const char *key,
		   const char *text)
{
	struct cmd_fact *fact = add(levels, key, CMD_FACT_TEXT);

	if (!fact)
		return;
	fact->text = mw_strdup(text);
	if (!fact->text)
		levels->failed = true;
}

static void add_value(struct cmd_levels *levels, const char *key,
		      enum cmd_fact_kind kind, uint64_t value)
{
	struct cmd_fact *fact = add(levels, key, kind);

	if (fact)
		fact->value = value;
}

void cmd_fact_count(struct cmd_levels *levels, const char *key,
		    uint64_t value)
{
	add_value(levels, key, CMD_FACT_COUNT, value);
}

void cmd_fact_address(struct cmd_levels *levels, const char *key,
		      uint64_t value)
{
	add_value(levels, key, CMD_FACT_ADDRESS, value);
}

void cmd_fact_bool(struct cmd_levels *levels, const char *key, bool value)
{
	add_value(levels, key, CMD_FACT_BOOL, value);
}

void cmd_fact_none(struct cmd_levels *levels, const char *key)
{
	add_value(levels, key, CMD_FACT_NONE, 0);
}

void cmd_levels_free(struct cmd_levels *levels)
{
	for (size_t i = 0; i < levels->list.n; i++) {
		struct cmd_level *level = &levels->list.v[i];

		for (size_t k = 0; k < level->facts.n; k++)
			mw_free(level->facts.v[k].text);
		mw_vec_free(&level->facts);
		mw_free(level->sentence);
	}
	mw_vec_free(&levels->list);
}

/* Output */

void cmd_levels_text(const struct cmd_levels *levels, FILE *out,
		     const struct mw_style *style)
{
	for (size_t i = 0; i < levels->list.n; i++) {
		const struct cmd_level *level = &levels->list.v[i];

		fprintf(out, "%-*s ", NAME_COLUMNS, level->name);
		mw_print_wrapped(out, level->sentence, NAME_COLUMNS + 1,
				 NAME_COLUMNS + 1, style->width);
	}
}

static void put_key(struct mw_json *json, const char *name)
{
	char key[32];

	snprintf(key, sizeof(key), "%s", name);
	for (char *c = key; *c; c++)
		if (*c == ' ')
			*c = '_';
	mw_json_key(json, key);
}

static void put_level(struct mw_json *json, const struct cmd_level *level)
{
	put_key(json, level->name);
	mw_json_object(json);
	for (size_t i = 0; i < level->facts.n; i++) {
		const struct cmd_fact *fact = &level->facts.v[i];

		mw_json_key(json, fact->key);
		switch (fact->kind) {
		case CMD_FACT_TEXT:
			mw_json_text(json, fact->text);
			break;
		case CMD_FACT_COUNT:
			mw_json_u64(json, fact->value);
			break;
		case CMD_FACT_ADDRESS:
			mw_json_address(json, fact->value);
			break;
		case CMD_FACT_BOOL:
			mw_json_bool(json, fact->value);
			break;
		case CMD_FACT_NONE:
			mw_json_null(json);
			break;
		}
	}
	mw_json_member_text(json, "text", level->sentence);
	mw_json_end(json);
}

void cmd_levels_json(const struct cmd_levels *levels, struct mw_json *json,
		     const char *const *names, size_t count)
{
	for (size_t i = 0; i < levels->list.n; i++)
		put_level(json, &levels->list.v[i]);
	for (size_t i = 0; i < count; i++) {
		bool has = false;

		for (size_t k = 0; k < levels->list.n && !has; k++)
			has = strcmp(levels->list.v[k].name, names[i]) == 0;
		if (has)
			continue;
		put_key(json, names[i]);
		mw_json_null(json);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "mw_go_buildinfo.h"

/*
 * The lines, of fields with tabs between them (runtime/debug/mod.go of Go,
 * ParseBuildInfo):
 *
 *	path	PACKAGE
 *	mod	PATH	VERSION	SUM		the main module
 *	dep	PATH	VERSION	SUM		a dependency
 *	=>	PATH	VERSION	SUM		what replaces the one before
 *	build	KEY=VALUE			since Go 1.18
 */

/** Cut the next field off *@line; "" when there is none. */
static const char *next_field(char **line)
{
	char *field = *line, *tab = strchr(field, '\t');

	if (tab) {
		*tab = '\0';
		*line = tab + 1;
	} else {
		*line = field + strlen(field);
	}
	return field;
}

static struct mw_go_build_module next_module(char *line)
{
	struct mw_go_build_module m;

	m.path = next_field(&line);
	m.version = next_field(&line);
	m.sum = next_field(&line);
	return m;
}

static bool add_module(struct mw_go_buildinfo *info, bool is_main, char *rest)
{
	struct mw_go_dependency *d = mw_vec_push(&info->modules);

	if (!d)
		return false;
	*d = (struct mw_go_dependency){
		.is_main = is_main,
		.module = next_module(rest),
		.replacement = { "", "", "" },
	};
	return true;
}

/** Where the value begins in KEY=VALUE; the key may be quoted. */
static char *value_of(char *setting)
{
	char *c = setting;

	if (*c == '"')
		for (c++; *c && *c != '"'; c++)
			if (*c == '\\' && c[1])
				c++;
	c += strcspn(c, "=");
	if (!*c)
		return c;
	*c = '\0';
	return c + 1;
}

static bool add_setting(struct mw_go_buildinfo *info, char *rest)
{
	struct mw_go_setting *s = mw_vec_push(&info->settings);

	if (!s)
		return false;
	s->key = rest;
	s->value = value_of(rest);
	return true;
}

static bool take_line(struct mw_go_buildinfo *info, char *line)
{
	const char *kind = next_field(&line);

	if (strcmp(kind, "path") == 0)
		info->path = line;
	else if (strcmp(kind, "mod") == 0 || strcmp(kind, "dep") == 0)
		return add_module(info, *kind == 'm', line);
	else if (strcmp(kind, "=>") == 0 && info->modules.n > 0)
		info->modules.v[info->modules.n - 1].replacement =
			next_module(line);
	else if (strcmp(kind, "build") == 0)
		return add_setting(info, line);
	return true;
}

struct mw_error *mw_go_buildinfo_parse(struct mw_go_buildinfo *info,
				       const char *text, size_t bytes)
{
	char *line, *end;

	info->path = "";
	info->text = mw_strndup(text, bytes);
	info->lines = info->text ? mw_strdup(info->text) : NULL;
	if (!info->lines)
		return mw_error_nomem();
	for (line = info->lines; *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		if (!take_line(info, line))
			return mw_error_nomem();
	}
	return NULL;
}

void mw_go_buildinfo_free(struct mw_go_buildinfo *info)
{
	if (!info)
		return;
	mw_vec_free(&info->modules);
	mw_vec_free(&info->settings);
	mw_free(info->lines);
	mw_free(info->text);
	mw_free(info->version);
	mw_free(info);
}

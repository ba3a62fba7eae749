/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cmd_elf.h"
#include "mw_guard.h"

/* What a Go binary says of how it was built. */

bool cmd_elf_looks_go(const struct cmd_elf *elf)
{
	static const char *const names[] = {
		".go.buildinfo", ".gopclntab", ".data.rel.ro.gopclntab",
		".note.go.buildid",
	};

	for (size_t i = 0; i < MW_COUNT(names); i++)
		if (mw_elf_file_section(elf->file, names[i]))
			return true;
	for (size_t i = 0; i < elf->notes.list.n; i++)
		if (mw_elf_note_is(&elf->notes.list.v[i], "Go", 4))
			return true;
	return false;
}

/** The image to read: of the process, or of the file as if it was loaded. */
static struct mw_error *find_image(struct cmd_elf *elf)
{
	struct mw_error *error;
	size_t count;

	elf->go_image = elf->image;
	if (elf->target || elf->file->segments.n == 0)
		return NULL;
	error = mw_target_open_file(elf->path, &elf->go_target);
	if (error)
		return error;
	elf->go_image = mw_target_images(elf->go_target, &count);
	if (count == 0)
		elf->go_image = NULL;
	return NULL;
}

/** The version of a program without build info is what its layout tells. */
static struct mw_error *load_summary(struct cmd_elf *elf,
				     struct mw_target *target)
{
	char *version;

	if (!mw_go_summary_read(target, elf->go_image, &elf->go_summary) ||
	    elf->go->form != MW_GO_BUILDINFO_NONE)
		return NULL;
	version = mw_strdup(elf->go_summary.version);
	if (!version)
		return mw_error_nomem();
	mw_free(elf->go->version);
	elf->go->version = version;
	return NULL;
}

struct mw_error *cmd_elf_load_go(struct cmd_elf *elf, bool all)
{
	struct mw_error *error = NULL;
	struct mw_target *target;

	if (!elf->target)
		error = mw_go_buildinfo_read_file(elf->file, &elf->go);
	if (!error && (all || !elf->go))
		error = find_image(elf);
	target = elf->target ? elf->target : elf->go_target;
	if (!error && elf->go_image && !elf->go)
		error = mw_go_buildinfo_read(target, elf->go_image, &elf->go);
	if (!error && elf->go && elf->go_image &&
	    (all || elf->go->form == MW_GO_BUILDINFO_NONE))
		error = load_summary(elf, target);
	if (error && error->code != MW_E_NOMEM) {
		mw_elf_file_problem(elf->file, error);
		error = NULL;
	}
	return error;
}

static const char *const forms[] = {
	[MW_GO_BUILDINFO_NONE] = "none",
	[MW_GO_BUILDINFO_POINTERS] = "pointers",
	[MW_GO_BUILDINFO_INLINE] = "inline",
};

static const struct mw_go_dependency *
main_module(const struct mw_go_buildinfo *info)
{
	for (size_t i = 0; i < info->modules.n; i++)
		if (info->modules.v[i].is_main)
			return &info->modules.v[i];
	return NULL;
}

static void print_labelled(FILE *out, const char *label, const char *text)
{
	if (!*text)
		return;
	fprintf(out, "%-26s ", label);
	mw_print_escaped(out, text);
	putc('\n', out);
}

static void print_summary(const struct mw_go_summary *s, FILE *out)
{
	if (!s->moduledata)
		return;
	fprintf(out, "%-26s 0x%" PRIx64 "\n%-26s 0x%" PRIx64 "\n",
		"moduledata at", s->moduledata, "pclntab at", s->pclntab);
	for (size_t i = 0; i < s->part_count; i++)
		fprintf(out, "  %-24s 0x%" PRIx64 " to 0x%" PRIx64 "\n",
			s->parts[i].name, s->parts[i].start, s->parts[i].end);
}

void cmd_elf_go_text(const struct cmd_elf *elf, FILE *out)
{
	const struct mw_go_dependency *module;

	if (!elf->go) {
		fputs("Not a Go program.\n", out);
		return;
	}
	module = main_module(elf->go);
	print_labelled(out, "Go version", elf->go->version);
	print_labelled(out, "Build info", forms[elf->go->form]);
	if (elf->go->path)
		print_labelled(out, "Main package", elf->go->path);
	if (module) {
		print_labelled(out, "Main module", module->module.path);
		print_labelled(out, "Its version", module->module.version);
		print_labelled(out, "Its sum", module->module.sum);
	}
	print_summary(&elf->go_summary, out);
}

static void json_summary(const struct mw_go_summary *s, struct mw_json *json)
{
	mw_json_key(json, "moduledata");
	if (!s->moduledata) {
		mw_json_null(json);
		return;
	}
	mw_json_object(json);
	mw_json_member_address(json, "address", s->moduledata);
	mw_json_member_address(json, "pclntab", s->pclntab);
	for (size_t i = 0; i < s->part_count; i++) {
		mw_json_key(json, s->parts[i].name);
		mw_json_object(json);
		mw_json_member_address(json, "start", s->parts[i].start);
		mw_json_member_address(json, "end", s->parts[i].end);
		mw_json_end(json);
	}
	mw_json_end(json);
}

void cmd_elf_go_json(const struct cmd_elf *elf, struct mw_json *json)
{
	const struct mw_go_buildinfo *info = elf->go;
	const struct mw_go_dependency *module;

	if (!info) {
		mw_json_null(json);
		return;
	}
	module = main_module(info);
	mw_json_object(json);
	mw_json_member_text(json, "version", info->version);
	mw_json_member_text(json, "build_info", forms[info->form]);
	mw_json_key(json, "address");
	if (info->address)
		mw_json_address(json, info->address);
	else
		mw_json_null(json);
	mw_json_member_text(json, "path",
			    info->path && *info->path ? info->path : NULL);
	mw_json_member_text(json, "main_module",
			    module ? module->module.path : NULL);
	mw_json_member_text(json, "main_version",
			    module ? module->module.version : NULL);
	json_summary(&elf->go_summary, json);
	mw_json_end(json);
}

enum module_column {
	M_KIND, M_PATH, M_VERSION, M_SUM, M_BY_PATH, M_BY_VERSION, M_BY_SUM,
};

static const struct mw_column module_columns[] = {
	[M_KIND] = { "kind", "KIND", MW_UNIT_TEXT,
		     "mod: the main module; dep: a dependency" },
	[M_PATH] = { "path", "MODULE", MW_UNIT_TEXT, "its path" },
	[M_VERSION] = { "version", "VERSION", MW_UNIT_TEXT, "its version" },
	[M_SUM] = { "sum", "SUM", MW_UNIT_TEXT, "its checksum" },
	[M_BY_PATH] = { "replaced_by_path", "REPLACED BY", MW_UNIT_TEXT,
			"what was used instead" },
	[M_BY_VERSION] = { "replaced_by_version", "VERSION", MW_UNIT_TEXT,
			   "its version" },
	[M_BY_SUM] = { "replaced_by_sum", "SUM", MW_UNIT_TEXT,
		       "its checksum" },
};

static void fill_module(const struct mw_go_dependency *d,
			struct mw_cell *cells)
{
	const struct mw_go_build_module *by = &d->replacement;

	mw_cell_borrow(&cells[M_KIND], d->is_main ? "mod" : "dep");
	mw_cell_borrow(&cells[M_PATH], d->module.path);
	mw_cell_borrow(&cells[M_VERSION], d->module.version);
	mw_cell_borrow(&cells[M_SUM], d->module.sum);
	if (!*by->path)
		return;
	mw_cell_borrow(&cells[M_BY_PATH], by->path);
	mw_cell_borrow(&cells[M_BY_VERSION], by->version);
	mw_cell_borrow(&cells[M_BY_SUM], by->sum);
}

static struct mw_error *fill_modules(const struct cmd_elf *elf,
				     struct mw_table *table)
{
	for (size_t i = 0; elf->go && i < elf->go->modules.n; i++) {
		struct mw_cell *cells = mw_table_add(table);

		if (!cells)
			return mw_error_nomem();
		fill_module(&elf->go->modules.v[i], cells);
	}
	return NULL;
}

const struct cmd_elf_table cmd_elf_go_modules = {
	.key = "go_modules",
	.title = "Go modules",
	.columns = module_columns,
	.column_count = MW_COUNT(module_columns),
	.fill = fill_modules,
};

static const struct mw_column setting_columns[] = {
	{ "key", "KEY", MW_UNIT_TEXT, "a flag of go build or a variable" },
	{ "value", "VALUE", MW_UNIT_TEXT, "what it was" },
};

static struct mw_error *fill_settings(const struct cmd_elf *elf,
				      struct mw_table *table)
{
	for (size_t i = 0; elf->go && i < elf->go->settings.n; i++) {
		const struct mw_go_setting *s = &elf->go->settings.v[i];
		struct mw_cell *cells = mw_table_add(table);

		if (!cells)
			return mw_error_nomem();
		mw_cell_borrow(&cells[0], s->key);
		mw_cell_borrow(&cells[1], s->value);
	}
	return NULL;
}

const struct cmd_elf_table cmd_elf_go_settings = {
	.key = "go_settings",
	.title = "Go build settings",
	.columns = setting_columns,
	.column_count = MW_COUNT(setting_columns),
	.fill = fill_settings,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd_debug.h"
#include "cmd_syms.h"
#include "mw_guard.h"

/** Whether a Go linker made it. */
static bool is_go(const struct mw_elf_file *file)
{
	static const char *const names[] = {
		".go.buildinfo", ".gopclntab", ".data.rel.ro.gopclntab",
		".note.go.buildid",
	};

	for (size_t i = 0; i < MW_COUNT(names); i++)
		if (mw_elf_file_section(file, names[i]))
			return true;
	return false;
}

/** Read the symbols of the file that @image has open. */
static struct mw_error *load(struct syms_image *image)
{
	struct mw_error *error = mw_elf_file_open(image->fd, &image->file);
	const struct mw_elf_symbol *text, *etext;

	if (!error)
		error = cmd_load_symbols(image->file, image->path, image->fd,
					 MW_ELF_DEBUGDATA, &image->symbols);
	if (!error && image->symbols.list.n == 0) {
		mw_elf_symbols_free(&image->symbols);
		error = mw_elf_symbols_load(image->file, MW_ELF_DYNSYM,
					    &image->symbols);
	}
	if (error)
		return error;
	image->is_go = is_go(image->file);
	if (!image->is_go)
		return NULL;
	text = mw_elf_symbols_find(&image->symbols, "runtime.text");
	etext = mw_elf_symbols_find(&image->symbols, "runtime.etext");
	if (text && etext) {
		image->go_text = text->value;
		image->go_etext = etext->value;
	}
	return NULL;
}

static void close_image(struct syms_image *image)
{
	mw_elf_symbols_free(&image->symbols);
	mw_elf_file_close(image->file);
	mw_closep(&image->fd);
}

static struct mw_error *add_image(struct syms *syms,
				  const struct mw_image *of, int fd)
{
	struct syms_image *image = mw_vec_push(&syms->images);

	if (!image) {
		mw_closep(&fd);
		return mw_error_nomem();
	}
	*image = (struct syms_image){
		.image = of,
		.bias = of ? of->bias : 0,
		.path = of ? of->path : syms->call->target,
		.fd = fd,
	};
	return load(image);
}

/** What keeps one image from being read does not keep the others. */
static struct mw_error *add_loaded(struct syms *syms,
				   const struct mw_image *image)
{
	int fd = -1;
	struct mw_error *error = mw_target_open_image(syms->target, image, &fd);
	size_t before = syms->images.n;

	if (!error)
		error = add_image(syms, image, fd);
	if (!error || error->code == MW_E_NOMEM)
		return error;
	if (syms->images.n > before)
		close_image(&syms->images.v[--syms->images.n]);
	mw_target_note(syms->target, "%s: %s; its symbols are not known",
		       image->name, error->message);
	mw_error_free(error);
	return NULL;
}

static struct mw_error *add_images(struct syms *syms, const char *name)
{
	bool all = name && strcmp(name, "all") == 0, found = all;
	struct mw_error *error = NULL;
	size_t count;
	const struct mw_image *images = mw_target_images(syms->target, &count);

	for (size_t i = 0; !error && i < count; i++) {
		if (!all && !(name ? cmd_image_is_called(&images[i], name,
					      strlen(name))
				   : images[i].kind == MW_IMAGE_EXECUTABLE))
			continue;
		found = true;
		error = add_loaded(syms, &images[i]);
	}
	if (!error && !found)
		error = cmd_no_image(syms->target, name);
	return error;
}

/** An ELF file as it stands; object files, too, which cannot be loaded. */
static struct mw_error *open_file(struct syms *syms, const char *name)
{
	const char *path = syms->call->target;
	struct mw_target_options options = syms->call->capture;
	struct mw_error *error;
	int fd = -1;

	error = mw_target_open_regular(path, &fd, NULL);
	if (error)
		return error;
	error = add_image(syms, NULL, fd);
	if (error)
		return mw_error_prefix(error, "%s", path);
	if (syms->images.v[0].file->header.type != ET_CORE)
		return name ? mw_error_new(MW_E_USAGE, "--image is for "
					   "processes and cores; %s is a file",
					   path)
			    : NULL;
	close_image(&syms->images.v[--syms->images.n]);
	error = mw_target_open_path(path, &options, &syms->target);
	return error ? error : add_images(syms, name);
}

struct mw_error *syms_open(const struct cmd_call *call, const char *image,
			   struct syms *syms)
{
	struct mw_error *error;
	pid_t pid;

	syms->call = call;
	error = cmd_find_target(call, &pid);
	if (error)
		return error;
	if (pid == 0)
		return open_file(syms, image);
	error = mw_target_open(pid, &call->capture, &syms->target);
	return error ? error : add_images(syms, image);
}

struct mw_target *syms_memory(struct syms *syms)
{
	struct mw_error *error;

	if (syms->target)
		return syms->target;
	if (syms->loaded || syms->load_failed)
		return syms->loaded;
	error = mw_target_open_file(syms->call->target, &syms->loaded);
	// An object file, or one for another machine, has no memory.
	syms->load_failed = error != NULL;
	mw_error_free(error);
	return syms->loaded;
}

void syms_close(struct syms *syms)
{
	for (size_t i = 0; i < syms->images.n; i++)
		close_image(&syms->images.v[i]);
	mw_vec_free(&syms->images);
	mw_vec_free(&syms->rows);
	for (size_t i = 0; i < syms->packages.n; i++)
		mw_free(syms->packages.v[i]);
	mw_vec_free(&syms->packages);
	mw_map64_free(&syms->by_package);
	mw_go_funcs_close(syms->funcs);
	mw_target_close(syms->loaded);
	mw_target_close(syms->target);
}

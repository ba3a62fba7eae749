/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_elf_file.h"
#include "mw_go_buildinfo.h"

/*
 * The lines as such, the quick way through the section, and the way through an
 * address space.
 */

struct whole {
	struct input in;
	int fd;
};

static void check_text(const char *text)
{
	CHECK(text && strlen(text) < 1U << 30);
}

static void check_info(const struct mw_go_buildinfo *info)
{
	if (!info)
		return;
	check_text(info->path);
	CHECK(info->text);
	for (size_t i = 0; i < info->modules.n; i++) {
		check_text(info->modules.v[i].module.path);
		check_text(info->modules.v[i].module.sum);
		check_text(info->modules.v[i].replacement.path);
		check_text(info->modules.v[i].replacement.sum);
	}
	for (size_t i = 0; i < info->settings.n; i++) {
		check_text(info->settings.v[i].key);
		check_text(info->settings.v[i].value);
	}
}

static void parse(const struct input *in)
{
	struct mw_go_buildinfo *info = mw_calloc(1, sizeof(*info));
	struct mw_error *error;

	if (!info)
		return;
	error = mw_go_buildinfo_parse(info, (const char *)in->data, in->size);
	CHECK(!error || error->code == MW_E_NOMEM);
	if (!error)
		check_info(info);
	mw_error_free(error);
	mw_go_buildinfo_free(info);
}

static void read_file(struct mw_elf_file *file)
{
	struct mw_go_buildinfo *info = NULL;
	struct mw_error *error = mw_go_buildinfo_read_file(file, &info);

	CHECK(!error || !info);
	CHECK(!error || error->code == MW_E_NOMEM ||
	      error->code == MW_E_FORMAT);
	check_info(info);
	mw_error_free(error);
	mw_go_buildinfo_free(info);
}

static void read_target(int fd)
{
	struct mw_go_buildinfo *info = NULL;
	struct mw_target *target = NULL;
	const struct mw_image *images;
	struct mw_error *error;
	char path[64];
	size_t count;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	error = mw_target_open_file(path, &target);
	if (!error) {
		images = mw_target_images(target, &count);
		if (count > 0)
			error = mw_go_buildinfo_read(target, images, &info);
	}
	CHECK(!error || !info);
	check_info(info);
	mw_error_free(error);
	mw_go_buildinfo_free(info);
	mw_target_close(target);
}

static void run(void *ctx)
{
	struct whole *whole = ctx;

	parse(&whole->in);
	with_file(&whole->in, read_file);
	read_target(whole->fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct whole whole = { { data, size }, fuzz_file(data, size) };

	fuzz_starve(data, size, run, &whole);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/auxv.h>

#include "cmd_elf.h"
#include "mw_guard.h"

/** An image that has no file is read from memory, up to this. */
#define MOST_MEMORY MW_MIB(64)

static struct mw_error *find_image(const struct mw_target *target,
				   const char *name,
				   const struct mw_image **ret)
{
	size_t count;
	const struct mw_image *images = mw_target_images(target, &count);

	for (size_t i = 0; i < count; i++)
		if (name ? cmd_image_is_called(&images[i], name,
					      strlen(name))
			 : images[i].kind == MW_IMAGE_EXECUTABLE) {
			*ret = &images[i];
			return NULL;
		}
	return cmd_no_image(target, name);
}

/** What of the image can be read, from its beginning on. */
static struct mw_error *read_memory(struct cmd_elf *elf, uint64_t start,
				    uint64_t end, uint64_t *ret_bytes)
{
	uint64_t room = mw_min(end - start, MOST_MEMORY), bytes = 0;

	elf->memory = mw_calloc(room, 1);
	if (!elf->memory)
		return mw_error_nomem();
	while (bytes < room &&
	       mw_target_read(elf->target, start + bytes, elf->memory + bytes,
			      mw_min(room - bytes, MW_PAGE_BYTES)))
		bytes += mw_min(room - bytes, MW_PAGE_BYTES);
	*ret_bytes = bytes;
	return NULL;
}

/** Put what memory has of @segment where it lies in the file. */
static void read_segment(struct cmd_elf *elf, uint64_t bytes,
			 const struct mw_elf_segment *segment)
{
	uint64_t to = segment->offset, end;

	if (segment->type != PT_LOAD ||
	    !mw_end(to, segment->filesz, &end) || end > bytes)
		return;
	while (to < end) {
		uint64_t va = elf->image->bias + segment->vaddr +
			      (to - segment->offset);
		uint64_t part = mw_min(end - to,
				       MW_PAGE_BYTES - va % MW_PAGE_BYTES);

		// What cannot be read remains zeros.
		if (!mw_target_read(elf->target, va, elf->memory + to, part))
			memset(elf->memory + to, 0, part);
		to += part;
	}
}

/**
 * Make addresses of the process into those of the file again, where the
 * dynamic loader has put the former.
 */
static void unmove_dynamic(struct cmd_elf *elf, uint64_t bytes,
			   const struct mw_elf_segment *segment)
{
	const struct mw_image *image = elf->image;
	Elf64_Dyn *entries = (Elf64_Dyn *)(elf->memory + segment->offset);

	if (segment->type != PT_DYNAMIC || !image->elf->is_64 ||
	    segment->offset % sizeof(uint64_t) != 0 ||
	    segment->offset > bytes || segment->filesz > bytes - segment->offset)
		return;
	for (size_t i = 0; i < segment->filesz / sizeof(*entries); i++)
		if (entries[i].d_un.d_ptr >= image->start &&
		    entries[i].d_un.d_ptr < image->end)
			entries[i].d_un.d_ptr -= image->bias;
}

/** The file as far as its segments have it: no section headers. */
static struct mw_error *open_memory(struct cmd_elf *elf)
{
	const struct mw_elf *tables = elf->image->elf;
	uint64_t bytes = 0, end;

	for (size_t i = 0; tables && i < tables->segments.n; i++)
		if (tables->segments.v[i].type == PT_LOAD &&
		    mw_end(tables->segments.v[i].offset,
			   tables->segments.v[i].filesz, &end))
			bytes = mw_max(bytes, mw_min(end, MOST_MEMORY));
	elf->memory = mw_calloc(mw_max(bytes, 1), 1);
	if (!elf->memory)
		return mw_error_nomem();
	for (size_t i = 0; tables && i < tables->segments.n; i++)
		read_segment(elf, bytes, &tables->segments.v[i]);
	for (size_t i = 0; tables && i < tables->segments.n; i++)
		unmove_dynamic(elf, bytes, &tables->segments.v[i]);
	return mw_elf_file_open_segments(elf->memory, bytes, &elf->file);
}

/** Which pages of the image others map; a target that cannot tell is fine. */
static struct mw_error *load_shared(struct cmd_elf *elf)
{
	const struct mw_mappings *maps = mw_target_mappings(elf->target);
	struct mw_error *error = NULL;

	for (size_t i = mw_mappings_after(maps, elf->image->start);
	     !error && i < maps->list.n &&
	     maps->list.v[i].start < elf->image->end;
	     i++)
		error = mw_target_shared_pages(elf->target,
					       maps->list.v[i].start,
					       maps->list.v[i].end,
					       &elf->shared);
	elf->has_shared = !error;
	if (error && error->code != MW_E_NOMEM) {
		mw_error_free(error);
		error = NULL;
	}
	return error;
}

/**
 * The kernel maps one vdso into all 64-bit processes. A page that this one has
 * not touched yet is as in ours, which may be touched.
 */
static void fill_from_ours(struct cmd_elf *elf, const struct mw_mapping *m)
{
	const uint8_t *ours = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	const struct mw_pages *pages = mw_target_pages(elf->target);

	if (!ours || !mw_target_info(elf->target)->is_64)
		return;
	for (uint64_t at = 0; at < mw_mapping_bytes(m); at += MW_PAGE_BYTES)
		if (!(mw_pages_state(pages, m->start + at) & MW_PAGE_PRESENT))
			memcpy(elf->memory + at, ours + at, MW_PAGE_BYTES);
}

/** Pages of our own vdso; the target's may have no more. */
static uint64_t our_vdso_bytes(void)
{
	const uint8_t *ours = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	struct mw_elf_file *file = NULL;
	uint64_t bytes = 0;

	// Its section headers are the last thing in it.
	if (!ours || ours[EI_CLASS] != ELFCLASS64)
		return 0;
	mw_error_free(mw_elf_file_open_memory(ours, MW_PAGE_BYTES, &file));
	if (file)
		bytes = mw_align_up(file->header.shoff +
					    (uint64_t)file->header.shnum *
						    file->header.shentsize,
				    MW_PAGE_BYTES);
	mw_elf_file_close(file);
	return bytes;
}

static struct mw_error *read_vdso(struct cmd_elf *elf,
				  const struct mw_mapping *m)
{
	uint64_t bytes = 0;
	struct mw_error *error = read_memory(elf, m->start, m->end, &bytes);

	if (error)
		return error;
	if (our_vdso_bytes() == mw_mapping_bytes(m)) {
		fill_from_ours(elf, m);
		bytes = mw_mapping_bytes(m);
	}
	return mw_elf_file_open_memory(elf->memory, bytes, &elf->file);
}

/** The vdso is no image of a file, but there is an ELF file in memory. */
static struct mw_error *open_vdso(struct cmd_elf *elf)
{
	const struct mw_mappings *maps = mw_target_mappings(elf->target);

	for (size_t i = 0; i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];

		if (strcmp(mw_mapping_path(maps, m), "[vdso]") == 0) {
			elf->path = "[vdso]";
			return read_vdso(elf, m);
		}
	}
	return mw_error_new(MW_E_NOT_FOUND, "no vdso is mapped");
}

/** The image that is called @name, of a process or core. */
static struct mw_error *open_image(const char *name, struct cmd_elf *elf)
{
	struct mw_error *error;

	if (name && (strcmp(name, "vdso") == 0 || strcmp(name, "[vdso]") == 0))
		return open_vdso(elf);
	error = find_image(elf->target, name, &elf->image);
	if (error)
		return error;
	elf->path = elf->image->path;
	error = load_shared(elf);
	if (error)
		return error;
	error = mw_target_open_image(elf->target, elf->image, &elf->fd);
	if (!error)
		return mw_elf_file_open(elf->fd, &elf->file);
	mw_target_note(elf->target, "%s: %s; what memory has of it is shown",
		       elf->path, error->message);
	mw_error_free(error);
	return open_memory(elf);
}

static struct mw_error *open_process(const char *image, pid_t pid,
				     struct cmd_elf *elf)
{
	struct mw_target_options capture = elf->call->capture;
	struct mw_error *error;

	capture.file_pages = true;
	error = mw_target_open(pid, &capture, &elf->target);
	return error ? error : open_image(image, elf);
}

/** An image in a core; without @image a file as it stands, a core, too. */
static struct mw_error *open_file(const char *image, struct cmd_elf *elf)
{
	const char *path = elf->call->target;
	struct mw_error *error;

	if (!image) {
		error = mw_target_open_regular(path, &elf->fd, NULL);
		if (error)
			return error; // which names the file
		elf->path = path;
		return mw_elf_file_open(elf->fd, &elf->file);
	}
	error = cmd_open_target(elf->call, &elf->target);
	if (error)
		return error;
	if (mw_target_info(elf->target)->kind == MW_TARGET_FILE)
		return mw_error_new(MW_E_USAGE, "--image is for processes and "
				    "cores; %s is a file", path);
	return open_image(image, elf);
}

struct mw_error *cmd_elf_open(const struct cmd_call *call, const char *image,
			      struct cmd_elf *elf)
{
	const struct mw_elf_dynamic_entry *flags;
	struct mw_error *error;
	pid_t pid;

	elf->call = call;
	elf->fd = -1;
	error = cmd_find_target(call, &pid);
	if (error)
		return error;
	error = pid ? open_process(image, pid, elf) : open_file(image, elf);
	if (error)
		return elf->path ? mw_error_prefix(error, "%s", elf->path)
				 : error;
	error = mw_elf_dynamic_load(elf->file, true, &elf->dynamic);
	if (!error)
		error = mw_elf_notes_load(elf->file, MW_ELF_NOTES_ANY,
					  &elf->notes);
	if (!error)
		error = mw_elf_layout_build(elf->file, &elf->layout);
	if (error)
		return error;
	flags = mw_elf_dynamic_find(&elf->dynamic, DT_FLAGS_1);
	elf->is_pie = flags && (flags->value & DF_1_PIE);
	return NULL;
}

void cmd_elf_close(struct cmd_elf *elf)
{
	mw_go_buildinfo_free(elf->go);
	mw_target_close(elf->go_target);
	mw_elf_layout_free(&elf->layout);
	mw_elf_notes_free(&elf->notes);
	mw_elf_dynamic_free(&elf->dynamic);
	mw_pages_free(&elf->shared);
	mw_elf_file_close(elf->file);
	mw_free(elf->memory);
	if (elf->call)
		mw_closep(&elf->fd);
	mw_target_close(elf->target);
}

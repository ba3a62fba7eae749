/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "mw_elf_debuglink.h"
#include "mw_num.h"

struct input {
	const uint8_t *data;
	size_t size;
	int fd;
};

static bool is_clean(const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++)
		if (name[i] < 0x20 || name[i] > 0x7e || name[i] == '/')
			return false;
	return i > 0 && i <= 256;
}

static void check_elf(const struct mw_elf *elf, uint64_t file_bytes)
{
	uint64_t least = elf->is_64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
	uint64_t segment = elf->is_64 ? sizeof(Elf64_Phdr)
				      : sizeof(Elf32_Phdr);
	uint64_t section = elf->is_64 ? sizeof(Elf64_Shdr)
				      : sizeof(Elf32_Shdr);

	CHECK(elf->file_bytes == file_bytes && file_bytes >= least);
	// There is no more of anything than the file has room for.
	CHECK(elf->segments.n <= file_bytes / segment);
	CHECK(elf->sections.n <= file_bytes / section);
	CHECK(elf->ph_bytes == 0 ||
	      mw_within(elf->phoff, elf->ph_bytes, 0, file_bytes));

	CHECK(elf->names.n >= elf->sections.n);
	for (size_t i = 0; i < elf->sections.n; i++) {
		const char *name = elf->sections.v[i].name;
		const struct mw_elf_section *found =
			mw_elf_find_section(elf, name);

		CHECK(is_clean(name));
		CHECK(found && found <= &elf->sections.v[i] &&
		      strcmp(found->name, name) == 0);
		if (i == 64)
			break;
	}
	CHECK(!mw_elf_find_section(elf, ""));
	CHECK(!elf->soname || is_clean(elf->soname));
	CHECK(elf->build_id_bytes <= sizeof(elf->build_id));
}

static void check_same_text(const char *a, const char *b)
{
	CHECK(!a == !b && (!a || strcmp(a, b) == 0));
}

static void check_same(const struct mw_elf *a, const struct mw_elf *b)
{
	CHECK(a->is_64 == b->is_64 && a->type == b->type &&
	      a->machine == b->machine && a->entry == b->entry);
	CHECK(a->phoff == b->phoff && a->ph_bytes == b->ph_bytes &&
	      a->eh_bytes == b->eh_bytes);
	CHECK(a->segments.n == b->segments.n);
	CHECK(a->segments.n == 0 ||
	      memcmp(a->segments.v, b->segments.v,
		     a->segments.n * sizeof(*a->segments.v)) == 0);
	CHECK(a->sections.n == b->sections.n);
	for (size_t i = 0; i < a->sections.n; i++) {
		const struct mw_elf_section *x = &a->sections.v[i];
		const struct mw_elf_section *y = &b->sections.v[i];

		check_same_text(x->name, y->name);
		CHECK(x->type == y->type && x->flags == y->flags &&
		      x->addr == y->addr && x->offset == y->offset &&
		      x->size == y->size && x->link == y->link &&
		      x->info == y->info && x->align == y->align &&
		      x->entry_size == y->entry_size);
	}
	check_same_text(a->soname, b->soname);
	CHECK(a->build_id_bytes == b->build_id_bytes &&
	      memcmp(a->build_id, b->build_id, a->build_id_bytes) == 0);
}

/** Errors are of the kinds that the header names; @elf is NULL with them. */
static void check_result(const struct mw_error *error,
			 const struct mw_elf *elf, const struct input *in)
{
	fuzz_check_error(error);
	CHECK(!error == !!elf);
	if (error)
		CHECK(error->code == MW_E_FORMAT ||
		      error->code == MW_E_LIMIT ||
		      error->code == MW_E_NOMEM);
	else
		check_elf(elf, in->size);
}

static struct mw_elf *load_file(const struct input *in)
{
	struct mw_elf *elf = NULL;
	struct mw_error *error = mw_elf_load(in->fd, &elf);

	check_result(error, elf, in);
	mw_error_free(error);
	return elf;
}

static struct mw_elf *load_memory(const struct input *in)
{
	struct mw_elf *elf = NULL;
	struct mw_error *error = mw_elf_load_memory(in->data, in->size, &elf);

	check_result(error, elf, in);
	mw_error_free(error);
	return elf;
}

/** A file is its own debug file when it has a build id. */
static void read_debuglink(const struct input *in)
{
	struct mw_elf_debuglink link = { 0 };
	struct mw_error *error = mw_elf_debuglink_read(in->fd, &link);

	fuzz_check_error(error);
	mw_error_free(error);
	CHECK(memchr(link.name, 0, sizeof(link.name)) &&
	      !strchr(link.name, '/'));
	CHECK(link.build_id_bytes <= sizeof(link.build_id));
	if (link.build_id_bytes || link.name[0])
		mw_elf_debuglink_is(&link, in->fd);
}

static void run(void *ctx)
{
	const struct input *in = ctx;

	mw_elf_free(load_file(in));
	mw_elf_free(load_memory(in));
	read_debuglink(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size, fuzz_file(data, size) };
	struct mw_elf *file, *memory;

	fuzz_starve(data, size, run, &in);
	// The same bytes are the same ELF file, wherever they lie.
	file = load_file(&in);
	memory = load_memory(&in);
	CHECK(!file == !memory);
	CHECK(!file || mw_elf_has_magic(in.fd));
	if (file)
		check_same(file, memory);
	mw_elf_free(file);
	mw_elf_free(memory);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_image.h"
#include "mw_elf_symbols.h"
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_vars.h"

#define MOST_VARS 64
#define MOST_TEXT 512

struct input {
	struct fuzz_image image;
	struct mw_var vars[MOST_VARS];
	size_t count;
};

static bool name_of(void *ctx, uint64_t va, struct mw_text *to)
{
	(void)ctx;
	mw_text_add(to, "name");
	return va & 1;
}

static bool dynamic(void *ctx, uint64_t type, uint64_t data, struct mw_text *to)
{
	(void)ctx;
	mw_text_add(to, "%jx(%jx)", (uintmax_t)type, (uintmax_t)data);
	return type & 1;
}

/** Of split DWARF: the file itself has it all. */
static bool open_split(void *ctx, const char *folder, const char *name,
		       unsigned n, int *ret_fd)
{
	const struct fuzz_image *image = ctx;

	CHECK(!name || strlen(name) < image->size);
	CHECK(!folder || strlen(folder) < image->size);
	*ret_fd = n == 0 ? dup(image->fd) : -1;
	return n < 2;
}

/** What symbols there are is where variables may be. */
static void find_addresses(struct input *in)
{
	struct mw_elf_file *file = NULL;
	struct mw_elf_symbols symbols = { 0 };
	struct mw_error *error = mw_elf_file_open(in->image.fd, &file);

	if (!error)
		error = mw_elf_symbols_load(file, MW_ELF_SYMTAB, &symbols);
	for (size_t i = 0; !error && i < symbols.list.n &&
			   in->count < MOST_VARS; i++) {
		unsigned type = ELF64_ST_TYPE(symbols.list.v[i].info);

		if (type == STT_OBJECT || type == STT_TLS)
			in->vars[in->count++] = (struct mw_var){
				.vaddr = symbols.list.v[i].value,
				.is_tls = type == STT_TLS,
				.unit = i & 1 ? "main" : NULL,
			};
	}
	mw_error_free(error);
	mw_elf_symbols_free(&symbols);
	mw_elf_file_close(file);
}

static void check_var(struct input *in, struct mw_vars *vars,
		      const struct mw_var *var)
{
	const struct mw_vars_memory memory = {
		.read = fuzz_image_read,
		.name = name_of,
		.dynamic = dynamic,
		.ctx = &in->image,
	};
	MW_CLEANUP(mw_text_free) struct mw_text type = { .limit = MOST_TEXT };
	MW_CLEANUP(mw_text_free) struct mw_text value = { .limit = MOST_TEXT };

	if (!var->is_found)
		return;
	mw_vars_type_name(vars, var->type, &type);
	mw_vars_type_bytes(vars, var->type);
	mw_vars_value(vars, var->type, &memory, var->vaddr, &value);
	// An ellipsis may come behind the limit.
	CHECK(type.n <= MOST_TEXT + 4 && value.n <= MOST_TEXT + 4);
	CHECK(!value.v || strlen(value.v) == value.n);
}

static void run(void *ctx)
{
	struct input *in = ctx;
	const struct mw_vars_files files = { open_split, &in->image };
	struct mw_vars *vars = NULL;
	struct mw_error *error = mw_vars_open(in->image.fd, &vars);

	CHECK(!error == !!vars);
	if (error) {
		CHECK(error->code == MW_E_NOT_FOUND ||
		      error->code == MW_E_NOMEM);
		mw_error_free(error);
		return;
	}
	mw_vars_use_files(vars, &files);
	for (size_t i = 0; i < in->count; i++)
		in->vars[i].is_found = in->vars[i].was_tried = false;
	mw_vars_find(vars, in->vars, in->count);
	for (size_t i = 0; i < in->count; i++)
		check_var(in, vars, &in->vars[i]);
	mw_vars_close(vars);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {
		.image = { data, size, fuzz_file(data, size) },
	};

	mw_alloc_fail_after(-1);
	find_addresses(&in);
	fuzz_starve(data, size, run, &in);
	return 0;
}

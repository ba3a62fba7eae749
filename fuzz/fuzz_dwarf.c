/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "mw_dwarf.h"
#include "mw_num.h"

/** What memwhy asks for in earnest, each kind of step at least once. */
static const struct {
	const char *structure, *path;
} questions[] = {
	{ "runtime.mspan", "" },
	{ "runtime.mspan", "startAddr" },
	{ "runtime.mspan", "state.s.value" },
	{ "runtime.mheap", "central[].mcentral" },
	{ "runtime.mheap", "allspans.len" },
	{ "runtime.pageAlloc", "scav.index.chunks.array*" },
	{ "runtime.pageAlloc", "summary[].array" },
	{ "runtime.g", "stack.lo" },
	{ "runtime.g", "m*.g0*.sched.sp" },
	{ "runtime.g", "nosuchmember" },
	{ "runtime.nosuchstruct", "" },
	{ "var runtime.work", "" },
	{ "var runtime.work", "full" },
	{ "var runtime.mheap_", "pages.inUse" },
};

struct input {
	int fd;
};

static void ask(struct mw_dwarf *dwarf, const char *structure,
		const char *path)
{
	const uint64_t untouched = UINT64_C(0x5ca1ab1e5ca1ab1e);
	uint64_t offset = untouched, bytes = untouched;
	uint64_t again_offset, again_bytes;
	size_t length = strlen(path);

	if (!mw_dwarf_member(dwarf, structure, path, &offset, &bytes)) {
		CHECK(offset == untouched && bytes == untouched);
		return;
	}
	// It begins anew behind a pointer.
	if (length == 0 || path[length - 1] == '*')
		CHECK(offset == 0);
	CHECK(mw_dwarf_member(dwarf, structure, path, &again_offset,
			      &again_bytes));
	CHECK(offset == again_offset && bytes == again_bytes);
}

static void run(void *ctx)
{
	const struct input *in = ctx;
	struct mw_dwarf *dwarf = NULL;
	struct mw_error *error = mw_dwarf_open(in->fd, "runtime.", &dwarf);

	fuzz_check_error(error);
	CHECK(!error == !!dwarf);
	if (error) {
		CHECK(error->code == MW_E_NOT_FOUND ||
		      error->code == MW_E_FORMAT ||
		      error->code == MW_E_NOMEM);
		mw_error_free(error);
		return;
	}
	for (size_t i = 0; i < MW_COUNT(questions); i++)
		ask(dwarf, questions[i].structure, questions[i].path);
	CHECK(!mw_dwarf_member(dwarf, "elsewhere.mspan", "", NULL, NULL));
	mw_dwarf_close(dwarf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { fuzz_file(data, size) };

	fuzz_starve(data, size, run, &in);
	// The file is still the caller's.
	CHECK(lseek(in.fd, 0, SEEK_END) == (off_t)size);
	return 0;
}

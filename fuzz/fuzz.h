/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mw_error.h"
#include "mw_mem.h"

/*
 * What the fuzz targets share. A target hands its input to one parser and
 * checks what the parser promises; CHECK() ends the program when it does not.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) \
	((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))

__attribute__((noreturn)) static inline void
fuzz_fail(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, what);
	abort();
}

/** An error has a text, and is "out of memory" if, and only if, that was. */
static inline void fuzz_check_error(const struct mw_error *error)
{
	if (!error) {
		CHECK(!mw_alloc_failed());
		return;
	}
	CHECK(error->message && *error->message);
	CHECK((error->code == MW_E_NOMEM) == mw_alloc_failed());
}

/**
 * Call @run(ctx), which must release what it gets, with all the memory it
 * wants, then again with an allocation failing: another one for another input.
 */
static inline void fuzz_starve(const uint8_t *data, size_t size,
			       void (*run)(void *ctx), void *ctx)
{
	enum { LATEST = 24 };
	uint32_t hash = (uint32_t)size;

	for (size_t i = 0; i < size && i < 256; i++)
		hash = hash * 31 + data[i];
	mw_alloc_fail_after(-1);
	run(ctx);
	mw_alloc_fail_after((long)(hash % LATEST));
	run(ctx);
	mw_alloc_fail_after(-1);
}

/** A file of memory with the input in it. It is the same one each time. */
static inline int fuzz_file(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(fd, data + done, size - done, (off_t)done);

		CHECK(n > 0);
		done += (size_t)n;
	}
	return fd;
}

#endif

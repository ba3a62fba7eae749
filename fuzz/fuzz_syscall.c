/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "fuzz.h"
#include "kernel_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mw_thread before, thread, again;
	char text[64];
	int bytes;

	memset(&before, 0, sizeof(before));
	before.tid = 12345;
	before.robust_list = UINT64_MAX;
	memcpy(&thread, &before, sizeof(thread));
	mw_parse_syscall((const char *)data, size, &thread);
	if (!thread.has_sp) {
		CHECK(memcmp(&thread, &before, sizeof(thread)) == 0);
		return 0;
	}

	// Only the stack pointer and the program counter are new, and they
	// read the same as the kernel writes them outside of a system call.
	bytes = snprintf(text, sizeof(text), "-1 0x%" PRIx64 " 0x%" PRIx64
			 "\n", thread.sp, thread.pc);
	CHECK(bytes > 0 && (size_t)bytes < sizeof(text));
	memcpy(&again, &before, sizeof(again));
	mw_parse_syscall(text, (size_t)bytes, &again);
	CHECK(memcmp(&thread, &again, sizeof(thread)) == 0);

	before.has_sp = true;
	before.sp = thread.sp;
	before.pc = thread.pc;
	CHECK(memcmp(&thread, &before, sizeof(thread)) == 0);
	return 0;
}

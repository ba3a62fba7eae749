/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "kernel_parse.h"

static void check_status(const struct mw_status *status)
{
	uint64_t bits = status->vsz_bytes | status->rss_bytes |
			status->rss_anon_bytes | status->rss_file_bytes |
			status->rss_shmem_bytes | status->rss_peak_bytes |
			status->swap_bytes | status->locked_bytes |
			status->page_table_bytes | status->hugetlb_bytes;

	CHECK(memchr(status->comm, '\0', sizeof(status->comm)));
	CHECK(!strchr(status->comm, '\n'));
	CHECK(mw_is_aligned(bits, MW_KIB(1)));

	// These come from /proc/PID/stat.
	CHECK(status->state == 0 && status->threads == 0 &&
	      status->start_ticks == 0);
	CHECK(status->start.start_stack == 0 && status->start.start_brk == 0 &&
	      status->start.start_code == 0 && status->start.arg_start == 0 &&
	      status->start.arg_end == 0 && status->start.env_start == 0 &&
	      status->start.env_end == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *end = text + size;
	struct mw_status whole, lines;

	memset(&whole, 0, sizeof(whole));
	memset(&lines, 0, sizeof(lines));
	mw_parse_status(text, size, &whole);
	check_status(&whole);

	// A line means the same alone as among others.
	for (const char *line = text; line < end;) {
		const char *eol = memchr(line, '\n', (size_t)(end - line));
		const char *next = eol ? eol + 1 : end;

		mw_parse_status(line, (size_t)(next - line), &lines);
		line = next;
	}
	CHECK(memcmp(&whole, &lines, sizeof(whole)) == 0);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cmd_ranges.h"
#include "mw_guard.h"

#define LINE 16

static void help(FILE *out)
{
	fputs("\nLines that repeat the one before are shown as *, but for "
	      "--verbose. Pages that are\nnot resident are told in a line, "
	      "with the reason, and are not read.\n", out);
}

/** A dump on its way. */
struct hexdump {
	const struct mw_mappings *maps;
	const struct cmd_ranges *ranges;
	size_t range; /* the next to be announced */
	bool all_lines;
	unsigned width; /* digits of an address */
	uint8_t line[LINE]; /* what was shown last */
	bool has_line, starred;
	/* A line that is not full yet. */
	uint64_t va;
	uint8_t open[LINE];
	unsigned first, end; /* columns that it has */
};

static void print_line(const struct hexdump *h, uint64_t va,
		       const uint8_t *bytes, unsigned first, unsigned end)
{
	static const char digits[] = "0123456789abcdef";
	char hex[3 * LINE + 2], text[LINE + 1], *to = hex;

	for (unsigned i = 0; i < LINE; i++) {
		bool in = i >= first && i < end;
		uint8_t c = in ? bytes[i] : 0;

		*to++ = ' ';
		if (i == LINE / 2)
			*to++ = ' ';
		*to++ = in ? digits[c >> 4] : ' ';
		*to++ = in ? digits[c & 15] : ' ';
		text[i] = !in ? ' ' : c >= 0x20 && c < 0x7f ? (char)c : '.';
	}
	*to = '\0';
	text[end] = '\0';
	printf("%0*" PRIx64 " %.*s  |%s|\n", (int)h->width, va,
	       (int)(to - hex), hex, text);
}

static void show_line(struct hexdump *h, uint64_t va, const uint8_t *bytes,
		      unsigned first, unsigned end)
{
	bool is_full = first == 0 && end == LINE;

	if (is_full && h->has_line && !h->all_lines &&
	    memcmp(h->line, bytes, LINE) == 0) {
		if (!h->starred)
			puts("*");
		h->starred = true;
		return;
	}
	print_line(h, va, bytes, first, end);
	h->starred = false;
	h->has_line = is_full;
	if (is_full)
		memcpy(h->line, bytes, LINE);
}

static void close_line(struct hexdump *h)
{
	if (h->end > h->first)
		show_line(h, h->va, h->open, h->first, h->end);
	h->first = h->end = 0;
}

/** Say what begins at @va where a range or another mapping does. */
static void announce(struct hexdump *h, uint64_t va)
{
	const struct cmd_range *r = &h->ranges->list.v[h->range];
	const struct mw_mapping *m;

	if (h->range == h->ranges->list.n || va < r->start)
		return;
	close_line(h);
	h->has_line = h->starred = false;
	m = mw_mappings_find(h->maps, va);
	if (h->range > 0)
		putchar('\n');
	printf("%0*" PRIx64 "-%0*" PRIx64 "  %" PRIu64 " bytes", (int)h->width,
	       r->start, (int)h->width, r->end, r->end - r->start);
	if (m && *mw_mapping_path(h->maps, m)) {
		fputs("  ", stdout);
		mw_print_escaped(stdout, mw_mapping_path(h->maps, m));
	}
	putchar('\n');
	h->range++;
}

static void show_absent(struct hexdump *h, const struct mw_piece *piece)
{
	uint64_t first = mw_align_down(piece->va, MW_PAGE_BYTES);
	uint64_t end = mw_align_up(piece->va + piece->bytes, MW_PAGE_BYTES);
	uint64_t pages = (end - first) / MW_PAGE_BYTES;

	close_line(h);
	h->has_line = h->starred = false;
	printf("%0*" PRIx64 "  … absent: %" PRIu64 " page%s (%s)\n",
	       (int)h->width, piece->va, pages, pages == 1 ? "" : "s",
	       mw_bytes_kind_name(piece->kind));
}

static bool show(void *ctx, const struct mw_piece *piece)
{
	struct hexdump *h = ctx;
	const uint8_t *data = piece->data;
	uint64_t va = piece->va, end = va + piece->bytes;

	announce(h, va);
	if (!data) {
		show_absent(h, piece);
		return !ferror(stdout);
	}
	while (va < end) {
		uint64_t line = mw_align_down(va, LINE);
		unsigned column = (unsigned)(va - line);
		unsigned take = (unsigned)mw_min(end - va, LINE - column);

		if (take == LINE) {
			show_line(h, line, data, 0, LINE);
		} else {
			if (h->end == 0 || h->va != line) {
				close_line(h);
				h->va = line;
				h->first = column;
			}
			memcpy(h->open + column, data, take);
			h->end = column + take;
			if (h->end == LINE)
				close_line(h);
		}
		va += take;
		data += take;
	}
	return !ferror(stdout);
}

static unsigned width_of(uint64_t address)
{
	return address >> 48 ? 16 : address >> 32 ? 12 : 8;
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(cmd_bytes_free) struct cmd_bytes bytes = { 0 };
	struct hexdump h = { .all_lines = call->verbose };
	struct mw_stream stream = { .piece = show, .ctx = &h };
	struct mw_error *error = cmd_bytes_take(call, false, &bytes);
	size_t count = bytes.ranges.list.n;

	if (error)
		return error;
	stream.from_files = cmd_choice.from_files; // some targets imply it
	h.maps = mw_target_mappings(bytes.books.target);
	h.ranges = &bytes.ranges;
	h.width = width_of(bytes.ranges.list.v[count - 1].end);
	error = cmd_bytes_stream(&bytes, bytes.extents.list.v,
				 bytes.extents.list.n, &stream);
	cmd_bytes_release(&bytes);
	close_line(&h);
	if (!error)
		cmd_print_notes(bytes.books.target);
	return error;
}

static const struct cmd_option options[] = {
	CMD_RANGE_OPTIONS,
	{ 0 },
};

const struct cmd_command cmd_hexdump = {
	.name = "hexdump",
	.operands = "TARGET",
	.summary = "bytes in hexadecimal, absent pages shown as absent",
	.shared = CMD_CAPTURE | CMD_VERBOSE | CMD_FILES,
	.options = options,
	.run = run,
	.help = help,
};

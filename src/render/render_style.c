/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mw_num.h"
#include "render_int.h"

#define DEFAULT_WIDTH 100

struct mw_style mw_style_for(FILE *out)
{
	struct mw_style style = { .width = DEFAULT_WIDTH };
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	struct winsize size;
	int fd = fileno(out);

	if (fd < 0 || !isatty(fd))
		return style;
	style.is_terminal = true;
	style.color = !(no_color && *no_color) &&
		      !(term && strcmp(term, "dumb") == 0);
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
		style.width = size.ws_col;
	return style;
}

const char *mw_unit_name(enum mw_unit unit)
{
	static const char *const names[] = {
		[MW_UNIT_TEXT] = "text",     [MW_UNIT_BYTES] = "bytes",
		[MW_UNIT_COUNT] = "count",   [MW_UNIT_ADDRESS] = "address",
		[MW_UNIT_NS] = "ns",	     [MW_UNIT_OFFSET] = "bytes",
		[MW_UNIT_NUMBER] = "number",
		[MW_UNIT_DELTA] = "bytes",
	};

	return names[unit];
}

static void group_digits(char text[static 32], uint64_t value)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%lu", value);
	char *to = text;

	for (int i = 0; i < len; i++) {
		*to++ = digits[i];
		if ((len - 1 - i) % 3 == 0 && i < len - 1)
			*to++ = ',';
	}
	*to = '\0';
}

const char *mw_format_bytes(char text[static 32], uint64_t bytes, bool exact)
{
	static const char *const units[] = { "B",   "KiB", "MiB", "GiB",
					     "TiB", "PiB", "EiB" };
	unsigned unit = 0;
	double value = (double)bytes;

	if (exact) {
		group_digits(text, bytes);
		return text;
	}
	// 999.5 would be written with four digits.
	while (value >= 999.5 && unit + 1 < MW_COUNT(units)) {
		value /= 1024;
		unit++;
	}
	if (unit == 0)
		snprintf(text, 32, "%lu B", bytes);
	else
		snprintf(text, 32, "%.*f %s",
			 value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value,
			 units[unit]);
	return text;
}

const char *mw_format_real(char text[static 32], double value)
{
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, 32, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	return text;
}

const char *mw_format_delta(char text[static 32], int64_t bytes, bool exact)
{
	char size[32];

	mw_format_bytes(size, bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes,
			exact);
	snprintf(text, 32, "%c%.30s", bytes < 0 ? '-' : '+', size);
	return bytes ? text : "";
}

const char *mw_format_ns(char text[static 32], uint64_t ns, bool exact)
{
	// A unit is used up to where the next one begins.
	static const struct {
		const char *name;
		uint64_t ns, below;
	} units[] = {
		{ "ns", 1, 1000 },
		{ "us", 1000, 1000 },
		{ "ms", 1000000, 1000 },
		{ "s", 1000000000, 60 },
		{ "min", UINT64_C(60) * 1000000000, 60 },
		{ "h", UINT64_C(3600) * 1000000000, 48 },
		{ "d", UINT64_C(86400) * 1000000000, UINT64_MAX },
	};
	size_t u = 0;

	if (exact) {
		group_digits(text, ns);
		return text;
	}
	while (ns / units[u].ns >= units[u].below)
		u++;
	if (u == 0 || ns / units[u].ns >= 100)
		snprintf(text, 32, "%lu %s", ns / units[u].ns, units[u].name);
	else
		snprintf(text, 32, "%.1f %s",
			 (double)(ns / (units[u].ns / 10)) / 10,
			 units[u].name);
	return text;
}

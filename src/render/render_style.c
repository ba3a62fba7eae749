/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mw_num.h"
#include "mw_render.h"

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
		[MW_UNIT_NS] = "ns",
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

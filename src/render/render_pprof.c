/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_hash.h"
#include "mw_pprof.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "mw_guard.h"
#include "mw_map64.h"
#include "mw_num.h"
#include "mw_vec.h"

/*
 * profile.proto (google/pprof, proto/profile.proto), the fields written:
 *
 *	Profile		1 sample_type, 2 sample, 3 mapping, 4 location,
 *			5 function, 6 string_table, 9 time_nanos,
 *			11 period_type, 12 period, 14 default_sample_type
 *	ValueType	1 type, 2 unit: strings
 *	Sample		1 location_id, 2 value, 3 label
 *	Label		1 key: a string, 3 num
 *	Mapping		1 id, 2 start, 3 limit, 4 offset, 5 filename,
 *			6 build_id, 7 to 10 has_functions, _filenames,
 *			_line_numbers, _inline_frames
 *	Location	1 id, 2 mapping_id, 3 address, 4 line
 *	Line		1 function_id, 2 line
 *	Function	1 id, 2 name, 3 system_name, 4 filename
 *
 * A field is a varint (number << 3 | type), type 0 a varint, 2 a length and as
 * many bytes. Strings are numbers in the string table, where 0 is "".
 */
#define TYPE_VARINT 0
#define TYPE_BYTES 2

struct buffer {
	MW_VEC(uint8_t) bytes;
};

struct mw_pprof {
	struct buffer out; /* all but the strings */
	struct buffer message, inner; /* being made */
	MW_VEC(char *) strings;
	struct mw_map64 by_hash; /* of a string -> its number + 1 */
	struct mw_map64 functions; /* name and file -> id */
	struct mw_map64 locations; /* key + 1 -> id */
	uint64_t function_count, location_count;
	bool has_mapping;
	bool failed;
};

/* Encoding */

static void put_byte(struct mw_pprof *p, struct buffer *to, uint8_t byte)
{
	uint8_t *place = mw_vec_push(&to->bytes);

	if (place)
		*place = byte;
	else
		p->failed = true;
}

static void put_varint(struct mw_pprof *p, struct buffer *to, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		put_byte(p, to, (uint8_t)(value | 0x80));
	put_byte(p, to, (uint8_t)value);
}

static void put_number(struct mw_pprof *p, struct buffer *to, unsigned field,
		       uint64_t value)
{
	put_varint(p, to, field << 3 | TYPE_VARINT);
	put_varint(p, to, value);
}

static void put_bytes(struct mw_pprof *p, struct buffer *to, unsigned field,
		      const void *bytes, size_t size)
{
	put_varint(p, to, field << 3 | TYPE_BYTES);
	put_varint(p, to, size);
	for (size_t i = 0; i < size; i++)
		put_byte(p, to, ((const uint8_t *)bytes)[i]);
}

/** Add the message that was made, and begin the next one. */
static void put_message(struct mw_pprof *p, struct buffer *to, unsigned field,
			struct buffer *message)
{
	put_bytes(p, to, field, message->bytes.v, message->bytes.n);
	message->bytes.n = 0;
}

/* Strings */

static uint64_t string(struct mw_pprof *p, const char *text)
{
	uint64_t *known = mw_map64_at(&p->by_hash,
				      mw_hash_text(MW_HASH_START, text));
	char **place;

	// Two with one hash are written twice and again.
	if (known && *known && strcmp(p->strings.v[*known - 1], text) == 0)
		return *known - 1;
	place = known ? mw_vec_push(&p->strings) : NULL;
	if (!place) {
		p->failed = true;
		return 0;
	}
	*place = mw_strdup(text);
	if (!*place) {
		p->strings.n--;
		p->failed = true;
		return 0;
	}
	*known = p->strings.n;
	return p->strings.n - 1;
}

/* Messages */

static void put_value_type(struct mw_pprof *p, unsigned field,
			   const char *type, const char *unit)
{
	put_number(p, &p->message, 1, string(p, type));
	put_number(p, &p->message, 2, string(p, unit));
	put_message(p, &p->out, field, &p->message);
}

void mw_pprof_sample_type(struct mw_pprof *p, const char *type,
			  const char *unit)
{
	put_value_type(p, 1, type, unit);
}

void mw_pprof_default_type(struct mw_pprof *p, const char *type)
{
	put_number(p, &p->out, 14, string(p, type));
}

void mw_pprof_period(struct mw_pprof *p, const char *type, const char *unit,
		     int64_t period)
{
	put_value_type(p, 11, type, unit);
	put_number(p, &p->out, 12, (uint64_t)period);
}

void mw_pprof_time(struct mw_pprof *p, int64_t time_ns)
{
	put_number(p, &p->out, 9, (uint64_t)time_ns);
}

void mw_pprof_mapping(struct mw_pprof *p, uint64_t start, uint64_t end,
		      uint64_t offset, const char *path, const char *build_id)
{
	struct buffer *m = &p->message;

	p->has_mapping = true;
	put_number(p, m, 1, 1);
	put_number(p, m, 2, start);
	put_number(p, m, 3, end);
	put_number(p, m, 4, offset);
	put_number(p, m, 5, string(p, path));
	put_number(p, m, 6, string(p, build_id));
	for (unsigned field = 7; field <= 10; field++)
		put_number(p, m, field, 1);
	put_message(p, &p->out, 3, m);
}

static uint64_t function(struct mw_pprof *p, const struct mw_pprof_line *line)
{
	uint64_t name = string(p, line->function);
	uint64_t file = string(p, line->file);
	uint64_t *id = mw_map64_at(&p->functions, name << 32 | file);

	if (!id) {
		p->failed = true;
		return 0;
	}
	if (*id)
		return *id;
	*id = ++p->function_count;
	put_number(p, &p->inner, 1, *id);
	put_number(p, &p->inner, 2, name);
	put_number(p, &p->inner, 3, name);
	put_number(p, &p->inner, 4, file);
	put_message(p, &p->out, 5, &p->inner);
	return *id;
}

uint64_t mw_pprof_location(struct mw_pprof *p, uint64_t key, uint64_t address,
			   const struct mw_pprof_line *lines, size_t count)
{
	uint64_t *known = mw_map64_at(&p->locations, key), id;

	if (!known) {
		p->failed = true;
		return 0;
	}
	if (*known)
		return *known;
	id = *known = ++p->location_count;
	put_number(p, &p->message, 1, id);
	if (p->has_mapping)
		put_number(p, &p->message, 2, 1);
	put_number(p, &p->message, 3, address);
	for (size_t i = 0; i < count; i++) {
		uint64_t f = function(p, &lines[i]);

		put_number(p, &p->inner, 1, f);
		put_number(p, &p->inner, 2, lines[i].line);
		put_message(p, &p->message, 4, &p->inner);
	}
	put_message(p, &p->out, 4, &p->message);
	return id;
}

void mw_pprof_sample(struct mw_pprof *p, const uint64_t *locations,
		     size_t location_count, const int64_t *values,
		     size_t value_count, const struct mw_pprof_label *labels,
		     size_t label_count)
{
	for (size_t i = 0; i < location_count; i++)
		put_varint(p, &p->inner, locations[i]);
	put_message(p, &p->message, 1, &p->inner);
	for (size_t i = 0; i < value_count; i++)
		put_varint(p, &p->inner, (uint64_t)values[i]);
	put_message(p, &p->message, 2, &p->inner);
	for (size_t i = 0; i < label_count; i++) {
		const struct mw_pprof_label *label = &labels[i];

		put_number(p, &p->inner, 1, string(p, label->key));
		if (label->text)
			put_number(p, &p->inner, 2, string(p, label->text));
		else
			put_number(p, &p->inner, 3, (uint64_t)label->number);
		put_message(p, &p->message, 3, &p->inner);
	}
	put_message(p, &p->out, 2, &p->message);
}

struct mw_error *mw_pprof_new(struct mw_pprof **ret)
{
	struct mw_pprof *p = mw_calloc(1, sizeof(*p));

	if (!p)
		return mw_error_nomem();
	string(p, "");
	*ret = p;
	return NULL;
}

void mw_pprof_free(struct mw_pprof *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->strings.n; i++)
		mw_free(p->strings.v[i]);
	mw_vec_free(&p->strings);
	mw_vec_free(&p->out.bytes);
	mw_vec_free(&p->message.bytes);
	mw_vec_free(&p->inner.bytes);
	mw_map64_free(&p->by_hash);
	mw_map64_free(&p->functions);
	mw_map64_free(&p->locations);
	mw_free(p);
}

/* Writing */

static struct mw_error *write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t put = write(fd, bytes, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return mw_error_errno(put < 0 ? errno : EIO,
					      "writing the profile");
		bytes += put;
		size -= (size_t)put;
	}
	return NULL;
}

static struct mw_error *compress_to(int fd, struct buffer *from)
{
	enum { GZIP = 15 + 16, ROOM = 65536 };
	MW_CLEANUP(mw_freep) uint8_t *room = mw_alloc(ROOM);
	struct mw_error *error = NULL;
	z_stream z = { 0 };
	size_t at = 0;
	int state = Z_OK;

	if (!room || deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP,
				  8, Z_DEFAULT_STRATEGY) != Z_OK)
		return mw_error_nomem();
	while (!error && state != Z_STREAM_END) {
		if (z.avail_in == 0 && at < from->bytes.n) {
			z.next_in = from->bytes.v + at;
			z.avail_in = (uInt)mw_min(from->bytes.n - at,
						  MW_MIB(256));
			at += z.avail_in;
		}
		z.next_out = room;
		z.avail_out = ROOM;
		state = deflate(&z, at == from->bytes.n ? Z_FINISH
							: Z_NO_FLUSH);
		error = write_all(fd, room, ROOM - z.avail_out);
	}
	deflateEnd(&z);
	return error;
}

struct mw_error *mw_pprof_write(struct mw_pprof *p, int fd)
{
	for (size_t i = 0; i < p->strings.n; i++)
		put_bytes(p, &p->out, 6, p->strings.v[i],
			  strlen(p->strings.v[i]));
	return p->failed ? mw_error_nomem() : compress_to(fd, &p->out);
}

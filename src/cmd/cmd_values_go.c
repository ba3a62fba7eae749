/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cmd_values.h"
#include "mw_num.h"

/* What Go's interfaces hold, by the descriptors of its types. */

#define MOST_STRING 128 /* bytes */
#define MOST_ELEMENTS 64
#define MOST_DEPTH 32

/** Where an interface's own word is read: no address of a program. */
#define WORD_VA UINT64_C(0xf000000000000000)

struct printer {
	struct cmd_values *v;
	uint64_t word; /* at WORD_VA: a value that an interface holds itself */
	struct mw_text *to;
};

static bool read_bytes(const struct printer *p, uint64_t va, void *to,
		       size_t bytes)
{
	if (va < WORD_VA)
		return mw_target_read(p->v->memory, va, to, bytes);
	if (!mw_within(va, bytes, WORD_VA, WORD_VA + sizeof(p->word)))
		return false;
	memcpy(to, (const uint8_t *)&p->word + (va - WORD_VA), bytes);
	return true;
}

static void add_unreadable(const struct printer *p)
{
	mw_text_add(p->to, "(not readable)");
}

static void add_value(const struct printer *p, const struct mw_go_type *type,
		      uint64_t va, int depth);
static bool add_dynamic(struct cmd_values *v, uint64_t descriptor,
			uint64_t data, struct mw_text *to, int depth);

/* Numbers */

static void add_float(const struct printer *p, const uint8_t *raw,
		      uint64_t bytes, const char *sign)
{
	float single;
	double value;

	if (bytes == sizeof(single)) {
		memcpy(&single, raw, sizeof(single));
		mw_text_add(p->to, *sign ? "%+.9g" : "%.9g", (double)single);
	} else {
		memcpy(&value, raw, sizeof(value));
		mw_text_add(p->to, *sign ? "%+.17g" : "%.17g", value);
	}
}

static void add_number(const struct printer *p, const struct mw_go_type *type,
		       uint64_t va)
{
	uint8_t raw[16] = { 0 };
	unsigned unused;

	if (type->bytes == 0 || type->bytes > sizeof(raw) ||
	    (type->bytes > 8 && type->kind != MW_GO_COMPLEX128) ||
	    !read_bytes(p, va, raw, type->bytes)) {
		add_unreadable(p);
		return;
	}
	unused = 64 - 8 * (unsigned)mw_min(type->bytes, 8);
	switch (type->kind) {
	case MW_GO_BOOL:
		mw_text_add(p->to, raw[0] ? "true" : "false");
		break;
	case MW_GO_INT:
	case MW_GO_INT8:
	case MW_GO_INT16:
	case MW_GO_INT32:
	case MW_GO_INT64:
		mw_text_add(p->to, "%" PRId64,
			    (int64_t)(mw_u64(raw) << unused) >> unused);
		break;
	case MW_GO_FLOAT32:
	case MW_GO_FLOAT64:
		add_float(p, raw, type->bytes, "");
		break;
	case MW_GO_COMPLEX64:
	case MW_GO_COMPLEX128:
		mw_text_add(p->to, "(");
		add_float(p, raw, type->bytes / 2, "");
		add_float(p, raw + type->bytes / 2, type->bytes / 2, "+");
		mw_text_add(p->to, "i)");
		break;
	default:
		mw_text_add(p->to, "%" PRIu64, mw_u64(raw));
		break;
	}
}

/* Text and elements */

static void add_text(const struct printer *p, uint64_t va, uint64_t bytes)
{
	uint64_t take = mw_min(bytes, MOST_STRING);
	uint8_t text[MOST_STRING];

	if (take > 0 && !read_bytes(p, va, text, take))
		add_unreadable(p);
	else
		mw_text_quote(p->to, text, take, take < bytes);
}

static void add_elements(const struct printer *p, uint64_t descriptor,
			 uint64_t va, uint64_t count, int depth)
{
	struct mw_go_type elem;

	if (!mw_go_type_at(p->v->types, descriptor, &elem)) {
		mw_text_add(p->to, "?");
		return;
	}
	if (elem.kind == MW_GO_UINT8 && count > 0) {
		add_text(p, va, count);
		return;
	}
	mw_text_add(p->to, "[");
	for (uint64_t i = 0; i < count; i++) {
		if (p->to->is_full || p->to->failed)
			return;
		mw_text_add(p->to, i ? ", " : "");
		if (i == MOST_ELEMENTS) {
			mw_text_add(p->to, "…");
			break;
		}
		add_value(p, &elem, va + i * elem.bytes, depth + 1);
	}
	mw_text_add(p->to, "]");
}

static void add_slice(const struct printer *p, const struct mw_go_type *type,
		      uint64_t va, int depth)
{
	uint64_t words[3]; // array, length, capacity

	if (!read_bytes(p, va, words, sizeof(words))) {
		add_unreadable(p);
		return;
	}
	if (words[0] == 0) {
		mw_text_add(p->to, "nil");
		return;
	}
	mw_text_add(p->to, "len %" PRIu64 " cap %" PRIu64 " ", words[1],
		    words[2]);
	if (words[1] > words[2])
		mw_text_add(p->to, "at 0x%" PRIx64, words[0]);
	else
		add_elements(p, type->elem, words[0], words[1], depth);
}

/* What is made of others */

struct members {
	const struct printer *p;
	uint64_t va;
	int depth;
	bool any;
};

static bool add_field(const struct mw_go_field *field, void *ctx)
{
	struct members *m = ctx;

	mw_text_add(m->p->to, m->any ? ", %s: " : "%s: ", field->name);
	m->any = true;
	add_value(m->p, &field->type, m->va + field->offset, m->depth + 1);
	return !m->p->to->is_full && !m->p->to->failed;
}

static void add_struct(const struct printer *p, const struct mw_go_type *type,
		       uint64_t va, int depth)
{
	struct members members = { p, va, depth, false };

	mw_text_add(p->to, "{");
	if (!mw_go_type_fields(p->v->types, type, add_field, &members))
		mw_text_add(p->to, members.any ? ", …" : "…");
	mw_text_add(p->to, "}");
}

/** One with methods has an itab, of which the type is the second word. */
static void add_interface(const struct printer *p, uint64_t va, int depth)
{
	uint64_t words[2], type;

	if (!read_bytes(p, va, words, sizeof(words)))
		add_unreadable(p);
	else if (words[0] == 0)
		mw_text_add(p->to, "nil");
	else if (!add_dynamic(p->v, words[0], words[1], p->to, depth + 1) &&
		 (!mw_target_read_u64(p->v->memory, words[0] + 8, &type) ||
		  !add_dynamic(p->v, type, words[1], p->to, depth + 1)))
		mw_text_add(p->to, "type 0x%" PRIx64 " data 0x%" PRIx64,
			    words[0], words[1]);
}

/** Pointers, and what are pointers to the runtime's own. */
static void add_pointer(const struct printer *p, enum mw_go_kind kind,
			uint64_t va)
{
	uint64_t value, words[2] = { 0 };

	if (!read_bytes(p, va, &value, sizeof(value))) {
		add_unreadable(p);
		return;
	}
	mw_text_add(p->to, value ? "0x%" PRIx64 : "nil", value);
	if (value == 0)
		return;
	// The first words tell how much is in it, and where its code is.
	if (kind == MW_GO_MAP &&
	    mw_target_read_u64(p->v->memory, value, &words[0]))
		mw_text_add(p->to, " len %" PRIu64, words[0]);
	if (kind == MW_GO_CHAN &&
	    mw_target_read(p->v->memory, value, words, sizeof(words)))
		mw_text_add(p->to, " len %" PRIu64 " cap %" PRIu64, words[0],
			    words[1]);
	if (kind == MW_GO_FUNC &&
	    mw_target_read_u64(p->v->memory, value, &words[0])) {
		mw_text_add(p->to, " ");
		cmd_values_name(p->v, words[0], p->to);
	}
}

static void add_value(const struct printer *p, const struct mw_go_type *type,
		      uint64_t va, int depth)
{
	uint64_t words[2]; // of a string

	if (depth > MOST_DEPTH || p->to->is_full || p->to->failed)
		return;
	switch (type->kind) {
	case MW_GO_ARRAY:
		add_elements(p, type->elem, va, type->length, depth);
		break;
	case MW_GO_CHAN:
	case MW_GO_FUNC:
	case MW_GO_MAP:
	case MW_GO_POINTER:
	case MW_GO_UNSAFE_POINTER:
		add_pointer(p, type->kind, va);
		break;
	case MW_GO_INTERFACE:
		add_interface(p, va, depth);
		break;
	case MW_GO_SLICE:
		add_slice(p, type, va, depth);
		break;
	case MW_GO_STRING:
		if (read_bytes(p, va, words, sizeof(words)))
			add_text(p, words[0], words[1]);
		else
			add_unreadable(p);
		break;
	case MW_GO_STRUCT:
		add_struct(p, type, va, depth);
		break;
	default:
		add_number(p, type, va);
		break;
	}
}

/* Interfaces */

static bool is_readable(const struct printer *p, const struct mw_go_type *type,
			uint64_t va)
{
	uint64_t last;
	uint8_t byte;

	return type->bytes == 0 ||
	       (mw_end(va, type->bytes - 1, &last) &&
		read_bytes(p, va, &byte, 1) && read_bytes(p, last, &byte, 1));
}

static bool add_dynamic(struct cmd_values *v, uint64_t descriptor,
			uint64_t data, struct mw_text *to, int depth)
{
	const struct printer p = { .v = v, .word = data, .to = to };
	struct mw_go_type type;
	uint64_t va;

	if (!v->types || !mw_go_type_at(v->types, descriptor, &type))
		return false;
	va = mw_go_type_is_direct(v->types, &type) ? WORD_VA : data;
	mw_text_add(to, "%s(", type.name);
	if (is_readable(&p, &type, va))
		add_value(&p, &type, va, depth);
	else
		mw_text_add(to, "at 0x%" PRIx64, data);
	mw_text_add(to, ")");
	return true;
}

bool cmd_values_dynamic(void *ctx, uint64_t descriptor, uint64_t data,
			struct mw_text *to)
{
	return add_dynamic(ctx, descriptor, data, to, 0);
}

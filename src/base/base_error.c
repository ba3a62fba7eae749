/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mw_mem.h"

static struct mw_error nomem = {
	.code = MW_E_NOMEM,
	.message = (char *)"out of memory",
};

struct mw_error *mw_error_nomem(void)
{
	return &nomem;
}

static struct mw_error *make(enum mw_error_code code, bool has_where,
			     uint64_t where, const char *fmt, va_list args)
{
	char *message = mw_vformat(fmt, args);
	struct mw_error *error = mw_alloc(sizeof(*error));

	if (!message || !error) {
		mw_free(message);
		mw_free(error);
		return &nomem;
	}
	*error = (struct mw_error){
		.code = code,
		.has_where = has_where,
		.where = where,
		.message = message,
	};
	return error;
}

struct mw_error *mw_error_new(enum mw_error_code code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	struct mw_error *error = make(code, false, 0, fmt, args);
	va_end(args);
	return error;
}

struct mw_error *mw_error_at(enum mw_error_code code, uint64_t where,
			     const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	struct mw_error *error = make(code, true, where, fmt, args);
	va_end(args);
	return error;
}

static enum mw_error_code code_of_errno(int errnum)
{
	switch (errnum) {
	case EPERM:
	case EACCES:
		return MW_E_PERMISSION;
	case ESRCH:
		return MW_E_GONE;
	case ENOMEM:
		return MW_E_NOMEM;
	case ENOENT:
		return MW_E_NOT_FOUND;
	default:
		return MW_E_SYSTEM;
	}
}

struct mw_error *mw_error_errno(int errnum, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	struct mw_error *error =
		make(code_of_errno(errnum), false, 0, fmt, args);
	va_end(args);
	if (error == &nomem)
		return error;

	char *message = mw_format("%s: %s", error->message, strerror(errnum));
	if (!message) {
		mw_error_free(error);
		return &nomem;
	}
	mw_free(error->message);
	error->message = message;
	return error;
}

struct mw_error *mw_error_prefix(struct mw_error *error, const char *fmt, ...)
{
	if (!error || error == &nomem)
		return error;

	va_list args;
	va_start(args, fmt);
	char *prefix = mw_vformat(fmt, args);
	va_end(args);
	char *message =
		prefix ? mw_format("%s: %s", prefix, error->message) : NULL;

	mw_free(prefix);
	if (message) {
		mw_free(error->message);
		error->message = message;
	}
	// Without memory for the prefix the error itself is still worth having.
	return error;
}

void mw_error_free(struct mw_error *error)
{
	if (!error || error == &nomem)
		return;
	mw_free(error->message);
	mw_free(error);
}

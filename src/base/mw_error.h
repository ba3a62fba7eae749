/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_ERROR_H
#define MW_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Errors are values. A function that can fail returns a struct mw_error
 * pointer, NULL on success, and leaves its outputs untouched on failure. The
 * caller owns the error and frees it.
 *
 * An expected miss (a page that is gone, a pointer that leads nowhere) is not
 * an error: functions that probe return a bool or NULL instead.
 */

#define MW_MUST_USE __attribute__((warn_unused_result))
#define MW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum mw_error_code {
	MW_E_NOMEM = 1,	  /* memwhy itself ran out of memory */
	MW_E_SYSTEM,	  /* a system call failed for a reason not below */
	MW_E_PERMISSION,  /* the kernel refuses, more privilege would help */
	MW_E_GONE,	  /* the process ended or replaced itself */
	MW_E_NOT_FOUND,	  /* no such process, file, section, … */
	MW_E_AMBIGUOUS,	  /* a name that fits several */
	MW_E_FORMAT,	  /* bytes that are not what they should be */
	MW_E_RANGE,	  /* an address or size outside its bounds */
	MW_E_ABSENT,	  /* memory that cannot be read without disturbing */
	MW_E_UNSUPPORTED, /* a version or kernel this build does not know */
	MW_E_LIMIT,	  /* a bound was reached */
	MW_E_USAGE,	  /* wrong command line */
};

struct mw_error {
	enum mw_error_code code;
	bool has_where;
	uint64_t where; /* address in the target, or offset in a file */
	char *message;	/* borrowed when the error is static, owned otherwise */
};

/** Make an error. Returns the static out-of-memory error if it cannot. */
struct mw_error *mw_error_new(enum mw_error_code code, const char *fmt, ...)
	MW_PRINTF(2, 3) MW_MUST_USE;

/** The same, for something wrong at address or file offset @where. */
struct mw_error *mw_error_at(enum mw_error_code code, uint64_t where,
			     const char *fmt, ...)
	MW_PRINTF(3, 4) MW_MUST_USE;

/**
 * Make an error from an errno value; the code follows from it (EPERM and
 * EACCES: MW_E_PERMISSION, ESRCH: MW_E_GONE, ENOMEM: MW_E_NOMEM, ENOENT:
 * MW_E_NOT_FOUND, otherwise MW_E_SYSTEM) and its text is appended.
 */
struct mw_error *mw_error_errno(int errnum, const char *fmt, ...)
	MW_PRINTF(2, 3) MW_MUST_USE;

/** Put "what: " in front of the message. Consumes and returns @error. */
struct mw_error *mw_error_prefix(struct mw_error *error, const char *fmt, ...)
	MW_PRINTF(2, 3) MW_MUST_USE;

/** The error for a failed allocation. Never fails; freeing it does nothing. */
struct mw_error *mw_error_nomem(void) MW_MUST_USE;

void mw_error_free(struct mw_error *error);

static inline void mw_error_freep(struct mw_error **error)
{
	mw_error_free(*error);
	*error = NULL;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd_allocs_flow.h"
#include "mw_guard.h"
#include "mw_hash.h"

/* Every function's code, in search of calls that allocate. */

const char *allocs_keep(struct allocs *allocs, const char *text)
{
	for (uint64_t hash = mw_hash_text(MW_HASH_START, text);; hash++) {
		uint64_t *place = mw_map64_at(&allocs->by_text, hash);
		char **kept;

		if (!place)
			return NULL;
		if (*place && strcmp(allocs->texts.v[*place - 1], text) == 0)
			return allocs->texts.v[*place - 1];
		if (*place)
			continue;
		kept = mw_vec_push(&allocs->texts);
		if (!kept)
			return NULL;
		*kept = mw_strdup(text);
		*place = allocs->texts.n;
		return *kept;
	}
}

void allocs_free(struct allocs *allocs)
{
	for (size_t i = 0; i < allocs->texts.n; i++)
		mw_free(allocs->texts.v[i]);
	mw_vec_free(&allocs->texts);
	mw_vec_free(&allocs->calls);
	mw_vec_free(&allocs->names);
	mw_map64_free(&allocs->by_text);
	mw_map64_free(&allocs->callees);
	mw_map64_free(&allocs->barriers);
	mw_go_types_close(allocs->types);
	mw_go_funcs_close(allocs->funcs);
	mw_target_close(allocs->target);
}

/* What is called */

/**
 * gcWriteBarrier and its kin, for one register or a number of words each, come
 * between what allocates and its arguments.
 */
static bool is_barrier(const char *name)
{
	return strncmp(name, "runtime.gcWriteBarrier", 22) == 0;
}

static bool add_callee(struct allocs *allocs, const struct mw_go_func *func,
		       const char *name, const struct mw_go_alloc *alloc)
{
	struct allocs_callee *callee = mw_vec_push(&allocs->names);
	uint64_t *place = mw_map64_at(&allocs->callees, func->entry);

	if (!callee || !place)
		return false;
	*callee = (struct allocs_callee){ name, alloc };
	*place = allocs->names.n;
	return true;
}

static struct mw_error *find_callees(struct allocs *allocs)
{
	struct mw_go_func func;

	for (uint64_t i = 0; i < mw_go_funcs_count(allocs->funcs); i++) {
		const struct mw_go_alloc *alloc;
		const char *name;

		if (!mw_go_func_at(allocs->funcs, i, &func))
			continue;
		name = mw_go_func_name(allocs->funcs, &func);
		alloc = mw_go_alloc_named(name);
		if ((alloc && !add_callee(allocs, &func, name, alloc)) ||
		    (is_barrier(name) &&
		     !mw_map64_at(&allocs->barriers, func.entry)))
			return mw_error_nomem();
	}
	return NULL;
}

/** What a call or jump to @va reaches that allocates, or NULL. */
static const struct allocs_callee *callee_at(const struct allocs *allocs,
					     uint64_t va)
{
	const uint64_t *place = mw_map64_find(&allocs->callees, va);

	return place ? &allocs->names.v[*place - 1] : NULL;
}

/* One function */

struct scan {
	struct allocs *allocs;
	struct cmd_code code;
	uint8_t *raw; /* its bytes, before they are decoded */
	size_t room;
	struct allocs_flow flow;
	bool any;
};

/** Whether any four bytes behind a call's or jump's opcode lead to one. */
static bool may_allocate(const struct scan *s, uint64_t start, size_t size)
{
	enum { CALL = 0xe8, JUMP = 0xe9 };

	for (size_t i = 0; i + 5 <= size; i++)
		if ((s->raw[i] == CALL || s->raw[i] == JUMP) &&
		    callee_at(s->allocs,
			      start + i + 5 +
				      (uint64_t)(int64_t)(int32_t)mw_u32(
					      s->raw + i + 1)))
			return true;
	return false;
}

static bool grow(struct scan *s, size_t want)
{
	uint8_t *grown;

	if (want <= s->room)
		return true;
	grown = mw_realloc(s->raw, want, 1);
	if (!grown)
		return false;
	s->raw = grown;
	s->room = want;
	return true;
}

static bool add_call(struct scan *s, const struct mw_go_func *func, size_t i,
		     const struct allocs_state *state,
		     const struct allocs_callee *callee)
{
	struct allocs *allocs = s->allocs;
	struct allocs_call *call = mw_vec_push(&allocs->calls);
	struct mw_go_line line;
	char package[1024];

	if (!call)
		return false;
	*call = (struct allocs_call){
		.va = s->code.insns[i].va,
		.function = mw_go_func_name(allocs->funcs, func),
		.call = callee->name,
	};
	mw_go_package(call->function, package, sizeof(package));
	call->package = allocs_keep(allocs, package);
	if (mw_go_lines(allocs->funcs, func, call->va, &line, 1) > 0) {
		call->file = line.file;
		call->line = line.line;
		if (line.is_inlined)
			call->inlined = line.function;
	}
	allocs_resolve(allocs, &s->code, i, state, callee->alloc, call);
	s->any = true;
	return call->package != NULL;
}

static bool scan_code(struct scan *s, const struct mw_go_func *func)
{
	if (!allocs_flow_begin(&s->flow, &s->code))
		return false;
	for (size_t i = 0; i < s->code.count; i++) {
		const struct mw_insn *insn = &s->code.insns[i];
		const struct allocs_callee *callee;

		allocs_flow_enter(&s->flow, insn);
		callee = insn->has_target && insn->kind != MW_INSN_BRANCH &&
					 insn->target - func->entry >=
						 func->end - func->entry
				 ? callee_at(s->allocs, insn->target)
				 : NULL;
		if (callee && !add_call(s, func, i, &s->flow.now, callee))
			return false;
		allocs_flow_leave(&s->flow, insn);
	}
	return true;
}

static struct mw_error *scan_function(struct scan *s,
				      const struct mw_go_func *func)
{
	uint64_t bytes = func->end - func->entry;
	struct mw_error *error;

	if (bytes > CMD_MOST_CODE)
		return NULL;
	if (!grow(s, bytes))
		return mw_error_nomem();
	if (!mw_target_read(s->allocs->target, func->entry, s->raw, bytes) ||
	    !may_allocate(s, func->entry, bytes))
		return NULL;
	error = cmd_code_read(s->allocs->target, func->entry,
			      mw_go_func_code_end(s->allocs->funcs, func) -
				      func->entry,
			      SIZE_MAX, &s->code);
	if (error && error->code != MW_E_NOMEM) {
		mw_error_free(error); // it went away meanwhile
		return NULL;
	}
	s->any = false;
	if (error || !scan_code(s, func))
		return error ? error : mw_error_nomem();
	s->allocs->functions += s->any;
	return NULL;
}

/** Whether it is a part of mallocgc, whose parts call each other. */
static bool is_mallocgc(const char *name)
{
	return strncmp(name, "runtime.mallocgc", 16) == 0;
}

static bool is_of(const struct allocs *allocs, const struct mw_go_func *func,
		  const char *package)
{
	const char *name = mw_go_func_name(allocs->funcs, func);
	char path[1024];

	if (is_mallocgc(name))
		return false;
	if (!package)
		return true;
	mw_go_package(name, path, sizeof(path));
	return strcmp(path, package) == 0;
}

static struct mw_error *scan_all(struct allocs *allocs, const char *package)
{
	struct scan s = { .allocs = allocs, .flow.allocs = allocs };
	struct mw_error *error = NULL;
	struct mw_go_func func;

	for (uint64_t i = 0; !error && i < mw_go_funcs_count(allocs->funcs);
	     i++) {
		if (!mw_go_func_at(allocs->funcs, i, &func) ||
		    !is_of(allocs, &func, package))
			continue;
		allocs->all_functions++;
		error = scan_function(&s, &func);
	}
	cmd_code_free(&s.code);
	mw_free(s.raw);
	allocs_flow_free(&s.flow);
	return error;
}

struct mw_error *allocs_scan(struct allocs *allocs, const char *package)
{
	size_t count;
	const struct mw_image *images =
		mw_target_images(allocs->target, &count);
	struct mw_error *error = cmd_code_check(count ? &images[0] : NULL);

	if (!error)
		error = mw_insn_open();
	if (!error)
		error = mw_go_funcs_open(allocs->target, &allocs->funcs);
	if (!error && !allocs->funcs)
		return mw_error_new(MW_E_NOT_FOUND, "not a Go program");
	if (!error)
		error = mw_go_types_open(allocs->target, &allocs->types);
	if (!error && !allocs->types)
		return mw_error_new(MW_E_UNSUPPORTED, "the types of this Go "
				    "release are not known");
	allocs->has_classes = !error && mw_go_classes_read(allocs->target,
							   &allocs->classes);
	if (!error)
		error = find_callees(allocs);
	return error ? error : scan_all(allocs, package);
}

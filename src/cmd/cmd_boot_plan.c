/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cmd_boot.h"
#include "mw_guard.h"
#include "mw_insn.h"
#include "mw_text.h"

/*
 * The stages of Go's bootstrap, in the order in which they come since Go 1.9
 * (runtime/asm_amd64.s, rt0_go; runtime/proc.go, schedinit and main). Functions
 * that a release does not have are left out.
 */
static const struct boot_stage go_stages[] = {
	{ "_rt0_amd64_linux", "_rt0_amd64_linux",
	  "Go's entry: the kernel has left argc and argv on the stack",
	  .how = BOOT_POINT },
	{ "rt0_go", "runtime.rt0_go",
	  "first code of the runtime: the stack of g0, thread-local storage",
	  .how = BOOT_POINT },
	{ "schedinit", "runtime.schedinit",
	  "sets up the scheduler, and from there all that follows up to newproc",
	  .how = BOOT_POINT },
	{ "mallocinit", "runtime.mallocinit",
	  "sets up the allocator: size classes, page index, first mcache",
	  .how = BOOT_CALL, .sets_up_go = true },
	{ "gcinit", "runtime.gcinit",
	  "sets up the collector: GOGC, GOMEMLIMIT, first heap goal",
	  .how = BOOT_CALL },
	{ "procresize", "runtime.procresize",
	  "makes the Ps, GOMAXPROCS of them, each with an mcache",
	  .how = BOOT_CALL },
	{ "newproc", "runtime.newproc",
	  "makes the first goroutine, which will run runtime.main",
	  .how = BOOT_CALL },
	{ "mstart", "runtime.mstart",
	  "the first thread begins to schedule goroutines",
	  .how = BOOT_POINT },
	{ "runtime.main", "runtime.main",
	  "the first goroutine runs", .how = BOOT_POINT },
	{ "sysmon", "runtime.sysmon",
	  "the monitor has its thread: it retakes Ps, polls the network, "
	  "forces collections", .how = BOOT_THREAD },
	{ "gcenable", "runtime.gcenable",
	  "starts the background sweeper and scavenger; from here on the heap "
	  "is collected", .how = BOOT_CALL },
	{ "main.main", "main.main",
	  "all packages are initialised: the program's own code begins",
	  .how = BOOT_POINT, .is_last = true },
};

static const struct boot_stage c_main = {
	"main", "main", "the C library is set up and calls main",
	.how = BOOT_POINT,
};

static bool add(struct boot_plan *plan, const struct boot_stage *stage,
		uint64_t va)
{
	struct boot_stage *place = mw_vec_push(&plan->stages);

	if (!place)
		return false;
	*place = *stage;
	place->va = va;
	return true;
}

/** The address of a function in the process, 0 when there is none. */
static uint64_t address_of(struct boot_plan *plan, const char *function)
{
	struct mw_go_func func;

	return plan->funcs && mw_go_func_named(plan->funcs, function, &func)
		       ? func.entry + plan->bias
		       : 0;
}

/* Packages */

/**
 * Whether @name is a package's init, init.0, …: not a method of that name, and
 * no closure in one. The package's path is the first *@ret_length characters.
 */
static bool is_init(const char *name, size_t *ret_length)
{
	const char *slash = strrchr(name, '/');
	const char *dot = strchr(slash ? slash : name, '.');

	if (!dot || dot == name || strncmp(dot, ".init", 5) != 0 ||
	    (dot[5] && dot[5] != '.') ||
	    (dot[5] && (!dot[6] || dot[6 + strspn(dot + 6, "0123456789")])))
		return false;
	*ret_length = (size_t)(dot - name);
	return true;
}

static struct mw_error *add_init(struct boot_plan *plan,
				 const struct mw_go_func *func)
{
	const char *name = mw_go_func_name(plan->funcs, func);
	char path[512];
	struct boot_init *init;
	size_t length;

	if (!is_init(name, &length))
		return NULL;
	mw_go_package(name, path, sizeof(path));
	init = mw_vec_push(&plan->inits);
	if (!init)
		return mw_error_nomem();
	*init = (struct boot_init){
		.function = name,
		.stage = mw_format("init %s", path),
		.va = func->entry + plan->bias,
	};
	return init->stage ? NULL : mw_error_nomem();
}

static int by_va(const void *a, const void *b)
{
	const struct boot_init *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

static struct mw_error *find_inits(struct boot_plan *plan)
{
	uint64_t count = mw_go_funcs_count(plan->funcs);
	struct mw_error *error = NULL;

	for (uint64_t i = 0; i < count && !error; i++) {
		struct mw_go_func func;

		if (mw_go_func_at(plan->funcs, i, &func))
			error = add_init(plan, &func);
	}
	if (plan->inits.n > 0)
		qsort(plan->inits.v, plan->inits.n, sizeof(*plan->inits.v),
		      by_va);
	return error;
}

struct boot_init *boot_plan_init(const struct boot_plan *plan, uint64_t va)
{
	struct boot_init key = { .va = va };

	return plan->inits.n > 0
		       ? bsearch(&key, plan->inits.v, plan->inits.n,
				 sizeof(*plan->inits.v), by_va)
		       : NULL;
}

/**
 * Since Go 1.13 a list of init functions is worked off by one function, which
 * calls them by way of a register: there is one instruction to be watched, and
 * the closure in rdx tells which function it is.
 */
static uint64_t find_init_call(struct boot_plan *plan)
{
	static const char *const names[] = { "runtime.doInit1",
					     "runtime.doInit" };
	enum { LIMIT = 16 << 10 };
	struct mw_go_func func;
	uint64_t found = 0;
	size_t i = 0, size;

	while (i < MW_COUNT(names) &&
	       !mw_go_func_named(plan->funcs, names[i], &func))
		i++;
	if (i == MW_COUNT(names))
		return 0;
	size = mw_min(func.end - func.entry, LIMIT);
	MW_CLEANUP(mw_freep) uint8_t *code = mw_alloc(size);
	if (!code || !mw_target_read(plan->file, func.entry, code, size))
		return 0;
	for (size_t at = 0; at < size;) {
		struct mw_insn insn;

		mw_insn_decode(code + at, size - at, func.entry + at, &insn);
		if (insn.kind == MW_INSN_CALL && !insn.has_target) {
			if (found)
				return 0; // not as it should be
			found = insn.va;
		}
		at += insn.bytes;
	}
	return found ? found + plan->bias : 0;
}

/* The plan */

static const struct mw_image *executable(const struct mw_target *target)
{
	size_t count;
	const struct mw_image *images = mw_target_images(target, &count);

	for (size_t i = 0; i < count; i++)
		if (images[i].kind == MW_IMAGE_EXECUTABLE)
			return &images[i];
	return NULL;
}

static struct mw_error *open_file(struct mw_target *target,
				  struct boot_plan *plan)
{
	const struct mw_image *live = executable(target), *image;
	char path[64];
	struct mw_error *error;

	if (!live)
		return mw_error_new(MW_E_UNSUPPORTED, "the executable of "
				    "process %d is not to be found among its "
				    "mappings", mw_target_info(target)->pid);
	snprintf(path, sizeof(path), "/proc/%d/exe",
		 mw_target_info(target)->pid);
	error = mw_target_open_file(path, &plan->file);
	image = error ? NULL : executable(plan->file);
	if (image)
		plan->bias = live->start - image->start;
	if (!error)
		error = cmd_names_open(plan->file, &plan->names);
	if (!error)
		plan->funcs = cmd_names_go(plan->names);
	return error;
}

/** Where C's main is, by the symbols or by Go's table. */
static uint64_t find_main(struct boot_plan *plan)
{
	const struct mw_image *image = executable(plan->file);
	uint64_t va = address_of(plan, "main");
	struct cmd_name name;
	struct mw_error *error = NULL;

	if (va || !image)
		return va;
	error = cmd_names_find_in(plan->names, image, "main", &name);
	va = error ? 0 : name.start + plan->bias;
	mw_error_free(error);
	return va;
}

static struct mw_error *add_stages(struct mw_target *target,
				   struct boot_plan *plan)
{
	struct boot_stage loader = {
		"loader", "", "the dynamic loader has mapped, relocated and "
		"initialised all libraries", .how = BOOT_POINT,
	};
	uint64_t entry = 0, base = 0, rt0, main_va;
	struct boot_stage at_main = c_main;

	mw_target_auxv(target, AT_ENTRY, &entry);
	mw_target_auxv(target, AT_BASE, &base);
	rt0 = address_of(plan, "_rt0_amd64_linux");
	if (entry && base && !add(plan, &loader, entry))
		return mw_error_nomem();
	main_va = rt0 && rt0 == entry ? 0 : find_main(plan);
	at_main.is_last = !plan->funcs;
	if (main_va && !add(plan, &at_main, main_va))
		return mw_error_nomem();
	for (size_t i = 0; plan->funcs && i < MW_COUNT(go_stages); i++) {
		uint64_t va = address_of(plan, go_stages[i].function);

		if (va && (va != rt0 || rt0 == entry) &&
		    !add(plan, &go_stages[i], va))
			return mw_error_nomem();
	}
	if (plan->stages.n > 0)
		plan->stages.v[plan->stages.n - 1].is_last = true;
	return NULL;
}

struct mw_error *boot_plan_make(struct mw_target *target,
				struct boot_plan *ret)
{
	struct boot_plan plan = { 0 };
	struct mw_error *error = open_file(target, &plan);

	if (!error)
		error = add_stages(target, &plan);
	if (!error && plan.funcs)
		error = find_inits(&plan);
	if (!error && plan.funcs)
		error = mw_insn_open();
	if (!error && plan.funcs)
		plan.init_call = find_init_call(&plan);
	if (error) {
		boot_plan_free(&plan);
		return error;
	}
	*ret = plan;
	return NULL;
}

void boot_plan_free(struct boot_plan *plan)
{
	for (size_t i = 0; i < plan->inits.n; i++)
		mw_free(plan->inits.v[i].stage);
	mw_vec_free(&plan->inits);
	mw_vec_free(&plan->stages);
	cmd_names_closep(&plan->names);
	mw_target_closep(&plan->file);
}

bool boot_is_called(const char *stage, const char *function, const char *name)
{
	return strcmp(stage, name) == 0 ||
	       (*function && strcmp(function, name) == 0) ||
	       (strncmp(stage, "init ", 5) == 0 && strcmp(stage + 5, name) == 0);
}

static bool has_itself(const struct boot_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->stages.n; i++)
		if (boot_is_called(plan->stages.v[i].name,
				   plan->stages.v[i].function, name))
			return true;
	for (size_t i = 0; i < plan->inits.n; i++)
		if (boot_is_called(plan->inits.v[i].stage,
				   plan->inits.v[i].function, name))
			return true;
	return strcmp(name, BOOT_ENTRY) == 0;
}

static bool any_has(const char *name)
{
	// A shell may be there now, which becomes the program in question.
	for (size_t i = 0; i < MW_COUNT(go_stages); i++)
		if (boot_is_called(go_stages[i].name, go_stages[i].function,
				   name))
			return true;
	return strcmp(name, "loader") == 0 || strcmp(name, c_main.name) == 0 ||
	       strncmp(name, "init ", 5) == 0;
}

struct mw_error *boot_plan_check(const struct boot_plan *plan,
				 const char *name)
{
	MW_CLEANUP(mw_text_free) struct mw_text names = {
		.limit = 1024 };

	if (has_itself(plan, name))
		return NULL;
	if (!any_has(name))
		return mw_error_new(MW_E_USAGE, "%s: no stage is called so; "
				    "boot --help lists them", name);
	// What another becomes is not known; a Go program stays what it is.
	if (!plan->funcs || strncmp(name, "init ", 5) == 0)
		return NULL;
	for (size_t i = 0; i < plan->stages.n; i++)
		mw_text_add(&names, ", %s", plan->stages.v[i].name);
	return mw_error_new(MW_E_USAGE, "%s: this program has no such "
			    "stage, but " BOOT_ENTRY "%s", name,
			    names.v ? names.v : "");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_int.h"

/*
 * The race detector's memory: ThreadSanitizer keeps what it knows of each word
 * at addresses of its own, where a Go program built with -race never has its
 * heap (the tables for Go in compiler-rt/lib/tsan/rtl/tsan_platform.h).
 */
static const struct go_range shadow = { 0x200000000000, 0x238000000000 };
static const struct go_range meta = { 0x300000000000, 0x400000000000 };
/* Of each thread; to Go 1.18. */
static const struct go_range traces = { 0x600000000000, 0x620000000000 };

static bool is_in(const struct mw_mapping *m, const struct go_range *range)
{
	return mw_mapping_is_anonymous(m) && m->start >= range->start &&
	       m->end <= range->end;
}

static bool has_any(const struct mw_mappings *maps,
		    const struct go_range *range)
{
	for (size_t i = 0; i < maps->list.n; i++)
		if (is_in(&maps->list.v[i], range))
			return true;
	return false;
}

/** Whether the program was built with -race. */
static bool has_detector(struct mw_go *go, const struct mw_mappings *maps,
			 struct mw_error **ret_error)
{
	struct mw_go_func func;

	// What costs little first: names of functions are read one by one.
	if (!has_any(maps, &shadow) || !has_any(maps, &meta))
		return false;
	*ret_error = go_open_funcs(go);
	if (*ret_error) {
		if ((*ret_error)->code != MW_E_NOMEM) {
			mw_error_free(*ret_error);
			*ret_error = NULL;
		}
		return false;
	}
	return mw_go_func_named(go->funcs, "runtime.racecall", &func);
}

struct mw_error *go_claim_race(struct mw_go *go)
{
	const struct mw_mappings *maps = mw_target_mappings(go->target);
	struct mw_error *error = NULL;
	mw_account_id account;

	if (!has_detector(go, maps, &error))
		return error;
	error = mw_sink_account(go->sink, "anonymous", "race-detector",
				"ThreadSanitizer's shadow, meta data and "
				"traces, by their addresses", &account);
	for (size_t i = 0; !error && i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];

		if (!is_in(m, &shadow) && !is_in(m, &meta) &&
		    !is_in(m, &traces))
			continue;
		error = mw_sink_claim(go->sink, &(struct mw_claim){
			.start = m->start,
			.bytes = mw_mapping_bytes(m),
			.layer = MW_LAYER_REMAINDER,
			.account = account,
			.walker = "race detector",
			.what = "race detector",
		});
	}
	return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_sink.h"

#include <stdio.h>
#include <string.h>

static struct mw_error *account(void *ctx, const char *parent,
				const char *leaf, const char *evidence,
				mw_account_id *ret)
{
	struct fake_sink *sink = ctx;
	char name[96] = { 0 };
	struct fake_account *a;

	(void)evidence;
	snprintf(name, sizeof(name), "%s/%s", parent, leaf);
	for (size_t i = 0; i < sink->accounts.n; i++)
		if (strcmp(sink->accounts.v[i].name, name) == 0) {
			*ret = (mw_account_id)i;
			return NULL;
		}
	a = mw_vec_push(&sink->accounts);
	if (!a)
		return mw_error_nomem();
	*a = (struct fake_account){ 0 };
	memcpy(a->name, name, sizeof(name));
	*ret = (mw_account_id)(sink->accounts.n - 1);
	return NULL;
}

static struct mw_error *claim(void *ctx, const struct mw_claim *claim)
{
	struct fake_sink *sink = ctx;
	struct mw_claim *place = mw_vec_push(&sink->claims);

	if (!place)
		return mw_error_nomem();
	*place = *claim;
	return NULL;
}

static uint64_t uniform_until(void *ctx, uint64_t va)
{
	struct fake_sink *sink = ctx;

	return sink->by_range ? va : sink->limit;
}

/** Parts ascend, and stay within their claim. */
static void take(struct fake_sink *sink, uint64_t start, uint64_t end)
{
	if (start < sink->end || end < start || end > sink->limit)
		sink->broken = true;
	sink->end = end;
}

static void add(struct fake_sink *sink, mw_account_id account, uint64_t bytes)
{
	if (account >= sink->accounts.n)
		sink->broken = true;
	else
		sink->accounts.v[account].bytes += bytes;
}

static void sums(void *ctx, uint64_t start, uint64_t end,
		 const struct mw_sum *sums, size_t count)
{
	struct fake_sink *sink = ctx;
	uint64_t left = end - start;

	take(sink, start, end);
	for (size_t i = 0; i < count; i++) {
		if (sums[i].bytes > left)
			sink->broken = true;
		left -= sums[i].bytes;
		add(sink, sums[i].account, sums[i].bytes);
	}
}

static void range(void *ctx, uint64_t start, uint64_t bytes,
		  mw_account_id account)
{
	struct fake_sink *sink = ctx;

	take(sink, start, start + bytes);
	add(sink, account, bytes);
}

static const struct mw_sink_ops sink_ops = { account, claim };
static const struct mw_part_ops part_ops = {
	.uniform_until = uniform_until,
	.sums = sums,
	.range = range,
};

void fake_sink_init(struct fake_sink *sink)
{
	*sink = (struct fake_sink){ .sink = { &sink_ops, sink } };
}

void fake_sink_deinit(struct fake_sink *sink)
{
	mw_vec_free(&sink->accounts);
	mw_vec_free(&sink->claims);
}

struct mw_error *fake_sink_settle(struct fake_sink *sink)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < sink->claims.n; i++) {
		const struct mw_claim *c = &sink->claims.v[i];
		struct mw_parts parts = { &part_ops, sink };

		sink->end = c->start;
		sink->limit = c->start + c->bytes;
		if (c->refine)
			error = c->refine(c->ctx, c, &parts);
	}
	return error;
}

uint64_t fake_sink_bytes(const struct fake_sink *sink, const char *name)
{
	for (size_t i = 0; i < sink->accounts.n; i++)
		if (strcmp(sink->accounts.v[i].name, name) == 0)
			return sink->accounts.v[i].bytes;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_trial.h"

#include "mw_test.h"

static uint32_t below(struct trial *t, uint32_t limit)
{
	return (uint32_t)mw_test_below(&t->random, limit);
}

static mw_account_id account(struct trial *t, const char *parent,
			     const char *leaf)
{
	mw_account_id id = 0;

	ASSERT_OK(mw_sink_account(mw_ledger_sink(t->ledger), parent, leaf, "",
				  &id));
	assert_true(id < MODEL_ACCOUNTS);
	return id;
}

/** Cut a part as the ledger should; false when nothing is left of it. */
static bool cut(struct trial *t, uint32_t *start, uint32_t *end)
{
	t->bad_parts += *start < t->at || *end > t->end;
	*start = (uint32_t)mw_max(*start, t->at);
	*end = (uint32_t)mw_min(*end, t->end);
	if (*start >= *end)
		return false;
	t->at = *end;
	return true;
}

static uint32_t next_traced(const struct trial *t, uint32_t at)
{
	while (at < MODEL_BYTES && !t->is_traced[at])
		at++;
	return at;
}

static void part_range(struct trial *t, struct mw_parts *parts, uint32_t start)
{
	uint32_t end = start + 1 + below(t, 9000);
	mw_account_id id = t->parts[below(t, 3)];

	mw_part_range(parts, MODEL_START + start, end - start, id);
	if (cut(t, &start, &end))
		model_post(&t->model, start, end, id);
}

static bool load(void *ctx, uint8_t *bits)
{
	const struct trial *t = ctx;

	// They are zeroed.
	for (size_t i = 0; i < sizeof(t->bits); i++)
		bits[i] |= t->bits[i];
	return t->load_works;
}

static void part_slots(struct trial *t, struct mw_parts *parts, uint32_t start)
{
	uint32_t size = 1 + below(t, 600), count = 1 + below(t, 64);
	uint32_t from = start, to = start + size * count;
	uint64_t bits = mw_test_random(&t->random);
	struct mw_slots slots = {
		.start = MODEL_START + start,
		.slot_bytes = size,
		.count = count,
		.used_count = below(t, count + 1),
		.used = t->parts[0],
		.unused = t->parts[1],
		.load = load,
		.load_ctx = t,
		.unknown = t->torn,
	};
	bool alike = slots.used_count == 0 || slots.used_count == count;

	memcpy(t->bits, &bits, sizeof(bits));
	t->load_works = below(t, 6) > 0;
	mw_part_slots(parts, &slots);
	if (!cut(t, &from, &to))
		return;
	if (to - from < size * count || (!alike && !t->load_works) ||
	    model_is_contested(&t->model, from, to)) {
		model_post(&t->model, from, to, t->torn);
		return;
	}
	if (alike)
		bits = slots.used_count ? UINT64_MAX : 0;
	for (uint32_t i = 0; i < count; i++, from += size)
		model_post(&t->model, from, from + size,
			   bits >> i & 1 ? slots.used : slots.unused);
}

static void part_sums(struct trial *t, struct mw_parts *parts, uint32_t start,
		      mw_account_id rest)
{
	uint32_t until = (uint32_t)mw_min(
		model_uniform_until(&t->model, start, t->end),
		next_traced(t, start));
	uint64_t got = mw_part_uniform_until(parts, MODEL_START + start);
	struct mw_sum sums[3];
	uint32_t left;

	if (t->keeps) {
		ASSERT_EQ(MODEL_START + start, got);
		return;
	}
	if (until == start) {
		assert_true(got <= MODEL_START + start);
		return;
	}
	ASSERT_EQ(MODEL_START + until, got);
	until -= below(t, until - start); // not all of it need be reported
	left = until - start;
	for (size_t i = 0; i < 3; i++) {
		sums[i].account = t->parts[i];
		sums[i].bytes = below(t, left + 1);
		left -= (uint32_t)sums[i].bytes;
	}
	mw_part_sums(parts, MODEL_START + start, MODEL_START + until, sums, 3);
	// On equal pages it does not matter which bytes they are.
	for (size_t i = 0; i < 3; i++) {
		uint32_t end = start + (uint32_t)sums[i].bytes;

		model_post(&t->model, start, end, sums[i].account);
		start = end;
	}
	model_post(&t->model, start, until, rest);
	t->at = until;
}

static struct mw_error *refine(void *ctx, const struct mw_claim *claim,
			       struct mw_parts *parts)
{
	struct trial *t = ctx;
	uint32_t start = (uint32_t)(claim->start - MODEL_START);

	t->at = start;
	t->end = start + (uint32_t)claim->bytes;
	for (int i = 0; i < 20 && t->at < t->end; i++) {
		uint32_t from = t->at + (below(t, 2) ? below(t, 900) : 0);

		switch (below(t, 8)) {
		case 0: // goes back, perhaps; may even leave the claim
			part_range(t, parts, t->at - below(t, t->at + 1));
			break;
		case 1:
		case 2:
			part_slots(t, parts, from);
			break;
		case 3:
		case 4:
		case 5:
			if (from < t->end)
				part_sums(t, parts, from, claim->account);
			break;
		default:
			part_range(t, parts, from);
		}
	}
	return NULL;
}

static void claim(struct trial *t, const struct mw_claim *claim)
{
	uint32_t start = (uint32_t)(claim->start - MODEL_START);

	ASSERT_OK(mw_sink_claim(mw_ledger_sink(t->ledger), claim));
	if (claim->layer != MW_LAYER_MAPPING)
		model_claim(&t->model, start, start + (uint32_t)claim->bytes,
			    claim->layer == MW_LAYER_OWNER);
}

static struct mw_claim random_claim(struct trial *t, enum mw_layer layer,
				    mw_account_id id, uint32_t start)
{
	uint32_t longest = (uint32_t)mw_min(MODEL_BYTES - start, 30000);

	return (struct mw_claim){
		.start = MODEL_START + start,
		.bytes = 1 + below(t, longest),
		.layer = layer,
		.account = id,
		.walker = "remainder",
	};
}

static void claim_owners(struct trial *t)
{
	static const char *const names[] = { "w0", "w1", "w2",
					     "w3", "w4", "w5" };
	bool disjoint = below(t, 2);
	uint32_t count = below(t, MAX_OWNERS + 1), at = 0;

	while (t->owner_count < count) {
		struct mw_claim *c = &t->owners[t->owner_count];
		const char *name = names[t->owner_count];

		at = disjoint ? at + below(t, 5000) : below(t, MODEL_BYTES);
		if (at >= MODEL_BYTES)
			break;
		*c = random_claim(t, MW_LAYER_OWNER,
				  account(t, "owner", name), at);
		c->walker = name;
		c->refine = below(t, 4) ? refine : NULL;
		c->ctx = t;
		claim(t, c);
		at += (uint32_t)c->bytes;
		t->owner_count++;
	}
}

static void claim_remainders(struct trial *t)
{
	static const char *const names[] = { "r0", "r1", "r2" };

	t->remainder_count = below(t, MAX_REMAINDERS + 1);
	for (size_t i = 0; i < t->remainder_count; i++) {
		mw_account_id id = account(t, "remainder", names[i]);

		t->remainders[i] = random_claim(t, MW_LAYER_REMAINDER, id,
						below(t, MODEL_BYTES));
		claim(t, &t->remainders[i]);
	}
}

/** From the last to the first, and not all of them. */
static void claim_mappings(struct trial *t)
{
	const mw_account_id accounts[] = {
		account(t, "anonymous", "private"),
		account(t, "file", "/lib/a"),
	};

	for (size_t i = t->model.mapping_count; i-- > 0;) {
		const struct model_mapping *m = &t->model.mappings[i];

		t->mappings[i] = t->unclaimed;
		if (below(t, 4) == 0)
			continue;
		t->mappings[i] = accounts[below(t, 2)];
		claim(t, &(struct mw_claim){
			.start = MODEL_START + m->start,
			.bytes = m->end - m->start,
			.layer = MW_LAYER_MAPPING,
			.account = t->mappings[i],
			.walker = "mappings",
		});
	}
}

static void post(struct trial *t, const struct mw_claim *c)
{
	uint32_t start = (uint32_t)(c->start - MODEL_START);

	model_post(&t->model, start, start + (uint32_t)c->bytes, c->account);
}

static uint64_t next(void *ctx, uint64_t va)
{
	const struct trial *t = ctx;
	uint32_t at = va < MODEL_START ? 0
		      : va - MODEL_START < MODEL_BYTES
			      ? (uint32_t)(va - MODEL_START)
			      : MODEL_BYTES;

	at = next_traced(t, at);
	return at < MODEL_BYTES ? MODEL_START + at : UINT64_MAX;
}

static void tell(void *ctx, uint64_t start, uint64_t end, mw_account_id id)
{
	struct trial *t = ctx;

	assert_true(start >= MODEL_START && start < end &&
		    end <= MODEL_START + MODEL_BYTES);
	assert_true(next(ctx, start) < end);
	for (uint64_t at = start - MODEL_START; at < end - MODEL_START; at++) {
		t->told_twice |= t->told[at] != 0;
		t->told[at] = (uint8_t)(1 + id);
	}
}

static void choose_traced(struct trial *t)
{
	uint32_t kind = below(t, 4), count = below(t, 60);

	if (kind == 0)
		memset(t->is_traced, true, MODEL_BYTES);
	for (uint32_t i = 0; kind == 1 && i < count; i++)
		t->is_traced[below(t, MODEL_BYTES)] = true;
}

void trial_begin(struct trial *t, uint64_t seed, bool keeps)
{
	*t = (struct trial){ .random = seed, .keeps = keeps };
	model_make(&t->model, &t->random);
	model_space(&t->model, &t->maps, &t->pages);
	ASSERT_OK(mw_ledger_new(&t->maps, &t->pages, &t->ledger));
	if (keeps) {
		mw_ledger_keep_mappings(t->ledger);
		mw_ledger_keep_pages(t->ledger);
	}
	choose_traced(t);
	t->trace = (struct mw_ledger_trace){ next, tell, t };
	if (next_traced(t, 0) < MODEL_BYTES)
		mw_ledger_trace(t->ledger, &t->trace);
	t->contested = account(t, "unknown", "contested");
	t->unclaimed = account(t, "unknown", "unclaimed");
	t->unplaced = account(t, "unknown", "unplaced");
	t->torn = account(t, "unknown", "torn");
	t->parts[0] = account(t, "part", "a");
	t->parts[1] = account(t, "part", "b");
	t->parts[2] = account(t, "part", "c");
	claim_mappings(t);
	claim_owners(t);
	claim_remainders(t);
	model_contest(&t->model, t->contested);
	ASSERT_OK(mw_ledger_settle(t->ledger)); // also posts the parts
	for (size_t i = 0; i < t->owner_count; i++)
		post(t, &t->owners[i]);
	for (size_t i = 0; i < t->remainder_count; i++)
		post(t, &t->remainders[i]);
	for (size_t i = 0; i < t->model.mapping_count; i++)
		model_post(&t->model, t->model.mappings[i].start,
			   t->model.mappings[i].end, t->mappings[i]);
}

void trial_end(struct trial *t)
{
	mw_ledger_free(t->ledger);
	mw_pages_free(&t->pages);
	mw_mappings_free(&t->maps);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_model.h"

#include "mw_test.h"

static void make_states(struct model *model, uint64_t *random, uint32_t from,
			uint32_t to)
{
	static const uint8_t states[] = {
		0,
		0,
		MW_PAGE_PRESENT,
		MW_PAGE_PRESENT,
		MW_PAGE_PRESENT,
		MW_PAGE_SWAPPED,
		MW_PAGE_PRESENT | MW_PAGE_SWAPPED,
		MW_PAGE_PRESENT | MW_PAGE_HUGE,
		MW_PAGE_PRESENT | MW_PAGE_ZERO,
	};

	while (from < to) {
		uint8_t state = states[mw_test_below(random,
						     MW_COUNT(states))];
		uint64_t end = from + 1 + mw_test_below(random, 4);

		for (; from < mw_min(end, to); from++)
			model->state[from] = state;
	}
}

void model_make(struct model *model, uint64_t *random)
{
	uint32_t page = 0;

	*model = (struct model){ .mapping_count = 0 };
	memset(model->account, MODEL_NOBODY, sizeof(model->account));
	for (;;) {
		struct model_mapping *m =
			&model->mappings[model->mapping_count];
		uint32_t end;

		page += (uint32_t)mw_test_below(random, 3);
		end = page + 1 + (uint32_t)mw_test_below(random, 6);
		if (end > MODEL_PAGES)
			break;
		m->start = page << MW_PAGE_SHIFT;
		m->end = end << MW_PAGE_SHIFT;
		memset(&model->mapping_of[page],
		       (int)++model->mapping_count, end - page);
		if (mw_test_below(random, 8) == 0) {
			m->unplaced_rss = mw_test_below(random,
							m->end - m->start);
			m->unplaced_swap =
				m->end - m->start - m->unplaced_rss;
		} else {
			make_states(model, random, page, end);
		}
		page = end;
	}
}

void model_space(const struct model *model, struct mw_mappings *maps,
		 struct mw_pages *pages)
{
	for (size_t i = 0; i < model->mapping_count; i++) {
		const struct model_mapping *m = &model->mappings[i];
		struct mw_mapping *added =
			mw_mappings_add(maps, MODEL_START + m->start,
					MODEL_START + m->end, "", 0);

		assert_non_null(added);
		added->unplaced_rss_bytes = m->unplaced_rss;
		added->unplaced_swap_bytes = m->unplaced_swap;
	}
	for (uint64_t page = 0; page < MODEL_PAGES; page++) {
		uint64_t va = MODEL_START + page * MW_PAGE_BYTES;

		if (model->state[page])
			assert_true(mw_pages_add(pages, va,
						 va + MW_PAGE_BYTES,
						 model->state[page]));
	}
}

void model_claim(struct model *model, uint32_t start, uint32_t end,
		 bool is_owner)
{
	for (; start < end; start++) {
		model->owners[start] += is_owner;
		model->covered[start] = true;
	}
}

void model_post(struct model *model, uint32_t start, uint32_t end,
		mw_account_id account)
{
	for (; start < end; start++)
		if (model->mapping_of[start >> MW_PAGE_SHIFT] &&
		    model->account[start] == MODEL_NOBODY)
			model->account[start] = (uint8_t)account;
}

void model_contest(struct model *model, mw_account_id contested)
{
	for (uint32_t at = 0; at < MODEL_BYTES; at++)
		if (model->owners[at] > 1)
			model_post(model, at, at + 1, contested);
}

bool model_is_shared(const struct model *model,
		     const struct model_mapping *mapping)
{
	for (uint32_t at = mapping->start; at < mapping->end; at++)
		if (model->covered[at])
			return true;
	return false;
}

bool model_is_contested(const struct model *model, uint32_t start,
			uint32_t end)
{
	for (; start < end; start++)
		if (model->owners[start] > 1)
			return true;
	return false;
}

uint32_t model_uniform_until(const struct model *model, uint32_t va,
			     uint32_t end)
{
	uint32_t first = va >> MW_PAGE_SHIFT;

	while (va < end && model->owners[va] <= 1 &&
	       model->mapping_of[va >> MW_PAGE_SHIFT] &&
	       model->mapping_of[va >> MW_PAGE_SHIFT] ==
		       model->mapping_of[first] &&
	       model->state[va >> MW_PAGE_SHIFT] == model->state[first])
		va++;
	return va;
}

struct mw_tally model_count(const struct model *model, uint32_t start,
			    uint32_t end, mw_account_id account)
{
	struct mw_tally tally = { 0 };

	for (; start < end; start++) {
		unsigned state = model->state[start >> MW_PAGE_SHIFT];

		if (!model->mapping_of[start >> MW_PAGE_SHIFT] ||
		    model->account[start] != account)
			continue;
		tally.vsz_bytes++;
		// The zero page is in nobody's RSS.
		tally.rss_bytes += (state & MW_PAGE_PRESENT) &&
				   !(state & MW_PAGE_ZERO);
		tally.swap_bytes += (state & MW_PAGE_SWAPPED) != 0;
	}
	return tally;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "gort_funcs_int.h"
#include "gort_int.h"
#include "mw_go_sizes.h"
#include "mw_guard.h"

/* The moduledata */

static const struct {
	const char *name;
	enum go_field start, end;
} parts[] = {
	{ "text", GO_moduledata_text, GO_moduledata_etext },
	{ "types", GO_moduledata_types, GO_moduledata_etypes },
	{ "noptrdata", GO_moduledata_noptrdata, GO_moduledata_enoptrdata },
	{ "data", GO_moduledata_data, GO_moduledata_edata },
	{ "bss", GO_moduledata_bss, GO_moduledata_ebss },
	{ "noptrbss", GO_moduledata_noptrbss, GO_moduledata_enoptrbss },
};

/** As the descriptor of a map was called, the one that maps have now last. */
static const enum go_field map_types[] = {
	GO_maptype, GO_abi_MapType, GO_abi_SwissMapType,
};

/**
 * Read the parts by the layout in use; false when they make no sense. (What
 * go_fill_module() also wants, the runtime makes when it starts.)
 */
static bool fill_summary(const struct mw_go *go, struct mw_go_summary *s)
{
	const struct go_module *m = &go->module;

	*s = (struct mw_go_summary){ .moduledata = m->address,
				     .pclntab = m->pclntab };
	snprintf(s->version, sizeof(s->version), "%s", go->version);
	s->has_headers = go_has(go, GO_mspan_largeType);
	for (size_t i = 0; i < MW_COUNT(map_types); i++)
		if (go_has(go, map_types[i]))
			s->map_type_bytes = go_size(go, map_types[i]);
	for (size_t i = 0; i < MW_COUNT(parts); i++) {
		struct mw_go_part *part = &s->parts[s->part_count++];

		part->name = parts[i].name;
		if (!go_read(go, m->address, parts[i].start, &part->start) ||
		    !go_read(go, m->address, parts[i].end, &part->end) ||
		    part->start > part->end ||
		    part->start < go->image->start ||
		    part->end > go->image->end)
			return false;
	}
	return true;
}

bool mw_go_summary_read(struct mw_target *target, const struct mw_image *image,
			struct mw_go_summary *ret)
{
	enum { TRIED = 8 };
	MW_CLEANUP(mw_freep) struct mw_go *go = mw_calloc(1, sizeof(*go));
	const struct go_layout *table;
	struct mw_go_summary summary;
	bool exact;

	if (!go || !image->elf->is_64)
		return false;
	go->target = target;
	if (!go_find_module(go, image))
		return false;
	// The release whose layout makes sense of it: other strings may look
	// like a version.
	for (unsigned i = 0; i < TRIED && go_find_version(go, i); i++) {
		table = go_nearest_table(go, &exact);
		if (!table)
			continue;
		go->layout = *table;
		if (fill_summary(go, &summary)) {
			*ret = summary;
			return true;
		}
	}
	return false;
}

/* The function table */

/** Add @bytes, but only for the first that asks for what lies at @va. */
static bool count_once(struct mw_map64 *seen, uint64_t va, uint64_t bytes,
		       uint64_t *sum)
{
	uint64_t *place = mw_map64_at(seen, va);

	if (!place)
		return false;
	if (!*place)
		*sum += bytes;
	*place = 1;
	return true;
}

static bool count_table(const struct mw_go_funcs *funcs,
			const struct mw_go_func *func, uint32_t table,
			struct mw_map64 *seen, uint64_t *sum)
{
	uint64_t va = go_pcln_of(funcs, func)->pctab + table;

	// One that was counted need not be measured.
	if (table == 0 || mw_map64_find(seen, va))
		return true;
	return count_once(seen, va, go_pc_table_bytes(funcs, func, table),
			  sum);
}

static uint64_t name_bytes(const struct mw_go_funcs *funcs, uint64_t va)
{
	char name[4096];

	return go_read_string(funcs, va, name, sizeof(name)) ? strlen(name) + 1
							      : 0;
}

bool mw_go_func_table_bytes(const struct mw_go_funcs *funcs,
			    const struct mw_go_func *func,
			    struct mw_map64 *seen, uint64_t *ret)
{
	enum { MOST_TABLES = 64 };
	const struct go_pcln *p = go_pcln_of(funcs, func);
	const struct go_pcln_format *f = p->format;
	uint64_t name = p->names + func->name_off;
	uint64_t record = f->func_bytes + 4 * (uint64_t)func->pcdata_count;
	uint64_t sum = f->ftab_bytes;
	uint32_t table;

	if (f->funcdata_bytes == 8)
		record = mw_align_up(record, 8);
	record += f->funcdata_bytes * (uint64_t)func->funcdata_count;
	if (!count_once(seen, func->record, record, &sum) ||
	    (!mw_map64_find(seen, name) &&
	     !count_once(seen, name, name_bytes(funcs, name), &sum)) ||
	    !count_table(funcs, func, func->pcsp, seen, &sum) ||
	    !count_table(funcs, func, func->pcfile, seen, &sum) ||
	    !count_table(funcs, func, func->pcln, seen, &sum))
		return false;
	for (uint32_t i = 0; i < func->pcdata_count && i < MOST_TABLES; i++)
		if (go_funcs_read(funcs, func->record + f->func_bytes + 4 * i,
				  &table, 4) &&
		    !count_table(funcs, func, table, seen, &sum))
			return false;
	*ret = sum;
	return true;
}

bool mw_go_func_data(const struct mw_go_funcs *funcs,
		     const struct mw_go_func *func, unsigned which,
		     uint64_t *ret)
{
	return go_func_data(funcs, func, which, ret);
}

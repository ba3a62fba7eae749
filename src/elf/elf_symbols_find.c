/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "mw_elf_symbols.h"
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_search.h"

/** How many symbols around an address are looked at: nesting is never deep. */
#define MAX_BACK 4096

bool mw_elf_symbol_has_address(const struct mw_elf_symbol *symbol)
{
	unsigned type = ELF64_ST_TYPE(symbol->info);

	return symbol->section != SHN_UNDEF && !symbol->special &&
	       type != STT_FILE && type != STT_TLS && type != STT_SECTION;
}

/** One pass of a radix sort: stable, by byte @shift of the values. */
static void sort_by_byte(const struct mw_elf_symbol *symbols,
			 const uint32_t *from, uint32_t *to, size_t count,
			 unsigned shift)
{
	size_t places[256] = { 0 }, sum = 0;

	for (size_t i = 0; i < count; i++)
		places[symbols[from[i]].value >> shift & 255]++;
	for (unsigned i = 0; i < 256; i++) {
		size_t here = places[i];

		places[i] = sum;
		sum += here;
	}
	for (size_t i = 0; i < count; i++)
		to[places[symbols[from[i]].value >> shift & 255]++] = from[i];
}

struct mw_error *mw_elf_symbols_sort(struct mw_elf_symbols *symbols)
{
	MW_CLEANUP(mw_freep) uint32_t *order =
		mw_calloc(symbols->list.n, sizeof(*order));
	MW_CLEANUP(mw_freep) uint32_t *other =
		mw_calloc(symbols->list.n, sizeof(*other));
	MW_CLEANUP(mw_freep) uint64_t *reach =
		mw_calloc(symbols->list.n, sizeof(*reach));
	uint64_t all = 0, any = UINT64_MAX, end = 0;
	size_t count = 0;

	if (!order || !other || !reach)
		return mw_error_nomem();
	for (size_t i = 0; i < symbols->list.n; i++) {
		const struct mw_elf_symbol *s = &symbols->list.v[i];

		if (!mw_elf_symbol_has_address(s))
			continue;
		order[count++] = (uint32_t)i;
		all |= s->value;
		any &= s->value;
	}
	for (unsigned shift = 0; shift < 64; shift += 8) {
		uint32_t *swap = order;

		// Bytes that all values have in common need no pass.
		if (((all ^ any) >> shift & 255) == 0)
			continue;
		sort_by_byte(symbols->list.v, order, other, count, shift);
		order = other;
		other = swap;
	}
	for (size_t i = 0; i < count; i++) {
		const struct mw_elf_symbol *s = &symbols->list.v[order[i]];
		uint64_t last = UINT64_MAX;

		mw_end(s->value, s->bytes, &last);
		end = mw_max(end, last);
		reach[i] = end;
	}
	mw_free(symbols->by_address);
	mw_free(symbols->reach);
	symbols->by_address = mw_steal(order);
	symbols->reach = mw_steal(reach);
	symbols->addressed = count;
	return NULL;
}

const struct mw_elf_symbol *
mw_elf_symbols_at(const struct mw_elf_symbols *symbols, uint64_t va)
{
	size_t at = mw_first(i, 0, symbols->addressed,
			     symbols->list.v[symbols->by_address[i]].value >
				     va);

	for (size_t n = 0; at > 0 && n < MAX_BACK; n++) {
		const struct mw_elf_symbol *s =
			&symbols->list.v[symbols->by_address[--at]];

		if (va - s->value < s->bytes ||
		    (s->bytes == 0 && va == s->value))
			return s;
		if (symbols->reach[at] <= va && s->value < va)
			return NULL;
	}
	return NULL;
}

const struct mw_elf_symbol *
mw_elf_symbols_find(const struct mw_elf_symbols *symbols, const char *name)
{
	for (size_t i = 0; i < symbols->list.n; i++) {
		const struct mw_elf_symbol *s = &symbols->list.v[i];

		if (s->section != SHN_UNDEF &&
		    strcmp(mw_elf_symbol_name(symbols, s), name) == 0)
			return s;
	}
	return NULL;
}

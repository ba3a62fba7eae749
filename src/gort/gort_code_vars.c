/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_stats.h"

/*
 * Variables that nothing marks, found by the code of a function that uses them.
 * An operand relative to the pc has these forms, with REX.W for 64 bits:
 *
 *	8b /r disp32		mov	reg, [rip + disp32]
 *	63 /r disp32		movsxd	reg, [rip + disp32]; the variable has 32
 *	39 or 3b /r disp32	cmp with a register
 *	83 /7 disp32 imm8	cmp	[rip + disp32], imm8
 *	8d /r disp32		lea	reg, [rip + disp32]; its address
 *
 * Instructions are not told apart from what stands inside others; an address
 * that is no variable of the right alignment, or a value that cannot be, shows
 * that it was none.
 */
#define CODE_BYTES 1024
#define LONGEST 8 /* of those above */

struct code {
	const struct mw_go *go;
	uint64_t va;
	size_t size, at;
	uint8_t bytes[CODE_BYTES];
};

static bool is_in(const struct go_range *range, uint64_t va)
{
	return va >= range->start && va < range->end;
}

static bool is_no_pointer(const struct mw_go *go, uint64_t va)
{
	return is_in(&go->module.noptrdata, va) ||
	       is_in(&go->module.noptrbss, va);
}

static bool load_code(struct mw_go *go, const char *function,
		      struct code *ret)
{
	struct mw_go_func func;
	struct mw_error *error = go_open_funcs(go);

	if (error) {
		mw_error_free(error);
		return false;
	}
	if (!mw_go_func_named(go->funcs, function, &func))
		return false;
	ret->go = go;
	ret->va = func.entry;
	ret->at = 0;
	ret->size = mw_min(func.end - func.entry, CODE_BYTES);
	return mw_target_read(go->target, ret->va, ret->bytes, ret->size);
}

#define ADDRESS 1 /* no variable has this many bytes */

/**
 * Bytes of the variable that the opcode at @c uses, or ADDRESS where it takes
 * its address; 0 when it is none.
 */
static unsigned width(const uint8_t *c, bool wide)
{
	// The memory operand is relative to the pc.
	if ((c[1] & 0xc7) != 5)
		return 0;
	switch (c[0]) {
	case 0x63:
		return wide ? 4 : 0;
	case 0x83:
		return (c[1] & 0x38) != 0x38 ? 0 : wide ? 8 : 4;
	case 0x8b:
	case 0x39:
	case 0x3b:
		return wide ? 8 : 4;
	case 0x8d:
		return wide ? ADDRESS : 0;
	}
	return 0;
}

/**
 * The next variable of @bytes that the code uses, or whose address it takes
 * where that is ADDRESS; 0 when there are no more.
 */
static uint64_t next_use(struct code *code, unsigned bytes)
{
	while (code->at + LONGEST <= code->size) {
		const uint8_t *c = code->bytes + code->at;
		bool wide = (*c & 0xf8) == 0x48;
		unsigned rex = (*c & 0xf0) == 0x40;
		unsigned found = width(c + rex, wide);
		uint64_t after = code->va + code->at + rex + 6 +
				 (c[rex] == 0x83);
		uint64_t va = after + (uint64_t)(int64_t)(int32_t)
					      mw_u32(c + rex + 2);

		// The prefix and what it stands before are one instruction.
		code->at += found ? rex + 1 : 1;
		if (found == bytes && mw_is_aligned(va, bytes) &&
		    go_is_variable(code->go, va))
			return va;
	}
	return 0;
}

/** The same of those that are no pointers to the collector. */
static uint64_t next_variable(struct code *code, unsigned bytes)
{
	uint64_t va;

	do
		va = next_use(code, bytes);
	while (va && !is_no_pointer(code->go, va));
	return va;
}

size_t go_words_used(struct mw_go *go, const char *function, size_t max,
		     uint64_t *ret)
{
	struct code code;
	size_t n = 0;

	if (load_code(go, function, &code))
		while (n < max && (ret[n] = next_use(&code, 8)))
			n++;
	return n;
}

uint64_t go_address_taken(struct mw_go *go, const char *function,
			  bool (*test)(struct mw_go *go, uint64_t va))
{
	struct code code;
	uint64_t va;

	if (!load_code(go, function, &code))
		return 0;
	do
		va = next_use(&code, ADDRESS);
	while (va && !test(go, va));
	return va;
}

/**
 * MemProfileRate: the first that has a value from the start, as most releases
 * give it one, otherwise the last. Before it stands mcache0, a pointer that is
 * none to the collector.
 */
static uint64_t rate_in(struct code *code)
{
	uint64_t last = 0, va;

	while ((va = next_variable(code, 8))) {
		if (is_in(&code->go->module.noptrdata, va))
			return va;
		last = va;
	}
	return last;
}

bool go_profile_rate(struct mw_go *go, uint64_t *ret)
{
	static const char *const users[] = { "runtime.nextSample",
					     "runtime.profilealloc" };

	for (size_t i = 0; i < MW_COUNT(users); i++) {
		struct code code;
		uint64_t va, rate;

		if (!load_code(go, users[i], &code))
			continue;
		va = rate_in(&code);
		// It is a signed number.
		if (va && mw_target_read_u64(go->target, va, &rate) &&
		    rate <= INT64_MAX) {
			*ret = rate;
			return true;
		}
	}
	return false;
}

bool go_starting_stack(struct mw_go *go, uint64_t *ret)
{
	enum { LEAST = 2048, MOST = 1 << 20 };
	struct code code;
	uint64_t va;
	uint32_t bytes;

	if (!load_code(go, "runtime.gfput", &code))
		return false;
	while ((va = next_variable(&code, 4)))
		if (mw_target_read_u32(go->target, va, &bytes) &&
		    bytes >= LEAST && bytes <= MOST &&
		    (bytes & (bytes - 1)) == 0) {
			*ret = bytes;
			return true;
		}
	return false;
}

bool go_old_percent(struct mw_go *go, int32_t *ret)
{
	enum { MOST = 1000000000 };
	struct code code;
	uint64_t va;
	uint32_t percent;

	// It asks for nothing before it has asked for this.
	if (!load_code(go, "runtime.gcSetTriggerRatio", &code))
		return false;
	va = next_variable(&code, 4);
	if (!va || !mw_target_read_u32(go->target, va, &percent) ||
	    ((int32_t)percent != -1 && percent > MOST))
		return false;
	*ret = (int32_t)percent;
	return true;
}

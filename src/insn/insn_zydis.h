/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INSN_ZYDIS_H
#define INSN_ZYDIS_H

#include <Zydis/Zydis.h>

/*
 * Zydis is loaded when code is to be decoded, not at each start: with its
 * relocations that would take as long as all else in a command that decodes
 * nothing. These are its functions, and zydis.DecoderInit() is
 * ZydisDecoderInit().
 */
#define ZYDIS_FUNCTIONS(X)                                                     \
	X(CalcAbsoluteAddress)                                                 \
	X(DecoderDecodeFull)                                                   \
	X(DecoderInit)                                                         \
	X(FormatterBufferAppend)                                               \
	X(FormatterBufferGetString)                                            \
	X(FormatterFormatInstruction)                                          \
	X(FormatterInit)                                                       \
	X(FormatterSetHook)                                                    \
	X(FormatterSetProperty)                                                \
	X(MnemonicGetString)                                                   \
	X(RegisterGetClass)                                                    \
	X(RegisterGetId)                                                       \
	X(RegisterGetLargestEnclosing)                                         \
	X(RegisterGetString)

struct insn_zydis {
#define MEMBER(name) __typeof__(Zydis##name) *name;
	ZYDIS_FUNCTIONS(MEMBER)
#undef MEMBER
};

/** Filled by mw_insn_open(). */
extern struct insn_zydis zydis;

#endif

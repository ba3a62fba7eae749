/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "insn_int.h"

void insn_add(char to[static MW_INSN_TEXT], const char *fmt, ...)
{
	size_t used = strlen(to);
	va_list args;

	va_start(args, fmt);
	vsnprintf(to + used, MW_INSN_TEXT - used, fmt, args);
	va_end(args);
}

void insn_add_address(const struct mw_insn_names *names, uint64_t va,
		      char to[static MW_INSN_TEXT])
{
	char name[MW_INSN_TEXT];

	if (names && names->name(names->ctx, va, name, sizeof(name)))
		insn_add(to, "%s", name);
	else
		insn_add(to, "0x%" PRIx64, va);
}

/** What ZyanStringAppend() does where the buffer has a fixed size. */
static ZyanStatus append(ZyanString *string, const char *text)
{
	ZyanVector *v = &string->vector; // its size counts the NUL
	size_t length = strlen(text);

	if (length > v->capacity - v->size)
		return ZYAN_STATUS_INSUFFICIENT_BUFFER_SIZE;
	memcpy((char *)v->data + v->size - 1, text, length + 1);
	v->size += length;
	return ZYAN_STATUS_SUCCESS;
}

/** Zydis asks this where an absolute address is to be printed. */
static ZyanStatus print_address(const ZydisFormatter *formatter,
				ZydisFormatterBuffer *buffer,
				ZydisFormatterContext *context)
{
	const struct mw_insn_names *names = context->user_data;
	char text[MW_INSN_TEXT] = "";
	ZyanString *string;
	ZyanU64 va;

	(void)formatter;
	if (!ZYAN_SUCCESS(zydis.CalcAbsoluteAddress(context->instruction,
						   context->operand,
						   context->runtime_address,
						   &va)) ||
	    !ZYAN_SUCCESS(zydis.FormatterBufferAppend(buffer,
						     ZYDIS_TOKEN_SYMBOL)) ||
	    !ZYAN_SUCCESS(zydis.FormatterBufferGetString(buffer, &string)))
		return ZYAN_STATUS_FAILED;
	insn_add_address(names, va, text);
	return append(string, text);
}

static void format_zydis(const struct insn_decoded *d, uint64_t va,
			 ZydisFormatterStyle style,
			 const struct mw_insn_names *names,
			 char to[static MW_INSN_TEXT])
{
	ZydisFormatterFunc hook = print_address;
	ZydisFormatter formatter;

	zydis.FormatterInit(&formatter, style);
	zydis.FormatterSetProperty(&formatter,
				  ZYDIS_FORMATTER_PROP_FORCE_RELATIVE_BRANCHES,
				  ZYAN_FALSE);
	zydis.FormatterSetHook(&formatter, ZYDIS_FORMATTER_FUNC_PRINT_ADDRESS_ABS,
			      (const void **)(void *)&hook);
	if (!ZYAN_SUCCESS(zydis.FormatterFormatInstruction(
		    &formatter, &d->insn, d->operands,
		    d->insn.operand_count_visible, to, MW_INSN_TEXT, va,
		    (void *)(uintptr_t)names)))
		snprintf(to, MW_INSN_TEXT, "?");
}

void mw_insn_format(const uint8_t *code, const struct mw_insn *insn,
		    enum mw_syntax syntax, const struct mw_insn_names *names,
		    char to[static MW_INSN_TEXT])
{
	struct insn_decoded d;

	to[0] = '\0';
	if (insn->kind == MW_INSN_BAD ||
	    !insn_decode(code, insn->bytes, &d)) {
		insn_add(to, "?");
		return;
	}
	switch (syntax) {
	case MW_SYNTAX_GO:
		insn_format_go(&d, insn->va, names, to);
		break;
	case MW_SYNTAX_INTEL:
		format_zydis(&d, insn->va, ZYDIS_FORMATTER_STYLE_INTEL, names,
			     to);
		break;
	case MW_SYNTAX_ATT:
		format_zydis(&d, insn->va, ZYDIS_FORMATTER_STYLE_ATT, names,
			     to);
		break;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_insn.h"
#include "mw_test.h"

/* Instructions: what they do with data, where they lead, how they are written. */

#define VA UINT64_C(0x401000)
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R14 = 14 };

static struct mw_insn decode(const void *code, size_t size)
{
	struct mw_insn insn;

	assert_true(mw_insn_decode(code, size, VA, &insn));
	ASSERT_EQ(size, insn.bytes);
	ASSERT_EQ(VA, insn.va);
	return insn;
}

#define DECODE(code) decode(code, sizeof(code) - 1)

TEST(calls_and_jumps_have_targets)
{
	struct mw_insn insn = DECODE("\xe8\x10\x00\x00\x00");

	ASSERT_EQ(MW_INSN_CALL, insn.kind);
	assert_true(insn.has_target && !insn.has_data);
	ASSERT_EQ(VA + 0x15, insn.target);

	insn = DECODE("\xeb\xfe"); // to itself
	ASSERT_EQ(MW_INSN_JUMP, insn.kind);
	ASSERT_EQ(VA, insn.target);

	insn = DECODE("\x76\x46");
	ASSERT_EQ(MW_INSN_BRANCH, insn.kind);
	ASSERT_EQ(VA + 0x48, insn.target);

	insn = DECODE("\xff\xd0"); // call rax
	ASSERT_EQ(MW_INSN_CALL, insn.kind);
	assert_false(insn.has_target);

	insn = DECODE("\xff\x15\x04\x00\x00\x00"); // call [rip+4]
	ASSERT_EQ(MW_INSN_CALL, insn.kind);
	assert_true(insn.has_data && !insn.has_target);
	ASSERT_EQ(VA + 10, insn.data);

	ASSERT_EQ(MW_INSN_RETURN, DECODE("\xc3").kind);
	ASSERT_EQ(MW_INSN_OTHER, DECODE("\x90").kind);
}

TEST(addresses_and_constants_are_moves)
{
	// lea dx, [rip + 0xbe4b]
	struct mw_insn insn = DECODE("\x48\x8d\x15\x4b\xbe\x00\x00");

	ASSERT_EQ(MW_MOVE_ADDRESS, insn.move);
	ASSERT_EQ(RDX, insn.to_reg);
	assert_true(insn.has_data);
	ASSERT_EQ(VA + 7 + 0xbe4b, insn.data);
	ASSERT_EQ(1 << RDX, insn.changes);

	insn = DECODE("\x48\x8d\x44\x24\x08"); // lea rax, [rsp + 8]
	ASSERT_EQ(MW_MOVE_NONE, insn.move);
	ASSERT_EQ(1 << RAX, insn.changes);

	insn = DECODE("\xbb\x05\x00\x00\x00"); // mov ebx, 5
	ASSERT_EQ(MW_MOVE_CONSTANT, insn.move);
	ASSERT_EQ(RBX, insn.to_reg);
	ASSERT_EQ(5, insn.value);

	insn = DECODE("\x48\xc7\xc0\xff\xff\xff\xff"); // mov rax, -1
	ASSERT_EQ(UINT64_MAX, insn.value);

	insn = DECODE("\x45\x31\xc0"); // xor r8d, r8d
	ASSERT_EQ(MW_MOVE_CONSTANT, insn.move);
	ASSERT_EQ(R8, insn.to_reg);
	ASSERT_EQ(0, insn.value);

	insn = DECODE("\x31\xc8"); // xor eax, ecx
	ASSERT_EQ(MW_MOVE_NONE, insn.move);
}

TEST(words_move_between_registers_and_the_stack)
{
	struct mw_insn insn = DECODE("\x48\x89\xd8"); // mov rax, rbx

	ASSERT_EQ(MW_MOVE_REGISTER, insn.move);
	ASSERT_EQ(RAX, insn.to_reg);
	ASSERT_EQ(RBX, insn.from_reg);

	insn = DECODE("\x48\x89\x44\x24\x10"); // mov [rsp + 16], rax
	ASSERT_EQ(MW_MOVE_STORE, insn.move);
	assert_true(insn.on_stack);
	ASSERT_EQ(16, insn.sp_offset);
	ASSERT_EQ(RAX, insn.from_reg);

	// mov qword [rsp + 8], 3
	insn = DECODE("\x48\xc7\x44\x24\x08\x03\x00\x00\x00");
	ASSERT_EQ(MW_MOVE_STORE, insn.move);
	ASSERT_EQ(8, insn.sp_offset);
	ASSERT_EQ(3, insn.value);
	assert_true(insn.from_reg == MW_NO_REG);

	insn = DECODE("\x48\x8b\x4c\x24\x20"); // mov rcx, [rsp + 32]
	ASSERT_EQ(MW_MOVE_LOAD, insn.move);
	assert_true(insn.on_stack);
	ASSERT_EQ(RCX, insn.to_reg);

	// mov rax, [rip + 16]
	insn = DECODE("\x48\x8b\x05\x10\x00\x00\x00");
	ASSERT_EQ(MW_MOVE_LOAD, insn.move);
	assert_false(insn.on_stack);
	ASSERT_EQ(VA + 23, insn.data);

	// mov rax, fs:[-8] is at no fixed address.
	insn = DECODE("\x64\x48\x8b\x04\x25\xf8\xff\xff\xff");
	assert_false(insn.has_data);
}

TEST(all_registers_that_change_are_told)
{
	ASSERT_EQ(1 << RAX | 1 << RDX, DECODE("\x48\xf7\xe1").changes); // mul
	ASSERT_EQ(1 << RAX | 1 << RBX, DECODE("\x48\x93").changes);  // xchg
	ASSERT_EQ(1 << RSP, DECODE("\x55").changes);		     // push
	ASSERT_EQ(0, DECODE("\x49\x3b\x66\x10").changes);	     // cmp
}

TEST(what_is_no_instruction_is_one_byte)
{
	struct mw_insn insn;

	assert_false(mw_insn_decode((const uint8_t *)"\x06", 1, VA, &insn));
	ASSERT_EQ(MW_INSN_BAD, insn.kind);
	ASSERT_EQ(1, insn.bytes);
	// Cut off.
	assert_false(mw_insn_decode((const uint8_t *)"\xe8\x10\x00", 3, VA,
				    &insn));
	ASSERT_EQ(1, insn.bytes);
}

static bool name(void *ctx, uint64_t va, char *to, size_t size)
{
	if (va != *(const uint64_t *)ctx)
		return false;
	snprintf(to, size, "main.f");
	return true;
}

static void check_format(const void *code, size_t size, enum mw_syntax syntax,
			 const char *want)
{
	uint64_t known = VA + 0x15;
	const struct mw_insn_names names = { name, &known };
	struct mw_insn insn = decode(code, size);
	char text[MW_INSN_TEXT];

	mw_insn_format(code, &insn, syntax, &names, text);
	ASSERT_TEXT(want, text);
}

#define FORMAT(code, syntax, want) \
	check_format(code, sizeof(code) - 1, MW_SYNTAX_##syntax, want)

TEST(three_syntaxes)
{
	FORMAT("\xe8\x10\x00\x00\x00", GO, "CALL main.f(SB)");
	FORMAT("\xe8\x10\x00\x00\x00", INTEL, "call main.f");
	FORMAT("\xe8\x10\x00\x00\x00", ATT, "call main.f");
	FORMAT("\x48\x8d\x15\x0e\x00\x00\x00", GO, "LEAQ main.f(SB), DX");
	FORMAT("\x48\x89\x44\x24\x10", GO, "MOVQ AX, 0x10(SP)");
	FORMAT("\x48\x89\x44\x24\x10", INTEL, "mov [rsp+0x10], rax");
	FORMAT("\x48\x89\x44\x24\x10", ATT, "mov %rax, 0x10(%rsp)");
}

TEST(go_writes_it_its_own_way)
{
	FORMAT("\x49\x3b\x66\x10", GO, "CMPQ SP, 0x10(R14)");
	FORMAT("\x76\x46", GO, "JBE 0x401048");
	FORMAT("\x75\x46", GO, "JNE 0x401048");
	FORMAT("\x0f\x94\xc1", GO, "SETE CL");
	FORMAT("\x84\xc0", GO, "TESTL AL, AL");
	FORMAT("\x40\x88\x7c\x24\x20", GO, "MOVB DI, 0x20(SP)");
	FORMAT("\x0f\x1f\x40\x00", GO, "NOPL 0(AX)");
	FORMAT("\xf2\x0f\x10\x01", GO, "MOVSD_XMM 0(CX), X0");
	FORMAT("\x64\x48\x8b\x04\x25\xf8\xff\xff\xff", GO,
	       "MOVQ FS:0xfffffff8, AX");
	FORMAT("\x48\x83\xc4\x80", GO, "ADDQ $-0x80, SP");
	FORMAT("\xf0\x48\x0f\xb1\x0b", GO, "LOCK CMPXCHGQ CX, 0(BX)");
	FORMAT("\x48\x8b\x44\xd8\x08", GO, "MOVQ 0x8(AX)(BX*8), AX");
	FORMAT("\xcc", GO, "INT3");
}

TEST(what_is_not_known_is_a_question_mark)
{
	struct mw_insn insn;
	char text[MW_INSN_TEXT];
	const uint8_t code[] = { 0x06 };

	mw_insn_decode(code, 1, VA, &insn);
	mw_insn_format(code, &insn, MW_SYNTAX_GO, NULL, text);
	ASSERT_TEXT("?", text);
}

static bool long_name(void *ctx, uint64_t va, char *to, size_t size)
{
	(void)ctx;
	(void)va;
	memset(to, 'x', size - 1);
	to[size - 1] = '\0';
	return true;
}

TEST(long_names_are_cut)
{
	const struct mw_insn_names names = { long_name, NULL };
	const uint8_t code[] = { 0xe8, 0, 0, 0, 0 };
	struct mw_insn insn;
	char text[MW_INSN_TEXT];

	mw_insn_decode(code, sizeof(code), VA, &insn);
	for (int syntax = MW_SYNTAX_GO; syntax <= MW_SYNTAX_ATT; syntax++) {
		memset(text, 'y', sizeof(text));
		mw_insn_format(code, &insn, (enum mw_syntax)syntax, &names,
			       text);
		assert_non_null(memchr(text, '\0', sizeof(text)));
	}
}

static int open_decoder(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		ASSERT_OK(mw_insn_open());
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(calls_and_jumps_have_targets),
		CASE(addresses_and_constants_are_moves),
		CASE(words_move_between_registers_and_the_stack),
		CASE(all_registers_that_change_are_told),
		CASE(what_is_no_instruction_is_one_byte),
		CASE(three_syntaxes),
		CASE(go_writes_it_its_own_way),
		CASE(what_is_not_known_is_a_question_mark),
		CASE(long_names_are_cut),
	};

	return cmocka_run_group_tests(tests, open_decoder, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Variables of types that C programs seldom have; waits for its input to end. */
#include <complex.h>
#include <stdbool.h>
#include <stdio.h>
#include <uchar.h>
#include <wchar.h>

enum colour { RED, GREEN = 200, BLUE = 40000 };
enum below { LEAST = -2, NONE = -1 };
enum flags { FIRST = 1, SECOND = 2, FOURTH = 8 };
struct bits {
	unsigned low : 3;
	int negative : 5;
	unsigned long long wide : 40;
	bool set : 1;
	enum colour colour : 17;
	long long most : 63;
	unsigned long long all;
};
struct nowhere;

struct bits bits_var = { 5, -7, 123456789012, true, GREEN, -5, ~0ull };
enum colour green_var = GREEN, blue_var = BLUE, other_var = 77;
enum below below_var = NONE, lower_var = -9;
enum flags flags_var = FIRST | FOURTH, more_var = FIRST | 64;
char words_var[3][8] = { "one", "two", "three" };
int cube_var[2][2][2] = { { { 1, 2 }, { 3, 4 } }, { { 5, 6 }, { 7, 8 } } };
wchar_t wide_var[] = L"wide ü";
wchar_t *pointer_var = L"behind a pointer";
char16_t pairs_var[] = u"\U0001F600 x";
__int128 large_var = (__int128)-1 << 100;
long double _Complex complex_var = 1.5L - 2.25iL;
struct nowhere *nowhere_var = (struct nowhere *)0x1230;
#ifndef __clang__
_Float16 half_vars[] = { 1.5f16, -65504, 6e-8f16 };
__float128 quad_vars[] = { -3.25, 1e4000Q, 0 };
_Decimal64 decimal_var = 1.5DD;
#endif

int main(void)
{
	fprintf(stderr, "end 0\n");
	return getchar() == EOF ? 0 : 1;
}

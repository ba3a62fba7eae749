/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_demangle.h"
#include "mw_test.h"

static void is(const char *mangled, enum mw_mangled kind, const char *wanted)
{
	struct mw_text text = { .limit = 200 };

	ASSERT_EQ(wanted != NULL, mw_demangle(mangled, kind, &text));
	ASSERT_TEXT(wanted ? wanted : "", text.v ? text.v : "");
	mw_text_free(&text);
}

/* As c++filt(1) of binutils 2.40 has them, with -t those of types. */
TEST(names)
{
	is("_ZN3foo3barEv", MW_MANGLED_SYMBOL, "foo::bar()");
	is("_ZTVN3foo3barE", MW_MANGLED_SYMBOL, "vtable for foo::bar");
	is("N3foo3barE", MW_MANGLED_TYPE, "foo::bar");
	is("*3foo", MW_MANGLED_TYPE, "foo");
	is("St6vectorIiSaIiEE", MW_MANGLED_TYPE,
	   "std::vector<int, std::allocator<int> >");
	is("N12_GLOBAL__N_16HiddenE", MW_MANGLED_TYPE,
	   "(anonymous namespace)::Hidden");
	is("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
	   MW_MANGLED_SYMBOL, "core::fmt::Write::write_fmt");
	is("_RNvCs1234_7mycrate3bar", MW_MANGLED_SYMBOL, "mycrate::bar");
}

TEST(others)
{
	is("", MW_MANGLED_SYMBOL, NULL);
	is("", MW_MANGLED_TYPE, NULL);
	is("main", MW_MANGLED_SYMBOL, NULL);
	is("_ZN3foo", MW_MANGLED_SYMBOL, NULL);
	is("9short", MW_MANGLED_TYPE, NULL);
	is("_RNvC6_123foou3bar", MW_MANGLED_SYMBOL, NULL);
}

/** Each type has the one before twice: the text would have 2^21 names. */
TEST(too_much)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQ";
	struct mw_text text = { .limit = 200 };
	char name[256] = "_Z1f1AIiiE";

	// S_ is A, S0_ is A<int, int>, S1_ is A<S0_, S0_>, …
	for (int i = 0; i < 21; i++) {
		char type[16];

		snprintf(type, sizeof(type), "S_IS%c_S%c_E", digits[i],
			 digits[i]);
		strcat(name, type);
	}
	assert_true(mw_demangle(name, MW_MANGLED_SYMBOL, &text));
	assert_true(text.is_full);
	// With the ellipsis.
	assert_true(text.n <= 203);
	mw_text_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(names),
		CASE(others),
		CASE(too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

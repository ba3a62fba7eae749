/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_hash.h"
#include "mw_test.h"

/* Test vectors of the authors: draft-eastlake-fnv-17, appendix C. */
static void hashes_as_fnv_1a(void **state)
{
	(void)state;
	ASSERT_EQ(UINT64_C(0xcbf29ce484222325),
		  mw_hash_text(MW_HASH_START, ""));
	ASSERT_EQ(UINT64_C(0xaf63dc4c8601ec8c),
		  mw_hash_text(MW_HASH_START, "a"));
	ASSERT_EQ(UINT64_C(0x85944171f73967e8),
		  mw_hash_text(MW_HASH_START, "foobar"));
	// In pieces it is the same.
	ASSERT_EQ(UINT64_C(0x85944171f73967e8),
		  mw_hash_bytes(mw_hash_text(MW_HASH_START, "foo"), "bar", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(hashes_as_fnv_1a),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

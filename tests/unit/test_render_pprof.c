/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>
#include <zlib.h>

#include "mw_guard.h"
#include "mw_pprof.h"
#include "mw_test.h"

/** A profile of two samples, written to @fd. */
static struct mw_error *write_profile(int fd)
{
	MW_CLEANUP(mw_pprof_freep) struct mw_pprof *p = NULL;
	const struct mw_pprof_line inlined[] = { { "inner", "a.go", 300 },
						 { "outer", "b.go", 7 } };
	const struct mw_pprof_line plain = { "main", "b.go", 9 };
	const struct mw_pprof_label labels[] = { { "bytes", NULL, 1 << 20 },
						 { "key", "value", 0 } };
	uint64_t locations[2];
	struct mw_error *error = mw_pprof_new(&p);

	if (error)
		return error;
	mw_pprof_mapping(p, 0x400000, 0x500000, 0, "/bin/x", "abcd");
	mw_pprof_period(p, "space", "bytes", 4096);
	mw_pprof_sample_type(p, "inuse_space", "bytes");
	mw_pprof_default_type(p, "inuse_space");
	mw_pprof_time(p, 1);
	locations[0] = mw_pprof_location(p, 0, 0x401000, inlined, 2);
	locations[1] = mw_pprof_location(p, 5, 0x402000, &plain, 1);
	mw_pprof_sample(p, locations, 2, (const int64_t[]){ -1 }, 1, labels,
			2);
	locations[0] = mw_pprof_location(p, 5, 0x402000, &plain, 1);
	mw_pprof_sample(p, locations, 1, (const int64_t[]){ 12 }, 1, NULL, 0);
	return mw_pprof_write(p, fd);
}

static size_t read_back(uint8_t *to, size_t size)
{
	FILE *file = tmpfile();
	gzFile gz;
	int got;

	assert_non_null(file);
	ASSERT_OK(write_profile(fileno(file)));
	assert_int_equal(0, lseek(fileno(file), 0, SEEK_SET));
	gz = gzdopen(dup(fileno(file)), "r");
	got = gzread(gz, to, (unsigned)size);
	assert_true(got > 0);
	gzclose(gz);
	fclose(file);
	return (size_t)got;
}

static uint64_t varint(const uint8_t **at)
{
	uint64_t value = 0;

	for (unsigned shift = 0;; shift += 7) {
		value |= (uint64_t)(**at & 0x7f) << shift;
		if (!(*(*at)++ & 0x80))
			return value;
		assert_true(shift < 63);
	}
}

/** Field numbers in order, "2:" and the bytes of those that have some. */
static void describe(const uint8_t *at, const uint8_t *end, char *to)
{
	*to = '\0';
	while (at < end) {
		uint64_t key = varint(&at), value = varint(&at);

		to += sprintf(to, "%lu", key >> 3);
		if ((key & 7) == 0) {
			to += sprintf(to, "=%lu ", value);
			continue;
		}
		assert_int_equal(2, key & 7);
		assert_true(value <= (uint64_t)(end - at));
		to += sprintf(to, ":");
		for (uint64_t i = 0; i < value; i++)
			to += sprintf(to, "%02x", at[i]);
		to += sprintf(to, " ");
		at += value;
	}
	assert_ptr_equal(at, end);
}

TEST(all_fields_are_there)
{
	uint8_t bytes[4096];
	char text[16384];
	size_t size = read_back(bytes, sizeof(bytes));

	describe(bytes, bytes + size, text);
	// Mapping 1, up to the executable's name and build id.
	assert_non_null(strstr(text, "3:08011080808002188080c002"));
	assert_non_null(strstr(text, "12=4096 "));
	assert_non_null(strstr(text, "9=1 "));
	// A location with an inlined call: lines 300 and 7.
	assert_non_null(strstr(text, "220508"));
	assert_non_null(strstr(text, "10ac02"));
	// A value of -1, of ten bytes, and the label 1 << 20.
	assert_non_null(strstr(text, "120affffffffffffffffff01"));
	assert_non_null(strstr(text, "18808040"));
	// The first string is empty, and each is there once.
	assert_non_null(strstr(text, " 6: 6:"));
	assert_null(strstr(strstr(text, "622e676f") + 1, "622e676f"));
}

static struct mw_error *write_to_nowhere(void *ctx)
{
	return write_profile(*(int *)ctx);
}

TEST(works_without_memory)
{
	FILE *file = tmpfile();
	int fd = fileno(file);

	OUT_OF_MEMORY(write_to_nowhere, &fd);
	fclose(file);
}

TEST(full_disk_is_an_error)
{
	FILE *full = fopen("/dev/full", "w");

	if (full) {
		ASSERT_ERR(MW_E_SYSTEM, write_profile(fileno(full)));
		fclose(full);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(all_fields_are_there),
		CASE(works_without_memory),
		CASE(full_disk_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

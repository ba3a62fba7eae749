/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_parse.h"
#include "mw_guard.h"
#include "mw_test.h"

static void check_group(const char *text, unsigned version, const char *path)
{
	unsigned found = 0;
	const char *at = NULL;
	size_t bytes = 0;
	bool any = mw_parse_cgroup(text, strlen(text), &found, &at, &bytes);

	ASSERT_EQ(version, found);
	assert_int_equal(version != 0, any);
	if (any) {
		MW_CLEANUP(mw_freep) char *copy = mw_strndup(at, bytes);

		ASSERT_TEXT(path, copy);
	}
}

TEST(the_group_of_the_memory_controller)
{
	check_group("0::/user.slice/a:b\n", 2, "/user.slice/a:b");
	check_group("0::/", 2, "/");
	check_group("5:memory:/x\n0::/y\n", 1, "/x");
	check_group("0::/y\n7:cpu,memory,pids:/x\n", 1, "/x");
	check_group("5:memoryx:/x\n9:name=memory:/z\n", 0, NULL);
	check_group("", 0, NULL);
	check_group("0::\n0:\n:\nmemory\n", 0, NULL);
}

static const char mounts[] =
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
	"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	"35 31 0:32 /docker/x\\040y /mem\\134ory rw shared:9 master:1 - cgroup "
	"cgroup rw,memory\n"
	"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	"42 31 0:32 /docker /all rw - cgroup cgroup rw,memory\n"
	"43 31 0:32 /../sister /sister rw - cgroup cgroup rw,memory\n";

/** Where @path is found; NULL for nowhere. */
static void check_mount(unsigned version, const char *path, const char *point,
			const char *dir)
{
	MW_CLEANUP(mw_freep) char *ret_point = NULL, *ret_dir = NULL;

	assert_int_equal(dir != NULL,
			 mw_parse_cgroup_mount(mounts, sizeof(mounts) - 1,
					       version, path, &ret_point,
					       &ret_dir));
	if (dir) {
		ASSERT_TEXT(point, ret_point);
		ASSERT_TEXT(dir, ret_dir);
	}
}

TEST(where_a_group_is_mounted)
{
	check_mount(2, "/", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified");
	check_mount(2, "/a/b", "/sys/fs/cgroup/unified",
		    "/sys/fs/cgroup/unified/a/b");
	// Two mounts show it: the one with more groups above it.
	check_mount(1, "/docker/x y", "/all", "/all/x y");
	check_mount(1, "/docker/x y/z", "/all", "/all/x y/z");
	check_mount(1, "/docker", "/all", "/all");
	check_mount(1, "/dockers", NULL, NULL);
	check_mount(1, "/", NULL, NULL);
	// Outside of the reader's namespace
	check_mount(1, "/../sister", "/sister", "/sister");
	check_mount(1, "/../sister/b", "/sister", "/sister/b");
	check_mount(1, "/../sister/../../etc", NULL, NULL);
	check_mount(2, "/../sister", NULL, NULL);
}

TEST(cut_off_mounts_are_none)
{
	// Cut off anywhere: no answer, or a right one.
	for (size_t n = 0; n < sizeof(mounts) - 1; n++) {
		MW_CLEANUP(mw_freep) char *point = NULL, *dir = NULL;
		MW_CLEANUP(mw_freep) char *copy = mw_alloc(n);

		memcpy(copy, mounts, n);
		if (mw_parse_cgroup_mount(copy, n, 1, "/docker/x y/z", &point,
					  &dir))
			assert_true(strcmp(dir, "/mem\\ory/z") == 0 ||
				    strcmp(dir, "/all/x y/z") == 0);
	}
}

TEST(memory_stat_of_both_versions)
{
	static const char one[] = "cache 1\nrss 2\ntotal_cache 300\n"
				  "total_rss 400\ntotal_shmem 5\n"
				  "total_inactive_file 100\n"
				  "total_active_file 20\ntotal_swap 8\n"
				  "hierarchical_memory_limit 8192\nslab 9\n";
	static const char two[] = "anon 400\nfile 300\nkernel_stack 16\n"
				  "pagetables 7\nsock 6\nslab 9\nshmem 5\n"
				  "slab_unreclaimable 4\n"
				  "kernel 99\nanon_thp 3\nfile x\n"
				  "inactive_file 250\nactive_file 60\nanon";
	struct mw_cgroup g = { .version = 1 };

	mw_parse_memory_stat(one, sizeof(one) - 1, &g);
	ASSERT_EQ(400, g.anon_bytes);
	ASSERT_EQ(300, g.file_bytes);
	ASSERT_EQ(5, g.shmem_bytes);
	ASSERT_EQ(8192, g.limit_bytes);
	ASSERT_EQ(120, g.droppable_bytes);
	ASSERT_EQ(8, g.swap_bytes);
	ASSERT_EQ(0, g.slab_bytes);
	g = (struct mw_cgroup){ .version = 2 };
	mw_parse_memory_stat(two, sizeof(two) - 1, &g);
	ASSERT_EQ(400, g.anon_bytes);
	ASSERT_EQ(300, g.file_bytes);
	ASSERT_EQ(16, g.kernel_stack_bytes);
	ASSERT_EQ(7, g.page_table_bytes);
	ASSERT_EQ(6, g.sock_bytes);
	ASSERT_EQ(9, g.slab_bytes);
	ASSERT_EQ(4, g.slab_kept_bytes);
	ASSERT_EQ(99, g.kernel_bytes);
	// No more than there is, though the parts are of different moments.
	ASSERT_EQ(300, g.droppable_bytes);
}

TEST(limits_and_choices)
{
	char word[8];

	ASSERT_EQ(UINT64_MAX, mw_parse_limit("max\n", 4));
	ASSERT_EQ(UINT64_MAX, mw_parse_limit("", 0));
	ASSERT_EQ(4096, mw_parse_limit("4096\n", 5));
	mw_parse_choice("always [madvise] never\n", 23, word, sizeof(word));
	ASSERT_TEXT("madvise", word);
	mw_parse_choice("[defer+madvise]", 15, word, sizeof(word));
	ASSERT_TEXT("defer+m", word);
	mw_parse_choice("always [madvise", 15, word, sizeof(word));
	ASSERT_TEXT("", word);
	mw_parse_choice("] [] [", 6, word, sizeof(word));
	ASSERT_TEXT("", word);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_group_of_the_memory_controller),
		CASE(where_a_group_is_mounted),
		CASE(cut_off_mounts_are_none),
		CASE(memory_stat_of_both_versions),
		CASE(limits_and_choices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "kernel_parse.h"
#include "mw_guard.h"

static void check_mount(const char *text, size_t size, unsigned version)
{
	static const char *const paths[] = { "/", "/a/b", "/../x" };

	for (size_t i = 0; i < MW_COUNT(paths); i++) {
		MW_CLEANUP(mw_freep) char *point = NULL, *dir = NULL;

		if (mw_parse_cgroup_mount(text, size, version, paths[i],
					  &point, &dir))
			CHECK(point && dir && strlen(point) <= size &&
			      strncmp(dir, point, strlen(point)) == 0);
		else
			CHECK(!point && !dir);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *path = NULL;
	unsigned version = 0;
	size_t bytes = 0;
	char word[16];

	if (mw_parse_cgroup(text, size, &version, &path, &bytes)) {
		CHECK(version == 1 || version == 2);
		CHECK(bytes > 0 && path[0] == '/' && path >= text &&
		      path + bytes <= text + size);
		CHECK(!memchr(path, '\n', bytes));
	}
	for (version = 1; version <= 2; version++) {
		struct mw_cgroup group = { .version = version };

		check_mount(text, size, version);
		mw_parse_memory_stat(text, size, &group);
		CHECK(group.version == version && !group.path);
		CHECK(group.droppable_bytes <= group.file_bytes);
	}
	mw_parse_limit(text, size);
	mw_parse_choice(text, size, word, sizeof(word));
	CHECK(memchr(word, '\0', sizeof(word)));
	return 0;
}

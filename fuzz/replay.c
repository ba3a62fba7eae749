/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "mw_guard.h"
#include "mw_num.h"

/*
 * The main() of a fuzz target that is built without libFuzzer: give it every
 * file of the folders on the command line, and print TAP. A broken promise or
 * a crash ends the program behind the line with the name of the file.
 *
 * The input ends where a page ends, and the next page cannot be read, so that
 * reading behind it is seen without sanitizers too.
 */

static int skip_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void stop(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static void replay(const char *path)
{
	MW_CLEANUP(mw_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t size, mapped;
	uint8_t *memory;

	if (fd < 0 || fstat(fd, &st) != 0)
		stop(path);
	size = (size_t)st.st_size;
	mapped = mw_align_up(size, MW_PAGE_BYTES);
	memory = mmap(NULL, mapped + MW_PAGE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED ||
	    mprotect(memory + mapped, MW_PAGE_BYTES, PROT_NONE) != 0 ||
	    read(fd, memory + mapped - size, size) != (ssize_t)size)
		stop(path);
	LLVMFuzzerTestOneInput(memory + mapped - size, size);
	munmap(memory, mapped + MW_PAGE_BYTES);
}

int main(int argc, char **argv)
{
	int number = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < argc; i++) {
		struct dirent **files;
		int count = scandir(argv[i], &files, skip_hidden, alphasort);

		if (count < 0)
			stop(argv[i]);
		for (int k = 0; k < count; k++) {
			MW_CLEANUP(mw_freep) char *path =
				mw_format("%s/%s", argv[i], files[k]->d_name);

			if (!path)
				stop(argv[i]);
			printf("# %s\n", files[k]->d_name);
			replay(path);
			printf("ok %d - %s\n", ++number, files[k]->d_name);
			free(files[k]);
		}
		free(files);
	}
	printf("1..%d\n", number);
	return number > 0 ? 0 : 1;
}

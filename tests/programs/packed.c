// SPDX-License-Identifier: Apache-2.0

// Runs a static program as a packer does: it copies the file's segments to
// anonymous memory, so that no mapping leads to the file, and jumps there.
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void load(int fd, const Elf64_Phdr *p)
{
	unsigned long start = p->p_vaddr & ~(PAGE - 1);
	unsigned long size = p->p_vaddr + p->p_memsz - start;
	int protection = (p->p_flags & PF_R ? PROT_READ : 0) |
			 (p->p_flags & PF_W ? PROT_WRITE : 0) |
			 (p->p_flags & PF_X ? PROT_EXEC : 0);

	if (mmap((void *)start, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) !=
		    (void *)start ||
	    pread(fd, (void *)p->p_vaddr, p->p_filesz, (off_t)p->p_offset) !=
		    (ssize_t)p->p_filesz ||
	    mprotect((void *)start, size, protection) != 0)
		fail("segment");
}

int main(int argc, char **argv)
{
	Elf64_Phdr headers[32];
	Elf64_Ehdr file;
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;

	if (read(fd, &file, sizeof(file)) != sizeof(file) ||
	    file.e_phnum > 32 ||
	    pread(fd, headers, file.e_phnum * sizeof(*headers),
		  (off_t)file.e_phoff) < 0)
		fail("file");
	for (int i = 0; i < file.e_phnum; i++)
		if (headers[i].p_type == PT_LOAD)
			load(fd, &headers[i]);
	close(fd);
	// The stack is as the kernel has made it: argc lies below argv.
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "xor %%edx, %%edx\n\t"
			 "jmp *%1" : : "r"(argv - 1), "r"(file.e_entry) : "rdx");
	return 1;
}

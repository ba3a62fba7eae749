// SPDX-License-Identifier: Apache-2.0

// Blocks that are lost, and others that are held in every place where a
// pointer can stand. Each case has blocks of a size of its own; reported are
// their usable size and number: NAME_usable, NAME_blocks. Built with -DLIBRARY
// it is a library with a variable that has no place in the static TLS. With a
// second argument, two more are held and lost as in a JIT compiler's code.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef LIBRARY
__thread void *in_library;

void **library_variable(void)
{
	return &in_library;
}
#else

enum { FIRST = 200 };

// Where blocks are held.
void *in_data = (void *)1;
void *in_bss;
void *inner, *tagged, *counted, *chain, *array[4];
__thread void *in_tls;
static pthread_key_t keys[40];
void **in_mapping, **in_shared;
static pthread_barrier_t ready;
static void **(*library_variable)(void);

/** Bytes to ask for in case @n: no two cases have a size class in common. */
static size_t size_of(int n)
{
	double bytes = FIRST;

	while (n-- > 0)
		bytes *= 1.27;
	return ((size_t)bytes & ~(size_t)15) + 8;
}

static void say(const char *name, void *block, unsigned blocks)
{
	fprintf(stderr, "%s_usable %zu\n%s_blocks %u\n", name,
		malloc_usable_size(block), name, blocks);
}

/** A block of case @n with nothing in it. */
static void *make(int n)
{
	return calloc(1, size_of(n));
}

/** @blocks of case @n; the first points to the second and so on. */
static void **make_list(int n, unsigned blocks)
{
	void **first = NULL;

	for (unsigned i = 0; i < blocks; i++) {
		void **block = make(n);

		*block = first;
		first = block;
	}
	return first;
}

static void lose(void)
{
	void **head, **ring;

	say("alone", make(0), 1);
	for (int i = 0; i < 4; i++)
		make(0);
	head = make(1);
	head[2] = make_list(2, 9);
	say("head", head, 1);
	say("tail", head[2], 9);
	ring = make_list(3, 3);
	((void **)ring[0])[3] = ring;
	((void **)*(void **)ring[0])[1] = ring;
	say("ring", ring, 3);
	// All that leads to it is an address one byte behind its end.
	ring = make(4);
	ring[0] = (char *)ring + malloc_usable_size(ring);
	say("self", ring, 1);
	for (int i = 0; i < 2; i++) {
		ring = memalign(1024, size_of(5));
		memset(ring, 0, size_of(5));
	}
	say("aligned", ring, 2);
}

static void lose_inner(void)
{
	void **block = make(6);

	block[5] = make(7);
	inner = (char *)block + 100;
	say("inner", block, 1);
	say("below_inner", block[5], 1);
}

static void free_some(void)
{
	void *blocks[40];

	for (int i = 0; i < 40; i++)
		blocks[i] = make(8);
	say("freed", blocks[0], 0);
	for (int i = 0; i < 40; i++)
		free(blocks[i]);
	// Small ones, for fastbins.
	for (int i = 0; i < 40; i++)
		blocks[i] = calloc(1, 40);
	for (int i = 0; i < 40; i++)
		free(blocks[i]);
}

static void hold(void)
{
	uint64_t *block = make(9);

	in_data = block;
	say("in_data", block, 1);
	in_bss = make(10);
	say("in_bss", in_bss, 1);
	tagged = (char *)make(11) + 3;
	say("tagged", (char *)tagged - 3, 1);
	block = make(12);
	block[0] = (size_of(12) - 8) / 32;
	counted = block + 1;
	say("counted", block, 1);
	chain = make_list(13, 1000);
	say("chain", chain, 1000);
	in_tls = make(14);
	say("in_tls", in_tls, 1);
	for (int i = 0; i < 40; i++)
		pthread_key_create(&keys[i], NULL);
	pthread_setspecific(keys[2], make(15));
	say("in_key", pthread_getspecific(keys[2]), 1);
	pthread_setspecific(keys[39], make(16));
	say("in_high_key", pthread_getspecific(keys[39]), 1);
	in_mapping = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	in_mapping[70000] = make(17);
	say("in_mapping", in_mapping[70000], 1);
	in_shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	in_shared[7] = make(18);
	say("in_shared", in_shared[7], 1);
	if (library_variable) {
		*library_variable() = make(19);
		say("in_library", *library_variable(), 1);
	}
	array[2] = memalign(4096, size_of(20));
	say("held_aligned", array[2], 1);
	array[3] = calloc(1, 1 << 20);
	((void **)array[3])[100000] = make(21);
	say("in_large", ((void **)array[3])[100000], 1);
}

/** Two blocks at odd addresses, of memory with and without instructions. */
static void hold_in_code(void)
{
	char *code = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	void *block = make(25);

	// What is read at once ends within it.
	memcpy(code + (1 << 19) - 3, &block, sizeof(block));
	mprotect(code, 1 << 20, PROT_READ | PROT_EXEC);
	say("in_code", block, 1);
	block = make(26);
	memcpy(data + 3, &block, sizeof(block));
	say("askew", block, 1);
}

/** A thread of its own, so that no frame of a living one has been used. */
static void *work(void *with_code)
{
	if (with_code)
		hold_in_code();
	lose();
	lose_inner();
	free_some();
	return NULL;
}

/** Its last instructions keep the block in a register, and nowhere else. */
static void *keep_in_register(void *unused)
{
	void *block = make(22);

	(void)unused;
	say("in_register", block, 1);
	pthread_barrier_wait(&ready);
	// What functions that have returned left below is cleared.
	__asm__ volatile("mov %%rdi, %%r12\n\t"
			 "lea -8192(%%rsp), %%rdi\n\t"
			 "mov $1024, %%ecx\n\t"
			 "xor %%eax, %%eax\n\t"
			 "rep stosq\n\t"
			 "xor %%edi, %%edi\n\t"
			 "xor %%ebx, %%ebx\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "1: mov $34, %%eax\n\t" // pause()
			 "syscall\n\t"
			 "jmp 1b"
			 : : "D"(block) : "memory");
	return NULL;
}

static void *keep_on_stack(void *unused)
{
	void *volatile block = make(23);

	(void)unused;
	say("on_stack", block, 1);
	pthread_barrier_wait(&ready);
	for (;;)
		pause();
	return block;
}

static void *lose_tls(void *unused)
{
	(void)unused;
	in_tls = make(24);
	say("in_dead_tls", in_tls, 1);
	return NULL;
}

static void run(void *(*routine)(void *), void *arg)
{
	pthread_t thread;

	pthread_create(&thread, NULL, routine, arg);
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	pthread_t threads[2];
	void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;

	if (library)
		*(void **)&library_variable =
			dlsym(library, "library_variable");
	hold();
	run(lose_tls, NULL);
	run(work, argc > 2 ? argv[2] : NULL);
	pthread_barrier_init(&ready, NULL, 3);
	pthread_create(&threads[0], NULL, keep_in_register, NULL);
	pthread_create(&threads[1], NULL, keep_on_stack, NULL);
	pthread_barrier_wait(&ready);
	fprintf(stderr, "end 0\n");
	getchar();
	_exit(0);
}
#endif

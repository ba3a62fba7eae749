/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with a thread beside its first one, and libraries with
 * thread-local variables: each argument names one, which is opened when the
 * thread runs. "+" in front: the main thread uses its variables; "-": only the
 * other thread does; "~": it is closed again when the main thread has used it.
 * A library that it is linked with is used by both. The program reports where
 * the main thread has them, by the library's name.
 *
 * With -DLIBRARY=NAME it is such a library: threadlocal_NAME() returns the
 * address of its variable, after it has added @by to what stands there.
 */
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

#ifdef LIBRARY
#ifndef ALIGN
#define ALIGN 8
#endif
#ifndef STORAGE
#define STORAGE
#endif
#ifdef MODEL
#define IN_MODEL __attribute__((tls_model(MODEL)))
#else
#define IN_MODEL
#endif

_Thread_local char PASTE(zeroed_, LIBRARY)[24];
STORAGE _Alignas(ALIGN) _Thread_local long PASTE(var_, LIBRARY) IN_MODEL = 40;

long *PASTE(threadlocal_, LIBRARY)(long by)
{
	PASTE(var_, LIBRARY) += by;
	return &PASTE(var_, LIBRARY);
}
#else
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MOST 16

typedef long *function(long by);

static pthread_barrier_t barrier;
static function *functions[MOST];
static int count;

/* Linked with it or not. */
#ifdef LINKED
function PASTE(threadlocal_, LINKED);
#ifdef SHADOW
/* Which the library gets instead of its own. */
_Thread_local long PASTE(var_, LINKED) = 1000;
#endif
#endif

static void *beside(void *unused)
{
	(void)unused;
	pthread_barrier_wait(&barrier); // it runs
	pthread_barrier_wait(&barrier); // the libraries are there
	for (int i = 0; i < count; i++)
		functions[i](200);
#ifdef LINKED
	PASTE(threadlocal_, LINKED)(200);
#endif
	pthread_barrier_wait(&barrier);
	pause();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	void *pointer;

	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&thread, NULL, beside, NULL);
	pthread_barrier_wait(&barrier);
	for (int i = 1; i < argc; i++) {
		char name[64];
		const char *base = strrchr(argv[i], '/') + 1;
		void *library = dlopen(argv[i] + 1, RTLD_NOW);
		void *found;

		snprintf(name, sizeof(name), "threadlocal_%.*s",
			 (int)strcspn(base, "."), base);
		found = library ? dlsym(library, name) : NULL;
		if (!found) {
			fprintf(stderr, "%s: %s\n", argv[i], dlerror());
			return 1;
		}
		memcpy(&functions[count++], &found, sizeof(found));
		if (*argv[i] != '-')
			fprintf(stderr, "%.*s %p\n", (int)strcspn(base, "."),
				base, (void *)functions[count - 1](2));
		if (*argv[i] == '~') {
			dlclose(library);
			count--;
		}
	}
	pthread_barrier_wait(&barrier);
#ifdef LINKED
	fprintf(stderr, TEXT(LINKED) " %p\n",
		(void *)PASTE(threadlocal_, LINKED)(2));
#endif
	pthread_barrier_wait(&barrier);
	__asm__("mov %%fs:0, %0" : "=r"(pointer));
	fprintf(stderr, "pointer %p\nend 0\n", pointer);
	getchar();
	return 0;
}
#endif

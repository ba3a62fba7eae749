/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_book.h"

TEST(native_memory_behind_cgo)
{
	struct book book;

	book_init(&book);
	book_put(&book, "malloc/glibc/main/in-use", 300);
	book_put(&book, "malloc/glibc/main/free", 20);
	book_arena(&book, "main", 300, 320, 0);
	SILENT(&book, "native-memory"); // a C program is made of it
	book.s.go.is_known = true;
	book.s.go.version = "go1.26.8";
	SPEAKS(&book, "native-memory", 300, "malloc/glibc: 320 MiB");
	book_put(&book, "malloc/glibc/main/in-use", 90);
	SILENT(&book, "native-memory");
}

TEST(what_trimming_gives_back)
{
	struct book book;

	book_init(&book);
	book_put(&book, "malloc/glibc/main/free", 200);
	book_put(&book, "malloc/glibc/thread-1/free", 100);
	book_arena(&book, "main", 100, 300, 20);
	book_arena(&book, "thread-1", 10, 110, 20);
	SILENT(&book, "malloc-trimmable");
	book.arenas[0].trimmable_bytes = MW_MIB(150);
	SPEAKS(&book, "malloc-trimmable", 170, "malloc/glibc/main");
	SPEAKS(&book, "malloc-trimmable", 170, "malloc_trim(0)");
	book.arenas[0].allocator = "jemalloc";
	SPEAKS(&book, "malloc-trimmable", 170, "arena.<i>.purge");
	SPEAKS(&book, "malloc-trimmable", 170, "background_thread:true");
	book.s.rss_bytes = MW_MIB(10);
	book.s.arena_count = 1;
	book.arenas[0].trimmable_bytes = MW_MIB(3);
	SILENT(&book, "malloc-trimmable"); // as every program has
}

TEST(holes_that_trimming_does_not_reach)
{
	struct book book;

	book_init(&book);
	book_put(&book, "malloc/glibc/main/in-use", 400);
	book_put(&book, "malloc/glibc/main/free", 160);
	book_put(&book, "malloc/glibc/main/cache", 40);
	book_put(&book, "malloc/glibc/main/top", 50);
	book_arena(&book, "main", 400, 650, 200);
	// All but 50 of the 200 can be had.
	SILENT(&book, "malloc-fragmentation");
	book.arenas[0].trimmable_bytes = MW_MIB(60);
	SPEAKS(&book, "malloc-fragmentation", 190, "cache 40.0 MiB");
	SPEAKS(&book, "malloc-fragmentation", 190, "with size classes");
	book_put(&book, "malloc/glibc/main/in-use", 900);
	SILENT(&book, "malloc-fragmentation");

	// An allocator with size classes has them, too.
	book_init(&book);
	book_put(&book, "malloc/jemalloc/arena-0/in-use", 400);
	book_put(&book, "malloc/jemalloc/arena-0/free", 160);
	SPEAKS(&book, "malloc-fragmentation", 160, "allocate these apart, or "
	       "after");
}

TEST(free_pages_of_mimalloc)
{
	struct book book;

	book_init(&book);
	book_put(&book, "malloc/mimalloc/main/in-use", 300);
	book_put(&book, "malloc/mimalloc/main/dirty", 40);
	SILENT(&book, "malloc-trimmable");
	book_put(&book, "malloc/mimalloc/abandoned/dirty", 60);
	SPEAKS(&book, "malloc-trimmable", 100, "400 MiB resident");
	SPEAKS(&book, "malloc-trimmable", 100, "MIMALLOC_PURGE_DELAY");
}

TEST(many_arenas)
{
	static const char *const names[] = {
		"thread-1", "thread-2", "thread-3", "thread-4",
		"thread-5", "thread-6", "thread-7", "thread-8",
	};
	struct book book;

	book_init(&book);
	book_arena(&book, "main", 1, 900, 0);
	for (size_t i = 0; i < 7; i++)
		book_arena(&book, names[i], 10, 30, 0);
	SILENT(&book, "malloc-arenas-many");
	book_arena(&book, names[7], 10, 30, 0);
	SPEAKS(&book, "malloc-arenas-many", 160, "240 MiB resident");
	for (size_t i = 1; i < 9; i++)
		book.arenas[i].allocator = "mimalloc"; // as it must be
	SILENT(&book, "malloc-arenas-many");
	for (size_t i = 1; i < 9; i++) {
		book.arenas[i].allocator = "jemalloc";
		book.arenas[i].name = "arena-1";
	}
	SPEAKS(&book, "malloc-arenas-many", 160, "malloc/jemalloc/arena-N");
	for (size_t i = 1; i < 9; i++)
		book.arenas[i].in_use_bytes = MW_MIB(29);
	SILENT(&book, "malloc-arenas-many");
}

TEST(stacks_of_threads)
{
	struct book book;

	book_init(&book);
	book_put(&book, "stack/threads/used", 100);
	book_put(&book, "stack/threads/unused", 10);
	SILENT(&book, "thread-stacks-resident");
	book_put(&book, "stack/threads/unused", 60);
	SPEAKS(&book, "thread-stacks-resident", 60, "100 MiB live");
	book_put(&book, "stack/main/unused", 30);
	SPEAKS(&book, "thread-stacks-resident", 90, "stack/main: 30.0 MiB");
	book.s.threads = 20000; // less than a page of each
	SILENT(&book, "thread-stacks-resident");
}

TEST(idle_threads)
{
	struct book book;

	book_init(&book);
	book_put(&book, "stack/threads/used", 64);
	book.s.threads = book.s.sleeping_threads = 1024;
	SPEAKS(&book, "threads-idle", 64 + 16, "2 processors");
	book.s.cpus = 512; // no more than a large machine may need
	SILENT(&book, "threads-idle");
	book.s.cpus = 2;
	book.s.sleeping_threads = 63;
	SILENT(&book, "threads-idle");
	// Go's own word counts, not the kernel's: a thread in C sleeps, too.
	book.s.sleeping_threads = 1024;
	book.s.go.is_known = book.s.go.has_threads = true;
	book.s.go.version = "go1.26.8";
	book.s.go.idle_threads = 10;
	SILENT(&book, "threads-idle");
	book.s.go.idle_threads = 1024;
	SPEAKS(&book, "threads-idle", 80, "midle");
}

TEST(own_mappings)
{
	struct book book;

	book_init(&book);
	book_put(&book, "anonymous/private", 90);
	SILENT(&book, "anonymous-mappings");
	book_put(&book, "anonymous/cache", 30);
	book.s.ranges[0] = (struct mw_range_share){ 0x7000, 0x9000,
						    MW_MIB(80) };
	SPEAKS(&book, "anonymous-mappings", 120, "7000-9000 (80.0 MiB)");
}

TEST(runtimes_that_map_their_heaps)
{
	static const struct {
		const char *image, *word;
	} cases[] = {
		{ "libjvm.so", "As libjvm.so tells, the Java heap (-Xmx)" },
		{ "node", "As node tells, V8's heap" },
		{ "libnode.so.108", "As libnode.so.108 tells, V8's heap" },
		{ "php8.2", "PHP's memory manager" },
		{ "libphp8.2.so", "PHP's memory manager" },
		{ "php-fpm8.2", "PHP's memory manager" },
		{ "ruby3.1", "Ruby's heap" },
		{ "libruby-3.1.so.3.1", "Ruby's heap" },
		{ "qemu-system-x86_64", "the guest's memory (-m)" },
		{ "libcoreclr.so", ".NET's heap" },
		{ "mono-sgen", "Mono's heap" },
		{ "libmonosgen-2.0.so.1", "Mono's heap" },
		{ "beam.smp", "Erlang's allocators" },
		{ "libxul.so", "about:memory" },
		// Not V8 and not Ruby.
		{ "node_exporter", "Caches off the heap" },
		{ "rubyish", "Caches off the heap" },
		{ "libc.so.6", "Caches off the heap" },
	};
	const char *images[] = { "other", NULL };
	struct book book;

	book_init(&book);
	book_put(&book, "anonymous/private", 120);
	book.s.images = images;
	book.s.image_count = MW_COUNT(images);
	for (size_t i = 0; i < MW_COUNT(cases); i++) {
		images[1] = cases[i].image;
		SPEAKS(&book, "anonymous-mappings", 120, cases[i].word);
	}
}

TEST(executables)
{
	struct book book;

	book_init(&book);
	book_put(&book, "binary/.text", 100);
	SILENT(&book, "binary-large");
	book_put(&book, "binary/.gopclntab", 80);
	SPEAKS(&book, "binary-large", 180, ".gopclntab (80.0 MiB)");
	book.s.rss_bytes = MW_MIB(20);
	book_put(&book, "binary/.gopclntab", 0);
	book_put(&book, "binary/.text", 15);
	SILENT(&book, "binary-large"); // every small program is mostly that
	// Neither part is large for itself.
	book.s.rss_bytes = MW_MIB(60);
	book_put(&book, "binary/.bss", 10);
	SILENT(&book, "binary-large");
	book_put(&book, "binary/.bss", 30);
	SPEAKS(&book, "binary-large", 30, "global variables");
	book_put(&book, "binary/.text", 40);
	SPEAKS(&book, "binary-large", 40, "less 30.0 MiB of zeroed variables");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(native_memory_behind_cgo),
		CASE(what_trimming_gives_back),
		CASE(holes_that_trimming_does_not_reach),
		CASE(free_pages_of_mimalloc),
		CASE(many_arenas),
		CASE(stacks_of_threads),
		CASE(idle_threads),
		CASE(own_mappings),
		CASE(runtimes_that_map_their_heaps),
		CASE(executables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

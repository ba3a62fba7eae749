/* SPDX-License-Identifier: Apache-2.0 */
#include <fnmatch.h>
#include <string.h>

#include "cmd.h"

/*
 * What the accounts mean: a few words for the tree, a sentence for --explain.
 * The first pattern that fits counts; * stands for anything. A test sees to it
 * that every account has an entry.
 */
static const struct {
	const char *pattern, *gloss, *sentence;
} entries[] = {
	{ "go", "Go's runtime and what it manages",
	  "Memory that the Go runtime has got from the kernel: the heap, the "
	  "goroutines' stacks and its own structures." },
	{ "go/heap", "Go's heap, in arenas of 64 MiB",
	  "The heap is cut into pages of 8 KiB; a span is a run of pages for "
	  "objects of one size class." },
	{ "go/heap/objects", "allocated: live, or garbage not yet swept",
	  "Slots that hold an object. Those that nothing refers to any more "
	  "count until the collector has swept them. Its VSZ is the "
	  "program's own MemStats.HeapAlloc." },
	{ "go/heap/free-slots", "holes inside spans that are in use",
	  "Slots without an object in spans that hold at least one: free for "
	  "objects of the same size class only (fragmentation)." },
	{ "go/heap/span-tail", "rests of spans that no slot covers",
	  "Bytes of spans in use behind the last slot: rounding, and the "
	  "pointer and mark bits that newer releases keep there." },
	{ "go/heap/idle", "freed by the program, kept by the runtime",
	  "Pages of the heap without a span that the runtime keeps for new "
	  "spans; the scavenger gives them back to the kernel by and by." },
	{ "go/heap/scavenged", "given back to the kernel",
	  "Pages of the heap without a span that were given back with madvise, "
	  "or have never been touched. Where they are resident all the same, "
	  "the kernel has filled them up, for huge pages; or they were given "
	  "back with MADV_FREE, as by Go 1.12 to 1.15, and the kernel has had "
	  "no need of them yet." },
	{ "go/heap/reserved", "address space that was never used",
	  "The part of the arenas that the heap has not grown into. It costs "
	  "nothing but address space." },
	{ "go/stacks", "goroutines' stacks",
	  "Spans of the heap that serve as stacks, for goroutines, and for the "
	  "runtime's own work on each thread." },
	{ "go/stacks/used", "live frames",
	  "From the stack pointer up to the top of each stack." },
	{ "go/stacks/unused", "room below the live frames",
	  "Stacks double when they are full and shrink by half during a "
	  "collection, so up to three quarters can be room." },
	{ "go/stacks/cached", "free stacks, kept for new goroutines",
	  "Stacks that no goroutine has: in the caches of the Ps, in the pool, "
	  "or the rest of a span." },
	{ "go/runtime", "the runtime's own structures",
	  "What the runtime needs to manage the heap, the stacks and the "
	  "goroutines. It does not shrink after a peak." },
	{ "go/runtime/mspan", "descriptions of spans",
	  "An mspan of about 160 bytes for each span that there ever was at a "
	  "time." },
	{ "go/runtime/span-sets", "lists of spans by size class",
	  "The mcentral's sets of partly free and full spans." },
	{ "go/runtime/gc-bits", "allocation and mark bits of spans",
	  "One bit an object, twice: which slots are allocated and which were "
	  "marked by the collector." },
	{ "go/runtime/gc-work", "buffers of the garbage collector",
	  "Lists of objects that are still to be scanned." },
	{ "go/runtime/page-alloc", "which pages of the heap are free",
	  "The page allocator's bitmaps, the summaries over them and the "
	  "scavenger's index. Reserved for the whole address space, touched "
	  "where there is heap." },
	{ "go/runtime/spans-index", "which span a page belongs to",
	  "An entry for each page of an arena." },
	{ "go/runtime/heap-arenas", "descriptions of arenas",
	  "What the runtime keeps for each arena of 64 MiB besides the index of "
	  "spans and the bitmap." },
	{ "go/runtime/arena-index", "from an address to its arena",
	  "A table with an entry for each possible arena, 32 MiB of address "
	  "space of which a page or two are used." },
	{ "go/runtime/bitmap", "which words of the heap are pointers",
	  "Up to Go 1.21 the heap's pointer bitmap stands apart, 1/32 or 1/64 "
	  "of the heap." },
	{ "go/runtime/allspans", "list of all spans", "8 bytes a span." },
	{ "go/runtime/mcache", "each P's cache of spans",
	  "A P allocates small objects from its own spans, without a lock." },
	{ "go/runtime/specials", "finalizers, cleanups, profile records",
	  "Records that hang on single objects." },
	{ "go/runtime/profile-buckets", "stacks in the memory profile",
	  "A record for each call stack that was sampled by the memory, block "
	  "or mutex profile, and their hash table. Never freed." },
	{ "go/runtime/itabs", "method tables made at run time",
	  "For pairs of interface and type that the compiler did not foresee." },
	{ "go/runtime/root-masks", "which variables hold pointers",
	  "Bitmaps of the data and bss sections." },
	{ "go/runtime/arena-hints", "where the heap may grow", NULL },
	{ "go/runtime/poll-descs", "network poller's descriptors",
	  "One for each file or connection that there ever was at a time." },
	{ "go/runtime/trace", "buffers of runtime/trace",
	  "Events that an execution trace or the flight recorder has taken down "
	  "and nobody has read yet, and tables of stacks and strings: 64 KiB "
	  "each, given back when tracing ends." },
	{ "go/runtime/getrandom", "state of the vdso's random numbers", NULL },
	{ "go/runtime/persistent", "runtime memory not told further",
	  "In the chunks from which the runtime takes what it never frees, but "
	  "of which structure is not told." },
	{ "go/runtime/persistent-free", "runtime memory not handed out yet",
	  "The rest of the chunks from which the runtime takes what it never "
	  "frees." },

	{ "binary", "the program's file, by section",
	  "The executable as it is mapped, with what was written to it since." },
	{ "library", "shared objects, by section",
	  "Shared objects, the dynamic loader included. Their code is shared "
	  "with all processes that use them." },
	{ "library/*/early-malloc", "the loader's own memory",
	  "What the dynamic loader allocated before malloc existed: its list of "
	  "objects, and more." },
	{ "*/.text", "machine code", NULL },
	{ "*/.rodata*", "constants and literals", NULL },
	{ "*/.gopclntab", "Go's table of functions and lines",
	  "Needed for stack traces and by the garbage collector; it stays when "
	  "a binary is stripped." },
	{ "*/.noptrdata", "initialised variables without pointers", NULL },
	{ "*/.noptrbss", "zeroed variables without pointers", NULL },
	{ "*/.data", "initialised variables", NULL },
	{ "*/.bss", "zeroed variables", NULL },
	{ "*/.data.rel.ro*", "constants with addresses in them", NULL },
	{ "*/.typelink", "Go's list of types", NULL },
	{ "*/.itablink", "Go's method tables", NULL },
	{ "*/.go.*", "facts for Go's runtime and tools", NULL },
	{ "*/.got*", "addresses of variables and functions", NULL },
	{ "*/.plt*", "calls to other objects", NULL },
	{ "*/.dyn*", "for the dynamic loader", NULL },
	{ "*/.rel*", "for the dynamic loader", NULL },
	{ "*/.*hash", "for the dynamic loader", NULL },
	{ "*/.gnu.version*", "for the dynamic loader", NULL },
	{ "*/.interp", "for the dynamic loader", NULL },
	{ "*/.eh_frame*", "how to unwind the stack", NULL },
	{ "*/.gcc_except_table", "how to unwind the stack", NULL },
	{ "*/.note*", "notes", NULL },
	{ "*/.tdata", "initial values of thread-local variables", NULL },
	{ "*/.init*", "what runs at the start", NULL },
	{ "*/.fini*", "what runs at the end", NULL },
	{ "binary/.*", "a section of the file", NULL },
	{ "*/headers", "ELF header and program headers", NULL },
	{ "binary/padding", "mapped bytes outside every section",
	  "The kernel maps whole pages; what lies between and behind the "
	  "sections comes along." },
	{ "*/padding", "mapped bytes outside every section", NULL },
	{ "*/segment-*", "a part of a file without section table", NULL },

	{ "kernel", "mapped by the kernel", NULL },
	{ "kernel/vdso", "system calls without entering the kernel",
	  "A small library that the kernel maps into every process, for the "
	  "clock above all." },
	{ "kernel/vvar", "data for the vdso", NULL },
	{ "kernel/vsyscall", "old entry points", NULL },
	{ "kernel/*", "mapped by the kernel", NULL },

	{ "stack", "stacks of threads", NULL },
	{ "stack/main", "stack of the first thread", NULL },
	{ "stack/main/environment", "arguments, environment, auxv",
	  "What the kernel put on the stack when the program started: argc, "
	  "argv, the environment, the auxiliary vector, the file's name." },
	{ "stack/main/used", "live frames", NULL },
	{ "stack/main/unused", "below the live frames",
	  "Pages that were used once by deeper calls, or by the kernel and the "
	  "loader at the start." },
	{ "stack/threads", "stacks of the other threads", NULL },
	{ "stack/threads/used", "live frames", NULL },
	{ "stack/threads/unused", "below the live frames",
	  "Room of the threads' stacks, touched once or never; and the stacks "
	  "of ended threads that the C library keeps for new ones." },
	{ "stack/threads/guard", "pages that catch an overflow", NULL },
	{ "stack/threads/tls", "thread-local variables and descriptors", NULL },

	{ "malloc", "blocks of C and the like, by allocator", NULL },
	{ "malloc/glibc", "the GNU C library's malloc",
	  "Arenas, in which blocks are cut one behind the other; blocks of "
	  "128 KiB and more get mappings of their own." },
	{ "malloc/jemalloc", "jemalloc",
	  "Extents of pages, by arena: slabs of small blocks of one size, and "
	  "large blocks; free extents are given back after a while." },
	{ "malloc/jemalloc/hpa", "what no block has of pieces of 2 MiB",
	  "With MALLOC_CONF=hpa:true small extents come from such pieces, so "
	  "that the kernel may give huge pages. A quarter as many free pages "
	  "as are in use are kept; arena.<i>.purge leaves these." },
	{ "malloc/mimalloc", "mimalloc",
	  "Pages with blocks of one size, by the thread that owns them, in "
	  "segments of 32 MiB or, in mimalloc 3, arenas of a gigabyte; free "
	  "ones are given back after a while, by the threads themselves." },
	{ "malloc/musl", "musl's malloc (mallocng)",
	  "Groups of at most 32 slots of one size, which are given back when "
	  "all of their slots are free." },
	{ "malloc/pymalloc", "CPython's small objects",
	  "CPython takes objects of up to 512 bytes from arenas of its own, of "
	  "256 KiB up to 3.9 and of 1 MiB since, which are cut into pools of "
	  "blocks of one size; an arena is given back when all of its pools "
	  "are free. Larger ones come from malloc. It tells the same: "
	  "sys._debugmallocstats()." },
	{ "malloc/pymalloc/*/dirty", "free pools, not given back",
	  "Pools without a block, in arenas of which other pools have some." },
	{ "malloc/pymalloc/*/reserved", "arenas' ends, never used",
	  "Of each arena, what no pool was made of yet, and what lies before "
	  "the first one." },
	{ "malloc/google-tcmalloc", "TCMalloc (Google's)",
	  "Spans of pages in regions of 1 GiB: a large block, or small blocks "
	  "of one size, which move between CPUs or threads in caches." },
	{ "malloc/google-tcmalloc/metadata", "the allocator's own structures",
	  "Descriptions of spans, caches, the page map." },
	{ "malloc/tcmalloc", "TCMalloc (gperftools)",
	  "Spans of pages: free, a large block, or small blocks of one size, "
	  "which move between threads in caches." },
	{ "malloc/tcmalloc/metadata", "the allocator's own structures",
	  "Descriptions of spans, the threads' caches, the page map." },
	{ "malloc/*/heap", "what all threads share", NULL },
	{ "malloc/*/abandoned", "of threads that have ended",
	  "Memory with blocks of threads that have ended; another thread takes "
	  "it over when it needs some." },
	{ "malloc/*/*/in-use", "blocks that the program has",
	  "Blocks that were handed out and not freed, with what malloc needs "
	  "for each (8 bytes a block in glibc) and what rounding adds." },
	{ "malloc/*/*/free", "holes between blocks",
	  "Freed blocks that malloc keeps for new ones: they stay because "
	  "something behind them is in use, or because nobody asked for them "
	  "back (`memwhy malloc` tells what malloc_trim would return)." },
	{ "malloc/*/*/cache", "free blocks, kept for one thread",
	  "Freed blocks in the cache of a thread (glibc's tcache), which only "
	  "that thread will use again. They are no leak." },
	{ "malloc/*/*/top", "the end of the heap, not handed out",
	  "Room behind the last block. It is given back when it is large, or "
	  "by malloc_trim." },
	{ "malloc/*/*/metadata", "the allocator's own structures",
	  "Descriptions of arenas and heaps, the threads' caches." },
	{ "malloc/*/*/mmapped", "large blocks in use, a mapping for each",
	  "Blocks above the threshold (128 KiB at first, it grows to 32 MiB as "
	  "such blocks are freed): free() gives each back at once." },
	{ "malloc/*/*/dirty", "free pages, not given back",
	  "Whole pages without a block, which stay resident until the "
	  "allocator purges them: after a while, or when it is asked "
	  "(`memwhy malloc` tells how much)." },
	{ "malloc/*/*/muzzy", "free pages, given back lazily",
	  "Pages without a block that the kernel may take when it needs them "
	  "(MADV_FREE); until then they are resident." },
	{ "malloc/*/*/retained", "free pages, given back",
	  "Pages whose memory was given back and whose addresses are kept for "
	  "new blocks." },
	{ "malloc/*/*/reserved", "address space that was never used",
	  "Reserved at once and used as it is needed: 64 MiB for each heap of "
	  "a thread's arena in glibc. It costs nothing but address space." },
	{ "malloc/*/*/foreign", "in the program break, not malloc's",
	  "Parts of the program break that somebody else got with sbrk; glibc "
	  "counts them as its own." },
	{ "malloc/*/main", "the first arena",
	  "The main thread's arena, which grows with the program break; other "
	  "threads use it, too, when there are more threads than arenas." },
	{ "malloc/*/arena-*", "an arena",
	  "Threads are divided among the arenas, so that they need not wait "
	  "for each other." },
	{ "malloc/*/copy*", "of another copy of the allocator",
	  "A second copy of the same allocator in the process." },
	{ "malloc/*/base", "the allocator's own memory", NULL },
	{ "malloc/*/libc*", "arena of another copy of the C library",
	  "A second C library in the process (dlmopen) has its own arenas." },
	{ "malloc/*/thread-*", "an arena of threads",
	  "glibc gives threads arenas of their own, up to eight a processor, so "
	  "that they need not wait for each other; by age." },
	{ "malloc/unwalked", "not told apart further",
	  "Memory of malloc whose blocks are not told apart." },
	{ "malloc/unwalked/brk", "[heap]: the program break",
	  "What of the program break no malloc that was recognised owns, such "
	  "as a static executable's own first TLS." },
	{ "malloc/unwalked/google-tcmalloc", "regions of Google's TCMalloc",
	  "Of a release whose structures are not known." },
	{ "malloc/unwalked/arenas", "arenas of threads",
	  "glibc gives threads arenas of their own, of 64 MiB each, so that "
	  "they need not wait for each other." },
	{ "malloc/unwalked/reserved", "arenas' unused address space",
	  "glibc reserves 64 MiB for each arena of a thread and makes of it "
	  "usable what is needed." },

	{ "file", "mapped files", NULL },
	{ "file/*", "a mapped file", NULL },
	{ "shm", "shared memory", NULL },
	{ "shm/*", "shared memory", NULL },
	{ "anonymous", "anonymous memory", NULL },
	{ "anonymous/private", "the program's own mappings",
	  "Anonymous memory that the program has mapped itself, or an allocator "
	  "that is not known; --verbose lists the ranges." },
	{ "anonymous/race-detector", "what -race keeps of each word",
	  "A Go program that was built with -race has several bytes of shadow "
	  "for each byte of its own." },
	{ "anonymous/*", "anonymous memory with a name", NULL },
	{ "unknown", "could not be resolved", NULL },
	{ "unknown/go-torn", "changed while it was read",
	  "Pages of the Go heap that the program was just changing; --stop "
	  "gives exact books." },
	{ "unknown/malloc-torn", "changed while it was read, or damaged",
	  "Parts of a malloc arena to which no chain of blocks leads; --stop "
	  "gives exact books, unless the heap is damaged." },
	{ "unknown/unreadable", "could not be read",
	  "Memory that would have told more could not be read: it is swapped "
	  "out, or has gone." },
	{ "unknown/contested", "claimed twice: please report", NULL },
	{ "unknown/unplaced", "resident, but the kernel tells not where", NULL },
	{ "unknown/*", "could not be resolved", NULL },
};

static size_t find(const char *account)
{
	size_t count = sizeof(entries) / sizeof(entries[0]);

	for (size_t i = 0; i < count; i++)
		if (fnmatch(entries[i].pattern, account, 0) == 0)
			return i;
	return count;
}

const char *cmd_gloss(const char *account)
{
	size_t i = find(account);

	return i < sizeof(entries) / sizeof(entries[0]) ? entries[i].gloss
							: NULL;
}

const char *cmd_explanation(const char *account)
{
	size_t i = find(account);

	if (i == sizeof(entries) / sizeof(entries[0]))
		return NULL;
	return entries[i].sentence ? entries[i].sentence : entries[i].gloss;
}

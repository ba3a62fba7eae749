/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_book.h"

/** A Go program with a heap in which nothing is remarkable. */
static void go_init(struct book *book)
{
	book_init(book);
	book->s.go = (struct mw_go_situation){
		.is_known = true,
		.version = "go1.26.8",
		.has_gc = true,
		.gogc = 100,
		.cycles = 12,
		.marked_bytes = MW_MIB(500),
		.goal_bytes = MW_MIB(1000),
		.ready_bytes = MW_MIB(900),
	};
	book_put(book, "go/heap/objects", 510);
	book_put(book, "go/heap/free-slots", 20);
	book_put(book, "go/heap/idle", 30);
	book_put(book, "go/runtime/mspan", 10);
}

TEST(a_quiet_program_has_no_findings)
{
	struct mw_findings findings = { 0 };
	struct book book;

	go_init(&book);
	ASSERT_OK(mw_findings_look(&book.s, &findings));
	ASSERT_EQ(0, findings.list.n);
	mw_findings_free(&findings);
}

TEST(idle_pages)
{
	struct book book;

	go_init(&book);
	book_put(&book, "go/heap/idle", 99);
	SILENT(&book, "heap-idle-retained");
	book_put(&book, "go/heap/idle", 101);
	SPEAKS(&book, "heap-idle-retained", 101, "The scavenger leaves it");
	book.s.go.to_scavenge_bytes = MW_MIB(7);
	SPEAKS(&book, "heap-idle-retained", 101, "return 7.00 MiB");
	SPEAKS(&book, "heap-idle-retained", 101, "Wait for the scavenger");
}

TEST(small_processes_have_no_small_findings)
{
	struct book book;

	go_init(&book);
	book.s.rss_bytes = MW_KIB(2000);
	book_put(&book, "go/heap/idle", 0);
	book.accounts[2].tally.rss_bytes = MW_KIB(1000);
	SILENT(&book, "heap-idle-retained");
	book.s.rss_bytes = MW_MIB(12);
	book.accounts[2].tally.rss_bytes = MW_MIB(3);
	SILENT(&book, "heap-idle-retained");
	book.accounts[2].tally.rss_bytes = MW_MIB(4);
	SPEAKS(&book, "heap-idle-retained", 4, "heap/idle");
}

TEST(scavenged_and_resident)
{
	struct book book;

	// On huge pages: refilled. Otherwise: lazily freed.
	go_init(&book);
	book_put(&book, "go/heap/scavenged", 100);
	book.s.go.heap_huge_bytes = MW_MIB(400);
	book.s.thp = (struct mw_thp_situation){ true, "always", "madvise",
						511 };
	SPEAKS(&book, "heap-scavenged-refilled", 100, "max_ptes_none 511");
	SILENT(&book, "lazily-freed");
	book.s.go.heap_huge_bytes = MW_MIB(2);
	book.s.huge_bytes = MW_MIB(400); // of C, that is
	SILENT(&book, "heap-scavenged-refilled");
	SPEAKS(&book, "lazily-freed", 100, "go/heap/scavenged");
	book_put(&book, "go/heap/scavenged", 40);
	SILENT(&book, "lazily-freed");
}

TEST(lazy_free_as_smaps_has_it)
{
	struct book book;

	go_init(&book);
	book.s.has_smaps = true;
	book.s.pss_bytes = book.s.rss_bytes;
	book_put(&book, "go/heap/scavenged", 100);
	SILENT(&book, "lazily-freed");
	book.s.lazy_free_bytes = MW_MIB(90);
	SPEAKS(&book, "lazily-freed", 90, "LazyFree");
}

TEST(fragmentation_and_its_classes)
{
	struct book book;

	go_init(&book);
	book_put(&book, "go/heap/free-slots", 120);
	SILENT(&book, "heap-fragmentation"); // less than 20 % of the spans
	book_put(&book, "go/heap/free-slots", 200);
	book.s.go.has_spans = true;
	book.s.go.classes[0].elem_bytes = 1024;
	book.s.go.classes[0].elems = 1000;
	book.s.go.classes[0].allocated = 10;
	book.s.go.classes[0].free_bytes = MW_MIB(1);
	SPEAKS(&book, "heap-fragmentation", 200, "10 of 1000 slots");
	book.s.go.classes[1] = book.s.go.classes[0];
	book.s.go.classes[1].elem_bytes = 64;
	SPEAKS(&book, "heap-fragmentation", 200,
	       "; most in objects of 1024 bytes: 1.00 MiB free, 10 of 1000 "
	       "slots used in 0 spans; objects of 64 bytes");
}

TEST(headroom)
{
	struct book book;

	go_init(&book);
	book_put(&book, "go/heap/objects", 620);
	SILENT(&book, "heap-gogc-headroom"); // 24 % of what is alive
	book_put(&book, "go/heap/objects", 800);
	SPEAKS(&book, "heap-gogc-headroom", 300, "GOGC=100");
	book.s.go.cycles = 0; // nothing to compare with
	SILENT(&book, "heap-gogc-headroom");
}

TEST(collector_off)
{
	struct book book;

	go_init(&book);
	book_put(&book, "go/heap/objects", 800);
	SILENT(&book, "gc-off");
	book.s.go.gc_off = true;
	SPEAKS(&book, "gc-off", 300, "12 collections");
	SILENT(&book, "heap-gogc-headroom");
	book.s.go.has_limit = true;
	book.s.go.limit_bytes = MW_GIB(4);
	SILENT(&book, "gc-off");
}

TEST(memory_limit)
{
	struct book book;

	go_init(&book);
	book.s.go.has_limit = true;
	book.s.go.limit_bytes = MW_MIB(950);
	SILENT(&book, "memory-limit-reached"); // GOGC still sets the goal
	book.s.go.goal_is_limited = true;
	SPEAKS(&book, "memory-limit-reached", 900, "set by the limit");
	book.s.go.limit_bytes = MW_MIB(1100);
	SILENT(&book, "memory-limit-reached");
	book.s.go.cpu_limiter_cycle = 11;
	SPEAKS(&book, "memory-limit-reached", 900, "last on in cycle 11");
	book.s.go.cycles = 100;
	SILENT(&book, "memory-limit-reached");
	book.s.go.limit_bytes = MW_MIB(800);
	SPEAKS(&book, "memory-limit-reached", 900, "memoryLimit 838860800");
}

TEST(zeroed_large_objects)
{
	static const char *const sound[] = {
		"go1.23.12", "go1.24.6", "go1.24.13", "go1.25.0",
		"unknown",   "go1.2",	 "devel",     "go2.24.0",
	};
	struct book book;

	go_init(&book);
	book.s.go.has_spans = true;
	book.s.go.large_scan_bytes = MW_MIB(400);
	book.s.go.sampled_pages = 1000;
	book.s.go.zero_pages = 500;
	for (size_t i = 0; i < MW_COUNT(sound); i++) {
		book.s.go.version = sound[i];
		SILENT(&book, "go1.24-large-zeroing");
	}
	book.s.go.version = "go1.24.5";
	SPEAKS(&book, "go1.24-large-zeroing", 200, "1000 resident pages");
	book.s.go.version = "go1.24.0 X:nogreenteagc";
	book.s.go.zero_pages = 100;
	SILENT(&book, "go1.24-large-zeroing");
}

TEST(forced_huge_pages)
{
	struct book book;

	go_init(&book);
	book.s.huge_bytes = MW_MIB(300);
	book.s.go.version = "go1.21.4";
	SILENT(&book, "go1.21-huge-pages");
	book.s.go.version = "go1.21.0";
	SPEAKS(&book, "go1.21-huge-pages", 60, "300 MiB");
	book.s.huge_bytes = MW_MIB(10);
	SILENT(&book, "go1.21-huge-pages");
}

TEST(profile_records)
{
	struct book book;

	go_init(&book);
	book_put(&book, "go/runtime/profile-buckets", 49);
	SILENT(&book, "profile-buckets");
	book_put(&book, "go/runtime/profile-buckets", 120);
	SPEAKS(&book, "profile-buckets", 120, "BuckHashSys");
	SILENT(&book, "runtime-metadata");
}

TEST(metadata_of_a_peak)
{
	struct book book;

	go_init(&book);
	book_put(&book, "go/runtime/mspan", 90);
	SILENT(&book, "runtime-metadata"); // a large heap needs as much
	book_put(&book, "go/heap/objects", 200);
	SILENT(&book, "runtime-metadata"); // the heap was never larger
	book_put(&book, "go/heap/scavenged", 300);
	SPEAKS(&book, "runtime-metadata", 90, "mspan (90.0 MiB)");
	// A ballast: allocated, and never touched.
	book_map(&book, "go/heap/objects", 4000);
	SILENT(&book, "runtime-metadata");
}

TEST(stacks_that_have_grown)
{
	struct book book;

	go_init(&book);
	book_put(&book, "go/stacks/unused", 200);
	book.s.go.has_goroutines = true;
	book.s.go.grown = 100;
	book.s.go.grown_bytes = MW_MIB(150);
	book.s.go.grown_used_bytes = MW_MIB(140);
	SILENT(&book, "goroutine-stacks-grown");
	book.s.go.grown_used_bytes = MW_MIB(10);
	book.s.go.grown_at = (struct mw_share){ "main.deep", 99, 4096 };
	SPEAKS(&book, "goroutine-stacks-grown", 140, "main.deep");
	SPEAKS(&book, "goroutine-stacks-grown", 140, "100 goroutines have");
	book.s.go.grown = book.s.go.grown_at.count = 1;
	SPEAKS(&book, "goroutine-stacks-grown", 140,
	       "A goroutine has a stack that was grown to 150 MiB");
	SPEAKS(&book, "goroutine-stacks-grown", 140, "in 1 goroutine)");
}

TEST(many_goroutines)
{
	struct book book;

	go_init(&book);
	book_put(&book, "go/stacks/used", 100);
	book.s.go.has_goroutines = true;
	book.s.go.stack_bytes = MW_MIB(90);
	book.s.go.goroutines = 999;
	SILENT(&book, "goroutines-many");
	book.s.go.goroutines = 50000;
	book.s.go.creators[0] = (struct mw_share){ "main.serve", 49000, 1 };
	book.s.go.waits[0] = (struct mw_share){ "chan receive", 48000, 0 };
	SPEAKS(&book, "goroutines-many", 90, "main.serve (49000, 1 B); most");
}

TEST(dead_goroutines)
{
	struct book book;

	go_init(&book);
	book.s.go.has_goroutines = true;
	book.s.go.goroutines = 50000;
	book.s.go.dead = 150000;
	SILENT(&book, "goroutines-dead"); // so many are in use, too
	book.s.go.goroutines = 10;
	book.s.go.dead = MW_MIB(1);
	SPEAKS(&book, "goroutines-dead", 440, "1048576 dead");
	book.s.go.dead = 50000;
	SILENT(&book, "goroutines-dead");
}

TEST(race_shadow)
{
	struct book book;

	go_init(&book);
	book_put(&book, "anonymous/private", 300);
	SPEAKS(&book, "anonymous-mappings", 300, "anonymous/private");
	SILENT(&book, "race-detector");
	book_put(&book, "anonymous/private", 10);
	book_put(&book, "anonymous/race-detector", 290);
	book_put(&book, "binary/.bss", 7);
	SPEAKS(&book, "race-detector", 290, "0x200000000000");
	SPEAKS(&book, "race-detector", 290, "binary/.bss (7.00 MiB)");
	SILENT(&book, "anonymous-mappings");
}

static struct mw_error *look(void *ctx)
{
	const struct book *book = ctx;
	struct mw_findings findings = { 0 };
	struct mw_error *error = mw_findings_look(&book->s, &findings);

	mw_findings_free(&findings);
	return error;
}

TEST(memory_may_be_short)
{
	struct book book;

	go_init(&book);
	book_put(&book, "go/heap/idle", 100);
	book_put(&book, "go/heap/free-slots", 300);
	book_put(&book, "anonymous/private", 300);
	book.s.go.has_spans = true;
	book.s.go.classes[0].free_bytes = 1;
	OUT_OF_MEMORY(look, &book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_quiet_program_has_no_findings),
		CASE(idle_pages),
		CASE(small_processes_have_no_small_findings),
		CASE(scavenged_and_resident),
		CASE(lazy_free_as_smaps_has_it),
		CASE(fragmentation_and_its_classes),
		CASE(headroom),
		CASE(collector_off),
		CASE(memory_limit),
		CASE(zeroed_large_objects),
		CASE(forced_huge_pages),
		CASE(profile_records),
		CASE(metadata_of_a_peak),
		CASE(stacks_that_have_grown),
		CASE(many_goroutines),
		CASE(dead_goroutines),
		CASE(race_shadow),
		CASE(memory_may_be_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

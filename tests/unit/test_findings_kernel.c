/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_book.h"

TEST(mapped_files)
{
	struct book book;

	book_init(&book);
	book_put(&book, "file/var/lib/x.db", 99);
	SILENT(&book, "mapped-files");
	book_put(&book, "file/var/lib/y.db", 200);
	SPEAKS(&book, "mapped-files", 299, " /var/lib/y.db (200 MiB)");
	book.s.has_smaps = true;
	book.s.pss_bytes = book.s.rss_bytes;
	book.s.file_dirty_bytes = MW_MIB(5);
	SPEAKS(&book, "mapped-files", 299, "5.00 MiB of them are dirty");
}

TEST(shared_memory)
{
	struct book book;

	book_init(&book);
	book_put(&book, "shm/memfd:ring", 99);
	SILENT(&book, "shared-memory");
	book_put(&book, "shm/memfd:ring", 400);
	SPEAKS(&book, "shared-memory", 400, "memfd:ring (400 MiB)");
	SPEAKS(&book, "shared-memory", 400, "outlives the process");
}

TEST(shared_memory_without_a_name)
{
	struct book book;

	book_init(&book);
	book_put(&book, "shm/anonymous", 400);
	book_put(&book, "shm/sysv:00000001 id 7", 1);
	SPEAKS(&book, "shared-memory", 401, "goes with the last process");
	book.s.rss_bytes = MW_MIB(20);
	book_put(&book, "shm/anonymous", 6);
	SILENT(&book, "shared-memory"); // a few MiB are no news
}

TEST(files_that_are_not_reclaimable)
{
	struct book book;

	book_init(&book);
	book_put(&book, "file/var/lib/x.db", 300);
	book.s.file_copy_bytes = MW_MIB(100);
	SPEAKS(&book, "mapped-files", 200, "less 100 MiB");
	book.s.locked_bytes = MW_MIB(40);
	SPEAKS(&book, "mapped-files", 160, "less 140 MiB");
	book.s.locked_bytes = MW_MIB(4096);
	SILENT(&book, "mapped-files");
}

TEST(files_on_tmpfs_are_shared_memory)
{
	struct book book;

	book_init(&book);
	book_put(&book, "file/var/lib/x.db", 300);
	book.s.shmem_bytes = 4096; // as the kernel's counters may be
	SPEAKS(&book, "mapped-files", 300, "largest");
	book.s.shmem_bytes = MW_MIB(300);
	SILENT(&book, "mapped-files");
	SPEAKS(&book, "shared-memory", 300, "var/lib/x.db (300 MiB)");
	book_put(&book, "shm/memfd:ring", 100);
	SPEAKS(&book, "mapped-files", 100, "less 200 MiB");
	SPEAKS(&book, "shared-memory", 300, "; 200 MiB in files on tmpfs");
}

TEST(locked_memory)
{
	struct book book;

	book_init(&book);
	book.s.locked_bytes = MW_MIB(40);
	SILENT(&book, "memory-locked");
	book.s.locked_bytes = MW_MIB(60);
	SPEAKS(&book, "memory-locked", 60, "VmLck");
	book.s.locked_bytes = MW_MIB(4096); // of which 1000 are there
	SPEAKS(&book, "memory-locked", 1000, "4.00 GiB of address space");
}

TEST(page_tables)
{
	struct book book;

	book_init(&book);
	book.s.page_table_bytes = MW_MIB(40);
	SILENT(&book, "page-tables");
	book.s.page_table_bytes = MW_MIB(60);
	SPEAKS(&book, "page-tables", 60, "VmPTE");
}

TEST(swapped_out)
{
	struct book book;

	book_init(&book);
	book_swap(&book, "go/heap/objects", 40);
	SILENT(&book, "swapped-out");
	book_swap(&book, "go/stacks/used", 60);
	SPEAKS(&book, "swapped-out", 100, "go/stacks/used (60.0 MiB)");
}

TEST(shared_pages)
{
	struct book book;

	book_init(&book);
	book.s.pss_bytes = MW_MIB(700);
	SILENT(&book, "rss-counts-shared-pages"); // smaps was not read
	book.s.has_smaps = true;
	SPEAKS(&book, "rss-counts-shared-pages", 300, "Pss 700 MiB");
	// What every process shares is no news.
	book_put(&book, "library/libc.so.6/.text", 250);
	book.accounts[0].pss_bytes = MW_MIB(50);
	SPEAKS(&book, "rss-counts-shared-pages", 100, "200 MiB of the");
	book.accounts[0].pss_bytes = 0;
	SILENT(&book, "rss-counts-shared-pages");
	book_put(&book, "library/libc.so.6/.text", 0);
	book.s.pss_bytes = MW_MIB(950);
	SILENT(&book, "rss-counts-shared-pages");
}

static void put_group(struct book *book, uint64_t current, uint64_t limit)
{
	book->s.cgroup = (struct mw_cgroup_situation){
		.is_known = true,
		.version = 2,
		.path = "/sys/fs/cgroup/pod",
		.current_bytes = MW_MIB(current),
		.limit_bytes = MW_MIB(limit),
		.anon_bytes = MW_MIB(1200),
		.file_bytes = MW_MIB(300),
		.slab_bytes = MW_MIB(50),
		.swap_limit_bytes = UINT64_MAX,
	};
}

TEST(a_container_near_its_limit)
{
	struct book book;

	book_init(&book);
	put_group(&book, 1600, 2048);
	SILENT(&book, "cgroup-near-limit");
	put_group(&book, 1700, 2048);
	SPEAKS(&book, "cgroup-near-limit", 1700,
	       "this process's anonymous memory 900 MiB, other anonymous memory "
	       "300 MiB, page cache 300 MiB (0 B of it can be dropped), the "
	       "kernel's memory 50.0 MiB (slab "
	       "50.0 MiB (0 B of it not reclaimable), kernel stacks 0 B");
	book.s.cgroup.processes = 3;
	book.s.cgroup.others[0] = (struct mw_share){ "postgres", 42,
						     MW_MIB(200) };
	book.s.cgroup.others[1] = (struct mw_share){ "sh", 43, MW_MIB(1) };
	SPEAKS(&book, "cgroup-near-limit", 1700,
	       "that of 2 other processes 300 MiB (largest: postgres (42) 200 "
	       "MiB, sh (43) 1.00 MiB), page cache");
	// Version 1 tells the kernel's memory in all only.
	book.s.cgroup.version = 1;
	book.s.cgroup.slab_bytes = 0;
	book.s.cgroup.kernel_bytes = MW_MIB(60);
	book.s.cgroup.page_table_bytes = MW_MIB(2);
	book.s.cgroup.kernel_parts_are_sums = true;
	SPEAKS(&book, "cgroup-near-limit", 1700,
	       "the kernel's memory 60.0 MiB (kernel stacks 0 B, page tables "
	       "2.00 MiB (summed up over its processes), slab and other 58.0 "
	       "MiB)");
	book.s.cgroup.limit_bytes = UINT64_MAX;
	SILENT(&book, "cgroup-near-limit");
}

TEST(page_cache_that_can_be_dropped_is_room)
{
	struct book book;

	book_init(&book);
	put_group(&book, 2040, 2048);
	book.s.cgroup.file_bytes = MW_MIB(700);
	book.s.cgroup.shmem_bytes = MW_MIB(100);
	book.s.cgroup.droppable_bytes = MW_MIB(600);
	SILENT(&book, "cgroup-near-limit");
	book.s.cgroup.droppable_bytes = MW_MIB(300);
	SPEAKS(&book, "cgroup-near-limit", 1740, "308 MiB short of the limit");
	SPEAKS(&book, "cgroup-near-limit", 1740,
	       "1.99 GiB charged, this process's");
	SPEAKS(&book, "cgroup-near-limit", 1740,
	       "page cache 700 MiB (300 MiB of it can be dropped, 100 MiB are "
	       "shared memory), the");
	book.s.cgroup.droppable_bytes = MW_MIB(4096); // torn
	SILENT(&book, "cgroup-near-limit");
}

TEST(a_go_program_that_is_most_of_a_container)
{
	struct book book;

	book_init(&book);
	put_group(&book, 1700, 2048);
	book.s.go.is_known = true;
	book.s.go.version = "go1.26.8";
	SPEAKS(&book, "cgroup-near-limit", 1700, "set GOMEMLIMIT to about 90 %");
	book.s.anon_bytes = MW_MIB(500); // another one is what takes it
	SPEAKS(&book, "cgroup-near-limit", 1700, "or raise memory.max.");
}

TEST(swap_and_the_limit_that_slows)
{
	struct book book;

	book_init(&book);
	put_group(&book, 1900, 2048);
	SPEAKS(&book, "cgroup-near-limit", 1900, "ends in an OOM kill");
	book.s.cgroup.swap_limit_bytes = MW_MIB(500);
	book.s.cgroup.swap_bytes = MW_MIB(20);
	SPEAKS(&book, "cgroup-near-limit", 1900,
	       "; in swap 20.0 MiB of 500 MiB");
	SPEAKS(&book, "cgroup-near-limit", 1900, "goes to swap or ends in");
	book.s.cgroup.limit_file = "memory.high";
	book.s.cgroup.limit_only_slows = true;
	SPEAKS(&book, "cgroup-near-limit", 1900, "limit by memory.high, ");
	SPEAKS(&book, "cgroup-near-limit", 1900, "processes are slowed down");
	SPEAKS(&book, "cgroup-near-limit", 1900, "raise memory.high");
}

TEST(kernel_memory_of_a_container)
{
	struct book book;

	book_init(&book);
	put_group(&book, 1600, 4096);
	SILENT(&book, "cgroup-kernel-memory");
	book.s.cgroup.slab_bytes = MW_MIB(300);
	book.s.cgroup.sock_bytes = MW_MIB(100);
	SPEAKS(&book, "cgroup-kernel-memory", 400, "sockets 100 MiB");
	book.s.cgroup.kernel_bytes = MW_MIB(350); // pipes, too
	SPEAKS(&book, "cgroup-kernel-memory", 450, "other 50.0 MiB");
	book.s.cgroup.limit_bytes = UINT64_MAX;
	SILENT(&book, "cgroup-kernel-memory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(mapped_files),
		CASE(files_that_are_not_reclaimable),
		CASE(files_on_tmpfs_are_shared_memory),
		CASE(shared_memory),
		CASE(shared_memory_without_a_name),
		CASE(locked_memory),
		CASE(page_tables),
		CASE(swapped_out),
		CASE(shared_pages),
		CASE(a_container_near_its_limit),
		CASE(page_cache_that_can_be_dropped_is_room),
		CASE(a_go_program_that_is_most_of_a_container),
		CASE(swap_and_the_limit_that_slows),
		CASE(kernel_memory_of_a_container),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

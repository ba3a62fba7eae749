#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Check the tables of src/gort/layouts against what the walkers read.

A member that a walker names is in every table, but for those that CHANGES
names. So the table of a new release that has lost one fails here: the walker
has to be taught what took its place, and then the member gets its last release
below. Prints TAP.
"""

import pathlib
import re
import sys

ROOM = pathlib.Path(__file__).resolve().parents[2] / "src" / "gort"

# Members that not every release has: {first minor, last minor: symbols}. The
# release in which one came or went may have tables with and without it.
CHANGES = {
    (None, 9): "schedt_mcount",
    # One arena with its table and bitmap.
    (None, 10): """mheap_spans mheap_bitmap mheap_bitmap_mapped
        mheap_arena_start mheap_arena_used""",
    # Free pages in spans; all spans in buffers.
    (None, 11): "mheap_freelarge mspan_npreleased",
    (12, 12): "mheap_scav",
    (12, 13): "mspan_scavenged",
    (None, 13): """mheap_free mheap_treapalloc treapNode treapNode_left
        treapNode_right""",
    (None, 20): "p_tracebuf",
    (21, 21): "p_trace_buf",
    (None, 15): """mheap_sweepSpans gcSweepBuf gcSweepBuf_spine
        gcSweepBuf_spineLen gcSweepBuf_spineCap""",
    (10, None): """schedt_mnext specialfinalizer itabTable_size
        itabTable_count itabTable_entries""",
    # Arenas anywhere.
    (11, None): """mheap_arenas mheap_arenaHints mheap_arenaHintAlloc
        arenaHint arenaHint_next heapArena heapArena_spans specialprofile""",
    (11, 21): "heapArena_bitmap",
    (12, None): "mheap_sweepArenas",
    (12, 24): "mheap_allArenas",
    (13, None): "mheap_curArena_base mheap_curArena_end",
    # The page allocator.
    (14, None): """mheap_pages pageAlloc_summary pageAlloc_chunks
        pageAlloc_inUse pallocData pageCache_base pageCache_cache
        pageCache_scav p_pcache""",
    (15, None): """mheap_markArenas mcentral_partial mcentral_full spanSet
        spanSet_spine spanSet_spineLen spanSet_spineCap spanSetBlock""",
    (15, 18): "pageAlloc_scav_inUse",
    (17, None): "mheap_specialReachableAlloc",
    (18, None): "moduledata_gofunc",
    (19, None): "pageAlloc_scav_index_chunks scavChunk gcCPULimiter",
    (20, None): "mheap_userArena_arenaHints mspan_isUserArenaChunk",
    (20, 21): "heapArena_noMorePtrs",
    (21, None): "g_parentGoid mheap_specialPinCounterAlloc",
    # Large objects begin with a word of their type, or the span has it.
    (22, None): "mspan_largeType m_trace_buf",
    (23, None): "mheap_specialWeakHandleAlloc",
    (24, None): "m_vgetrandomState mheap_specialCleanupAlloc",
    (24, 24): "g_syncGroup synctestGroup_root",
    (25, None): """mheap_heapArenas mheap_userArenaArenas p_gcw_ptrBuf
        heapArena_pageUseSpanInlineMarkBits
        mheap_specialCheckFinalizerAlloc mheap_specialTinyBlockAlloc
        mheap_specialBubbleAlloc g_bubble synctestBubble_id""",
    # Queues of spans in the collector.
    (26, None): """mheap_spanSPMCAlloc mheap_specialSecretAlloc
        p_gcw_spanq_head p_gcw_spanq_tail spanSPMC spanSPMC_allnode_next
        spanSPMC_cap spanSPMC_ring""",
}

# The same of what only the runtime's own figures (go memstats and its like)
# are made of.
FIGURES = {
    (None, 15): """mcentral_empty mcentral_nonempty mcentral_nmalloc
        mcache_local_largefree mcache_local_nlargefree mcache_local_nsmallfree
        mcache_local_tinyallocs mheap_largealloc mheap_largefree
        mheap_nlargealloc mheap_nlargefree mheap_nsmallfree mstats_gc_sys
        mstats_heap_idle""",
    (None, 16): """mstats_gc_trigger mstats_heap_live mstats_heap_marked
        mstats_next_gc
        mstats_tinyallocs""",
    (None, 18): """mstats_nlookup mstats_heap_inuse mstats_heap_released
        mstats_stacks_inuse""",
    (None, 20): "maptype",
    (21, 23): "abi_MapType",
    (24, 25): "abi_SwissMapType",
    (None, 24): "finblock_old_alllink finblock_old_cnt schedt_runqsize",
    (10, None): "m_mstartfn schedt_nmfreed",
    (12, None): "work_assistQueue_head work_sweepWaiters_head",
    (13, 13): "mheap_scavengeRetainedGoal",
    (14, 18): "mheap_scavengeGoal",
    (15, None): "spanSetBlock_spans",
    (16, 21): "mstats_gcPauseDist",
    (16, 24): "heapStatsDelta_inPtrScalarBits",
    (16, None): """heapStatsDelta heapStatsDelta_committed
        heapStatsDelta_inHeap
        heapStatsDelta_inStacks heapStatsDelta_inWorkBufs
        heapStatsDelta_largeAlloc heapStatsDelta_largeAllocCount
        heapStatsDelta_largeFree heapStatsDelta_largeFreeCount
        heapStatsDelta_released heapStatsDelta_smallAllocCount
        heapStatsDelta_smallFreeCount mcache_tinyAllocs
        mstats_gcMiscSys mstats_heapStats_stats p_statsSeq
        timeHistogram_counts timeHistogram_underflow""",
    (17, 18): "gcController_heapGoal gcController_trigger",
    (17, None): """gcController_gcPercent gcController_heapLive
        gcController_heapMarked
        gcController_heapMinimum gcController_lastHeapGoal
        heapStatsDelta_tinyAllocCount schedt_timeToRun""",
    (18, None): """gcController_consMark gcController_globalsScanWork
        gcController_heapScanWork gcController_stackScanWork""",
    (19, None): """gcCPULimiter_bucket_capacity
        gcCPULimiter_bucket_fill
        gcCPULimiter_enabled gcCPULimiter_lastEnabledCycle
        gcCPULimiter_nprocs gcCPULimiter_overflow
        gcController_gcPercentHeapGoal gcController_heapInUse
        gcController_heapReleased gcController_mappedReady
        gcController_memoryLimit gcController_totalAlloc
        gcController_totalFree mspan_allocCountBeforeCache
        mstats_lastHeapInUse""",
    (20, None): """m_isextra schedt_totalMutexWaitTime timeHistogram_overflow
        work_cpuStats""",
    (22, None): """m_lockWaitTime schedt_stwStoppingTimeGC
        schedt_stwStoppingTimeOther
        schedt_stwTotalTimeGC schedt_stwTotalTimeOther
        schedt_totalRuntimeLockWaitTime""",
    (25, None): """cleanupBlock cleanupBlock_alllink cleanupBlock_cleanups
        cleanupBlock_n cleanupQueue cleanupQueue_all cleanupQueue_executed
        cleanupQueue_ng cleanupQueue_queued cleanupQueue_running
        finblock_alllink finblock_cnt p_cleanupsQueued schedt_runq_size""",
    (26, None): """abi_MapType cleanupFn m_idleNode_next p_goroutinesCreated
        schedt_goroutinesCreated
        schedt_nGsyscallNoP""",
}


class Table:
    def __init__(self, text):
        head = re.match(r'(\d+), (\d+), (\d+), "([^"]*)"\)', text)
        self.minor, self.first, self.last = (int(head[i]) for i in (1, 2, 3))
        self.source = head[4]
        self.symbols = re.findall(r"^GO_AT\((\w+), \d+, \d+\)$", text, re.M)
        self.name = f"1.{self.minor}.{self.first} to .{self.last}"


def read_tables():
    return [Table(text) for path in sorted(ROOM.glob("layouts/go1_*.def"))
            for text in path.read_text().split("GO_LAYOUT(")[1:]]


def read_fields():
    return re.findall(r"^GO_MEMBER\((\w+),",
                      (ROOM / "layouts" / "fields.def").read_text(), re.M)


def read_by_walkers(fields):
    """{symbol: the files that name it}."""
    users = {}
    for path in sorted(ROOM.glob("*.[ch]")):
        for symbol in set(re.findall(r"\bGO_(\w+)", path.read_text())):
            if symbol in fields:
                users.setdefault(symbol, []).append(path.name)
    return users


def all_tables_are_compiled():
    listed = re.findall(r'^#include "(\w+\.def)"$',
                        (ROOM / "layouts" / "tables.def").read_text(), re.M)
    made = sorted(path.name for path in ROOM.glob("layouts/go1_*.def"))
    if listed != made:
        yield "tables.def does not name the tables: run tools/go_layouts.py"


def tables_are_in_order():
    last = (0, -1)
    for table in read_tables():
        if not last < (table.minor, table.first) <= (table.minor, table.last):
            yield f"{table.name} does not follow 1.{last[0]}.{last[1]}"
        if f"go1.{table.minor}" not in table.source:
            yield f"{table.name} does not say which release was read"
        last = (table.minor, table.last)


def no_minor_is_left_out():
    minors = sorted({table.minor for table in read_tables()})
    if minors != list(range(minors[0], minors[-1] + 1)):
        yield f"there are only {minors}"


def tables_know_only_what_is_in_fields():
    fields = read_fields()
    if len(fields) != len(set(fields)):
        yield "fields.def has a member twice"
    for table in read_tables():
        for symbol in sorted(set(table.symbols) - set(fields)):
            yield f"{table.name} has {symbol}"


def ranges(fields):
    """{symbol: [(first minor, last minor)]} of CHANGES."""
    found = {}
    for (first, last), symbols in [*CHANGES.items(), *FIGURES.items()]:
        for symbol in symbols.split():
            assert symbol in fields, symbol
            found.setdefault(symbol, []).append((first or 0, last or 1000))
    return found


def walkers_find_what_they_read():
    fields = set(read_fields())
    known = ranges(fields)
    tables = read_tables()
    for symbol, files in sorted(read_by_walkers(fields).items()):
        there = known.get(symbol, [(0, 1000)])
        # Within the minors where it came and went it may have moved.
        moved = {minor for first, last in there if first != last
                 for minor in (first, last)}
        wrong = {"lack": [], "have": []}
        for table in tables:
            wanted = any(first <= table.minor <= last
                         for first, last in there)
            if table.minor not in moved and \
                    wanted != (symbol in table.symbols):
                wrong["lack" if wanted else "have"].append(table.name)
        for verb, names in wrong.items():
            if names:
                yield (f"tables that {verb} {symbol}, which is read in "
                       f"{', '.join(files)}: {', '.join(names)}")


def no_change_is_out_of_date():
    fields = set(read_fields())
    for symbol, there in ranges(fields).items():
        have = {table.minor for table in read_tables()
                if symbol in table.symbols}
        if not have or any(
                (first and (first not in have or first - 1 in have)) or
                (last < 1000 and (last not in have or last + 1 in have))
                for first, last in there):
            yield f"{symbol} is in the tables of {sorted(have)}"


def main():
    checks = [all_tables_are_compiled, tables_are_in_order,
              no_minor_is_left_out, tables_know_only_what_is_in_fields,
              walkers_find_what_they_read, no_change_is_out_of_date]
    failed = False
    print(f"1..{len(checks)}")
    for number, check in enumerate(checks, 1):
        problems = list(check())
        for problem in problems:
            print(f"# {problem}")
        print(f"{'not ' if problems else ''}ok {number} - {check.__name__}")
        failed |= bool(problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

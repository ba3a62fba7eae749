# SPDX-License-Identifier: Apache-2.0
"""malloc's blocks by size, list, address and content, held against what the
allocators and the programs say of themselves."""

import json
import os
import xml.etree.ElementTree

import pytest

from conftest import is_idle, run, wait_for
from mallocs import PRELOADED, start_with
from test_malloc import LIBRARIES, malloc, program

ALLOCATORS = ["glibc", *PRELOADED, "musl"]
SIZES = (40, 424, 1000, 5000, 20000, 100000)


def rows(target, *arguments, status=0):
    done = run("malloc", "--format=json", *arguments,
               getattr(target, "pid", target))
    assert done.returncode == status, done.stderr
    answer = json.loads(done.stdout)
    assert answer["schema"] == "memwhy.malloc/1"
    return answer["rows"]


def total(table, column, **wanted):
    return sum(r[column] for r in table
               if all(r[name] == value for name, value in wanted.items()))


@pytest.fixture(params=ALLOCATORS)
def sized(request, start):
    """tests/programs/sizes.c with each malloc."""
    target = start_with(start, request.param, "sizes")
    target.allocator = request.param
    return target


# What else a program has of a size: a few blocks of the C library's.
OTHERS = 8


def class_of(table, block):
    """The only row that a block fits in."""
    row, = (r for r in table if r["arena"] == block["arena"] and
            r["from_bytes"] <= block["bytes"] <= r["to_bytes"])
    return row


@pytest.mark.parametrize("mode", ["--live", "--stop"])
def test_classes(sized, mode):
    table = [r for r in rows(sized, "--classes", mode)
             if r["allocator"] == sized.allocator]
    for size in SIZES:
        figures = sized.figures
        explained = json.loads(run(
            "explain", "--format=json", sized.pid,
            hex(figures[f"some_{size}"])).stdout)["malloc"]
        usable = explained["bytes"]
        assert explained["user_bytes"] == figures[f"usable_{size}"]
        row = class_of(table, explained)
        held = figures[f"held_{size}"]
        count = row["in_use_blocks"]
        if sized.allocator == "musl":
            # It also takes slots of larger classes at first.
            count = sum(r["in_use_blocks"] for r in table
                        if size < r["to_bytes"] < size * 2)
        elif row["from_bytes"] == row["to_bytes"]:
            assert row["in_use_bytes"] == usable * row["in_use_blocks"]
            # Of large ones only the pages are kept.
            assert size > 10000 or \
                row["free_blocks"] + row["cache_blocks"] >= held // 4
        assert 0 <= count - held <= OTHERS, size
        every = row["in_use_bytes"] + row["free_bytes"] + row["cache_bytes"]
        assert row["occupancy_percent"] == row["in_use_bytes"] * 100 // every
    arenas = rows(sized, mode)
    for arena in {r["arena"] for r in arenas}:
        for column in ("in_use_bytes", "in_use_blocks", "cache_bytes"):
            assert total(table, column, arena=arena) == \
                total(arenas, column, arena=arena,
                      allocator=sized.allocator), (arena, column)


def ask_info(target):
    """The arenas of malloc_info(): {bin: (from, to, count, total)}, of chunk
    sizes, by name of memwhy's arenas."""
    target.process.stdin.write("info\n")
    target.process.stdin.flush()
    text = ""
    while not text.endswith("</malloc>\n"):
        text += target.process.stderr.readline()
    target.read_report()
    heaps = xml.etree.ElementTree.fromstring(text).findall("heap")
    answer = {}
    for number, heap in enumerate(heaps):
        # The ring leads from the main arena to the newest one.
        name = f"thread-{len(heaps) - number}" if number else "main"
        bins = answer[name] = {"unsorted": [], "fast": [], "sorted": []}
        for line in heap.find("sizes"):
            begin, end, count, size = (int(line.get(key)) for key in
                                       ("from", "to", "count", "total"))
            if line.tag == "size" and end - begin == 15:
                bins["fast"].append((end, end, count, size))
                continue
            # Others are told with the flags of their sizes.
            flags = end & 7
            bins["unsorted" if line.tag == "unsorted" else
                 "sorted"].append((begin & ~7, end & ~7, count,
                                   size - count * flags))
        rest = {t.get("type"): (int(t.get("count")), int(t.get("size")))
                for t in heap.findall("total")}
        assert sum(b[2] for b in bins["fast"]) == \
            rest.get("fast", (0, 0))[0]
    return answer


@pytest.mark.parametrize("library", LIBRARIES)
def test_bins_are_malloc_info(start, library):
    target = start(*program(library), 2, 6000, 2)
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    said = ask_info(target)
    table = rows(target, "--bins", "--stop")

    def told(arena, *kinds):
        return sorted((r["from_bytes"], r["to_bytes"], r["blocks"],
                       r["bytes"]) for r in table
                      if r["arena"] == arena and r["bin"] in kinds)

    assert set(said) == {"main", "thread-1", "thread-2"}
    for arena, bins in said.items():
        assert told(arena, "fast") == sorted(bins["fast"])
        assert told(arena, "unsorted") == sorted(bins["unsorted"])
        assert told(arena, "small", "large") == sorted(bins["sorted"])
    assert said["main"]["sorted"] and said["thread-1"]["unsorted"]
    # glibc says nothing of its tcaches, but what it has as in use and the
    # program does not hold.
    arenas = malloc(target, "--stop").values()
    caches = [r for r in table if r["bin"] == "tcache"]
    assert sum(r["bytes"] for r in caches) == total(arenas, "cache_bytes")
    assert sum(r["blocks"] for r in caches) == total(arenas, "cache_blocks")
    tids = {int(tid) for tid in os.listdir(f"/proc/{target.pid}/task")}
    assert {r["thread"] for r in caches} == tids
    assert max(r["blocks"] for r in caches) == \
        (16 if library == "2.43" else 7)
    for row in table:
        if row["bin"] == "fast":
            assert row["from_bytes"] == 32 + 16 * row["number"]
        if row["bin"] == "small":
            assert row["from_bytes"] == 16 * row["number"] < 1024
        if row["bin"] == "large":
            assert row["from_bytes"] >= 1024 and row["number"] >= 64

# SPDX-License-Identifier: Apache-2.0
"""malloc's blocks by size, list, address and content, held against what the
allocators and the programs say of themselves."""

import json
import os
import re
import subprocess
import xml.etree.ElementTree

import pytest

from conftest import cc_program, is_idle, run, wait_for
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
        (16 if library.endswith(("2.43", "2.44")) else 7)
    for row in table:
        if row["bin"] == "fast":
            assert row["from_bytes"] == 32 + 16 * row["number"]
        if row["bin"] == "small":
            assert row["from_bytes"] == 16 * row["number"] < 1024
        if row["bin"] == "large":
            assert row["from_bytes"] >= 1024 and row["number"] >= 64


@pytest.mark.parametrize("mode", ["--live", "--stop"])
def test_largest(sized, mode):
    table = rows(sized, "--largest", "--limit=5", mode)
    assert len(table) == 5
    sizes = [r["bytes"] for r in table]
    assert sizes == sorted(sizes, reverse=True)
    for index, row in enumerate(table[:4]):
        assert row["address"] == hex(sized.figures[f"large_{index}"])
        assert row["allocator"] == sized.allocator
        assert row["bytes"] >= row["usable_bytes"] >= (4 - index) * 3000000
        assert row["content"] == "text"
        assert row["type"] == '"the beginning of a large block"'
    every = rows(sized, "--largest", "--limit=0", mode)
    assert every[:5] == table
    arenas = rows(sized, mode)
    assert len(every) == total(arenas, "in_use_blocks")
    assert total(every, "bytes") == total(arenas, "in_use_bytes")


# What libstdc++ and the C library have of blocks like the program's.
OTHER_CONTENTS = 5

# Objects by class: the name in the source, and in the program's figures.
CLASSES = {
    "shapes::Circle": "shapes::Circle",
    "shapes::Square": "shapes::Square",
    "shapes::Box<int>": "shapes::Box<int>",
    "shapes::Box<std::vector<long, std::allocator<long> > >": "vectors",
    "(anonymous namespace)::Hidden": "Hidden",
    "(anonymous namespace)::Virtual": "Virtual",
}


def check_contents(table, figures, tables):
    objects = {r["type"]: r for r in table if r["content"] == "object"}
    assert {name: r["blocks"] for name, r in objects.items()} == \
        {name: figures[key] for name, key in CLASSES.items()}

    def count(content):
        return total(table, "blocks", content=content)

    # The largest block begins with text, too.
    assert 0 <= count("text") - figures["texts"] - 1 <= OTHER_CONTENTS
    assert 0 <= count("zeros") - figures["zeros"] <= OTHER_CONTENTS
    assert 0 <= count("pointer") - figures["links"] <= OTHER_CONTENTS
    assert 0 <= count("other") - figures["plain"] <= OTHER_CONTENTS
    assert [r["blocks"] for r in table if r["content"] == "module" and
            tables(r["type"])][0] == figures["tables"]
    assert [r["bytes"] for r in table] == \
        sorted((r["bytes"] for r in table), reverse=True)


@pytest.mark.parametrize("flags", [(), ("-s",), ("-static", "-s"),
                                   ("-no-pie",)], ids=" ".join)
def test_contents(start, flags):
    program = cc_program("classes", flags)
    target = start(program)

    def is_table(name):
        return name.startswith(f"{program.name}+0x") if "-s" in flags \
            else name == "ops_of_tables"

    table = rows(target, "--contents", "--limit=0", "--stop")
    check_contents(table, target.figures, is_table)
    arenas = rows(target, "--stop")
    assert total(table, "blocks") == total(arenas, "in_use_blocks")
    assert total(table, "bytes") == total(arenas, "in_use_bytes")
    assert rows(target, "--contents", "--limit=0", "--live") == table
    # The rest is summed up.
    few = rows(target, "--contents", "--limit=3")
    assert few[:3] == table[:3]
    assert [r["content"] for r in few[3:]] == ["rest"]
    assert total(few, "bytes") == total(table, "bytes")
    largest = rows(target, "--largest", "--limit=1")[0]
    assert largest["address"] == hex(target.figures["large"])
    assert largest["type"] == '"the largest block"'
    for row in table:
        block = json.loads(run("explain", "--format=json", target.pid,
                               row["example"]).stdout)["malloc"]
        assert block["user"] == row["example"]
        assert (block["content"], block["type"]) == \
            (row["content"], row["type"])


def test_classes_without_rtti(start):
    """They are told by the symbols of their vtables."""
    target = start(cc_program("classes", ["-fno-rtti"]))
    table = [r for r in rows(target, "--contents", "--stop")
             if r["content"] == "module"]
    said = {re.sub(r"vtable for (.*)\+0x\w+", r"\1", r["type"]): r["blocks"]
            for r in table}
    for name, key in CLASSES.items():
        assert said[name] == target.figures[key]


def test_contents_with_another_malloc(start):
    target = start_with(start, "jemalloc", "sizes")
    table = rows(target, "--contents")
    # All it has is 0x5a, which is a letter.
    texts = total(table, "blocks", content="text")
    assert 0 <= texts - 4 - sum(target.figures[f"held_{n}"] for n in SIZES) \
        <= OTHER_CONTENTS


def test_contents_of_a_snapshot(start, tmp_path):
    target = start(cc_program("classes"))
    wanted = {view: rows(target, view, "--stop") for view in
              ("--classes", "--bins", "--largest", "--contents")}
    for name, *options in ("whole",), ("bare", "--no-contents"):
        done = run("snapshot", target.pid, "--output", tmp_path / name,
                   *options)
        assert done.returncode == 0, done.stderr
    for view, table in wanted.items():
        assert rows(tmp_path / "whole", view) == table, view
    for view in "--classes", "--bins":
        assert rows(tmp_path / "bare", view) == wanted[view]
    assert [dict(r, content=None, type=None) for r in wanted["--largest"]] \
        == rows(tmp_path / "bare", "--largest")
    done = run("malloc", "--contents", tmp_path / "bare")
    assert done.returncode == 1
    assert "--no-contents" in done.stderr and done.stdout == ""


@pytest.mark.plain_only
def test_contents_of_a_foreign_core(start, tmp_path):
    """gdb's cores leave out the pages of files, where names of classes are."""
    target = start(cc_program("classes", ["-s"]))
    subprocess.run(["gcore", "-o", tmp_path / "core", str(target.pid)],
                   check=True, capture_output=True)
    for view in "--classes", "--bins", "--largest", "--contents":
        assert rows(tmp_path / f"core.{target.pid}", view) == \
            rows(target, view, "--stop")


@pytest.mark.plain_only
def test_classes_of_a_foreign_program(start):
    """GDB's own objects: what GDB says of their classes, attached to it."""
    target = start("gdb", "-nx", "-q", reports=False)
    table = wait_for(lambda: [r for r in rows(target, "--contents")
                              if r["content"] == "object"],
                     "gdb to have objects")
    wait_for(lambda: is_idle(target.pid), "gdb to wait for input")
    table = [r for r in rows(target, "--contents", "--stop")
             if r["content"] == "object"][:20]
    command = ["gdb", "-nx", "-batch", "-p", str(target.pid)]
    for row in table:
        # vtable[-1] is the type_info, whose second word is its name.
        command += ["-ex", "output *(char **)(*(long *)(*(long *)"
                    f"{row['example']} - 8) + 8)", "-ex", "echo \\n"]
    said = subprocess.run(command, capture_output=True, text=True).stdout
    names = re.findall(r'"\*?(\w+)"', said)
    names = subprocess.run(["c++filt", "-t", *names], capture_output=True,
                           text=True, check=True).stdout.splitlines()
    assert len(names) >= 10
    assert [r["type"] for r in table] == names


def test_one_table_at_a_time(start):
    done = run("malloc", "--bins", "--contents", os.getpid())
    assert done.returncode == 2
    assert "one table" in done.stderr


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_a_heap_that_never_rests(start, allocator, tmp_path):
    target = start_with(start, allocator, "blocks", "churn")
    for view in "--classes", "--bins", "--largest", "--contents":
        for mode in "--live", "--stop":
            table = rows(target, view, mode)
            assert len(table) > 0 or (view == "--bins" and
                                      allocator != "glibc")
    # What stands still adds up, in whatever state it was caught.
    done = run("snapshot", target.pid, "--output", tmp_path / "core")
    assert done.returncode == 0, done.stderr
    arenas = rows(tmp_path / "core")
    for view, column in ("--classes", "in_use_"), ("--contents", ""):
        table = rows(tmp_path / "core", view)
        for what in "bytes", "blocks":
            assert total(table, column + what) == \
                total(arenas, f"in_use_{what}")


LARGE_HEAP = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int place[64];
static char *blocks[2000000];
int main(void)
{
	uint32_t seed = 1;
	for (int i = 0; i < 2000000; i++) {
		seed = seed * 1664525 + 1013904223;
		size_t size = 1 + (seed >> 16) % (i % 50 ? 110 : 1000);
		char *b = blocks[i] = malloc(size);
		memset(b, seed >> 30 ? 'a' : 0, size - 1);
		b[size - 1] = 0;
		if (size >= 8 && seed % 16 == 0)
			*(int **)b = &place[seed >> 26];
		if (size >= 8 && seed % 16 == 1)
			*(char **)b = blocks[i / 2];
	}
	for (int i = 0; i < 2000000; i++) {
		seed = seed * 1664525 + 1013904223;
		int k = seed % 2000000;
		if (seed >> 30 == 0) {
			free(blocks[k]);
			blocks[k] = NULL;
		}
	}
	fputs("end 0\\n", stderr);
	getchar();
	return 0;
}
"""


def test_a_large_heap_that_is_visited_in_parts(start, tmp_path):
    """While it runs, each heap is walked from end to end by one thread."""
    source = tmp_path / "large.c"
    source.write_text(LARGE_HEAP)
    subprocess.run(["gcc", "-O1", "-o", tmp_path / "large", source],
                   check=True)
    target = start(tmp_path / "large")
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    assert rows(target)[0]["in_use_bytes"] > 100 << 20
    for view in (), ("--classes",), ("--bins",), ("--contents",), \
            ("--largest",), ("--largest", "--limit=50000"):
        table = rows(target, *view, "--stop")
        assert table == rows(target, *view, "--live"), view
        assert len(table) > 0

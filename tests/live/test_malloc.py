# SPDX-License-Identifier: Apache-2.0
"""glibc's malloc, held against what mallinfo2() and malloc_trim() say."""

import csv
import io
import json
import os
import signal
import subprocess

import pytest

import glibcs
from conftest import (PAGE, Frozen, c_program, go_program, is_idle, ledger,
                      maps, run, wait_for)

KINDS = ("in-use", "free", "top", "cache", "metadata", "foreign", "mmapped",
         "reserved")


def program(library):
    """The command that runs tests/programs/arenas.c with a C library."""
    if library == "system":
        return [c_program("arenas", flags=["-pthread"])]
    if library == "static":
        return [c_program("arenas", flags=["-pthread", "-static", "-s",
                                           "-DSTATIC"])]
    if library.startswith("static-"):
        return [glibcs.static_program("arenas", library[7:])]
    return [*glibcs.loader(library), glibcs.old_program("arenas")]


LIBRARIES = ["system", "static", "2.31", "2.41", "2.43", "2.44",
             "static-2.31", "static-2.41", "static-2.43", "static-2.44"]


def malloc(target, *arguments, **options):
    """Rows of `memwhy malloc --format=json`."""
    done = run("malloc", "--format=json", *arguments,
               getattr(target, "pid", target), **options)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["schema"] == "memwhy.malloc/1"
    rows = [r for r in answer["rows"] if r["allocator"] == "glibc"]
    return {r["arena"]: r for r in rows}


def sums(result, prefix="malloc/glibc/"):
    """{kind: bytes of address space}, over all arenas."""
    total = dict.fromkeys(KINDS, 0)
    for name in result.accounts:
        if name.startswith(prefix):
            total[name.rsplit("/", 1)[1]] += result.bytes(name, domain="vsz")
    return total


def check_mallinfo(figures, total):
    """The accounts are mallinfo2()'s figures, which counts caches, metadata
    and what somebody else got from sbrk as in use."""
    blocks = total["in-use"] + total["cache"] + total["metadata"] + \
        total["foreign"]
    assert blocks == figures["uordblks"]
    assert total["free"] + total["top"] == figures["fordblks"]
    assert blocks + total["free"] + total["top"] == figures["arena"]
    # Since 2.43 realloc() counts 16 bytes too many for each block that it has
    # the kernel move or resize.
    assert total["mmapped"] == figures["hblkhd"] // PAGE * PAGE


def sound(result):
    assert result.audit["overlaps"] == 0
    assert "unknown/malloc-torn" not in result.accounts or \
        result.bytes("unknown/malloc-torn", domain="vsz") == 0


@pytest.mark.parametrize("mode", ["--live", "--stop"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_accounts_are_mallinfo(start, library, mode):
    target = start(*program(library))
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    result = ledger(target, mode)
    sound(result)
    check_mallinfo(target.figures, sums(result))
    assert result.bytes("malloc/glibc/main/top", domain="vsz") == \
        target.figures["keepcost"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_rows_are_the_accounts(start, library):
    target = start(*program(library), 3, 5000, 8)
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    rows = malloc(target, "--stop")
    result = ledger(target, "--stop")
    assert set(rows) == {"main", "thread-1", "thread-2", "thread-3",
                         "mmapped"}
    for name, row in rows.items():
        if name == "mmapped":
            assert row["in_use_bytes"] == row["system_bytes"] == \
                target.figures["hblkhd"]
            assert row["in_use_blocks"] == target.figures["hblks"]
            continue
        for kind in ("in-use", "free", "cache", "top", "metadata"):
            assert row[kind.replace("-", "_") + "_bytes"] == result.bytes(
                f"malloc/glibc/{name}/{kind}", domain="vsz"), (name, kind)
        assert row["resident_bytes"] == \
            result.below(f"malloc/glibc/{name}") - \
            result.bytes(f"malloc/glibc/{name}/mmapped")
        assert row["threads"] == 1
        assert row["torn_bytes"] == 0
        # What the arena itself says that it got.
        assert sum(row[f"{kind}_bytes"] for kind in
                   ("in_use", "free", "cache", "top", "metadata",
                    "foreign")) == row["system_bytes"]
    blocks = sum(r["in_use_blocks"] for r in rows.values()) - \
        rows["mmapped"]["in_use_blocks"]
    # The program's own, and a few of the C library (a vector for the TLS of
    # each thread); the tables' blocks are as large as it says.
    assert target.figures["blocks"] <= blocks <= target.figures["blocks"] + 20
    in_use = sum(r["in_use_bytes"] for r in rows.values()) - \
        rows["mmapped"]["in_use_bytes"]
    heads = 8 * target.figures["blocks"]
    assert 0 <= in_use - target.figures["usable"] - heads < 16384


def anonymous(pid):
    """Resident anonymous bytes: code that malloc_trim runs is none."""
    total = 0
    with open(f"/proc/{pid}/smaps") as file:
        for line in file:
            if line.startswith("Anonymous:"):
                total += int(line.split()[1]) * 1024
    return total


@pytest.mark.parametrize("tunables", ["", "glibc.malloc.hugetlb=1",
                                      "glibc.malloc.hugetlb=2"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_trimmable_is_what_malloc_trim_gives(start, library, tunables):
    environment = dict(os.environ, GLIBC_TUNABLES=tunables)
    target = start(*program(library), 4, 4000, 6, env=environment)
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    predicted = sum(r["trimmable_bytes"]
                    for r in malloc(target, "--stop").values())
    before = anonymous(target.pid)
    tell(target, "trim")
    dropped = before - anonymous(target.pid)
    assert predicted > 1 << 20
    # Its stack, and data of the C library, may take a page or two; and the
    # kernel may make a huge page at any time where they are allowed.
    most = (2 << 20) if tunables.endswith("hugetlb=1") else 4 * PAGE
    assert abs(predicted - dropped) <= most
    left = sum(r["trimmable_bytes"] for r in malloc(target, "--stop").values())
    assert left <= most


def tell(target, word):
    """Have tests/programs/arenas.c do something, and report."""
    target.process.stdin.write(f"{word}\n")
    target.process.stdin.flush()
    return target.read_report()


def check_books(pid, figures):
    """The ledger, the rows and mallinfo2() agree; so, if no page came or went
    meanwhile, does what trimming would give back."""
    wait_for(lambda: is_idle(pid), "the program to wait")
    result = ledger(pid, "--stop")
    sound(result)
    assert result.audit["balanced"] is True
    check_mallinfo(figures, sums(result))
    rows = malloc(pid, "--stop")
    for name, row in rows.items():
        assert row["torn_bytes"] == 0
        if name == "mmapped":
            assert row["in_use_blocks"] == figures["hblks"]
            assert row["system_bytes"] == figures["hblkhd"]
        else:
            assert sum(row[f"{kind}_bytes"] for kind in (
                "in_use", "free", "cache", "top", "metadata",
                "foreign")) == row["system_bytes"]
    return rows


@pytest.mark.parametrize("library", LIBRARIES)
def test_states(start, library):
    """One state after the other, in one program."""
    target = start(*program(library), 3, 3000, 6)
    for word in ("aligned", "remap", "mapped", "trim"):
        check_books(target.pid, tell(target, word))
    figures = tell(target, "ended")
    rows = check_books(target.pid, figures)
    # Arenas outlive their threads.
    assert set(rows) == {"main", "thread-1", "thread-2", "thread-3",
                         "mmapped"}
    assert sum(row["threads"] for row in rows.values()) == 1
    before = anonymous(target.pid)
    predicted = sum(row["trimmable_bytes"] for row in rows.values())
    figures = tell(target, "trim")
    assert abs(predicted - (before - anonymous(target.pid))) <= 4 * PAGE
    check_books(target.pid, figures)


@pytest.mark.parametrize("library", LIBRARIES)
def test_child(start, library):
    """It has the arenas of threads that it does not have."""
    target = start(*program(library), 3, 3000, 6)
    figures = tell(target, "fork")
    try:
        rows = check_books(figures["child"], figures)
        assert len(rows) == 5
        assert sum(row["threads"] for row in rows.values()) == 1
    finally:
        os.kill(figures["child"], signal.SIGKILL)


@pytest.mark.parametrize("tunables", [
    "tcache_count=0", "tcache_count=200", "arena_max=1", "mxfast=0",
    "perturb=85", "mmap_max=0", "mmap_threshold=8192", "hugetlb=1",
    "hugetlb=2", "top_pad=4194304"])
def test_tunables(start, tunables):
    environment = dict(os.environ, GLIBC_TUNABLES=":".join(
        f"glibc.malloc.{t}" for t in tunables.split()))
    target = start(*program("system"), env=environment)
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    result = ledger(target, "--stop")
    sound(result)
    check_mallinfo(target.figures, sums(result))


def test_large_thread_caches(start):
    """Since 2.42 blocks of up to 4 MiB can be cached."""
    environment = dict(os.environ,
                       GLIBC_TUNABLES="glibc.malloc.tcache_max=4194304")
    target = start(*program("2.43"), 2, 3000, 10, env=environment)
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    result = ledger(target, "--stop")
    sound(result)
    check_mallinfo(target.figures, sums(result))


@pytest.mark.parametrize("kind", ["plain", "nobreak", "sbrk", "split"])
def test_main_heap(start, kind):
    target = start(c_program("heaps", flags=["-pthread"]), kind)
    wait_for(lambda: is_idle(target.pid), "the program to sleep")
    result = ledger(target, "--stop")
    sound(result)
    total = sums(result)
    check_mallinfo(target.figures, total)
    # 10,000 bytes, and what rounding adds; its bounds are not marked.
    assert (total["foreign"] >= 9000) == (kind == "sbrk")
    owners = {r["owner"] for r in maps(target)}
    assert any("glibc arena main" in owner for owner in owners)


def test_second_c_library(start):
    target = start(c_program("heaps", flags=["-pthread"]), "second")
    wait_for(lambda: is_idle(target.pid), "the program to sleep")
    result = ledger(target, "--stop")
    sound(result)
    check_mallinfo(target.figures, sums(result, "malloc/glibc/main/"))
    other = sums(result, "malloc/glibc/libc2-main/")
    assert other["in-use"] >= sum(100 + i % 900 for i in range(5000))


@pytest.mark.parametrize("mode", ["--live", "--stop"])
@pytest.mark.parametrize("kind, number", [
    ("overrun", 1), ("overrun", 10), ("overrun", 200), ("zeros", 10)])
def test_overwritten_heads(start, kind, number, mode):
    """The chunks that cannot be told are torn, and the rest is still told."""
    target = start(c_program("heaps", flags=["-pthread"]), kind, number)
    wait_for(lambda: is_idle(target.pid), "the program to sleep")
    result = ledger(target, mode)
    torn = result.bytes("unknown/malloc-torn", domain="vsz")
    assert result.audit["overlaps"] == 0
    # A block and its neighbour, at most 3,000 bytes each.
    assert 0 < torn <= number * 6100
    total = sums(result)
    told = sum(total[k] for k in ("in-use", "free", "top", "cache",
                                  "metadata", "foreign"))
    assert told + torn == target.figures["arena"]
    assert any("malloc-torn" in note for note in result.json["notes"])


@pytest.mark.parametrize("mode", ["--live", "--stop"])
def test_top_that_leads_nowhere(start, mode):
    """Only the top itself, the last chunk, may be torn."""
    target = start(c_program("heaps", flags=["-pthread"]), "top")
    wait_for(lambda: is_idle(target.pid), "the program to sleep")
    result = ledger(target, mode)
    assert result.audit["overlaps"] == 0
    assert result.audit["balanced"] is True
    # Three blocks were allocated after the report.
    torn = result.bytes("unknown/malloc-torn", domain="vsz")
    top = result.bytes("malloc/glibc/main/top", domain="vsz")
    assert 0 < torn + top <= target.figures["keepcost"] + 200000
    assert sums(result)["in-use"] >= target.figures["uordblks"] - (1 << 20)


def test_tops_that_lead_to_the_next_heap(start):
    """Their heaps do not become larger by it."""
    target = start(c_program("heaps", flags=["-pthread"]), "tops")
    wait_for(lambda: is_idle(target.pid), "the program to sleep")
    result = ledger(target, "--stop")
    assert result.audit["overlaps"] == 0
    assert result.audit["balanced"] is True


@pytest.mark.parametrize("mode", ["--live", "--stop"])
@pytest.mark.parametrize("kind", ["rings", "cachering"])
def test_rings_in_lists(start, kind, mode):
    target = start(c_program("heaps", flags=["-pthread"]), kind)
    wait_for(lambda: is_idle(target.pid), "the program to sleep")
    result = ledger(target, mode)
    sound(result)
    total = sums(result)
    assert sum(total[k] for k in ("in-use", "free", "top", "cache",
                                  "metadata")) == target.figures["arena"]


def test_a_heap_that_never_rests(start):
    """Live: balanced, and torn bytes are said to be. Stopped: none are."""
    target = start(c_program("heaps", flags=["-pthread"]), "churn")
    for _ in range(20):
        result = ledger(target)
        assert result.audit["overlaps"] == 0
        assert result.below("malloc/glibc", domain="vsz") > 1 << 20
    for _ in range(10):
        result = ledger(target, "--stop")
        sound(result)
        assert result.audit["balanced"] is True
        rows = malloc(target, "--stop")
        assert sum(r["threads"] for r in rows.values()) == 4


@pytest.mark.parametrize("version", ["1.16.15", "1.22.12", "1.26.8"])
@pytest.mark.parametrize("variant", ["stripped", "pie"])
def test_cgo(start, version, variant):
    """Blocks of C in a Go process: those that it holds, in any arena."""
    target = start(go_program("cgo", version, variant, cgo=True))
    wait_for(lambda: is_idle(target.pid), "the threads to wait")
    result = ledger(target, "--stop")
    sound(result)
    assert result.audit["balanced"] is True
    rows = malloc(target, "--stop")
    # 1,000 blocks of 16 + i % 500 bytes; caches and vectors of threads.
    held = sum((16 + i % 500 + 8 + 15) // 16 * 16 for i in range(1000))
    in_use = sum(r["in_use_bytes"] for r in rows.values())
    assert held <= in_use <= held + 65536
    assert sum(r["in_use_blocks"] for r in rows.values()) >= 1000
    assert sum(r["threads"] for r in rows.values()) >= 4
    assert result.unknown() <= result.totals["rss_bytes"] // 100


def test_programs_that_nobody_here_wrote(start):
    """Python has a heap of its own, and malloc beside it."""
    for command in (["/usr/bin/python3", "-c",
                     "import json, time\n"
                     "keep = [str(i) * (i % 900) for i in range(20000)]\n"
                     "time.sleep(1000)"],
                    ["perl", "-e", "@a = map { 'x' x ($_ % 900) } 0..20000; "
                     "sleep 1000"],
                    ["awk", "BEGIN { for (i = 0; i < 20000; i++) "
                     "a[i] = i i i; getline < \"/dev/stdin\" }"]):
        target = start(*command, reports=False)
        wait_for(lambda: is_idle(target.pid) and
                 malloc(target)["main"]["in_use_blocks"] > 800,
                 "the program to fill its heap")
        rows = malloc(target, "--stop")
        for name, row in rows.items():
            assert row["torn_bytes"] == 0
            if name != "mmapped":
                assert sum(row[f"{kind}_bytes"] for kind in (
                    "in_use", "free", "cache", "top", "metadata",
                    "foreign")) == row["system_bytes"]
            else:
                assert row["in_use_bytes"] == row["system_bytes"]


def test_forms_of_malloc_agree(start):
    target = start(*program("system"))
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    with Frozen(target.pid):
        rows = malloc(target)
        table = list(csv.DictReader(io.StringIO(
            run("malloc", "--format=csv", target.pid).stdout)))
        text = run("malloc", "--bytes", target.pid).stdout
    assert [r["arena"] for r in table] == list(rows)
    for line in table:
        for column, value in rows[line["arena"]].items():
            assert line[column] == ("" if value is None else str(value))
    lines = text.splitlines()
    assert lines[0].split()[:4] == ["ALLOCATOR", "ARENA", "IN", "USE"]
    assert len(lines) == 1 + len(rows) + 3
    trimmable = sum(r["trimmable_bytes"] for r in rows.values())
    assert f"{trimmable:,} now." in text.replace("\nback ", " back ")


def test_help_of_malloc_tells_every_column(start):
    target = start(*program("system"))
    text = run("malloc", "--help").stdout
    for column in next(iter(malloc(target).values())):
        assert f"\n  {column} " in text


def test_no_allocator(start):
    """A Go program without C has none."""
    target = start(go_program("objects", "1.26.8", "stripped"))
    assert malloc(target) == {}
    assert "No allocator" in run("malloc", target.pid).stdout


def test_every_malloc_account_is_explained(start):
    target = start(c_program("heaps", flags=["-pthread"]), "overrun", 3)
    text = subprocess.run([os.environ.get("MEMWHY", run.__globals__["MEMWHY"]),
                           "ledger", "--explain", "--domain=vsz",
                           str(target.pid)], capture_output=True,
                          text=True).stdout
    for account in ledger(target).accounts:
        if account.startswith(("malloc/", "unknown/malloc")):
            assert f"\n  {account}\n" in text, account


@pytest.mark.parametrize("library", ["system", "2.43"])
@pytest.mark.parametrize("least", [2048, 100])
def test_small_blocks_from_mmap(start, library, least):
    """Thousands that the kernel joins: aligned ones, and those that realloc()
    had it grow. With 100 there is no main heap at all."""
    command = [c_program("mmapped")] if library == "system" else \
        [*glibcs.loader(library), glibcs.old_program("mmapped")]
    target = start(*command, least, 20000)
    result = ledger(target, "--stop")
    sound(result)
    row = malloc(target, "--stop")["mmapped"]
    said = target.figures
    assert row["in_use_blocks"] == said["hblks"] > 15000
    # See check_mallinfo().
    twice = said["hblkhd"] - row["in_use_bytes"]
    assert twice == 0 if library == "system" else \
        0 < twice <= 16 * said["hblks"]
    assert sums(result)["mmapped"] == row["in_use_bytes"]

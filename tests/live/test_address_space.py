# SPDX-License-Identifier: Apache-2.0
"""Why is VSZ 380 MiB when RSS is 5? Every contribution by name, to the byte."""

import json
import os
import re

import pytest

from conftest import (Frozen, asm_program, c_program, go_program, is_idle,
                      ledger, maps, run, thread_states, wait_for)

MIB = 1 << 20
HEAP = 64 * MIB  # what glibc reserves for each heap of a thread's arena


def kernel_maps(pid):
    """(start, end, permissions, name) of /proc/PID/maps."""
    rows = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        for line in file:
            fields = line.split(None, 5)
            start, end = (int(x, 16) for x in fields[0].split("-"))
            rows.append((start, end, fields[1],
                         fields[5].strip() if len(fields) > 5 else ""))
    return rows


def server(start, version):
    """A web server with cgo; its blocks of C, by the thread that has each."""
    target = start(go_program("server", version, cgo=True),
                   env=dict(os.environ, GODEBUG="netdns=cgo"))
    blocks = {int(name[len("block-of-"):]): at
              for name, at in target.figures.items()
              if name.startswith("block-of-")}
    assert len(blocks) == 4
    # Old releases of Go still do something after their last line.
    wait_for(lambda: is_idle(target.pid), "the server to rest")
    return target, blocks


@pytest.mark.parametrize("version", ["1.9.7", "1.11.13", "1.26.8"])
def test_server_with_cgo(start, version):
    target, blocks = server(start, version)
    with Frozen(target.pid):
        result = ledger(target)
        rows = kernel_maps(target.pid)
        text = run("ledger", "--domain=vsz", "--verbose", target.pid).stdout
        threads = len(thread_states(target.pid)) - 1
    total = sum(end - start for start, end, _, _ in rows)
    assert result.totals["vsz_bytes"] == total
    assert result.audit["drift_vsz_bytes"] == 0

    # The arenas: each one's 64 MiB, and of which thread.
    heaps = {at & -HEAP for at in blocks.values()}
    assert len(heaps) == len(blocks)
    for tid, at in blocks.items():
        arena = re.search(r"glibc, arena ([a-z0-9-]+): in-use",
                          run("explain", target.pid, hex(at)).stdout)[1]
        if tid == target.pid:
            assert arena == "main"
            continue
        assert result.below(f"malloc/glibc/{arena}", "vsz") == HEAP
        assert re.search(rf"64\.0 MiB .* {arena} +arena of thread {tid}\n",
                         text)
    arenas = {name.split("/")[2] for name in result.accounts
              if name.startswith("malloc/glibc/thread-")}
    assert result.below("malloc/glibc", "vsz") == \
        len(arenas) * HEAP + result.below("malloc/glibc/main", "vsz")
    heap = [end - start for start, end, _, name in rows if name == "[heap]"]
    assert result.below("malloc/glibc/main", "vsz") == sum(heap)

    # Stacks, and what guards them.
    # The main thread's TLS, a page at most, is with the others'.
    assert 0 <= result.below("stack/threads", "vsz") - \
        threads * (8 * MIB + 4096) < 4096
    assert result.bytes("stack/threads/guard", domain="vsz") == threads * 4096
    assert f"{threads} stacks of 8.00 MiB" in text

    # Nothing is left without a name.
    assert result.below("unknown", "vsz") == 0
    assert result.bytes("anonymous/private", domain="vsz") <= total // 1000


def test_what_address_space_costs(start):
    target, _ = server(start, "1.26.8")
    with Frozen(target.pid):
        result = ledger(target)
        closed = [(start, end) for start, end, perms, _
                  in kernel_maps(target.pid) if perms.startswith("---")]
        rss = {row["start"]: row["rss_bytes"] for row in maps(target)}
        text = run("ledger", "--domain=vsz", target.pid).stdout
    parts = result.json["address_space"]
    assert parts["inaccessible_bytes"] == sum(
        end - start - rss[hex(start)] for start, end in closed)
    assert parts["resident_bytes"] == result.totals["rss_bytes"]
    assert sum(parts.values()) == result.totals["vsz_bytes"]
    assert "\nAddress space is not memory: 1." in text
    assert "Address space is not memory" not in run("ledger",
                                                    target.pid).stdout


# Where ThreadSanitizer keeps what (tsan_platform.h, "Go on linux/x86_64").
TSAN = [(0x200000000000, 0x238000000000), (0x300000000000, 0x400000000000),
        (0x600000000000, 0x620000000000)]


@pytest.mark.parametrize("version", ["1.11.13", "1.18.10", "1.20.14",
                                     "1.26.8"])
def test_race_detector(start, version):
    """What it reserves has its name, to the byte."""
    target = start(go_program("server", version, cgo=True,
                              flags=["-race"]))
    wait_for(lambda: is_idle(target.pid), "the program to rest")
    with Frozen(target.pid):
        result = ledger(target)
        rows = kernel_maps(target.pid)
    its = sum(end - start for start, end, _, _ in rows
              if any(a <= start and end <= b for a, b in TSAN))
    assert its >= 32 * MIB
    assert result.bytes("anonymous/race-detector", domain="vsz") == its
    assert result.totals["vsz_bytes"] == sum(
        end - start for start, end, _, _ in rows)
    quiet, _ = server(start, version)
    assert "anonymous/race-detector" not in ledger(quiet).accounts


def test_arenas_of_several_threads(start):
    """More threads than arenas: the first of each arena's are named."""
    target = start(c_program("remarkable", flags=["-pthread"]), "arenas",
                   env=dict(os.environ, MALLOC_ARENA_MAX="2"))
    text = run("ledger", "--domain=vsz", "--verbose", target.pid).stdout
    tids = {int(t) for t in os.listdir(f"/proc/{target.pid}/task")}
    answer = json.loads(run("malloc", "--format=json", target.pid).stdout)
    for row in answer["rows"]:
        if not row["arena"].startswith("thread-"):
            continue
        named = [int(t) for t in row["tids"].split()]
        assert set(named) <= tids and len(set(named)) == len(named)
        assert len(named) == min(row["threads"], 4)
        assert re.search(rf"{row['arena']} +arena of threads? "
                         + ",? (and )?".join(map(str, named)), text)


# The smallest program of all

def test_smallest_program(start):
    """Every byte of every page, by name."""
    target = start(asm_program("minimal_data"), reports=False)
    wait_for(lambda: thread_states(target.pid) == ["S"] or
             thread_states(target.pid) == ["T"], "the program to rest")
    result = ledger(target)
    rows = kernel_maps(target.pid)
    assert result.totals["vsz_bytes"] == sum(
        end - start for start, end, _, _ in rows)
    assert result.below("unknown", "vsz") == 0
    # Page by page, against the kernel's own bits.
    pages = {int(row["start"], 16) + 4096 * i
             for row in maps(target, "--by-page") for i in range(row["pages"])}
    with open(f"/proc/{target.pid}/pagemap", "rb") as pagemap:
        for begin, end, _, name in rows:
            for va in range(begin, end, 4096):
                if name == "[vsyscall]" or name.startswith("[v"):
                    continue
                pagemap.seek(va // 4096 * 8)
                is_present = pagemap.read(8)[7] >> 7
                assert (va in pages) == bool(is_present), hex(va)
    assert [result.bytes(a) for a in ("binary/.text", "binary/.rodata",
                                      "binary/.data", "binary/.bss")] == \
        [32, 10, 8, 4076 + 4096]
    assert len(pages) * 4096 == result.totals["rss_bytes"]

# SPDX-License-Identifier: Apache-2.0
"""explain --size: held against the tables in Go's own sources and what the
allocators say themselves."""

import json
import os
import re
import subprocess

import pytest

from conftest import c_program, debian_file, go_program, run, toolchain

SIZES = [1, 8, 9, 16, 17, 24, 25, 100, 128, 129, 257, 500, 512, 513, 1000,
         1024, 1025, 2000, 4096, 5000, 8192, 10000, 18000, 32760, 32761,
         32768, 32769, 65536, 100000]


def rows(pid, size):
    done = run("explain", f"--size={size}", "--format=json", pid)
    assert done.returncode == 0, done.stderr
    return {row["allocator"]: row for row in json.loads(done.stdout)["rows"]}


def classes(version):
    """class -> bytes of an object, of a span, from the runtime's source."""
    root = toolchain(version)
    for place in ("src/runtime/sizeclasses.go",
                  "src/internal/runtime/gc/sizeclasses.go"):
        if (root / place).exists():
            text = (root / place).read_text()
            break
    return {int(a): (int(b), int(c)) for a, b, c in re.findall(
        r"^// +(\d+) +(\d+) +(\d+) +\d+ +\d+", text, re.MULTILINE)}


@pytest.mark.parametrize("version", ["1.9.7", "1.12.17", "1.16.15", "1.22.12",
                                     "1.26.8"])
def test_go(start, version):
    table = classes(version)
    assert len(table) > 60
    target = start(go_program("places", version))
    headers = version in ("1.22.12", "1.26.8")
    for size in SIZES:
        answer = rows(target.pid, size)
        for name, pointers in (("go", True), ("go, no pointers", False)):
            row = answer[name]
            need = size + (8 if headers and pointers and size > 512 else 0)
            if size > 32768 - (8 if headers else 0):
                assert row["path"] == "large" and row["objects"] == 1
                assert row["block_bytes"] == -(-size // 8192) * 8192
                continue
            tiny = not pointers and size < 16
            assert row["path"] == ("tiny" if tiny else "small")
            number = min(n for n, (bytes_, _) in table.items()
                         if bytes_ >= (16 if tiny else need))
            assert row["class"] == number
            assert row["block_bytes"] == table[number][0]
            assert row["span_bytes"] == table[number][1]
            assert row["waste_bytes"] == table[number][0] - size
    spans = json.loads(run("go", "spans", "--format=json",
                           target.pid).stdout)["rows"]
    for size, scan in ((24, True), (16, False), (570, True)):
        row = rows(target.pid, size)["go" if scan else "go, no pointers"]
        same = [s for s in spans if s["class"] == row["class"] and
                s["noscan"] is not scan and s["state"] == "in-use"]
        assert row["spans"] == len(same)
        assert row["free_slots"] == sum(s["free"] for s in same)
        assert all(s["elems"] == row["objects"] for s in same)
        # What there is now is told by who holds it.
        said = re.search(
            r"mcache of the P: (\d+) spans with (\d+) free .*mcentral: (\d+) "
            r"spans with (\d+) free slots, (\d+) to be swept", row["steps"])
        held = {name: [s["free"] for s in same if s["holder"] in holders]
                for name, holders in HOLDERS.items()}
        assert [*map(int, said.groups())] == [
            len(held["mcache"]), sum(held["mcache"]), len(held["partial"]),
            sum(held["partial"]), len(held["unswept"])]
    for name in ("go", "go, no pointers"):
        row = rows(target.pid, 0)[name]
        assert row["path"] == "zero" and row["block_bytes"] == 0
        assert row["class"] is row["span_bytes"] is None
        assert "zerobase" in row["steps"]


HOLDERS = {"mcache": {"mcache"}, "partial": {"partial-swept", "nonempty"},
           "unswept": {"partial-unswept", "full-unswept"}}


def usable(program, **environment):
    done = subprocess.run([program, *map(str, SIZES)], text=True,
                          capture_output=True,
                          env=dict(os.environ, **environment))
    assert done.returncode == 0
    return {int(a): int(b) for a, b in
            (line.split() for line in done.stdout.splitlines())}


def test_native(start):
    target = start(c_program("places", flags=["-pthread"]))
    program = c_program("usable")
    glibc = usable(program)
    library = debian_file("libtcmalloc-minimal4",
                          "usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4")
    tcmalloc = usable(program, LD_PRELOAD=str(library))
    assert tcmalloc != glibc
    for size in SIZES:
        answer = rows(target.pid, size)
        assert "go" not in answer
        assert answer["glibc"]["block_bytes"] - 8 == glibc[size]
        assert answer["tcmalloc"]["block_bytes"] == tcmalloc[size]


def test_wrong_sizes(start):
    target = start(c_program("places", flags=["-pthread"]))
    for size in ("x", "-1", "", "0x", 2**63, 2**64, " 1", "+1", "1k", "1KB",
                 "1iB", "1KiBs", "16777216T", "1.5K", "0xK"):
        done = run("explain", f"--size={size}", target.pid)
        assert done.returncode == 2, size
    assert run("explain", "--size=0", target.pid).returncode == 0
    assert run("explain", "--size=8", target.pid, "0x1").returncode == 2
    for size, same in (("0x10", 16), ("010", 10), ("5B", 5), ("4K", 4096),
                       ("4KiB", 4096), ("3M", 3 << 20), ("2GiB", 2 << 30),
                       ("1T", 1 << 40)):
        assert rows(target.pid, size) == rows(target.pid, same)
    text = run("explain", "--size=100", target.pid).stdout
    assert "tcache" in text and "central list" in text

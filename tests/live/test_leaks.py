# SPDX-License-Identifier: Apache-2.0
"""Blocks that nothing reaches, held against what the programs know that they
have lost, and against what valgrind says of the same programs."""

import json
import re
import subprocess

import pytest

from conftest import (PROGRAMS, c_program, cached, go_program, is_idle, need,
                      run, wait_for)
import glibcs
from mallocs import PRELOADED, start_with

# Cases of tests/programs/leaks.c: how many of their blocks are what, and how
# many others are lost with them. All others are reached.
LOST = {
    "alone": {"definite": (5, 0)},
    "head": {"definite": (1, 9)},
    "tail": {"indirect": (9, None)},
    "ring": {"definite": (1, 2), "indirect": (2, None)},
    "self": {"definite": (1, 0)},
    "aligned": {"definite": (2, 0)},
    "in_dead_tls": {"definite": (1, 0)},
    "inner": {"possible": (1, None)},
    "below_inner": {"possible": (1, None)},
}


def library():
    return c_program("leaks", flags=["-DLIBRARY", "-shared", "-fPIC"])


def leaking(start, allocator):
    arguments = [] if allocator == "musl" else [library()]
    target = start_with(start, allocator, "leaks", *arguments,
                        flags=["-pthread", "-ldl"])
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    return target


def leaks(target, *arguments):
    done = run("malloc", "--leaks", "--limit=0", "--format=json", *arguments,
               getattr(target, "pid", target))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def found(result, allocator=None):
    """{(kind, size): (blocks, blocks that are lost with them)}"""
    sums = {}
    for row in result["rows"]:
        assert row["bytes"] == row["blocks"] * row["block_bytes"]
        assert allocator in (None, row["allocator"])
        key = row["kind"], row["block_bytes"]
        blocks, others = sums.get(key, (0, None))
        if row["indirect_blocks"] is not None:
            others = (others or 0) + row["indirect_blocks"]
        sums[key] = blocks + row["blocks"], others
    return sums


def expected(figures):
    return {(kind, figures[f"{case}_usable"]): counts
            for case, kinds in LOST.items() for kind, counts in kinds.items()}


def but_for_the_allocators(allocator, sums):
    """What allocators lose, or tell otherwise than the program does."""
    if allocator == "tcmalloc":
        # An object of its own, which it replaces by another as it starts.
        assert sums.pop(("definite", 8)) == (1, 0)
    if allocator == "mimalloc":
        # It aligns within a larger block.
        assert sums.pop(("definite", 1792)) == (2, 0)
        sums["definite", 1536] = 2, 0
    return sums


def check_totals(result):
    for kind in ("definite", "indirect", "possible"):
        for what in ("blocks", "bytes"):
            assert result["totals"][f"{kind}_{what}"] == sum(
                r[what] for r in result["rows"] if r["kind"] == kind)
    definite = [r for r in result["rows"] if r["kind"] == "definite"]
    for what in ("blocks", "bytes"):
        assert sum(r[f"indirect_{what}"] for r in definite) == \
            result["totals"][f"indirect_{what}"]


@pytest.mark.parametrize("allocator", ["glibc", "musl", *PRELOADED])
def test_what_a_program_lost(start, allocator):
    target = leaking(start, allocator)
    result = leaks(target, "--stop")
    assert but_for_the_allocators(allocator, found(result, allocator)) == \
        expected(target.figures)
    check_totals(result)
    held = sum(v for k, v in target.figures.items() if k.endswith("_blocks"))
    lost = sum(n for kinds in LOST.values() for n, _ in kinds.values())
    # Others are the libraries'.
    assert held - lost < result["totals"]["reached_blocks"] < held - lost + 60


def test_code_made_at_run_time(start):
    """Instructions have pointers at any byte; data has them aligned."""
    target = start(c_program("leaks", flags=["-pthread", "-ldl"]), library(),
                   "code")
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    want = expected(target.figures)
    want["definite", target.figures["askew_usable"]] = (1, 0)
    assert found(leaks(target, "--stop")) == want


@pytest.mark.parametrize("version", glibcs.RELEASES)
def test_other_releases_of_glibc(start, version):
    target = start(*glibcs.loader(version), glibcs.old_program("leaks"))
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    assert found(leaks(target, "--stop")) == expected(target.figures)


def test_a_static_program(start):
    target = start(c_program("leaks", flags=["-static", "-s", "-pthread"]))
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    assert found(leaks(target, "--stop")) == expected(target.figures)


@pytest.mark.parametrize("allocator", ["glibc", "jemalloc"])
def test_a_core_and_a_snapshot(start, allocator, tmp_path):
    """The same, registers included; gdb's core has no states of pages."""
    target = leaking(start, allocator)
    done = run("snapshot", target.pid, "--output", tmp_path / "snapshot")
    assert done.returncode == 0, done.stderr
    assert leaks(tmp_path / "snapshot")["rows"] == \
        leaks(target, "--stop")["rows"]
    need("gdb")
    subprocess.run(["gdb", "-p", str(target.pid), "-batch", "-ex",
                    f"generate-core-file {tmp_path}/core"],
                   check=True, capture_output=True)
    assert found(leaks(tmp_path / "core")) == expected(target.figures)


def test_live(start):
    """Without the registers one block more is lost, which is said."""
    target = leaking(start, "glibc")
    done = run("malloc", "--leaks", "--live", "--format=json", target.pid)
    assert "--stop is exact" in done.stderr
    want = expected(target.figures)
    want["definite", target.figures["in_register_usable"]] = (1, 0)
    assert found(json.loads(done.stdout)) == want


def test_valgrind_says_the_same(start):
    """Size by size."""
    need("valgrind")
    program = c_program("leaks", flags=["-pthread", "-ldl"])
    done = subprocess.run(
        ["valgrind", "-q", "--leak-check=full",
         "--show-leak-kinds=definite,indirect", program, library()],
        input="\n", capture_output=True, text=True)
    said = {}
    for size, direct, blocks, kind in re.findall(
            r" ([\d,]+) (?:\(([\d,]+) direct.*\) )?bytes in (\d+) blocks are "
            r"(definite|indirect)ly lost", done.stderr):
        size = int((direct or size).replace(",", "")) // int(blocks)
        said[kind, size] = said.get((kind, size), 0) + int(blocks)
    target = leaking(start, "glibc")
    ours = {key: n for key, (n, _) in found(leaks(target, "--stop")).items()
            if key[0] != "possible"}
    assert said == ours


def test_text_begins_with_the_totals(start):
    target = leaking(start, "glibc")
    text = run("malloc", "--leaks", "--stop", "--bytes", target.pid).stdout
    totals = leaks(target, "--stop")["totals"]
    for line, kind in zip(text.splitlines(), ("definite", "indirect",
                                              "possible", "reached")):
        words = line.split()
        assert int(words[0].replace(",", "")) == totals[f"{kind}_bytes"]
        assert int(words[2].replace(",", "")) == totals[f"{kind}_blocks"]


def test_a_snapshot_without_contents(start, tmp_path):
    target = leaking(start, "glibc")
    run("snapshot", "--no-contents", target.pid, "--output", tmp_path / "s")
    done = run("malloc", "--leaks", tmp_path / "s")
    assert done.returncode == 1
    assert "--no-contents" in done.stderr


def cc_program(name):
    source = PROGRAMS / f"{name}.cc"

    def make(path):
        subprocess.run(["g++", "-O1", "-s", "-o", path, source, "-pthread"],
                       check=True)

    return cached(f"{name}-g++", [source.read_text()], make)


def test_cxx(start):
    """Members are lost with their object, whose class is told."""
    target = start(cc_program("leaks"))
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    result = leaks(target, "--stop")
    size = target.figures
    assert found(result) == {
        ("definite", size["object_usable"]): (3, 6),
        ("indirect", size["name_usable"]): (3, None),
        ("indirect", size["numbers_usable"]): (3, None),
        ("possible", size["inner_usable"]): (1, None),
    }
    row = next(r for r in result["rows"] if r["kind"] == "definite")
    assert (row["content"], row["type"]) == ("object", "Lost")


@pytest.mark.parametrize("version", ["1.26.8", "1.18.10"])
def test_cgo(start, version):
    """What Go's variables, objects and goroutines' stacks point to is held;
    garbage that has been swept holds nothing."""
    target = start(go_program("leakscgo", version, cgo=True))
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    result = leaks(target, "--stop")
    size = target.figures
    sums = found(result)
    garbage = sums.pop(("definite", size["in_garbage_usable"]))
    # The C library has a block of zeros to whose inside it points; its start
    # stands somewhere in most runs, but not in all.
    possible = [key for key in sums if key[0] == "possible"]
    assert sum(sums.pop(key)[0] for key in possible) <= 1
    # The last one may still stand in a frame of the runtime's.
    assert garbage in ((100, 0), (99, 0))
    assert sums == {
        ("definite", size["alone_usable"]): (6, 0),
        ("definite", size["head_usable"]): (1, 1),
        ("indirect", size["below_usable"]): (1, None),
    }


RUST = """
use std::hint::black_box;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

static mut AS_RAW: *const [u8; 3000] = std::ptr::null();
static mut NUMBERS: Option<HashMap<u64, Vec<u8>>> = None;

fn lose() {
    std::mem::forget(black_box(vec![7u8; 1000]));
    std::mem::forget(black_box(Box::new([1u64; 50])));
    let mut inner = Vec::with_capacity(20);
    for i in 0..20 { inner.push(vec![i as u8; 2000]); }
    std::mem::forget(black_box(inner));
}

fn main() {
    let tree: BTreeMap<u64, String> =
        (0..1000).map(|i| (i, format!("number {i} of a tree"))).collect();
    let shared = Rc::new(tree);
    unsafe {
        AS_RAW = Arc::into_raw(Arc::new([1u8; 3000]));
        NUMBERS = Some((0..500).map(|i| (i, vec![1; 30])).collect());
    }
    std::thread::spawn(lose).join().unwrap();
    eprintln!("end 0");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    println!("{}", shared.len());
}
"""


def test_rust(start):
    def make(path):
        path.mkdir()
        (path / "leaks.rs").write_text(RUST)
        subprocess.run(["rustc", "-O", "-Awarnings", "-C", "strip=symbols",
                        "-o", path / "leaks", path / "leaks.rs"], check=True)

    need("rustc")
    target = start(cached("leaks-rust", [RUST], make) / "leaks")
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    sums = {}
    for (kind, size), (blocks, others) in \
            found(leaks(target, "--stop")).items():
        # Sizes asked for, which malloc rounds up.
        size = min((s for s in (400, 480, 1000, 2000, 3000) if s >= size - 24),
                   default=size)
        sums[kind, size] = blocks, others
    assert sums == {
        ("definite", 1000): (1, 0),
        ("definite", 400): (1, 0),
        ("definite", 480): (1, 20),
        ("indirect", 2000): (20, None),
    }


HEALTHY = {
    "python": ["/usr/bin/python3", "-c",
               "import json, ssl, sqlite3, time\n"
               "print(json, ssl, sqlite3, flush=True)\ntime.sleep(1000)"],
    "perl": ["perl", "-e", "$| = 1; my @a = map { 'x' x ($_ % 300) } 1..9999; "
             "my %h = map { $_ => [@a[0..3]] } 1..999; print 1; sleep 1000"],
}


@pytest.mark.parametrize("program", HEALTHY)
def test_a_program_that_loses_nothing(start, program):
    """A foreign one, with a heap of its own making on top of malloc."""
    target = start(*HEALTHY[program], reports=False, stdout=subprocess.PIPE)
    assert target.process.stdout.read(1)
    wait_for(lambda: is_idle(target.pid), "the program to sleep")
    totals = leaks(target, "--stop")["totals"]
    assert totals["reached_blocks"] > 1000
    assert totals["definite_blocks"] == totals["indirect_blocks"] == 0
    assert totals["possible_bytes"] < totals["reached_bytes"] // 50


@pytest.mark.parametrize("allocator", ["glibc", *PRELOADED])
def test_a_heap_that_never_rests(start, allocator):
    """Four threads at work: the slots where they keep their blocks are TLS,
    and a block that is on its way there stands in a register."""
    target = start_with(start, allocator, "blocks", "churn")
    known = None
    for _ in range(4):
        result = leaks(target, "--stop")
        check_totals(result)
        assert result["totals"]["reached_blocks"] > 1000
        # What it loses before the threads begin.
        lost = {r["example"] for r in result["rows"]
                if r["kind"] == "definite"}
        known = lost if known is None else known
        assert len(lost - known) <= 4


def test_a_heap_that_runs_on(start):
    """Whatever is caught in the middle, it is an answer."""
    target = start_with(start, "jemalloc", "blocks", "churn")
    for _ in range(3):
        assert sum(r["blocks"] for r in leaks(target, "--live")["rows"]) > 0

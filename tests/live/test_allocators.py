# SPDX-License-Identifier: Apache-2.0
"""Native allocators other than glibc's, held against what they say themselves
and what the program counts."""

import os
from random import Random

import pytest

from allocators import (MODES, OTHERS_BLOCKS, RELEASES, RUST, account, blocks,
                        check_held, release_file, rows, rust_program, sound,
                        total, with_library)
from conftest import (PAGE, c_program, debian_file, is_idle, ledger, need,
                      run, wait_for)
from mallocs import LIBRARIES, PRELOADED

MIB = 1 << 20


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("allocator", PRELOADED)
def test_blocks_held_are_in_use(start, allocator, mode):
    target = blocks(start, allocator)
    result = ledger(target, mode)
    sound(result)
    check_held(target, rows(target, allocator, mode))
    assert account(result, allocator, "in-use") == \
        total(rows(target, allocator, mode), "in_use_bytes")


@pytest.mark.parametrize("flags", [[], ["--no-contents"]])
@pytest.mark.parametrize("allocator", PRELOADED)
def test_a_core(start, allocator, flags, tmp_path):
    """The same from a snapshot of the process, to the byte."""
    target = blocks(start, allocator)
    before = rows(target, allocator, "--stop")
    done = run("snapshot", *flags, target.pid, "--output",
               tmp_path / "core")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "core", allocator) == before


@pytest.mark.parametrize("allocator", PRELOADED)
def test_a_damaged_core(start, allocator, tmp_path):
    """Words anywhere in the contents are overwritten, by addresses of the heap
    or by anything: what can still be made out balances."""
    target = blocks(start, allocator)
    core = tmp_path / "core"
    done = run("snapshot", target.pid, "--output", core)
    assert done.returncode == 0, done.stderr
    # The core's own headers lie at its two ends.
    words = range(core.stat().st_size // 128, core.stat().st_size // 64 * 7)
    random = Random(1)
    with open(core, "r+b") as file:
        for damages in (20, 2000, 20000):
            for _ in range(damages):
                file.seek(random.choice(words) * 8)
                word = file.read(8)
                file.seek(random.choice(words) * 8)
                file.write(random.choice([word, random.randbytes(8)]))
            file.flush()
            result = ledger(core)
            assert result.audit["balanced"] is True
            assert result.audit["overlaps"] == 0
            table = rows(core, allocator)
            assert total(table, "resident_bytes") <= \
                result.totals["rss_bytes"]


@pytest.mark.parametrize("allocator", PRELOADED)
def test_a_heap_that_never_rests(start, allocator):
    """It is recognised at each look, whatever its threads are at."""
    target = blocks(start, allocator, "churn")
    wait_for(lambda: ledger(target).below(f"malloc/{allocator}") > 1 << 20,
             "threads to be at work")
    for mode in MODES * 5:
        result = ledger(target, mode)
        assert result.audit["overlaps"] == 0
        assert result.below(f"malloc/{allocator}") > 1 << 20
        if mode == "--stop":
            assert result.audit["balanced"] is True


@pytest.mark.parametrize("allocator", PRELOADED)
def test_every_account_is_explained(start, allocator):
    target = blocks(start, allocator)
    text = run("ledger", "--explain", "--domain=vsz", target.pid).stdout
    for name in ledger(target).accounts:
        if name.startswith("malloc/"):
            assert f"\n  {name}\n" in text, name


@pytest.mark.parametrize("release", [None, *RELEASES])
def test_jemalloc_says_the_same(start, release):
    target = blocks(start, "jemalloc", release=release)
    result = ledger(target, "--stop")
    said = target.figures
    arenas = [n.split("/")[2] for n in result.accounts
              if n.startswith("malloc/jemalloc/arena-")]
    assert len(set(arenas)) == 5
    assert account(result, "jemalloc", "in-use", "cache", "free", "metadata",
                   without=["base"]) == said["je_active"]
    assert account(result, "jemalloc", "retained") == said["je_retained"]
    # It counts the blocks in which threads keep their caches, 28 KiB each.
    got = account(result, "jemalloc", "in-use", "cache") + 5 * 28672
    assert abs(got - said["je_allocated"]) <= PAGE
    assert account(result, "jemalloc", "in-use", "cache", "free", "metadata",
                   "dirty", "muzzy") == said["je_mapped"]


@pytest.mark.parametrize("release", [None, "trixie", "sid"])
def test_jemalloc_says_the_same_of_its_hpa(start, release, tmp_path):
    """Extents from pieces of 2 MiB, whose free pages have no descriptor."""
    target = blocks(start, "jemalloc", release=release, MALLOC_CONF="hpa:true")
    result = ledger(target, "--stop")
    said = target.figures
    table = rows(target, "jemalloc", "--stop")
    sound(result)
    check_held(target, table)
    assert said["je_hpa_dirty"] > 0
    pages = {kind: result.bytes(f"malloc/jemalloc/hpa/{kind}", domain="vsz")
             for kind in ("dirty", "retained", "reserved")}
    # What is kept in front of it is active to it.
    assert pages["dirty"] == said["je_hpa_dirty"] + said["je_hpa_sec"]
    assert pages["retained"] == said["je_hpa_pieces"] * MIB * 2 - \
        said["je_hpa_active"] - said["je_hpa_dirty"]
    # Pieces are cut from 256 MiB.
    assert (pages["reserved"] + said["je_hpa_pieces"] * MIB * 2) % \
        (256 * MIB) == 0
    assert account(result, "jemalloc", "in-use", "cache", "free", "metadata",
                   without=["base"]) == said["je_active"]
    assert table["hpa"]["trimmable_bytes"] == 0
    text = run("ledger", "--explain", "--domain=vsz", target.pid).stdout
    assert "\n  malloc/jemalloc/hpa\n" in text
    done = run("snapshot", "--no-contents", target.pid, "--output",
               tmp_path / "core")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "core", "jemalloc") == table


@pytest.mark.parametrize("release", [None, *RELEASES])
def test_jemalloc_says_which_threads_an_arena_has(start, release):
    """More threads than arenas, on a machine with few processors."""
    target = blocks(start, "jemalloc", 12, 300, 2, release=release)
    said = {f"arena-{name.rsplit('_', 1)[1]}": value
            for name, value in target.figures.items()
            if name.startswith("je_threads_") and value}
    table = rows(target, "jemalloc", "--stop")
    assert sum(said.values()) == 13
    assert {n: r["threads"] for n, r in table.items() if r["threads"]} == said


def test_tcmalloc_in_a_stripped_static_program(start):
    library = debian_file("libgoogle-perftools-dev",
                          f"{LIBRARIES}/libtcmalloc_minimal.a")
    target = start(c_program("blocks", flags=[
        "-s", "-static", "-pthread", "-fno-builtin", "-Wl,--whole-archive",
        str(library), "-Wl,--no-whole-archive", "-lstdc++", "-lm"]))
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    result = ledger(target, "--stop")
    sound(result)
    assert account(result, "tcmalloc", "in-use") == target.figures["tc_in_use"]


def test_tcmalloc_that_takes_samples(start):
    """A block of which it takes one has a span to itself: what is in use does
    not grow by that."""
    folder = debian_file("libgoogle-perftools4", LIBRARIES)
    unwind = debian_file("libunwind8", LIBRARIES)
    target = with_library(start, folder / "libtcmalloc.so.4",
                          LD_LIBRARY_PATH=f"{folder}:{unwind}",
                          TCMALLOC_SAMPLE_PARAMETER="32768")
    result = ledger(target, "--stop")
    sound(result)
    check_held(target, rows(target, "tcmalloc", "--stop"))
    in_use = account(result, "tcmalloc", "in-use")
    # It counts whole spans itself.
    assert in_use < target.figures["tc_in_use"] * 99 // 100
    heap = result.bytes(*(f"malloc/tcmalloc/heap/{kind}" for kind in
                          ("in-use", "metadata", "free", "cache", "dirty",
                           "retained")), domain="vsz")
    assert heap == target.figures["tc_heap"]


@pytest.mark.parametrize("release", [None, *RELEASES])
def test_tcmalloc_says_the_same(start, release):
    target = blocks(start, "tcmalloc", release=release)
    result = ledger(target, "--stop")
    said = target.figures
    assert account(result, "tcmalloc", "in-use") == said["tc_in_use"]
    assert account(result, "tcmalloc", "cache") == \
        said["tc_thread"] + said["tc_transfer"]
    assert account(result, "tcmalloc", "dirty") == said["tc_free"]
    assert account(result, "tcmalloc", "retained") == said["tc_unmapped"]
    # It counts the ends of spans, which no block has, as central.
    heap = account(result, "tcmalloc", "in-use", "cache", "dirty", "free",
                   "retained", "metadata") - \
        result.bytes("malloc/tcmalloc/metadata", domain="vsz")
    assert heap == said["tc_heap"]
    assert heap == said["tc_in_use"] + said["tc_thread"] + \
        said["tc_transfer"] + said["tc_central"] + said["tc_free"] + \
        said["tc_unmapped"]


@pytest.mark.parametrize("release", [None, *RELEASES])
def test_jemalloc_purges_what_was_predicted(start, release):
    target = blocks(start, "jemalloc", release=release)
    before = rows(target, "jemalloc", "--stop")
    target.ask("trim")
    after = rows(target, "jemalloc", "--stop")
    predicted = total(before, "trimmable_bytes")
    assert predicted > 1 << 20
    dropped = total(before, "resident_bytes") - total(after, "resident_bytes")
    # What the call itself and the report touch comes back.
    assert abs(predicted - dropped) <= 16 * PAGE
    assert total(after, "trimmable_bytes") <= 16 * PAGE


@pytest.mark.parametrize("release", [None, *RELEASES])
def test_tcmalloc_releases_what_was_predicted(start, release):
    target = blocks(start, "tcmalloc", release=release)
    before = rows(target, "tcmalloc", "--stop")["heap"]
    after = target.ask("trim")
    table = rows(target, "tcmalloc", "--stop")["heap"]
    assert before["trimmable_bytes"] > 1 << 20
    assert abs(before["resident_bytes"] - table["resident_bytes"] -
               before["trimmable_bytes"]) <= 4 * PAGE
    assert table["trimmable_bytes"] == 0
    assert table["reserved_bytes"] == after["tc_unmapped"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("flags", [["-static", "-s"], ["-s"]])
def test_musl(start, flags, mode):
    need("musl-gcc")
    target = start(c_program("blocks", "musl-gcc", flags))
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    result = ledger(target, mode)
    sound(result)
    table = rows(target, "musl", mode)
    held = target.figures
    # The loader gives malloc what is left of libraries' pages: some blocks
    # lie there.
    donated = 0 if "-static" in flags else 100
    assert 0 <= held["blocks"] - table["heap"]["in_use_blocks"] <= donated
    # Slots of one class in four per doubling, their heads included.
    assert held["usable"] < table["heap"]["in_use_bytes"] < \
        held["usable"] * 9 // 8
    assert account(result, "musl", "in-use") == table["heap"]["in_use_bytes"]


@pytest.mark.parametrize("release,folder", [
    ("bullseye", "lib"), ("trixie", "usr/lib"), ("sid", "usr/lib")])
def test_releases_of_musl(start, release, folder):
    """1.2.2 and what is newer than this machine's; each library is a loader."""
    need("musl-gcc")
    library = release_file(release, "musl",
                           f"{folder}/x86_64-linux-musl/libc.so")
    target = start(library, c_program("blocks", "musl-gcc", ["-s"]))
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    sound(ledger(target, "--stop"))
    table = rows(target, "musl", "--stop")
    missing = target.figures["blocks"] - table["heap"]["in_use_blocks"]
    assert 0 <= missing <= 100


@pytest.mark.parametrize("preloaded,dependency,name", [
    ("jemalloc", "mimalloc = { version = \"=0.1.52\", "
     "default-features = false }\nlibmimalloc-sys = \"=0.1.49\"",
     "mimalloc::MiMalloc"),
    ("mimalloc", "mimalloc = { version = \"=0.1.52\", "
     "default-features = false }\nlibmimalloc-sys = \"=0.1.49\"",
     "mimalloc::MiMalloc"),
    ("tcmalloc", "tikv-jemallocator = \"=0.6.1\"",
     "tikv_jemallocator::Jemalloc"),
])
def test_two_allocators(start, preloaded, dependency, name):
    """One in the program, another for its C library: each has its own. One
    pair is of mimalloc 3 and 2."""
    need("cargo")
    own = "mimalloc" if "mimalloc" in name else "jemalloc"
    program = rust_program(name.split(":")[0], dependency,
                           RUST % (name, name))
    target = start(program, env=dict(
        os.environ, LD_PRELOAD=str(debian_file(*PRELOADED[preloaded]))))
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    result = ledger(target, "--stop")
    sound(result)
    assert result.below(f"malloc/{preloaded}") > 0
    held = target.figures
    extra = total(rows(target, own, "--stop"), "in_use_blocks") - \
        held["blocks"]
    assert 0 <= extra <= 2 * OTHERS_BLOCKS


def test_musl_never_rests(start):
    need("musl-gcc")
    target = start(c_program("blocks", "musl-gcc", ["-static", "-s"]), "churn")
    for mode in MODES * 5:
        result = ledger(target, mode)
        assert result.audit["overlaps"] == 0
        assert result.below("malloc/musl") > 1 << 20
        if mode == "--stop":
            assert result.audit["balanced"] is True


@pytest.mark.parametrize("allocator,dependency,name", [
    ("jemalloc", "tikv-jemallocator = \"=0.6.1\"",
     "tikv_jemallocator::Jemalloc"),
    ("jemalloc", "tikv-jemallocator = \"=0.4.3\"",
     "tikv_jemallocator::Jemalloc"),
])
def test_rust(start, allocator, dependency, name):
    """Linked into a stripped program, with glibc's malloc beside it."""
    need("cargo")
    program = rust_program(name.split(":")[0], dependency,
                           RUST % (name, name))
    target = start(program)
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    sound(ledger(target, "--stop"))
    table = rows(target, allocator, "--stop")
    held = target.figures
    assert 0 <= total(table, "in_use_blocks") - held["blocks"] <= OTHERS_BLOCKS
    # Blocks are as large as their classes.
    assert held["usable"] <= total(table, "in_use_bytes") <= \
        held["usable"] * 5 // 4

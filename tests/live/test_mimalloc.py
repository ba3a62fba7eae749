# SPDX-License-Identifier: Apache-2.0
"""mimalloc 2 and 3, release and secure builds, held against what the program
counts: each block's usable size is known."""

import subprocess

import pytest

import allocators
from allocators import (MODES, RUST, account, crate, release_file, rows,
                        rust_program, sound, total, with_library)
from conftest import (cached, debian_file, is_idle, ledger, need, run,
                      wait_for)
from mallocs import LIBRARIES, PRELOADED


def built(version, folder="", secure=0):
    """A library of the source that a version of libmimalloc-sys brings."""
    need("cargo")

    def make(path):
        source = crate("libmimalloc-sys", version) / "c_src/mimalloc" / folder
        subprocess.run(
            ["gcc", "-w", "-O2", "-shared", "-fPIC", "-pthread",
             "-ftls-model=initial-exec", "-fno-builtin-malloc",
             "-DMI_SHARED_LIB", "-DMI_MALLOC_OVERRIDE", "-DMI_BUILD_RELEASE",
             "-DNDEBUG", f"-DMI_SECURE={secure}",
             f"-I{source}/include", f"-I{source}/src",
             source / "src/static.c", "-o", path], check=True)

    return cached("libmimalloc", [version, folder, secure], make)


# Each row of the tables of layouts that these sources lead to.
RELEASES = {
    "2.0.6": lambda: built("0.1.25"),
    "2.0.9": lambda: debian_file(*PRELOADED["mimalloc"]),
    "2.1.2": lambda: built("0.1.35"),
    "2.1.2-secure": lambda: built("0.1.35", secure=4),
    "2.1.7-secure": lambda: built("0.1.39", secure=4),
    "2.3.2": lambda: built("0.1.49", "v2"),
    "2.3.2-secure": lambda: built("0.1.49", "v2", secure=4),
    "3.0.1": lambda: release_file("trixie", "libmimalloc3",
                                  f"{LIBRARIES}/libmimalloc.so.3.0"),
    "3.1.5-secure": lambda: built("0.1.44", "v3", secure=4),
    "3.3.2": lambda: built("0.1.49", "v3"),
    "3.3.2-secure": lambda: built("0.1.49", "v3", secure=4),
    # 3.6.0, and what comes after it.
    "sid": lambda: release_file("sid", "libmimalloc3",
                                f"{LIBRARIES}/libmimalloc.so.3"),
}
# One of each way in which pages are found.
WAYS = ["2.3.2-secure", "3.0.1", "3.3.2", "sid"]


def start_blocks(start, release, *arguments):
    return with_library(start, RELEASES[release](), *arguments)


@pytest.mark.parametrize("release", RELEASES)
def test_holds_what_the_program_counts(start, release):
    target = start_blocks(start, release)
    result = ledger(target, "--stop")
    sound(result)
    table = rows(target, "mimalloc", "--stop")
    threads = [r for r in table.values() if r["threads"]]
    assert len(threads) == 5 and "main" in table
    own = table.pop("internal", {"in_use_bytes": 0})["in_use_bytes"]
    # Four vectors for threads' TLS.
    assert total(table, "in_use_blocks") == target.figures["blocks"] + 4
    held = total(table, "in_use_bytes") - target.figures["usable"]
    # A secure build calls usable only what was asked for, not the class's size.
    rest = target.figures["usable"] // 4 if "secure" in release else 4096
    assert 0 <= held <= rest
    assert total(table, "torn_bytes") == 0
    assert account(result, "mimalloc", "in-use") == \
        total(table, "in_use_bytes") + own


@pytest.mark.parametrize("release", WAYS)
def test_large_blocks_have_memory_of_their_own(start, release):
    """Up to 60 MB each: not in an arena."""
    target = start_blocks(start, release, 2, 100, 60)
    sound(ledger(target, "--stop"))
    table = rows(target, "mimalloc", "--stop")
    table.pop("internal", None)
    assert total(table, "in_use_blocks") == target.figures["blocks"] + 2
    assert total(table, "torn_bytes") == 0


@pytest.mark.parametrize("release", ["2.0.9", *WAYS])
def test_what_is_kept_of_freed_memory_is_free(start, release):
    """Whole segments, that the next thread in need of one will get."""
    target = start_blocks(start, release, 2, 60000, 0)
    figures = target.ask("drop")
    wait_for(lambda: is_idle(target.pid), "the program to rest")
    result = ledger(target, "--stop")
    sound(result)
    table = rows(target, "mimalloc", "--stop")
    table.pop("internal", None)
    assert total(table, "in_use_blocks") == figures["blocks"] + 2
    assert total(table, "torn_bytes") == 0


@pytest.mark.parametrize("flags", [[], ["--no-contents"]])
@pytest.mark.parametrize("release", WAYS)
def test_a_core(start, release, flags, tmp_path):
    target = start_blocks(start, release)
    before = rows(target, "mimalloc", "--stop")
    done = run("snapshot", *flags, target.pid, "--output",
               tmp_path / "core")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "core", "mimalloc") == before


@pytest.mark.parametrize("release", WAYS)
def test_never_rests(start, release):
    target = start_blocks(start, release, "churn")
    wait_for(lambda: ledger(target).below("malloc/mimalloc") > 1 << 20,
             "threads to be at work")
    for mode in MODES * 5:
        result = ledger(target, mode)
        assert result.audit["overlaps"] == 0
        assert result.below("malloc/mimalloc") > 1 << 20
        if mode == "--stop":
            assert result.audit["balanced"] is True
            # A thread can be caught while it makes a page.
            assert result.unknown() <= result.totals["rss_bytes"] // 10


def test_the_address_space_of_an_arena_is_told(start):
    """A gigabyte is reserved at once, of which little is used."""
    target = start_blocks(start, "3.3.2")
    result = ledger(target, "--stop")
    told = account(result, "mimalloc", "in-use", "free", "top", "metadata",
                   "dirty", "retained", "reserved")
    assert told >= 1 << 30
    assert account(result, "mimalloc", "reserved") > 900 << 20
    assert result.bytes("anonymous/private", domain="vsz") < 1 << 20


@pytest.mark.parametrize("dependency", [
    "mimalloc = { version = \"=0.1.43\", default-features = false }\n"
    "libmimalloc-sys = \"=0.1.39\"",
    "mimalloc = { version = \"=0.1.52\", default-features = false }\n"
    "libmimalloc-sys = \"=0.1.49\"",
], ids=["2.1.7", "3.3.2"])
def test_in_a_stripped_rust_program(start, dependency):
    """Beside glibc's malloc."""
    need("cargo")
    name = "mimalloc::MiMalloc"
    target = start(rust_program("mimalloc", dependency, RUST % (name, name)))
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    sound(ledger(target, "--stop"))
    table = rows(target, "mimalloc", "--stop")
    held = target.figures
    assert 0 <= total(table, "in_use_blocks") - held["blocks"] <= \
        allocators.OTHERS_BLOCKS
    # Blocks are as large as their classes.
    assert held["usable"] <= total(table, "in_use_bytes") <= \
        held["usable"] * 5 // 4

# SPDX-License-Identifier: Apache-2.0
"""Packages of suites that move on: whatever release they have by now, memwhy
tells its heap as it is or leaves it alone."""

import pytest

import glibcs
from allocators import release_file, rows, total, with_library
from conftest import c_program, is_idle, ledger, need, wait_for
from mallocs import LIBRARIES

# The C libraries' and the allocators' own blocks, and those of musl that lie in
# pages of libraries.
OTHERS_BLOCKS = 100


def sids(package, inside):
    """blocks.c with a malloc of sid, on sid's C library."""
    def make(start):
        before = glibcs.loader("2.43")
        before[-1] = f"{before[-1]}:/{LIBRARIES}"
        return with_library(start, release_file(
            "sid", package, f"{LIBRARIES}/{inside}"), before=before)
    return make


def musl(start):
    need("musl-gcc")
    library = release_file("sid", "musl",
                           "usr/lib/x86_64-linux-musl/libc.so")
    return start(library, c_program("blocks", "musl-gcc", ["-s"]))


def glibc(version):
    return lambda start: start(*glibcs.loader(version),
                               glibcs.old_program("arenas"), 3, 5000, 8)


PROGRAMS = [
    ("glibc", "sid", glibc("2.43")),
    ("glibc", "experimental", glibc("2.44")),
    ("jemalloc", "sid", sids("libjemalloc2", "libjemalloc.so.2")),
    ("tcmalloc", "sid", sids("libtcmalloc-minimal4t64",
                             "libtcmalloc_minimal.so.4")),
    ("mimalloc", "sid", sids("libmimalloc3", "libmimalloc.so.3")),
    ("musl", "sid", musl),
]


@pytest.mark.any_release
@pytest.mark.parametrize("allocator,suite,program", PROGRAMS,
                         ids=[f"{a}-{s}" for a, s, _ in PROGRAMS])
def test_told_rightly_or_left_alone(start, allocator, suite, program):
    target = program(start)
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    result = ledger(target, "--stop")
    assert result.audit["overlaps"] == 0
    assert result.audit["balanced"] is True
    table = rows(target, allocator, "--stop")
    told = total(table, "in_use_blocks")
    held = target.figures["blocks"] + target.figures.get("hblks", 0)
    assert not told or abs(told - held) <= OTHERS_BLOCKS
    assert not told or total(table, "torn_bytes") == 0

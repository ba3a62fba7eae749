# SPDX-License-Identifier: Apache-2.0
"""Go programs of every minor release, built in every way: the ledger agrees
with what the program itself says (runtime.ReadMemStats)."""

import re
import subprocess

import pytest

from conftest import (ROOT, VARIANTS, Frozen, check_against_smaps, go_program,
                      ledger, wait_for)
from go_figures import go_command, values

# The last patch release of each minor, and first ones whose layout differs.
RELEASES = ["1.9.7", "1.10.8", "1.11.13", "1.12.17", "1.13.15", "1.14.15",
            "1.15.15", "1.16.15", "1.17.13", "1.18.10", "1.19.13", "1.20.14",
            "1.21.13", "1.22.12", "1.23.12", "1.24.13", "1.25.8", "1.26.8",
            "1.27.4"]
EARLY_RELEASES = ["1.9", "1.10", "1.13", "1.14", "1.15", "1.16", "1.18",
                  "1.19", "1.21.0", "1.23.0", "1.24.0", "1.26.0"]
# Patch releases between those that the tables were made from.
BETWEEN = ["1.9.2", "1.11.2", "1.19.4", "1.23.5"]
CGO_RELEASES = ["1.9.7", "1.11.13", "1.13.15", "1.15.15", "1.16.15",
                "1.20.14", "1.23.12", "1.26.8", "1.27.4"]


def read_idle(target, *arguments):
    """A ledger between two equal reports of the program: nothing happened
    meanwhile. The runtime frees work buffers and starts threads in the
    background, so it may take some tries."""
    before = target.ask()
    for _ in range(50):
        result = ledger(target, *arguments)
        after = target.ask()
        if after == before and result.audit["drift_rss_bytes"] == 0:
            return result, after
        before = after
    raise AssertionError("the program does not come to rest")


def check_equal_to_program(result, figures):
    def vsz(*accounts):
        return result.bytes(*accounts, domain="vsz")

    objects = vsz("go/heap/objects")
    scavenged = vsz("go/heap/scavenged")
    # ReadMemStats allocates nothing, and the report is printed without
    # allocating, so these are exact.
    assert objects == figures["HeapAlloc"]
    assert objects + vsz("go/heap/free-slots", "go/heap/span-tail") == \
        figures["HeapInuse"]
    assert vsz("go/stacks/used", "go/stacks/unused", "go/stacks/cached") == \
        figures["StackInuse"]
    # Go 1.13 to 1.16 count the arena that the heap has not grown into as
    # released.
    reserved = vsz("go/heap/reserved")
    extra = 0 if scavenged == figures["HeapReleased"] else reserved
    minor = int(re.match(r"go1\.(\d+)", result.go["version"])[1])
    assert 13 <= minor <= 16 or extra == 0
    assert scavenged + extra == figures["HeapReleased"]
    assert vsz("go/heap/idle") + scavenged + extra == figures["HeapIdle"]
    assert result.go["goroutines"] == figures["NumGoroutine"]


def check_nothing_unknown(result):
    assert result.audit["balanced"] is True
    assert result.audit["overlaps"] == 0
    assert result.unknown() <= result.totals["rss_bytes"] / 1000


def check(target, version, variant, cgo):
    for mode in ("--live", "--stop"):
        result, figures = read_idle(target, mode)
        check_nothing_unknown(result)
        check_equal_to_program(result, figures)
        assert result.go["version"] == f"go{version}"
        assert result.go["stripped"] == (variant in ("stripped", "pie"))
        assert result.go["pie"] == (variant == "pie")
        assert result.go["cgo"] == cgo
        if mode == "--live":
            assert result.json["capture"]["stopped_ns"] == 0
    with Frozen(target.pid):
        check_against_smaps(target.pid, ledger(target))


def test_every_minor_with_a_table_is_tried():
    tables = ROOT / "src" / "gort" / "layouts"
    assert [int(version.split(".")[1]) for version in RELEASES] == \
        sorted(int(path.stem[4:]) for path in tables.glob("go1_*.def"))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("version", RELEASES)
def test_release(start, version, variant):
    program = go_program("objects", version, variant)
    # In Go 1.9, a PIE has runtime/cgo in it, asked for or not.
    symbols = subprocess.run(["readelf", "--dyn-syms", "-W", program],
                             check=True, text=True, capture_output=True).stdout
    check(start(program), version, variant, "pthread_create" in symbols)


@pytest.mark.parametrize("version", EARLY_RELEASES + BETWEEN)
def test_other_patch_releases(start, version):
    target = start(go_program("objects", version, "stripped"))
    check(target, version, "stripped", cgo=False)


@pytest.mark.parametrize("variant", ["dwarf", "stripped", "pie"])
@pytest.mark.parametrize("version", CGO_RELEASES)
def test_cgo(start, version, variant):
    target = start(go_program("cgo", version, variant, cgo=True))
    check(target, version, variant, cgo=True)


@pytest.mark.parametrize("version", ["1.20.14", "1.26.8"])
def test_static_cgo(start, version):
    target = start(go_program(
        "cgo", version, "dwarf", cgo=True,
        flags=["-ldflags=-linkmode=external -extldflags=-static"]))
    check(target, version, "dwarf", cgo=True)


@pytest.mark.parametrize("version", ["1.22.12", "1.26.8"])
def test_accounts_are_there(start, version):
    """Every structure that such a program has is told by what it is."""
    target = start(go_program("objects", version, "stripped"))
    result = ledger(target, "--stop")
    for account in ("go/heap/objects", "go/heap/free-slots",
                    "go/heap/span-tail", "go/stacks/used",
                    "go/stacks/unused", "go/stacks/cached",
                    "go/runtime/mspan", "go/runtime/mcache",
                    "go/runtime/span-sets", "go/runtime/gc-bits",
                    "go/runtime/page-alloc", "go/runtime/spans-index",
                    "go/runtime/heap-arenas", "go/runtime/arena-index",
                    "go/runtime/allspans", "go/runtime/specials",
                    "go/runtime/root-masks", "go/runtime/arena-hints",
                    "binary/.text", "binary/.gopclntab"):
        assert result.bytes(account) > 0, account
    for account in ("go/heap/scavenged", "go/heap/reserved"):
        assert result.bytes(account, domain="vsz") > 0, account
    # What is given back is not resident.
    assert result.bytes("go/heap/scavenged", "go/heap/reserved") == 0


@pytest.mark.parametrize("version", ["1.9.7", "1.12.17", "1.13.15", "1.26.8"])
def test_strings_that_look_like_versions(start, version):
    """To Go 1.12 the version has to be told from among the data's strings."""
    result = ledger(start(go_program("decoys", version, "stripped")))
    assert result.go["version"] == f"go{version}"
    check_nothing_unknown(result)


@pytest.mark.parametrize("version", ["1.16.15", "1.22.12"])
def test_constants_that_look_like_line_tables(start, version):
    """As in Debian's dockerd."""
    program = go_program("linetables", version, "pie", cgo=True)
    assert b".gopclntab" not in program.read_bytes()
    result = ledger(start(program))
    assert result.go["version"] == f"go{version}"
    assert result.go["pie"] and result.go["stripped"]
    check_nothing_unknown(result)


def renamed(tmp_path, version, name, variant="stripped"):
    """objects.go, built with a release but saying that it is of another."""
    old, new = (f"go{v}".encode() for v in (version, name))
    assert len(old) == len(new)
    program = tmp_path / "renamed"
    program.write_bytes(go_program("objects", version, variant).read_bytes()
                        .replace(old, new))
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("version, name", [
    ("1.9.7", "1.9.9"), ("1.12.17", "1.12.99"), ("1.15.15", "1.15.99"),
    ("1.27.4", "1.27.9")])
def test_unknown_patch_release(start, tmp_path, version, name):
    """The nearest table, put right by the program's own types."""
    target = start(renamed(tmp_path, version, name))
    result, figures = read_idle(target)
    assert result.go["version"] == f"go{name}"
    assert result.go["layout"] == "rtype"
    check_nothing_unknown(result)
    check_equal_to_program(result, figures)


def test_development_version(start, tmp_path):
    """One that no table is for is not guessed at; the kernel's view stays."""
    target = start(renamed(tmp_path, "1.27.4", "1.28-d"))
    with Frozen(target.pid):
        result = ledger(target)
        check_against_smaps(target.pid, result)
    assert result.go is None
    assert "go1.28-d" in result.stderr
    assert result.audit["balanced"] is True
    assert result.bytes("anonymous/private") > 8_000_000
    assert result.bytes("binary/.text") > 0


@pytest.mark.parametrize("version, name", [
    ("1.9.7", "1.8.7"), ("1.12.17", "1.99.17"), ("1.27.4", "1.28-d")])
def test_unknown_version_with_dwarf(start, tmp_path, version, name):
    target = start(renamed(tmp_path, version, name, "dwarf"))
    result, figures = read_idle(target)
    assert result.go["layout"] == "dwarf"
    check_nothing_unknown(result)
    check_equal_to_program(result, figures)


def lazily_freed(pid):
    """What /proc/PID/smaps says was given back with MADV_FREE."""
    with open(f"/proc/{pid}/smaps") as file:
        return sum(int(line.split()[1]) * 1024 for line in file
                   if line.startswith("LazyFree:"))


@pytest.mark.parametrize("version", ["1.9.7", "1.11.13", "1.12.17", "1.13.15",
                                     "1.15.15", "1.20.14", "1.26.8"])
def test_crowd(start, version):
    """Several arenas, MiBs of profile records, hundreds of connections, Ps
    that have retired, and half of the heap given back."""
    target = start(go_program("crowd", version), "free")
    for mode in ("--live", "--stop"):
        result, figures = read_idle(target, mode)
        check_nothing_unknown(result)
        check_equal_to_program(result, figures)
        assert result.bytes("go/runtime/profile-buckets") > 4_000_000
        assert result.bytes("go/runtime/persistent") <= \
            result.totals["rss_bytes"] / 100
    with Frozen(target.pid):
        result = ledger(target)
        check_against_smaps(target.pid, result)
        lazy = lazily_freed(target.pid)
    assert (lazy > 50 << 20) == ("1.12" <= version < "1.16")
    assert abs(result.bytes("go/heap/scavenged") - lazy) <= 1 << 20


def test_goroutine_stacks_are_divided(start):
    """objects.go has 40 goroutines with up to 400 frames of about 1 KiB."""
    target = start(go_program("objects", "1.26.8", "stripped"))
    result, figures = read_idle(target)
    used = result.bytes("go/stacks/used", domain="vsz")
    frames = sum(10 * i for i in range(40)) * 1024
    assert frames < used < 2 * frames
    assert result.bytes("go/stacks/unused", domain="vsz") > 0


@pytest.mark.parametrize("variant", ["stripped", "pie"])
@pytest.mark.parametrize("version", ["1.9.7", "1.11.13", "1.12.17", "1.26.8"])
def test_own_mappings_among_those_of_the_runtime(start, version, variant):
    """mapped.go maps 48 MiB in 16 pieces while its heap grows. To Go 1.11 no
    list tells which pieces between are the runtime's."""
    target = start(go_program("mapped", version, variant))
    with Frozen(target.pid):
        result = ledger(target)
    assert result.audit["balanced"] is True
    assert result.audit["overlaps"] == 0
    assert result.bytes("anonymous/private") == target.figures["mapped"]
    assert result.below("unknown") == 0
    assert result.bytes("go/runtime/mspan") > 500_000


@pytest.mark.parametrize("version", ["1.9.7", "1.15.15", "1.18.10", "1.20.14",
                                     "1.21.13", "1.22.12", "1.23.12",
                                     "1.25.8", "1.27.4"])
def test_execution_trace(start, version):
    """Its buffers are the runtime's, and as many as OtherSys has less without
    them; what is cut from a chunk is counted elsewhere."""
    block, chunk = 64 << 10, 256 << 10
    target = start(go_program("traced", version))
    for _ in range(2):
        tracing = target.figures["OtherSys"]
        result = ledger(target, "--stop")
        assert result.audit["balanced"] is True
        assert result.below("anonymous") == result.unknown() == 0
        traced = result.bytes("go/runtime/trace", domain="vsz")
        assert traced > 1 << 20 and traced % block == 0
        assert traced / 2 < result.bytes("go/runtime/trace") <= traced
        less = tracing - target.ask()["OtherSys"]
        assert (less - traced + block) % chunk < 2 * block
        result = ledger(target, "--stop")
        assert result.bytes("go/runtime/trace", domain="vsz") == 0
        target.ask()


@pytest.mark.parametrize("version", ["1.9.7", "1.16.15", "1.22.12", "1.27.4"])
def test_bits_are_told_while_marking(start, version):
    """Then one of the four lists of them is empty: no bits have been made for
    the next cycle."""
    target = start(go_program("busy", version))
    caught = 0

    def seen():
        nonlocal caught
        with Frozen(target.pid):
            if values(go_command("gc", target))["phase"] != "mark":
                return False
            result = ledger(target)
        assert result.bytes("go/runtime/gc-bits") > 0
        assert result.below("anonymous") == 0
        caught += 1
        return caught == 5

    wait_for(seen, "collections to be caught")

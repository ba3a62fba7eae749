# SPDX-License-Identifier: Apache-2.0
"""Findings: programs in which a rule's condition is real, and others close by
in which it is not."""

import json
import os
import re
import resource
import shutil

import pytest

from conftest import (Frozen, c_program, children, go_program,
                      is_idle, is_root, ledger, need, run, smaps_totals,
                      status, wait_for)
from mallocs import preload
from swaps import swap  # noqa: F401

MIB = 1 << 20


def findings(target, *arguments):
    """{id: finding} of a target at rest, checked for form."""
    wait_for(lambda: is_idle(target.pid), "the target to be idle")
    result = ledger(target, *arguments)
    found = result.json["findings"]
    for finding in found:
        assert set(finding) == {"id", "bytes", "summary", "evidence",
                                "advice"}
        assert re.fullmatch(r"[a-z0-9.]+(-[a-z0-9.]+)+", finding["id"])
        assert finding["bytes"] > 0
    sizes = [f["bytes"] for f in found]
    assert sizes == sorted(sizes, reverse=True)
    assert len({f["id"] for f in found}) == len(found)
    return {f["id"]: f for f in found}


def pair(start, name, program, options=None):
    """The findings of a case, and of the one close by."""
    options = options or {}
    loud = start(*program, name, **options)
    quiet = start(*program, name, "quiet", **options)
    return loud, quiet


GO_CASES = {
    # case: (id, least and most MiB, in the evidence)
    "idle": ("heap-idle-retained", 50, 80, "go/heap/idle"),
    "holes": ("heap-fragmentation", 30, 34, "objects of 64 bytes"),
    "headroom": ("heap-gogc-headroom", 30, 60, "GOGC=400"),
    "off": ("gc-off", 40, 60, "0 collections"),
    "stacks": ("goroutine-stacks-grown", 20, 60, "g.stack"),
    "goroutines": ("goroutines-many", 35, 60, "main.goroutines (20000"),
    "dead": ("goroutines-dead", 8, 20, "20000 dead"),
    "mapped": ("anonymous-mappings", 32, 34, "anonymous/private"),
    "profile": ("profile-buckets", 2, 40, "BuckHashSys"),
    "threads": ("threads-idle", 1, 20, "runtime.sched.midle"),
    "metadata": ("runtime-metadata", 4, 20, "mspan"),
}


@pytest.mark.parametrize("version", ["1.20.14", "1.26.8"])
@pytest.mark.parametrize("case", GO_CASES)
def test_go(start, case, version):
    name, least, most, word = GO_CASES[case]
    program = [go_program("remarkable", version)]
    loud, quiet = pair(start, case, program)
    found = findings(loud)
    assert name in found, found
    assert least * MIB <= found[name]["bytes"] <= most * MIB
    assert word in found[name]["evidence"]
    assert name not in findings(quiet)


@pytest.mark.parametrize("version", ["1.19.13", "1.26.8"])
def test_memory_limit(start, version):
    name = "memory-limit-reached"
    program = go_program("remarkable", version)
    limits = {size: start(program, "limit",
                          env=dict(os.environ, GOMEMLIMIT=f"{size}MiB"))
              for size in (40, 400)}
    found = findings(limits[40])[name]
    assert 48 * MIB <= found["bytes"] <= 80 * MIB
    assert "memoryLimit 41943040" in found["evidence"]
    assert name not in findings(limits[400])
    assert name not in findings(start(program, "limit"))


@pytest.mark.parametrize("version", ["1.16.15", "1.20.14", "1.24.0", "1.26.8",
                                     "1.27.4"])
def test_nothing_remarkable(start, version):
    assert findings(start(go_program("remarkable", version), "none")) == {}


def test_nothing_remarkable_in_c(start):
    assert findings(start(c_program("remarkable", flags=["-pthread"]),
                          "none")) == {}


# Programs of Debian, idle. Those of packages that are not there are left out.
ORDINARY = {
    "sleep": ["sleep", "1000"],
    "cat": ["cat"],
    "tail": ["tail", "-f", "/etc/passwd"],
    "bash": ["bash", "--norc", "--noprofile"],
    "dash": ["dash"],
    "awk": ["awk", "{ print }"],
    "perl": ["perl", "-e", "sleep 1000"],
    "python": ["/usr/bin/python3", "-c",
               "import json, re, time; time.sleep(1000)"],
    "xz": ["xz", "-c"],
    "top": ["top", "-b", "-d", "1000"],
    "gdb": ["gdb", "-q", "-n"],
    "sqlite": ["sqlite3"],
    "ruby": ["ruby", "-e", "sleep 1000"],
    "nginx": ["nginx", "-p", ".", "-c", "nginx.conf"],
}
NGINX = """daemon off; master_process off; pid pid; error_log stderr;
events {} http { access_log off; client_body_temp_path a; proxy_temp_path b;
fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;
server { listen unix:socket; } }
"""


@pytest.mark.parametrize("name", ORDINARY)
def test_nothing_remarkable_in_programs_of_debian(start, name, tmp_path):
    command = ORDINARY[name]
    need(command[0])
    (tmp_path / "nginx.conf").write_text(NGINX)
    target = start(*command, reports=False, cwd=tmp_path)
    assert findings(target) == {}
    assert findings(target, "--pss") == {}


@pytest.mark.parametrize("version", ["1.11.13", "1.26.8"])
def test_nothing_remarkable_in_a_web_server(start, version):
    target = start(go_program("server", version, cgo=True))
    assert findings(target) == {}
    assert findings(target, "--pss") == {}


def test_structures_of_a_heap_that_was_never_touched(start):
    """Up to Go 1.17 the bitmap of a ballast is filled: it is of a heap that is
    in use, though not of one that is resident."""
    target = start(go_program("remarkable", "1.17.13"), "ballast")
    assert ledger(target).accounts["go/runtime/bitmap"]["rss_bytes"] > 8 * MIB
    assert "runtime-metadata" not in findings(target)


def test_release_that_zeroes(start):
    name = "go1.24-large-zeroing"
    for first_or_last in ("1.24.0", "1.24.5"):
        loud, quiet = pair(start, "zeroed",
                           [go_program("remarkable", first_or_last)])
        found = findings(loud)[name]
        assert 60 * MIB <= found["bytes"] <= 66 * MIB
        assert status(loud.pid)["VmRSS"] >= 60 * MIB
        assert name not in findings(quiet)
    # The kernel agrees: of the releases around, none touches it.
    for sound in ("1.23.12", "1.24.6"):
        target = start(go_program("remarkable", sound), "zeroed")
        assert name not in findings(target)
        assert status(target.pid)["VmRSS"] < 10 * MIB


def test_lazy_free_of_go(start):
    lazy = dict(os.environ, GODEBUG="madvdontneed=0")
    program = go_program("remarkable", "1.26.8")
    loud = start(program, "lazy", env=lazy)
    quiet = start(program, "lazy")
    assert findings(loud)["lazily-freed"]["bytes"] >= 50 * MIB
    assert findings(loud, "--pss")["lazily-freed"]["bytes"] >= 50 * MIB
    assert "lazily-freed" not in findings(quiet)
    # Huge pages elsewhere do not make it the kernel's doing.
    found = findings(start(program, "lazybeside", env=lazy))
    assert found["lazily-freed"]["bytes"] >= 50 * MIB
    assert "heap-scavenged-refilled" not in found
    # Go 1.12 to 1.15 do so by themselves.
    old = start(go_program("crowd", "1.14.15"), "give")
    assert "lazily-freed" in findings(old)


def huge_pages(pid):
    """AnonHugePages of smaps, in bytes."""
    return sum(int(line.split()[1]) << 10
               for line in open(f"/proc/{pid}/smaps", encoding="utf-8")
               if line.startswith("AnonHugePages:"))


def test_refilled_by_huge_pages(start):
    name = "heap-scavenged-refilled"
    program = [go_program("remarkable", "1.26.8")]
    loud, quiet = pair(start, "refilled", program)
    if huge_pages(loud.pid) < 32 * MIB:
        pytest.skip("this kernel does not collapse pages to huge ones")
    found = findings(loud)[name]
    assert 10 * MIB <= found["bytes"] <= huge_pages(loud.pid)
    assert "max_ptes_none" in found["evidence"]
    assert name not in findings(quiet)


def test_release_that_forces_huge_pages(start):
    name = "go1.21-huge-pages"
    target = start(go_program("remarkable", "1.21.0"), "idle")
    if huge_pages(target.pid) < 32 * MIB:
        pytest.skip("this kernel gives no huge pages for the asking")
    assert findings(target)[name]["bytes"] >= 32 * MIB
    assert name not in findings(start(go_program("remarkable", "1.21.13"),
                                      "idle"))


def test_cgo(start):
    program = go_program("remarkablecgo", "1.26.8", cgo=True)
    found = findings(start(program))["native-memory"]
    assert 31 * MIB <= found["bytes"] <= 36 * MIB
    assert "malloc/glibc" in found["evidence"]
    assert int(re.search(r"in (\d+) blocks", found["evidence"])[1]) >= 32768
    assert "native-memory" not in findings(start(program, "quiet"))


@pytest.mark.parametrize("version", ["1.16.15", "1.26.8"])
def test_race_detector(start, version):
    program = go_program("remarkable", version, cgo=True, flags=["-race"])
    target = start(program, "idle")
    found = findings(target)
    # Of each byte of the heap: at least as much.
    assert found["race-detector"]["bytes"] >= 48 * MIB
    assert found["race-detector"]["bytes"] == \
        ledger(target).bytes("anonymous/race-detector")
    assert "anonymous-mappings" not in found
    assert "binary-large" not in found
    program = go_program("remarkable", version, cgo=True)
    assert "race-detector" not in findings(start(program, "idle"))


C_CASES = {
    "slack": ("malloc-trimmable", 28, 34, "malloc/glibc/main"),
    "holes": ("malloc-fragmentation", 14, 18, "/free"),
    "anonymous": ("anonymous-mappings", 32, 34, "anonymous/private"),
    "file": ("mapped-files", 32, 36, "remarkable-"),
    "shared": ("shared-memory", 32, 34, "ring"),
    "pool": ("shared-memory", 32, 34, "anonymous (32."),
    "locked": ("memory-locked", 4, 4, "VmLck"),
    "sparse": ("page-tables", 4, 6, "VmPTE"),
    "stacks": ("thread-stacks-resident", 16, 18, "17 threads"),
    "stack": ("thread-stacks-resident", 6, 7, "stack/main: 6."),
    "arenas": ("malloc-arenas-many", 4, 12, "thread-N"),
    "threads": ("threads-idle", 3, 10, "state S"),
}


@pytest.mark.parametrize("case", C_CASES)
def test_c(start, case):
    name, least, most, word = C_CASES[case]
    if case == "locked":
        may_lock(4 * MIB)
    program = [c_program("remarkable", flags=["-pthread"])]
    loud, quiet = pair(start, case, program)
    found = findings(loud)
    assert name in found, found
    assert least * MIB <= found[name]["bytes"] <= most * MIB
    assert word in found[name]["evidence"]
    assert name not in findings(quiet)
    assert name in findings(loud, "--stop")
    assert name not in findings(quiet, "--stop")
    # The kernel's own word.
    if case == "locked":
        assert found[name]["bytes"] == status(loud.pid)["VmLck"]
    if case == "sparse":
        assert found[name]["bytes"] == status(loud.pid)["VmPTE"]


def test_shared_memory_goes_with_its_name(start):
    """Only what has a name can be left over."""
    program = c_program("remarkable", flags=["-pthread"])
    of = {case: findings(start(program, case))["shared-memory"]["advice"]
          for case in ("pool", "shared")}
    assert "goes with the last process" in of["pool"]
    assert "ipcrm" in of["shared"] and "ipcrm" not in of["pool"]


def test_crumbs_of_malloc_are_no_finding(start):
    program = c_program("remarkable", flags=["-pthread"])
    target = start(program, "crumbs")
    assert "malloc-trimmable" not in findings(target)
    assert 2 * MIB < sum(
        row["trimmable_bytes"] for row in
        json.loads(run("malloc", "--format=json", target.pid).stdout)["rows"])


def may_lock(size):
    """Skip where so much memory cannot be locked."""
    if not is_root() and \
            resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] < size:
        pytest.skip(f"may not lock {size >> 20} MiB")


def test_copies_of_pages_of_files(start):
    """They are the process's own, and the kernel cannot drop them."""
    name = "mapped-files"
    all_of_them, half = pair(start, "copied",
                             [c_program("remarkable", flags=["-pthread"])])
    assert name not in findings(all_of_them)
    assert name not in findings(all_of_them, "--stop")
    found = findings(half)[name]
    assert 16 * MIB <= found["bytes"] <= 18 * MIB
    assert "less 16.0 MiB that are copies" in found["evidence"]


def test_what_is_locked(start):
    """No more than is resident; and pages of files are not reclaimable."""
    may_lock(300 * MIB)
    thinly, file = pair(start, "locked_thinly",
                        [c_program("remarkable", flags=["-pthread"])])
    found = findings(thinly)["memory-locked"]
    assert status(thinly.pid)["VmLck"] >= 256 * MIB
    assert 4 * MIB <= found["bytes"] <= status(thinly.pid)["VmRSS"]
    found = findings(file)
    assert found["memory-locked"]["bytes"] == 32 * MIB
    assert "mapped-files" not in found


RUNTIMES = {
    # command: (arguments, in the advice)
    "node": (["-e", """
        const kept = [];
        for (let i = 0; i < 60; i++)
            kept.push(Array.from({length: 131072}, (_, k) => k + i + 0.5));
        console.error("end 0");
        setInterval(() => kept.length, 1 << 30)"""],
             "V8's heap (--max-old-space-size)"),
    "php": (["-r", """
        $kept = range(1, 4000000);
        fwrite(STDERR, "end 0\\n");
        sleep(1000000);"""],
            "PHP's memory manager"),
}


@pytest.mark.plain_only
@pytest.mark.parametrize("command", RUNTIMES)
def test_runtimes_that_map_their_heaps(start, command):
    need(command)
    arguments, word = RUNTIMES[command]
    target = start(shutil.which(command), *arguments)
    found = findings(target)["anonymous-mappings"]
    assert found["bytes"] >= 32 * MIB
    assert word in found["advice"]
    assert "`memwhy strings --range`" in found["advice"]


def test_arenas_of_other_allocators(start):
    """jemalloc can be told to have fewer; mimalloc has one a thread."""
    name = "malloc-arenas-many"
    program = c_program("remarkable", flags=["-pthread"])
    many = dict(preload("jemalloc"), MALLOC_CONF="narenas:12")
    few = dict(preload("jemalloc"), MALLOC_CONF="narenas:2")
    found = findings(start(program, "arenas", env=many))[name]
    assert 4 * MIB <= found["bytes"] <= 20 * MIB
    assert "malloc/jemalloc/arena-N" in found["evidence"]
    assert "narenas" in found["advice"]
    assert name not in findings(start(program, "arenas", env=few))
    assert name not in findings(start(program, "arenas",
                                      env=preload("mimalloc")))


def test_free_pages_of_mimalloc(start):
    """Of whatever thread; told to be quick, it keeps none."""
    name = "malloc-trimmable"
    program = c_program("remarkable", flags=["-pthread"])
    kept = preload("mimalloc")
    found = findings(start(program, "slack", env=kept))[name]
    assert 24 * MIB <= found["bytes"] <= 36 * MIB
    assert "malloc/mimalloc/.../dirty" in found["evidence"]
    assert name not in findings(start(program, "slack", env=dict(
        kept, MIMALLOC_RESET_DELAY="0")))
    assert name not in findings(start(program, "none", env=kept))


def test_large_executable(start):
    name = "binary-large"
    program = c_program("large")
    found = findings(start(program))[name]
    assert 24 * MIB <= found["bytes"] <= 25 * MIB
    assert ".rodata (24.0 MiB)" in found["evidence"]
    assert name not in findings(start(program, "quiet"))
    # Zeroed variables are another thing: not shared, in no file.
    found = findings(start(program, "zeroed"))[name]
    assert 24 * MIB - 4096 <= found["bytes"] <= 25 * MIB
    assert "global variables" in found["summary"]
    assert ".bss (24.0 MiB)" in found["evidence"]


def test_lazy_free_of_c(start):
    program = [c_program("remarkable", flags=["-pthread"])]
    loud, quiet = pair(start, "lazy", program)
    # Only smaps tells; the kernel takes its time for the last few pages.
    assert findings(loud, "--pss")["lazily-freed"]["bytes"] >= 31 * MIB
    assert "lazily-freed" not in findings(loud)
    assert "lazily-freed" not in findings(quiet, "--pss")


def test_shared_pages(start):
    """A program and its children count the same pages."""
    code = ("import os, sys, time\n"
            "data = bytearray(b'x') * (64 << 20)\n"
            "for i in range(3):\n"
            "    if len(sys.argv) > 1 and os.fork() == 0:\n"
            "        os.read(0, 1)\n"
            "        os._exit(0)\n"
            "sys.stderr.write('end 0\\n'); sys.stderr.flush()\n"
            "os.read(0, 1)\n")
    loud = start("/usr/bin/python3", "-c", code, "fork")
    quiet = start("/usr/bin/python3", "-c", code)
    # Until then they still make pages their own.
    for pid in [loud.pid, *children(loud.pid)]:
        wait_for(lambda pid=pid: is_idle(pid), "the programs to sleep")

    def undisturbed():
        """Other processes share its libraries, and come and go."""
        before = smaps_totals(loud.pid)
        found = findings(loud, "--pss")["rss-counts-shared-pages"]
        return smaps_totals(loud.pid) == before and (found, before)

    found, sums = wait_for(undisturbed, "no process to come or go")
    # Less the libraries: all of it but some MiB.
    assert 0 <= sums["Rss"] - sums["Pss"] - found["bytes"] < 8 * MIB
    assert "rss-counts-shared-pages" not in findings(loud)
    assert "rss-counts-shared-pages" not in findings(quiet, "--pss")


# Swap

def test_swapped_out(start, swap):  # noqa: F811
    name = "swapped-out"
    program = c_program("remarkable", flags=["-pthread"])
    loud = start(program, "paged_out")
    quiet = start(program, "paged_out", "needed")
    wait_for(lambda: status(loud.pid)["VmSwap"] >= 31 * MIB,
             "the pages to be written out")
    found = findings(loud)[name]
    with Frozen(loud.pid):
        result = ledger(loud)
    assert result.totals["swap_bytes"] == smaps_totals(loud.pid)["Swap"]
    assert 31 * MIB <= found["bytes"] <= 34 * MIB
    assert re.search(r"anonymous/private \((31|32)\.", found["evidence"])
    assert name not in findings(quiet)
    loud.kill()

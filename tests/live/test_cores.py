# SPDX-License-Identifier: Apache-2.0
"""Cores of the kernel, gcore and Delve: the same answers as the process
gave."""

import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import threading

import pytest

from conftest import (PAGE, asm_program, c_program, delve, figures,
                      go_program, held, is_idle, is_root, ledger, maps, need,
                      run, wait_for, while_still)

# A core has no flags of mappings: what gcore and Delve leave out, and what it
# took for a guard, is not told apart.
UNKNOWN_TO_GCORE = ("kernel/", "stack/threads/", "anonymous/private")
# Found by the head of the list of robust futexes when a Go program has moved
# the main thread's pointer to its TLS; a core does not have it.
LOADER = "library/ld-linux-x86-64.so.2/early-malloc"

PATTERN = "/proc/sys/kernel/core_pattern"


def gcore(target, folder):
    need("gcore")
    path = folder / f"core.{target.pid}"
    path.unlink(missing_ok=True)
    done = subprocess.run(["gcore", "-o", folder / "core", str(target.pid)],
                          capture_output=True, text=True, timeout=120)
    assert path.exists(), done.stderr
    return path


def delve_core(target, folder):
    path = folder / "delve"
    path.unlink(missing_ok=True)
    done = subprocess.run(
        [delve(), "--allow-non-terminal-interactive=true",
         "--check-go-version=false", "attach", str(target.pid),
         target.process.args[0]],
        input=f"dump {path}\nexit\nn\n", capture_output=True, text=True,
        timeout=120)
    assert path.exists(), done.stdout + done.stderr
    return path


class KernelCore:
    """Starts a program in a folder of its own, where its core will be."""

    def __init__(self, start, folder, *command):
        self.folder = folder
        with held(PATTERN) as pattern:
            self.elsewhere = pattern.read_text()[0] in "|/"
        if self.elsewhere and not is_root():
            pytest.skip("kernel.core_pattern sends cores elsewhere, and only "
                        "root can change it")
        self.target = start(
            *command, cwd=folder, env=dict(os.environ, GOTRACEBACK="crash"),
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2))

    def take(self):
        with held(PATTERN) as pattern:
            before = pattern.read_text()
            if self.elsewhere:
                pattern.write_text("core")
            try:
                self.abort()
            finally:
                if self.elsewhere:
                    pattern.write_text(before)
        cores = list(self.folder.glob("core*"))
        assert len(cores) == 1
        return cores[0]

    def abort(self):
        process = self.target.process
        drain = threading.Thread(target=process.stderr.read)
        drain.start()
        os.kill(process.pid, signal.SIGABRT)
        process.wait(timeout=60)
        drain.join()


def differ(one, other, leave_out=()):
    """Accounts whose address space differs."""
    a, b = figures(one), figures(other)
    return {name: (a.get(name), b.get(name)) for name in a.keys() | b.keys()
            if a.get(name, (0,))[0] != b.get(name, (0,))[0] and
            not name.startswith(leave_out)}


def check_is_core(result, target):
    assert result.json["target"]["kind"] == "core"
    assert result.json["target"]["pid"] == target.pid
    assert result.json["capture"]["mode"] == "core"
    assert result.audit["against"] == "core"
    assert result.audit["balanced"] is True
    assert result.audit["overlaps"] == 0
    assert result.audit["drift_rss_bytes"] == 0
    assert "does not tell which pages were resident" in result.stderr


@pytest.mark.parametrize("program", ["threads", "kinds"])
def test_kernel_core_of_a_c_program(start, tmp_path, program):
    arguments = []
    if program == "kinds":
        arguments = [tmp_path / "file"]
        arguments[0].write_bytes(bytes(16 * PAGE))
    folder = tmp_path / "cwd"
    folder.mkdir()
    maker = KernelCore(start, folder, c_program(program, flags=["-pthread"]),
                       *arguments)
    target = maker.target
    wait_for(lambda: is_idle(target.pid), "the target to be idle")
    live = ledger(target, "--stop")
    path = maker.take()
    core = ledger(path)
    check_is_core(core, target)
    # Nor does it tell these, which is not the same as 0.
    assert not re.search("peak RSS|page tables", run("ledger", path).stdout)
    leave_out = ()
    if program == "kinds":
        # What is shared, named or of the hugetlb pool is not in a core.
        leave_out = ("shm/", "anonymous/", "file/")
    assert not differ(live, core, leave_out)
    assert core.totals["vsz_bytes"] == live.totals["vsz_bytes"]


@pytest.mark.parametrize("program, version, variant, cgo", [
    ("objects", "1.16.15", "stripped", False),
    ("objects", "1.22.12", "stripped", False),
    ("objects", "1.26.8", "stripped", False),
    ("objects", "1.26.8", "pie", False),
    ("cgo", "1.26.8", "stripped", True),
])
def test_kernel_core_of_a_go_program(start, tmp_path, program, version,
                                     variant, cgo):
    """The program prints its goroutines before it ends, so some of its heap
    and stacks change."""
    maker = KernelCore(start, tmp_path,
                       go_program(program, version, variant, cgo))
    target = maker.target
    wait_for(lambda: is_idle(target.pid), "the target to be idle")
    live = ledger(target, "--stop")
    core = ledger(maker.take())
    check_is_core(core, target)
    assert core.go["version"] == live.go["version"] == f"go{version}"
    assert not differ(live, core,
                        ("go/stacks/", "stack/", "go/heap/", "go/runtime/",
                         "anonymous/", "malloc/", "unknown/", LOADER))
    for name in ("go/heap", "go/runtime", "go/stacks", "malloc", "stack"):
        assert core.below(name, "vsz") == pytest.approx(
            live.below(name, "vsz"), rel=0.05, abs=1 << 20), name
    objects = "go/heap/objects"
    assert core.bytes(objects, domain="vsz") == pytest.approx(
        live.bytes(objects, domain="vsz"), rel=0.05)
    assert core.below("unknown", "vsz") <= live.below("unknown", "vsz") + PAGE


@pytest.mark.parametrize("program, version, variant, cgo", [
    ("objects", "1.16.15", "stripped", False),
    ("objects", "1.22.12", "pie", False),
    ("cgo", "1.26.8", "stripped", True),
])
def test_gcore_of_a_go_program(start, tmp_path, program, version, variant,
                               cgo):
    target = start(go_program(program, version, variant, cgo))
    live, path = while_still(target, lambda: gcore(target, tmp_path))
    core = ledger(path)
    path.unlink()
    check_is_core(core, target)
    assert core.go == live.go
    assert not differ(live, core, (*UNKNOWN_TO_GCORE, LOADER))


def test_gcore_of_c_and_assembler_programs(start, tmp_path):
    target = start(c_program("threads", flags=["-pthread"]))
    live, path = while_still(target, lambda: gcore(target, tmp_path))
    core = ledger(path)
    check_is_core(core, target)
    assert not differ(live, core, UNKNOWN_TO_GCORE)
    rows = {r["start"]: r for r in maps(path)}
    for row in maps(target):
        if row["path"] in ("[stack]", "[heap]", "[vdso]"):
            assert rows[row["start"]]["path"] == row["path"]
    # What a core does not tell is not made up.
    assert all(r["dirty_bytes"] is None and r["inode"] == 0
               for r in rows.values())

    target = start(asm_program("minimal"), reports=False)
    live, path = while_still(target, lambda: gcore(target, tmp_path))
    core = ledger(path)
    check_is_core(core, target)
    assert core.bytes("binary/.text", domain="vsz") == \
        live.bytes("binary/.text", domain="vsz")


@pytest.mark.parametrize("program, version, variant, cgo", [
    ("objects", "1.22.12", "dwarf", False),
    ("objects", "1.26.8", "dwarf", False),
    ("cgo", "1.26.8", "dwarf", True),
])
def test_delve_core(start, tmp_path, program, version, variant, cgo):
    """No list of files, and nothing of what cannot be read."""
    target = start(go_program(program, version, variant, cgo))
    live, path = while_still(target, lambda: delve_core(target, tmp_path))
    core = ledger(path)
    check_is_core(core, target)
    assert core.go == live.go
    assert not differ(live, core,
                        (*UNKNOWN_TO_GCORE, "go/heap/reserved",
                         "go/runtime/page-alloc", "malloc/"))


def drop_segments(core, wanted):
    """Make PT_NULL of the PT_LOADs for which wanted(va, flags) is false."""
    with open(core, "r+b") as file:
        header = file.read(64)
        offset, = struct.unpack_from("<Q", header, 32)
        count, = struct.unpack_from("<H", header, 56)
        for i in range(count):
            file.seek(offset + 56 * i)
            kind, flags, _, va = struct.unpack("<IIQQ", file.read(24))
            if kind == 1 and not wanted(va, flags):
                file.seek(offset + 56 * i)
                file.write(struct.pack("<I", 0))


def test_core_without_the_executable(start, tmp_path):
    """Delve leaves out what cannot be written to when it is whole pages.
    memwhy says where to give the executable, takes the right one and refuses
    another."""
    program = tmp_path / "program"
    shutil.copy(go_program("objects", "1.26.8", "dwarf"), program)
    target = start(program)
    live, path = while_still(target, lambda: delve_core(target, tmp_path))
    with open(f"/proc/{target.pid}/maps") as file:
        end = max(int(line.split("-")[1].split()[0], 16) for line in file
                  if line.rstrip().endswith(str(program)))
    drop_segments(path, lambda va, flags: va >= end or flags & 2)
    core = ledger(path)
    assert core.go == live.go
    assert not differ(live, core, (*UNKNOWN_TO_GCORE, "go/heap/reserved",
                                   "go/runtime/page-alloc"))

    moved = program.rename(tmp_path / "moved")
    assert ledger(path).go is None
    assert "--exe" in ledger(path).stderr
    assert ledger(path, f"--exe={moved}").go["version"] == "go1.26.8"
    other = go_program("objects", "1.22.12", "dwarf")
    result = ledger(path, f"--exe={other}")
    assert result.go is None
    assert "is not the program that ran" in result.stderr


def test_files_that_are_not_those_that_ran(start, tmp_path):
    """A core takes nothing from a file with another build id."""
    program = tmp_path / "program"
    folder = tmp_path / "cwd"
    folder.mkdir()
    shutil.copy(c_program("threads", flags=["-pthread"]), program)
    core = KernelCore(start, folder, program).take()
    whole = ledger(core)
    assert whole.bytes("binary/.text", domain="vsz") > 0

    shutil.copy(c_program("kinds", flags=["-pthread"]), program)
    other = ledger(core)
    assert "is not the file that ran" in other.stderr
    assert other.bytes("binary/.text", domain="vsz") == 0
    assert other.bytes("binary/segment-rx", domain="vsz") > 0

    program.unlink()
    gone = ledger(core)
    assert gone.audit["balanced"] is True
    assert gone.bytes("binary/segment-rx", domain="vsz") > 0


def test_core_that_was_cut_short(start, tmp_path):
    """At every length: an answer with a note, or an error with the offset."""
    core = KernelCore(start, tmp_path,
                      go_program("objects", "1.26.8", "stripped")).take()
    size = core.stat().st_size
    cut = tmp_path / "cut"
    for length in [0, 1, 17, 40, 63, 64, 100, 1000, PAGE, 3 * PAGE,
                   *range(size // 10, size, size // 10), size - 1]:
        with open(core, "rb") as source, open(cut, "wb") as to:
            to.write(source.read(length))
        done = run("ledger", cut)
        if done.returncode == 0:
            assert "cut short" in done.stderr
        else:
            assert done.returncode == 1
            assert done.stdout == ""
            assert done.stderr.startswith("memwhy: ")


def test_core_with_thousands_of_segments(start, tmp_path):
    """Single pages with other rights than their neighbours."""
    source = tmp_path / "pages.c"
    source.write_text("""
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void)
{
	char *p = mmap(0, 20000 * 4096L, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 20000; i++)
		p[i * 4096L] = 1;
	for (int i = 0; i < 20000; i += 2)
		mprotect(p + i * 4096L, 4096, 1);
	fputs("end 0\\n", stderr);
	for (;;)
		pause();
}
""")
    subprocess.run(["gcc", "-o", tmp_path / "pages", source], check=True)
    folder = tmp_path / "cwd"
    folder.mkdir()
    maker = KernelCore(start, folder, tmp_path / "pages")
    wait_for(lambda: is_idle(maker.target.pid), "the target to be idle")
    live = ledger(maker.target, "--stop")
    path = maker.take()
    core = ledger(path)
    assert not differ(live, core)
    assert len(maps(path)) > 20000


def test_what_is_no_core(tmp_path):
    for name, content, text in [
            ("empty", b"", "not an ELF file"),
            ("text", b"core\n" * 100, "not an ELF file"),
            ("32", b"\x7fELF\x01\x01\x01" + bytes(9) +
             struct.pack("<HH", 4, 3) + bytes(100), "32-bit"),
            ("arm", b"\x7fELF\x02\x01\x01" + bytes(9) +
             struct.pack("<HH", 4, 183) + bytes(100), "another machine"),
            ("header", b"\x7fELF\x02\x01\x01" + bytes(9) +
             struct.pack("<HH", 4, 62) + bytes(20), "truncated")]:
        path = tmp_path / name
        path.write_bytes(content)
        done = run("ledger", path)
        assert done.returncode == 1
        assert text in done.stderr, done.stderr
    done = run("ledger", c_program("threads", flags=["-pthread"]))
    assert done.returncode == 2
    assert "core files" in done.stderr

# SPDX-License-Identifier: Apache-2.0
"""Snapshots: the ledger of the process, debuggers, and nothing half done."""

import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys

import pytest

from conftest import (MEMWHY, PAGE, asm_program, c_program, delve, figures,
                      go_program, ledger, left_alone, maps, need, needs_root,
                      run, status, thread_states, wait_for, while_still)
from swaps import swap  # noqa: F401


def snapshot(target, path, *arguments):
    done = run("snapshot", "--format=json", "-o", path, *arguments,
               target.pid)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["schema"] == "memwhy.snapshot/1"
    row = answer["rows"][0]
    assert row["file"] == str(path)
    assert row["file_bytes"] == path.stat().st_size
    assert row["stopped_ns"] > 0
    return row


def check_same(target, folder, *arguments):
    """The ledger of a snapshot is that of the process; what the kernel
    counts of it stays as it was."""
    path = folder / "snapshot"

    def take():
        path.unlink(missing_ok=True)
        return snapshot(target, path, *arguments)

    live, row = while_still(target, lambda: left_alone(target.pid, take))
    core = ledger(path)
    assert core.json["accounts"] == live.json["accounts"]
    assert core.totals == live.totals
    assert core.audit == live.audit
    assert core.audit["against"] == "kernel"
    assert core.go == live.go
    assert core.json["target"]["exe"] == live.json["target"]["exe"]
    assert core.json["target"]["kind"] == "core"
    assert core.audit["balanced"] is True
    return live, row, path


@pytest.mark.parametrize("how", [[], ["--no-contents"]])
@pytest.mark.parametrize("version", ["1.20.14", "1.22.12", "1.27.4"])
def test_same_ledger_of_a_traced_program(start, tmp_path, version, how):
    live, _, _ = check_same(start(go_program("traced", version)), tmp_path,
                            *how)
    assert live.bytes("go/runtime/trace") > 1 << 20


@pytest.mark.parametrize("program, version, variant, cgo", [
    ("objects", "1.16.15", "stripped", False),
    ("objects", "1.22.12", "stripped", False),
    ("objects", "1.26.8", "stripped", False),
    ("objects", "1.26.8", "dwarf", False),
    ("objects", "1.26.8", "pie", False),
    ("cgo", "1.16.15", "pie", True),
    ("cgo", "1.26.8", "stripped", True),
])
def test_same_ledger_of_go_programs(start, tmp_path, program, version,
                                    variant, cgo):
    target = start(go_program(program, version, variant, cgo))
    live, row, path = check_same(target, tmp_path)
    assert live.go["version"] == f"go{version}"
    assert row["memory_bytes"] == live.totals["rss_bytes"]
    assert row["file_bytes"] <= live.totals["rss_bytes"] * 1.02 + 256 * 1024
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_same_ledger_of_c_and_assembler_programs(start, tmp_path):
    check_same(start(c_program("threads", flags=["-pthread"])), tmp_path)
    file = tmp_path / "a file"
    file.write_bytes(bytes(16 * PAGE))
    check_same(start(c_program("kinds", flags=["-pthread"]), file), tmp_path)
    check_same(start(asm_program("minimal"), reports=False), tmp_path)


def test_same_ledger_of_a_program_by_others(start, tmp_path):
    target = start(sys.executable, "-c",
                   "import sys, json, sqlite3, ctypes\n"
                   "sys.stderr.write('end 0\\n'); sys.stderr.flush()\n"
                   "sys.stdin.read()")
    check_same(target, tmp_path)


def test_maps_of_a_snapshot(start, tmp_path):
    target = start(c_program("threads", flags=["-pthread"]))
    path = tmp_path / "snapshot"
    snapshot(target, path, "--smaps")
    assert maps(path) == maps(target)
    pss = run("ledger", "--pss", "--format=json", path)
    assert json.loads(pss.stdout)["totals"]["pss_bytes"] > 0


def program_of_kind(kind):
    if kind == "c":
        return c_program("threads", flags=["-pthread"])
    return go_program(*kind)


@pytest.mark.parametrize("arguments", [[], ["--no-contents"]],
                         ids=["contents", "no-contents"])
@pytest.mark.parametrize("kind", [
    "c", ("objects", "1.26.8", "stripped"), ("objects", "1.16.15", "dwarf"),
    ("cgo", "1.26.8", "pie", True)], ids=lambda k: k if k == "c" else k[2])
def test_answers_without_the_files(start, tmp_path, kind, arguments):
    """The program has been removed since, or is in a container: the snapshot
    has the tables of its file."""
    program = tmp_path / "program"
    shutil.copy(program_of_kind(kind), program)
    target = start(program)
    live, _, path = check_same(target, tmp_path, *arguments)
    program.unlink()
    program.write_bytes(b"another file")
    core = ledger(path)
    assert core.json["accounts"] == live.json["accounts"]
    assert core.totals == live.totals
    assert core.go == live.go
    assert any(name == "binary/.text" for name in core.accounts)


@needs_root
def test_a_program_on_a_file_system_of_its_own(start, tmp_path):
    program = c_program("threads", flags=["-pthread"])
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    target = start(
        "unshare", "--mount", "sh", "-c",
        f"mount -t tmpfs none {hidden} && cp {program} {hidden}/inside && "
        f"exec {hidden}/inside")
    assert not (hidden / "inside").exists()
    check_same(target, tmp_path)


def test_a_program_that_was_deleted(start, tmp_path):
    program = tmp_path / "program"
    shutil.copy(go_program("objects", "1.26.8", "stripped"), program)
    target = start(program)
    program.unlink()
    check_same(target, tmp_path)


def test_large_reservations_take_no_room(start, tmp_path):
    """64 MiB resident, spread over 64 GiB."""
    source = tmp_path / "sparse.c"
    source.write_text("""
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void)
{
	char *p = mmap(0, 64L << 30, 3,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	madvise(p, 64L << 30, MADV_NOHUGEPAGE);
	for (long i = 0; i < 16384; i++)
		p[i * (4L << 20) + (i % 7) * 4096] = (char)i;
	fprintf(stderr, "start %p\\nend 0\\n", (void *)p);
	for (;;)
		pause();
}
""")
    subprocess.run(["gcc", "-O1", "-o", tmp_path / "sparse", source],
                   check=True)
    target = start(tmp_path / "sparse")
    live, row, path = check_same(target, tmp_path)
    assert live.totals["vsz_bytes"] > 64 << 30
    assert row["segments"] > 16384
    assert path.stat().st_size < 72 << 20


def test_dense_memory_takes_what_it_has(start, tmp_path):
    """64 MiB resident at the beginning of 64 GiB."""
    target = start(sys.executable, "-c", """
import ctypes, mmap, sys
m = mmap.mmap(-1, 64 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
m.write(b"x" * (64 << 20))
sys.stderr.write("end 0\\n"); sys.stderr.flush()
sys.stdin.read()
""")
    live, row, path = check_same(target, tmp_path)
    assert live.totals["vsz_bytes"] > 64 << 30
    assert path.stat().st_size < live.totals["rss_bytes"] + (1 << 20)


def test_gdb_opens_it(start, tmp_path):
    need("gdb")
    program = c_program("threads", flags=["-pthread"])
    target = start(program)
    path = tmp_path / "snapshot"
    snapshot(target, path)
    live = subprocess.run(
        ["gdb", "-batch", "-nx", "-p", str(target.pid), "-ex", "bt",
         "-ex", "info registers rip rsp rbx fs_base"],
        capture_output=True, text=True, timeout=120).stdout
    done = subprocess.run(
        ["gdb", "-batch", "-nx", "-ex", "info threads", "-ex", "bt", "-ex",
         "info registers rip rsp rbx fs_base", "-ex", "p $xmm0", program,
         path], capture_output=True, text=True, timeout=120).stdout
    assert f"LWP {target.pid})" in done
    # One has ended.
    assert done.count("LWP") >= 4
    frames = [line for line in live.splitlines() if line.startswith("#")]
    assert len(frames) >= 3 and "main ()" in frames[-1]
    for line in frames:
        assert line in done
    for line in live.splitlines():
        if line.split()[:1] in (["rip"], ["rsp"], ["rbx"], ["fs_base"]):
            assert line in done


def test_delve_opens_it(start, tmp_path):
    program = go_program("objects", "1.22.12", "dwarf")
    target = start(program)
    path = tmp_path / "snapshot"
    snapshot(target, path)
    done = subprocess.run(
        [delve(), "core", "--check-go-version=false",
         "--allow-non-terminal-interactive=true", program, path],
        input="goroutines\nexit\n", capture_output=True, text=True,
        timeout=120)
    assert "main.deep" in done.stdout, done.stdout + done.stderr
    # Delve counts the runtime's own, too.
    count = int(done.stdout.split(" goroutines]")[0].split("[")[-1])
    assert count >= ledger(path).go["goroutines"]


# Without contents

@pytest.mark.parametrize("program, version, variant, cgo", [
    ("objects", "1.16.15", "stripped", False),
    ("objects", "1.22.12", "pie", False),
    ("objects", "1.26.8", "stripped", False),
    ("cgo", "1.26.8", "dwarf", True),
])
def test_no_contents_of_go_programs(start, tmp_path, program, version,
                                    variant, cgo):
    """The same ledger, without what the environment and arguments have."""
    secret = "a-secret-of-the-user-0123456789"
    target = start(go_program(program, version, variant, cgo),
                   "argument-" + secret, env=dict(os.environ, KEY=secret))
    live, row, path = check_same(target, tmp_path, "--no-contents")
    assert live.go["version"] == f"go{version}"
    content = path.read_bytes()
    assert secret.encode() not in content
    assert row["memory_bytes"] < live.totals["rss_bytes"] / 2 or \
        program == "cgo"


SECRETS = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char in_data[64] = "x", in_bss[64], *blocks[1000];
__attribute__((noinline)) static void fill(char *to, const char *where)
{
	static const char key[] = "TRZIVG";
	memset(to, 0, 64);
	for (int i = 0; i < 6; i++)
		to[i] = key[i] ^ 1;
	strcat(to, where);
}
int main(int argc, char **argv)
{
	volatile char on_stack[64];
	fill(in_data, "-in-data");
	fill(in_bss, "-in-bss");
	fill((char *)on_stack, "-on-the-stack");
	for (int i = 0; i < 1000; i++) {
		blocks[i] = malloc(16 + i * 7 % 900);
		fill(blocks[i] = realloc(blocks[i], 80 + i), "-in-malloc");
	}
	for (int i = 0; i < 1000; i += 3)
		free(blocks[i]);
	fputs("end 0\\n", stderr);
	getchar();
	return on_stack[0];
}
"""


def test_no_contents_of_an_interpreter(start, tmp_path):
    """Twenty thousand strings, on every page of Python's arenas."""
    secret = bytes(c ^ 1 for c in b"TRZIVG-pythons")
    target = start(sys.executable, "-c", f"""
import sys
key = bytes(c ^ 1 for c in {bytes(c ^ 1 for c in secret)!r}).decode()
keep = [key + str(i) * (i % 50) for i in range(20000)]
keep.append({{key + str(i): [key * 3] * 3 for i in range(5000)}})
sys.stderr.write("end 0\\n"); sys.stderr.flush()
sys.stdin.read()
""")
    _, _, path = check_same(target, tmp_path)
    assert path.read_bytes().count(secret) > 20000
    _, _, path = check_same(target, tmp_path, "--no-contents")
    assert secret not in path.read_bytes()


def test_no_contents_of_a_c_program(start, tmp_path):
    """Variables, stack, blocks in use and free ones."""
    source = tmp_path / "secrets.c"
    source.write_text(SECRETS)
    program = tmp_path / "secrets"
    subprocess.run(["gcc", "-O1", "-w", "-o", program, source], check=True)
    target = start(program)
    _, _, path = check_same(target, tmp_path)
    secret = bytes(c ^ 1 for c in b"TRZIVG")
    assert path.read_bytes().count(secret) > 600
    _, _, path = check_same(target, tmp_path, "--no-contents")
    assert secret not in path.read_bytes()
    assert json.loads(run("ledger", "--format=json", path).stdout)["notes"]


# Whole or not at all

@pytest.fixture
def small(start):
    return start(c_program("threads", flags=["-pthread"]))


def runs_on(pid):
    return thread_states(pid) and not set(thread_states(pid)) & {"t", "T"}


def test_overwrites_only_when_told(small, tmp_path):
    path = tmp_path / "snapshot"
    path.write_text("precious")
    done = run("snapshot", "-o", path, small.pid)
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert path.read_text() == "precious"
    snapshot(small, path, "--force")
    assert ledger(path).audit["balanced"] is True
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    # A rename would put a file in the place of a device, a folder, or a link,
    # as /dev/stdout is; and no file is called - by mistake.
    link = tmp_path / "link"
    link.symlink_to(path)
    before = path.stat()
    for place in ("/dev/null", tmp_path, link, "-"):
        done = run("snapshot", "--force", "-o", place, small.pid)
        assert done.returncode == 2, place
    assert link.is_symlink() and path.stat() == before
    assert not os.path.exists("-")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_wrong_command_lines(small, tmp_path):
    for arguments in ([small.pid], ["-o", tmp_path / "x"]):
        assert run("snapshot", *arguments).returncode == 2
    done = run("snapshot", "-o", tmp_path / "none" / "x", small.pid)
    assert done.returncode == 1
    done = run("snapshot", "-o", tmp_path / "x", "999999999")
    assert done.returncode == 1
    assert not list(tmp_path.iterdir())
    assert runs_on(small.pid)


@needs_root
@pytest.mark.parametrize("size", ["64k", "1m", "100m"])
def test_full_disk(start, tmp_path, size):
    """Told before the target is stopped where the file system can tell."""
    target = start(sys.executable, "-c", """
import sys
x = b"x" * (120 << 20)
sys.stderr.write("end 0\\n"); sys.stderr.flush()
sys.stdin.read()
""")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none",
                    folder], check=True)
    try:
        done = run("snapshot", "-o", folder / "snapshot", target.pid)
        assert done.returncode == 1
        assert "No space left" in done.stderr
        assert not list(folder.iterdir())
        usage = os.statvfs(folder)
        assert usage.f_bfree == usage.f_blocks
        assert runs_on(target.pid)
    finally:
        subprocess.run(["umount", folder], check=True)


def test_file_size_limit(small, tmp_path):
    """A disk that turns out to be full while it is written."""
    done = subprocess.run(
        [MEMWHY, "snapshot", "-o", tmp_path / "x", str(small.pid)],
        capture_output=True, text=True, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE,
                                              (1 << 20, 1 << 20)))
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert not list(tmp_path.iterdir())
    assert runs_on(small.pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM,
                                    signal.SIGKILL])
def test_ended_by_a_signal(start, tmp_path, number):
    """At whatever moment: no file, or a whole one; the target runs on."""
    target = start(sys.executable, "-c", """
import sys
x = b"x" * (300 << 20)
sys.stderr.write("end 0\\n"); sys.stderr.flush()
sys.stdin.read()
""")
    path = tmp_path / "snapshot"
    for _ in range(5):
        path.unlink(missing_ok=True)
        process = subprocess.Popen(
            [MEMWHY, "snapshot", "-o", path, str(target.pid)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: process.poll() is not None or
                 "t" in thread_states(target.pid), "the target to be stopped")
        process.send_signal(number)
        code = process.wait(timeout=60)
        assert list(tmp_path.iterdir()) == ([path] if code == 0 else [])
        wait_for(lambda: runs_on(target.pid), "the target to run on")
    if code == 0:
        assert ledger(path).audit["balanced"] is True


@needs_root
def test_swapped_pages_stay_in_swap(start, swap, tmp_path):  # noqa: F811
    """They are told in the ledger, and not read in."""
    target = start(sys.executable, "-c", """
import ctypes, mmap, sys
stays = b"x" * (48 << 20)
m = mmap.mmap(-1, 16 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
m.write(b"x" * (16 << 20))
ctypes.CDLL(None).madvise(ctypes.c_void_p(ctypes.addressof(
    ctypes.c_char.from_buffer(m))), ctypes.c_size_t(16 << 20), 21)
sys.stderr.write("end 0\\n"); sys.stderr.flush()
sys.stdin.read()
""")
    if status(target.pid).get("VmSwap", 0) < 8 << 20:
        pytest.skip("MADV_PAGEOUT did not page out")
    live, row, path = check_same(target, tmp_path)
    assert live.totals["swap_bytes"] >= 8 << 20
    target.kill()

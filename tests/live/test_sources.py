# SPDX-License-Identifier: Apache-2.0
"""Where figures come from: the kernel's interfaces, old and new, swap, huge
pages, shared pages."""

import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import (MEMWHY, PAGE, Frozen, Ledger, c_program,
                      check_against_smaps, go_program, held, is_idle, ledger,
                      maps, needs_root, smaps_rows, status, wait_for)
from swaps import swap  # noqa: F401
from test_bad_input import as_nobody, public_memwhy  # noqa: F401


@pytest.fixture(params=["c", "go"])
def target(request, start, tmp_path):
    if request.param == "go":
        return start(go_program("objects", "1.26.8", "stripped"))
    file = tmp_path / "file"
    file.write_bytes(bytes(16 * PAGE))
    return start(c_program("kinds", flags=["-pthread"]), file)


@pytest.mark.parametrize("pages", ["scan", "pagemap", "smaps"])
def test_all_sources_give_the_same_totals(target, pages):
    wait_for(lambda: is_idle(target.pid), "the target to rest")
    with Frozen(target.pid):
        best = ledger(target)
        result = ledger(target, f"--pages={pages}")
        check_against_smaps(target.pid, result)
    assert result.json["capture"]["pages"] == pages
    assert result.audit["balanced"] is True
    assert result.audit["drift_rss_bytes"] == 0
    if pages == "pagemap":
        assert {n: a["rss_bytes"] for n, a in result.accounts.items()} == \
            {n: a["rss_bytes"] for n, a in best.accounts.items()}
    if pages == "smaps":
        assert any("no state of single pages" in note
                   for note in result.json["notes"])


@needs_root
def test_pagemap_without_frame_numbers(start, public_memwhy):  # noqa: F811
    """As the unprivileged see it on Linux before 6.7: zero pages are told
    from others by smaps."""
    program = public_memwhy / "program"
    shutil.copy(c_program("kinds", flags=["-pthread"]), program)
    target = start(program, preexec_fn=as_nobody())
    with Frozen(target.pid):
        done = subprocess.run(
            [public_memwhy / "memwhy", "--format=json", "--pages=pagemap",
             str(target.pid)], capture_output=True, text=True,
            preexec_fn=as_nobody())
        assert done.returncode == 0, done.stderr
        check_against_smaps(target.pid, Ledger(done.stdout))


def test_pss_adds_up(start):
    """PSS of a process and its copy: half of what they share each."""
    target = start(go_program("objects", "1.26.8", "stripped"))
    wait_for(lambda: is_idle(target.pid), "the target to rest")

    def pss():
        return sum(row["Pss"] for row in smaps_rows(target.pid))

    def undisturbed():
        """Others that run the same program come and go."""
        before = pss()
        result = ledger(target, "--pss")
        return pss() == before and (before, result)

    with Frozen(target.pid):
        wanted, result = wait_for(undisturbed, "no process to come or go")
    told = sum(a["pss_bytes"] for a in result.accounts.values())
    assert told == wanted == result.totals["pss_bytes"]
    for account in result.accounts.values():
        assert account["pss_bytes"] <= account["rss_bytes"] + PAGE


@needs_root
def test_swap(start, swap):  # noqa: F811
    """Pages in swap are told as such, and are not read, which would bring
    them back."""
    target = start(go_program("objects", "1.26.8", "stripped"))
    wait_for(lambda: is_idle(target.pid), "the target to rest")
    os.kill(target.pid, 19)
    try:
        # MADV_PAGEOUT from outside, for all of its anonymous memory.
        page_out(target.pid)
        before = status(target.pid)
        assert before["VmSwap"] > 0
        result = ledger(target)
        maps(target)
        after = status(target.pid)
        assert after["VmSwap"] == before["VmSwap"]
        assert after["VmRSS"] == before["VmRSS"]
        check_against_smaps(target.pid, result)
        assert result.totals["swap_bytes"] == before["VmSwap"]
        assert result.audit["balanced"] is True
    finally:
        os.kill(target.pid, 18)


def page_out(pid):
    """process_madvise(MADV_PAGEOUT) on all private anonymous memory."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)

    class Iovec(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]

    fd = os.pidfd_open(pid)
    try:
        with open(f"/proc/{pid}/maps") as file:
            for line in file:
                words = line.split()
                if len(words) > 5 or "w" not in words[1]:
                    continue
                first, last = (int(x, 16) for x in words[0].split("-"))
                vec = Iovec(first, last - first)
                libc.syscall(440, fd, ctypes.byref(vec),
                             ctypes.c_size_t(1), 21, 0)
    finally:
        os.close(fd)


def check_hugetlb(start, file):
    file.write_bytes(bytes(16 * PAGE))
    target = start(c_program("kinds", flags=["-pthread"]), file)
    assert target.figures["hugetlb"]
    for pages in ("scan", "pagemap", "smaps"):
        with Frozen(target.pid):
            result = ledger(target, f"--pages={pages}")
            check_against_smaps(target.pid, result)
        assert result.bytes("anonymous/hugetlb", domain="vsz") == 2 << 20
        assert result.bytes("anonymous/hugetlb") == 0
    target.kill()


@needs_root
def test_hugetlb_is_not_resident_memory(start, tmp_path):
    with held("/proc/sys/vm/nr_hugepages") as pool:
        before = pool.read_text()
        pool.write_text("8")
        try:
            if int(pool.read_text()) < 1:
                pytest.skip("the kernel has no memory for huge pages")
            check_hugetlb(start, tmp_path / "file")
        finally:
            pool.write_text(before)


def test_transparent_huge_pages(start, tmp_path):
    setting = pathlib.Path(
        "/sys/kernel/mm/transparent_hugepage/enabled").read_text()
    if "[never]" in setting:
        pytest.skip("transparent huge pages are turned off")
    file = tmp_path / "file"
    file.write_bytes(bytes(16 * PAGE))
    target = start(c_program("kinds", flags=["-pthread"]), file)
    rows = maps(target)
    row = next(r for r in rows if int(r["start"], 0) <=
               target.figures["thp"] < int(r["end"], 0))
    assert row["huge_bytes"] >= 2 << 20
    assert row["rss_bytes"] >= 2 << 20


def test_every_process_that_may_be_read():
    """The whole machine: each balances. What other tests run may be damaged."""
    seen = 0
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit() or folder.name == str(os.getpid()):
            continue
        try:
            program = os.readlink(folder / "exe")
            if "/tests/.cache/" in program or "/pytest-" in program or \
                    not (folder / "maps").read_text():
                continue
        except OSError:
            continue
        done = subprocess.run([MEMWHY, "--format=json", folder.name],
                              capture_output=True, text=True)
        if done.returncode != 0:
            # It may have ended meanwhile, but then it is gone.
            assert not folder.exists() or "zombie" in done.stderr or \
                not (folder / "maps").read_text(), done.stderr
            continue
        result = Ledger(done.stdout)
        assert result.audit["balanced"] is True, folder.name
        assert result.audit["overlaps"] == 0, folder.name
        seen += 1
    assert seen > 0


def memory_of(pid):
    """What /proc/PID/status says of memory."""
    return {k: v for k, v in status(pid).items() if k.startswith("Vm")}


def test_reservation_of_20_tib(start, tmp_path):
    """As the race detector and sanitizers have: a page here and there."""
    source = tmp_path / "reserve.c"
    source.write_text("""
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void)
{
	char *p = mmap(0, 20l << 40, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return 1;
	for (long i = 0; i < 1000; i++)
		p[i << 33] = 1;
	fprintf(stderr, "end 0\\n");
	pause();
}
""")
    program = tmp_path / "reserve"
    subprocess.run(["gcc", "-o", program, source], check=True)
    target = start(program)

    def undisturbed():
        """The kernel may take back pages of the program's file."""
        before = memory_of(target.pid)
        result = ledger(target)
        return memory_of(target.pid) == before and result

    with Frozen(target.pid):
        result = wait_for(undisturbed, "the kernel to leave its pages")
        check_against_smaps(target.pid, result)
    # The best source served; a worse one would look at each page by itself.
    assert result.json["capture"]["pages"] == "scan"
    assert result.bytes("anonymous/private") >= 1000 * PAGE


@pytest.mark.parametrize("pages", ["scan", "pagemap"])
def test_guards_are_not_swapped(start, tmp_path, pages):
    """madvise(MADV_GUARD_INSTALL), as glibc 2.42 does for thread stacks."""
    source = tmp_path / "guard.c"
    source.write_text("""
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void)
{
	char *p = mmap(0, 1 << 20, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(p, 1, 1 << 20);
	fprintf(stderr, "guards %d\\nend 0\\n",
		madvise(p + 4096, 8192, 102 /* MADV_GUARD_INSTALL */) == 0);
	pause();
}
""")
    program = tmp_path / "guard"
    subprocess.run(["gcc", "-o", program, source], check=True)
    target = start(program)
    if not target.figures["guards"]:
        pytest.skip("the kernel has no guards (Linux 6.13)")
    with Frozen(target.pid):
        result = ledger(target, f"--pages={pages}")
        check_against_smaps(target.pid, result)
    assert result.totals["swap_bytes"] == 0
    assert ledger(target, "--stop").audit["balanced"] is True

# SPDX-License-Identifier: Apache-2.0
"""Targets that change while they are looked at, and what becomes of them."""

import ctypes
import json
import os
import pathlib
import signal
import subprocess

import pytest

from conftest import (MEMWHY, Ledger, c_program, go_program, is_idle, ledger,
                      left_alone, maps, run, status, thread_states, wait_for)


def churn(start, *arguments):
    return start(c_program("churn", flags=["-pthread"]), *arguments)


def is_alive(target):
    return target.process.poll() is None


@pytest.mark.parametrize("mode", ["--live", "--stop"])
@pytest.mark.parametrize("version", ["1.9.7", "1.11.13", "1.13.15", "1.15.15",
                                     "1.16.15", "1.22.12", "1.26.8"])
def test_go_program_that_allocates_at_full_speed(start, version, mode):
    target = start(go_program("allocate", version, "stripped"))
    for _ in range(25):
        result = ledger(target, mode)
        assert result.audit["overlaps"] == 0, result.json.get("overlaps")
        assert result.audit["balanced"] is True, result.audit
        assert result.bytes("go/heap/objects") > 0
        # What moved while it was read may not be told, but is told to be so.
        if mode == "--stop":
            assert result.audit["drift_rss_bytes"] == 0
            assert result.unknown() <= result.totals["rss_bytes"] / 100
        else:
            assert result.json["capture"]["stopped_ns"] == 0
    assert is_alive(target)


@pytest.mark.parametrize("version", ["1.15.15", "1.26.8"])
def test_go_program_stopped_between_two_states(tmp_path, version):
    """allocNeedsZero() is called when pages were taken and are no span yet."""
    core = tmp_path / "core"
    done = subprocess.run(
        ["gdb", "-nx", "-batch", "-ex", "set startup-with-shell off",
         "-ex", "set debuginfod enabled off",
         "-ex", "handle SIGURG nostop noprint pass",
         "-ex", "break 'runtime.(*mheap).allocNeedsZero'",
         "-ex", "ignore 1 300", "-ex", "run",
         "-ex", f"generate-core-file {core}", "-ex", "kill",
         go_program("allocate", version, "symtab")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert core.exists(), done.stdout + done.stderr
    result = ledger(core)
    assert result.bytes("go/heap/objects") > 0
    assert result.bytes("unknown/go-torn", domain="vsz") == 0
    assert not any("changed while" in note for note in result.json["notes"])


@pytest.mark.parametrize("what", ["threads", "fork", "map"])
@pytest.mark.parametrize("mode", ["--live", "--stop"])
def test_changing_c_program(start, what, mode):
    target = churn(start, what)
    for _ in range(30):
        result = ledger(target, mode)
        assert result.audit["balanced"] is True
        if mode == "--stop":
            assert result.audit["drift_rss_bytes"] == 0
            assert result.json["capture"]["stopped_ns"] > 0
    assert maps(target)
    assert is_alive(target)
    wait_for(lambda: "t" not in thread_states(target.pid), "it to run on")


def threads(target):
    return int(status(target.pid)["Threads"])


def test_arenas_that_are_made_meanwhile(start):
    """The ring of arenas leads to memory that came after maps were read."""
    passed = 0
    for _ in range(20):
        target = churn(start, "arenas", "2000")
        wait_for(lambda: threads(target) > 1, "the first thread")
        while threads(target) < 2000:
            result = ledger(target)
            assert result.audit["balanced"] is True
            assert result.bytes("malloc/glibc/main/in-use", domain="vsz") > 0
            # One may be there that is not in the ring yet.
            assert result.below("malloc/unwalked", domain="vsz") <= 64 << 20
            passed += any("arenas of malloc are left out" in note
                          for note in result.json["notes"])
        assert is_alive(target)
        stopped = ledger(target, "--stop")
        assert not any("left out" in note for note in stopped.json["notes"])
        arenas = {name.split("/")[2] for name in stopped.accounts
                  if name.startswith("malloc/glibc/")}
        assert len(arenas) == 2001
        target.process.kill()
        if passed > 10:
            break
    assert passed > 0


def test_process_that_replaces_itself(start):
    target = churn(start, "exec")
    for _ in range(40):
        done = run("ledger", "--format=json", target.pid)
        if done.returncode == 0:
            Ledger(done.stdout)
        else:
            assert done.returncode == 1
            assert done.stderr.startswith("memwhy: ")
    assert is_alive(target)


def test_process_that_ends(start):
    """Caught at any stage of its end: an answer, or an error that says so."""
    for _ in range(60):
        process = subprocess.Popen(["sleep", "0.003"])
        done = run("ledger", "--format=json", process.pid)
        process.wait()
        if done.returncode == 0:
            json.loads(done.stdout)
        else:
            assert done.returncode == 1
            assert done.stderr.startswith("memwhy: ")
            assert done.stdout == ""


HUGE = 2 << 20


def collapse(pid, start, stop):
    """process_madvise(MADV_COLLAPSE): what khugepaged does, one huge page after
    the other, while stop() is false. Whether the kernel can."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.pidfd_open(pid)
    try:
        for at in range(start, start + 32 * HUGE, HUGE):
            if stop():
                break
            vec = (ctypes.c_size_t * 2)(at, HUGE)
            if libc.syscall(440, fd, vec, ctypes.c_size_t(1), 25, 0) < 0:
                return False
    finally:
        os.close(fd)
    return True


def test_kernel_gives_a_stopped_target_pages(start):
    target = churn(start, "sparse")
    if not collapse(target.pid, target.figures["sparse"], lambda: False):
        pytest.skip("this kernel makes no huge pages for another process")
    grown = looks = 0
    while looks < 60 or grown == 0:
        assert looks < 2000
        looks += 1
        target.ask()
        before = status(target.pid)["VmRSS"]
        process = subprocess.Popen(
            [MEMWHY, "ledger", "--stop", "--format=json", str(target.pid)],
            stdout=subprocess.PIPE, text=True)
        while process.poll() is None and "t" not in thread_states(target.pid):
            pass
        collapse(target.pid, target.figures["sparse"],
                 lambda: process.poll() is not None)
        result = Ledger(process.communicate()[0])
        assert result.audit["balanced"] is True, result.audit
        assert result.audit["drift_rss_bytes"] == 0
        grown += result.totals["rss_bytes"] > before + HUGE // 2


def queued_signals(pid):
    """Signals that wait for processes of its user. Above a limit (ulimit -i) the
    kernel keeps one of a kind."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigQ:"):
            return int(line.split()[1].split("/")[0])


def test_stop_loses_no_signal(start):
    target = churn(start, "signals")
    sent = 0
    for _ in range(30):
        process = subprocess.Popen(
            [MEMWHY, "ledger", "--stop", str(target.pid)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while process.poll() is None:
            if queued_signals(target.pid) < 100:
                os.kill(target.pid, signal.SIGRTMIN)
                sent += 1
        assert process.returncode == 0, process.stderr.read()
        process.stderr.close()
    wait_for(lambda: target.ask()["signals"] == sent, "all signals", 20)


def test_stop_leaves_a_stopped_process_stopped(start):
    target = churn(start, "signals")
    target.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: thread_states(target.pid) == ["T"], "it to stop")
    result = ledger(target, "--stop")
    assert result.audit["drift_rss_bytes"] == 0
    wait_for(lambda: thread_states(target.pid) == ["T"], "it to stop again")
    target.process.send_signal(signal.SIGCONT)
    target.ask()


def test_killing_memwhy_lets_the_target_run_on(start):
    target = churn(start, "many", "2000")
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    caught = 0
    for _ in range(20):
        process = subprocess.Popen(
            [MEMWHY, "ledger", "--stop", str(target.pid)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and "t" not in thread_states(target.pid):
            pass
        caught += process.poll() is None
        process.kill()
        process.wait()
        wait_for(lambda: "t" not in thread_states(target.pid),
                 "all threads to be released")
    assert caught > 0
    target.ask()


def test_many_threads(start):
    target = churn(start, "many", "1000")
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    result = ledger(target, "--stop")
    assert result.audit["balanced"] is True
    assert result.bytes("stack/threads/guard", domain="vsz") == 1000 * 4096
    assert result.below("stack/threads", domain="vsz") >= 1000 * (64 << 10)


def test_65000_mappings(start):
    limit = int(pathlib.Path("/proc/sys/vm/max_map_count").read_text())
    count = min(65000, limit - 200)
    target = churn(start, "maps", count)
    result = ledger(target)
    assert result.audit["balanced"] is True
    assert result.totals["rss_bytes"] >= count // 2 * 4096
    rows = maps(target, "--no-smaps")
    assert len(rows) >= count


# Leave no trace

def present_pages(pid):
    """Addresses of all pages that /proc/PID/pagemap calls present."""
    present = set()
    with open(f"/proc/{pid}/maps") as file:
        ranges = [line.split()[0].split("-") for line in file]
    with open(f"/proc/{pid}/pagemap", "rb") as file:
        for first, last in ranges:
            first, last = int(first, 16), int(last, 16)
            if first >> 63 or last - first > 1 << 28:
                continue
            file.seek(first // 4096 * 8)
            words = file.read((last - first) // 4096 * 8)
            present.update(first + 4096 * i
                           for i in range(len(words) // 8)
                           if words[8 * i + 7] & 0x80)
    return present


@pytest.mark.parametrize("arguments", [["ledger"], ["ledger", "--stop"],
                                       ["maps"], ["ledger", "--pss"],
                                       ["ledger", "--pages=pagemap"]])
def test_target_is_left_as_it_was(start, tmp_path, arguments):
    file = tmp_path / "file"
    file.write_bytes(bytes(16 * 4096))
    targets = [start(c_program("kinds", flags=["-pthread"]), file),
               start(go_program("objects", "1.26.8", "stripped"))]
    for target in targets:
        wait_for(lambda: is_idle(target.pid), "the target to rest")

        done = left_alone(target.pid, lambda: run(*arguments, target.pid),
                          lambda: present_pages(target.pid))
        assert done.returncode == 0

# SPDX-License-Identifier: Apache-2.0
"""A snapshot is of one moment, though most of it is copied before."""

import array
import json
import os
import signal
import struct
import subprocess
import sys

import pytest

from conftest import (MEMWHY, PAGE, c_program, ledger, run, thread_states,
                      wait_for)


class Core:
    """The segments of an ELF core, as the ELF specification has them."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.content = file.read()
        phoff, shoff = struct.unpack_from("<QQ", self.content, 32)
        size, count = struct.unpack_from("<HH", self.content, 54)
        if count == 0xffff:
            count, = struct.unpack_from("<I", self.content, shoff + 44)
        self.loads, self.notes = [], []
        for i in range(count):
            (kind, _, offset, va, _, in_file, bytes_,
             _) = struct.unpack_from("<IIQQQQQQ", self.content,
                                     phoff + i * size)
            if kind == 1:
                self.loads.append((va, va + bytes_, offset, in_file))
            else:
                self.notes.append(offset)
        # As the specification wants them.
        assert self.loads == sorted(self.loads)
        for one, other in zip(self.loads, self.loads[1:]):
            assert one[1] <= other[0]

    def read(self, va, bytes_):
        """What is in no file part of a segment is zeros."""
        result = bytearray(bytes_)
        for start, end, offset, in_file in self.loads:
            begin, stop = max(va, start), min(va + bytes_, start + in_file)
            if begin < stop:
                result[begin - va:stop - va] = self.content[
                    offset + begin - start:offset + stop - start]
        return bytes(result)


def snapshot(target, path):
    done = run("snapshot", "--format=json", "--force", "-o", path, target.pid)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["rows"][0]


def check_step(core, said):
    words = array.array("Q", core.read(said["step"],
                                       said["step_pages"] * PAGE))
    first, last = words[0], words[-1]
    assert first - last in (0, 1)
    where = words.count(first)
    assert words == array.array("Q", [first]) * where + \
        array.array("Q", [last]) * (len(words) - where)


def check_pairs(core, said):
    count = said["pair_pages"] * PAGE
    left, right = (core.read(said[name], count) for name in ("left", "right"))
    if left != right:
        left, right = array.array("Q", left), array.array("Q", right)
        assert sum(a != b for a, b in zip(left, right)) == 1


def check_slots(core, said):
    """How many are empty."""
    numbers = array.array("Q", core.read(said["numbers"], PAGE))
    bytes_ = said["slot_pages"] * PAGE
    whole = 0
    for slot in range(said["slot_count"]):
        words = array.array("Q", core.read(said["slots"] + slot * bytes_,
                                           bytes_))
        number = numbers[slot]
        found = set(words)
        assert found <= {0, number}, (slot, number, found)
        whole += number != 0 and found == {number}
        if number == 0:
            assert found == {0}
    # All but the one that is filled and the one that is emptied.
    assert whole >= said["slot_count"] // 2 - 2


@pytest.mark.parametrize("how", ["alone", "fork"])
def test_it_is_of_one_moment(start, tmp_path, how):
    target = start(c_program("changing", flags=["-pthread"]),
                   *(["fork"] if how == "fork" else []))
    path = tmp_path / "snapshot"
    for _ in range(8):
        row = snapshot(target, path)
        core = Core(path)
        # It was copied before: registers are known last.
        assert core.notes[0] > row["memory_bytes"] / 2
        check_step(core, target.figures)
        check_pairs(core, target.figures)
        check_slots(core, target.figures)
        assert row["file_bytes"] == path.stat().st_size
        # What is gone is holes.
        assert path.stat().st_blocks * 512 < row["memory_bytes"] * 1.1 + \
            (1 << 20)
        audit = ledger(path).audit
        assert audit["balanced"] is True
        assert audit["against"] == "kernel"
    wait_for(lambda: "t" not in thread_states(target.pid),
             "the target to run on")


# What happens while the process is copied and still runs

LARGE = """
import os, sys
x = b"x" * (400 << 20)
sys.stderr.write("end 0\\n"); sys.stderr.flush()
sys.stdin.readline()
os.execv(sys.executable, [sys.executable, "-c", "import sys\\n"
         "sys.stderr.write('other 1\\\\nend 0\\\\n'); sys.stderr.flush()\\n"
         "sys.stdin.read()"])
"""


def begin(target, path):
    """A snapshot that has begun to copy and has not yet stopped the process,
    unless it was too quick."""
    def opened():
        names = []
        try:
            for fd in os.listdir(f"/proc/{process.pid}/fd"):
                names.append(os.readlink(f"/proc/{process.pid}/fd/{fd}"))
        except OSError:
            pass
        return f"/proc/{target.pid}/mem" in names

    process = subprocess.Popen(
        [MEMWHY, "snapshot", "-o", path, str(target.pid)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: process.poll() is not None or opened() or
             "t" in thread_states(target.pid), "the copy to begin")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_ended_before_the_stop(start, tmp_path, number):
    target = start(sys.executable, "-c", LARGE)
    path = tmp_path / "snapshot"
    process = begin(target, path)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert list(tmp_path.iterdir()) == ([] if process.returncode else [path])
    wait_for(lambda: "t" not in thread_states(target.pid),
             "the target to run on")


def test_the_process_ends_before_the_stop(start, tmp_path):
    target = start(sys.executable, "-c", LARGE)
    path = tmp_path / "snapshot"
    process = begin(target, path)
    os.kill(target.pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    if process.returncode == 0:
        assert ledger(path).audit["balanced"] is True
        return
    assert process.returncode == 1
    assert f"{target.pid}" in errors
    assert not list(tmp_path.iterdir())


def test_another_program_before_the_stop(start, tmp_path):
    """What was copied before is of no use, and not in the file."""
    target = start(sys.executable, "-c", LARGE)
    path = tmp_path / "snapshot"
    process = begin(target, path)
    target.ask()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    core = ledger(path)
    assert core.audit["balanced"] is True
    if core.totals["rss_bytes"] > 400 << 20:
        return  # it was too quick
    assert target.figures == {"other": 1}
    assert path.stat().st_blocks * 512 < core.totals["rss_bytes"] + (1 << 20)
    assert b"x" * PAGE not in path.read_bytes()

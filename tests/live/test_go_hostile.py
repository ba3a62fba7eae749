# SPDX-License-Identifier: Apache-2.0
"""Damaged runtime structures: each command of `go` ends soon, with what can be
told or with a message, and never crashes."""

import functools
import json
import os
import random
import struct
import subprocess
import tempfile
import threading

import pytest

from conftest import MEMWHY, Target, go_program, needs_root, run
from go_figures import command, go_command
from test_bad_input import variable

COMMANDS = [["memstats"], ["spans"], ["classes"], ["classes", "--map"],
            ["gc"], ["sched"], ["goroutines"]]
# From tools/go-layout for go1.26.
OFFSETS = {
    "spanalloc.stat": 92320 + 56, "central": 66208, "central.spine": 16,
    "central.spineLen": 24, "p.mcache": 56, "mcache.alloc": 48,
    "mcache.stackcache": 2224, "m.alllink": 352, "sched.midle": 40,
}


class Damaged:
    def __init__(self, start):
        self.program = go_program("figures", "1.26.8", "symtab")
        self.target = start(self.program)
        command(self.target, "f")
        command(self.target, "s")
        self.memory = open(f"/proc/{self.target.pid}/mem", "r+b", buffering=0)

    def word(self, at):
        self.memory.seek(at)
        return int.from_bytes(self.memory.read(8), "little")

    def write(self, at, *words):
        self.memory.seek(at)
        self.memory.write(struct.pack(f"<{len(words)}Q", *words))

    def var(self, name):
        return variable(self.program, f"runtime.{name}")


def stat(d):
    at = d.var("mheap_") + OFFSETS["spanalloc.stat"]
    d.write(at, d.word(at) + 8)


def absurd_ps(d):
    d.write(d.var("allp") + 8, 1 << 44, 1 << 44)


def wild_ps(d):
    d.write(d.var("allp"), 0x1234567000)


def wild_mcache(d):
    for i in range(d.word(d.var("allp") + 8)):
        p = d.word(d.word(d.var("allp")) + 8 * i)
        d.write(p + OFFSETS["p.mcache"], 0x7fff12345678)


def wild_cached_spans(d):
    for i in range(d.word(d.var("allp") + 8)):
        p = d.word(d.word(d.var("allp")) + 8 * i)
        mcache = d.word(p + OFFSETS["p.mcache"])
        for k in range(136):
            d.write(mcache + OFFSETS["mcache.alloc"] + 8 * k,
                    mcache + 8 * k)


def cyclic_stacks(d):
    """Each list of cached stacks leads to a stack that leads to itself."""
    rows = go_command("spans", d.target)["rows"]
    stack = next(int(r["address"], 16) for r in rows
                 if r["use"] == "stack" and r["elem_bytes"] == 2048)
    d.write(stack, stack)
    for i in range(d.word(d.var("allp") + 8)):
        p = d.word(d.word(d.var("allp")) + 8 * i)
        for order in range(4):
            d.write(d.word(p + OFFSETS["p.mcache"]) +
                    OFFSETS["mcache.stackcache"] + 16 * order, stack)


def cyclic_ms(d):
    first = d.word(d.var("allm"))
    d.write(first + OFFSETS["m.alllink"], first)


def cyclic_idle_ms(d):
    d.write(d.var("sched") + OFFSETS["sched.midle"], d.var("m0"))


def cyclic_finalizers(d):
    block = d.word(d.var("allfin"))
    d.write(block, block)


def absurd_finalizers(d):
    d.write(d.word(d.var("allfin")) + 16, 0xffffffff)


def absurd_span_sets(d):
    for i in range(136):
        central = d.var("mheap_") + OFFSETS["central"] + 192 * i
        for k in range(4):
            at = central + 8 + 40 * k
            d.write(at + 16, 1 << 40)


def cyclic_span_sets(d):
    for i in range(136):
        central = d.var("mheap_") + OFFSETS["central"] + 192 * i
        for k in range(4):
            d.write(central + 8 + 40 * k + 8, d.var("mheap_"), 1 << 19)


def rubbish(name, size):
    def damage(d):
        d.memory.seek(d.var(name))
        d.memory.write(random.Random(name).randbytes(size))
    damage.__name__ = f"rubbish_{name}"
    return damage


def ones(name, size):
    def damage(d):
        d.memory.seek(d.var(name))
        d.memory.write(b"\xff" * size)
    damage.__name__ = f"ones_{name}"
    return damage


DAMAGE = [stat, absurd_ps, wild_ps, wild_mcache, wild_cached_spans,
          cyclic_stacks, cyclic_ms, cyclic_idle_ms, cyclic_finalizers,
          absurd_finalizers, absurd_span_sets, cyclic_span_sets,
          rubbish("memstats", 10000), ones("memstats", 10000),
          rubbish("gcController", 392), ones("gcController", 392),
          rubbish("work", 800), rubbish("gcCPULimiter", 72),
          rubbish("sched", 400), ones("sched", 400)]


def check_all(target):
    for words in COMMANDS:
        done = run("go", *words, "--format=json", target)
        assert done.returncode in (0, 1), (words, done.stderr[-2000:])
        assert "runtime error" not in done.stderr, done.stderr[-2000:]
        if done.returncode == 1:
            assert done.stderr.startswith("memwhy: "), done.stderr[-2000:]
            assert done.stdout == ""


@needs_root
@pytest.mark.parametrize("damage", DAMAGE, ids=lambda d: d.__name__)
def test_damaged_structures(start, damage):
    d = Damaged(start)
    damage(d)
    check_all(d.target.pid)


@needs_root
@pytest.mark.parametrize("damage", ["cyclic", "absurd", "wild"])
def test_damaged_queues(start, damage):
    """They are told to be unknown, but where finq leads to the same."""
    program = go_program("cleanups", "1.26.8", "symtab")
    target = start(program, "250", "250")
    with open(f"/proc/{target.pid}/mem", "r+b", buffering=0) as memory:
        # {where its first block is told, where that tells the next, how many}
        for first, link, count in (
                (variable(program, "runtime.allfin"), 0, 16),
                (variable(program, "runtime.gcCleanups") + 128, 16, 24)):
            memory.seek(first)
            block = int.from_bytes(memory.read(8), "little")
            at, value = {"cyclic": (block + link, block),
                         "absurd": (block + count, 0xffffffff),
                         "wild": (first, 0x1234567000)}[damage]
            memory.seek(at)
            memory.write(value.to_bytes(8 if value != 0xffffffff else 4,
                                        "little"))
    answer = {r["field"]: r for r in go_command("gc", target)["rows"]}
    for name in ("finalizers_queued", "cleanups_queued"):
        known = damage == "wild" and name == "finalizers_queued"
        assert answer[name]["value"] == (250 if known else None)
        assert answer[name]["note"]
    check_all(target.pid)


@needs_root
def test_samples_without_a_stack(start, tmp_path):
    """The runtime makes such where it could not walk one."""
    program = go_program("profiled", "1.26.8", "symtab")
    target = start(program, tmp_path, "1")
    mbuckets = variable(program, "runtime.mbuckets")
    with open(f"/proc/{target.pid}/mem", "r+b", buffering=0) as memory:
        def word(at):
            memory.seek(at)
            return int.from_bytes(memory.read(8), "little")

        # bucket: next, allnext, typ, hash, size, nstk
        bucket, count = word(mbuckets), 0
        while bucket:
            memory.seek(bucket + 40)
            memory.write(bytes(8))
            bucket, count = word(bucket + 8), count + 1
    assert count > 0
    answer = go_command("profile", target, "heap")
    assert "runtime error" not in answer["stderr"]


def test_damage_is_told(start):
    """Counters that contradict each other are not passed off as right."""
    d = Damaged(start)
    ones("memstats", 3504)(d)
    answer = go_command("memstats", d.target)
    assert answer["consistent"] is False
    assert "contradict" in answer["stderr"] or "disagree" in answer["stderr"]


# Cores whose words of data are replaced at random

RELEASES = ["1.9.7", "1.15.15", "1.20.14", "1.26.8"]
# More of them, to look for what a short test does not find.
SEEDS = range(int(os.environ.get("MEMWHY_SEEDS", 3)))
MOST_SECONDS = 60
MOST_BYTES = 2 << 30


def writable(data):
    """What of a core can be written to: [(first, last offset, address)]."""
    offset, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<2H", data, 54)
    segments = []
    for at in range(offset, offset + count * size, size):
        kind, flags, start, va, _, stored, _, _ = struct.unpack_from(
            "<2I6Q", data, at)
        # PT_LOAD, PF_W
        if kind == 1 and flags & 2 and stored:
            segments.append((start, start + stored, va))
    return segments


@functools.lru_cache(maxsize=None)
def core_of(version):
    """A snapshot of a program at work, and where in it what can be written to
    lies: [(first, last offset)], one for each mapping."""
    target = Target(go_program("figures", version))
    try:
        for letter in "fs":
            command(target, letter)
        with tempfile.TemporaryDirectory() as folder:
            core = f"{folder}/core"
            done = run("snapshot", "-o", core, target.pid)
            assert done.returncode == 0, done.stderr
            with open(core, "rb") as file:
                data = file.read()
    finally:
        target.kill()
    return data, writable(data)


def test_many_deep_stacks(start, tmp_path):
    """All goroutines have the same stack of 900,000 frames."""
    target = start(go_program("deep", "1.26.8"), 900_000)
    core = tmp_path / "core"
    assert run("snapshot", "-o", core, target.pid).returncode == 0
    data = bytearray(core.read_bytes())
    largest = max(row["stack_bytes"]
                  for row in go_command("goroutines", core)["rows"])
    # A g begins with its stack's bounds and guard; then sched, up to pc.
    found = {2048: [], largest: []}
    for first, last, _ in writable(data):
        for at in range(first, min(last, first + (64 << 20)) - 128, 8):
            lo, hi, guard = struct.unpack_from("<3Q", data, at)
            if guard == lo + 928 and hi - lo in found:
                found[hi - lo].append(at)
    deep, = found[largest]
    assert len(found[2048]) >= 300
    for at in found[2048]:
        data[at:at + 24] = data[deep:deep + 24]
        data[at + 56:at + 112] = data[deep + 56:deep + 112]
    core.write_bytes(data)
    frames = [row["frames"] for row in go_command(
        "goroutines", core, "--by=stack")["rows"]]
    assert max(frames) > 900_000
    # The rest was cut short.
    assert 64 in frames


def damaged(version, seed):
    """Words of each mapping replaced: of a small one, where the runtime's own
    data lies, as many as of a large one."""
    chance = random.Random(seed)
    original, segments = core_of(version)
    data = bytearray(original)
    words = []
    for first, last, _ in segments:
        used = [i for i in range(first, last - 7, 8)
                if any(original[i:i + 8])]
        words += chance.sample(used, min(len(used), chance.choice(
            [2, 20, 200, 2000])))
    for at in words:
        value = chance.choice([
            0, 1, 0xff, 1 << 20, 1 << 40, (1 << 64) - 1, 1 << 63,
            chance.randrange(1 << 48), None, None, None])
        if value is None:
            other = chance.choice(words)
            data[at:at + 8] = original[other:other + 8]
        else:
            data[at:at + 8] = value.to_bytes(8, "little")
    return data, [va for _, _, va in segments], chance


def test_damage_of_a_core_is_told(tmp_path):
    """Spans that are none any more; and that a core cannot be stopped."""
    original, segments = core_of("1.26.8")
    core = tmp_path / "core"
    core.write_bytes(original)
    row = next(r for r in go_command("spans", core)["rows"]
               if r["use"] == "objects" and r["elems"] >= 100)
    va = int(row["mspan"], 16)
    at = next(first + va - start for first, last, start in segments
              if start <= va < start + last - first)
    data = bytearray(original)
    data[at + 24:at + 40] = bytes(16) # startAddr and npages
    core.write_bytes(data)
    done = run("ledger", core)
    assert done.returncode == 0
    assert "could not be made out" in done.stderr
    assert "--stop" not in done.stderr
    assert "is damaged" in done.stderr


def run_bounded(*words):
    """Ends soon, and without much memory."""
    with tempfile.TemporaryFile("w+") as out, \
            tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([MEMWHY, *words], stdout=out,
                                   stderr=errors)
        alarm = threading.Timer(MOST_SECONDS, process.kill)
        alarm.start()
        _, status, usage = os.wait4(process.pid, 0)
        alarm.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        said = errors.read()
        assert process.returncode in (0, 1), (words, said[-3000:])
        assert "runtime error" not in said, said[-3000:]
        # A core cannot be stopped.
        assert "--stop" not in said, said[-3000:]
        assert usage.ru_maxrss * 1024 < MOST_BYTES, words
        if process.returncode == 1:
            assert said.startswith("memwhy: "), said[-3000:]
        elif "--format=json" in words:
            json.loads(out.read())


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("seed", SEEDS)
def test_random_damage(tmp_path, version, seed):
    data, addresses, chance = damaged(version, seed)
    core = tmp_path / "core"
    core.write_bytes(data)
    for words in (["ledger"], ["maps"], ["malloc"],
                  *(["go", *words] for words in COMMANDS),
                  ["go", "profile", "heap"], ["go", "profile", "goroutine"],
                  ["explain", "--size=100"]):
        run_bounded(*words, "--format=json", str(core))
    for va in chance.sample(addresses, min(len(addresses), 8)):
        run_bounded("explain", "--format=json", str(core),
                    hex(va + chance.randrange(1 << 16)))

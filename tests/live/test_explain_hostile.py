# SPDX-License-Identifier: Apache-2.0
"""Damaged structures: explain and go profile end soon, and never crash."""

import json
import random
import struct

import pytest

from conftest import go_program, is_idle, needs_root, run, wait_for
from test_bad_input import variable

pytestmark = needs_root


class Memory:
    def __init__(self, target):
        self.file = open(f"/proc/{target.pid}/mem", "r+b", buffering=0)

    def read(self, at, words=1):
        self.file.seek(at)
        return list(struct.unpack(f"<{words}Q", self.file.read(8 * words)))

    def write(self, at, *words):
        self.file.seek(at)
        self.file.write(struct.pack(f"<{len(words)}Q", *words))


def rubbish(random_, near):
    return random_.choice([0, 1, 2**64 - 1, 2**63, 2**47 - 8, near, near + 8,
                           near - 1, 0x7fff12345678,
                           random_.getrandbits(64), random_.getrandbits(16)])


def ends(*arguments):
    done = run(*arguments)
    assert done.returncode in (0, 1), (arguments, done)
    assert "Sanitizer" not in done.stderr
    assert done.returncode == 0 or done.stderr.startswith("memwhy: ")
    return done


@pytest.mark.parametrize("version", ["1.16.15", "1.26.8"])
def test_explain(start, version):
    target = start(go_program("places", version, "symtab"))
    wait_for(lambda: is_idle(target.pid), "all goroutines to rest")
    memory, random_ = Memory(target), random.Random(5)
    at = target.figures
    asked = [at["node"], at["small"], at["large"], at["local"]]
    known = {va: json.loads(run("explain", "--format=json", target.pid,
                                hex(va)).stdout) for va in asked}
    mspans = [int(k["span"]["mspan"], 16) for k in known.values()]
    g = int(known[at["local"]]["goroutine"]["g"], 16)
    places = [m + 8 * i for m in mspans for i in range(20)]
    places += [g + 8 * i for i in range(12)]
    places += [int(known[at["node"]]["slot"]["start"], 16)]
    places += [at["local"] + 8 * i for i in range(56, 80)]
    for place in random_.sample(places, 40):
        old = memory.read(place)[0]
        memory.write(place, rubbish(random_, mspans[0]))
        for va in (random_.choice(asked), mspans[0], g):
            ends("explain", target.pid, hex(va))
        memory.write(place, old)
    again = json.loads(run("explain", "--format=json", target.pid,
                           hex(at["node"])).stdout)
    assert again["slot"] == known[at["node"]]["slot"]


@pytest.mark.parametrize("version", ["1.16.15", "1.26.8"])
def test_profile(start, tmp_path, version):
    program = go_program("profiled", version, "symtab")
    target = start(program, tmp_path, 1)
    wait_for(lambda: is_idle(target.pid), "all goroutines to rest")
    memory, random_ = Memory(target), random.Random(6)
    head = variable(program, "runtime.mbuckets")
    first = memory.read(head)[0]
    second = memory.read(first + 8)[0]
    # A cycle, an absurd stack, a wild link, and rubbish anywhere.
    for place, word in ((first + 8, first), (second + 8, first),
                        (first + 40, 2**40), (first + 40, 1000),
                        (first + 8, 0x7fff12345678), (head, 1)):
        old = memory.read(place)[0]
        memory.write(place, word)
        ends("go", "profile", "heap", target.pid)
        memory.write(place, old)
    for _ in range(40):
        place = random_.choice([first, second]) + 8 * random_.randrange(24)
        old = memory.read(place)[0]
        memory.write(place, rubbish(random_, first))
        ends("go", "profile", "heap", target.pid, "-o", tmp_path / "out",
             "--force")
        memory.write(place, old)
    assert ends("go", "profile", "heap", target.pid).returncode == 0

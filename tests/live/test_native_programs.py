# SPDX-License-Identifier: Apache-2.0
"""Programs that nobody here wrote, at work: what their allocators hold."""

import json
import random
import re
import socket
import subprocess

import pytest

from allocators import MODES, account, sound
from conftest import ledger, need, run, wait_for


def check_leaks(target):
    """Books of malloc --leaks --stop; no block of these programs is lost."""
    done = run("malloc", "--leaks", "--format=json", "--stop", target.pid)
    assert done.returncode == 0, done.stderr
    totals = json.loads(done.stdout)["totals"]
    assert totals["reached_blocks"] > 1000
    assert totals["definite_blocks"] == 0
    return totals


class Redis:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.answers = self.socket.makefile("rb")

    def send(self, commands):
        """Each is answered by one line; the last one."""
        for i in range(0, len(commands), 500):
            part = commands[i:i + 500]
            self.socket.sendall(b"".join(
                b"*%d\r\n" % len(c) +
                b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in c)
                for c in part))
            for _ in part:
                line = self.answers.readline()
        return line

    def allocated(self):
        """What jemalloc says itself."""
        size = self.send([(b"MEMORY", b"MALLOC-STATS")])
        text = self.answers.read(int(size[1:]) + 2).decode()
        return int(re.search(r"^Allocated: (\d+)", text, re.M)[1])

    def settled(self):
        """The same, once it has shrunk its tables."""
        seen = []

        def is_still():
            subprocess.run(["sleep", "0.2"], check=True)
            seen.append(self.allocated())
            return len(seen) > 5 and len(set(seen[-5:])) == 1

        wait_for(is_still, "the tables to be shrunk")
        return seen[-1]


def test_redis_with_holes(start, tmp_path):
    """Most values are deleted again: jemalloc's slabs have few blocks each."""
    need("redis-server")
    path = tmp_path / "socket"
    target = start("redis-server", "--port", "0", "--unixsocket", path,
                   "--save", "", "--dir", tmp_path, reports=False)
    wait_for(path.exists, "the server to listen")
    redis = Redis(path)
    values = random.Random(1)
    redis.send([(b"SET", b"k%d" % i, b"x" * values.randint(10, 700))
                for i in range(100_000)])
    redis.send([(b"DEL", b"k%d" % i) for i in range(100_000) if i % 8])
    said = redis.settled()
    for mode in MODES:
        result = ledger(target, mode)
        sound(result)
        held = account(result, "jemalloc", "in-use", "cache")
        # The buffers for what it says are not there any more.
        assert abs(held - said) <= 256 << 10
        # Five of six bytes in slabs are holes.
        assert account(result, "jemalloc", "free") > 2 * held
    check_leaks(target)


@pytest.mark.parametrize("mode", MODES)
def test_a_compiler_at_work(start, tmp_path, mode):
    need("clang++")
    source = tmp_path / "a.cc"
    source.write_text("#include <functional>\n#include <map>\n"
                      "#include <string>\n#include <vector>\n" + "".join(
        f"struct S{i} {{ std::map<int, std::vector<std::string>> m;\n"
        "std::function<int(int)> f;\n"
        f"int g(int x) {{ m[x].push_back(\"a{i}\"); f = [this](int y) "
        f"{{ return (int)m[y].size() + {i}; }}; return f(x); }} }};\n"
        f"int k{i}(int x) {{ S{i} s; return s.g(x); }}\n"
        for i in range(300)))
    target = start("clang++", "-O2", "-c", source, "-o", tmp_path / "a.o",
                   reports=False)
    looks = 0
    while target.process.poll() is None and looks < 10:
        done = run("ledger", "--format=json", mode, target.pid)
        if done.returncode or target.process.poll() is not None:
            break
        result = json.loads(done.stdout)
        assert result["audit"]["balanced"] is True
        assert result["audit"]["overlaps"] == 0
        accounts = {a["account"]: a for a in result["accounts"]}
        if mode == "--stop":
            assert "unknown/malloc-torn" not in accounts
        looks += 1
    assert looks > 0

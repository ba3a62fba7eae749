# SPDX-License-Identifier: Apache-2.0
"""What tests of commands that show bytes share: programs whose pages are in
every state, and what the kernel says of them."""

import json
import subprocess

import pytest

from conftest import (MEMWHY, PAGE, c_program, go_program, is_idle, run,
                      wait_for)

PAGES = 16
NEEDLES = 64 << 20


def raw(*arguments, **options):
    """Standard output as bytes."""
    done = subprocess.run([MEMWHY, *(str(a) for a in arguments)],
                          capture_output=True, timeout=120, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def table(*arguments):
    done = run(*arguments, "--format=json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["schema"] == f"memwhy.{arguments[0]}/1"
    return answer["rows"]


def memory(pid, start, size):
    """What the kernel says that is there; faults pages in, as we never do."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        file.seek(start)
        data = b""
        while len(data) < size:
            data += file.read(size - len(data))
        return data


def present(pid, start, pages):
    """Which of the pages are in memory, by pagemap."""
    with open(f"/proc/{pid}/pagemap", "rb") as file:
        file.seek(start // PAGE * 8)
        words = memoryview(file.read(8 * pages)).cast("Q")
        return [bool(word >> 63) for word in words]


@pytest.fixture(scope="module")
def data_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("bytes") / "data"
    path.write_bytes(b"".join(b"page %4d of the file\n" % i * (PAGE // 22) +
                              b"\n" * (PAGE % 22) for i in range(PAGES)))
    assert path.stat().st_size == PAGES * PAGE
    return path


@pytest.fixture
def target(start, data_file):
    target = start(c_program("bytes"), data_file)
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    return target


@pytest.fixture
def go_target(start):
    target = start(go_program("bytes", "1.26.8", "dwarf"))
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    return target


def at(target, name):
    return target.figures[name]


def hits(*arguments):
    return [int(r["address"], 16) for r in table("search", *arguments)]

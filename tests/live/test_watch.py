# SPDX-License-Identifier: Apache-2.0
"""watch: accounts over time."""

import csv
import fcntl
import io
import json
import os
import pty
import struct
import subprocess
import termios

import pytest

from conftest import MEMWHY, is_idle, run, wait_for

BUFFER = 8 << 20


@pytest.fixture
def target(start, tmp_path):
    """Touches a buffer of 8 MiB at the first line, gives it back at the
    second."""
    source = tmp_path / "touch.c"
    source.write_text("""
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
int main(void)
{
	char *p = mmap(0, 8 << 20, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; ; i++) {
		fprintf(stderr, "end 0\\n");
		if (getchar() == EOF)
			return 0;
		if (i == 0)
			memset(p, 1, 8 << 20);
		else
			madvise(p, 8 << 20, MADV_DONTNEED);
	}
}
""")
    program = tmp_path / "touch"
    subprocess.run(["gcc", "-o", program, source], check=True)
    target = start(program)
    wait_for(lambda: is_idle(target.pid), "the program to wait for a line")
    return target


def test_pages_come_and_go(target):
    with subprocess.Popen(
            [MEMWHY, "watch", "--format=json", "--on-change",
             "--interval=20ms", "--account=anonymous", str(target.pid)],
            stdout=subprocess.PIPE, text=True) as watch:
        resident = {}

        def follow(until):
            for line in watch.stdout:
                row = json.loads(line)
                before = resident.get(row["account"], row["rss_bytes"])
                assert row["rss_bytes"] == before + row["delta_rss_bytes"]
                resident[row["account"]] = row["rss_bytes"]
                if until():
                    return row

        follow(lambda: "anonymous/private" in resident)
        start = resident["anonymous/private"]
        target.ask()
        follow(lambda: resident["anonymous/private"] == start + BUFFER)
        target.ask()
        row = follow(lambda: resident["anonymous/private"] == start)
        assert row["time_ns"] > 0
        target.process.stdin.close()
        target.process.wait()
        assert watch.wait() == 0


def test_count_and_forms(target):
    table = list(csv.DictReader(io.StringIO(
        run("watch", "--format=csv", "--count=3", "--interval=10ms",
            target.pid).stdout)))
    times = sorted({int(row["time_ns"]) for row in table})
    assert len(times) == 3 and times[0] == 0
    for time in times:
        rows = [r for r in table if int(r["time_ns"]) == time]
        total = [r for r in rows if r["account"] == "total"]
        assert int(total[0]["rss_bytes"]) == \
            sum(int(r["rss_bytes"]) for r in rows) / 2
    text = run("watch", "--count=2", "--interval=10ms", target.pid).stdout
    lines = text.splitlines()
    assert lines[0].split() == ["TIME", "RSS", "CHANGE", "ACCOUNT"]
    assert lines[1].endswith("  total")
    # Nothing changed, so nothing more is told.
    assert all(line.startswith("     0.000 s") for line in lines[1:])


def test_errors(target):
    for bad in ("x", "-1", "0", "1h", "nan"):
        done = run("watch", f"--interval={bad}", target.pid)
        assert done.returncode == 2 and "interval" in done.stderr


def test_end_of_the_target_is_not_slept_through(target):
    with subprocess.Popen([MEMWHY, "watch", "--interval=80000", "--format=csv",
                           str(target.pid)], text=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as watch:
        assert watch.stdout.readline().startswith("time_ns,")
        assert watch.stdout.readline().startswith("0,total,")
        target.process.kill()
        _, said = watch.communicate(timeout=60)
        assert watch.returncode == 0
        assert str(target.pid) in said


def test_account_that_is_not_there(target):
    done = run("watch", "--count=1", "--account=nonsense", target.pid)
    assert done.returncode == 0
    assert "no account is called nonsense" in done.stderr
    done = run("watch", "--count=1", "--account=binary", target.pid)
    assert done.stderr == ""


def test_core_does_not_move(target, tmp_path):
    core = tmp_path / "core"
    assert run("snapshot", "-o", core, target.pid).returncode == 0
    done = run("watch", "--count=2", core)
    assert done.returncode == 2 and "process" in done.stderr


def test_terminal_without_a_size(target):
    """As script(1) and containers may have it: 24 lines of it are used."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 0, 0, 0, 0))
    with subprocess.Popen([MEMWHY, "watch", "--count=1", str(target.pid)],
                          stdout=slave, stderr=slave) as process:
        os.close(slave)
        text = b""
        try:
            while part := os.read(master, 65536):
                text += part
        except OSError: # the other end is closed
            pass
        os.close(master)
        assert process.wait() == 0
    assert 10 < len(text.splitlines()) <= 24
    assert b"1 sample\x1b" in text

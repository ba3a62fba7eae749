# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: programs to look at, and what a command costs."""

import collections
import os
import pathlib
import subprocess
import time

BENCH = pathlib.Path(__file__).resolve().parent
MEMWHY = os.environ.get("MEMWHY", str(BENCH.parent / "build" / "memwhy"))

Cost = collections.namedtuple("Cost", "wall cpu peak")  # s, s, bytes


def run(command, out="/dev/null", check=True):
    """What @command costs; its output goes to the file @out."""
    begin = time.perf_counter()
    pid = os.posix_spawnp(
        command[0], command, dict(os.environ, LC_ALL="C"), file_actions=[
            (os.POSIX_SPAWN_OPEN, 1, out, os.O_WRONLY | os.O_CREAT, 0o600)])
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begin
    assert status == 0 or not check, command
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def c_program(name, folder):
    """bench/NAME.c, built in @folder."""
    path = str(folder / name)
    subprocess.run(["gcc", "-O2", "-pthread", "-o", path,
                    BENCH / f"{name}.c"], check=True)
    return path


class Heap:
    """A Go process, bench/heap.go, with so much in objects of a kind."""

    @staticmethod
    def built(folder):
        path = str(folder / "heap")
        subprocess.run(["go", "build", "-o", path, BENCH / "heap.go"],
                       check=True, cwd=folder,
                       env=dict(os.environ, GO111MODULE="off"))
        return path

    def __init__(self, program, kind, megabytes, mappings=0):
        self.process = subprocess.Popen(
            [program, kind, str(megabytes), str(mappings)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.line().startswith("ready")
        self.pid = str(self.process.pid)
        # The runtime sweeps and scavenges for a while.
        time.sleep(3)

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def line(self):
        return self.process.stdout.readline()

    def rss(self):
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("VmRSS"):
                    return int(line.split()[1]) * 1024
        return 0

    def end(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()

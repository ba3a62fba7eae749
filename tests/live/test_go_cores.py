# SPDX-License-Identifier: Apache-2.0
"""The Go runtime's books read from cores: what the program said of itself when
they were taken, and what it said to memwhy alive."""

import json

import pytest

from conftest import go_program, run, wait_for
from go_figures import command, go_command, memstats, read_idle
from test_cores import gcore
from test_go_memstats import (check_memstats, check_metrics,
                              check_reconciliation)

RELEASES = ["1.9.7", "1.12.17", "1.14.15", "1.15.15", "1.16.15", "1.18.10",
            "1.20.14", "1.22.12", "1.24.13", "1.26.8"]


def snapshot(target, folder):
    path = folder / "snapshot"
    path.unlink(missing_ok=True)
    done = run("snapshot", "-o", path, target.pid)
    assert done.returncode == 0, done.stderr
    return path


@pytest.mark.parametrize("take, version", [
    *((snapshot, v) for v in RELEASES),
    *((gcore, v) for v in ("1.9.7", "1.15.15", "1.20.14", "1.26.8"))])
def test_books_of_a_core(start, tmp_path, take, version):
    target = start(go_program("figures", version))
    for letter in "sas":
        command(target, letter)

    def look():
        return {name: go_command(name, target)["rows"]
                for name in ("spans", "classes")}

    def undisturbed():
        """The runtime also does what its figures do not tell."""
        alive = look()
        core = take(target, tmp_path)
        return look() == alive and (memstats(core), alive, core)

    def read(_):
        """Alive and as a core, in the same moment."""
        return wait_for(undisturbed, "spans to stay as they are")

    (answer, alive, core), report = read_idle(target, read=read)
    check_memstats(answer, report)
    if "metrics" in report:
        check_metrics(answer, report)
    r = check_reconciliation(answer)
    # gcore leaves out what it takes for unused.
    assert r["left_bytes"] == 0
    for name, rows in alive.items():
        assert go_command(name, core)["rows"] == rows
    for name in ("gc", "sched"):
        assert go_command(name, core)["rows"]
    waiting = [g for g in go_command("goroutines", core)["rows"]
               if g["function"] == "main.deep"]
    assert len(waiting) == 40
    for words in (["go", "profile", "goroutine"], ["explain", "--size=100"],
                  ["maps"], ["malloc"], ["ledger"]):
        done = run(*words, "--format=json", core)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)
    # The descriptor of a span leads to it.
    span = next(s for s in alive["spans"] if s["use"] == "objects")
    done = run("explain", "--format=json", core, span["address"])
    assert json.loads(done.stdout)["span"]["start"] == span["address"]

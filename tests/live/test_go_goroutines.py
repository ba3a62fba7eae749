# SPDX-License-Identifier: Apache-2.0
"""Goroutines and their backtraces against what the runtime itself prints of
them (runtime.Stack)."""

import json
import re

import pytest

from conftest import go_program, run, wait_for
from test_go_functions import CGO_RELEASES, OLD_RELEASES, RELEASES


def rows(target, *arguments):
    done = run("go", "goroutines", "--format=json", *arguments, target.pid)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["schema"] == "memwhy.go-goroutines/1"
    return answer


def parse_dump(text):
    """{id: (state, [(function, file:line)], creator, its file:line)} of what
    a Go program prints when it crashes."""
    result = {}
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        head = re.match(r"goroutine (\d+)[^[]*\[([^]]*)\]:", lines[0])
        state = re.sub(r", \d+ minutes", "", head[2])
        frames, creator, at = [], "", ""
        for function, place in zip(lines[1::2], lines[2::2]):
            place = re.sub(r" \+0x[0-9a-f]+$", "", place.strip())
            if function.startswith("created by "):
                creator = re.sub(r" in goroutine \d+$", "", function[11:])
                at = place
            else:
                frames.append((re.sub(r"\([^()]*\)$", "", function), place))
        result[int(head[1])] = (state, frames, creator, at)
    return result


def compare(target, path, *arguments):
    """All but the main goroutine, which is running while it writes them."""
    figures = target.ask()
    theirs = parse_dump(path.read_text())
    done = run("go", "goroutines", "--backtrace", *arguments, target.pid)
    assert done.returncode == 0, done.stderr
    ours = parse_dump(done.stdout.split("\n\n", 1)[1])
    assert set(ours) == set(theirs)
    # The runtime counts the one for finalizers by what it began with.
    assert len(ours) - figures["NumGoroutine"] in (0, 1)
    for number in sorted(theirs):
        if number == 1:
            continue
        theirs_state, theirs_frames, *theirs_creator = theirs[number]
        state, frames, *creator = ours[number]
        assert frames == theirs_frames, number
        assert creator == theirs_creator, number
        assert state == theirs_state
    assert ours[1][1][-1][0] == "main.main"
    return ours


def start_goroutines(start, tmp_path, version, variant="stripped", **options):
    path = tmp_path / "stacks"
    target = start(go_program("goroutines", version, variant, **options),
                   path)
    return target, path


@pytest.mark.parametrize("version", RELEASES)
def test_backtraces(start, tmp_path, version):
    target, path = start_goroutines(start, tmp_path, version)
    ours = compare(target, path)
    compare(target, path, "--stop")
    states = {state for state, *_ in ours.values()}
    assert {"chan receive", "chan send", "select", "select (no cases)",
            "sleep", "IO wait", "chan receive, locked to thread",
            "chan receive (nil chan)"} <= states
    assert "syscall" in states
    functions = {f for _, frames, *_ in ours.values() for f, _ in frames}
    assert {"main.dereference", "panic", "main.(*worker).receive",
            "main.worker.wait", "main.recurse", "main.inner"} <= functions


@pytest.mark.parametrize("variant", ["dwarf", "pie"])
@pytest.mark.parametrize("version", ["1.16.15", "1.20.14", "1.26.8"])
def test_other_builds(start, tmp_path, version, variant):
    compare(*start_goroutines(start, tmp_path, version, variant))


@pytest.mark.parametrize("version", ["1.16.15", "1.21.13", "1.26.8"])
def test_figures(start, tmp_path, version):
    target, path = start_goroutines(start, tmp_path, version)
    figures = target.ask()
    theirs = parse_dump(path.read_text())
    answer = rows(target)
    listed = answer["rows"]
    assert answer["totals"]["goroutines"] == len(listed) == len(theirs)
    assert len(listed) - figures["NumGoroutine"] in (0, 1)
    for row in listed:
        assert 2048 <= row["stack_bytes"]
        assert 0 < row["stack_used_bytes"] <= row["stack_bytes"]
        assert row["stack_bytes"] & (row["stack_bytes"] - 1) == 0
        # Ones that are there since before the last collection.
        assert row["waited_ns"] is None or 0 < row["waited_ns"] < 1e12
        # It does not print those in the runtime.
        if not row["creator"].startswith("runtime."):
            assert row["creator"] == theirs[row["id"]][2]
    assert sum(r["waited_ns"] is not None for r in listed) > 20
    deep = max((r for r in listed if r["function"] == "main.recurse"),
               key=lambda r: r["stack_used_bytes"])
    assert deep["largest_function"] == "main.recurse"
    assert 0.9 * deep["stack_used_bytes"] < deep["largest_bytes"] <= \
        deep["stack_used_bytes"]
    assert deep["top"] == "main.recurse"
    everything = rows(target, "--all")
    system = [r for r in everything["rows"] if r["system"] == "yes"]
    assert "runtime.bgsweep" in {r["function"] for r in system}
    assert len(system) == answer["totals"]["system_goroutines"]
    dead = [r for r in everything["rows"] if r["state"] == "dead"]
    assert len(dead) == answer["totals"]["dead_goroutines"]
    assert sum(r["stack_bytes"] for r in everything["rows"]
               if r["state"] != "dead") == answer["totals"]["stack_bytes"]


@pytest.mark.parametrize("by", ["state", "creator", "function", "stack",
                                "size"])
def test_groups(start, tmp_path, by):
    target, path = start_goroutines(start, tmp_path, "1.26.8")
    listed = rows(target)["rows"]
    keys = {"state": ("state", "wait_reason"), "creator": ("created_at",),
            "function": ("function",), "stack": ("stack_id",),
            "size": ("stack_bytes",)}[by]
    groups = {}
    for row in listed:
        groups.setdefault(tuple(row[k] for k in keys), []).append(row)
    answer = rows(target, f"--by={by}")["rows"]
    assert sorted((g["goroutines"], g["stack_bytes"], g["stack_used_bytes"])
                  for g in answer) == \
        sorted((len(g), sum(r["stack_bytes"] for r in g),
                sum(r["stack_used_bytes"] for r in g))
               for g in groups.values())
    text = run("go", "goroutines", f"--by={by}", "--backtrace", target.pid)
    assert text.returncode == 0 and len(text.stdout.splitlines()) > 4
    csv = run("go", "goroutines", f"--by={by}", "--format=csv", target.pid)
    assert len(csv.stdout.splitlines()) == len(answer) + 1


def test_no_go_program(start):
    target = start("sleep", "1000", reports=False)
    done = run("go", "goroutines", target.pid)
    assert done.returncode == 1
    assert "not a Go program" in done.stderr
    done = run("go", "goroutines", "--by=colour", target.pid)
    assert done.returncode == 2


def functions_of(row):
    return [line.rsplit(" ", 1)[0]
            for line in (row["backtrace"] or "").split("\n")]


def check_whole(row):
    """It goes down to where the goroutine began; or that has returned."""
    assert row["stack_id"] is not None, row
    assert functions_of(row)[-1] in (row["function"], "runtime.goexit1",
                                     "runtime.goexit0"), row


@pytest.mark.parametrize("version", ["1.16.15", "1.18.10", "1.20.14",
                                     "1.23.12", "1.26.8", "1.27.4"])
def test_running(start, version):
    """Stopped at any instruction: in loops, prologues, the allocator, the
    vdso, system calls, signal handlers."""
    target = start(go_program("busy", version))
    seen = set()
    for _ in range(30):
        for row in rows(target, "--stop", "--backtrace")["rows"]:
            check_whole(row)
            if row["state"] == "running":
                seen.add(row["function"])
    assert len(seen) > 3
    # Not stopped, it may be caught in a change, but never fails.
    for _ in range(30):
        assert len(rows(target, "--backtrace")["rows"]) >= 10


@pytest.mark.parametrize("version", CGO_RELEASES)
def test_cgo(start, version):
    target = start(go_program("busycgo", version, cgo=True))
    seen = set()

    def both_blocked():
        listed = {r["function"]: r for r in rows(target, "--stop",
                                                 "--backtrace")["rows"]}
        return listed["main.blockedInGo"]["state"] == "waiting" and \
            listed["main.blockedInC"]["state"] == "syscall" and listed

    # From Go to C and back to Go.
    listed = wait_for(both_blocked, "both to block")
    chain = functions_of(listed["main.blockedInGo"])
    at = [chain.index(name) for name in (
        "runtime.chanrecv1", "main.goBack", "runtime.cgocallback",
        "runtime.cgocall", "main.blockedInGo")]
    assert at == sorted(at)
    assert functions_of(listed["main.blockedInC"])[0] == "runtime.cgocall"
    for _ in range(30):
        for row in rows(target, "--stop", "--backtrace")["rows"]:
            check_whole(row)
            seen.update(functions_of(row)[:1])
    assert len(seen) > 3


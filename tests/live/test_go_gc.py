# SPDX-License-Identifier: Apache-2.0
"""`go gc` and `go sched`: against GODEBUG=gctrace, the environment that a
program was given, what it was told to do, and the kernel's threads."""

import os
import pathlib
import re

import pytest

from conftest import go_program, is_idle, run, wait_for
from go_figures import command, go_command, memstats, read_idle, values

RELEASES = ["1.16.15", "1.17.13", "1.18.10", "1.19.13", "1.20.14", "1.21.13",
            "1.22.12", "1.23.12", "1.24.13", "1.25.8", "1.26.8", "1.27.4"]

OLD_RELEASES = ["1.9.7", "1.10.8", "1.11.13", "1.12.17", "1.13.15", "1.14.15",
                "1.15.15"]


def gc(target, *arguments):
    return values(go_command("gc", target, *arguments))


TRACE = re.compile(
    r"gc (?P<cycle>\d+) @[\d.]+s (?P<share>\d+)%: "
    r"(?P<times>[\d.+]+) ms clock, .*, "
    r"(?P<before>\d+)->(?P<at>\d+)->(?P<marked>\d+) MB, "
    r"(?P<goal>\d+) MB goal,.* (?P<ps>\d+) P(?P<forced> \(forced\))?")


def close(milliseconds, ns):
    """Whether gctrace's rounding of @ns could be @milliseconds."""
    # Two digits, cut off; whole ones from 10 ms on.
    return abs(float(milliseconds) - ns / 1e6) <= max(0.0011, 0.1 * ns / 1e6)


@pytest.mark.parametrize("version", RELEASES)
def test_last_cycle_is_that_of_gctrace(start, version):
    target = start(go_program("figures", version),
                   env=dict(os.environ, GODEBUG="gctrace=1"))
    lines = []

    def tell(letter):
        target.process.stdin.write(letter)
        target.process.stdin.flush()
        for line in target.process.stderr:
            if line.startswith("gc "):
                lines.append(line)
            if line.startswith("end "):
                break

    def rest():
        # The runtime prints a line only after it has let the program go on,
        # so that the last one may follow the answer to the next letter.
        tell("n")
        answer = gc(target)
        trace = TRACE.match(lines[-1])
        return answer["phase"] == "off" and \
            answer["cycles_completed"] == int(trace["cycle"]) and \
            (answer, trace)

    for letter in "ggag":
        tell(letter)
    answer, trace = wait_for(rest, "the program to rest")
    assert answer["cycle"] == answer["cycles_completed"]
    assert int(answer["cpu_fraction"] * 100) == int(trace["share"])
    assert answer["write_barrier"] is False
    assert answer["world_stopped"] is False
    for name, value in zip(("last_sweep_termination", "last_mark",
                            "last_mark_termination"),
                           trace["times"].split("+")):
        assert close(value, answer[name]), (name, value, answer[name])
    assert answer["last_heap_at_start"] >> 20 == int(trace["before"])
    assert answer["last_heap_at_mark_termination"] >> 20 == int(trace["at"])
    assert answer["last_heap_marked"] >> 20 == int(trace["marked"])
    assert answer["last_was_forced"] is bool(trace["forced"])
    assert answer["heap_marked"] == answer["last_heap_marked"]
    assert answer["spans_unswept"] == 0


@pytest.mark.parametrize("version", RELEASES)
def test_pacing_is_the_programs(start, version):
    target = start(go_program("figures", version))
    answer, report = read_idle(target, read=lambda t: go_command("gc", t))
    figures = values(answer)
    metrics = report["metrics"]
    assert figures["heap_goal"] == metrics["/gc/heap/goal:bytes"] == \
        report["new"]["NextGC"]
    assert figures["cycles_forced"] == report["new"]["NumForcedGC"]
    assert figures["pause_total"] == report["new"]["PauseTotalNs"]
    count = report["new"]["NumGC"]
    assert figures["pause_1"] == report["new"]["PauseNs"][(count + 255) % 256]
    assert figures["heap_marked"] <= figures["heap_trigger"] <= \
        figures["heap_goal"]
    if "/gc/heap/live:bytes" in metrics:
        assert figures["heap_marked"] == metrics["/gc/heap/live:bytes"]
    assert figures["heap_retained"] == report["new"]["HeapSys"] - \
        report["new"]["HeapReleased"]
    assert figures["until_trigger"] == \
        max(0, figures["heap_trigger"] - figures["heap_live"])


@pytest.mark.parametrize("version", OLD_RELEASES)
def test_pacing_of_old_releases(start, version):
    target = start(go_program("figures", version),
                   env=dict(os.environ, GOGC="150"))
    answer, report = read_idle(target, read=lambda t: go_command("gc", t))
    figures = values(answer)
    assert figures["heap_goal"] == report["new"]["NextGC"]
    assert figures["cycles_completed"] == report["new"]["NumGC"]
    assert figures["heap_retained"] == report["new"]["HeapSys"] - \
        report["new"]["HeapReleased"]
    assert figures["gogc"] == 150
    # sysmon returns all that stays free; from 1.13 on there is a goal.
    free = report["new"]["HeapIdle"] - report["new"]["HeapReleased"]
    if int(version.split(".")[1]) < 13:
        assert figures["scavenger_to_return"] == free
        assert figures["scavenger_goal"] is None
    else:
        assert 0 <= figures["scavenger_to_return"] <= free
    assert figures["phase"] == "off" and figures["spans_unswept"] == 0


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("gogc", ["50", "100", "400", "off"])
def test_gogc(start, version, gogc):
    target = start(go_program("figures", version),
                   env=dict(os.environ, GOGC=gogc))
    wait_for(lambda: is_idle(target.pid), "the program to rest")
    answer = go_command("gc", target)
    assert str(values(answer)["gogc"]) == gogc
    note, = (r["note"] for r in answer["rows"]
             if r["field"] == "next_cycle_in")
    if gogc == "off":
        # No cycle is forced then after two minutes.
        assert values(answer)["next_cycle_in"] is None
        assert "GOGC is off" in note
        assert values(answer).get("goal_by_memory_limit", False) is False
    else:
        assert "GOGC" not in note


@pytest.mark.parametrize("version", [r for r in RELEASES if r >= "1.19"])
def test_memory_limit(start, version):
    """With a limit just above what is mapped, that is what sets the goal."""
    target = start(go_program("figures", version))
    assert gc(target)["memory_limit"] == "off"
    limit = gc(target)["mapped_ready"] + (2 << 20)
    target = start(go_program("figures", version),
                   env=dict(os.environ, GOMEMLIMIT=str(limit), GOGC="1000"))
    answer, report = read_idle(target, read=lambda t: go_command("gc", t))
    figures = values(answer)
    assert figures["memory_limit"] == limit
    assert figures["goal_by_memory_limit"] is True
    assert figures["heap_goal"] == report["metrics"]["/gc/heap/goal:bytes"]
    assert figures["scavenger_limit_goal"] == int(limit * 0.95)


@pytest.mark.parametrize("version", RELEASES)
def test_queued_finalizers(start, version):
    target = start(go_program("figures", version))
    assert gc(target)["finalizers_queued"] == 0
    before = gc(target)["finalizers_set"]
    command(target, "f")
    answer = gc(target)
    # The one that runs, and never ends, is the last of them.
    assert answer["finalizers_queued"] == 10
    assert answer["finalizers_set"] == before
    assert answer["profile_samples"] >= 0


def alive_and_core(target, folder):
    """`go gc` and `go memstats` of a process that waits, and of a core of it."""
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    core = folder / "core"
    done = run("snapshot", "-o", core, target.pid)
    assert done.returncode == 0, done.stderr
    return [(gc(t), memstats(t)["values"]) for t in (target, core)]


@pytest.mark.parametrize("version", [*OLD_RELEASES, *RELEASES])
def test_finalizers_behind_one_that_waits(start, tmp_path, version):
    """Their blocks hold 101 each."""
    for count in (0, 250):
        target = start(go_program("queued", version), str(count))
        for answer, figures in alive_and_core(target, tmp_path):
            assert answer["finalizers_queued"] == count
            assert answer.get("cleanups_queued", 0) == 0
            assert figures.get("/gc/finalizers/queued:finalizers", count) == \
                count
        (tmp_path / "core").unlink()


@pytest.mark.parametrize("processors", ["1", "8"])  # one a quarter runs them
@pytest.mark.parametrize("version", ["1.24.0", "1.24.13", "1.25.8", "1.26.0",
                                     "1.26.8", "1.27.4"])
def test_cleanups_behind_one_that_waits(start, tmp_path, version, processors):
    """Go 1.24 queues them among the finalizers; their own blocks hold 59, and
    since 1.26 20."""
    for counts in ((0, 0), (3, 250), (250, 3)):
        target = start(go_program("cleanups", version),
                       *(str(n) for n in counts),
                       env=dict(os.environ, GOMAXPROCS=processors))
        for answer, figures in alive_and_core(target, tmp_path):
            assert (answer["finalizers_queued"],
                    answer["cleanups_queued"]) == counts
            assert {f: figures[f] for f in target.figures} == target.figures
        (tmp_path / "core").unlink()


def test_mark_phase_is_seen(start):
    """A program that does nothing but allocate is often caught marking."""
    target = start(go_program("busy", "1.26.8"))
    phases = set()

    def seen():
        answer = gc(target, "--stop")
        phases.add(answer["phase"])
        assert answer["write_barrier"] == (answer["phase"] == "mark")
        assert answer["cycle"] - answer["cycles_completed"] == \
            (answer["phase"] == "mark")
        return "mark" in phases and len(phases) > 1

    wait_for(seen, "a collection to be caught")


# Threads

def sched(target, *arguments):
    return go_command("sched", target, *arguments)


def tasks(pid):
    return {int(t.name) for t in pathlib.Path(f"/proc/{pid}/task").iterdir()}


@pytest.mark.parametrize("version", RELEASES)
def test_threads(start, version):
    target = start(go_program("figures", version),
                   env=dict(os.environ, GOMAXPROCS="3"))
    for letter in "lb":
        command(target, letter)

    def read():
        before = tasks(target.pid)
        answer = sched(target)
        waits = any(r["g"] == 1 and r["state"] == "syscall"
                    for r in answer["rows"])
        # A new thread is in the list a little before it knows its number.
        same = {r["tid"] for r in answer["rows"] if r["tid"]} == before
        return waits and same and before == tasks(target.pid) and \
            (answer, before)

    answer, threads = wait_for(read, "no threads to come and go")
    rows = answer["rows"]
    assert answer["totals"]["gomaxprocs"] == 3
    assert {r["tid"] for r in rows if r["tid"]} == threads
    assert len({r["m"] for r in rows}) == len(rows)
    assert [p["p"] for p in answer["processors"]["rows"]] == [0, 1, 2]
    main = [r for r in rows if r["function"] == "runtime.main"]
    assert len(main) == 1 and main[0]["state"] == "syscall"
    assert main[0]["g"] == 1 and "yscall" in main[0]["at"]
    assert any(r["function"] == "runtime.sysmon" for r in rows)
    locked = [r for r in rows if r["locked_g"]]
    assert [r["state"] for r in locked if r["locked_g"] != 1] == ["locked"]

    def busy():
        return [r for r in sched(target)["rows"]
                if r["function"] == "main.spin" and r["state"] == "running"]

    spinning = wait_for(busy, "the busy goroutine to be caught")
    assert spinning[0]["p"] in (0, 1, 2) and spinning[0]["tid"]


@pytest.mark.parametrize("version", ["1.16.15", "1.26.8"])
def test_idle_threads(start, version):
    target = start(go_program("objects", version))
    wait_for(lambda: is_idle(target.pid), "the program to rest")
    answer = sched(target, "--stop")
    rows = answer["rows"]
    assert sum(r["state"] == "idle" for r in rows) == \
        answer["totals"]["idle_ms"]
    assert answer["totals"]["goroutines"] == target.figures["NumGoroutine"]
    assert sum(p["status"] == "idle"
               for p in answer["processors"]["rows"]) == \
        answer["totals"]["idle_ps"]


def test_threads_in_c(start):
    target = start(go_program("cgo", "1.26.8", cgo=True))
    answer = wait_for(
        lambda: [r for r in sched(target)["rows"] if r["state"] == "cgo"],
        "a thread to be in C")
    assert all(r["tid"] in tasks(target.pid) for r in answer)

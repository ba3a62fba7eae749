# SPDX-License-Identifier: Apache-2.0
"""`go memstats` says what the program itself says: runtime.MemStats to the
byte, runtime/metrics, and how both lead to RSS."""

import os
import re
import socket
import urllib.request

import pytest

from conftest import debian_file, go_program, is_idle, ledger, wait_for
from go_figures import command, memstats, read_idle

RELEASES = ["1.16.15", "1.17.13", "1.18.10", "1.19.13", "1.20.14", "1.21.13",
            "1.22.12", "1.23.12", "1.24.13", "1.25.8", "1.26.8", "1.27.4"]
OLD_RELEASES = ["1.9.7", "1.10.8", "1.11.13", "1.12.17", "1.13.15", "1.14.15",
                "1.15.15"]
EARLY_RELEASES = ["1.16", "1.18", "1.19", "1.21.0", "1.23.0", "1.24.0",
                  "1.26.0"]

# The program tells these while one of its goroutines runs, to ask for them.
STATES = {f"/sched/goroutines/{state}:goroutines"
          for state in ("running", "runnable", "waiting", "not-in-go")}


def flat(report):
    """The rows that a MemStats should give."""
    rows = {}
    for field, value in report.items():
        if field == "BySize":
            for i, one in enumerate(value):
                for name, number in one.items():
                    rows[f"BySize[{i}].{name}"] = number
        elif isinstance(value, list):
            for i, number in enumerate(value):
                rows[f"{field}[{i}]"] = number
        else:
            rows[field] = value
    return rows


def check_memstats(answer, report):
    wanted = flat(report["new"])
    got = {f: answer["values"].get(f, "absent") for f in wanted}
    assert got == wanted
    assert answer["memstats"] == report["new"]
    assert answer["consistent"] is True


def check_histograms(answer, report):
    """Each bucket, with its bounds."""
    got, wanted = answer["histograms"], report["histograms"]
    assert set(got) == set(wanted)
    rows = {f: v for f, v in answer["values"].items() if "[" in f}
    for name, buckets in got.items():
        assert sum(b["count"] for b in buckets) == answer["values"][name]
        assert [v for f, v in rows.items() if f.startswith(name + "[")] == \
            [b["count"] for b in buckets]
        if name == "/gc/pauses:seconds" and \
                answer["target"]["go"]["version"] == "go1.16":
            # It makes them wrong.
            assert [b["count"] for b in buckets] == \
                [b["count"] for b in wanted[name]]
            continue
        if not name.startswith("/sched/"):
            assert buckets == wanted[name], name
            continue
        # Some samples were added by the program's own asking.
        counts = {(b["from"], b["below"]): b["count"] for b in wanted[name]}
        for b in buckets:
            assert b["count"] <= counts[b["from"], b["below"]], name


def check_states(got, wanted):
    if "/sched/threads/total:threads" not in wanted:
        return
    assert sum(got[f] for f in STATES) == sum(wanted[f] for f in STATES)
    # What asked waits now, or is about to. All others have waited before.
    waiting = "/sched/goroutines/waiting:goroutines"
    assert 0 <= got[waiting] - wanted[waiting] + 1 <= 2


def check_metrics(answer, report):
    got = {f: v for f, v in answer["values"].items()
           if f[0] == "/" and "[" not in f}
    wanted = {f: v for f, v in report["metrics"].items()
              if not f.startswith("/godebug/")}
    assert set(got) == set(wanted)
    check_histograms(answer, report)
    check_states(got, wanted)
    for field, value in got.items():
        if field in STATES:
            continue
        elif field.startswith("/sync/"):
            # Asking takes locks that others may wait for.
            assert report["earlier"][field] <= value <= wanted[field], field
        elif isinstance(value, float) or isinstance(wanted[field], float):
            assert value == pytest.approx(wanted[field]), field
        elif field.startswith("/sched/") and field.endswith(":seconds"):
            # The report after memwhy's has stopped the world once more, and
            # the goroutine that waits for a line was scheduled.
            assert wanted[field] - 4 <= value <= wanted[field], field
        elif field.startswith("/gc/scan/") and wanted[field] == 0:
            # Go 1.21.0 forgets to work these out before it tells them.
            assert answer["target"]["go"]["version"] == "go1.21.0"
        else:
            assert value == wanted[field], field


def check_reconciliation(answer):
    r = answer["reconciliation"]
    v = answer["values"]
    assert r["sys_bytes"] == v["Sys"]
    assert r["heap_released_bytes"] == v["HeapReleased"]
    assert r["sys_minus_released_bytes"] == v["Sys"] - v["HeapReleased"]
    assert r["difference_bytes"] == r["rss_bytes"] - v["Sys"] + \
        v["HeapReleased"]
    for row in r["accounts"]:
        assert row["difference_bytes"] == \
            row["resident_bytes"] - row["counted_bytes"]
    assert sum(row["difference_bytes"] for row in r["accounts"]) + \
        r["left_bytes"] == r["difference_bytes"]
    return r


def check(target, mode="--live"):
    answer, report = read_idle(target, mode)
    check_memstats(answer, report)
    check_metrics(answer, report)
    r = check_reconciliation(answer)
    assert r["left_bytes"] == 0
    return answer


@pytest.mark.parametrize("variant", ["dwarf", "stripped", "pie"])
@pytest.mark.parametrize("version", RELEASES)
def test_release(start, version, variant):
    target = start(go_program("figures", version, variant))
    check(target)
    # With spans and stacks in the Ps' caches, and garbage.
    for letters in ("s", "aa", "gs", "gg", "as"):
        for letter in letters:
            command(target, letter)
        check(target, "--stop")


@pytest.mark.parametrize("version", EARLY_RELEASES)
def test_other_patch_releases(start, version):
    check(start(go_program("figures", version)))


@pytest.mark.parametrize("variant", ["dwarf", "stripped", "pie"])
@pytest.mark.parametrize("version", ["1.16.15", "1.20.14", "1.23.12",
                                     "1.26.8", "1.27.4"])
def test_cgo(start, version, variant):
    target = start(go_program("figures", version, variant, cgo=True))
    assert check(target)["target"]["go"]["cgo"] is True


@pytest.mark.parametrize("version", ["1.20.14", "1.26.8"])
def test_static_cgo(start, version):
    check(start(go_program(
        "figures", version, "stripped", cgo=True,
        flags=["-ldflags=-s -w -linkmode=external -extldflags=-static"])))


def test_notes_of_what_is_off(start):
    target = start(go_program("figures", "1.26.8"),
                   env=dict(os.environ, GOGC="off"))
    notes = {r["field"]: r["note"] for r in memstats(target)["rows"]}
    assert notes["/gc/gogc:percent"] == "off"
    assert notes["/gc/gomemlimit:bytes"].startswith("off")
    assert notes["LastGC"] == "since 1970"


@pytest.mark.parametrize("version", OLD_RELEASES)
def test_old_release(start, version):
    target = start(go_program("figures", version))
    for letters in ("", "s", "aa", "gs", "as"):
        for letter in letters:
            command(target, letter)
        answer, report = read_idle(target)
        check_memstats(answer, report)
        assert not [f for f in answer["values"] if f[0] == "/"]
        assert answer["histograms"] == {}
        assert check_reconciliation(answer)["left_bytes"] == 0


# Programs that nobody here wrote, which tell their MemStats over HTTP

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def scrape(port):
    """{name: value} of the figures of Prometheus' client for Go."""
    try:
        with urllib.request.urlopen(
                f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    except OSError:
        return None
    return {name: float(value) for name, value in re.findall(
        r"^(go_\w+) (\S+)$", text, re.MULTILINE)}


CLIENT = {
    "go_memstats_sys_bytes": "Sys", "go_memstats_gc_sys_bytes": "GCSys",
    "go_memstats_buck_hash_sys_bytes": "BuckHashSys",
    "go_memstats_mspan_sys_bytes": "MSpanSys",
    "go_memstats_mcache_sys_bytes": "MCacheSys",
    "go_memstats_mcache_inuse_bytes": "MCacheInuse",
    "go_memstats_other_sys_bytes": "OtherSys",
    "go_memstats_heap_sys_bytes": "HeapSys",
    "go_memstats_heap_released_bytes": "HeapReleased",
    "go_memstats_stack_inuse_bytes": "StackInuse",
    "go_memstats_next_gc_bytes": "NextGC",
}
MOVING = {"HeapSys", "StackInuse", "HeapReleased", "GCSys"}


@pytest.mark.parametrize("package, inside, arguments", [
    ("prometheus-node-exporter", "usr/bin/prometheus-node-exporter", []),
    ("prometheus", "usr/bin/prometheus",
     ["--config.file=prometheus.yml", "--storage.tsdb.path=data"]),
])
def test_real_programs(start, tmp_path, package, inside, arguments):
    (tmp_path / "prometheus.yml").write_text("scrape_configs: []\n")
    port = free_port()
    target = start(debian_file(package, inside), *arguments,
                   f"--web.listen-address=127.0.0.1:{port}", cwd=tmp_path,
                   reports=False)
    wait_for(lambda: scrape(port), "the program to answer")
    equal = set()
    # Answering moves some figures. Those that stayed are memwhy's, too.
    for _ in range(20):
        before = scrape(port)
        answer = memstats(target)
        after = scrape(port)
        for name, field in CLIENT.items():
            if before[name] != after[name]:
                continue
            # Goroutines and their stacks may come and go in between.
            if answer["values"][field] == after[name]:
                equal.add(name)
            else:
                assert field in MOVING, name
        v = answer["values"]
        assert v["HeapSys"] == v["HeapInuse"] + v["HeapIdle"]
        check_reconciliation(answer)
    # A stop may fall between a change and its being counted, but seldom.
    left = [check_reconciliation(memstats(target, "--stop"))["left_bytes"]
            for _ in range(5)]
    assert 0 in left
    # One or another may move each time that the program answers.
    assert len(equal) >= 6


@pytest.mark.parametrize("release", ["1.9.7", "1.13.15", "1.18.10", "1.23.12",
                                     "1.27.4"])
def test_objects_outside_the_heap(start, release):
    """With GODEBUG=sbrk=1 even the runtime's own goroutines, processors and
    threads lie outside the heap, which has no page that is not accounted
    for."""
    target = start(go_program("immortal", release),
                   env=dict(os.environ, GODEBUG="sbrk=1"))
    wait_for(lambda: is_idle(target.pid), "the program to come to rest")
    answer = memstats(target)
    assert answer["consistent"] is True
    assert "allocated all the while" not in answer["stderr"]
    got = {f: answer["memstats"][f]
           for f in ("HeapAlloc", "HeapSys", "HeapIdle", "StackInuse", "GCSys",
                     "OtherSys")}
    assert got == {f: target.figures[f] for f in got}
    books = ledger(target)
    assert "GODEBUG=sbrk=1" in books.stderr
    assert books.bytes("unknown/go-torn", domain="vsz") == 0
    assert books.go["goroutines"] == target.figures["NumGoroutine"]
    objects = 500 * 1000
    if int(release.split(".")[1]) >= 12:  # before, chunks are in no list
        assert books.bytes("go/runtime/persistent") > objects
    assert books.bytes("anonymous/private") >= 1 << 20

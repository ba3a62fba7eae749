# SPDX-License-Identifier: Apache-2.0
"""`go spans` and `go classes`: the program's own counts by size class, and
what follows from them."""

import collections
import re

import pytest

from conftest import go_program, ledger, run
from go_figures import command, go_command, read_idle

RELEASES = ["1.16.15", "1.17.13", "1.18.10", "1.19.13", "1.20.14", "1.21.13",
            "1.22.12", "1.23.12", "1.24.13", "1.25.8", "1.26.8", "1.27.4"]
OLD_RELEASES = ["1.9.7", "1.10.8", "1.11.13", "1.12.17", "1.13.15", "1.14.15",
                "1.15.15"]
PAGE = 8192


def read_spans(target, *arguments):
    return go_command("spans", target, *arguments)


def check_against_program(spans, report):
    """By size class, what MemStats.BySize says is allocated."""
    objects = [s for s in spans if s["state"] == "in-use"]
    allocated = collections.Counter()
    sizes = {}
    for s in objects:
        allocated[s["class"]] += s["allocated"]
        if s["class"]:
            assert sizes.setdefault(s["class"], s["elem_bytes"]) == \
                s["elem_bytes"]
    for number, one in enumerate(report["BySize"]):
        if number:
            assert allocated[number] == one["Mallocs"] - one["Frees"], number
            assert sizes.get(number, one["Size"]) == one["Size"]
    assert sum(s["pages"] for s in objects) * PAGE == report["HeapInuse"]
    assert sum(s["allocated"] * s["elem_bytes"] for s in objects) == \
        report["HeapAlloc"]
    assert sum(s["pages"] for s in spans if s["use"] == "stack") * PAGE == \
        report["StackInuse"]


def check_each(spans, old):
    end = 0
    for s in spans:
        address = int(s["address"], 16)
        assert address % PAGE == 0 and address >= end
        end = address + s["pages"] * PAGE
        if s["state"] != "in-use":
            continue
        assert s["free"] == s["elems"] - s["allocated"]
        assert s["elems"] * s["elem_bytes"] <= s["pages"] * PAGE
        assert (s["use"] == "large") == (s["class"] == 0)
        # Each is held by a P, or in the list that it belongs in. Up to Go
        # 1.14 large ones are in none.
        if old and not s["class"]:
            continue
        assert s["holder"], s
        if s["holder"] == "mcache":
            assert s["p"] is not None
            assert old or s["sweep"].startswith("cached")
        else:
            assert s["p"] is None
            full = s["free"] == 0
            if s["holder"] in ("nonempty", "empty"):
                assert (s["holder"] == "empty") == full, s
                continue
            assert s["holder"].startswith("full" if full else "partial"), s
            assert s["holder"].endswith("-" + s["sweep"]), s


@pytest.mark.parametrize("version", OLD_RELEASES + RELEASES)
def test_spans(start, version):
    target = start(go_program("figures", version, "stripped"))
    old = version in OLD_RELEASES and version != "1.15.15"
    # ReadMemStats takes all spans from the Ps.
    answer, report = read_idle(target, read=read_spans)
    check_against_program(answer["rows"], report["new"])
    check_each(answer["rows"], old)
    assert "mcache" not in {s["holder"] for s in answer["rows"]}
    # A collection that the allocations have started takes them, too.
    for _ in range(10):
        command(target, "s")
        rows = read_spans(target, "--stop")["rows"]
        check_each(rows, old)
        cached = sum(s["holder"] == "mcache" for s in rows)
        if cached > 2:
            break
    assert cached > 2
    assert len({(s["p"], s["class"], s["noscan"]) for s in rows
                if s["holder"] == "mcache"}) == \
        sum(s["holder"] == "mcache" for s in rows)


def test_stack_spans_and_the_large(start):
    target = start(go_program("figures", "1.26.8", "stripped"))
    rows = read_spans(target)["rows"]
    # 40 goroutines with up to 400 KiB of stack.
    stacks = [s for s in rows if s["use"] == "stack"]
    assert any(s["elem_bytes"] >= 512 << 10 for s in stacks)
    assert all(s["class"] is None for s in stacks)
    large = [s for s in rows if s["use"] == "large"]
    assert {(40000 + i * 9000 + PAGE - 1) // PAGE for i in range(5)} <= \
        {s["pages"] for s in large}


def test_unswept_spans_are_told(start):
    """A collection leaves the sweep to the background; a stopped target may
    show it. Whatever is seen, spans and lists agree."""
    target = start(go_program("busy", "1.26.8", "stripped"))
    for _ in range(10):
        for s in read_spans(target, "--stop")["rows"]:
            assert s["sweep"] is None or s["sweep"] in {
                "swept", "unswept", "sweeping", "cached-swept",
                "cached-unswept"}


# Classes

@pytest.mark.parametrize("version", ["1.16.15", "1.22.12", "1.26.8"])
def test_classes(start, version):
    target = start(go_program("figures", version, "stripped"))
    command(target, "a")
    for _ in range(20):
        spans = read_spans(target)["rows"]
        answer = go_command("classes", target)
        if spans == read_spans(target)["rows"]:
            break
    by_class = collections.defaultdict(list)
    for s in spans:
        if s["state"] == "in-use":
            by_class[s["class"], s["noscan"]].append(s)
    assert {(r["class"], r["noscan"]) for r in answer["rows"]} == set(by_class)
    for r in answer["rows"]:
        own = by_class[r["class"], r["noscan"]]
        assert r["spans"] == len(own)
        assert r["objects"] == sum(s["allocated"] for s in own)
        assert r["bytes"] == sum(s["pages"] for s in own) * PAGE
        assert r["object_bytes"] + r["free_slots_bytes"] + \
            r["tail_bytes"] == r["bytes"]
        assert r["waste_percent"] == pytest.approx(
            100 - 100 * r["object_bytes"] / r["bytes"], abs=0.1)
        single = [s for s in own if s["allocated"] == 1 and s["elems"] > 1]
        assert r["single_spans"] == len(single)
        assert r["single_bytes"] == sum(s["pages"] for s in single) * PAGE
        assert r["full_spans"] == sum(s["free"] == 0 for s in own)
        assert r["empty_spans"] == sum(s["allocated"] == 0 for s in own)
        filled = [r[f"filled_{10 * i}"] for i in range(1, 11)]
        assert sum(filled) + r["empty_spans"] == r["spans"]
        assert filled[9] == sum(s["allocated"] * 10 > 9 * s["elems"]
                                for s in own)
        if r["class"]:
            needed = -(-r["objects"] // r["elems"])
            assert r["packing_bytes"] == \
                (r["spans"] - needed) * r["span_bytes"]
    totals = answer["totals"]
    for name in ("spans", "bytes", "object_bytes", "single_spans",
                 "single_bytes", "packing_bytes"):
        assert totals[name] == sum(r[name] for r in answer["rows"])


def test_map_is_the_ledger(start):
    """The picture's bytes are those of the ledger's accounts."""
    target = start(go_program("objects", "1.26.8", "stripped"))
    for _ in range(20):
        before = ledger(target).accounts
        rows = go_command("classes", target, "--map")["rows"]
        accounts = ledger(target).accounts
        if before == accounts:
            break

    def vsz(*names):
        return sum(accounts.get(n, {}).get("vsz_bytes", 0) for n in names)

    def column(name):
        return sum(r[name] for r in rows)

    # Cells share a span's objects out by bytes, so these are rounded.
    assert abs(column("objects_bytes") - vsz("go/heap/objects")) < 4096
    assert column("objects_bytes") + column("free_slots_bytes") == \
        vsz("go/heap/objects", "go/heap/free-slots", "go/heap/span-tail")
    assert column("idle_bytes") == vsz("go/heap/idle")
    assert column("scavenged_bytes") == vsz("go/heap/scavenged")
    assert column("stacks_bytes") == vsz(
        "go/stacks/used", "go/stacks/unused", "go/stacks/cached")
    # Some of the collector's work lies outside the heap.
    assert column("gc_work_bytes") <= vsz("go/runtime/gc-work")
    assert {r["cell_bytes"] for r in rows} <= {1 << i for i in range(13, 40)}


def test_text_of_the_map(start):
    target = start(go_program("objects", "1.26.8", "stripped"))
    lines = run("go", "classes", "--map", target.pid).stdout.splitlines()
    assert re.fullmatch(r" *ADDRESS +HEAP", lines[0])
    pictures = [line for line in lines[1:]
                if re.match(r" *[0-9a-f]{9,}  ", line)]
    assert pictures and all(len(p.split(None, 1)[1]) <= 64 for p in pictures)
    assert any("█" in p for p in pictures) and any("s" in p for p in pictures)
    assert "a cell is" in lines[-2] and max(map(len, lines)) <= 100

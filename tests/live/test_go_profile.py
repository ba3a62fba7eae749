# SPDX-License-Identifier: Apache-2.0
"""go profile: held against what programs write with runtime/pprof, as
go tool pprof shows both."""

import csv
import gzip
import io
import json
import os
import re
import subprocess

import pytest

from conftest import MEMWHY, go_program, is_idle, run, toolchain, \
    wait_for

ALL = ["1.12.17", "1.13.15", "1.14.15", "1.15.15", "1.16.15", "1.17.13",
       "1.18.10", "1.19.13", "1.20.14", "1.21.13", "1.22.12", "1.23.12",
       "1.24.13", "1.25.8", "1.26.8", "1.27.4"]
# Their profiles do not tell what was inlined.
NOT_INLINED = ["1.12.17", "1.13.15"]
SAMPLES = ["inuse_space", "inuse_objects", "alloc_space", "alloc_objects"]


def minor(version):
    return int(version.split(".")[1])


def pprof(path, *options):
    """What `go tool pprof` makes of a profile."""
    root = toolchain("1.26.8")
    done = subprocess.run(
        [root / "bin" / "go", "tool", "pprof", *options, path],
        capture_output=True, text=True,
        env=dict(os.environ, GOROOT=str(root), GOTOOLCHAIN="local",
                 PPROF_TMPDIR=str(path.parent)))
    assert done.returncode == 0, done.stderr
    return done.stdout


def top(path, sample, plain=False):
    """Its functions with their figures, as lines."""
    text = pprof(path, "-top", "-nodecount=0", "-nodefraction=0", "-unit=B",
                 f"-sample_index={sample}")
    lines = text[text.index("flat%"):].splitlines()[1:]
    # The running sum depends on the order of equals.
    rows = set()
    for line in lines:
        flat, share, _, cum, cum_share, name = line.split(None, 5)
        if plain:
            name = name.removesuffix(" (inline)")
        rows.add((flat, share, cum, cum_share, name))
    return rows


@pytest.fixture
def profiled(start, tmp_path):
    def make(version, variant="stripped", rate=1):
        target = start(go_program("profiled", version, variant), tmp_path,
                       rate)
        wait_for(lambda: is_idle(target.pid), "all goroutines to rest")
        return target
    return make


@pytest.mark.parametrize("version", ALL)
def test_heap(profiled, tmp_path, version):
    # Each allocation is sampled, and each figure is exact.
    target = profiled(version)
    out = tmp_path / "out"
    done = run("go", "profile", "heap", target.pid, "-o", out)
    assert done.returncode == 0 and done.stderr == ""
    plain = version in NOT_INLINED
    for sample in SAMPLES:
        assert top(out, sample, plain) == \
            top(tmp_path / "heap", sample, plain)
    functions = {row[-1] for row in top(out, "alloc_space")}
    assert len(functions) > 20
    # The profile has what a generic function was made for, which backtraces
    # leave out.
    if minor(version) >= 24:
        assert any("[go.shape." in name for name in functions)


@pytest.mark.parametrize("variant", ["dwarf", "pie"])
@pytest.mark.parametrize("version", ["1.16.15", "1.18.10", "1.22.12",
                                     "1.26.8"])
def test_sampled_heap(profiled, tmp_path, version, variant):
    out = tmp_path / "out"
    # What the program allocates to write its own profile may be sampled, too,
    # and then is in ours only: by chance, so it is tried again.
    for _ in range(5):
        target = profiled(version, variant, rate=4096)
        assert run("go", "profile", target.pid, "heap", "-o",
                   out).returncode == 0
        if all(top(out, sample) == top(tmp_path / "heap", sample)
               for sample in SAMPLES):
            break
    for sample in SAMPLES:
        assert top(out, sample) == top(tmp_path / "heap", sample)
    assert "Period: 4096\n" in pprof(out, "-raw")
    # The labels, and what is shown first.
    ours, own = (sorted(re.findall(r"bytes:\[\d+\]", pprof(path, "-raw")))
                 for path in (out, tmp_path / "heap"))
    assert ours == own


@pytest.mark.parametrize("version", ALL)
def test_goroutines(profiled, tmp_path, version):
    target = profiled(version, "pie")
    out = tmp_path / "out"
    assert run("go", "profile", "goroutine", target.pid, "--stop", "-o",
               out).returncode == 0

    def others(path):
        # The first goroutine has gone on since.
        text = pprof(path, "-traces")
        stacks = text.split("-----------+" + "-" * 55)
        return sorted(re.sub(r"\s+", " ", s) for s in stacks[1:]
                      if "main.main\n" not in s and s.strip())
    ours, own = others(out), others(tmp_path / "goroutine")
    if version in NOT_INLINED:
        ours = [s.replace(" (inline)", "") for s in ours]
    assert ours == own and len(ours) >= 2
    assert any(s.startswith(" 20 runtime.gopark") and "main.waitHere" in s
               for s in ours)


def traces(path):
    """All stacks with their labels, but for the first goroutine's."""
    text = pprof(path, "-traces")
    return sorted(re.sub(r"\s+", " ", stack)
                  for stack in text.split("-----------+" + "-" * 55)[1:]
                  if "main.main\n" not in stack and stack.strip())


@pytest.mark.parametrize("version", ["1.10.8", "1.15.15", "1.16.15",
                                     "1.20.14", "1.23.12", "1.24.13",
                                     "1.26.8"])
def test_labels(start, tmp_path, version):
    """Those of runtime/pprof, which a goroutine profile has since Go 1.15."""
    own, out = tmp_path / "own", tmp_path / "out"
    target = start(go_program("labelled", version), own)
    wait_for(lambda: is_idle(target.pid), "all goroutines to rest")
    with open(out, "wb") as file:
        done = subprocess.run([MEMWHY, "go", "goroutines", "--format=pprof",
                               str(target.pid)], stdout=file, timeout=60)
    assert done.returncode == 0
    ours = traces(out)
    if version != "1.10.8":
        assert ours == traces(own)
    assert sum("shard:" in stack for stack in ours) == 3
    assert run("go", "profile", "goroutine", target.pid, "-o",
               tmp_path / "other").returncode == 0
    assert traces(tmp_path / "other") == ours
    rows = json.loads(run("go", "goroutines", "--format=json",
                          target.pid).stdout)["rows"]
    told = [row["labels"] for row in rows]
    assert told.count(r'"job":"first \"one\"", "shard":"1"') == 10
    assert told.count(r'"job":"first \"one\""') == 1
    assert [text for text in told if text and text.count('"key') == 20]


def test_profile_is_no_text(start):
    target = start(go_program("places", "1.26.8"))
    for wrong in ("--by=state", "--locals"):
        done = run("go", "goroutines", "--format=pprof", wrong, target.pid)
        assert done.returncode == 2
    assert run("go", "sched", "--format=pprof", target.pid).returncode == 2


def test_table(profiled, tmp_path):
    target = profiled("1.26.8")
    out = tmp_path / "out"
    run("go", "profile", "heap", target.pid, "-o", out)
    text = run("go", "profile", "heap", target.pid, "--format=csv").stdout
    rows = {row["function"]: row for row in csv.DictReader(io.StringIO(text))}
    for flat, _, cum, _, name in top(out, "inuse_space"):
        row = rows[name.removesuffix(" (inline)")]
        assert int(row["inuse_space"]) == int(flat.removesuffix("B") or 0)
        assert int(row["inuse_space_cum"]) == int(cum.removesuffix("B"))
    values = [int(row["inuse_space"]) for row in rows.values()]
    assert values == sorted(values, reverse=True)
    answer = json.loads(run("go", "profile", "heap", target.pid,
                            "--format=json", "--sort=alloc_objects").stdout)
    assert answer["schema"] == "memwhy.go-profile/1"
    values = [row["alloc_objects"] for row in answer["rows"]]
    assert values == sorted(values, reverse=True)
    rows = json.loads(run("go", "profile", "goroutine", target.pid,
                          "--format=json").stdout)["rows"]
    assert {row["function"]: row["goroutines_cum"]
            for row in rows}["main.waitThere"] == 10


def test_file_is_whole(profiled, tmp_path):
    target = profiled("1.22.12")
    out = tmp_path / "out"
    assert run("go", "profile", "heap", target.pid, "-o", out).returncode == 0
    assert len(gzip.decompress(out.read_bytes())) > 1000
    again = run("go", "profile", "heap", target.pid, "-o", out)
    assert again.returncode == 2 and "out" in again.stderr
    assert run("go", "profile", "heap", target.pid, "-o", out,
               "--force").returncode == 0
    assert run("go", "profile", "nothing", target.pid).returncode == 2


@pytest.mark.parametrize("version", ["1.17.13", "1.22.12", "1.26.8"])
def test_left_out_by_the_linker(start, version):
    target = start(go_program("places", version))
    done = run("go", "profile", "heap", target.pid)
    assert done.returncode == 1
    assert "MemProfileRate is 0" in done.stderr
    assert run("go", "profile", "goroutine", target.pid).returncode == 0


def test_core(profiled, tmp_path):
    target = profiled("1.26.8")
    core = tmp_path / "core"
    assert run("snapshot", "-o", core, target.pid).returncode == 0
    out = tmp_path / "out"
    assert run("go", "profile", "heap", core, "-o", out).returncode == 0
    assert top(out, "inuse_space") == top(tmp_path / "heap", "inuse_space")

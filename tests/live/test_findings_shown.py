# SPDX-License-Identifier: Apache-2.0
"""Findings: how they are shown, of which targets, and that all are tried."""

import os
import pathlib
import re
import subprocess

import pytest

from conftest import MEMWHY, go_program, is_idle, ledger, run, wait_for
from test_findings import findings


def test_text_has_a_few_and_fits(start):
    target = start(go_program("remarkable", "1.26.8"), "idle")
    wait_for(lambda: is_idle(target.pid), "the target to be idle")
    text = run("ledger", target.pid, env=dict(os.environ, COLUMNS="72"))
    lines = text.stdout.splitlines()
    at = lines.index("findings:")
    assert lines[at - 2].startswith("audit: ")
    numbers = [int(m[1]) for line in lines[at:]
               if (m := re.match(r" ?(\d+)\. ", line))]
    assert numbers == list(range(1, len(numbers) + 1))
    assert 1 <= len(numbers) <= 5
    assert "[heap-idle-retained]" in " ".join(lines[at:])
    assert text.stdout.count("    evidence: ") == len(numbers)
    assert text.stdout.count("    advice: ") == len(numbers)


def test_the_same_from_a_stopped_target_and_a_snapshot(start, tmp_path):
    target = start(go_program("remarkable", "1.26.8"), "holes")
    live = findings(target)
    stopped = findings(target, "--stop")
    assert stopped["heap-fragmentation"] == live["heap-fragmentation"]
    core = tmp_path / "core"
    subprocess.run([MEMWHY, "snapshot", "-o", core, str(target.pid)],
                   check=True, capture_output=True)
    kept = {f["id"]: f for f in ledger(core).json["findings"]}
    assert kept["heap-fragmentation"] == live["heap-fragmentation"]


# Told by what a goroutine's stack or an object holds.
BY_CONTENTS = {"goroutines-many", "goroutine-stacks-grown", "goroutines-dead",
               "go1.24-large-zeroing"}


@pytest.mark.parametrize("case, version", [
    ("headroom", "1.26.8"), ("headroom", "1.16.15"), ("off", "1.26.8"),
    ("idle", "1.20.14"), ("threads", "1.26.8"), ("goroutines", "1.26.8"),
    ("stacks", "1.20.14"), ("zeroed", "1.24.0"), ("limit", "1.26.8")])
def test_of_a_snapshot_without_contents(start, tmp_path, case, version):
    """What was left out is not taken for zeros."""
    target = start(go_program("remarkable", version), case,
                   env=dict(os.environ, GOMEMLIMIT="40MiB")
                   if case == "limit" else os.environ)
    live = findings(target, "--stop")
    assert live
    core = tmp_path / "core"
    subprocess.run([MEMWHY, "snapshot", "--no-contents", "-o", core,
                    str(target.pid)], check=True, capture_output=True)
    kept = {f["id"]: f for f in ledger(core).json["findings"]}
    assert kept == {name: f for name, f in live.items()
                    if name not in BY_CONTENTS}


SOURCE = pathlib.Path(__file__).parents[2] / "src" / "findings"


def rules():
    found = re.findall(r'X\((\w+), "([^"]+)"\)',
                       (SOURCE / "findings_int.h").read_text())
    assert len(found) > 20
    return found


def test_manual_page_names_every_finding():
    page = (SOURCE.parents[1] / "docs" / "memwhy.1").read_text()
    assert [name for _, name in rules()
            if name not in page.replace("\\-", "-")] == []


def test_every_finding_is_tried():
    """By made-up figures and by a real program, loud and quiet."""
    here = pathlib.Path(__file__).parent
    live = "".join((here / name).read_text()
                   for name in ("test_findings.py", "test_cgroup.py"))
    unit = "".join(path.read_text() for path in
                   (here.parent / "unit").glob("test_findings_*.c"))
    for _, name in rules():
        assert f'"{name}"' in live, name
        assert f', "{name}",' in unit, name
        assert f'SILENT(&book, "{name}")' in unit, name


def test_every_finding_has_its_source():
    """A rule's file begins with what it rests on: a case, an issue, a page."""
    files = {}
    for path in SOURCE.glob("find_*.c"):
        text = path.read_text()
        for rule in re.findall(r"^bool find_(\w+)\(", text, re.MULTILINE):
            files[rule] = text
    for rule, name in rules():
        comment = files[rule].split("#include", 1)[1].split("bool find_")[0]
        assert re.search(r"\(CASES \d|golang/go|https://|\(5\)|\(2\)",
                         comment), name

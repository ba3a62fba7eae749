# SPDX-License-Identifier: Apache-2.0
"""diff, and ledger --baseline: what grew between two captures."""

import csv
import io
import json
import os
import subprocess

import pytest

from conftest import (Frozen, c_program, go_program, is_idle, ledger, need,
                      run, wait_for)

MIB = 1 << 20


def rows_of(*arguments):
    done = run("diff", "--format=json", *arguments)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["schema"] == "memwhy.diff/1"
    return {row["account"]: row for row in answer["rows"]}


def test_what_grew(start, tmp_path):
    """Two programs of one kind, of which one has more mapped."""
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(bytes(16 * 4096))
    large.write_bytes(bytes(400 * 4096))
    before = start(c_program("kinds", flags=["-pthread"]), small)
    after = start(c_program("kinds", flags=["-pthread"]), large)
    file = tmp_path / "before.json"
    with Frozen(before.pid), Frozen(after.pid):
        file.write_text(run("ledger", "--format=json", before.pid).stdout)
        rows = rows_of(file, after.pid)
        books = [json.loads(run("ledger", "--format=json", t.pid).stdout)
                 for t in (before, after)]
        assert rows_of(before.pid, before.pid).keys() == {"total"}
    totals = [b["totals"] for b in books]
    for domain in ("rss_bytes", "vsz_bytes", "swap_bytes"):
        assert rows["total"][domain] == totals[1][domain]
        assert rows["total"]["delta_" + domain] == \
            totals[1][domain] - totals[0][domain]
        assert sum(row["delta_" + domain] for row in rows.values()) == \
            2 * rows["total"]["delta_" + domain]
    # Gone on one side, new on the other; the largest change comes first.
    assert rows[f"file{small}"]["delta_vsz_bytes"] < 0
    assert rows[f"file{large}"]["delta_vsz_bytes"] == \
        rows[f"file{large}"]["vsz_bytes"]
    sizes = [abs(row["delta_rss_bytes"]) for name, row in rows.items()
             if name != "total"]
    assert sizes == sorted(sizes, reverse=True)


def test_baseline(start, tmp_path):
    target = start(go_program("objects", "1.26.8", "stripped"))
    wait_for(lambda: is_idle(target.pid), "the target to rest")
    file = tmp_path / "before.json"
    with Frozen(target.pid):
        file.write_text(run("ledger", "--format=json", target.pid).stdout)
        answer = json.loads(run("ledger", "--format=json",
                                f"--baseline={file}", target.pid).stdout)
        text = run("ledger", f"--baseline={file}", target.pid).stdout
    assert [row["account"] for row in answer["baseline"]["rows"]] == ["total"]
    assert f"Since {file}:" in text


@pytest.fixture
def pair(start, tmp_path):
    """Two programs of one kind, one with 32 MiB more, each as a process, a
    snapshot, a core and the JSON of a ledger."""
    program = c_program("remarkable", flags=["-pthread"])
    forms = []
    for name, case in ("a", "none"), ("b", "anonymous"):
        target = start(program, case)
        wait_for(lambda pid=target.pid: is_idle(pid), "the target to rest")
        with Frozen(target.pid):
            snapshot = tmp_path / f"{name}.snapshot"
            assert run("snapshot", "-o", snapshot,
                       target.pid).returncode == 0
            core = tmp_path / f"{name}.core"
            subprocess.run(["gcore", "-o", core, str(target.pid)],
                           check=True, capture_output=True,
                           stdin=subprocess.DEVNULL)
            core = core.with_name(f"{core.name}.{target.pid}")
            json_file = tmp_path / f"{name}.json"
            json_file.write_text(
                run("ledger", "--format=json", target.pid).stdout)
        forms.append({"process": target.pid, "snapshot": snapshot,
                      "core": core, "json": json_file})
    return forms


def test_all_combinations(pair):
    """Whatever the two are given as, the same has grown, and is found."""
    need("gcore")
    kinds = list(pair[0])
    for before in kinds:
        for after in kinds:
            done = run("diff", "--format=json", pair[0][before],
                       pair[1][after])
            assert done.returncode == 0, done.stderr
            answer = json.loads(done.stdout)
            first, second = answer["rows"][:2]
            assert first["account"] == "total"
            assert second["account"] == "anonymous/private"
            # A core does not tell which pages were resident.
            assert abs(second["delta_rss_bytes"] - 32 * MIB) <= 65536
            found = answer["findings"][0]
            assert found["id"] == "anonymous-mappings"
            assert found["is_new"] is True
            assert found["bytes"] == found["delta_bytes"]
            assert 32 * MIB <= found["bytes"] < 33 * MIB
            # What has gone explains nothing.
            done = run("diff", "--format=json", pair[1][after],
                       pair[0][before])
            assert json.loads(done.stdout)["findings"] == []


def test_files_are_named(pair):
    text = run("diff", pair[0]["snapshot"], pair[1]["json"]).stdout
    assert f" of {pair[0]['snapshot']}\n" in text
    assert f" of {pair[1]['json']}\n" in text
    assert "findings that are new or have grown:\n 1. 32.0 MiB" in text
    assert "(new)" in text


def test_baseline_of_any_kind(pair):
    for kind, what in pair[0].items():
        if kind == "process":
            continue
        answer = json.loads(run("ledger", "--format=json",
                                f"--baseline={what}",
                                pair[1]["process"]).stdout)
        rows = answer["baseline"]["rows"]
        assert rows[1]["account"] == "anonymous/private"
        found = answer["baseline"]["findings"]
        assert [f["id"] for f in found] == ["anonymous-mappings"]
        text = run("ledger", f"--baseline={what}", pair[1]["process"]).stdout
        assert "[anonymous-mappings] (new)" in " ".join(text.split())


def test_a_finding_that_has_grown(pair, tmp_path):
    """Of one that was there before, only what is more counts."""
    before = json.loads(pair[1]["json"].read_text())
    bytes_ = before["findings"][0]["bytes"]
    before["findings"][0]["bytes"] = 12 * MIB
    file = tmp_path / "less.json"
    file.write_text(json.dumps(before))
    found = json.loads(run("diff", "--format=json", file,
                           pair[1]["process"]).stdout)["findings"]
    assert [f["delta_bytes"] for f in found] == [bytes_ - 12 * MIB]
    assert found[0]["is_new"] is False
    assert "(+20." in run("diff", file, pair[1]["process"]).stdout
    # A little more is no news.
    before["findings"][0]["bytes"] = bytes_ - MIB + 4096
    file.write_text(json.dumps(before))
    assert "findings" not in run("diff", file, pair[1]["process"]).stdout


def test_two_programs(start):
    """They can be compared, with a word of warning."""
    one = start(c_program("churn", flags=["-pthread"]))
    other = start(c_program("remarkable", flags=["-pthread"]), "none")
    done = run("diff", one.pid, other.pid)
    assert done.returncode == 0
    assert "different programs" in done.stderr
    assert f"({one.pid})" in done.stderr and f"({other.pid})" in done.stderr
    assert run("diff", one.pid, one.pid).stderr == ""


def test_a_program_under_another_name(start, tmp_path):
    """gdb takes the name from the arguments, the kernel from the file."""
    need("gdb")
    target = start("bash", "-c", "exec -a 'server *:7' sleep 1000",
                   reports=False)
    wait_for(lambda: is_idle(target.pid) and
             os.readlink(f"/proc/{target.pid}/exe").endswith("/sleep"),
             "the program to sleep")
    subprocess.run(["gdb", "-p", str(target.pid), "-batch", "-ex",
                    f"generate-core-file {tmp_path}/core"],
                   check=True, capture_output=True)
    done = run("diff", tmp_path / "core", target.pid)
    assert done.returncode == 0
    assert "different programs" not in done.stderr


def test_what_cannot_be_compared(start, tmp_path):
    target = start(c_program("churn", flags=["-pthread"]))
    text = tmp_path / "x.txt"
    text.write_text("hello\n")
    maps = tmp_path / "maps.json"
    maps.write_text(run("maps", "--format=json", target.pid).stdout)
    for file, status, words in (
            (text, 1, "give a PID, a core file, a snapshot, or"),
            (maps, 1, "its schema is memwhy.maps/1"),
            (tmp_path / "none", 1, "No such file"),
            ("/bin/sh", 2, "looks at processes and core files")):
        for command in (("diff", file, target.pid),
                        ("diff", target.pid, file),
                        ("ledger", f"--baseline={file}", target.pid)):
            done = run(*command)
            assert (done.returncode, done.stdout) == (status, "")
            assert words in done.stderr
            assert str(file) in done.stderr


def test_files_that_stand_here(start, tmp_path):
    """A name without a slash that is a file's is told as one."""
    target = start(c_program("churn", flags=["-pthread"]))
    for content in (b"", b"hello\n", b"[" * 5000, b"\xff\xfe{}"):
        (tmp_path / "before.json").write_bytes(content)
        for command in (("diff", "before.json", target.pid),
                        ("diff", target.pid, "before.json"),
                        ("ledger", "--baseline=before.json", target.pid)):
            done = run(*command, cwd=tmp_path)
            assert (done.returncode, done.stdout) == (1, "")
            assert "before.json: not an ELF file; give a PID" in done.stderr


def test_shrinkage_and_growth(start, tmp_path):
    """Of whatever size, to the byte; all is told once, the largest first."""
    target = start(c_program("churn", flags=["-pthread"]))
    now = ledger(target).json
    before = json.loads(json.dumps(now))
    before["accounts"][0]["rss_bytes"] = 0
    before["accounts"].append({"account": "file/gone", "vsz_bytes": 2 ** 46,
                               "rss_bytes": 2 ** 45, "swap_bytes": 5})
    files = [tmp_path / "before.json", tmp_path / "now.json"]
    for file, content in zip(files, (before, now)):
        file.write_text(json.dumps(content))
    first = now["accounts"][0]
    assert first["rss_bytes"] > 0
    rows = rows_of(*files)
    assert list(rows) == ["total", "file/gone", first["account"]]
    gone = rows["file/gone"]
    assert [gone[f"delta_{d}_bytes"] for d in ("rss", "vsz", "swap")] == \
        [-2 ** 45, -2 ** 46, -5]
    assert rows["total"]["delta_rss_bytes"] == first["rss_bytes"] - 2 ** 45
    assert rows_of(*files[::-1])["file/gone"]["delta_rss_bytes"] == 2 ** 45
    assert list(rows_of(files[1], files[1])) == ["total"]


def test_forms(start, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(bytes(16 * 4096))
    target = start(c_program("churn", flags=["-pthread"]))
    other = start(c_program("kinds", flags=["-pthread"]), file)
    table = list(csv.DictReader(io.StringIO(
        run("diff", "--format=csv", target.pid, other.pid).stdout)))
    assert table[0]["account"] == "total"
    assert any(int(row["delta_rss_bytes"]) < 0 for row in table)
    text = run("diff", target.pid, other.pid).stdout
    assert "CHANGE" in text and "-" in text and "+" in text


def test_what_is_not_a_ledger(start, tmp_path):
    target = start(c_program("churn", flags=["-pthread"]))
    accounts = ledger(target).json["accounts"]

    def damaged(accounts, **more):
        return json.dumps({"schema": "memwhy.ledger/1", "accounts": accounts,
                           **more})

    file = tmp_path / "x.json"
    for content in ("{", "{}", '{"schema": "memwhy.ledger/1"}',
                    '{"schema": "memwhy.maps/1", "accounts": []}',
                    '{"schema": "memwhy.ledger/1", "accounts": [3]}',
                    '{"schema": "memwhy.ledger/1", "accounts": [], '
                    '"findings": [{"id": "x"}]}',
                    '{"schema": "memwhy.ledger/1", "accounts": '
                    '[{"account": "a", "rss_bytes": -1}]}',
                    damaged(accounts[:1] * 2), damaged(accounts, findings={}),
                    damaged([dict(accounts[0], account="")]),
                    damaged([dict(accounts[0], account="a" * 10000)]),
                    damaged([dict(a, rss_bytes=2 ** 63 - 1)
                             for a in accounts])):
        file.write_text(content)
        for arguments in (("diff", file, target.pid),
                          ("ledger", f"--baseline={file}", target.pid)):
            done = run(*arguments)
            assert done.returncode == 1
            assert str(file) in done.stderr

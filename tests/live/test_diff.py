# SPDX-License-Identifier: Apache-2.0
"""diff, and ledger --baseline: what grew between two captures."""

import csv
import io
import json

from conftest import Frozen, c_program, go_program, is_idle, run, wait_for


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
    file = tmp_path / "x.json"
    for content in ("{", "{}", '{"schema": "memwhy.ledger/1"}',
                    '{"schema": "memwhy.maps/1", "accounts": []}',
                    '{"schema": "memwhy.ledger/1", "accounts": [3]}',
                    '{"schema": "memwhy.ledger/1", "accounts": '
                    '[{"account": "a", "rss_bytes": -1}]}'):
        file.write_text(content)
        for arguments in (("diff", file, target.pid),
                          ("ledger", f"--baseline={file}", target.pid)):
            done = run(*arguments)
            assert done.returncode == 1
            assert str(file) in done.stderr

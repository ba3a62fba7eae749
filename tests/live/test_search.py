# SPDX-License-Identifier: Apache-2.0
"""search: compared with grep."""

import os
import re
import subprocess

from bytes_target import (NEEDLES, PAGES, at, data_file,  # noqa: F401
                          go_target, hits, memory, present, table, target)
from conftest import PAGE, Frozen, ledger, left_alone, maps, need, run


def grep(data, pattern):
    """Offsets, as grep -abo has them."""
    return [m.start() for m in re.finditer(pattern, data, re.DOTALL)]


def test_search_finds_what_grep_finds(target):
    start = at(target, "many")
    where = ("--mapping", f"{start:x}", "--limit=0")
    data = memory(target.pid, start, NEEDLES)
    row = next(r for r in maps(target) if int(r["start"], 16) <= start <
               int(r["end"], 16))
    data = memory(target.pid, int(row["start"], 16),
                  int(row["end"], 16) - int(row["start"], 16))
    base = int(row["start"], 16)
    for text, pattern in (("needle", b"needle"), ("crossing!!", b"crossing!!"),
                          ("A needle. ", b"A needle\\. "), ("zq", b"zq"),
                          ("no such text", b"no such text")):
        want = [base + offset for offset in grep(data, pattern)]
        assert hits(target.pid, text, *where) == want, text
        count = run("search", "--count", *where[:2], target.pid, text)
        assert count.stdout == f"{len(want)}\n"
    assert len(grep(data, b"crossing!!")) >= NEEDLES // (1 << 19) - 2


def test_search_agrees_with_grep(target, tmp_path):
    need("grep")
    out = tmp_path / "many"
    start = at(target, "many")
    run("dump", "--mapping", f"{start:x}", "-o", out, target.pid)
    for text in ("needle", "crossing"):
        lines = subprocess.run(["grep", "-abo", text, out],
                               capture_output=True,
                               env=dict(os.environ, LC_ALL="C")).stdout
        row = next(r for r in maps(target) if int(r["start"], 16) <= start <
                   int(r["end"], 16))
        assert hits(target.pid, text, "--limit=0", "--mapping",
                    f"{start:x}") == \
            [int(row["start"], 16) + int(line.split(b":")[0])
             for line in lines.splitlines()]


def test_search_in_any_case_and_by_bytes(target):
    start = at(target, "many")
    where = ("--range", f"{start:x}+{NEEDLES}", "--limit=0")
    plain = hits(target.pid, "A needle. ", *where)
    assert len(plain) > 50
    assert hits(target.pid, "-i", "a NEEDLE. ", *where) == plain
    for text in ("41206e6565646c652e20", "41 20 6E 65 65 64 6c 65 2e 20",
                 "41 20 ?? 65 65 6? ?c 65 2e 20"):
        assert hits(target.pid, "--hex", text, *where) == plain
        assert hits("--hex", target.pid, text, *where) == plain
        assert hits("--hex", text, target.pid, *where) == plain


def test_search_tells_what_is_wrong_with_the_bytes(target):
    """Not with the target, on whichever side of it they stand."""
    for bad in ("zz", "0x"):
        for where in ("/bin/true", target.pid):
            for arguments in ((bad, where), (where, bad)):
                done = run("search", "--hex", *arguments)
                assert done.returncode == 2, done.stderr
                assert done.stdout == "" and bad in done.stderr
                assert str(where) not in done.stderr


def test_search_for_pointers(target):
    start, sparse = at(target, "many"), at(target, "sparse")
    where = ("--range", f"{start:x}+{NEEDLES}", "--limit=0")
    data = memory(target.pid, start, NEEDLES)
    words = memoryview(data).cast("Q")
    want = [start + 8 * i for i, w in enumerate(words) if w == sparse]
    assert len(want) > 15
    for text in (f"{sparse:x}", f"0x{sparse:x}",
                 f"{sparse - 5:x}-{sparse + 1:x}", f"{sparse - 1:x}+2"):
        assert hits("--pointer", target.pid, text, *where) == want
    assert hits("--pointer", f"0x{sparse:x}", target.pid, *where) == want
    rows = table("search", "--pointer", target.pid, f"{sparse:x}", *where)
    assert all(int(r["value"], 16) == sparse for r in rows)
    assert hits("--pointer", target.pid, f"{sparse + 1:x}", *where) == []


def test_search_crosses_pages_but_no_gaps(target):
    start = at(target, "sparse")
    where = ("--range", f"{start:x}+{PAGES * PAGE}")
    assert hits(target.pid, "across two pages", *where) == \
        [start + 5 * PAGE - 6]
    assert hits(target.pid, "halfway", *where) == []


def test_search_tells_accounts_and_symbols(target, go_target):
    row, = [r for r in table("search", target.pid, "variable that was set")
            if r["symbol"]]
    assert row["account"] == "binary/.data"
    assert row["symbol"] == "variable+0x2"
    assert int(row["address"], 16) == at(target, "variable") + 2
    assert "a variable that was set before it began" in row["text"]

    pid = go_target.pid
    heap = at(go_target, "heap") + 123456
    row, = [r for r in table("search", pid, "quite a long needle")
            if r["account"] == "go/heap/objects"]
    assert int(row["address"], 16) == heap + len("on the heap: ")
    # Who points at the string that barVar holds?
    made, = [r for r in table("search", pid, "MADE AT RUN TIME, FOR BARVAR")
             if r["account"] == "go/heap/objects"]
    rows = table("search", pid, "--pointer", made["address"])
    assert ("main.barVar", "binary/.bss") in \
        [(r["symbol"], r["account"]) for r in rows] or \
        ("main.barVar", "binary/.noptrbss") in \
        [(r["symbol"], r["account"]) for r in rows]


def test_every_hit_has_the_account_of_the_ledger(go_target):
    """Hits in zeros, slot by slot: the ledger's sums, by another way."""
    with Frozen(go_target.pid):
        books = ledger(go_target)
        rows = table("search", go_target.pid, "--hex", "00??",
                     "--account=go/stacks", "--limit=20000")
        assert {r["account"] for r in rows} <= \
            {a for a in books.accounts if a.startswith("go/stacks/")}
        rows = table("search", go_target.pid, "--hex", "00??",
                     "--account=go/heap/free-slots", "--limit=20000")
        assert {r["account"] for r in rows} == {"go/heap/free-slots"}


def test_search_is_never_silently_cut(target):
    start = at(target, "many")
    where = ("--range", f"{start:x}+{NEEDLES}")
    done = run("search", *where, "--limit=5", target.pid, "needle")
    assert len(done.stdout.splitlines()) == 6
    assert "--limit=0" in done.stderr
    assert len(table("search", *where, "--hex", target.pid, "00")) == 1000
    done = run("search", *where, target.pid, "no such text")
    assert done.returncode == 0 and "no hits" in done.stderr


def test_search_leaves_absent_pages_alone(target):
    start = at(target, "file")
    where = ("--range", f"{start:x}+{PAGES * PAGE}")
    left_alone(target.pid, lambda: check_search(target, where),
               lambda: present(target.pid, start, PAGES))


def check_search(target, where):
    done = run("search", *where, target.pid, "of the file")
    assert "not resident" in done.stderr
    lines = PAGE // 22
    assert len(hits(*where, target.pid, "of the file")) == lines
    assert len(hits(*where, target.pid, "of the file", "--from-files",
                    "--limit=0")) == lines * PAGES
    run("search", target.pid, "whatever")
    run("strings", target.pid)


# A program that nobody here wrote

def test_search_in_python(start):
    need("python3")
    target = start("python3", "-c", """
import os, sys
text = "".join(["what ", "python ", "holds"]) * 3
big = [str(i) * 20 for i in range(50000)]
sys.stderr.write(f"text 0x{id(text):x}\\nend 0\\n")
sys.stderr.flush()
sys.stdin.read()
""")
    with Frozen(target.pid):
        found = hits(target.pid, "what python holdswhat", "--limit=0")
        want = []
        for row in maps(target):
            lo, hi = int(row["start"], 16), int(row["end"], 16)
            if "r" not in row["perms"] or row["path"].startswith("[v"):
                continue
            data = memory(target.pid, lo, hi - lo)
            want += [lo + m for m in grep(
                data, b"(?=what python holdswhat)")]
        assert found == want
        assert any(at(target, "text") <= hit < at(target, "text") + 100
                   for hit in found)
        for row in maps(target):
            if row["path"] == "[heap]":
                lo, hi = int(row["start"], 16), int(row["end"], 16)
        data = memory(target.pid, lo, hi - lo)
        runs = [(lo + m.start(), m[0].decode()) for m in
                re.finditer(rb"[\t -~]{4,}", data)]
        got = [(int(r["address"], 16), r["text"]) for r in
               table("strings", "--mapping=[heap]", target.pid)]
        assert got == runs

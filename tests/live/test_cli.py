# SPDX-License-Identifier: Apache-2.0
"""What a user sees: help, text, colour, widths, forms of output."""

import csv
import io
import json
import os
import pty
import re
import subprocess

import pytest

from conftest import (MEMWHY, ROOT, Ledger, c_program, go_program, ledger,
                      maps, run)

COMMANDS = re.findall(r"^  (\S+(?: \S+)?)  ", run("--help").stdout,
                      re.MULTILINE)


@pytest.fixture
def target(start):
    return start(go_program("objects", "1.26.8", "stripped"))


def options_of(text):
    return set(re.findall(r"--[a-z][a-z-]+", text))


def test_help():
    assert COMMANDS[:2] == ["ledger", "maps"]
    assert len(COMMANDS) == len(set(COMMANDS))
    for command in COMMANDS:
        own = run(*command.split(), "--help")
        assert own.returncode == 0 and own.stderr == ""
        assert own.stdout.startswith(f"usage: memwhy {command}")
        lines = own.stdout.splitlines()
        assert max(map(len, lines)) <= 100
        assert all(line == line.rstrip() for line in lines)
    assert run("--version").stdout == run("maps", "--version").stdout
    assert re.fullmatch(r"memwhy \d+\.\d+\.\d+\n", run("--version").stdout)


def test_help_of_maps_tells_every_column(target):
    text = run("maps", "--help").stdout
    for column in maps(target)[0]:
        assert re.search(rf"^  {column} ", text, re.MULTILINE), column


def test_manual_page_has_every_option_and_command():
    page = subprocess.run(["man", "--warnings", "-l",
                           ROOT / "docs" / "memwhy.1"],
                          capture_output=True, text=True,
                          env=dict(os.environ, MANWIDTH="80", LC_ALL="C.UTF-8",
                                   MAN_KEEP_FORMATTING=""))
    assert page.returncode == 0
    assert page.stderr == ""
    synopsis = page.stdout[:page.stdout.index("DESCRIPTION")]
    for command in COMMANDS:
        assert re.search(rf"^ +{command} *", page.stdout, re.MULTILINE)
        assert re.search(rf"\b{command.split()[-1]}\b", synopsis), command
        missing = options_of(run(*command.split(), "--help").stdout) - \
            options_of(page.stdout)
        assert not missing


def test_readme_names_every_command():
    readme = (ROOT / "README.md").read_text()
    for command in COMMANDS:
        assert f"memwhy {command}" in readme


def test_pid_alone_means_ledger(target):
    first = run(target.pid).stdout.splitlines()[0]
    assert first == run("ledger", target.pid).stdout.splitlines()[0]
    assert first.startswith(f"objects-go1.26.8-stripped"[:15])
    assert "go1.26.8" in first and "stripped" in first
    assert "goroutines 41" in first


def test_options_stand_before_or_after_the_target(target):
    one = run("ledger", "--domain=vsz", target.pid).stdout
    two = run("ledger", target.pid, "--domain=vsz").stdout
    assert one.splitlines()[3:5] == two.splitlines()[3:5]
    assert "VSZ" in one.splitlines()[3]


def test_text_fits_and_answers(target):
    text = run(target.pid).stdout
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    audit = next(n for n, line in enumerate(lines)
                 if line.startswith("audit: "))
    # What is behind it are findings.
    lines = lines[:audit + 1]
    assert len(lines) <= 45
    assert "\033" not in text
    # The tree, with the largest first, and the audit as the last line.
    assert re.search(r"100\.0 +total", text)
    top = re.findall(r"^ *([\d.]+ \w+) +([\d.]+) +[\d.]+  [├└]─ (\w+)", text,
                     re.MULTILINE)
    shares = [float(share) for _, share, _ in top]
    assert shares == sorted(shares, reverse=True)
    assert top[0][2] == "go"
    assert lines[-1].startswith("audit: ")
    assert "never stopped" in lines[-1]
    assert "= " in lines[-1]
    stopped = run("--stop", target.pid).stdout
    assert re.search(r"^audit: .*\(stopped for [\d.]+ ms\)$", stopped,
                     re.MULTILINE)


def test_bytes_are_exact(target):
    text = run("--bytes", "--stop", target.pid).stdout
    rss = Ledger(run("--format=json", "--stop", target.pid).stdout)
    total = int(re.search(r"^ *([\d,]+) +100\.0 +total", text,
                          re.MULTILINE)[1].replace(",", ""))
    assert total == rss.totals["rss_bytes"]


def test_verbose_has_every_account(target):
    done = run("--verbose", "--bytes", "--stop", target.pid)
    told = len(re.findall(r"^ *[\d,]+ .*[├└]─ ", done.stdout, re.MULTILINE))
    books = ledger(target, "--stop")
    accounts = [a for a in books.json["accounts"] if a["rss_bytes"]]
    # Each account has a line, and so has each part of their names before it.
    parents = {tuple(a["account"].split("/")[:n]) for a in accounts
               for n in range(1, a["account"].count("/") + 1)}
    assert told == len(accounts) + len(parents)
    assert "small ones" not in done.stdout


def test_verbose_lists_unknown_ranges(start, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(bytes(16 * 4096))
    target = start(c_program("kinds", flags=["-pthread"]), file)
    text = run("--verbose", target.pid).stdout
    ranges = re.findall(r"^  ([0-9a-f]{12})-([0-9a-f]{12})  .*"
                        r"anonymous/private$", text, re.MULTILINE)
    assert any(int(a, 16) <= target.figures["private"] < int(b, 16)
               for a, b in ranges)
    answer = json.loads(run("--verbose", "--format=json", target.pid).stdout)
    assert sum(r["rss_bytes"] for r in answer["ranges"]
               if r["account"] == "anonymous/private") == \
        Ledger(json.dumps(answer)).bytes("anonymous/private")


def test_every_account_is_explained(start, target):
    """Each has a sentence, in a tree or in words of its own."""
    cgo = start(go_program("cgo", "1.20.14", "dwarf", cgo=True))
    for process in (target, cgo):
        text = run("--explain", "--domain=vsz", process.pid).stdout
        told = set(re.findall(r"^  (\S.*)\n      \S", text, re.MULTILINE))
        for account in ledger(process).accounts:
            if account.startswith("library/") or account in told:
                continue
            raise AssertionError(f"{account} is not explained")


def on_terminal(*arguments, **environment):
    """What memwhy prints on a terminal of 80 columns."""
    import fcntl
    import struct
    import termios
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ,
                struct.pack("HHHH", 24, 80, 0, 0))
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    process = subprocess.Popen([MEMWHY, *map(str, arguments)],
                               stdout=follower, stderr=follower,
                               env=env | {"TERM": "xterm"} | environment)
    os.close(follower)
    data = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        data += piece
    os.close(leader)
    assert process.wait() == 0
    return data.decode()


def test_colour_only_on_a_terminal(target):
    assert "\033[1m" in on_terminal(target.pid)
    assert "\033" not in on_terminal(target.pid, NO_COLOR="1")
    assert "\033" not in on_terminal(target.pid, TERM="dumb")
    assert "\033" not in run(target.pid).stdout


def test_a_wrong_choice_is_told_the_right_ones():
    done = run("syms", "--sort=age", "/bin/true")
    assert done.returncode == 2 and done.stdout == ""
    assert "--sort=age: not one of address, size, name, package\n" in \
        done.stderr


def test_errors_are_text_only():
    done = run("no\x1b[31msuch\xff")
    assert done.returncode == 1
    assert "no\\x1b[31msuch" in done.stderr and "\x1b" not in done.stderr


def test_terminal_of_80_columns(target):
    for arguments in ([target.pid], ["maps", target.pid]):
        text = re.sub(r"\033\[\d+m", "", on_terminal(*arguments))
        tree = text[:text.index("audit:")] if "audit:" in text else text
        assert max(map(len, tree.splitlines())) <= 80


def test_json_of_ledger_is_the_contract(target):
    answer = json.loads(run("--format=json", target.pid).stdout)
    assert answer["schema"] == "memwhy.ledger/1"
    assert {"kind", "pid", "exe", "page_bytes", "go"} <= set(answer["target"])
    assert answer["target"]["kind"] == "process"
    assert answer["target"]["pid"] == target.pid
    assert answer["target"]["page_bytes"] == 4096
    assert {"version", "layout", "stripped", "pie", "cgo"} <= \
        set(answer["target"]["go"])
    assert answer["capture"]["mode"] == "live"
    assert answer["capture"]["stopped_ns"] == 0
    assert answer["capture"]["wall_ns"] > 0
    assert set(answer["totals"]) == {"vsz_bytes", "rss_bytes", "swap_bytes"}
    assert {"kernel_rss_bytes", "kernel_vsz_bytes", "kernel_swap_bytes",
            "drift_rss_bytes", "balanced", "overlaps"} <= \
        set(answer["audit"])
    for account in answer["accounts"]:
        assert {"account", "vsz_bytes", "rss_bytes", "swap_bytes",
                "evidence"} <= set(account)
        assert account["evidence"]
    assert isinstance(answer["findings"], list)


def test_json_of_a_process_without_go(start):
    target = start(c_program("churn", flags=["-pthread"]))
    answer = json.loads(run("--format=json", "--stop", target.pid).stdout)
    assert answer["target"]["go"] is None
    assert answer["capture"]["mode"] == "stop"
    assert answer["capture"]["stopped_ns"] > 0


def test_forms_of_maps_agree(target):
    rows = maps(target, "--stop")
    text = run("maps", "--format=csv", "--stop", target.pid).stdout
    table = list(csv.DictReader(io.StringIO(text)))
    assert len(table) == len(rows)
    for one, other in zip(rows, table):
        for column, value in one.items():
            assert other[column] == ("" if value is None else str(value))
    lines = run("maps", "--stop", target.pid).stdout.splitlines()
    assert len(lines) == len(rows) + 1
    assert len({len(line.split("  ")[0]) for line in lines[1:3]}) == 1
    answer = json.loads(run("maps", "--format=json", target.pid).stdout)
    units = {c["name"]: c["unit"] for c in answer["columns"]}
    assert units["rss_bytes"] == "bytes" and units["start"] == "address"
    assert set(units) == set(answer["rows"][0])


def test_closed_pipe_is_no_error(target):
    done = subprocess.run(f"{MEMWHY} maps {target.pid} | head -1",
                          shell=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert "START" in done.stdout


def test_full_disk_is_an_error(target):
    with open("/dev/full", "w") as full:
        done = subprocess.run([MEMWHY, str(target.pid)], stdout=full,
                              stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "could not be written" in done.stderr

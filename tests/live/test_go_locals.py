# SPDX-License-Identifier: Apache-2.0
"""Arguments and variables in backtraces: against what the program was written
to hold, and against Delve."""

import json
import re
import signal
import subprocess
import sys

import pytest

from conftest import (delve, go_program, is_idle, need, plain_only, run,
                      wait_for)
from test_go_goroutines import damage

RELEASES = ["1.10.8", "1.13.15", "1.16.15", "1.17.13", "1.20.14", "1.22.12",
            "1.24.13", "1.25.8", "1.26.8"]

TGKILL = 234  # the system call

UNKNOWN = ("(optimised out)", "(in a register that is not known)",
           "(not known where)")

NODE = r'{name: "%s", next: %s, at: {x: %d, y: %d}}'
SECOND = NODE % ("second", "nil", 3, 4)
FIRST = NODE % ("first", "0x[0-9a-f]+", 1, 2)

# What main() gives them, or the functions make of it. An argument that is not
# used any more may be gone.
HELD = {
    ("main.numbers", "a"): "-42",
    ("main.numbers", "b"): "200",
    ("main.numbers", "c"): "-300",
    ("main.numbers", "d"): "2.5",
    ("main.numbers", "e"): "true",
    ("main.numbers", "f"): r"\(1-2i\)",
    ("main.numbers", "g"): "7",
    ("main.numbers", "local"): "-126",
    ("main.numbers", "small"): "-57",
    ("main.texts", "s"): '"some text"',
    ("main.texts", "bytes"): 'len 5 (cap [0-9]+ )?"bytes"',
    ("main.texts", "numbers"): r"len 3 (cap 3 )?\[5, -6, 7\]",
    ("main.texts", "empty"): "nil",
    ("main.texts", "array"): r"\[1, 2, 65535\]",
    ("main.texts", "joined"): '"some text!"',
    ("main.texts", "part"): r"len 1 (cap 2 )?\[-6\]",
    ("main.pointers", "n"): "0x[0-9a-f]+ -> " + FIRST,
    ("main.pointers", "none"): "nil",
    ("main.pointers", "p"): "{x: -5, y: 6}",
    ("main.pointers", "s"): r"main\.point\({x: 7, y: 8}\)",
    ("main.pointers", "e"): "nil",
    ("main.pointers", "any"): r'string\("dynamic"\)',
    ("main.pointers", "m"): "0x[0-9a-f]+ len 2",
    ("main.pointers", "c"): "0x[0-9a-f]+ len 0 cap 3",
    ("main.pointers", "f"): r"0x[0-9a-f]+ main\.closure\.func1",
    ("main.pointers", "last"): "0x[0-9a-f]+ -> " + SECOND,
    ("main.pointers", "word"): '"dynamic"',
    ("main.escapes", "n"): "10",
    ("main.escapes", "moved"): "11",
    ("main.escapes", "counter"): "11",
    ("main.closure.func1", "more"): "4",
    ("main.closure.func1", "total"): "104",
    ("main.closure.func1", "base"): "42",
    ("main.callsInlined", "seed"): "3",
    ("main.outer", "a"): "3",
    ("main.outer", "b"): "4",
    ("main.middle", "c"): "4",
    ("main.middle", "d"): "8",
    ("main.inner", "e"): "8",
    ("main.inner", "f"): "13",
    ("main.scopes", "n"): "5",
    ("main.scopes", "x"): "5|15",
    ("main.scopes", "i"): "1",
    ("main.scopes", "y"): r"\[15, 1, 0, 0\]",
    ("main.(*node).method", "n"): "0x[0-9a-f]+ -> " + FIRST,
    ("main.(*node).method", "depth"): "[0-3]",
    ("main.large", "p"): r"\[1, 3, 3, 0, .*…\]",
    ("main.large", "s"): r"\[" + FIRST + ", " + SECOND + r"\]",
}

# Which of them every release has somewhere: they are needed later, or, up to
# 1.16, are where the caller put them.
ALWAYS = {("main.numbers", "a"), ("main.numbers", "d"), ("main.numbers", "e"),
          ("main.texts", "s"), ("main.texts", "bytes"),
          ("main.texts", "array"), ("main.pointers", "n"),
          ("main.pointers", "c"),
          ("main.pointers", "f"), ("main.escapes", "n"),
          ("main.escapes", "counter"), ("main.closure.func1", "more"),
          ("main.closure.func1", "total"), ("main.callsInlined", "seed"),
          ("main.scopes", "n"), ("main.scopes", "x"), ("main.scopes", "i"),
          ("main.scopes", "y"), ("main.(*node).method", "n"),
          ("main.(*node).method", "depth"), ("main.large", "p"),
          ("main.large", "s")}

# What a release's compiler does not tell: before Go 1.11, when a variable is
# where; 1.16, some arguments.
UNTOLD = {"1.10.8": {("main.escapes", "counter"),
                     ("main.closure.func1", "total"), ("main.scopes", "x"),
                     ("main.scopes", "i"), ("main.scopes", "y")},
          "1.16.15": {("main.texts", "s"), ("main.texts", "bytes")}}


def start_locals(start, version, *arguments, pie=False):
    flags = ["-buildmode=pie"] if pie else []
    target = start(go_program("locals", version, "dwarf", flags=flags),
                   *arguments)
    if not arguments:
        wait_for(lambda: is_idle(target.pid), "the goroutines to rest")
    return target


def read_locals(what, *arguments):
    done = run("go", "goroutines", "--locals", "--format=json", *arguments,
               what)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_held(answer):
    known = set()
    for row in answer["locals"]["rows"]:
        key = row["function"], row["name"]
        if key not in HELD or row["value"] in UNKNOWN:
            continue
        assert re.fullmatch(HELD[key], row["value"]), row
        known.add(key)
    return known


@pytest.mark.parametrize("version", RELEASES)
def test_values(start, version):
    known = check_held(read_locals(start_locals(start, version).pid))
    least = ALWAYS - UNTOLD.get(version, set())
    assert least <= known, least - known


@pytest.mark.parametrize("version", ["1.16.15", "1.22.12", "1.26.8"])
def test_pie(start, version):
    known = check_held(read_locals(start_locals(start, version,
                                                pie=True).pid))
    assert ALWAYS - UNTOLD.get(version, set()) <= known


def test_core(start, tmp_path):
    """What a core has is what the process had."""
    target = start_locals(start, "1.26.8")
    core = tmp_path / "core"
    assert run("snapshot", "-o", core, target.pid).returncode == 0
    theirs = read_locals(target.pid, "--stop")["locals"]
    assert read_locals(core)["locals"] == theirs
    assert len(theirs["rows"]) > 50


def test_damaged_cores(start, tmp_path):
    """Whatever is wrong in memory: an answer or an error, soon."""
    target = start_locals(start, "1.26.8")
    core, bad = tmp_path / "core", tmp_path / "bad"
    assert run("snapshot", "-o", core, target.pid).returncode == 0
    for damaged in damage(core.read_bytes(), 6, 12):
        bad.write_bytes(damaged)
        done = run("go", "goroutines", "--locals", "--all", bad)
        assert done.returncode in (0, 1), done.stderr


def test_one_goroutine(start):
    target = start_locals(start, "1.26.8")
    everyone = read_locals(target.pid)
    wanted = next(r for r in everyone["rows"]
                  if r["function"].startswith("main.main.gowrap")
                  or r["function"] == "main.scopes")["id"]
    one = read_locals(target.pid, f"--id={wanted}")
    assert [r["id"] for r in one["rows"]] == [wanted]
    assert one["locals"]["rows"] == [r for r in everyone["locals"]["rows"]
                                     if r["id"] == wanted]
    for row in one["locals"]["rows"]:
        lines = one["rows"][0]["backtrace"].split("\n")
        assert lines[row["line"]] == f"{row['function']} {row['place']}"
    done = run("go", "goroutines", "--id=99999999", target.pid)
    assert done.returncode == 1 and "99999999" in done.stderr


@pytest.mark.parametrize("version", ["1.16.15", "1.20.14", "1.26.8"])
def test_registers(start, version):
    """A loop has its variables in registers, known while it is stopped."""
    target = start_locals(start, version, "spin")

    def stopped_in_loop():
        answer = read_locals(target.pid, "--stop")
        values = {r["name"]: r["value"] for r in answer["locals"]["rows"]
                  if r["function"] == "main.spin" and r["line"] == 0}
        # The runtime may just have it in a function of its own.
        return values.get("i", "(").isdigit() and values

    values = wait_for(stopped_in_loop, "it to be stopped in its loop")
    assert values["step"] == "3"
    assert values["limit"] in ("1000", UNKNOWN[0])
    assert (int(values["i"]) - 1000) % 3 == 0 and int(values["i"]) >= 1000
    # Not stopped, nobody knows.
    rows = read_locals(target.pid)["locals"]["rows"]
    assert not [r for r in rows if r["function"] == "main.spin" and
                r["line"] == 0]


@plain_only
@pytest.mark.parametrize("version", ["1.20.14", "1.26.8"])
def test_interrupted(start, tmp_path, version):
    """In a core that was written while its thread handled a signal, a loop's
    registers are where the kernel saved them."""
    need("gdb")
    target = start_locals(start, version, "spin")
    core = tmp_path / "core"

    def thread():
        rows = read_locals(target.pid, "--stop")["rows"]
        return next((r["thread"] for r in rows
                     if r["function"] == "main.spin"
                     and r["state"] == "running"), None)

    thread = wait_for(thread, "the loop to run")
    interrupt = "import ctypes; ctypes.CDLL(None).syscall(" \
        f"{TGKILL}, {target.pid}, {thread}, {int(signal.SIGURG)})"
    subprocess.run(
        ["gdb", "-nx", "-batch", "-p", str(target.pid),
         "-ex", "handle SIGURG nostop noprint pass",
         "-ex", "break runtime.sighandler",
         "-ex", f"shell {sys.executable} -c '{interrupt}'",
         "-ex", "continue", "-ex", f"gcore {core}", "-ex", "kill"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=100)
    values = {r["name"]: r["value"]
              for r in read_locals(core)["locals"]["rows"]
              if r["function"] == "main.spin"}
    assert values["step"] == "3"
    assert (int(values["i"]) - 1000) % 3 == 0 and int(values["i"]) >= 1000


def test_without_debug_information(start):
    target = start(go_program("locals", "1.26.8", "symtab"))
    done = run("go", "goroutines", "--locals", target.pid)
    assert done.returncode == 1
    assert "debug information" in done.stderr
    done = run("go", "goroutines", "--locals", "--by=state", target.pid)
    assert done.returncode == 2


# Delve

SCALARS = {"int", "uint8", "int8", "int16", "int32", "int64", "uint64",
           "uintptr", "uint32", "float64", "bool", "string"}


def ask_delve(target, tmp_path, questions):
    script = tmp_path / "script"
    script.write_text("config max-string-len 4096\n" +
                      "".join(f"{q}\n" for q in questions) + "exit -c\n")
    done = subprocess.run(
        [delve(), "attach", str(target.pid), "--check-go-version=false",
         "--allow-non-terminal-interactive", "--init", str(script)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=100)
    return done.stdout


def delve_frames(target, tmp_path, ids):
    """{id: [function, innermost first]}"""
    result = {}
    text = ask_delve(target, tmp_path,
                     [f"goroutine {i} bt 50" for i in ids])
    for line in text.splitlines():
        head = re.match(r" *(\d+) +0x[0-9a-f]+ in (\S+)",
                        re.sub(r"\x1b\[\d*m", "", line))
        if head:
            if head[1] == "0":
                result[ids[len(result)]] = []
            result[ids[len(result) - 1]].append(head[2])
    return result


@plain_only
@pytest.mark.parametrize("version", ["1.13.15", "1.16.15", "1.17.13",
                                     "1.22.12", "1.25.8", "1.26.8"])
def test_delve(start, tmp_path, version):
    """Numbers and strings of the program's own frames, as Delve has them."""
    target = start_locals(start, version)
    ours = read_locals(target.pid)
    rows = [r for r in ours["locals"]["rows"]
            if r["function"].startswith("main.") and r["type"] in SCALARS]
    ids = sorted({r["id"] for r in rows})
    frames = delve_frames(target, tmp_path, ids)
    places = sorted({(r["id"], r["line"]) for r in rows})
    # Delve's frames are ours, which leave out wrappers further out.
    for number, line in places:
        at = next(r for r in rows
                  if (r["id"], r["line"]) == (number, line))
        assert frames[number][line] == at["function"]
    text = ask_delve(target, tmp_path, [
        question for number, line in places for question in (
            f"print {10000 * number + line}",
            f"goroutine {number} frame {line} args",
            f"goroutine {number} frame {line} locals")])
    theirs, place = {}, None
    for line in text.splitlines():
        if re.fullmatch(r"\d+", line):
            place = divmod(int(line), 10000)
        found = re.fullmatch(r"\(?([\w~]+)\)? = (.*)", line)
        if found and place and "unreadable" not in found[2]:
            theirs.setdefault((*place, found[1]), []).append(found[2])
    compared = 0
    for row in rows:
        values = theirs.get((row["id"], row["line"], row["name"]))
        value = re.sub(r" '.'$", "", row["value"])
        if values and value not in UNKNOWN:
            assert value in values, row
            compared += 1
        elif value in UNKNOWN:
            assert not values, (row, values)
    assert compared >= 15

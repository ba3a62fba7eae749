# SPDX-License-Identifier: Apache-2.0
"""`memwhy allocs` finds the calls that Go's disassembler shows, and what the
compiler says of escapes."""

import csv
import io
import json
import os
import re
import subprocess

import pytest

from conftest import (PROGRAMS, c_program, debian_file, go_program, npm_file,
                      run, toolchain)
from test_disas import VERSIONS, go_objdump

PROGRAM = "escapes"


def allocs(path, *arguments):
    done = run("allocs", "--format=csv", *arguments, path)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def main_rows(version, variant="symtab"):
    """{function: [row]} of main's functions, but main itself."""
    functions = {}
    for row in allocs(go_program(PROGRAM, version, variant), "--package",
                      "main"):
        functions.setdefault(row["function"].removeprefix("main."),
                             []).append(row)
    return functions


CALLS = re.compile(
    r"(CALL|JMP) (runtime\.(newobject|makeslice(64|copy)?|growslice\w*|"
    r"makemap(_small|64)?|mapassign\w*|makechan(64)?|concat\w+|"
    r"slicebytetostring|stringtoslicebyte|stringtoslicerune|"
    r"slicerunetostring|intstring|convT\w*|mallocgc\w*|newarray|"
    r"raw(string|stringtmp|byteslice|runeslice)))\(SB\)")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_call_of_the_disassembly(version):
    path = go_program(PROGRAM, version, "symtab")
    expected = set()
    for name, instructions in go_objdump(path, version, ".").items():
        for _, address, _, text in instructions:
            match = CALLS.match(text)
            # A function that begins anew, with more stack, jumps to itself.
            # And what mallocgc itself consists of is not listed.
            if match and match[2] not in (name, name + ".abi0") and \
                    match[2] != "runtime.slicebytetostringtmp" and \
                    not name.startswith("runtime.mallocgc"):
                expected.add((address, match[2]))
    told = {(int(r["address"], 16), r["call"]) for r in allocs(path)}
    assert len(expected) > 400
    assert expected - told == set()
    # What is more are functions that the expression above leaves out.
    assert {call for _, call in told - expected} <= {
        "runtime.gostring", "runtime.gostringn", "runtime.gobytes",
        "reflect.unsafe_New", "reflect.unsafe_NewArray",
        "internal/reflectlite.unsafe_New", "internal/bytealg.MakeNoZero",
        "internal/runtime/maps.newobject", "internal/runtime/maps.newarray",
        "runtime.gostringw"}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stripped_program_has_the_same(version):
    def told(variant):
        return [(r["address"], r["call"], r["type"], r["size_bytes"],
                 r["place"], r["package"])
                for r in allocs(go_program(PROGRAM, version, variant))]
    assert told("stripped") == told("symtab")


# What main's functions make: (type, size, class), by any of these calls.
EXPECTED = {
    "newPoint": ("newobject", "main.point", 16, 16),
    "literalPoint": ("newobject", "main.point", 16, 16),
    "newNode": ("newobject", "main.node", 808, 896),
    "movedNumber": ("newobject", "int", 8, 8),
    "makeInts": ("makeslice|newobject", r"\[\]int|\[10\]int", 80, 80),
    "makeSomeInts": ("makeslice", r"\[\]int", None, None),
    "makeNodes": ("makeslice", r"\[\]\*main\.node", None, None),
    "appendInt": ("growslice", r"\[\]int", None, None),
    "makeTable": ("makemap", r"map\[string\]int", None, None),
    "setTable": ("mapassign_faststr", r"map\[string\]int", None, None),
    "setLarge": ("mapassign_fast64", r"map\[int\]main\.point", None, None),
    "makeChannel": ("makechan", "chan main.point", None, None),
    "concatenate": ("concatstring2", "string", None, None),
    "toBytes": ("stringtoslicebyte", r"\[\]uint8", None, None),
    "toText": ("slicebytetostring", "string", None, None),
    "toRunes": ("stringtoslicerune", r"\[\]int32", None, None),
    "fromRunes": ("slicerunetostring", "string", None, None),
    "pointToAny": ("newobject|convT(2E)?(noptr)?", "main.point", 16, 16),
    "pointToShape": ("newobject|convT(2I)?(noptr)?", "main.point", 16, 16),
    "numberToAny": ("convT(2E)?64", "u?int(64)?", 8, 8),
    "textToAny": ("convT(2E)?string", "string", 16, 16),
    "bytesToAny": ("convT(2E)?slice", r"\[\]uint8", 24, (24, 32)),
    "closure": ("newobject", "struct {.* F uintptr; .*}|noalg.*", 16, 16),
    "largeArray": ("newobject", r"\[2000\]int", 16000, 16384),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_types_and_sizes(version):
    told = main_rows(version)
    assert "staysHere" not in told
    for name, (call, kind, size, slot) in EXPECTED.items():
        assert len(told[name]) == 1, (name, told[name])
        row = told[name][0]
        if row["call"].startswith("runtime.mallocgc"):
            # One for its size class, since Go 1.26.
            assert "newobject" in call
        else:
            assert re.fullmatch(rf"runtime\.({call})", row["call"]), row
        assert re.fullmatch(kind, row["type"]), row
        assert row["size_bytes"] == ("" if size is None else str(size)), row
        slots = slot if isinstance(slot, tuple) else (slot,)
        assert row["size_class"] in {"" if s is None else str(s)
                                     for s in slots}, row


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_compiler_says(version, tmp_path):
    """The lines of -m that allocate are the lines of our rows."""
    root = toolchain(version)
    source = PROGRAMS / f"{PROGRAM}.go"
    done = subprocess.run(
        [root / "bin" / "go", "build", "-gcflags=-m", "-o", tmp_path / "out",
         source], capture_output=True, text=True, check=True,
        env=dict(os.environ, GOROOT=str(root), GOTOOLCHAIN="local",
                 GOENV="off", GOFLAGS="", GO111MODULE="off"))
    escapes = {int(m[1]): m[2] for m in re.finditer(
        r"escapes\.go:(\d+):\d+: (.*(?:escapes to heap|moved to heap).*)",
        done.stderr)}
    assert len(escapes) > 15
    code = source.read_text().splitlines()
    begin = code.index("func main() {")
    rows = [r for function, rows in main_rows(version).items()
            if function != "main" for r in rows]
    told = {int(r["line"]) for r in rows}
    for line, text in escapes.items():
        # Up to 1.12 it also tells of the address of what was moved.
        if line < begin and not re.match(r"&\w+ escapes", text):
            assert line in told, (line, text)
    # These are no matter of escaping: they grow something, or make it anew.
    grows = re.compile(r"runtime\.(growslice|mapassign|concat|\w+to\w+|"
                       r"makechan|makemap)")
    for row in rows:
        if not grows.match(row["call"]):
            assert int(row["line"]) in escapes, row


def test_sums_and_forms():
    path = go_program(PROGRAM, "1.26.8", "stripped")
    rows = allocs(path)
    for way in ("call", "type", "package", "function"):
        groups = allocs(path, "--by", way)
        assert sum(int(g["calls"]) for g in groups) == len(rows)
        names = {r[way] or {"type": "(not known)",
                            "package": "(compiler)"}[way] for r in rows}
        assert {g["name"] for g in groups} == names
        for group in groups:
            own = [r for r in rows if r[way] == group["name"]]
            if own:
                assert int(group["calls"]) == len(own)
                assert int(group["size_bytes"]) == sum(
                    int(r["size_bytes"] or 0) for r in own)
    text = run("allocs", path).stdout
    assert text.startswith(f"{len(rows)} calls that allocate")
    answer = json.loads(run("allocs", "--format=json", path).stdout)
    assert answer["schema"] == "memwhy.allocs/1"
    assert {"function", "file", "line", "call", "type", "size_bytes"} <= \
        set(answer["rows"][0])
    assert len(answer["rows"]) == len(rows)


def test_a_process_has_the_same(start):
    """Position-independent, and so where it was loaded."""
    path = go_program("variables", "1.26.8", "pie")
    target = start(path)

    def told(where):
        return [(r["function"], r["place"], r["call"], r["type"],
                 r["size_bytes"]) for r in allocs(where)]
    assert told(target.pid) == told(path)


CALL_BYTES = 5


def newobject_calls(path, in_register, script):
    """(address of the call, bytes of the type handed over) by gdb."""
    type_word = "$rax" if in_register else "*(long*)($rsp + 8)"
    script.write_text(f"""
set pagination off
set language c
handle SIGURG nostop noprint pass
break *'runtime.newobject'
commands
silent
printf "hit %lx %ld\\n", *(long*)$rsp, *(long*){type_word}
continue
end
run
""")
    done = subprocess.run(["gdb", "-batch", "-nx", "-x", script, path],
                          capture_output=True, text=True, check=False)
    return {(int(m[1], 16) - CALL_BYTES, int(m[2]))
            for m in re.finditer(r"^hit ([0-9a-f]+) (\d+)$", done.stdout,
                                 re.MULTILINE)}


@pytest.mark.parametrize("version", ["1.13.15", "1.18.10", "1.20.14",
                                     "1.22.12", "1.24.13"])
def test_types_on_all_ways(version, tmp_path):
    """Where ways meet, what all agree in is known: what gdb sees when it
    runs."""
    path = go_program("joins", version, "symtab")
    rows = {int(r["address"], 16): r for r in allocs(path, "--package=main")
            if r["call"] == "runtime.newobject"}
    assert len(rows) >= 12
    assert all(r["type"] for r in rows.values())
    seen = {(at, size) for at, size in
            newobject_calls(path, version >= "1.17", tmp_path / "script")
            if at in rows}
    assert len(seen) >= 10
    assert {(at, int(rows[at]["size_bytes"])) for at, _ in seen} == seen


def test_other_programs():
    done = run("allocs", c_program("churn", flags=["-pthread"]))
    assert done.returncode == 1
    assert "not a Go program" in done.stderr


REAL = {
    "prometheus": lambda: debian_file("prometheus", "usr/bin/prometheus"),
    "etcd": lambda: debian_file("etcd-server", "usr/bin/etcd"),
    "esbuild-0.8": lambda: npm_file("esbuild-linux-64", "0.8.57",
                                    "bin/esbuild"),
    "esbuild-0.25": lambda: npm_file("@esbuild/linux-x64", "0.25.0",
                                     "bin/esbuild"),
}


def calls_by_objdump(path, entry):
    """Addresses of all calls and jumps to @entry, by binutils."""
    done = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path],
                          capture_output=True, text=True, check=True)
    return {int(m[1], 16) for m in re.finditer(
        rf"^ +([0-9a-f]+):\s+(?:call|jmp) +0?x?{entry:x}\b", done.stdout,
        re.MULTILINE)}


@pytest.mark.parametrize("name", REAL)
def test_programs_that_nobody_here_wrote(name):
    """All of them stripped. Nearly all calls have a type, and binutils'
    disassembler finds the same ones."""
    path = REAL[name]()
    rows = allocs(path)
    assert len(rows) > 5000
    assert sum(not r["type"] for r in rows) < len(rows) * 0.03
    entries = {r["name"]: int(r["address"], 16) for r in csv.DictReader(
        io.StringIO(run("syms", "--format=csv", "--match", "runtime.newobject",
                        path).stdout))}
    told = {int(r["address"], 16) for r in rows
            if r["call"] == "runtime.newobject"}
    expected = calls_by_objdump(path, entries["runtime.newobject"])
    # But for the function's own beginning anew, with more stack.
    assert len(expected - told) <= 1
    assert told <= expected

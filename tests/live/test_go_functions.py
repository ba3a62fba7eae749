# SPDX-License-Identifier: Apache-2.0
"""Functions, lines and inlined calls of Go programs, from their function
table, against what Go's own tools, its debug/gosym package and LLVM read from
the files."""

import functools
import os
import random
import re
import subprocess

import pytest

from conftest import ROOT, go_program, need, toolchain
from test_go_versions import RELEASES, CGO_RELEASES
from test_real_programs import PROGRAMS

FUNCS = os.environ.get("MEMWHY_TESTS", str(ROOT / "build" / "tests")) + \
    "/tools/go-funcs"
OLD_RELEASES = [r for r in RELEASES if int(r.split(".")[1]) < 15]
NEW_RELEASES = [r for r in RELEASES if r not in OLD_RELEASES]
# Their tools read the binaries of all.
TOOLS = "1.22.12"


def tool(name):
    path = toolchain(TOOLS) / "pkg" / "tool" / "linux_amd64" / name
    assert path.exists()
    return str(path)


def ask(target, *arguments, text=None):
    """Of a running target, or of a file."""
    done = subprocess.run([FUNCS, str(getattr(target, "pid", target)),
                           *arguments], input=text,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def functions(target):
    """[(entry, end, start line, name)]"""
    result = []
    for line in ask(target):
        entry, end, start_line, name = line.split(" ", 3)
        assert entry not in ("bad", "lost"), line
        result.append((int(entry, 16), int(end, 16), int(start_line), name))
    assert len(result) > 100
    assert all(a[1] == b[0] for a, b in zip(result, result[1:]))
    return result


def lines(target, pcs):
    """{pc: ([(function, file:line)], frame bytes or -1)}"""
    result = {}
    for line in ask(target, "lines", text="".join(f"{p:x}\n" for p in pcs)):
        if line.startswith("\t"):
            result[at][0].append(tuple(line[1:].split("\t")))
        else:
            at, _, size = line.split()
            at = int(at, 16)
            result[at] = ([], int(size))
    return result


def some_pcs(listed, count=3000):
    chosen = random.Random(7)
    return sorted(chosen.randrange(f[0], f[1])
                  for f in chosen.choices(listed, k=count))


def bias(target, exe):
    """What is added to the addresses in the file."""
    head = subprocess.run(["readelf", "-hlW", exe], capture_output=True,
                          text=True, check=True).stdout
    if "DYN" not in head:
        return 0
    first = re.search(r"LOAD +0x0+ 0x([0-9a-f]+)", head)
    with open(f"/proc/{target.pid}/maps") as maps:
        for line in maps:
            if line.endswith(f"{os.path.realpath(exe)}\n"):
                return int(line.split("-")[0], 16) - int(first[1], 16)
    raise AssertionError("not mapped")


def nm(exe):
    """{address: {names}} of text symbols that have a size."""
    done = subprocess.run([tool("nm"), "-size", "-type", exe],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = {}
    for line in done.stdout.splitlines():
        match = re.match(r" *([0-9a-f]+) +(\d+) ([tT]) (.*)", line)
        if match and int(match[2]) > 0:
            result.setdefault(int(match[1], 16), set()).add(
                (match[4], int(match[2])))
    return result


def plain(name):
    """The linker tells apart functions of two ABIs in its symbol table."""
    return re.sub(r"\.abi(0|internal)$", "", name)


def without_arguments(name):
    """The table has "[...]" for them, since 1.18."""
    return re.sub(r"\[.*\]", "[...]", name)


def check_against_nm(target, exe):
    listed = functions(target)
    at = {f[0] - bias(target, exe): f for f in listed}
    symbols = nm(exe)
    compared = 0
    for address, names in symbols.items():
        # A marker of the linker's, not code; C functions.
        if address in at and "go.buildid" not in str(names) and \
                "go:buildid" not in str(names):
            entry, end, _, name = at[address]
            name = without_arguments(name.replace("·", "."))
            assert any(without_arguments(plain(n)) == name and size <= end - entry
                       for n, size in names), (names, at[address])
            compared += 1
        elif min(at) <= address < max(at):
            names = {n for n, _ in names}
            assert names & {"go.buildid", "go:buildid", "runtime.text"} or \
                "." not in min(names), names
    assert compared > 0.95 * len(at)


@pytest.mark.parametrize("version", RELEASES)
def test_names_as_nm_has_them(start, version):
    exe = go_program("objects", version, "dwarf")
    check_against_nm(start(exe), exe)


@pytest.mark.parametrize("version", CGO_RELEASES)
def test_names_of_cgo_programs(start, version):
    exe = go_program("cgo", version, "dwarf", cgo=True)
    check_against_nm(start(exe), exe)


@functools.lru_cache(maxsize=None)
def gosym():
    """A program that prints what debug/gosym says of a file."""
    return go_program("gosym", TOOLS, "stripped")


def run_gosym(exe, pcs):
    done = subprocess.run([gosym(), exe], capture_output=True, text=True,
                          input="".join(f"{pc:x}\n" for pc in pcs))
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    at = told.index("lines")
    return [tuple(line.split(" ", 2)) for line in told[:at]], told[at + 1:]


def check_against_gosym(target, exe):
    listed = functions(target)
    base = bias(target, exe)
    pcs = some_pcs(listed)
    theirs, _ = run_gosym(exe, [])
    # It takes the section .text for the beginning, which holds C's start-up
    # code when an external linker made it.
    base += listed[0][0] - base - int(theirs[0][0], 16)
    _, places = run_gosym(exe, [pc - base for pc in pcs])
    assert [(f"{f[0] - base:x}", f"{f[1] - base:x}", f[3]) for f in listed] \
        == theirs
    ours = lines(target, pcs)
    for pc, line in zip(pcs, places, strict=True):
        place = ours[pc][0][0][1]
        # Padding behind a function has no place.
        assert place == line or (place == "?:0" and
                                 int(line.split(":")[-1]) <= 0)


@pytest.mark.parametrize("version", RELEASES)
def test_stripped_as_gosym_has_it(start, version):
    exe = go_program("objects", version, "stripped")
    check_against_gosym(start(exe), exe)


@pytest.mark.parametrize("version", NEW_RELEASES)
def test_pie_as_gosym_has_it(start, version):
    exe = go_program("objects", version, "pie")
    check_against_gosym(start(exe), exe)


@pytest.mark.parametrize("version", OLD_RELEASES)
def test_old_pie_as_nm_has_it(start, version):
    """They are made by an external linker, and have no section for it."""
    exe = go_program("objects", version, "dwarf", flags=["-buildmode=pie"])
    check_against_nm(start(exe), exe)


def symbolize(exe, pcs):
    """{pc: [(function, file:line)]} as LLVM reads it from DWARF."""
    done = subprocess.run(
        ["llvm-symbolizer", "--output-style=GNU", "-a", "-i", "-f", "-e", exe],
        input="".join(f"0x{p:x}\n" for p in pcs), capture_output=True,
        text=True, check=True)
    result, name = {}, None
    for line in filter(None, done.stdout.splitlines()):
        if re.fullmatch("0x[0-9a-f]+", line):
            frames = result[int(line, 16)] = []
        elif name is None:
            name = line
        else:
            place = re.sub(r" \(discriminator.*", "", line)
            frames.append((plain(name), re.sub(r"^(\./)*", "", place)))
            name = None
    return result


# Before them Go's DWARF does not tell of inlined calls, or LLVM does not
# understand it.
@pytest.mark.parametrize("version", ["1.11.13", "1.13.15"] + NEW_RELEASES)
def test_inlined_calls_as_dwarf_has_them(start, version):
    need("llvm-symbolizer")
    exe = go_program("objects", version, "dwarf")
    target = start(exe)
    pcs = some_pcs(functions(target))
    theirs = symbolize(exe, pcs)
    inlined = same = other = 0
    for pc, (ours, _) in lines(target, pcs).items():
        if ours[-1][1] == "?:0" or theirs[pc][0][1].startswith("?"):
            continue
        if [f for f, _ in ours] != [f for f, _ in theirs[pc]] or \
                [p for _, p in ours[1:]] != [p for _, p in theirs[pc][1:]]:
            other += 1
            continue
        inlined += len(ours) > 1
        same += 1
    # The two disagree on some instructions at the edge of an inlined call.
    assert inlined > 100
    assert other <= 0.03 * same


@pytest.mark.parametrize("version", ["1.9.7", "1.16.15", "1.20.14", "1.26.8"])
def test_packages_and_names(start, version):
    target = start(go_program("objects", version))
    packages = dict(line.split("\t") for line in ask(target, "packages"))
    for name, package in {
            "main.main": "main", "main.deep": "main",
            "runtime.mallocgc": "runtime",
            "os.(*File).Write": "os",
            "internal/poll.(*FD).Write": "internal/poll",
            "runtime/debug.SetGCPercent": None}.items():
        if package and name in packages:
            assert packages[name] == package
    assert sum(p == "" for p in packages.values()) < 0.15 * len(packages)
    entry = next(f[0] for f in functions(target) if f[3] == "main.deep")
    assert ask(target, "named", "main.deep") == [f"{entry:x}"]
    assert ask(target, "named", "main.nosuchthing") == ["0"]


def check_file(target, exe):
    """The same as when it runs."""
    base = bias(target, exe)
    running = functions(target)
    there = functions(exe)
    assert [(f[0] + base, f[1] + base, *f[2:]) for f in there] == running
    pcs = some_pcs(there, 500)
    assert list(lines(exe, pcs).values()) == \
        list(lines(target, [pc + base for pc in pcs]).values())


@pytest.mark.parametrize("variant", ["stripped", "pie"])
@pytest.mark.parametrize("version", RELEASES)
def test_file(start, version, variant):
    exe = go_program("objects", version, variant)
    check_file(start(exe), exe)


@pytest.mark.parametrize("variant", ["stripped", "pie"])
@pytest.mark.parametrize("version", CGO_RELEASES)
def test_file_with_cgo(start, version, variant):
    """An external linker leaves all addresses to relocations."""
    exe = go_program("cgo", version, variant, cgo=True)
    check_file(start(exe), exe)


@pytest.mark.parametrize("name", ["prometheus", "caddy", "esbuild-0.15",
                                  "esbuild-0.18", "esbuild-0.25",
                                  "esbuild-0.27"])
def test_real_programs(start, tmp_path, name):
    """From Debian and npm; they need not have started up for this."""
    command, _ = PROGRAMS[name]
    command = command(tmp_path)
    target = start(*command, reports=False, cwd=tmp_path)
    check_against_gosym(target, command[0])

# SPDX-License-Identifier: Apache-2.0
"""Types in files of their own: .dwo files, or a .dwp with all of them."""

import json
import os
import random
import re
import shutil
import subprocess

import pytest

from conftest import ROOT, need, run

OTHER = """
struct point { short x, y; const char *name; struct point *next; };
enum color { RED, GREEN = 5 };
struct point first = { 1, -2, "first", 0 };
static struct point second = { 3, 4, "second", &first };
enum color paint = GREEN;
_Thread_local int own = 77;
struct point *end_of_all(void) { static long calls = 9; calls++; return &second; }
"""
FORMS = [("gcc", 4), ("gcc", 5), ("clang", 4), ("clang", 5)]


def build(folder, compiler, dwarf, *flags):
    """Two units, so that a package has two."""
    folder.mkdir(exist_ok=True)
    (folder / "other.c").write_text(OTHER)
    shutil.copy(ROOT / "tests" / "programs" / "variables.c", folder)
    for unit in ("variables", "other"):
        subprocess.run([compiler, "-g", f"-gdwarf-{dwarf}", "-O0", "-pthread",
                        *flags, "-c", f"{unit}.c"], cwd=folder, check=True)
    subprocess.run([compiler, "-pthread", "-o", "program", "variables.o",
                    "other.o"], cwd=folder, check=True)
    return folder / "program"


def values(path, problems=False):
    """{name: (type, value)} of all variables with a type."""
    done = run("syms", "--values=yes", "--format=json", path)
    assert done.returncode == 0, done.stderr
    assert (".dwo" in done.stderr) == problems
    assert "Sanitizer" not in done.stderr
    return {r["name"]: (r["value_type"], r["value"])
            for r in json.loads(done.stdout)["rows"]
            if r["value_type"] and not r["value_type"].endswith("?")}


def gdb(path, *expressions):
    command = ["gdb", "-q", "-nx", "-batch"]
    for expression in expressions:
        command += ["-ex", expression]
    return subprocess.run([*command, path], text=True, check=True,
                          capture_output=True).stdout


def form_name(form):
    return f"{form[0]}-{form[1]}"


@pytest.fixture(params=FORMS, ids=form_name)
def programs(request, tmp_path):
    """The program with its types, and the same with .dwo files."""
    whole = build(tmp_path / "whole", *request.param)
    split = build(tmp_path / "split", *request.param, "-gsplit-dwarf")
    assert {p.name for p in split.parent.glob("*.dwo")} == \
        {"variables.dwo", "other.dwo"}
    return whole, split


def test_files_beside(programs):
    whole, split = programs
    want = values(whole)
    assert len(want) > 20
    assert values(split) == want
    told = gdb(split, "print/d first.y", "whatis second", "print paint",
               "ptype struct point")
    assert re.findall(r"= (.*)", told)[:3] == ["-2", "struct point", "GREEN"]
    assert want["first"][1].startswith("{x: 1, y: -2,")
    assert want["second"][0] == "point" and want["paint"][1] == "GREEN"


def test_files_where_it_was_compiled(programs, tmp_path):
    whole, split = programs
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.copy(split, moved)
    assert values(moved / "program") == values(whole)
    # And beside a program that was compiled elsewhere.
    for file in split.parent.glob("*.dwo"):
        shutil.move(file, moved)
    assert values(moved / "program") == values(whole)
    assert values(split, problems=True) == {}


def packages(split, dwarf):
    """Those that the packagers make; binutils' knows DWARF 4 only."""
    for tool in ("dwp", "llvm-dwp"):
        if not shutil.which(tool) or (tool == "dwp" and dwarf != 4):
            continue
        package = split.with_name("program.dwp")
        try:
            done = subprocess.run(
                [tool, "-o", package, *sorted(split.parent.glob("*.dwo"))],
                capture_output=True, timeout=10)
        except subprocess.TimeoutExpired:
            continue
        if done.returncode == 0 and package.exists():
            yield package


# Of gcc with DWARF 5, binutils 2.40 and LLVM 14 make none.
@pytest.mark.parametrize("programs", [f for f in FORMS if f != ("gcc", 5)],
                         ids=form_name, indirect=True)
def test_a_package(programs, tmp_path, request):
    whole, split = programs
    dwarf = request.node.callspec.params["programs"][1]
    count = 0
    kept = tmp_path / "kept"
    kept.mkdir()
    for package in packages(split, dwarf):
        count += 1
        for file in split.parent.glob("*.dwo"):
            shutil.move(file, kept / file.name)
        assert values(split) == values(whole), package
        for file in kept.glob("*.dwo"):
            shutil.move(file, split.parent / file.name)
        package.unlink()
    assert count > 0


def test_lines(programs):
    whole, split = programs
    assert [line for line in run("disas", split, "main").stdout.split("\n")] \
        == run("disas", whole, "main").stdout.split("\n")
    for file in split.parent.glob("*.dwo"):
        file.unlink()
    assert "variables.c:" in run("disas", split, "main").stdout


def test_what_is_not_theirs(programs, tmp_path):
    """Another program's file, a FIFO, a folder, a device: none is read."""
    split = programs[1]
    other = split.parent / "other.dwo"
    shutil.copy(split.parent / "variables.dwo", other)
    told = values(split, problems=True)
    assert told and "first" not in told
    other.unlink()
    for make in (os.mkfifo, os.mkdir, lambda p: os.symlink("/dev/zero", p),
                 lambda p: os.symlink(p, p), lambda p: p.write_text("text")):
        make(other)
        assert values(split, problems=True) == told
        if other.is_dir():
            other.rmdir()
        else:
            other.unlink()


def test_a_process(programs, start):
    split = programs[1]
    told = values(start(split).pid)
    assert told["int_var"] == ("int", "-123456")
    assert told["colour_var"] == ("colour", "GREEN")
    # (gcc writes an address where the place in the thread's block belongs.)
    assert told["thread_var"][1] == "17"
    assert told["own"] == ("int", "77")
    assert re.fullmatch(r'\{x: 3, y: -4, label: 0x\w+ "text as it is now"\}',
                        told["point_var"][1])


def test_rust(tmp_path):
    """Another compiler's, with .dwo files that it names by hashes."""
    need("rustc")
    (tmp_path / "a.rs").write_text(
        "pub struct Pair { a: u32, b: i64 }\n"
        "#[no_mangle] pub static mut PAIR: Pair = Pair { a: 7, b: -8 };\n"
        "#[no_mangle] pub static mut NUMBER: u16 = 513;\n"
        "fn main() { unsafe { PAIR.a += 1; NUMBER += 1; } }\n")
    for form in ("unpacked", "packed"):
        folder = tmp_path / form
        folder.mkdir()
        subprocess.run(["rustc", "-g", "-C", f"split-debuginfo={form}",
                        "--out-dir", folder, tmp_path / "a.rs"], check=True)
        done = run("syms", "--match=PAIR|NUMBER", "--format=json",
                   folder / "a")
        rows = {r["name"]: r for r in json.loads(done.stdout)["rows"]}
        assert rows["PAIR"]["value"] == "{b: -8, a: 7}" or \
            rows["PAIR"]["value"] == "{a: 7, b: -8}"
        assert rows["NUMBER"]["value_type"] == "u16"
        assert rows["NUMBER"]["value"] == "513"


def test_damaged_files(programs):
    chosen = random.Random(5)
    split = programs[1]
    next(packages(split, 4), None)
    files = [split, *split.parent.glob("*.dwo"), split.with_name("program.dwp")]
    for _ in range(12):
        file = chosen.choice(files)
        if not file.exists():
            continue
        data = file.read_bytes()
        damaged = bytearray(data)
        for _ in range(chosen.choice([1, 5, 100])):
            damaged[chosen.randrange(len(data))] = chosen.choice([0, 255, 1])
        file.write_bytes(damaged[:chosen.choice(
            [len(data), chosen.randrange(len(data))])])
        done = run("syms", "--values=yes", split, errors="replace")
        assert done.returncode in (0, 1), done.stderr
        assert "Sanitizer" not in done.stderr
        assert "runtime error" not in done.stderr
        file.write_bytes(data)

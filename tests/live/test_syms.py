# SPDX-License-Identifier: Apache-2.0
"""`memwhy syms` says what nm says, and what variables hold."""

import csv
import io
import os
import re
import subprocess

import pytest

from conftest import asm_program, c_program, go_program, run


def syms(path, *arguments):
    """Rows of `memwhy syms --format=csv`."""
    done = run("syms", "--format=csv", *arguments, path)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


NM_LINE = re.compile(r"(.*?) ([A-Za-z?-]) (?:([0-9a-f]+) ?([0-9a-f]*))?\s*")


def nm(path, *arguments):
    """(name, letter, address, size) of each symbol, sorted."""
    done = subprocess.run(["nm", "--format=posix", *arguments, path],
                          capture_output=True, text=True, check=True)
    rows = []
    for line in done.stdout.splitlines():
        name, letter, address, size = NM_LINE.fullmatch(line).groups()
        if "-D" in arguments:
            name = name.split("@")[0]
        rows.append((name, letter, int(address or "0", 16),
                     int(size or "0", 16)))
    return sorted(rows)


def compare_with_nm(path, *arguments):
    ours = sorted((r["name"].split("@")[0] if "-D" in arguments else r["name"],
                   r["type"], int(r["address"] or "0", 16),
                   int(r["size_bytes"])) for r in syms(path))
    assert ours == nm(path, *arguments)
    return ours


VERSIONS = ["1.9.7", "1.10.8", "1.13.15", "1.16.15", "1.18.10", "1.20.14",
            "1.22.12", "1.24.13", "1.25.8", "1.26.8"]


@pytest.mark.parametrize("variant", ["dwarf", "symtab"])
@pytest.mark.parametrize("version", VERSIONS)
def test_go_as_nm(version, variant):
    assert compare_with_nm(go_program("objects", version, variant))


def test_cgo_as_nm():
    compare_with_nm(go_program("cgo", "1.26.8", "dwarf", cgo=True))
    compare_with_nm(go_program("cgo", "1.10.8", "dwarf", cgo=True))


def test_c_and_assembler_as_nm(tmp_path):
    compare_with_nm(c_program("churn", flags=["-pthread"]))
    compare_with_nm(asm_program("minimal"))
    source = tmp_path / "kinds.c"
    source.write_text(
        "int common; static int here = 1; extern int there;\n"
        "__attribute__((weak)) int weak_data = 3;\n"
        "__attribute__((weak)) void weak(void); __thread int tls = 4;\n"
        "int *f(void) { static int count; count++; weak();\n"
        "return here ? &there : &common + count + tls + weak_data; }\n")
    path = tmp_path / "kinds.o"
    for flag in ("-fcommon", "-fno-common"):
        subprocess.run(["gcc", "-c", flag, "-o", path, source], check=True)
        compare_with_nm(path)


def test_dynamic_symbols_of_a_stripped_file():
    compare_with_nm("/bin/ls", "-D")
    compare_with_nm("/usr/bin/gdb", "-D")


def test_all_has_what_objdump_has(tmp_path):
    """--all: files and sections, too, as in `objdump -t`."""
    path = c_program("churn", flags=["-pthread"])
    done = subprocess.run(["objdump", "-t", path], capture_output=True,
                          text=True, check=True)
    lines = [line for line in done.stdout.splitlines()
             if re.match(r"[0-9a-f]{16} ", line)]
    rows = syms(path, "--all")
    assert len(rows) == len(lines)
    places = sorted((line[:16], re.split(r"\s+", line[25:])[0])
                    for line in lines)
    names = {"UND": "*UND*", "ABS": "*ABS*", "COM": "*COM*"}
    assert sorted((f"{int(r['address'] or '0', 16):016x}",
                   names.get(r["section"], r["section"]))
                  for r in rows) == places


@pytest.mark.parametrize("version", VERSIONS)
def test_functions_of_a_stripped_program(version):
    """Its twin with symbols has the same functions, where they are."""
    stripped = syms(go_program("objects", version, "stripped"))
    twin = syms(go_program("objects", version, "symtab"))
    functions = {(r["name"].removesuffix(".abi0"), r["address"], r["package"],
                  r["section"]) for r in twin if r["type"] in "tT"}
    sizes = {r["address"]: int(r["size_bytes"]) for r in twin
             if r["type"] in "tT" and int(r["size_bytes"])}
    ours = {(r["name"], r["address"], r["package"], r["section"])
            for r in stripped}
    assert len(ours) > 1000
    # Symbols also name places; and the function table lacks some data.
    assert len(ours - functions) < len(ours) / 50
    for row in stripped:
        if row["address"] in sizes:
            assert int(row["size_bytes"]) == sizes[row["address"]], row


def test_filters_and_orders():
    path = go_program("objects", "1.26.8", "symtab")
    everything = syms(path)
    addresses = [int(r["address"], 16) for r in everything if r["address"]]
    assert addresses == sorted(addresses)
    for row in syms(path, "--section", ".data"):
        assert row["section"] == ".data"
    main = syms(path, "--package", "main")
    assert main and all(r["name"].startswith("main.") for r in main)
    assert [r for r in everything if r["package"] == "main"] == main
    by_size = [int(r["size_bytes"]) for r in syms(path, "--sort", "size")]
    assert by_size == sorted(by_size, reverse=True)
    by_name = [r["name"] for r in syms(path, "--sort", "name")]
    assert by_name == sorted(by_name)
    assert [r["name"] for r in syms(path, "--match", "main.main")] == \
        [r["name"] for r in everything if "main.main" in r["name"]]
    assert [r["name"] for r in syms(path, "--match", r"^main\.(m.in|init)$")] \
        == [r["name"] for r in everything
            if re.search(r"^main\.(m.in|init)$", r["name"])]
    assert syms(path, "--match", "(") == [
        r for r in everything if "(" in r["name"]]
    assert syms(path, "--match", "no such (name") == []


def test_a_process(start):
    """Addresses are the process's own, and pages that are there counted."""
    target = start(go_program("objects", "1.26.8", "dwarf",
                              flags=["-buildmode=pie"]))
    file = {r["name"]: int(r["address"], 16) for r in syms(
        go_program("objects", "1.26.8", "dwarf", flags=["-buildmode=pie"]),
        "--package", "main")}
    live = {r["name"]: r for r in syms(target.pid, "--package", "main")}
    with open(f"/proc/{target.pid}/maps", encoding="utf-8") as maps:
        base = min(int(line.split("-")[0], 16) for line in maps
                   if os.path.realpath(target.process.args[0]) in line)
    # Go gives even a PIE addresses that begin at 0x400000.
    first = subprocess.run(["readelf", "-lW", target.process.args[0]],
                           capture_output=True, text=True, check=True).stdout
    base -= int(re.search(r"LOAD +0x0+ (0x\S+)", first)[1], 16)
    assert set(file) == set(live)
    for name, row in live.items():
        assert int(row["address"], 16) == file[name] + base
    assert int(live["main.main"]["resident_bytes"]) == \
        int(live["main.main"]["size_bytes"])
    everything = syms(target.pid, "--image", "all")
    assert {r["image"] for r in everything} >= {live["main.main"]["image"]}
    done = run("syms", "--image", "nothing", target.pid)
    assert done.returncode == 1 and "nothing" in done.stderr

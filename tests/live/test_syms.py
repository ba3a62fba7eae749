# SPDX-License-Identifier: Apache-2.0
"""`memwhy syms` says what nm says, and who refers to a literal."""

import json
import os
import re
import subprocess

import pytest

from conftest import asm_program, c_program, go_program, run
from symbols import VERSIONS, literals, syms

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


def test_sections_that_are_not_loaded_as_nm(tmp_path):
    """nm tells debugging sections by their names: N, and others n."""
    source, path = tmp_path / "notes.s", tmp_path / "notes.o"
    names = [".note.x", ".gnu.warning.gets", ".debug_x", ".zdebug_x", ".line",
             ".gdb_index", ".gnu.linkonce.wi.x", ".gnu.debuglto_.debug_x",
             ".comment"]
    text = [f'.section {name},"",@progbits\nlocal{i}: .long 1\n'
            f".globl global{i}\nglobal{i}: .long 1\n"
            for i, name in enumerate(names)]
    source.write_text("".join(text) +
                      '.section written,"w",@progbits\nodd: .long 1\n')
    subprocess.run(["as", "-o", path, source], check=True)
    assert len(compare_with_nm(path)) == 2 * len(names) + 1


@pytest.mark.parametrize("flags", ["a", "aw", "ax", ""])
def test_sections_of_pe_files_as_nm(tmp_path, flags):
    """nm tells them by their names, in ELF files, too: i, e and p."""
    source, path = tmp_path / "pe.s", tmp_path / "pe.o"
    names = [name + tail for name in (".drectve", ".edata", ".idata", ".pdata")
             for tail in ("", "$5", ".x", "9", "0x", "x", "_")]
    source.write_text("".join(
        f'.section "{name}","{flags}",@progbits\nlocal{i}: .long 1\n'
        f".globl global{i}\nglobal{i}: .long 1\n"
        for i, name in enumerate(names)))
    subprocess.run(["as", "-o", path, source], check=True)
    letters = {row[1] for row in compare_with_nm(path)}
    assert set("iepIEP") < letters


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


def test_functions_that_a_stripped_program_exports(tmp_path):
    """Those that plugins may use have symbols for the loader: told once."""
    stripped = tmp_path / "stripped"
    subprocess.run(["strip", "-o", stripped,
                    go_program("plugged", "1.26.8", "symtab", cgo=True)],
                   check=True)
    told = [r for r in syms(stripped) if r["type"] in "tT"]
    addresses = [r["address"] for r in told]
    exported = {address for _, letter, address, _ in nm(stripped, "-D")
                if letter == "T"}
    assert len(exported) > 1000
    assert exported <= {int(a, 16) for a in addresses}
    assert len(set(addresses)) > len(addresses) - 20
    # Of those that are told twice, both names are exported.
    assert {a for a in addresses if addresses.count(a) > 1} <= \
        {f"0x{a:x}" for a in exported}
    assert any(r["type"] == "t" for r in told)


def test_filters_and_orders():
    path = go_program("objects", "1.26.8", "symtab")
    everything = syms(path, "--values=no")
    addresses = [int(r["address"], 16) for r in everything if r["address"]]
    assert addresses == sorted(addresses)
    for row in syms(path, "--values=no", "--section", ".data"):
        assert row["section"] == ".data"
    main = syms(path, "--values=no", "--package", "main")
    assert main and all(r["name"].startswith("main.") for r in main)
    assert [r for r in everything if r["package"] == "main"] == main
    by_size = [int(r["size_bytes"]) for r in syms(path, "--values=no", "--sort", "size")]
    assert by_size == sorted(by_size, reverse=True)
    by_name = [r["name"] for r in syms(path, "--values=no", "--sort", "name")]
    assert by_name == sorted(by_name)
    assert [r["name"] for r in syms(path, "--values=no", "--match", "main.main")] == \
        [r["name"] for r in everything if "main.main" in r["name"]]
    assert [r["name"] for r in syms(path, "--values=no", "--match", r"^main\.(m.in|init)$")] \
        == [r["name"] for r in everything
            if re.search(r"^main\.(m.in|init)$", r["name"])]
    assert syms(path, "--values=no", "--match", "(") == [
        r for r in everything if "(" in r["name"]]
    assert syms(path, "--values=no", "--match", "no such (name") == []
    assert syms(path, "--values=no", "--package", "no/such") == []


def test_a_section_that_is_not_there(start):
    path = c_program("churn", flags=["-pthread"])
    done = run("syms", "--section=.nothing", path)
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch(r"memwhy: .*churn.* has no section \.nothing; "
                        r"it has .*\.text, .*\.data.*\n", done.stderr)
    pid = start(path, "64").pid
    done = run("syms", "--section=.nothing", "--image=all", pid)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "memwhy: no image has a section .nothing\n"
    # One without symbols is there.
    assert syms(path, "--section", ".comment") == []
    assert {r["section"] for r in syms(path, "--section", "UND")} == {"UND"}


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


def test_json():
    path = go_program("variables", "1.26.8", "dwarf")
    done = run("syms", "--format=json", "--match", "main.fooVar", path)
    answer = json.loads(done.stdout)
    assert answer["schema"] == "memwhy.syms/1"
    assert {"name", "section", "address", "size_bytes", "package",
            "value"} <= set(answer["rows"][0])
    assert answer["rows"][0]["size_bytes"] == 16
    assert answer["target"]["kind"] == "file"


@pytest.mark.parametrize("variant", ["dwarf", "symtab", "pie"])
@pytest.mark.parametrize("version", VERSIONS)
def test_literals_of_go(version, variant):
    flags = ["-ldflags=-w"] if variant == "pie" else []
    path = go_program("variables", version, variant, flags=flags)
    # What a variable is made with, and what only code has.
    assert literals(path, "as the file has it")["main.fooVar"] == \
        '"foo, as the file has it"'
    assert literals(path, "012345678")["main.main"] == '"0123456789"'
    assert literals(path, "hello")["main.greet"] == '"hello"'
    # One that is only used by the runtime, in all releases.
    told = literals(path, "all goroutines are asleep")
    assert any("checkdead" in name for name in told), told
    for row in syms(path, "--literal", "0123456789"):
        if row["name"] == "main.main":
            assert row["section"] == ".rodata"
            assert row["place"].rsplit("/", 1)[1].startswith("variables.go:")


@pytest.mark.parametrize("version", ["1.10.8", "1.26.8"])
def test_literals_of_a_stripped_program(version):
    """The instructions are those of the twin with symbols."""
    def code(variant):
        return {(r["name"].removesuffix(".abi0"), r["reference"]) for r in
                syms(go_program("variables", version, variant), "--literal",
                     "not in ") if r["reference_kind"] == "code"}
    assert len(code("stripped")) > 3
    assert code("stripped") == code("symtab")


@pytest.mark.parametrize("flags", [["-no-pie"], ["-pie", "-fPIE"]])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_literals_of_c(compiler, flags):
    path = c_program("variables", compiler, flags)
    assert literals(path, "as the file") == {
        "text_var": '"as the file has it"'}
    assert literals(path, "as it is now") == {"main": '"text as it is now"'}
    assert literals(path, "static %d") == {"main": r'"static %d\nend 0\n"'}
    assert literals(path, "no such text") == {}


def test_a_literal_of_a_process(start):
    target = start(go_program("variables", "1.26.8", "pie"))
    assert literals(target.pid, "0123456789")["main.main"] == '"0123456789"'
    done = run("syms", "--literal", "", target.pid)
    assert done.returncode == 2

# SPDX-License-Identifier: Apache-2.0
"""`memwhy syms` says what nm says, and what variables hold."""

import csv
import io
import json
import os
import re
import subprocess

import pytest

from conftest import (MEMWHY, asm_program, c_program, cached, cc_program,
                      go_program, need, run)


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
            "1.22.12", "1.24.13", "1.25.8", "1.26.8", "1.27.4"]


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


def values(target, *arguments):
    """{name: (type, value)} of a process."""
    return {r["name"].removeprefix("main."): (r["value_type"], r["value"])
            for r in syms(target.pid, *arguments)}


LONG = "0123456789" * 100

STRUCT = (r'main\.record\({flag: true, point: {x: 3, y: -4}, '
          r'name: "rbarbarbar", next: 0x[0-9a-f]+, '
          r'list: len 2 cap 4 \[1, -2\], raw: len 3 cap [0-9]+ "raw", '
          r'any: main\.celsius\(-40\.25\), '
          r'err: \*errors\.errorString\(0x[0-9a-f]+\), big: \[1, 65535\], '
          r'ratio: \(1-2i\), table: 0x[0-9a-f]+ len 2, none: nil, '
          r'hi: {lo: 0\.5}}\)')

GO_VALUES = {
    "fooVar": ("string", '"foo-barbarbar"'),
    "barVar": ("string", '"barbarbar"'),
    "negativeVar": ("int8", "-7"),
    "unsignedVar": ("uint16", "65535"),
    "boolVar": ("bool", "true"),
    "floatVar": ("float64", "1.5"),
    "degreesVar": ("main.celsius", "-40.25"),
    "namedVar": ("main.named", '"nbarbarbar"'),
    "structVar": ("main.point", "{x: 3, y: -4}"),
    "arrayVar": ("[3]int32", "[1, 2, -3]"),
    "bytesVar": ("[]uint8", 'len 13 cap 16 "raw barbarbar"'),
    "sliceVar": ("[]int", "len 3 cap 8 [5, 6, 7]"),
    "stringsVar": ("[]string", 'len 2 cap 2 ["a", "barbarbar"]'),
    "nilVar": ("[]int", "nil"),
    "pointerVar": ("*main.point", r"0x[0-9a-f]+ -> {x: 8, y: 9}"),
    "mapVar": ("map[string]int", r"0x[0-9a-f]+ len 2"),
    "chanVar": ("chan int", r"0x[0-9a-f]+ len 1 cap 4"),
    "funcVar": ("func()", r"0x[0-9a-f]+ main\.greet"),
    "emptyVar": ("interface {}", "nil"),
    "textIface": ("interface {}", 'string("barbarbar!")'),
    "errorVar": ("error", r"\*errors.errorString\(0x[0-9a-f]+\)"),
    "structIface": ("interface {}", STRUCT),
    "holderIface": ("interface {}", r"main\.holder\({p: 0x[0-9a-f]+}\)"),
    "arrayIface": ("interface {}", '[3]string(["a", "barbarbar", ""])'),
    "longVar": ("string", f'"{LONG[:256]}"…'),
    "runesVar": ("string", r'"grüße\n\"☃\"b"'),
    "complexVar": ("complex128", "(1-2i)"),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_values_of_go_variables(start, version):
    target = start(go_program("variables", version, "dwarf"))
    told = values(target, "--package", "main")
    for name, (kind, value) in GO_VALUES.items():
        assert told[name][0] == kind, name
        assert told[name][1] == value or \
            re.fullmatch(value, told[name][1]), name
    number = str(target.figures["number"])
    assert told["numberVar"] == ("int", number)
    assert told["numberIface"] == ("interface {}", f"int({number})")
    sections = {r["name"]: r["section"] for r in syms(target.pid, "--match",
                                                      "Var")}
    assert sections["main.fooVar"] == ".data"
    assert sections["main.barVar"] == ".bss"


@pytest.mark.parametrize("version", ["1.10.8", "1.18.10", "1.26.8"])
def test_values_without_dwarf(start, version):
    """By their looks, which a question mark tells."""
    told = values(start(go_program("variables", version, "symtab")),
                  "--package", "main")
    assert told["fooVar"] == ("string?", '"foo-barbarbar"')
    assert told["barVar"] == ("string?", '"barbarbar"')
    assert told["textIface"] == ("interface?", 'string("barbarbar!")')
    assert told["errorVar"][1].startswith("*errors.errorString(0x")
    assert re.fullmatch(STRUCT, told["structIface"][1])
    assert told["sliceVar"][0] == "slice?"
    assert told["sliceVar"][1].startswith("len 3 cap 8 at 0x")
    assert told["negativeVar"] == ("", "f9")


def test_values_of_a_file_are_the_first_ones():
    rows = {r["name"]: r["value"] for r in syms(
        go_program("variables", "1.26.8", "dwarf"), "--match", "Var")}
    assert rows["main.fooVar"] == '"foo, as the file has it"'
    assert rows["main.numberVar"] == "42"
    assert rows["main.barVar"] == '""'
    rows = {r["name"]: r["value"] for r in syms(
        go_program("variables", "1.26.8", "pie", flags=["-ldflags=-w"]),
        "--match", "Var")}
    assert rows["main.fooVar"] == '"foo, as the file has it"'


C_VALUES = {
    "text_var": ("char *", r'0x[0-9a-f]+ "text as it is now"'),
    "array_var": ("char [32]", '"array now"'),
    "int_var": ("int", "-123456"),
    "static_var": ("volatile int", "77"),
    "byte_var": ("unsigned char", "200"),
    "long_var": ("int64_t", str(-2 ** 63)),
    "unsigned_var": ("uint64_t", str(2 ** 64 - 1)),
    "bool_var": (r"_Bool|bool", "true"),
    "float_var": ("float", "0.5"),
    "double_var": ("double", "-2.25"),
    "extended_var": ("long double", "3.5"),
    "numbers_var": (r"int \[4\]", "[16, 25, 4, 9]"),
    "grid_var": (r"int \[2\]\[3\]", "[[0, 1, 2], [3, 4, 5]]"),
    "point_var": ("point",
                  r'{x: 3, y: -4, label: 0x[0-9a-f]+ "text as it is now"}'),
    "colour_var": ("colour", "GREEN"),
    "bits_var": ("struct", "{low: 5, high: 17}"),
    "function_var": (r"int \(\) \*", r"0x[0-9a-f]+ (_IO_)?puts"),
    "null_var": (r"void \*", "nil"),
    "thread_var": ("uint64_t", "17"),
    "thread_point_var": (
        "point", r'{x: 31, y: -41, label: 0x[0-9a-f]+ "text as it is now"}'),
    "thread_text_var": (r"char \[24\]", '"of the main thread"'),
}


@pytest.mark.parametrize("dwarf", ["2", "4", "5"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_values_of_c_variables(start, compiler, dwarf):
    target = start(c_program("variables", compiler, [f"-gdwarf-{dwarf}"]))
    told = values(target, "--match", "_var")
    for name, (kind, value) in C_VALUES.items():
        assert told[name][0] == kind or re.fullmatch(kind, told[name][0]), name
        assert told[name][1] == value or re.fullmatch(value, told[name][1]), \
            name
    assert next(v for k, v in told.items() if "count_var" in k) == \
        ("volatile int", "11")
    assert told["union_var"][1].startswith("{number: 11, ")


TYPED_VALUES = {
    "bits_var": "{low: 5, negative: -7, wide: 123456789012, set: true, "
                "colour: GREEN, most: -5, all: 18446744073709551615}",
    "green_var": "GREEN", "blue_var": "BLUE", "other_var": "77",
    "below_var": "NONE", "lower_var": "-9",
    "flags_var": "FIRST | FOURTH", "more_var": "65",
    "words_var": '["one", "two", "three"]',
    "cube_var": "[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]",
    "wide_var": '"wide ü"',
    "pairs_var": '"\U0001F600 x"',
    "large_var": str(-1 << 100),
    "complex_var": "(1.5-2.25i)",
    "nowhere_var": "0x1230",
    "half_vars": "[1.5, -65504, 5.96046448e-08]",
    "quad_vars": "[-3.25, 9.99999999999999999997e+3999, 0]",
    "decimal_var": "0x31a000000000000f",
}


@pytest.mark.parametrize("compiler, dwarf", [("gcc", "3"), ("gcc", "5"),
                                             ("clang", "5")])
def test_values_of_seldom_types(start, compiler, dwarf):
    """As gdb tells them."""
    target = start(c_program("typed", compiler, [f"-gdwarf-{dwarf}"]))
    told = {k: v for k, (_, v) in
            values(target, "--match", "_var").items()}
    assert re.fullmatch(r'0x[0-9a-f]+ "behind a pointer"',
                        told.pop("pointer_var"))
    want = dict(TYPED_VALUES)
    if compiler == "clang":
        for name in ("half_vars", "quad_vars", "decimal_var"):
            del want[name]
    if dwarf == "3":
        # It has no sign of an enumeration, and no names for characters.
        del want["lower_var"], told["lower_var"]
    assert told == want


@pytest.mark.parametrize("flags", [
    ["-g"], ["-gdwarf-5", "-fdebug-types-section"],
    ["-gdwarf-4", "-fdebug-types-section"]], ids=" ".join)
def test_values_of_objects(start, flags):
    """What is in the bases, too; those without members are left out."""
    target = start(cc_program("typed", flags))
    told = {k.removesuffix("B5cxx11").lstrip("_Z0123456789"): v
            for k, (_, v) in values(target, "--match", "_var").items()}
    at = "0x[0-9a-f]+"
    for name, value in {
            "derived_var": r"{<Base>: {_vptr.Base: " + at + ", base: 1}, "
                           r"<Other>: {other: 3}, own: 68 'D'}",
            "virtual_var": r"{<Base>: \?, _vptr.Virtual: " + at +
                           ", own: 4}",
            "atomic_var": "{<__atomic_base<int>>: {_M_i: 9}}",
            "string_var": "{_M_dataplus: {_M_p: " + at +
                          ' "text in place"}, _M_string_length: 13, .*}',
            "vector_var": "{<_Vector_base<.*>>: {_M_impl: "
                          "{<_Vector_impl_data>: {_M_start: " + at + ", .*}",
    }.items():
        assert re.fullmatch(value, told[name]), (name, told[name])


RUST = """
pub enum Shape { Circle(f64), Rect { w: u32, h: u32 }, Unit }
#[used] #[no_mangle] pub static RECT_VAR: Shape = Shape::Rect { w: 3, h: 4 };
#[used] #[no_mangle] pub static CIRCLE_VAR: Shape = Shape::Circle(1.5);
#[used] #[no_mangle] pub static UNIT_VAR: Shape = Shape::Unit;
#[used] #[no_mangle] pub static SOME_VAR: Option<u32> = Some(5);
#[used] #[no_mangle] pub static NONE_VAR: Option<&str> = None;
#[used] #[no_mangle] pub static NICHE_VAR: Option<&str> = Some("inside");
#[used] #[no_mangle] pub static TEXT_VAR: &str = "text of Rust";
#[used] #[no_mangle] pub static SLICE_VAR: &[u32] = &[7, 8];
#[used] #[no_mangle] pub static CHAR_VAR: char = 'ß';
fn main() {}
"""


def test_values_of_rust():
    def make(path):
        path.mkdir()
        (path / "typed.rs").write_text(RUST)
        subprocess.run(["rustc", "-g", "-o", path / "typed",
                        path / "typed.rs"], check=True)

    need("rustc")
    told = {r["name"]: r["value"] for r in syms(
        cached("typed-rust", [RUST], make) / "typed", "--match", "_VAR")}
    assert told == {
        "RECT_VAR": "{Rect: {w: 3, h: 4}}",
        "CIRCLE_VAR": "{Circle: {__0: 1.5}}", "UNIT_VAR": "{Unit: {}}",
        "SOME_VAR": "{Some: {__0: 5}}", "NONE_VAR": "{None: {}}",
        "NICHE_VAR": '{Some: {__0: "inside"}}',
        "TEXT_VAR": '"text of Rust"', "SLICE_VAR": "len 2 [7, 8]",
        "CHAR_VAR": "223 'ß'"}


@pytest.mark.parametrize("compiler, flags", [
    ("gcc", []), ("clang", ["-fPIE", "-pie"]), ("gcc", ["-static"]),
    ("musl-gcc", [])])
def test_thread_local_variables(start, compiler, flags):
    """Where the program says that its main thread has them."""
    target = start(c_program("variables", compiler, flags))
    told = {r["name"]: r for r in syms(target.pid, "--stop",
                                       "--match", "thread_")}
    for name in ("thread_var", "thread_text_var"):
        assert int(told[name]["address"], 16) == target.figures[name]
        assert told[name]["tid"] == str(target.pid)
        assert int(told[name]["resident_bytes"]) > 0
    assert told["thread_var"]["value"] == "17"
    # Of a file there is only the offset.
    file = {r["name"]: r for r in syms(target.process.args[0])}
    assert int(file["thread_var"]["address"], 16) < 4096
    assert file["thread_var"]["tid"] == file["thread_var"]["value"] == ""


def test_values_are_as_gdb_has_them(start):
    target = start(c_program("variables"))
    names = ["int_var", "long_var", "double_var", "static_var",
             "thread_var"]
    told = values(target, "--match", "_var")
    done = subprocess.run(
        ["gdb", "-batch", "-p", str(target.pid)] +
        [a for n in names for a in ("-ex", f"printf \"= %s\\n\", \"\"",
                                    "-ex", f"output {n}", "-ex", "echo \\n")],
        capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines()
             if re.fullmatch(r"-?[\d.]+", line)]
    assert lines == [told[n][1] for n in names], done.stdout


def separate(folder, *link_flags):
    """A stripped program and its debug file; the same with all in one."""
    whole = c_program("variables", flags=["-O1", *link_flags])
    program, debug = folder / "program", folder / "program.debug"
    for command in (["objcopy", "--only-keep-debug", whole, debug],
                    ["strip", "-o", program, whole],
                    ["objcopy", f"--add-gnu-debuglink={debug}", program]):
        subprocess.run(command, check=True)
    return whole, program, debug


def test_debug_file_beside_the_program(start, tmp_path):
    whole, program, debug = separate(tmp_path)
    want = syms(whole)
    assert syms(program) == want
    target = start(program)
    told = values(target, "--match", "_var")
    assert told["point_var"][0] == "point"
    assert re.fullmatch(C_VALUES["point_var"][1], told["point_var"][1])
    (tmp_path / ".debug").mkdir()
    moved = debug.rename(tmp_path / ".debug" / debug.name)
    assert syms(program) == want
    # That of another program is none.
    other = tmp_path / "other"
    other.mkdir()
    separate(other, "-O2")[2].rename(moved)
    assert syms(program) != want
    moved.unlink()
    os.mkfifo(moved)
    assert len(syms(program)) < len(want)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_types_compressed_with_zstd(tmp_path):
    """Whether libdw can read them or not: never silently none."""
    path = tmp_path / "zstd"
    done = subprocess.run(["objcopy", "--compress-debug-sections=zstd",
                           c_program("variables"), path],
                          capture_output=True, check=False)
    if done.returncode:
        pytest.skip("objcopy knows no zstd")
    done = run("syms", "--match", "bits_var", path)
    assert "{low: 0, high: 0}" in done.stdout or \
        "compressed with zstd" in done.stderr


def test_no_types_of_32_bit_files(start, tmp_path):
    source, path = tmp_path / "values.c", tmp_path / "values"
    source.write_text("int pause(void); int count = 7;\n"
                      "int main(void) { return pause(); }\n")
    subprocess.run(["gcc", "-m32", "-g", "-o", path, source], check=True)
    for target in (path, start(path, reports=False).pid):
        done = run("syms", "--match=count", target)
        assert done.returncode == 0 and "0x7" in done.stdout
        assert "32-bit file: what its variables hold is told as bytes" in \
            done.stderr
    # Nothing of the kind is said where no value is.
    assert run("syms", "--match=main", path).stderr == ""
    assert run("syms", "--values=no", path).stderr == ""


def test_debug_file_by_build_id(tmp_path):
    whole, program, debug = separate(tmp_path)
    subprocess.run(["objcopy", "--remove-section=.gnu_debuglink", program],
                   check=True)
    notes = subprocess.run(["readelf", "-n", program], capture_output=True,
                           text=True, check=True).stdout
    build_id = re.search("Build ID: ([0-9a-f]+)", notes)[1]
    place = tmp_path / "debug" / ".build-id" / build_id[:2]
    place.mkdir(parents=True)
    debug.rename(place / f"{build_id[2:]}.debug")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c",
         f"mount --bind {tmp_path}/debug /usr/lib/debug && "
         f"exec {MEMWHY} syms --format=csv {program}"],
        capture_output=True, text=True, check=True)
    assert list(csv.DictReader(io.StringIO(done.stdout))) == syms(whole)
    assert len(syms(program)) < len(syms(whole))


def test_debug_file_by_checksum(tmp_path):
    """A program without a build id."""
    whole, program, debug = separate(tmp_path, "-Wl,--build-id=none")
    assert syms(program) == syms(whole)
    with open(debug, "ab") as file:
        file.write(b"more")
    assert len(syms(program)) < len(syms(whole))


def test_json():
    path = go_program("variables", "1.26.8", "dwarf")
    done = run("syms", "--format=json", "--match", "main.fooVar", path)
    answer = json.loads(done.stdout)
    assert answer["schema"] == "memwhy.syms/1"
    assert {"name", "section", "address", "size_bytes", "package",
            "value"} <= set(answer["rows"][0])
    assert answer["rows"][0]["size_bytes"] == 16
    assert answer["target"]["kind"] == "file"


def literals(path, text):
    """{referring name: value}"""
    return {r["name"]: r["value"] for r in syms(path, "--literal", text)}


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


def test_a_core_has_what_the_process_had(start, tmp_path):
    need("gcore")
    target = start(go_program("variables", "1.26.8", "dwarf"))
    live = values(target, "--package", "main")
    subprocess.run(["gcore", "-o", tmp_path / "core", str(target.pid)],
                   check=True, capture_output=True)
    core = {r["name"].removeprefix("main."): (r["value_type"], r["value"])
            for r in syms(tmp_path / f"core.{target.pid}", "--package",
                          "main")}
    assert core == live
    assert literals(tmp_path / f"core.{target.pid}", "hello")["main.greet"] \
        == '"hello"'

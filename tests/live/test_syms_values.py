# SPDX-License-Identifier: Apache-2.0
"""`memwhy syms` says what variables hold."""

import re
import subprocess

import pytest

from conftest import c_program, cached, cc_program, go_program, need
from symbols import VERSIONS, literals, syms, values

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

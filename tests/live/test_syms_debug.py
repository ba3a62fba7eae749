# SPDX-License-Identifier: Apache-2.0
"""`memwhy syms` finds what was stripped in the debug file of a program."""

import csv
import io
import os
import re
import subprocess

import pytest

from conftest import MEMWHY, c_program, run
from readelf import Readelf
from symbols import syms, values
from test_syms_values import C_VALUES


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


def damage(path, name):
    """Make the compressed contents of a section nonsense; its offset."""
    offset, size = next(
        (row[3], row[4]) for row in Readelf(path).sections
        if row[1].split()[:1] == [name])
    data = bytearray(path.read_bytes())
    for i in range(offset + 30, offset + size):
        data[i] ^= 0x5a
    path.write_bytes(data)
    return offset


@pytest.mark.parametrize("flags, dot", [
    (["-gz=zlib"], "."), (["-gz=zlib-gnu"], ".z"), (["-gz=zlib", "-c"], ".")],
    ids=["zlib", "zdebug", "object"])
def test_debug_information_that_cannot_be_unpacked(tmp_path, flags, dot):
    """That is not taken for none."""
    source, path = tmp_path / "values.c", tmp_path / "values"
    # Small sections are left as they are.
    source.write_text(
        "int a_variable = 7;\n"
        "int a_function(int number) { return number + a_variable; }\n" +
        "".join(f"struct type_{i} {{ int member; struct type_{i} *next; }};\n"
                f"int function_{i}(struct type_{i} *first)\n{{\n"
                "\tint sum = 0;\n\n"
                "\tfor (; first; first = first->next)\n"
                "\t\tsum += first->member;\n\treturn sum;\n}\n"
                for i in range(50)) +
        "int main(int count, char **words) { return a_function(count); }\n")

    def build():
        subprocess.run(["gcc", "-g", *flags, "-o", path, source], check=True)

    build()
    assert run("disas", path, "a_function").stderr == ""
    assert run("syms", "--match=a_variable", path).stderr == ""
    for name in (f"{dot}debug_info", f"{dot}debug_line"):
        build()
        said = f"{name} at offset {damage(path, name):#x} is compressed " \
            "and cannot be unpacked\n"
        done = run("disas", path, "a_function")
        assert done.returncode == 0
        assert done.stderr == f"memwhy: note: {path}: no lines: {said}"
        done = run("syms", "--match=a_variable", path)
        assert done.stderr == ("" if "line" in name or "-c" in flags else
                               f"memwhy: note: no types of variables: {said}")


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


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
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

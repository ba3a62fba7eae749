# SPDX-License-Identifier: Apache-2.0
"""`memwhy disas` of object files says what `objdump -dr` says."""

import csv
import io
import pathlib
import random
import re
import subprocess

import pytest

from conftest import cached, debian_file, need, plain_only, run, toolchain


def answer(path, *arguments):
    done = run("disas", "--format=csv", path, *arguments)
    assert done.returncode == 0, (path, arguments, done.stderr)
    return list(csv.DictReader(io.StringIO(done.stdout)))


def told(path, *arguments):
    """[(address, bytes, relocations)]"""
    return [(int(r["address"], 16), r["bytes"], r["relocations"])
            for r in answer(path, *arguments)]


def objdump(path):
    """{section: {address: (address, bytes, relocations)}}"""
    done = subprocess.run(["objdump", "-d", "-r", "-z", "-w", path],
                          capture_output=True, text=True, check=True,
                          errors="surrogateescape")
    sections = {}
    for line in done.stdout.split("\n"):
        if line.startswith("Disassembly of section "):
            here = sections.setdefault(line[23:-1], {})
        fields = line.split("\t")
        if len(fields) < 2 or not re.fullmatch(r" *[0-9a-f]+:", fields[0]):
            continue
        relocations = re.findall(r"\t[0-9a-f]+: (R_X86_64_\w+)\t([^\t]+)",
                                 line)
        address = int(fields[0].strip(" :"), 16)
        here[address] = (address, fields[1].replace(" ", ""),
                         ", ".join(" ".join(r) for r in relocations))
    return sections


def functions_of(path):
    """[(name, section, address, bytes)] by the symbol table."""
    done = subprocess.run(["objdump", "-t", "-w", path], text=True,
                          capture_output=True, check=True,
                          errors="surrogateescape")
    return [(m[4], m[2], int(m[1], 16), int(m[3], 16))
            for m in re.finditer(
                r"^([0-9a-f]{16}) .{6}F (\S+)\t([0-9a-f]{16}) "
                r"(?:\.hidden |0x\w+ )?(\S+)$", done.stdout, re.M)]


def sections_of(path):
    done = subprocess.run(["objdump", "-h", "-w", path], text=True,
                          capture_output=True, check=True)
    return re.findall(r"^ *\d+ (\S+) ", done.stdout, re.M)


def compare(path, most=40):
    """How many instructions and relocations were alike."""
    expected = objdump(path)
    functions = functions_of(path)
    sections = sections_of(path)
    chosen = random.Random(1).sample(functions, min(most, len(functions)))
    count = relocations = 0
    for name, section, start, size in chosen:
        if sections.count(section) > 1:
            continue  # objdump does not tell which
        rows = [row for address, row in sorted(expected[section].items())
                if start <= address < start + (size or 1 << 63)]
        here = told(path, f"{start:x}", "--section", section)
        if size == 0:  # as in assembler, and in crtbegin.o
            rows = rows[:len(here)]
        elif (start, size) != (here[0][0],
                             here[-1][0] + len(here[-1][1]) // 2 - start):
            continue  # another name for a part of it, or more
        assert here == rows, (path, name)
        same = [f for f in functions if f[0] == name]
        if len({f[1:3] for f in same}) == 1:
            assert told(path, name) == rows
        count += len(rows)
        relocations += sum(row[2] != "" for row in rows)
    return count, relocations


def members(library, wanted, count):
    """Object files out of an archive, which is taken apart once."""
    def make(path):
        path.mkdir()
        names = sorted({n for n in subprocess.run(
            ["ar", "t", library], check=True, text=True,
            capture_output=True).stdout.split("\n")
            if re.fullmatch(wanted, n)})
        chosen = random.Random(2).sample(names, min(count, len(names)))
        subprocess.run(["ar", "x", library, *chosen], cwd=path, check=True)

    stamp = pathlib.Path(library).stat()
    return sorted(cached("members", [str(library), str(stamp.st_mtime_ns),
                                     str(stamp.st_size), wanted, str(count)],
                         make).iterdir())


def gcc_file(name, compiler="gcc"):
    return subprocess.run([compiler, f"-print-file-name={name}"], text=True,
                          capture_output=True, check=True).stdout.strip()


@pytest.mark.parametrize("name", ["crt1.o", "Scrt1.o", "crtbegin.o",
                                  "crtbeginS.o", "crtfastmath.o"])
def test_start_files(name):
    assert compare(gcc_file(name))[0] >= 5


def test_assembler_without_sizes():
    path = gcc_file("crti.o")
    expected = objdump(path)
    for name, section in (("_init", ".init"), ("_fini", ".fini")):
        assert told(path, name) == sorted(expected[section].values())


@pytest.mark.parametrize("library,compiler", [("libc.a", "gcc"),
                                              ("libstdc++.a", "g++")])
def test_members_of_libraries(library, compiler):
    counts = [compare(path, 10)
              for path in members(gcc_file(library, compiler), r".*\.o", 25)]
    assert sum(c for c, _ in counts) > 1500
    assert sum(r for _, r in counts) > 150


@plain_only
def test_rust():
    need("rustc")
    root = subprocess.run(["rustc", "--print", "sysroot"], text=True,
                          capture_output=True, check=True).stdout.strip()
    library = sorted(pathlib.Path(root).glob(
        "lib/rustlib/x86_64-*-gnu/lib/liballoc-*.rlib"))[0]
    counts = [compare(path, 20)
              for path in members(library, r".*\.o", 8)]
    assert sum(c for c, _ in counts) > 200
    assert sum(r for _, r in counts) > 20


@plain_only
def test_a_kernel_module():
    packages = subprocess.run(
        ["apt-cache", "search", "--names-only",
         "^linux-image-[0-9.-]+-cloud-amd64-unsigned$"], check=True,
        capture_output=True, text=True).stdout.split("\n")
    folder = debian_file(packages[0].split()[0], "lib/modules")
    modules = sorted(folder.glob("*/kernel/fs/**/*.ko"))
    chosen = random.Random(3).sample(modules, 6)
    counts = [compare(path, 15) for path in chosen]
    assert sum(c for c, _ in counts) > 1000
    assert sum(r for _, r in counts) > 100


SOURCE = """
#include <stdio.h>
static int st[4]; int table[10]; extern __thread int away;
static int helper(int a) { return a * 3; }
int f(int x)
{
    printf("hello %d\\n", x);
    st[x] = 2;
    away++;
    return table[x] + st[1] + helper(x);
}
__attribute__((section(".text.other"))) int g(void) { return f(1); }
"""


@pytest.fixture(params=["gcc", "clang"])
def small(request, tmp_path):
    def make(*flags):
        (tmp_path / "a.c").write_text(SOURCE)
        subprocess.run([request.param, "-c", "a.c", "-o", "a.o", *flags],
                       cwd=tmp_path, check=True)
        return tmp_path / "a.o"
    return make


@pytest.mark.parametrize("flags", [["-O0"], ["-O2", "-fPIC"],
                                   ["-O1", "-mcmodel=large", "-fno-pic"],
                                   ["-O1", "-fno-pic", "-fno-pie"]])
def test_names(small, flags):
    path = small(*flags)
    assert compare(path)[1] >= 4
    rows = answer(path, "f")
    text = "\n".join(r["instruction"] for r in rows)
    if "-mcmodel=large" not in flags:
        assert re.search(r"(call|jmp) \[?printf", text)
        assert re.search(r"\bst\b", text + "".join(r["relocations"]
                                                   for r in rows))
    assert '"hello %d\\n"' in {r["comment"] for r in rows}
    assert {r["section"] for r in rows} == {".text"}


@pytest.mark.parametrize("flags", [
    ["-g"], ["-g", "-O2"], ["-g", "-gz"], ["-g", "-gdwarf-4"],
    ["-g", "-ffunction-sections"]])
def test_lines(small, flags):
    """Those of addr2line."""
    path = small(*flags)
    for function in ("f", "g"):
        rows = answer(path, function)
        done = subprocess.run(
            ["addr2line", "-e", path, "-j", rows[0]["section"]],
            input="".join(r["address"] + "\n" for r in rows), text=True,
            capture_output=True, check=True)
        lines = [re.sub(r" \(discriminator \d+\)", "", line).split(":")[-1]
                 for line in done.stdout.split("\n")[:-1]]
        assert [r["line"] for r in rows] == lines
        assert {r["file"].split("/")[-1] for r in rows} == {"a.c"}


def test_lines_from_a_debug_file(small, tmp_path):
    path = small("-g")
    whole = answer(path, "f")
    for command in (["objcopy", "--only-keep-debug", path,
                     tmp_path / "a.debug"],
                    ["strip", "-g", path],
                    ["objcopy", f"--add-gnu-debuglink={tmp_path}/a.debug",
                     path]):
        subprocess.run(command, check=True)
    assert answer(path, "f") == whole


def test_sections(small):
    """An address is one of a section; names are of all."""
    path = small("-g")
    done = run("disas", path, "0")
    assert done.returncode == 1 and "--section" in done.stderr
    other = answer(path, "0", "--section=.text.other")
    assert other == answer(path, "g") and other[0]["function"] == "g"
    headers = subprocess.run(["readelf", "-SW", path], capture_output=True,
                             text=True, check=True).stdout
    number = int(re.search(r"\[ *(\d+)\] \.text\.other", headers)[1])
    assert answer(path, "0", f"--section={number}") == other
    for arguments in (["f", "--section=.text.other"],
                      ["ffff", "--section=.text"], ["ffff"],
                      ["0", "--section=none"], ["0", "--section=.bss"]):
        done = run("disas", path, *arguments)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
    done = run("disas", "/bin/true", "0", "--section=.text")
    assert done.returncode == 1 and "object files" in done.stderr


def test_a_name_that_two_have(tmp_path):
    for unit in "ab":
        (tmp_path / f"{unit}.c").write_text(
            f"static __attribute__((noinline)) int same(int x) "
            f"{{ return x * {ord(unit)}; }}\n"
            f"int {unit}(int x) {{ return same(x); }}\n")
        subprocess.run(["gcc", "-c", f"{unit}.c"], cwd=tmp_path, check=True)
    path = tmp_path / "both.o"
    subprocess.run(["ld", "-r", "-o", path, "a.o", "b.o"], cwd=tmp_path,
                   check=True)
    done = run("disas", path, "same")
    assert done.returncode == 1 and "several places" in done.stderr
    starts = [f[2] for f in functions_of(path) if f[0] == "same"]
    assert len(starts) == 2
    for start in starts:
        assert f"{start:x} in .text" in done.stderr
        assert answer(path, f"{start:x}")[0]["function"] == "same"


def test_names_of_cxx(tmp_path):
    (tmp_path / "a.cc").write_text(
        "namespace shop { int sell(int a) { return a + 1; } }\n"
        "template <class T> T twice(T a) { return a + a; }\n"
        "int all() { return shop::sell(1) + twice(2); }\n")
    subprocess.run(["g++", "-c", "a.cc"], cwd=tmp_path, check=True)
    path = tmp_path / "a.o"
    assert answer(path, "shop::sell") == answer(path, "_ZN4shop4sellEi")
    assert answer(path, "int twice<int>") == answer(path, "_Z5twiceIiET_S0_")
    assert "_Z5twiceIiET_S0_" in "".join(r["instruction"]
                                         for r in answer(path, "all"))


def test_what_is_no_object_of_ours(tmp_path):
    """A word that tells what to do."""
    (tmp_path / "a.go").write_text("package a\nfunc F() int { return 1 }\n")
    subprocess.run([toolchain("1.26.8") / "bin" / "go", "tool", "compile",
                    "-p", "a", "-o", "a.a", "a.go"], cwd=tmp_path, check=True)
    subprocess.run(["ar", "x", "a.a", "_go_.o"], cwd=tmp_path, check=True)
    (tmp_path / "a.c").write_text("int f(void) { return 1; }")
    subprocess.run(["gcc", "-c", "a.c"], cwd=tmp_path, check=True)
    subprocess.run(["xz", "-k", "a.o"], cwd=tmp_path, check=True)
    subprocess.run(["gcc", "-m16", "-c", "a.c", "-o", "a32.o"], cwd=tmp_path,
                   check=True)
    for name, words in (("a.a", "archive"), ("_go_.o", "go tool objdump"),
                        ("a.o.xz", "xz -dk"), ("a32.o", "x86-64")):
        done = run("disas", tmp_path / name, "f")
        assert done.returncode == 1 and words in done.stderr, name


def test_damaged_objects(tmp_path, small):
    """An error, or a smaller answer; never a crash and never for long."""
    chosen = random.Random(12)
    whole = [small("-g").read_bytes(), small("-g", "-gz").read_bytes(),
             small("-O2", "-ffunction-sections").read_bytes()]
    path = tmp_path / "damaged.o"
    for data in whole * 25:
        data = bytearray(data)
        tables = int.from_bytes(data[40:48], "little")
        low, high = chosen.choice([(0, 64), (64, len(data)),
                                   (tables, len(data))])
        for _ in range(chosen.choice([1, 5, 50])):
            data[chosen.randrange(low, high)] = chosen.choice(
                [0, 1, 255, 0x7f, chosen.randrange(256)])
        path.write_bytes(data[:chosen.choice([len(data),
                                              chosen.randrange(len(data))])])
        for command in (["f"], ["g"], ["0"], ["0", "--section=1"]):
            done = run("disas", path, *command, errors="replace")
            assert done.returncode in (0, 1), (command, done.stderr)
            assert "Sanitizer" not in done.stderr
            assert "runtime error" not in done.stderr

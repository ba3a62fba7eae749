# SPDX-License-Identifier: Apache-2.0
"""`memwhy disas` says what `go tool objdump -s` and `objdump -d` say."""

import bisect
import csv
import io
import os
import pathlib
import random
import re
import subprocess

import pytest

from conftest import (MEMWHY, asm_program, c_program, cached, go_program, need,
                      plain_only, run, toolchain)

VERSIONS = ["1.9.7", "1.10.8", "1.11.13", "1.12.17", "1.13.15", "1.14.15",
            "1.15.15", "1.16.15", "1.17.13", "1.18.10", "1.19.13", "1.20.14",
            "1.21.13", "1.22.12", "1.23.12", "1.24.13", "1.25.8", "1.26.8",
            "1.27.4"]


def disas(target, function, *arguments):
    """[(place, address, bytes, instruction)]"""
    done = run("disas", "--format=csv", *arguments, target, function)
    assert done.returncode == 0, done.stderr
    return [(f"{os.path.basename(r['file'])}:{r['line']}",
             int(r["address"], 16), r["bytes"], r["instruction"])
            for r in csv.DictReader(io.StringIO(done.stdout))]


def go_objdump(path, version, pattern):
    """{function: [(place, address, bytes, instruction)]}, by its own tool."""
    root = toolchain(version)
    tool = root / "pkg" / "tool" / "linux_amd64" / "objdump"
    command = [tool] if tool.exists() else [root / "bin" / "go", "tool",
                                            "objdump"]
    done = subprocess.run([*command, "-s", pattern, path], text=True,
                          capture_output=True, check=True,
                          env=dict(os.environ, GOROOT=str(root),
                                   GOTOOLCHAIN="local"))
    functions = {}
    for line in done.stdout.splitlines():
        if line.startswith("TEXT "):
            here = functions.setdefault(line[5:line.index("(SB)")], [])
            continue
        fields = [f.strip() for f in line.split("\t") if f.strip()]
        if len(fields) == 4:
            place, address, code, text = fields
            here.append((place, int(address, 16), code, text))
    return functions


def alike(one, other):
    """The tools tell apart two ABIs, which the function table does not."""
    def plain(text):
        return re.sub(r"\.abi0", "", text).replace("(SB)", "")
    return plain(one) == plain(other)


def compare(version, pattern):
    """All functions whose names match; how many instructions, and alike."""
    path = go_program("variables", version, "symtab")
    stripped = go_program("variables", version, "stripped")
    functions = go_objdump(path, version, pattern)
    assert len(functions) > 5
    count = same = 0
    for name, expected in functions.items():
        told = disas(path, name)
        assert [t[:3] for t in told] == [e[:3] for e in expected], name
        count += len(told)
        same += sum(alike(t[3], e[3]) for t, e in zip(told, expected))
        # The stripped twin has its code in the same place.
        plain = disas(stripped, f"{told[0][1]:x}")
        assert [p[:2] for p in plain] == [e[:2] for e in expected], name
    return count, same


@pytest.mark.parametrize("version", VERSIONS)
def test_go_objdump(version):
    """Places, addresses and bytes of some packages, whole."""
    count, same = compare(version, r"^(main|strconv|errors|sync)\.")
    assert count > 3000
    # Tools before those of 1.21 have other names for some instructions.
    if int(version.split(".")[1]) >= 21:
        assert same > count * 0.97


def test_every_function_of_the_runtime():
    """But for instructions that Go's tool does not know: AVX."""
    path = go_program("variables", "1.26.8", "symtab")
    functions = go_objdump(path, "1.26.8", r"^runtime\.[a-f]")
    assert len(functions) > 200
    for name, expected in functions.items():
        told = disas(path, name)
        at = {t[1]: t for t in told}
        known = [e for e in expected if e[1] in at and e[2] == at[e[1]][2]]
        if len(known) < len(expected):
            assert any(t[3].startswith("V") for t in told), name
        assert [at[e[1]][0] for e in known] == [e[0] for e in known]


def objdump(path, *arguments):
    """{function: [(address, bytes, text)]}"""
    done = subprocess.run(["objdump", "-d", "-w", *arguments, path],
                          capture_output=True, text=True, check=True)
    functions = {}
    here = None
    for line in done.stdout.splitlines():
        head = re.fullmatch(r"([0-9a-f]+) <(.*)>:", line)
        if head:
            here = functions.setdefault(head[2], [])
            continue
        fields = line.split("\t")
        if here is not None and len(fields) == 3:
            here.append((int(fields[0].strip(" :"), 16),
                         fields[1].replace(" ", ""), fields[2].strip()))
    return functions


def mnemonics_alike(one, other):
    """But for the letter of the size, and names that several have."""
    one, other = one.split()[0], other.split()[0]
    same = [{"jz", "je"}, {"jnz", "jne"}, {"setz", "sete"}, {"jnb", "jae"},
            {"setnz", "setne"}, {"jnbe", "ja"}, {"jnl", "jge"},
            {"jnle", "jg"}, {"movsxd", "movslq"}, {"cdqe", "cltq"}]
    return one == other or one.rstrip("bwlq") == other.rstrip("bwlq") or \
        {one, other} in same or one[:4] == other[:4]


@pytest.mark.parametrize("syntax", ["intel", "att"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_objdump(compiler, syntax):
    path = c_program("churn", compiler, ["-pthread"])
    functions = objdump(path, "-M", syntax)
    sizes = {}
    for line in subprocess.run(["nm", "-S", path], capture_output=True,
                               text=True, check=True).stdout.splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[2] in "tT":
            sizes[fields[3]] = (int(fields[0], 16), int(fields[1], 16))
    assert {"main"} <= set(sizes)
    count = same = 0
    for name, (start, size) in sizes.items():
        expected = [e for e in functions[name] if e[0] < start + size]
        told = disas(path, name, "--syntax", syntax)
        assert [(t[1], t[2]) for t in told] == [e[:2] for e in expected]
        count += len(told)
        same += sum(mnemonics_alike(t[3], e[2])
                    for t, e in zip(told, expected))
    assert count > 200 and same > count * 0.9


def function_sizes(path, *flags):
    """{(address, size): name}"""
    done = subprocess.run(["nm", "-S", "--defined-only", *flags, path],
                          capture_output=True, text=True, check=True)
    fields = [line.split() for line in done.stdout.splitlines()]
    return {(int(f[0], 16), int(f[1], 16)): f[3] for f in fields
            if len(f) == 4 and f[2] in "tTwW"}


def same_as_objdump(path, functions, syntax):
    """How many instructions all of them have; they and their bytes agree."""
    rows = sorted(row for rows in objdump(path, "-M", syntax).values()
                  for row in rows)
    starts = [row[0] for row in rows]
    count = same = 0
    for start, size in functions:
        told = disas(path, f"{start:x}", "--syntax", syntax)
        expected = rows[bisect.bisect_left(starts, start):
                        bisect.bisect_left(starts, start + size)]
        assert [t[1:3] for t in told] == [e[:2] for e in expected]
        count += len(told)
        same += sum(mnemonics_alike(t[3], e[2])
                    for t, e in zip(told, expected))
    assert same > count * 0.9
    return count


@plain_only
@pytest.mark.parametrize("syntax", ["intel", "att"])
@pytest.mark.parametrize("path", ["/bin/bash", "libstdc++.so.6"])
def test_programs_of_debian(path, syntax):
    """Some of their functions, others for each syntax."""
    if "/" not in path:
        path = subprocess.run(["g++", f"-print-file-name={path}"], text=True,
                              capture_output=True, check=True).stdout.strip()
    functions = sorted(function_sizes(path, "-D"))
    chosen = random.Random(syntax).sample(functions, 60)
    assert same_as_objdump(path, chosen, syntax) > 1000


RUST = """
use std::collections::HashMap;

#[inline(never)]
fn count(words: &[String]) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for word in words {
        *counts.entry(word.as_str()).or_insert(0) += 1;
    }
    counts
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    for (word, times) in count(&words) {
        println!("{word} {times}");
    }
}
"""


def test_rust():
    def make(path):
        path.mkdir()
        (path / "words.rs").write_text(RUST)
        subprocess.run(["rustc", "-O", "-g", "-o", path / "words",
                        path / "words.rs"], check=True)

    need("rustc")
    path = cached("words-rust", [RUST], make) / "words"
    own = {key: name for key, name in function_sizes(path).items()
           if re.match("_ZN5words|_RNv[^_]*5words", name)}
    assert len(own) >= 2
    for syntax in ("intel", "att"):
        assert same_as_objdump(path, own, syntax) > 200
    told = disas(path, "words::count")
    assert told[0][1] in {start for start, _ in own}
    assert told == disas(path, f"{told[0][1]:x}")
    assert {t[0] for t in told} >= {"words.rs:5", "words.rs:8"}


def test_names_as_in_the_source(tmp_path):
    (tmp_path / "a.cc").write_text(
        "namespace shop { int sell(int a) { return a + 1; }\n"
        "int buy(int a) { return a - 1; } int buy(long a) { return a; } }\n"
        "int main() { return shop::sell(1) + shop::buy(2) + "
        "shop::buy(3L); }\n")
    subprocess.run(["g++", "-O0", "a.cc", "-o", "a"], cwd=tmp_path, check=True)
    path = tmp_path / "a"
    sell = disas(path, "_ZN4shop4sellEi")
    assert sell == disas(path, "shop::sell") == disas(path, "shop::sell(int)")
    assert disas(path, "shop::buy(long)") == disas(path, "_ZN4shop3buyEl")
    done = run("disas", path, "shop::buy")
    assert done.returncode == 1
    assert "_ZN4shop3buyEi" in done.stderr and "_ZN4shop3buyEl" in done.stderr
    assert run("disas", path, "shop::sel").returncode == 1


def test_lines_of_c():
    path = c_program("churn", flags=["-pthread"])
    told = disas(path, "main")
    done = subprocess.run(["addr2line", "-e", path],
                          input="".join(f"{t[1]:x}\n" for t in told),
                          capture_output=True, text=True, check=True)
    expected = [re.sub(r" \(discriminator \d+\)", "",
                       os.path.basename(line))
                for line in done.stdout.splitlines()]
    assert [t[0] for t in told] == expected


def test_names_and_lines_from_a_debug_file(tmp_path):
    whole = c_program("churn", flags=["-pthread"])
    for command in (["objcopy", "--only-keep-debug", whole,
                     tmp_path / "some.debug"],
                    ["strip", "-o", tmp_path / "stripped", whole],
                    ["objcopy", f"--add-gnu-debuglink={tmp_path}/some.debug",
                     tmp_path / "stripped"]):
        subprocess.run(command, check=True)
    told = [(line, at, code, text.replace("@GLIBC_2.2.5", "")) for
            line, at, code, text in disas(tmp_path / "stripped", "main")]
    assert told == disas(whole, "main")


def test_assembler_without_sizes():
    told = disas(asm_program("minimal"), "_start")
    expected = objdump(asm_program("minimal"))["_start"]
    assert [(t[1], t[2]) for t in told][:len(expected)] == \
        [e[:2] for e in expected]


def test_names_and_literals(start):
    """Of calls, data and text; the same in a process."""
    path = go_program("variables", "1.26.8", "pie", flags=["-ldflags=-w"])
    target = start(path)
    for where in (path, target.pid):
        done = run("disas", "--format=csv", where, "main.main")
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        text = "\n".join(r["instruction"] for r in rows)
        assert "CALL strings.Repeat(SB)" in text
        assert "main.barVar(SB)" in text
        assert '"0123456789"' in {r["comment"] for r in rows}
    by_address = run("disas", target.pid, rows[3]["address"]).stdout
    assert by_address == run("disas", target.pid, "main.main").stdout


def test_code_for_another_machine(tmp_path):
    """A header that says so is believed."""
    data = bytearray(c_program("churn", flags=["-pthread"]).read_bytes())
    data[18:20] = (183).to_bytes(2, "little")  # EM_AARCH64
    path = tmp_path / "foreign"
    path.write_bytes(data)
    for command in (["disas", path, "main"], ["allocs", path]):
        done = run(*command)
        assert done.returncode == 1 and "only code for x86-64" in done.stderr
    assert run("syms", path).returncode == 0


def damaged(data, chosen):
    """Cut short, or with some bytes changed: in tables, or anywhere."""
    data = bytearray(data)
    if chosen.randrange(4) == 0:
        return data[:chosen.randrange(len(data))]
    tables = int.from_bytes(data[40:48], "little")
    low, high = chosen.choice([(0, 4096), (0, len(data)),
                               (min(tables, len(data) - 1), len(data))])
    for _ in range(chosen.choice([1, 5, 100])):
        data[chosen.randrange(low, high)] = chosen.choice([0, 255, 0x7f])
    return data


def test_damaged_files(tmp_path):
    """An error, or a smaller answer; never a crash and never for long."""
    chosen = random.Random(11)
    whole = [go_program("variables", "1.26.8", "dwarf"),
             go_program("variables", "1.10.8", "symtab"),
             go_program("variables", "1.18.10", "stripped"),
             c_program("variables")]
    path = tmp_path / "damaged"
    for program in whole * 8:
        path.write_bytes(damaged(program.read_bytes(), chosen))
        for command in (["disas", path, "main.main"], ["disas", path, "main"],
                        ["allocs", path], ["syms", path],
                        ["syms", "--values=yes", "--match=main", path],
                        ["syms", "--literal=hello", path]):
            done = run(*command, errors="replace")
            assert done.returncode in (0, 1), (command, done.stderr)
            assert "Sanitizer" not in done.stderr
            assert "runtime error" not in done.stderr


def test_without_the_library(tmp_path):
    """Only what decodes code needs it."""
    path = c_program("churn", flags=["-pthread"])
    soname = re.search(rb"libZydis[.\w]+", pathlib.Path(MEMWHY).read_bytes())
    (tmp_path / soname[0].decode()).write_text("no library")
    env = dict(os.environ, LD_LIBRARY_PATH=str(tmp_path))
    assert run("elf", path, env=env).returncode == 0
    for command in (["disas", path, "main"],
                    ["syms", "--literal=end", path]):
        done = run(*command, env=env)
        assert done.returncode == 1 and "libzydis-dev" in done.stderr


def test_errors():
    path = go_program("variables", "1.26.8", "stripped")
    done = run("disas", path, "main.mian")
    assert done.returncode == 1 and "main.mian" in done.stderr
    done = run("disas", path, "mai")
    assert done.returncode == 1 and "main.main" in done.stderr
    done = run("disas", path, "1")
    assert done.returncode == 1 and "cannot be read" in done.stderr
    done = run("disas", path)
    assert done.returncode == 2

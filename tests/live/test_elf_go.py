# SPDX-License-Identifier: Apache-2.0
"""`memwhy elf --go` says what `go version -m` says."""

import os
import shutil
import subprocess

import pytest

from conftest import (VARIANTS, cached, debian_file, go_program, npm_file,
                      run, toolchain)
from test_elf import elf


def go_version(path):
    """What `go version -m` says: the version, and lines of fields."""
    done = subprocess.run(["go", "version", "-m", path], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    return first.rsplit(": ", 1)[1], [
        line[1:].split("\t") for line in lines if line.strip()]


def go_lines(answer):
    """The same from what memwhy says."""
    lines = []
    if answer["go"]["path"]:
        lines.append(["path", answer["go"]["path"]])
    for row in answer["go_modules"]["rows"]:
        lines.append([row["kind"], row["path"], row["version"], row["sum"]])
        if row["replaced_by_path"]:
            lines.append(["=>", row["replaced_by_path"],
                          row["replaced_by_version"], row["replaced_by_sum"]])
    for row in answer["go_settings"]["rows"]:
        lines.append(["build", f'{row["key"]}={row["value"]}'])
    return lines


def compare_go(path):
    version, lines = go_version(path)
    answer = elf(path, "--go")
    assert not answer["problems"]
    assert answer["go"]["version"] == version
    trimmed = [[f for f in line] for line in lines]
    for line in trimmed:
        while line[0] in ("mod", "dep", "=>") and len(line) < 4:
            line.append("")
    assert go_lines(answer) == trimmed
    return answer


VERSIONS = ["1.9.7", "1.10.8", "1.11.13", "1.12.17", "1.13.15", "1.14.15",
            "1.15.15", "1.16.15", "1.17.13", "1.18.10", "1.19.13", "1.20.14",
            "1.21.13", "1.22.12", "1.23.12", "1.24.13", "1.25.8", "1.26.8"]


@pytest.mark.parametrize("variant", ["dwarf", "stripped", "pie"])
@pytest.mark.parametrize("version", VERSIONS)
def test_build_info(version, variant):
    path = go_program("objects", version, variant)
    if int(version.split(".")[1]) < 13:
        # There was none yet; the runtime knows its version.
        answer = elf(path, "--go")
        assert answer["go"]["version"] == f"go{version}"
        assert answer["go"]["build_info"] == "none"
        assert answer["go_modules"]["rows"] == []
    else:
        form = "pointers" if int(version.split(".")[1]) < 18 else "inline"
        assert compare_go(path)["go"]["build_info"] == form


def module_program(version, variant):
    """A program of two modules, one of which is replaced by a folder."""
    def make(path):
        root = toolchain(version)
        work = path.with_name(path.name + ".d")
        (work / "dep").mkdir(parents=True)
        (work / "go.mod").write_text(
            "module example.com/main\n\nrequire example.com/dep v1.2.3\n\n"
            "replace example.com/dep => ./dep\n")
        (work / "main.go").write_text(
            'package main\n\nimport "example.com/dep"\n\n'
            "func main() { dep.Hello() }\n")
        (work / "dep" / "go.mod").write_text("module example.com/dep\n")
        (work / "dep" / "dep.go").write_text(
            "package dep\n\nfunc Hello() { println(1) }\n")
        env = dict(os.environ, GOROOT=str(root), GOTOOLCHAIN="local",
                   GOENV="off", GOFLAGS="", GO111MODULE="on",
                   GOPROXY="off", CGO_ENABLED="0")
        done = subprocess.run(
            [root / "bin" / "go", "build", *VARIANTS[variant], "-o", path,
             "."], cwd=work, env=env, capture_output=True, text=True,
            check=False)
        shutil.rmtree(work)
        assert done.returncode == 0, done.stderr

    return cached(f"module-go{version}-{variant}", ["1"], make)


@pytest.mark.parametrize("variant", ["stripped", "pie"])
@pytest.mark.parametrize("version", ["1.13.15", "1.15.15", "1.17.13",
                                     "1.18.10", "1.22.12", "1.26.8"])
def test_modules(version, variant):
    answer = compare_go(module_program(version, variant))
    main, dependency = answer["go_modules"]["rows"]
    assert [main["kind"], main["path"]] == ["mod", "example.com/main"]
    assert [dependency["path"], dependency["version"]] == \
        ["example.com/dep", "v1.2.3"]
    assert dependency["replaced_by_path"] == "./dep"


def test_programs_of_others():
    for path in (debian_file("prometheus", "usr/bin/prometheus"),
                 npm_file("@esbuild/linux-x64", "0.25.0", "bin/esbuild"),
                 toolchain("1.26.8") / "bin" / "go"):
        compare_go(path)


def test_what_is_no_go_program():
    answer = elf("/usr/bin/ls", "--go")
    assert answer["go"] is None
    assert answer["go_packages"]["rows"] == []


# Packages

def nm_sums(path, kinds):
    """Bytes of symbols by package path, and their count, as nm tells them."""
    done = subprocess.run(["nm", "-S", path], capture_output=True, text=True,
                          check=True)
    sums = {}
    for line in done.stdout.splitlines():
        fields = line.split(None, 3)
        if len(fields) == 4 and fields[2] in kinds and \
                int(fields[1], 16) > 0:
            name = fields[3]
            head, slash, tail = name.partition("[")[0].rpartition("/")
            package = head + slash + tail.split(".")[0]
            if ":" in package.split(".")[0] or "(" in package or \
                    name == "runtime.pclntab":
                continue
            entry = sums.setdefault(package, [0, 0])
            entry[0] += int(fields[1], 16)
            entry[1] += 1
    return sums


@pytest.mark.parametrize("version", ["1.9.7", "1.13.15", "1.16.15", "1.18.10",
                                     "1.20.14", "1.24.13", "1.26.8"])
def test_packages(version):
    answer = elf(go_program("objects", version, "symtab"), "--go")
    rows = answer["go_packages"]["rows"]
    assert sum(r["file_bytes"] for r in rows) == \
        answer["summary"]["file_bytes"]
    ours = {r["package"]: r for r in rows if r["kind"] == "package"}
    wanted = nm_sums(go_program("objects", version, "symtab"), "tT")
    for package in ("runtime", "os", "main", "sync", "reflect", "time"):
        if package not in wanted or package not in ours:
            continue
        size, count = wanted[package]
        # The code of a function reaches to the next one.
        assert size <= ours[package]["text_bytes"] + 64
        assert ours[package]["text_bytes"] <= size + 32 * count + 4096
    assert ours["runtime"]["functions"] > 500
    # Nearly all code is of packages.
    left = {r["package"]: r["file_bytes"] for r in rows
            if r["kind"] == "section"}
    assert left.get(".text", 0) < 4096
    # And the most of what the function table points to.
    sections = elf(go_program("objects", version, "symtab"),
                   "--sections")["sections"]["rows"]
    table = [s["size_bytes"] for s in sections if s["name"] == ".gopclntab"]
    assert left.get(".gopclntab", 0) < table[0] / 8
    for kinds, column in (("dD", "data_bytes"), ("bB", "bss_bytes"),
                          ("rR", "rodata_bytes")):
        wanted = nm_sums(go_program("objects", version, "symtab"), kinds)
        for package in ("runtime", "os", "main", "syscall", "time"):
            if package in ours:
                without = ours[package]["types_bytes"] + \
                    ours[package]["strings_bytes"]
                assert ours[package][column] - \
                    without * (column == "rodata_bytes") == \
                    wanted.get(package, [0])[0], (package, column)


def packages(path):
    return {r["package"]: r
            for r in elf(path, "--go")["go_packages"]["rows"]
            if r["kind"] == "package"}


TYPES_VERSIONS = [*VERSIONS, "1.27.4"]


@pytest.mark.parametrize("version", TYPES_VERSIONS)
def test_types_fill_their_place(version):
    """All that describes types lies between two symbols of the linker; what is
    left of it aligns them."""
    path = go_program("objects", version, "symtab")
    done = subprocess.run(["nm", "-n", path], capture_output=True, text=True,
                          check=True)
    symbols = [(int(line.split()[0], 16), line.split(None, 2)[2])
               for line in done.stdout.splitlines() if line[0] != " "]

    def room(*names):
        """Bytes from the first symbol of such a name to the next one that is
        not at the same place."""
        at = min(a for a, n in symbols if n in names)
        return min(a for a, n in symbols if a > at and (
            n[:2] == "go" or n.startswith("runtime."))) - at

    types = sum(r["types_bytes"] for r in packages(path).values())
    itabs = [n for _, n in symbols if n.startswith(("go.itab.", "go:itab."))]
    place = room("type.*", "type:*")
    masks = room("runtime.gcbits.*")
    # Those of most interfaces have few methods.
    assert types <= place + masks + 128 * len(itabs)
    assert types >= 0.87 * place + 32 * len(itabs)
    for variant in ("stripped", "pie"):
        assert sum(r["types_bytes"] for r in packages(
            go_program("objects", version, variant)).values()) == types


def program_of(kind, version, count, code, source, *flags):
    """A program whose main package runs this code with one of its own."""
    def make(path):
        root = toolchain(version)
        work = path.with_name(path.name + ".d")
        (work / "src/some.where/v2/dep").mkdir(parents=True)
        (work / "src/main").mkdir()
        (work / "src/main/main.go").write_text(
            'package main\n\nimport "some.where/v2/dep"\n\n'
            "func main() { " + code + " }\n")
        (work / "src/some.where/v2/dep/dep.go").write_text(
            "package dep\n\n" + source)
        done = subprocess.run(
            [root / "bin" / "go", "build", *flags, "-o", path, "main"],
            capture_output=True, text=True, check=False,
            env=dict(os.environ, GOROOT=str(root), GOTOOLCHAIN="local",
                     GOENV="off", GOFLAGS="", GO111MODULE="off",
                     GOPATH=str(work), CGO_ENABLED="0"))
        shutil.rmtree(work)
        assert done.returncode == 0, done.stderr

    return cached(f"{kind}-go{version}", ["3", count, *flags], make)


def program_of_types(version, count):
    """Its package has so many struct types."""
    return program_of(
        "types", version, count,
        "for _, x := range dep.All { println(x) }",
        "".join(f"type T{i:03} struct {{ A, B int }}\n"
                for i in range(count)) +
        "\nvar All = []interface{}{" +
        ", ".join(f"T{i:03}{{}}" for i in range(count)) + "}\n",
        "-ldflags=-s -w")


@pytest.mark.parametrize("version", TYPES_VERSIONS)
def test_types_of_a_package(version):
    """A struct of two fields takes 80 + 2 * 24 bytes, and 16 for its package;
    its name 9, and two or three before it; and a pointer to it 56."""
    few, many = (packages(program_of_types(version, n))
                 for n in (100, 200))
    name = "some.where/v2/dep"
    grown = {p: many[p]["types_bytes"] - few[p]["types_bytes"]
             for p in many if p in few}
    minor = int(version.split(".")[1])
    each = 80 + 2 * 24 + 16 + 9 + (3 if minor < 17 else 2)
    assert grown.pop(name) in (100 * each, 100 * (each + 56))
    # The array of all of them: which of its words are pointers.
    assert grown.pop("(types of no package)") in (0, 200 // 8)
    assert not any(grown.values())


def program_of_text(version, count, *flags):
    """Its package has a text that main has, too, so many of its own in code,
    one in a variable, and some in a list, which has no symbol."""
    return program_of(
        "text", version, count,
        f'dep.Set(len(dep.Sink)); println(dep.Sink); '
        f'dep.Sink = "{"shared":*^100}"',
        "var Sink string\n\nfunc Set(i int) {\n"
        f'\tif i == -1 {{ Sink = "{"shared":*^100}" }}\n' + "".join(
            f'\tif i == {i} {{ Sink = "{f"code {i}":*^100}" }}\n'
            for i in range(count)) +
        "\tif i < len(All) { Sink = All[i] + One }\n}\n\n"
        f'var One = "{"data":*^{count}}"\n'
        "var All = []string{" + ", ".join(
            f'"{f"data {i}":*^50}"' for i in range(10)) + "}\n",
        *flags)


@pytest.mark.parametrize("version, flags, in_data", [
    pytest.param(version, flags, in_data, id=f"{version}-{name}")
    for version in TYPES_VERSIONS
    for name, flags, in_data in [
        ("stripped", ["-ldflags=-s -w"], 0),
        ("symbols", ["-ldflags=-w"], 100),
        ("pie", ["-buildmode=pie", "-ldflags=-s -w"], 0),
        ("pie-symbols", ["-buildmode=pie", "-ldflags=-w"], 100)]
    # Before 1.15 -buildmode=pie wants cgo.
    if "pie" not in name or int(version.split(".")[1]) >= 15])
def test_strings_of_a_package(version, flags, in_data):
    """What a variable refers to has an owner where that has a symbol."""
    few, many = (packages(program_of_text(version, n, *flags))
                 for n in (100, 200))
    grown = {p: many[p]["strings_bytes"] - few[p]["strings_bytes"]
             for p in many if p in few}
    assert grown.pop("some.where/v2/dep") == 100 * 100 + in_data
    assert not any(grown.values())


@pytest.mark.parametrize("version", ["1.10.8", "1.15.15", "1.26.8"])
@pytest.mark.parametrize("variant", ["stripped", "pie"])
def test_sizes_add_up(version, variant):
    answer = elf(go_program("objects", version, variant), "--go")
    rows = answer["go_packages"]["rows"]
    assert sum(r["file_bytes"] for r in rows) == \
        answer["summary"]["file_bytes"]
    assert all(r["file_bytes"] == r["text_bytes"] + r["pclntab_bytes"] +
               r["rodata_bytes"] + r["data_bytes"]
               for r in rows if r["kind"] == "package")
    data = answer["go"]["moduledata"]
    text = [s for s in elf(go_program("objects", version, variant),
                           "--sections")["sections"]["rows"]
            if s["name"] == ".text"][0]
    start = int(text["address"], 16)
    assert start <= int(data["text"]["start"], 16)
    assert int(data["text"]["end"], 16) <= start + text["size_bytes"]


def test_a_running_program(start):
    target = start(go_program("objects", "1.26.8", "stripped"))
    live = elf(target, "--go")
    file = elf(go_program("objects", "1.26.8", "stripped"), "--go")
    assert live["go"] == file["go"]
    assert live["go_packages"] == file["go_packages"]


@pytest.mark.skipif(not shutil.which("readelf"), reason="no readelf")
def test_plugin_file(tmp_path):
    """Its pointers are relocations against symbols that it defines itself."""
    plugin = go_program("plugged", "1.26.8", "symtab", cgo=True,
                        flags=("-buildmode=plugin",))
    relocs = [line.split() for line in subprocess.run(
        ["readelf", "-rW", plugin], check=True, capture_output=True,
        text=True, errors="replace").stdout.splitlines()]
    for kind in ("R_X86_64_64", "R_X86_64_GLOB_DAT"):
        own = [f for f in relocs if len(f) == 7 and f[2] == kind and
               int(f[3], 16)]
        assert len(own) > 100
        for at, _, _, value, _, sign, addend in own[:5]:
            done = run("dump", f"--range=0x{at}+8", "-o", tmp_path / "bytes",
                       "--force", plugin)
            assert done.returncode == 0, done.stderr
            want = int(value, 16) + int(sign + addend, 16)
            assert (tmp_path / "bytes").read_bytes() == \
                want.to_bytes(8, "little")
    done = run("allocs", plugin)
    calls, known = (int(n) for n in (
        done.stdout.split()[0], done.stdout.split("type known of ")[1].
        split(",")[0]))
    assert known > calls / 2, done.stdout.splitlines()[0]

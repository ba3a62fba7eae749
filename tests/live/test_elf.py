# SPDX-License-Identifier: Apache-2.0
"""`memwhy elf` says what readelf says, of every kind of file."""

import glob
import json
import os
import re
import subprocess

import pytest

from conftest import (asm_program, c_program, cached, debian_file, go_program,
                      npm_file, run)
from readelf import Readelf, readelf_symbols


def elf(target, *arguments, status=0):
    done = run("elf", "--format=json", *arguments,
               getattr(target, "pid", target), errors="surrogateescape")
    assert done.returncode == status, done.stderr
    answer = json.loads(done.stdout)
    assert answer["schema"] == "memwhy.elf/1"
    return answer


def check_header(ours, theirs):
    header = {key: str(value) for key, value in ours["header"].items()}
    pairs = [("magic", "Magic"), ("class", "Class"), ("data", "Data"),
             ("osabi", "OS/ABI"), ("abi_version", "ABI Version"),
             ("type", "Type"), ("machine", "Machine"), ("version", "Version"),
             ("entry", "Entry point address"),
             ("program_headers_offset", "Start of program headers"),
             ("section_headers_offset", "Start of section headers"),
             ("flags", "Flags"), ("header_bytes", "Size of this header"),
             ("program_header_bytes", "Size of program headers"),
             ("section_header_bytes", "Size of section headers"),
             ("program_headers", "Number of program headers"),
             ("section_headers", "Number of section headers"),
             ("names_section", "Section header string table index")]
    for mine, its in pairs:
        want = theirs.header[its]
        if mine in ("program_headers", "section_headers", "names_section"):
            # "0 (70000)": the true count is the other one.
            want = re.sub(r"^\d+ \((\d+)\)$", r"\1", want)
        elif mine not in ("type", "machine", "data"):
            want = re.split(r" \(|,", want)[0]
        assert header[mine] == want, (mine, want)
    assert header["ident_version"] == \
        str(int(ours["header"]["magic"].split()[6], 16))


def check_sections(ours, theirs):
    rows = ours["sections"]["rows"]
    assert len(rows) == len(theirs.sections)
    for row, want in zip(rows, theirs.sections):
        if row["index"] == 0 and len(rows) > 0xff00:
            continue
        # readelf cuts nothing with -W but prints a name and a type in a row.
        label = f'{row["name"]:<17} {row["type"]}'
        got = [row["index"], label.strip() if not row["name"] else label,
               int(row["address"], 16), row["offset"], row["size_bytes"],
               row["entry_bytes"], row["flags"], row["link"], row["info"],
               row["align"]]
        want = list(want)
        got[1] = " ".join(got[1].split())
        want[1] = " ".join(want[1].split())
        assert got == want


def check_segments(ours, theirs):
    rows = ours["segments"]["rows"]
    assert len(rows) == len(theirs.segments)
    for row, want in zip(rows, theirs.segments):
        assert [row["type"][:14], row["offset"], int(row["address"], 16),
                int(row["physical_address"], 16), row["file_bytes"],
                row["memory_bytes"], row["flags"], row["align"]] == want
    for row in rows:
        if not theirs.sections:
            continue
        assert row["sections"].split() == \
            theirs.mapping.get(row["index"], []), row


def dynamic_text(row):
    """How readelf writes the value of an entry, for those it spells out."""
    name, text, value = row["name"], row["text"], int(row["value"], 16)
    strings = {"NEEDED": "Shared library", "SONAME": "Library soname",
               "RPATH": "Library rpath", "RUNPATH": "Library runpath",
               "AUXILIARY": "Auxiliary library", "FILTER": "Filter library",
               "CONFIG": "Configuration file",
               "DEPAUDIT": "Dependency audit library",
               "AUDIT": "Audit library"}
    if name in strings and text is not None:
        return f"{strings[name]}: [{text}]"
    if name in ("FLAGS_1", "FEATURE", "POSFLAG_1", "GNU_FLAGS_1"):
        return f"Flags: {text}"
    if text is not None:
        return text
    if name.endswith("SZ") or name in ("RELENT", "RELAENT", "SYMENT",
                                       "RELRENT", "MOVEENT"):
        return f"{value} (bytes)"
    if name in ("VERDEFNUM", "VERNEEDNUM", "RELACOUNT", "RELCOUNT"):
        return str(value)
    if name == "BIND_NOW":
        return ""
    return f"0x{value:x}"


def check_dynamic(ours, theirs):
    rows = ours["dynamic"]["rows"]
    assert len(rows) == len(theirs.dynamic)
    for row, (tag, name, text) in zip(rows, theirs.dynamic):
        assert [int(row["tag"], 16), row["name"]] == [tag, name]
        if not 0x70000000 <= tag < 0x7ffffffd:
            assert dynamic_text(row) == text
            continue
        # How values are written differs from machine to machine.
        number = re.match(r"(0x[0-9a-f]+|\d+)( \(bytes\))?$", text)
        assert not number or int(number[1], 0) == int(row["value"], 16)


def note_text(row):
    """What readelf says of a note, from what memwhy says."""
    text = row["text"]
    if row["name"].startswith("NT_GNU_BUILD_ID"):
        return f"Build ID: {text}"
    if row["name"].startswith("NT_GNU_PROPERTY"):
        return f"Properties: {text}"
    if row["name"].startswith("NT_GNU_GOLD"):
        return f"Version: {text}"
    if row["name"].startswith("NT_GNU_ABI_TAG"):
        return text
    return None


def check_notes(ours, theirs):
    rows = [r for r in ours["notes"]["rows"]
            if not r["owner"].startswith("GA")]
    wanted = [n for n in theirs.notes if not n[0].startswith("GA")]
    if "expecting 4 or 8" in theirs.warnings:
        # readelf leaves out the note that Go 1.9 aligned to 32.
        assert rows[0]["owner"] == "Go" and rows[0]["text"]
        rows.pop(0)
    got = [[r["owner"], r["description_bytes"], r["name"]] for r in rows]
    assert got == [[("" if o == "(NONE)" else o), b, n]
                   for o, b, n, _ in wanted]
    for row, want in zip(rows, wanted):
        said = note_text(row)
        if said is not None:
            assert said.split() == want[3].split()
        elif "description data:" in want[3]:
            digits = want[3].split("description data:")[1].replace(" ", "")
            assert row["description"].rstrip("…") == \
                digits[:2 * 1024], row


def check_layout(ours):
    rows = ours["layout"]["rows"]
    size = ours["header"]["file_bytes"]
    summary = ours["summary"]
    assert sum(r["own_bytes"] for r in rows) == size
    assert sum(v for k, v in summary.items() if k.endswith("_bytes") and
               k not in ("file_bytes", "zero_bytes")) == size
    # What is said to be one piece's alone is no other's.
    at = 0
    for row in rows:
        start = row["offset"] + row["bytes"] - row["own_bytes"]
        if row["own_bytes"]:
            assert start == at
            at = start + row["own_bytes"]
    assert at == size
    # Every section with bytes is told, and told whole, if it is in the file.
    told = {(r["name"], r["offset"], r["bytes"]) for r in rows
            if r["kind"] == "section"}
    for section in ours["sections"]["rows"][1:]:
        if section["type"] in ("NOBITS", "NULL") or \
                not section["size_bytes"] or \
                section["offset"] + section["size_bytes"] > size:
            continue
        assert (section["name"], section["offset"],
                section["size_bytes"]) in told


def compare(path):
    path = str(path)
    theirs = Readelf(path)
    ours = elf(path)
    assert ours["header"]["file_bytes"] == os.path.getsize(path)
    assert not ours["problems"]
    check_header(ours, theirs)
    check_sections(ours, theirs)
    check_segments(ours, theirs)
    check_dynamic(ours, theirs)
    check_notes(ours, theirs)
    check_layout(ours)
    return ours


def elf_files(*patterns):
    """Files that begin like ELF files, each one once."""
    found = {}
    for pattern in patterns:
        for path in glob.glob(pattern):
            real = os.path.realpath(path)
            try:
                with open(real, "rb") as file:
                    if file.read(4) == b"\x7fELF":
                        found[real] = path
            except OSError:
                pass
    return sorted(found)


@pytest.mark.parametrize("patterns", [
    ["/usr/bin/[a-d]*", "/usr/sbin/[a-m]*"], ["/usr/bin/[e-m]*"],
    ["/usr/bin/[n-z]*", "/usr/sbin/[n-z]*"],
    ["/usr/lib/x86_64-linux-gnu/lib[a-f]*.so*"],
    ["/usr/lib/x86_64-linux-gnu/lib[g-m]*.so*"],
    ["/usr/lib/x86_64-linux-gnu/lib[n-z]*.so*",
     "/usr/lib/x86_64-linux-gnu/*/*.so*", "/usr/lib*/ld*"],
    ["/usr/lib/x86_64-linux-gnu/*.o", "/usr/lib/gcc/x86_64-linux-gnu/*/*.o",
     "/usr/lib/gcc/x86_64-linux-gnu/*/*/*.o", "/usr/lib32/*.o"],
    ["/usr/lib32/*.so*", "/usr/libx32/*.so*", "/usr/libx32/*.o"],
], ids=lambda patterns: patterns[0])
def test_files_of_the_system(patterns):
    files = elf_files(*patterns)
    if not files:
        pytest.skip(f"no ELF file is called {patterns}")
    for path in files:
        compare(path)



# Files of kinds that a system does not have

def built(name, source, suffix, *commands):
    """What commands make of a source, with {source}, {out} filled in."""
    def make(path):
        text = path.with_name(path.name + suffix)
        text.write_text(source)
        for command in commands:
            subprocess.run([c.format(source=text, out=path)
                            for c in command], check=True)
        text.unlink()

    return cached(name, [source, commands], make)


CXX = """
#include <cstdio>
#include <map>
#include <string>
template <int N> struct S { virtual ~S() {} virtual int f() { return N; } };
thread_local int counter = 5;
thread_local int zeroed;
int main() {
    std::map<std::string, int> m{{"a", 1}};
    S<1> one; S<2> two;
    counter++; zeroed++;
    std::printf("%d\\n", one.f() + two.f() + m["a"]);
}
"""


def cxx(name, *flags):
    return built(f"elf-{name}", CXX, ".cc",
                 ["g++", "-g", "-O1", *flags, "-o", "{out}", "{source}"])


@pytest.mark.parametrize("flags", [
    ["-c"], ["-c", "-ffunction-sections", "-fdata-sections"],
    ["-static"], ["-static-pie"], ["-no-pie"], ["-shared", "-fPIC"],
    ["-Wl,-z,noseparate-code"], ["-Wl,--build-id=none", "-s"],
    ["-fcf-protection=full", "-Wl,-z,now"],
    ["-Wl,-rpath,/some/where", "-Wl,-z,nodelete,-z,origin"],
    ["-Wl,-z,max-page-size=0x200000"], ["-Wl,--hash-style=both"],
    ["-Wl,-z,pack-relative-relocs"], ["-r"], ["-fuse-ld=gold"],
], ids=lambda flags: " ".join(flags))
def test_c_plus_plus(flags):
    try:
        path = cxx("cxx", *flags)
    except subprocess.CalledProcessError:
        pytest.skip(f"g++ {flags} does not work here")
    compare(path)


@pytest.mark.parametrize("flags", [["-m32"], ["-m32", "-c"],
                                   ["-m32", "-static"], ["-mx32", "-c"]],
                         ids=lambda flags: " ".join(flags))
def test_32_bits(flags):
    compare(built("elf-32", "int x = 1, y; int main(void) { return y; }", ".c",
                  ["gcc", "-g", *flags, "-o", "{out}", "{source}"]))


@pytest.mark.parametrize("kind", ["zlib", "zlib-gnu", "zlib-gabi", "zstd"])
def test_compressed_debug_information(kind):
    plain = cxx("plain", "-c")

    def make(path):
        subprocess.run(["objcopy", f"--compress-debug-sections={kind}", plain,
                        path], check=True)

    try:
        path = cached(f"elf-compressed-{kind}", [CXX, kind], make)
    except subprocess.CalledProcessError:
        pytest.skip(f"objcopy cannot compress with {kind}")
    answer = compare(path)
    sizes = {r["name"]: r["size_bytes"]
             for r in elf(plain)["sections"]["rows"]}
    names = {"zlib-gabi": "zlib"}
    count = 0
    for row in answer["sections"]["rows"]:
        if row["compression"] is None:
            assert "C" not in row["flags"]
            assert not row["name"].startswith(".zdebug")
            continue
        count += 1
        assert row["compression"] == names.get(kind, kind)
        name = row["name"].replace(".zdebug", ".debug")
        assert row["uncompressed_bytes"] == sizes[name]
        assert row["size_bytes"] < sizes[name]
    assert count > 3


def test_compiled_with_compression():
    answer = compare(cxx("gz", "-c", "-gz=zlib"))
    rows = [r for r in answer["sections"]["rows"] if r["compression"]]
    assert rows and all("C" in r["flags"] for r in rows)


@pytest.mark.parametrize("version", ["1.9.7", "1.11.13", "1.16.15",
                                     "1.20.14", "1.26.8"])
def test_go_compresses_its_debug_information(version):
    packed = compare(go_program("objects", version, "dwarf"))
    plain = elf(go_program("objects", version, "dwarf",
                           flags=["-ldflags=-compressdwarf=false"])
                if version != "1.9.7" else
                go_program("objects", version, "dwarf"))
    sizes = {r["name"]: r["size_bytes"] for r in plain["sections"]["rows"]}
    rows = [r for r in packed["sections"]["rows"] if r["compression"]]
    assert rows or version == "1.9.7"
    for row in rows:
        name = row["name"].replace(".zdebug", ".debug")
        # Both builds tell the paths of their flags; only those may differ.
        assert abs(row["uncompressed_bytes"] - sizes[name]) <= 64


@pytest.mark.parametrize("variant", ["dwarf", "symtab", "stripped", "pie"])
@pytest.mark.parametrize("version", [
    "1.9.7", "1.10.8", "1.11.13", "1.12.17", "1.13.15", "1.14.15", "1.15.15",
    "1.16.15", "1.17.13", "1.18.10", "1.19.13", "1.20.14", "1.21.13",
    "1.22.12", "1.23.12", "1.24.13", "1.25.8", "1.26.8"])
def test_go_programs(version, variant):
    compare(go_program("objects", version, variant))


@pytest.mark.parametrize("version", ["1.9.7", "1.15.15", "1.20.14", "1.26.8"])
def test_go_programs_with_c(version):
    compare(go_program("cgo", version, "dwarf", cgo=True))


def test_the_smallest_programs():
    for name in ("minimal", "minimal_data"):
        answer = compare(asm_program(name))
        kinds = {r["kind"] for r in answer["layout"]["rows"]}
        assert {"header", "program headers", "section headers",
                "section"} <= kinds


def test_a_program_without_sections():
    def make(path):
        data = bytearray(asm_program("minimal_data").read_bytes())
        data[0x28:0x30] = bytes(8)  # e_shoff
        data[0x3a:0x40] = bytes(6)  # e_shentsize, e_shnum, e_shstrndx
        path.write_bytes(data)

    answer = compare(cached("elf-no-sections", ["1"], make))
    assert answer["sections"]["rows"] == []
    assert "segment" in {r["kind"] for r in answer["layout"]["rows"]}


def test_a_program_whose_sections_are_only_hidden(tmp_path):
    """The header still counts a table of which it does not tell the place."""
    data = bytearray(asm_program("minimal_data").read_bytes())
    data[0x28:0x30] = bytes(8)  # e_shoff
    path = tmp_path / "hidden"
    path.write_bytes(data)
    answer = compare(path)
    assert answer["header"]["section_headers"] > 0
    assert answer["sections"]["rows"] == []


def test_more_sections_than_a_header_can_count():
    source = "".join(f".section .s{i}\n.byte 1\n" for i in range(70000))
    path = built("elf-many-sections", source, ".s",
                 ["as", "-o", "{out}", "{source}"])
    answer = compare(path)
    assert answer["header"]["section_headers"] > 70000


def test_a_kernel_module():
    # Their names change with the kernel's updates.
    packages = subprocess.run(
        ["apt-cache", "search", "--names-only",
         "^linux-image-[0-9.-]+-cloud-amd64-unsigned$"], check=True,
        capture_output=True, text=True).stdout.split("\n")
    folder = debian_file(packages[0].split()[0], "lib/modules")
    modules = sorted(folder.glob("*/kernel/**/*.ko"))
    assert len(modules) > 100
    for path in modules[::max(1, len(modules) // 25)]:
        compare(path)


@pytest.mark.parametrize("package", [
    "libc6-s390x-cross", "libc6-ppc64-cross", "libc6-mips-cross",
    "libc6-arm64-cross", "libc6-armhf-cross", "libc6-riscv64-cross",
    "libc6-sparc64-cross", "libc6-m68k-cross"])
def test_other_machines(package):
    folder = debian_file(package, "usr")
    files = elf_files(f"{folder}/*/lib/*")
    assert len(files) > 5
    for path in files:
        compare(path)


def test_separate_debug_information():
    folder = debian_file("libc6-dbg", "usr/lib/debug/.build-id")
    files = elf_files(f"{folder}/*/*.debug")
    assert len(files) > 100
    for path in files[::10]:
        compare(path)


def test_programs_of_others():
    compare(debian_file("prometheus", "usr/bin/prometheus"))
    compare(npm_file("@esbuild/linux-x64", "0.25.0", "bin/esbuild"))


def test_a_file_of_more_than_a_gigabyte(tmp_path):
    """A hole of 1.5 GB in the middle: nothing is slow or large for it."""
    path = tmp_path / "sparse"
    hole = 3 << 29
    data = bytearray(asm_program("minimal_data").read_bytes())
    table = int.from_bytes(data[0x28:0x30], "little")
    data[0x28:0x30] = (table + hole).to_bytes(8, "little")
    with open(path, "wb") as file:
        file.write(data[:table])
        file.truncate(table + hole)
        file.seek(table + hole)
        file.write(data[table:])
    answer = compare(path)
    gap = max(answer["layout"]["rows"], key=lambda r: r["own_bytes"])
    assert gap["own_bytes"] >= hole and gap["kind"] == "gap"


# Symbols

@pytest.mark.parametrize("flag, table", [("--syms", "symtab"),
                                         ("--dyn-syms", "dynsym")])
def test_symbols(flag, table):
    for path in (cxx("plain"), cxx("plain", "-c"),
                 go_program("objects", "1.26.8", "symtab"),
                 c_program("kinds"), "/usr/lib/x86_64-linux-gnu/libc.so.6"):
        wanted = readelf_symbols(path, flag)
        answer = elf(path, "--symbols")
        rows = [r for r in answer["symbols"]["rows"] if r["table"] == table]
        both = subprocess.run(["readelf", "-SW", path], capture_output=True,
                              text=True, check=True).stdout
        if table == "symtab" and " SYMTAB " not in both:
            assert not rows
            continue
        if table == "symtab" and " DYNSYM " in both:
            # --syms prints the dynamic ones first.
            wanted = wanted[len(readelf_symbols(path, "--dyn-syms")):]
        assert len(rows) == len(wanted)
        for row, want in zip(rows, wanted):
            name = row["name"]
            if row["type"] == "SECTION" and not name:
                want[7] = ""
            assert [row["index"], int(row["value"], 16), row["size_bytes"],
                    row["type"], row["bind"], row["visibility"]] == want[:6]
            if " " not in name and "@" not in name:
                assert name == want[7]

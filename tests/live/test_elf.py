# SPDX-License-Identifier: Apache-2.0
"""`memwhy elf` says what readelf says, of every kind of file."""

import glob
import json
import os
import re
import subprocess

import pytest

from conftest import run
from readelf import Readelf


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
    told = [(r["name"], r["offset"], r["bytes"]) for r in rows
            if r["kind"] == "section"]
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


# Go

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

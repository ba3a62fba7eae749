#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Ask readelf how it spells every ELF constant; write src/elf/elf_names.def.

readelf is given small files, made here, in which each possible value occurs,
and what it prints for those it knows becomes a line of the table:

    N(table, machine, value, "name")

machine is EM_NONE where the name holds for every machine. Values that readelf
does not know are spelt by rules, in elf_names.c.

    tools/elf_names.py >src/elf/elf_names.def
"""

import os
import re
import struct
import subprocess
import sys
import tempfile

SECTION_RANGES = [(0, 0x40), (0x60000000, 0x60000010),
                  (0x6fff4700, 0x6fff4810), (0x6fff4c00, 0x6fff4c20),
                  (0x6ffff700, 0x70000000), (0x70000000, 0x700000a8),
                  (0x7fffff00, 0x80000000)]
MACHINE_SECTIONS = [(0x70000000, 0x700000a8), (0x7ff00000, 0x7ff00010),
                    (0x7fffffe0, 0x80000000), (0x60000000, 0x60000010)]
SEGMENT_RANGES = [(0, 0x20), (0x60000000, 0x60000020),
                  (0x6474e540, 0x6474e570), (0x65041580, 0x65041584),
                  (0x65a3dbe0, 0x65a3dbf0), (0x65a41be6, 0x65a41be7),
                  (0x6ffffff0, 0x70000010)]
MACHINE_SEGMENTS = [(0x60000000, 0x60000020), (0x70000000, 0x70000010)]
TAG_RANGES = [(1, 0x40), (0x6000000d, 0x60000030), (0x6ffffd00, 0x70000000),
              (0x7ffffff0, 0x80000000)]
MACHINE_TAGS = [(0x60000000, 0x60000030), (0x70000000, 0x70000080)]
# Owners of notes that readelf tells from others, which "" stands for.
NOTE_OWNERS = ["", "GNU", "stapsdt", "FreeBSD", "OpenBSD"]
NOTE_TYPES = [*range(0, 0x30), *range(0x100, 0x110), *range(0x200, 0x205),
              *range(0x300, 0x310), *range(0x400, 0x410), 0x46494c45,
              0x46e62b7f, 0x4643432b, 0x53494749, 0x5346444f, 0xcafe1a7e,
              0x554e5944, 0x900, *range(0x500, 0x508), *range(0x800, 0x80f),
              *range(0xa00, 0xa08)]


# readelf cuts names of segments after 14 characters; what follows them.
CUT = {"OPENBSD_RANDOM": "IZE", "OPENBSD_WXNEED": "ED",
       "OPENBSD_BOOTDA": "TA", "AARCH64_ARCHEX": "T",
       "AARCH64_MEMTAG": "_MTE", "RISCV_ATTRIBUT": "ES"}


def values(ranges):
    return [v for start, end in ranges for v in range(start, end)]


def header(machine=62, osabi=0, kind=3, **more):
    f = {"phnum": 0, "shnum": 0, "phoff": 0, "shoff": 0, "strndx": 0, **more}
    return (b"\x7fELF\2\1\1" + bytes([osabi]) + bytes(8) +
            struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, f["phoff"],
                        f["shoff"], 0, 64, 56, f["phnum"], 64, f["shnum"],
                        f["strndx"]))


def with_sections(types, machine):
    names = b"\0.shstrtab\0.x\0"
    table = [bytes(64), struct.pack("<IIQQQQIIQQ", 1, 3, 0, 0, 64, len(names),
                                    0, 0, 1, 0)]
    table += [struct.pack("<IIQQQQIIQQ", 11, t, 0, 0, 0, 0, 0, 0, 0, 0)
              for t in types]
    return (header(machine, shnum=len(table), shoff=80, strndx=1) +
            names.ljust(16, b"\0") + b"".join(table))


def with_segments(types, machine):
    return header(machine, phnum=len(types), phoff=64) + b"".join(
        struct.pack("<IIQQQQQQ", t, 4, 0, 0, 0, 0, 0, 0) for t in types)


def with_dynamic(tags, machine):
    table = b"".join(struct.pack("<QQ", t, 1) for t in tags) + bytes(16)
    segment = struct.pack("<IIQQQQQQ", 2, 4, 120, 0, 0, len(table),
                          len(table), 8)
    return header(machine, phnum=1, phoff=64) + segment + table


def with_relocations(types, machine):
    table = b"".join(struct.pack("<QQq", 0, t, 0) for t in types)
    names = b"\0.shstrtab\0.rela\0"
    at = 64 + len(table)
    return (header(machine, kind=1, shnum=3, shoff=at + 24, strndx=1) + table +
            names.ljust(24, b"\0") + bytes(64) +
            struct.pack("<IIQQQQIIQQ", 1, 3, 0, 0, at, len(names), 0, 0, 1, 0) +
            struct.pack("<IIQQQQIIQQ", 11, 4, 0, 0, 64, len(table), 0, 0, 8,
                        24))


def with_note(owner, kind, value):
    name = owner.encode() + b"\0"
    padded = name + bytes(-len(name) % 4)
    table = struct.pack("<III", len(name), 0, value) + padded
    segment = struct.pack("<IIQQQQQQ", 4, 4, 120, 0, 0, len(table),
                          len(table), 4)
    return header(62, kind=kind, phnum=1, phoff=64) + segment + table


class Readelf:
    def __init__(self):
        self.folder = tempfile.mkdtemp()

    def __call__(self, flag, *images):
        paths = []
        for i, image in enumerate(images):
            paths.append(f"{self.folder}/{i}")
            with open(paths[-1], "wb") as file:
                file.write(image)
        done = subprocess.run(["readelf", flag, "-W", *paths],
                              capture_output=True, text=True,
                              env=dict(os.environ, LC_ALL="C"),
                              errors="replace", check=False)
        return done.stdout

    def fields(self, key, images):
        return re.findall(rf"^  {key}: +(.*)$", self("-h", *images), re.M)


def known(name):
    return "<unknown" not in name and not re.match(
        r"LO(OS|PROC|USER)\+|(OS|Processor|Operating System|Application)"
        r"[- ][Ss]pecific|Unknown note", name)


def emit(table, machine, value, name):
    text = name.replace("\\", "\\\\").replace('"', '\\"')
    print(f'N({table}, {machine}, 0x{value:x}, "{text}")')


def main():
    readelf = Readelf()
    version = subprocess.run(["readelf", "--version"], capture_output=True,
                             text=True, check=True).stdout.splitlines()[0]
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print(f"/* Made by tools/elf_names.py with {version}. */")

    machines = []
    for base in range(0, 0x10000, 2048):
        part = [header(m) for m in range(base, base + 2048)]
        for i, name in enumerate(readelf.fields("Machine", part)):
            if known(name):
                machines.append(base + i)
                emit("MACHINE", 0, base + i, name)
    for table, key, images in (
            ("TYPE", "Type", [header(kind=k) for k in range(16)]),
            ("OSABI", "OS/ABI", [header(0, osabi=a) for a in range(256)])):
        for value, name in enumerate(readelf.fields(key, images)):
            if known(name):
                emit(table, 0, value, name)
    for machine in machines:
        generic = readelf.fields("OS/ABI", [header(0, osabi=a)
                                            for a in range(64, 256)])
        own = readelf.fields("OS/ABI", [header(machine, osabi=a)
                                        for a in range(64, 256)])
        for i, name in enumerate(own):
            if known(name) and name != generic[i]:
                emit("OSABI", machine, 64 + i, name)

    def table(name, flag, make, pattern, ranges, own_ranges):
        common = {}
        for machine in [0, *machines[1:]]:
            wanted = values(own_ranges if machine else ranges)
            found = re.findall(pattern, readelf(flag, make(wanted, machine)),
                               re.M)
            if name == "TAG":
                found.pop()  # NULL, which ends the table
            assert len(found) == len(wanted), (name, machine, len(found))
            for value, text in zip(wanted, found):
                text = text.strip()
                text += CUT.get(text, "") if name == "SEGMENT" else ""
                if known(text) and common.get(value) != text:
                    emit(name, machine, value, text)
                    if not machine:
                        common[value] = text

    table("SECTION", "-S", with_sections, r"^  \[ *\d+\] \.x +(.*?) +[0-9a-f]{16} ",
          SECTION_RANGES, MACHINE_SECTIONS)
    table("SEGMENT", "-l", with_segments, r"^  (.{14}) 0x", SEGMENT_RANGES,
          MACHINE_SEGMENTS)
    table("TAG", "-d", with_dynamic, r"^ 0x[0-9a-f]+ \((.*?)\) ", TAG_RANGES,
          MACHINE_TAGS)

    common = set()
    for owner in NOTE_OWNERS:
        for kind, name in ((3, "NOTE"), (4, "CORE_NOTE")):
            images = [with_note(owner, kind, t) for t in NOTE_TYPES]
            files = readelf("-n", *images).split("\nFile: ")[1:]
            assert len(files) == len(NOTE_TYPES)
            for value, text in zip(NOTE_TYPES, files):
                text = re.search(r"0x0000000[0-9a-f]\t([^\t\n]*)", text)
                text = text[1].strip() if text else "Unknown note"
                line = (name, value, text)
                if known(text) and line not in common:
                    if not owner:
                        common.add(line)
                    print(f'NOTE({name}, "{owner}", 0x{value:x}, "{text}")')

    # Code is only read for this machine.
    types = range(64)
    found = re.findall(r"^[0-9a-f]{16}  [0-9a-f]{16} (R_X86_64_\S+|unrecog)",
                       readelf("-r", with_relocations(types, 62)), re.M)
    assert len(found) == len(types)
    for value, text in zip(types, found):
        if text != "unrecog":
            emit("RELOCATION", 62, value, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""ELF files, packed field by field, so that each field can be given a value that
no linker writes.
"""

import struct

from corpus import save

PT_LOAD, PT_DYNAMIC, PT_NOTE = 1, 2, 4
SHT_PROGBITS, SHT_STRTAB, SHT_DYNAMIC, SHT_NOBITS = 1, 3, 6, 8
SHF_ALLOC, SHF_COMPRESSED = 2, 0x800
PN_XNUM = SHN_XINDEX = 0xffff
BASE = 0x400000

EHDR = ("type machine version entry phoff shoff flags ehsize phentsize phnum "
        "shentsize shnum shstrndx").split()
SHDR = "name type flags addr offset size link info align entsize".split()
FORMATS = {
    32: dict(word="I", ehdr="HHIIIIIHHHHHH", phdr="IIIIIIII",
             shdr="IIIIIIIIII", dyn="iI",
             phdr_fields="type offset vaddr paddr filesz memsz flags align"),
    64: dict(word="Q", ehdr="HHIQQQIHHHHHH", phdr="IIQQQQQQ",
             shdr="IIQQQQIIQQ", dyn="qQ",
             phdr_fields="type flags offset vaddr paddr filesz memsz align"),
}


class Elf:
    """An ELF file: header, program headers, sections' bytes, section headers.

    Add segments and sections, lay it out, change any field, and pack it.
    """

    def __init__(self, bits=64, order="<"):
        self.bits, self.order, self.format = bits, order, FORMATS[bits]
        self.ident = bytearray(b"\x7fELF" + bytes(
            [bits // 32, 1 if order == "<" else 2, 1]) + bytes(9))
        self.header, self.segments = {}, []
        self.sections = [dict.fromkeys(SHDR, 0) | {"data": b""}]
        self.names = b"\0"

    def pack(self, layout, *values):
        """Numbers, cut to the size of their fields."""
        sizes = [struct.calcsize("=" + c) * 8 for c in layout]
        values = [value & (1 << size) - 1 if c.isupper() else value
                  for c, size, value in zip(layout, sizes, values)]
        return struct.pack(self.order + layout, *values)

    def bytes_of(self, kind):
        return struct.calcsize("=" + self.format[kind]) + \
            (16 if kind == "ehdr" else 0)

    def section(self, name, data=b"", type=SHT_PROGBITS, **fields):
        at = len(self.names)
        self.names += name + b"\0"
        self.sections.append(dict.fromkeys(SHDR, 0) | {
            "name": at, "type": type, "data": data, "size": len(data),
            "align": 1} | fields)
        return self.sections[-1]

    def segment(self, type, section=None, **fields):
        self.segments.append(dict(type=type, section=section, flags=5,
                                  align=4) | fields)

    def layout(self):
        """Give everything its place, and the section names a section."""
        names = self.section(b".shstrtab", type=SHT_STRTAB)
        names["data"], names["size"] = self.names, len(self.names)
        at = self.bytes_of("ehdr") + len(self.segments) * self.bytes_of("phdr")
        for section in self.sections[1:]:
            at += -at % 8
            section["offset"] = at
            if section["flags"] & SHF_ALLOC:
                section["addr"] = BASE + at
            at += len(section["data"])
        self.header = dict(
            type=3, machine=62, version=1, entry=BASE,
            phoff=self.bytes_of("ehdr") if self.segments else 0,
            shoff=at + -at % 8, flags=0, ehsize=self.bytes_of("ehdr"),
            phentsize=self.bytes_of("phdr"), phnum=len(self.segments),
            shentsize=self.bytes_of("shdr"), shnum=len(self.sections),
            shstrndx=len(self.sections) - 1)
        for segment in self.segments:
            part = segment.pop("section")
            offset, size = ((part["offset"], part["size"]) if part
                            else (0, self.header["shoff"]))
            segment.update({
                "offset": offset, "vaddr": BASE + offset,
                "paddr": BASE + offset, "filesz": size, "memsz": size,
            } | segment)
        return self

    def bytes(self):
        data = bytearray(self.ident)
        data += self.pack(self.format["ehdr"], *(self.header[k] for k in EHDR))
        fields = self.format["phdr_fields"].split()
        for segment in self.segments:
            data += self.pack(self.format["phdr"],
                              *(segment[k] for k in fields))
        for section in self.sections[1:]:
            data += bytes(-len(data) % 8) + section["data"]
        data += bytes(-len(data) % 8)
        for section in self.sections:
            data += self.pack(self.format["shdr"], *(section[k] for k in SHDR))
        return bytes(data)


def note(elf, name=b"GNU\0", type=3, desc=bytes(range(20)), align=4):
    data = elf.pack("III", len(name), len(desc), type)
    for part in (name, desc):
        data += part + bytes(-(len(data) + len(part)) % align)
    return data


def library(bits=64, order="<", soname=b"libtest.so.1", notes=None, tags=None):
    """A shared library with a name and a build-id."""
    elf = Elf(bits, order)
    dynstr = elf.section(b".dynstr", b"\0" + soname + b"\0", SHT_STRTAB,
                         flags=SHF_ALLOC)
    dynamic = elf.section(b".dynamic", bytes(6 * elf.bytes_of("dyn")),
                          SHT_DYNAMIC, flags=SHF_ALLOC, link=1)
    notes = elf.section(b".note.gnu.build-id",
                        note(elf) if notes is None else notes, 7,
                        flags=SHF_ALLOC)
    elf.section(b".bss", type=SHT_NOBITS, flags=SHF_ALLOC, size=1 << 30)
    elf.segment(PT_LOAD, align=4096)
    elf.segment(PT_DYNAMIC, dynamic)
    elf.segment(PT_NOTE, notes)
    elf.layout()
    if tags is None:
        tags = [(1, 1), (5, dynstr["addr"]), (14, 1), (0, 0)]
    data = b"".join(elf.pack(elf.format["dyn"], *tag) for tag in tags)
    dynamic["data"] = data.ljust(dynamic["size"], b"\0")[:dynamic["size"]]
    return elf


def damaged_libraries():
    """Name, and what is changed in a sound library."""
    def header(**fields):
        return lambda elf: elf.header.update(fields)

    def section(index, **fields):
        return lambda elf: elf.sections[index].update(fields)

    def segment(index, **fields):
        return lambda elf: elf.segments[index].update(fields)

    def extended(count=0, **first):
        def change(elf):
            elf.header.update(shnum=0, shstrndx=SHN_XINDEX)
            elf.sections[0].update({
                "size": count or len(elf.sections),
                "link": len(elf.sections) - 1} | first)
        return change

    most = (1 << 64) - 1
    yield "sections-none", header(shoff=0, shnum=0, shstrndx=0)
    yield "sections-behind-the-end", header(shoff=1 << 20)
    yield "sections-at-the-highest-address", header(shoff=most)
    yield "sections-last-one-cut", lambda elf: elf.header.update(
        shoff=elf.header["shoff"] + 1)
    yield "sections-over-the-header", header(shoff=16)
    yield "sections-too-many", header(shnum=0xfeff)
    yield "sections-of-size-0", header(shentsize=0)
    yield "sections-of-size-7", header(shentsize=7)
    yield "sections-extended", extended()
    yield "sections-extended-2-to-32", extended(1 << 32)
    yield "sections-extended-2-to-26", extended(1 << 26)
    yield "sections-extended-most", extended(most)
    yield "sections-extended-0", extended(size=0)
    yield "sections-extended-names-far", extended(link=0xffffffff)
    yield "sections-names-far", header(shstrndx=77)
    yield "sections-names-0", header(shstrndx=0)
    yield "sections-names-no-strings", section(-1, type=SHT_PROGBITS)
    yield "sections-names-nobits", section(-1, type=SHT_NOBITS)
    yield "sections-names-behind-the-end", section(-1, offset=most - 3)
    yield "sections-names-large", section(-1, size=1 << 50)
    yield "sections-names-compressed", section(-1, flags=SHF_COMPRESSED)
    yield "sections-name-far", section(1, name=0xffffffff)
    yield "sections-same-name", section(2, name=1)
    yield "sections-all-of-the-file", section(1, offset=0, size=most)
    yield "sections-symbols-extended", section(1, type=18, link=2)
    yield "segments-none", header(phoff=0, phnum=0)
    yield "segments-behind-the-end", header(phoff=1 << 40)
    yield "segments-at-the-highest-address", header(phoff=most)
    yield "segments-unaligned", header(phoff=65)
    yield "segments-too-many", header(phnum=1000)
    yield "segments-of-size-0", header(phentsize=0)
    yield "segments-of-size-1", header(phentsize=1, phnum=200)

    def extended_segments(elf):
        elf.header["phnum"] = PN_XNUM
        elf.header["phentsize"] = 0
        elf.sections[0]["info"] = 3
    yield "segments-extended", extended_segments

    def many_segments(elf):
        extended_segments(elf)
        elf.sections[0]["info"] = 0xffffffff
    yield "segments-extended-most", many_segments
    yield "load-all-of-memory", segment(0, vaddr=0, filesz=most, memsz=most)
    yield "load-wraps-around", segment(0, vaddr=most - 5, offset=most - 5)
    yield "load-elsewhere", segment(0, offset=1 << 40)
    yield "dynamic-behind-the-end", segment(1, offset=1 << 20)
    yield "dynamic-large", segment(1, filesz=1 << 40)
    yield "dynamic-at-an-odd-place", segment(1, offset=129, filesz=33)
    yield "dynamic-empty", segment(1, filesz=0)
    yield "dynamic-of-3-bytes", segment(1, filesz=3)
    yield "dynamic-highest", segment(1, offset=most)
    yield "dynamic-not-of-whole-entries", segment(1, filesz=49)
    yield "note-behind-the-end", segment(2, offset=1 << 20)
    yield "note-cut", segment(2, filesz=15)
    yield "note-of-3-bytes", segment(2, filesz=3)
    yield "note-aligned-to-8", segment(2, align=8)
    yield "note-at-an-odd-place", segment(2, offset=321)
    yield "class-0", lambda elf: elf.ident.__setitem__(4, 0)
    yield "class-of-32-bits", lambda elf: elf.ident.__setitem__(4, 1)
    yield "class-7", lambda elf: elf.ident.__setitem__(4, 7)
    yield "byte-order-big", lambda elf: elf.ident.__setitem__(5, 2)
    yield "byte-order-7", lambda elf: elf.ident.__setitem__(5, 7)
    yield "version-0", header(version=0)


def odd_libraries():
    """Name, and an ELF file with odd contents in their places."""
    yield "soname-unprintable", library(soname=b"../a/b\n\x1b[31m\xff")
    yield "soname-empty", library(soname=b"")
    yield "soname-long", library(soname=b"x" * 300)
    yield "soname-far", library(tags=[(5, BASE), (14, 1 << 63), (0, 0)])
    yield "soname-at-the-end", library(tags=[(5, BASE), (14, 0x3ff), (0, 0)])
    yield "soname-without-strings", library(tags=[(14, 1), (0, 0)])
    yield "soname-strings-elsewhere", library(tags=[(5, 77), (14, 1)])
    yield "soname-no-end", library(tags=[(5, BASE), (14, 1)] * 3)
    elf = Elf()
    for name, data in {
            "note-others-first": note(elf, b"stapsdt\0", 3, b"abc")
            + note(elf, b"GNU\0", 1, bytes(16)) + note(elf),
            "note-no-name": note(elf, b"") + note(elf, b"", desc=b""),
            "note-other-name": note(elf, b"GNV\0"),
            "note-64-bytes": note(elf, desc=bytes(64)),
            "note-65-bytes": note(elf, desc=bytes(65)),
            "note-large": elf.pack("III", 4, 0xffffffff, 3) + b"GNU\0",
            "note-large-name": elf.pack("III", 0xffffffff, 4, 3) + b"GNU\0",
            "note-wraps-around": elf.pack("III", 0xfffffffd, 0xfffffffd, 3),
            "note-head-only": elf.pack("III", 4, 20, 3),
            "note-property": note(elf, b"GNU\0", 5, bytes(16), 8)
            + note(elf, align=8)}.items():
        yield name, library(notes=data)


def make():
    for name, elf in odd_libraries():
        save("elf", name, elf.bytes())
    for bits in (32, 64):
        for order in "<>":
            save("elf", f"library-{bits}{'le' if order == '<' else 'be'}",
                 library(bits, order).bytes())
    for name, change in damaged_libraries():
        # Each in one class and byte order, those in all that were found to
        # make a difference.
        for bits, order in [(64, "<"), (32, "<"), (64, ">"), (32, ">")]:
            elf = library(bits, order)
            change(elf)
            end = {"<": "", ">": "be"}[order]
            save("elf", name + (f"-{bits}{end}" if bits == 32 or end else ""),
                 elf.bytes())
            if not name.startswith(("sections-extended", "dynamic-not-")):
                break
    whole = library().bytes()
    for count in (1, 4, 15, 16, 63, 64, 100, 232, 300, len(whole) - 1):
        save("elf", f"cut-at-{count}", whole[:count])
    save("elf", "empty", b"")
    save("elf", "other-script", b"#!/bin/sh\n")
    save("elf", "other-archive", b"!<arch>\n" + b"x/              0           "
         b"0     0     100644  4         `\nabcd")

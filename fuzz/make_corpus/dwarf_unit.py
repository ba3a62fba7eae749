# SPDX-License-Identifier: Apache-2.0
"""Writes units of DWARF, entry by entry, and puts them into ELF files."""

import struct

from elf import Elf

TAG = dict(array=0x01, enumeration=0x04, pointer=0x0f, compile_unit=0x11,
           structure=0x13, typedef=0x16, subrange=0x21, base=0x24,
           const=0x26, enumerator=0x28, variable=0x34, volatile=0x35,
           member=0x0d, skeleton_unit=0x4a)
AT = dict(sibling=0x01, location=0x02, name=0x03, byte_size=0x0b,
          language=0x13, const_value=0x1c, lower_bound=0x22, upper_bound=0x2f,
          abstract_origin=0x31, count=0x37, data_member_location=0x38,
          encoding=0x3e, specification=0x47, type=0x49,
          byte_stride=0x51, signature=0x69, str_offsets_base=0x72,
          dwo_name=0x76, loclists_base=0x8c)
FORM = dict(block2=0x03, data2=0x05, data4=0x06, data8=0x07, string=0x08,
            block1=0x0a, data1=0x0b, flag=0x0c, sdata=0x0d, strp=0x0e,
            udata=0x0f, ref_addr=0x10, ref4=0x13,
            indirect=0x16, sec_offset=0x17, exprloc=0x18, flag_present=0x19,
            strx=0x1a, ref_sig8=0x20, implicit_const=0x21, loclistx=0x22,
            line_strp=0x1f, strx1=0x25, ref_alt=0x1f20, strp_alt=0x1f21)
C, GO = 12, 22
FIXED = dict(data1="B", data2="H", data4="I", data8="Q", flag="B", strp="I",
             ref4="I", ref_addr="I", sec_offset="I", strx1="B", ref_sig8="Q",
             line_strp="I", ref_alt="I", strp_alt="I")


def leb(value, signed=False):
    data = bytearray()
    while True:
        byte, value = value & 0x7f, value >> 7
        done = value in (0, -1) and (byte >> 6 & 1) == (value & 1) \
            if signed else value == 0
        data.append(byte if done else byte | 0x80)
        if done:
            return bytes(data)


class Unit:
    """A unit of .debug_info, with an abbreviation for each entry."""

    def __init__(self, version=4, order="<", address=8, kind=1):
        self.version, self.order, self.address = version, order, address
        self.kind = kind
        self.info, self.abbrev = bytearray(), bytearray()
        self.labels, self.fixups, self.codes = {}, [], 0

    def pack(self, layout, value):
        return struct.pack(self.order + layout,
                           value & (1 << 8 * struct.calcsize(layout)) - 1)

    def value(self, form, value):
        if isinstance(value, str) and form != "string":
            self.fixups.append((len(self.info), value))
            value = 0
        if form in FIXED:
            return self.pack(FIXED[form], value)
        if form == "string":
            return value.encode("latin-1") + b"\0"
        if form in ("block1", "block2", "exprloc"):
            size = {"block1": "B", "block2": "H"}.get(form)
            return (self.pack(size, len(value)) if size
                    else leb(len(value))) + value
        if form == "sdata":
            return leb(value, True)
        if form == "indirect":
            return leb(FORM[value[0]]) + self.value(*value)
        if form in ("flag_present", "implicit_const"):
            return b""
        return leb(value)

    def entry(self, tag, label=None, children=None, **attributes):
        """@attributes: name=(form, value). A value in text is a label."""
        self.codes += 1
        if label:
            self.labels[label] = len(self.info)
        self.abbrev += leb(self.codes) + leb(TAG[tag])
        self.abbrev.append(children is not None)
        self.info += leb(self.codes)
        for name, (form, value) in attributes.items():
            self.abbrev += leb(AT[name]) + leb(FORM[form])
            if form == "implicit_const":
                self.abbrev += leb(value, True)
            self.info += self.value(form, value)
        self.abbrev += b"\0\0"
        if children is not None:
            children()
            self.info.append(0)

    def bytes(self, extra=b""):
        """.debug_info and .debug_abbrev; @extra ends the unit's header."""
        version, address = self.pack("H", self.version), bytes([self.address])
        rest = version + (bytes([self.kind]) + address + bytes(4)
                          if self.version >= 5 else bytes(4) + address) + extra
        for at, label in self.fixups:
            self.info[at:at + 4] = self.pack("I", 4 + len(rest)
                                             + self.labels[label])
        rest += self.info
        return self.pack("I", len(rest)) + rest, bytes(self.abbrev) + b"\0"


def name(text):
    return {"name": ("string", text)}


def member(unit, text, type, place, form="data1"):
    unit.entry("member", **name(text), type=("ref4", type),
               data_member_location=(form, place))


def wrap(sections, bits=64, order="<", flags=0):
    elf = Elf(bits, order)
    for title, data in sections.items():
        elf.section(title, data, flags=flags)
    elf.layout().header["type"] = 1
    return elf.bytes()


def object_of(unit, extra=b"", **sections):
    info, abbrev = unit.bytes(extra)
    return wrap({b".debug_info": info, b".debug_abbrev": abbrev}
                | {b"." + key.encode(): data for key, data in sections.items()},
                unit.address * 8, unit.order)

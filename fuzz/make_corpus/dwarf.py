# SPDX-License-Identifier: Apache-2.0
"""Units of DWARF: what Go says of its runtime, and others that mean harm."""

import struct

from corpus import save
from dwarf_unit import C, GO, Unit, member, name, object_of, wrap
from elf import SHF_COMPRESSED, library


def runtime_unit(unit, size="data1", place="data1"):
    """What Go's compiler says of a few of its runtime's structs."""
    def mspan():
        member(unit, "startAddr", "uintptr", 24, place)
        member(unit, "state", "statebox", 99, place)
        member(unit, "next", "*mspan", 0, place)

    def one(text, type):
        return lambda: member(unit, text, type, 0, place)

    def g():
        member(unit, "stack", "stack", 0, place)
        member(unit, "m", "*m", 48, place)

    def types():
        unit.entry("base", "uintptr", **name("uintptr"),
                   byte_size=(size, 8), encoding=("data1", 7))
        unit.entry("pointer", "*mspan", type=("ref4", "mspan"))
        unit.entry("pointer", "*m", type=("ref4", "m"))
        unit.entry("pointer", "*g", type=("ref4", "g"))
        unit.entry("structure", "mspan", mspan, **name("runtime.mspan"),
                   byte_size=(size, 160))
        unit.entry("structure", "statebox", one("s", "atomic"),
                   **name("runtime.mSpanStateBox"), byte_size=(size, 1))
        unit.entry("structure", "atomic", one("value", "state"),
                   **name("internal.Uint8"), byte_size=(size, 1))
        unit.entry("typedef", "state", **name("runtime.mSpanState"),
                   type=("ref4", "uintptr"))
        unit.entry("structure", "stack", one("lo", "uintptr"),
                   **name("runtime.stack"), byte_size=(size, 16))
        unit.entry("structure", "g", g, **name("runtime.g"),
                   byte_size=(size, 200))
        unit.entry("structure", "m", one("g0", "*g"), **name("runtime.m"),
                   byte_size=(size, 100))
        unit.entry("structure", "mheap", one("central", "centrals"),
                   **name("runtime.mheap"), byte_size=("data4", 100000))
        unit.entry("array", "centrals",
                   lambda: unit.entry("subrange", count=(size, 136),
                                      type=("ref4", "uintptr")),
                   type=("ref4", "central"))
        unit.entry("structure", "central", one("mcentral", "stack"),
                   byte_size=(size, 64))
        unit.entry("variable", **name("runtime.work"), type=("ref4", "stack"),
                   location=("exprloc" if unit.version > 3 else "block1",
                             b"\x03" + bytes(8)))

    unit.entry("compile_unit", None, types, **name("runtime"),
               language=("data1", GO))
    return unit


def hostile_units():
    """Name, and a unit whose entries mean harm; tags inside one another."""
    def unit(children, version=4, **attributes):
        made = Unit(version)
        made.entry("compile_unit", None, lambda: children(made),
                   **name("x"), language=("data1", C), **attributes)
        return made

    def struct_of(u, inside, **attributes):
        u.entry("structure", "mspan", inside, **name("runtime.mspan"),
                **attributes)

    def typedef_of_itself(u):
        u.entry("typedef", "loop", **name("x"), type=("ref4", "loop"))
        struct_of(u, lambda: member(u, "startAddr", "loop", 0),
                  byte_size=("data1", 8))
    yield "typedef-of-itself", unit(typedef_of_itself)

    def typedefs_in_a_circle(u):
        u.entry("const", "a", type=("ref4", "b"))
        u.entry("volatile", "b", type=("ref4", "a"))
        u.entry("variable", **name("runtime.work"), type=("ref4", "a"))
    yield "typedefs-in-a-circle", unit(typedefs_in_a_circle)

    def array_of_itself(u):
        def bounds():
            u.entry("subrange", type=("ref4", "loop"), count=("data1", 3))
            u.entry("subrange", type=("ref4", "loop"), count=("data1", 3))
        u.entry("array", "loop", bounds, type=("ref4", "loop"))
        u.entry("variable", **name("runtime.work"), type=("ref4", "loop"))
        struct_of(u, lambda: member(u, "startAddr", "loop", 0))
    yield "array-of-itself", unit(array_of_itself)

    def bounds_of_all_kinds(u):
        u.entry("base", "int", byte_size=("data1", 4), encoding=("data1", 5))
        u.entry("base", "unsigned", byte_size=("data1", 4),
                encoding=("data1", 7))
        kinds = [
            dict(count=("udata", 1 << 62)), dict(count=("sdata", -1)),
            dict(upper_bound=("sdata", -1)), dict(upper_bound=("data8", -1)),
            dict(upper_bound=("data1", 7), lower_bound=("data1", 3)),
            dict(upper_bound=("data1", 3), lower_bound=("data1", 7)),
            dict(), dict(count=("exprloc", b"\x31")),
        ]
        for i, bounds in enumerate(kinds):
            def ranges():
                u.entry("subrange", **bounds,
                        type=("ref4", ("int", "unsigned")[i % 2]))
            u.entry("array", f"array{i}", ranges, type=("ref4", "int"),
                    **({"byte_stride": ("udata", 1 << 60)} if i == 4 else {}))
            u.entry("variable", **name("runtime.work"),
                    type=("ref4", f"array{i}"))
        u.entry("array", "enumerated", lambda: u.entry(
            "enumeration", None, lambda: u.entry(
                "enumerator", const_value=("data1", 3))),
            type=("ref4", "int"))
        u.entry("variable", **name("runtime.work"),
                type=("ref4", "enumerated"))
    yield "array-bounds", unit(bounds_of_all_kinds)

    def member_locations(u):
        u.entry("base", "int", byte_size=("data1", 4))
        places = [
            b"", b"\x23", b"\x23\x08", b"\x23" + b"\xff" * 12, b"\x11\x7f\x22",
            b"\x10\x80\x01", b"\x96\x96", b"\x23" + b"\x80" * 30 + b"\x01",
        ]
        for place in places:
            struct_of(u, lambda: member(u, "startAddr", "int", place,
                                        "block1"))
        struct_of(u, lambda: member(u, "startAddr", "int", -1, "sdata"))
        struct_of(u, lambda: member(u, "startAddr", "int", 0, "sec_offset"))
        struct_of(u, lambda: member(u, "startAddr", "int",
                                    ("indirect", ("udata", 8)), "indirect"))
        struct_of(u, lambda: u.entry("member", **name("startAddr")))
    yield "member-locations", unit(member_locations)

    def siblings(u):
        struct_of(u, lambda: None, sibling=("ref4", "mspan"))
        u.entry("structure", "back", lambda: None, **name("runtime.g"),
                sibling=("ref4", "mspan"))
    yield "sibling-backwards", unit(siblings)

    def sibling_far(u):
        struct_of(u, lambda: None, sibling=("data4", 0x7fffffff))
    yield "sibling-far", unit(sibling_far)

    def references(u):
        u.entry("variable", **name("runtime.work"), type=("ref4", 0xffffff))
        u.entry("variable", **name("runtime.work"), type=("ref4", 0))
        u.entry("variable", **name("runtime.work"),
                type=("ref_addr", 0xfffffffe))
        u.entry("variable", **name("runtime.work"),
                type=("ref_sig8", 0x1122334455667788))
        u.entry("variable", **name("runtime.work"), type=("ref_alt", 11))
        u.entry("variable", **name("runtime.work"), type=("udata", 11))
        u.entry("variable", **name("runtime.work"), type=("flag_present", 0))
    yield "references", unit(references)

    def origins(u):
        u.entry("structure", "a", specification=("ref4", "b"))
        u.entry("structure", "b", specification=("ref4", "a"))
        u.entry("structure", "c", abstract_origin=("ref4", "c"))
        u.entry("structure", "d", abstract_origin=("ref4", "e"))
        u.entry("structure", "e", **name("runtime.mspan"),
                signature=("ref_sig8", 0x1122334455667788))
    yield "origins-in-a-circle", unit(origins)

    def strings(u):
        for form, value in [("strp", 0), ("strp", 14), ("strp", 0xffffffff),
                            ("strx1", 0), ("strx1", 200), ("strx", 1 << 60),
                            ("line_strp", 0), ("strp_alt", 0), ("data1", 0)]:
            u.entry("structure", name=(form, value), byte_size=("data1", 8))
    yield "strings", unit(strings, 5, str_offsets_base=("sec_offset", 8))
    yield "strings-elsewhere", unit(strings, 5,
                                    str_offsets_base=("sec_offset", -8))

    def member_in_member(u):
        u.entry("pointer", "*mspan", type=("ref4", "mspan"))
        struct_of(u, lambda: member(u, "m", "mspan", 1 << 62, "udata"),
                  byte_size=("sdata", -1))
        u.entry("structure", "g", lambda: (member(u, "m", "*g", 8),
                                           member(u, "g0", "*g", 8),
                                           member(u, "sched", "g", 8)),
                **name("runtime.g"))
        u.entry("pointer", "*g", type=("ref4", "g"))
    yield "members-of-itself", unit(member_in_member)


def make():
    for version in (2, 3, 4, 5):
        made = runtime_unit(
            Unit(version), place="data1" if version > 2 else "udata")
        save("dwarf", f"runtime-{version}", object_of(made))
    save("dwarf", "runtime-be",
         object_of(runtime_unit(Unit(4, ">"), "data2", "data2")))
    save("dwarf", "runtime-32", object_of(runtime_unit(Unit(4, "<", 4))))
    for title, made in hostile_units():
        save("dwarf", title, object_of(
            made, debug_str=b"runtime.mspan\0runtime.g\0no end",
            debug_line_str=b"runtime.mspan",
            debug_str_offsets=struct.pack("<IHHIII", 16, 5, 0, 0, 14, 1 << 31),
            gnu_debugaltlink=b"/nonexistent\0" + bytes(20)))

    info, abbrev = runtime_unit(Unit()).bytes()
    def save_sections(title, info, abbrev):
        save("dwarf", title, wrap({b".debug_info": info,
                                   b".debug_abbrev": abbrev}))
    save_sections("unit-cut", info[:200], abbrev)
    save_sections("unit-longer", b"\xff\0\0\0" + info[4:], abbrev)
    save_sections("unit-of-64-bits", b"\xff" * 4
                  + struct.pack("<QHQB", len(info), 4, 0, 8) + info[11:],
                  abbrev)
    save_sections("unit-of-reserved-length", b"\xf0" + b"\xff" * 3 + info[4:],
                  abbrev)
    save_sections("unit-empty", bytes(11), abbrev)
    save_sections("unit-version-77", info[:4] + b"\x4d\0" + info[6:], abbrev)
    save_sections("unit-address-of-3-bytes", info[:10] + b"\3" + info[11:],
                  abbrev)
    save_sections("unit-abbreviations-far", info[:6] + b"\xff" * 4
                  + info[10:], abbrev)
    save_sections("units-two", info * 2, abbrev)
    save_sections("abbreviations-cut", info, abbrev[:60])
    save_sections("abbreviations-none", info, b"")
    save_sections("abbreviations-zero", info, bytes(len(abbrev)))
    save_sections("abbreviations-endless", info, b"\xff" * 99)
    save("dwarf", "sections-twice", wrap(
        {b".debug_info": info, b".debug_abbrev": abbrev,
         b".zdebug_info": b"ZLIB" + bytes(8), b".debug_info.dwo": info}))
    save("dwarf", "only-lines", wrap({b".debug_line": bytes(40)}))
    save("dwarf", "only-types", wrap({b".debug_types": info,
                                      b".debug_abbrev": abbrev}))
    types = Unit(4)
    types.entry("compile_unit")
    save("dwarf", "types-too", wrap(
        {b".debug_info": types.bytes()[0], b".debug_types": info,
         b".debug_abbrev": types.bytes()[1]}))
    save("dwarf", "compressed-damaged", wrap(
        {b".debug_info": struct.pack("<IIQQ", 1, 0, 1 << 40, 1) + b"x\x9c",
         b".debug_abbrev": abbrev}, flags=SHF_COMPRESSED))
    save("dwarf", "no-sections", library().bytes())
    save("dwarf", "empty", b"")
    make_skeletons()


def make_skeletons():
    """Units whose entries are in another file, which must not be opened."""
    for version, kind in [(5, 4), (5, 5)]:
        unit = Unit(version, kind=kind)

        def entries():
            unit.entry("base", "int", byte_size=("data1", 4))
            unit.entry("structure", "mspan",
                       lambda: member(unit, "startAddr", "int", 0, "loclistx"),
                       **name("runtime.mspan"))
        unit.entry("skeleton_unit", None, entries,
                   dwo_name=("string", "/nonexistent.dwo"),
                   loclists_base=("sec_offset", 12))
        save("dwarf", f"skeleton-{kind}", object_of(
            unit, bytes(8), debug_loclists=bytes(64)))

# SPDX-License-Identifier: Apache-2.0
"""Of Go: a made-up runtime with words of it that are overwritten (see
fuzz_go_stats.c), and type descriptors.
"""

import struct

from corpus import save


def patch(index, word, is_address=False):
    return struct.pack("<BHQ", is_address, index & 0xffff,
                       word & (1 << 64) - 1)


def make_stats():
    for number in range(30):
        save("go_stats", f"release-{number:02}", bytes([number]))
    # The lists that lead somewhere: Ps, spans, threads.
    for index in (0x30000 // 8, 0x30008 // 8, 0x30080 // 8, 0x3a030 // 8,
                  0x45000 // 8, 0x46000 // 8, 0x4e000 // 8, 0x2c028 // 8):
        for number, word in enumerate((0, 1, 1 << 40, (1 << 64) - 1)):
            save("go_stats", f"word-{index:x}-{number}",
                 b"\x20" + patch(index, word))
        save("go_stats", f"word-{index:x}-self",
             b"\x20" + patch(index, 8 * index, True))


def type_at(names, name, size, kind, more=b"", star=False, old=False):
    """A descriptor; its name is put behind those in @names."""
    offset = len(names)
    text = (b"*" if star else b"") + name.encode()
    names += b"\x01" + (struct.pack(">H", len(text)) if old
                        else bytes([len(text)])) + text
    head = struct.pack("<QQIBBBBQQiI", size, size, 0x1234, 2 if star else 0,
                       8, 8, kind, 0, 0, offset, 0)
    return head + more


def make_types():
    for old in (False, True):
        names = bytearray(b"\0")
        types = b""
        for name, size, kind, more in (
                ("int", 8, 2, b""), ("main.T", 40, 25, bytes(32)),
                ("*main.T", 8, 22, struct.pack("<Q", 0x4a0000)),
                ("[]main.T", 24, 23, struct.pack("<Q", 0x4a0030)),
                ("map[string]int", 8, 21, struct.pack("<QQ", 1, 2)),
                ("[1]*main.T", 8, 17, struct.pack("<QQQ", 0x4a0060, 0, 1))):
            types += type_at(names, name, size, kind, more, name[0] != "i",
                             old)
            types += bytes(-len(types) % 8)
        # Names come first, from offset 0 on.
        save("types", "old" if old else "new",
             bytes(names) + bytes(-len(names) % 8) + types)
    save("types", "empty", b"")
    make_types_of_package()


def make_types_of_package():
    """A struct with a package and a method, an interface of one method, a
    function of the struct, and the struct's table for the interface."""
    base, names = 0x4a0000, bytearray(b"\0")

    def name(text):
        names.extend(b"\x01" + bytes([len(text)]) + text.encode())
        return len(names) - len(text) - 2

    package, field, method = name("a.b/dep"), name("next"), name("Do")
    room = 128  # for all names
    struct_at, interface_at = room, room + 144
    types = type_at(names, "dep.T", 8, 25, struct.pack(
        "<QQQQ", base + package, base + struct_at + 96, 1, 1) + struct.pack(
        "<iHHII", package, 1, 1, 40, 0) + struct.pack(
        "<QQQ", base + field, base + struct_at, 0) + struct.pack(
        "<iiii", method, 0, 0, 0) + bytes(8), True)
    types += type_at(names, "dep.Doer", 16, 20, struct.pack(
        "<QQQQ", 0, base + interface_at + 80, 1, 1) + struct.pack(
        "<ii", method, 0), True)
    types += type_at(names, "func(dep.T)", 8, 19, struct.pack(
        "<HHIQ", 1, 0, 0, base + struct_at), True)
    types += struct.pack("<QQIIQ", base + interface_at, base + struct_at,
                         0x1234, 0, 0)
    types = bytearray(types)
    types[20] |= 1  # an uncommontype
    save("types", "package", bytes(names) + bytes(room - len(names)) + types)


def make():
    make_stats()
    make_types()

# SPDX-License-Identifier: Apache-2.0
"""Cores, packed field by field as the kernel, gcore, Delve and memwhy write them
(layouts: src/elf/elf_core_notes.c, src/target/target_note.h).

Addresses and names are invented.
"""

import struct

from corpus import save

PAGE = 4096
EXE, HEAP, STACK, VDSO = 0x400000, 0x1000000, 0x7ffc00000000, 0x7ffc10000000
R, W, X = 4, 2, 1


def note(name, kind, content):
    name = name.encode() + b"\0" if name is not None else b""
    return (struct.pack("<III", len(name), len(content), kind) +
            name + bytes(-len(name) % 4) + content + bytes(-len(content) % 4))


def prstatus(tid, sp=STACK + 0x800, pc=EXE + 0x100, signal=6):
    registers = [0] * 27
    registers[16], registers[19], registers[21] = pc, sp, HEAP + 0x100
    return (bytes(12) + struct.pack("<H", signal) + bytes(18) +
            struct.pack("<i", tid) + bytes(76) +
            struct.pack("<27Q", *registers) + bytes(8))


def prpsinfo(pid, comm=b"program", args=b"/bin/program one two"):
    return (b"\0R\0\0" + bytes(12) + struct.pack("<II4i", 1, 2, pid, 1, 1, 1) +
            comm.ljust(16, b"\0") + args.ljust(80, b"\0"))


def auxv(*pairs):
    return b"".join(struct.pack("<QQ", *p) for p in (*pairs, (0, 0)))


AUXV = auxv((33, VDSO), (16, 0), (3, EXE + 64), (4, 56), (5, 2), (7, 0),
            (9, EXE + 0x100), (25, STACK + 0xf00), (31, STACK + 0xf20))


def nt_file(*entries):
    return (struct.pack("<QQ", len(entries), PAGE) +
            b"".join(struct.pack("<QQQ", a, b, o) for a, b, o, _ in entries) +
            b"".join(p.encode() + b"\0" for *_, p in entries))


def image():
    """The first page of an executable with a build id."""
    build_id = note("GNU", 3, bytes(range(20)))
    page = struct.pack("<4sBBB9xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 2, 62, 1,
                       EXE + 0x100, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    page += struct.pack("<IIQQQQQQ", 1, R | X, 0, EXE, EXE, PAGE, PAGE, PAGE)
    page += struct.pack("<IIQQQQQQ", 4, R, 176, EXE + 176, EXE + 176,
                        len(build_id), len(build_id), 4)
    return (page + build_id).ljust(PAGE, b"\x90")


def stack():
    """argc, argv, envp, the auxiliary vector, and what it points to."""
    words = struct.pack("<6Q", 2, STACK + 0xf80, STACK + 0xf88, 0,
                        STACK + 0xf90, 0)
    page = bytearray(PAGE)
    at = 0xf00 - len(words) - len(AUXV)
    page[at:at + len(words) + len(AUXV)] = words + AUXV
    page[0xf20:0xf2d] = b"/bin/program\0"
    page[0xf80:0xfa0] = b"program\0one\0\0\0\0\0HOME=/root\0\0\0\0\0\0"
    return bytes(page)


def core(notes, segments, align=PAGE, more=()):
    """Segments are (address, rights, content, bytes in memory)."""
    count = len(segments) + 1 + len(more)
    at = 64 + 56 * count
    headers = [struct.pack("<IIQQQQQQ", 4, R, at, 0, 0, len(notes), 0, 4)]
    body = notes
    for extra in more:
        headers.append(struct.pack("<IIQQQQQQ", 4, R, at + len(body), 0, 0,
                                   len(extra), 0, 4))
        body += extra
    body += bytes(-(at + len(body)) % align)
    for va, rights, content, memory in segments:
        headers.append(struct.pack("<IIQQQQQQ", 1, rights, at + len(body), va,
                                   0, len(content), memory, PAGE))
        body += content
    return struct.pack("<4sBBB9xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 4, 62, 1,
                       0, 64, 0, 0, 64, 56, count, 0, 0, 0) + \
        b"".join(headers) + body


def words(*values):
    return struct.pack(f"<{len(values)}Q", *values)


def snapshot(packed=False):
    """@packed: its program lies in memory without a file."""
    file, path, state = (0, 13, 1) if packed else (7, 0, 17)
    picture = words(1, 23, 42, 0, 0, 0, 1, 0, 5 * PAGE, 3 * PAGE, 0, 3 * PAGE,
                    PAGE, 0, STACK + 0xe40, 0, 0, 0, 0, 0, EXE, 7, 64768, 1000,
                    1) + b"program\0/bin/program\0"
    paths = b"/bin/program\0\0[stack]\0"
    maps = words(3, 9) + \
        words(EXE, EXE + PAGE, 0, file, bool(file) * 254 << 32, 5, path, 0,
              0) + \
        words(HEAP, HEAP + 3 * PAGE, 0, 0, 0, 3, 13, 0, 0) + \
        words(STACK, STACK + PAGE, 0, 0, 0, 3, 14, 0, 0) + paths

    def run(start, pages, state=1):
        return start >> 12 | state << 45 | pages << 51

    images = words(6, 9, 0, 254 << 32, 7, 2 | 62 << 16 | 1 << 32, EXE + 256, 1,
                   PAGE, 64, 112 | 64 << 32,
                   1, 8, 0x1234, *[0] * 6,
                   2, 1 | 5 << 32, 0, EXE, EXE, PAGE, PAGE, PAGE, 0,
                   2, 1 | 6 << 32, 0, HEAP, HEAP, 0, PAGE, PAGE, 0,
                   3, 1, 6, EXE + 256, 256, 512, 13, 0, 16,
                   3, 8, 3, HEAP, 0, PAGE, 19, 0, 16) + \
        b"\0lib/so.name\0.text\0.bss\0"
    pages = words(run(EXE, 1, state), run(HEAP, 1), run(HEAP + PAGE, 1, 5),
                  run(STACK, 1))
    memwhy = note("memwhy", 1, picture) + note("memwhy", 2, maps) + \
        note("memwhy", 4, words(6, 42, 768 + 83, STACK + 8, EXE, HEAP, 0)) + \
        note("memwhy", 5, words(15, EXE, EXE + PAGE, PAGE, *[0] * 12)) + \
        note("memwhy", 6, words(4, 254 << 32, 7, PAGE, 1)) + \
        note("memwhy", 7, b"a remark\nanother\n") + \
        note("memwhy", 8, images) + note("memwhy", 3, pages)
    return core(note("CORE", 1, prstatus(42)) +
                note("CORE", 3, prpsinfo(42)) + note("CORE", 6, AUXV),
                [(EXE, R | X, image(), PAGE),
                 (HEAP, R | W, bytes(PAGE), 3 * PAGE),
                 (STACK, R | W, stack(), PAGE)], more=[memwhy])


def make():
    usual = note("CORE", 1, prstatus(42)) + note("CORE", 3, prpsinfo(42)) + \
        note("CORE", 0x53494749, bytes(128)) + note("CORE", 6, AUXV) + \
        note("CORE", 0x46494c45,
             nt_file((EXE, EXE + 2 * PAGE, 0, "/bin/program"),
                     (HEAP + 9 * PAGE, HEAP + 10 * PAGE, 3, "/data"))) + \
        note("CORE", 2, bytes(512)) + note("LINUX", 0x202, bytes(600)) + \
        note("CORE", 1, prstatus(43, HEAP + 64))
    memory = [(EXE, R | X, image(), 2 * PAGE), (HEAP, R | W, bytes(PAGE), PAGE),
              (STACK, R | W, stack(), PAGE),
              (VDSO - 2 * PAGE, R, b"", 2 * PAGE),
              (VDSO, R | X, image(), PAGE),
              (0xffffffffff600000, X, b"", PAGE)]
    delve = note(None, 3, prpsinfo(42)) + note(None, 6, AUXV) + \
        note(None, 1, prstatus(42, signal=0))
    independent = note("Delve Header", 0x444c5645,
                       b"linux/amd64\n1.25\nTarget Pid: 42\n"
                       b"Entry Point: 0x400100\n") + \
        note("", 0x444c5654, words(42, EXE, STACK, STACK, HEAP) + bytes(13))
    whole = core(usual, memory)
    for name, data in {
            "kernel": whole,
            "cut": whole[:-PAGE],
            "cut-in-notes": whole[:900],
            "gcore": core(usual, memory[1:], 1),
            "delve": core(delve, memory[:5], 1),
            "delve-independent": core(independent, memory[1:3], 1),
            "without-notes": core(b"", memory),
            "without-memory": core(usual, []),
            "overlap": core(usual, memory + memory[:1]),
            "snapshot": snapshot(),
            "snapshot-cut": snapshot()[:3000],
            "snapshot-packed": snapshot(packed=True),
    }.items():
        save("core", name, data)

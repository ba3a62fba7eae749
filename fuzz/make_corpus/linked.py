# SPDX-License-Identifier: Apache-2.0
"""Small ELF files of many kinds, as assembler, compilers and linker write them."""

import lzma
import pathlib
import struct
import subprocess
import tempfile

from corpus import save

SOURCE = """
 .globl _start
 .type _start, @function
_start: ret
 .size _start, 1
 .data
 .globl value
 .type value, @object
 .size value, 8
value: .quad 1
 .section .tbss,"awT",@nobits
 .zero 8
 .section .note.stapsdt,"",@note
 .long 8, 2f-1f, 3
 .asciz "stapsdt"
1: .quad _start, 0, 0
 .asciz "provider"
 .asciz "probe"
 .asciz "8@%rax"
2: .balign 4
 .section .note.package,"a",@note
 .long 4, 8, 0xcafe1a7e
 .asciz "FDO"
 .asciz "{\\"a\\":1}"
 .section .note.go.buildid,"a",@note
 .long 4, 4, 4
 .ascii "Go\\0\\0abcd"
 .section .note.gnu.property,"a",@note
 .balign 8
 .long 4, 16, 5
 .asciz "GNU"
 .long 0xc0000002, 4, 3, 0
 .section .debug_info,"",@progbits
 .zero 400
"""
SMALL = ["-z", "noseparate-code", "-z", "max-page-size=16",
         "-z", "common-page-size=16", "--hash-style=both"]
MODULES = (b"path\texample.com/main\nmod\texample.com/main\t(devel)\t\n"
           b"dep\texample.com/dep\tv1.2.3\t\n=>\t./dep\t(devel)\t\n"
           b"build\t-compiler=gc\nbuild\t\"a b\"=\"c d\"\n")


def run(*command, **more):
    subprocess.run([str(c) for c in command], check=True, **more)


def go_elf(data, name=b".go.buildinfo"):
    """An ELF file with one writable segment that holds @data."""
    names = b"\0.shstrtab\0" + name + b"\0"
    at = 64 + 56
    at += -at % 16
    body = data + bytes(-len(data) % 16)
    end = at + len(body)
    table = end + len(names)
    va = 0x400000
    header = b"\x7fELF\2\1\1" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, va, 64, table, 0, 64, 56, 1, 64, 3, 1)
    segment = struct.pack("<IIQQQQQQ", 1, 6, 0, va, va, end, end, 16)
    sections = [bytes(64),
                struct.pack("<IIQQQQIIQQ", 1, 3, 0, 0, end, len(names), 0, 0,
                            1, 0),
                struct.pack("<IIQQQQIIQQ", 11, 1, 3, va + at, at, len(body),
                            0, 0, 16, 0)]
    return ((header + segment).ljust(at, b"\0") + body + names +
            b"".join(sections)), va + at


def go_files():
    magic = b"\xff Go buildinf:"
    text = b"0" * 16 + MODULES + b"1" * 16
    inline = (magic + b"\x08\x02" + bytes(16) + b"\x08go1.26.8" +
              bytes([len(text) & 127 | 128, len(text) >> 7]) + text)
    yield "inline", go_elf(inline)[0]
    yield "inline-unnamed", go_elf(inline, b".data")[0]
    va = go_elf(b"")[1]
    pointers = (magic + b"\x08\0" + struct.pack("<QQ", va + 32, va + 48) +
                struct.pack("<QQQQ", va + 64, 9, va + 80, len(text)) +
                b"go1.15.15".ljust(16, b"\0") + text)
    yield "pointers", go_elf(pointers)[0]
    old = struct.pack("<QQ", va + 16, 8) + b"go1.10.8"
    yield "old", go_elf(old, b".data")[0]
    yield "lines", MODULES


def elf_files(work):
    source, base = work / "a.s", work / "a.o"
    source.write_text(SOURCE)
    run("as", "-o", base, source)
    yield "object", base.read_bytes()
    for kind in ("zlib", "zlib-gnu", "zlib-gabi"):
        run("objcopy", f"--compress-debug-sections={kind}", base,
            work / "packed")
        yield kind, (work / "packed").read_bytes()
    run("ld", *SMALL, "-o", work / "static", base)
    yield "static", (work / "static").read_bytes()
    run("ld", *SMALL, "-shared", "-soname", "libsmall.so", "-rpath", "/some",
        "-z", "now", "--build-id", "-o", work / "shared", base)
    yield "shared", (work / "shared").read_bytes()
    run("ld", *SMALL, "-pie", "--build-id", "-o", work / "pie", base,
        work / "shared")
    yield "pie", (work / "pie").read_bytes()
    run("strip", "-o", work / "stripped", work / "pie")
    yield "stripped", (work / "stripped").read_bytes()
    (work / "xz").write_bytes(lzma.compress((work / "static").read_bytes()))
    run("objcopy", "--add-section", f".gnu_debugdata={work / 'xz'}",
        work / "stripped", work / "mini")
    yield "debugdata", (work / "mini").read_bytes()
    source.write_text(SOURCE.replace(".quad", ".long"))
    run("as", "--32", "-o", base, source)
    yield "object-32", base.read_bytes()
    run("ld", "-m", "elf_i386", *SMALL, "-shared", "-o", work / "shared-32",
        base)
    yield "shared-32", (work / "shared-32").read_bytes()


def object_files(work):
    """Code with relocations and lines, of which there are several forms."""
    source = work / "b.c"
    source.write_text("extern int a; static int b[2]; int g(int);\n"
                      "int f(int x) { b[x] = a; return g(b[1]) + 1; }\n"
                      "int h(void) { return f(2); }\n")
    for name, flags in (("lines", ["-g"]), ("lines-4", ["-g", "-gdwarf-4"]),
                        ("lines-packed", ["-g", "-gz"]),
                        ("sections", ["-ffunction-sections", "-O2"])):
        for compiler in ("gcc", "clang"):
            run(compiler, "-c", "-fno-asynchronous-unwind-tables", *flags,
                f"-fdebug-prefix-map={work}=/", "-o", work / "b.o", source,
                cwd="/")  # which the assembler tells as it is
            yield f"{name}-{compiler}", (work / "b.o").read_bytes()


def library_files(work):
    """Shared objects with all relocations of thread-local variables."""
    source = work / "d.c"
    source.write_text(
        "_Thread_local long dynamic = 1; static _Thread_local long own = 2;\n"
        "_Thread_local long first __attribute__((tls_model(\"initial-exec\")));"
        "\nlong f(long x) { return dynamic += own += first += x; }\n")
    for name, flag in (("library", "gnu"), ("descriptors", "gnu2")):
        run("gcc", "-c", "-O1", "-fPIC", "-fno-asynchronous-unwind-tables",
            f"-mtls-dialect={flag}", "-o", work / "d.o", source)
        run("ld", *SMALL, "-shared", "-o", work / "d.so", work / "d.o")
        yield name, (work / "d.so").read_bytes()


def split_files(work):
    """Programs with the .dwo, or the .dwp, of their split DWARF in them."""
    source = work / "c.c"
    source.write_text(
        "struct point { int x; struct point *next; } first = { 1, &first };\n"
        "enum color { RED, BLUE } paint = BLUE; static int list[3] = { 7 };\n"
        "_Thread_local long own = 5;\n"
        "void _start(void) { static char c = 'c'; c++; list[1] = c; }\n")
    sections = [".debug_info.dwo", ".debug_abbrev.dwo", ".debug_str.dwo",
                ".debug_str_offsets.dwo", ".debug_cu_index"]
    # (LLVM 14's llvm-dwp does not come to an end with what gcc writes for 5.)
    for compiler, forms in (("gcc", "4"), ("clang", "45")):
        for dwarf in forms:
            run(compiler, "-c", "-gsplit-dwarf", f"-gdwarf-{dwarf}",
                f"-fdebug-prefix-map={work}=/",
                "-fno-asynchronous-unwind-tables", "c.c", cwd=work)
            run("ld", *SMALL, "-o", work / "c", work / "c.o")
            run("timeout", "20", "llvm-dwp", work / "c.dwo", "-o", work / "c.dwp")
            for kind in ("dwo", "dwp"):
                more = []
                for name in sections:
                    run("objcopy", "-O", "binary", "--set-section-flags",
                        f"{name}=alloc", "-j", name, work / f"c.{kind}",
                        work / name[1:])
                    if (work / name[1:]).stat().st_size:
                        more += ["--add-section", f"{name}={work}/{name[1:]}"]
                run("objcopy", *more, work / "c", work / "whole")
                yield (f"split-{kind}-{compiler}-{dwarf}",
                       (work / "whole").read_bytes())


def make():
    with tempfile.TemporaryDirectory() as folder:
        files = dict(elf_files(pathlib.Path(folder)))
        objects = dict(object_files(pathlib.Path(folder)))
        libraries = dict(library_files(pathlib.Path(folder)))
        splits = dict(split_files(pathlib.Path(folder)))
    # One with the bytes of its numbers the other way round is damaged in
    # another way in each place.
    swapped = bytearray(files["object"])
    swapped[5] = 2
    files["big-endian"] = bytes(swapped)
    for target in ("elf_notes", "elf_dynamic", "elf_symbols", "elf_sections"):
        for name, data in files.items():
            save(target, name, data)
    for name, data in splits.items():
        save("vars", name, data)
    for name, data in {**objects, **libraries,
                       "object": files["object"],
                       "object-32": files["object-32"],
                       "big-endian": files["big-endian"]}.items():
        save("elf_relocs", name, data)
    for name, data in go_files():
        save("go_buildinfo", name, data)

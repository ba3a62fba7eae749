# SPDX-License-Identifier: Apache-2.0
"""C libraries of several Debian releases, unpacked beside the system's own.

Programs are built with the oldest of them, and run with each one's loader.
"""

import functools
import os
import pathlib
import subprocess

import suites
from conftest import PROGRAMS, cached

# The release that a suite of Debian has or, where it moves on, had: where the
# library's files lie, and the loader's name.
RELEASES = {
    "2.31": ("bullseye", "lib/x86_64-linux-gnu", "ld-2.31.so"),
    "2.41": ("trixie", "usr/lib/x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
    "2.43": ("sid", "usr/lib/x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
    "2.44": ("experimental", "usr/lib/x86_64-linux-gnu",
             "ld-linux-x86-64.so.2"),
}


@functools.lru_cache(maxsize=None)
def unpacked(version):
    suite = RELEASES[version][0]
    return cached(f"glibc-{version}", [suite],
                  lambda path: suites.fetch(path, suite,
                                            ["libc6", "libc6-dev"])) / "root"


def root(version):
    suites.note(unpacked(version), "libc6")
    return unpacked(version)


def loader(version):
    """What to put before a program so that it runs with this C library."""
    _, folder, name = RELEASES[version]
    folder = root(version) / folder
    return [folder / name, "--library-path", folder]


def headers(version):
    """Options of gcc for the header files of a C library."""
    include = subprocess.run(["gcc", "-print-file-name=include"],
                             capture_output=True, text=True,
                             check=True).stdout.strip()
    folder = root(version) / "usr/include"
    return ["-nostdinc", "-isystem", include, "-isystem", folder,
            "-isystem", folder / "x86_64-linux-gnu",
            # Those of the kernel are any.
            "-idirafter", "/usr/include",
            "-idirafter", "/usr/include/x86_64-linux-gnu"]


def old_program(name):
    """tests/programs/NAME.c, built with the oldest C library."""
    source = PROGRAMS / f"{name}.c"
    old = root("2.31")
    libraries = old / "lib/x86_64-linux-gnu"
    parts = old / "usr/lib/x86_64-linux-gnu"

    def make(path):
        subprocess.run(["gcc", "-O1", "-pthread", *headers("2.31"),
                        "-c", "-o", f"{path}.o", source], check=True)
        subprocess.run(
            ["gcc", "-nostdlib", "-no-pie", "-s", "-o", path,
             parts / "crt1.o", parts / "crti.o", f"{path}.o",
             libraries / "libpthread.so.0", libraries / "libc.so.6",
             libraries / "libdl.so.2", parts / "libc_nonshared.a",
             libraries / "ld-linux-x86-64.so.2", parts / "crtn.o",
             "-Wl,--dynamic-linker=/lib64/ld-linux-x86-64.so.2",
             f"-Wl,-rpath-link,{libraries}"], check=True)
        os.unlink(f"{path}.o")

    return cached(f"{name}-glibc2.31", [source.read_text()], make)


def static_program(name, version):
    """tests/programs/NAME.c, linked statically with a C library; stripped."""
    source = PROGRAMS / f"{name}.c"
    parts = root(version) / "usr/lib/x86_64-linux-gnu"

    def make(path):
        gcc = pathlib.Path(subprocess.run(
            ["gcc", "-print-libgcc-file-name"], capture_output=True,
            text=True, check=True).stdout.strip()).parent
        subprocess.run(
            ["gcc", "-O1", "-pthread", "-nostdlib", "-static", "-s",
             "-o", path, parts / "crt1.o", parts / "crti.o",
             gcc / "crtbeginT.o", *headers(version), source, "-DSTATIC",
             f"-L{parts}", "-Wl,--start-group", "-lpthread", "-lgcc",
             "-lgcc_eh", "-lc", "-Wl,--end-group",
             # Since 2.35; nobody here throws an exception.
             *(["-Wl,--defsym=_dl_find_object=0"] if version == "2.31" else []),
             gcc / "crtend.o", parts / "crtn.o"], check=True)

    return cached(f"{name}-static-glibc{version}", [source.read_text()], make)

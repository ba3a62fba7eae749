# SPDX-License-Identifier: Apache-2.0
"""C libraries of several Debian releases, unpacked beside the system's own.

Programs are built with the oldest of them, and run with each one's loader.
Where the packages cannot be fetched, tests are skipped with that reason.
"""

import functools
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import CACHE, PROGRAMS, cached

# Debian release: where the library's files lie, and the loader's name.
RELEASES = {
    "2.31": ("bullseye", "lib/x86_64-linux-gnu", "ld-2.31.so"),
    "2.41": ("trixie", "usr/lib/x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
    "2.43": ("sid", "usr/lib/x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
    "2.44": ("experimental", "usr/lib/x86_64-linux-gnu",
             "ld-linux-x86-64.so.2"),
}
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def fetch(path, release, packages):
    """Unpack packages of a Debian release; the machine's own lists of sources
    and packages stay as they are."""
    lists, cache = path / "lists", path / "cache"
    (lists / "partial").mkdir(parents=True)
    (cache / "archives" / "partial").mkdir(parents=True)
    sources = path / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] "
                       f"http://deb.debian.org/debian {release} main\n")
    apt = ["apt-get", "-qq", "-o", f"Dir::Etc::sourcelist={sources}",
           "-o", "Dir::Etc::sourceparts=-", "-o", f"Dir::State::lists={lists}",
           "-o", "Dir::State::status=/dev/null", "-o", f"Dir::Cache={cache}"]
    for command in (["update"], ["download", *packages]):
        done = subprocess.run([*apt, *command], cwd=path, text=True,
                              capture_output=True)
        if done.returncode:
            shutil.rmtree(path)
            pytest.skip(f"packages of Debian {release} cannot be fetched: "
                        f"{done.stderr.strip()[-200:]}")
    for package in path.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, path / "root"], check=True)
        package.unlink()
    shutil.rmtree(lists)
    shutil.rmtree(cache)


@functools.lru_cache(maxsize=None)
def root(version):
    release = RELEASES[version][0]
    return cached(f"glibc-{version}", [release],
                  lambda path: fetch(path, release,
                                     ["libc6", "libc6-dev"])) / "root"


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

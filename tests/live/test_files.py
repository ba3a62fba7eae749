# SPDX-License-Identifier: Apache-2.0
"""The file behind a mapping: deleted, replaced, elsewhere, without sections,
hostile, or not to be had."""

import os
import shutil
import struct
import subprocess

import pytest

from conftest import (PAGE, Frozen, c_program, check_against_smaps, go_program,
                      is_idle, ledger, needs_root, run, wait_for)


def copy(program, folder):
    target = folder / "program"
    shutil.copy(program, target)
    return target


def libc_of(pid):
    with open(f"/proc/{pid}/maps") as file:
        for line in file:
            if "/libc.so.6" in line or "/libc-" in line:
                return line.split()[-1]
    raise AssertionError("no libc is mapped")


def check_sections(result):
    assert result.audit["balanced"] is True
    assert result.bytes("binary/.text") > 0
    assert result.below("binary") > 5 * PAGE


def test_deleted_executable(start, tmp_path):
    program = copy(go_program("objects", "1.26.8", "stripped"), tmp_path)
    target = start(program)
    program.unlink()
    result = ledger(target)
    check_sections(result)
    assert result.go["version"] == "go1.26.8"
    assert result.unknown() <= result.totals["rss_bytes"] / 1000
    assert result.json["target"]["exe"].endswith(" (deleted)")


def test_executable_replaced_by_another_file(start, tmp_path):
    """The sections are those of the file that runs, not of the new one."""
    program = copy(c_program("threads", flags=["-pthread"]), tmp_path)
    target = start(program)
    before = ledger(target, "--stop")
    program.unlink()
    program.write_bytes(os.urandom(100_000))
    after = ledger(target, "--stop")
    sections = {n: a["vsz_bytes"] for n, a in before.accounts.items()
                if n.startswith("binary/")}
    assert sections == {n: a["vsz_bytes"] for n, a in after.accounts.items()
                        if n.startswith("binary/")}


def test_deleted_library(start, tmp_path):
    """A library of the program's own, deleted after it was loaded."""
    source = tmp_path / "lib.c"
    source.write_text("int number = 42;\nchar room[20000];\n"
                      "int answer(void) { return number; }\n")
    library = tmp_path / "libanswer.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wl,-soname,libanswer.so.7",
                    "-o", library, source], check=True)
    main = tmp_path / "main.c"
    main.write_text("int answer(void); int pause(void);\n"
                    "int main(void) { answer(); for (;;) pause(); }\n")
    program = tmp_path / "main"
    subprocess.run(["gcc", "-o", program, main, library,
                    f"-Wl,-rpath,{tmp_path}"], check=True)
    os.symlink(library, tmp_path / "libanswer.so.7")
    target = start(program, reports=False)
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    library.unlink()
    result = ledger(target)
    assert result.audit["balanced"] is True
    # Called by its soname, with its .bss, which has no file behind it.
    assert result.bytes("library/libanswer.so.7/.text", domain="vsz") > 0
    assert result.bytes("library/libanswer.so.7/.bss", domain="vsz") >= 20000
    assert result.unknown() == 0


def strip_section_table(path):
    """Make the file forget its section headers, as sstrip does."""
    with open(path, "r+b") as file:
        file.seek(0x28)
        file.write(struct.pack("<Q", 0))
        file.seek(0x3a)
        file.write(struct.pack("<HHH", 0, 0, 0))


@pytest.mark.parametrize("version", ["1.16.15", "1.22.12", "1.26.8"])
@pytest.mark.parametrize("variant", ["stripped", "pie"])
def test_go_program_without_section_table(start, tmp_path, version, variant):
    program = copy(go_program("objects", version, variant), tmp_path)
    strip_section_table(program)
    target = start(program)
    result = ledger(target, "--stop")
    assert result.audit["balanced"] is True
    assert result.go["version"] == f"go{version}"
    assert result.bytes("go/heap/objects") > 0
    assert result.unknown() <= result.totals["rss_bytes"] / 1000
    for part in ("segment-rx", "segment-rw", "headers"):
        assert result.bytes(f"binary/{part}", domain="vsz") > 0, part


@needs_root
def test_chroot(start, tmp_path):
    """The path in maps is below the target's root, not below ours."""
    program = c_program("threads", "gcc", ["-pthread", "-static"])
    (tmp_path / "bin").mkdir()
    shutil.copy(program, tmp_path / "bin" / "inside")
    target = start("chroot", tmp_path, "/bin/inside")
    result = ledger(target)
    check_sections(result)
    assert result.unknown() <= 12 * PAGE
    assert result.json["target"]["exe"] == "/bin/inside" or \
        result.json["target"]["exe"].endswith("/bin/inside")


@needs_root
def test_mount_namespace(start, tmp_path):
    """Its executable lies on a file system that we do not see."""
    program = go_program("objects", "1.26.8", "stripped")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    target = start(
        "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
        f"mount -t tmpfs none {hidden} && cp {program} {hidden}/inside && "
        f"exec {hidden}/inside")
    assert not (hidden / "inside").exists()
    # Its own PID is 1; ours for it is that of unshare's child.
    assert target.figures["pid"] == 1
    pid = int(open(f"/proc/{target.pid}/task/{target.pid}/children")
              .read().split()[0])
    result = ledger(pid)
    check_sections(result)
    assert result.go["version"] == "go1.26.8"
    assert result.bytes("go/stacks/used", domain="vsz") > 0
    assert result.unknown() <= result.totals["rss_bytes"] / 1000


def hostile_variants(program):
    """(name, bytes) of files that still run, but whose headers lie."""
    data = bytearray(program.read_bytes())
    shoff = struct.unpack_from("<Q", data, 0x28)[0]

    def patched(*patches):
        copy = bytearray(data)
        for offset, fmt, value in patches:
            struct.pack_into(fmt, copy, offset, value)
        return bytes(copy)

    yield "section table behind the end", patched((0x28, "<Q", 1 << 60))
    yield "65,000 sections", patched((0x3c, "<H", 65000))
    yield "absurd section count", patched((0x3c, "<H", 0),
                                          (shoff + 0x20, "<Q", 1 << 40))
    yield "names in no section", patched((0x3e, "<H", 0x7fff))
    count = struct.unpack_from("<H", data, 0x3c)[0]
    yield "sections everywhere", patched(
        *((shoff + 64 * i + 0x10, "<Q", 0x400000 + 0x100 * i)
          for i in range(1, count)),
        *((shoff + 64 * i + 0x20, "<Q", 1 << 47) for i in range(1, count)))


def test_hostile_section_tables(start, tmp_path):
    program = c_program("threads", "gcc", ["-pthread", "-static"])
    for number, (name, data) in enumerate(hostile_variants(program)):
        path = tmp_path / f"hostile{number}"
        path.write_bytes(data)
        path.chmod(0o755)
        target = start(path)
        result = ledger(target)
        assert result.audit["balanced"] is True, name
        assert result.below("binary") > 0, name
        with Frozen(target.pid):
            check_against_smaps(target.pid, ledger(target, "--stop"))


def test_file_cut_short_under_the_program(start, tmp_path):
    """Truncated while it runs: pages behind the end are gone."""
    program = copy(c_program("threads", flags=["-pthread"]), tmp_path)
    target = start(program)
    # A running program's file cannot be written to, but one that is mapped
    # as data can: let it be the libc's copy that the target does not use.
    file = tmp_path / "data.so"
    shutil.copy(libc_of(target.pid), file)
    reader = subprocess.Popen(
        ["python3", "-c", "import mmap, sys\n"
         f"f = open({str(file)!r}, 'rb')\n"
         "m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)\n"
         "m[0]\nprint('ready', flush=True)\nsys.stdin.read()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert reader.stdout.readline() == "ready\n"
        os.truncate(file, 100)
        result = ledger(reader.pid)
        assert result.audit["balanced"] is True
        os.truncate(file, 0)
        assert ledger(reader.pid).audit["balanced"] is True
        assert run("maps", reader.pid).returncode == 0
    finally:
        reader.stdin.close()
        reader.wait()
        reader.stdout.close()

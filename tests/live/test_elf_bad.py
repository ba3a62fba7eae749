# SPDX-License-Identifier: Apache-2.0
"""`memwhy elf` of files that are damaged, or none; and its forms."""

import concurrent.futures
import os
import re
import shutil
import struct
import subprocess

import pytest

from conftest import (MEMWHY, PROGRAMS, asm_program, go_program, plain_only,
                      run)
from test_elf import elf


def test_a_file_that_breaks_off(tmp_path):
    whole = asm_program("minimal_data").read_bytes()
    path = tmp_path / "part"
    for size in list(range(0, 200, 7)) + list(range(200, len(whole), 97)):
        path.write_bytes(whole[:size])
        done = run("elf", path)
        assert done.returncode == 1
        assert re.match(r"memwhy: .*(offset|ELF)", done.stderr), done.stderr
    path.write_bytes(whole)
    assert run("elf", path).returncode == 0


@plain_only
@pytest.mark.parametrize("name", ["program", "object.o"])
def test_small_files_that_break_off_at_every_byte(tmp_path, name):
    """The sanitized one has unit tests that do the same to the tables."""
    source = PROGRAMS / "minimal.asm"
    for command in (["nasm", "-f", "elf64", "-o", "object.o", source],
                    ["ld", "-n", "-o", "program", "object.o"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    whole = (tmp_path / name).read_bytes()
    # What follows the last section and the tables is padding: how much, depends
    # on the names in the string table, the source's path among them.
    start, = struct.unpack_from("<Q", whole, 40)
    width, count = struct.unpack_from("<HH", whole, 58)
    sections = [struct.unpack_from("<IIQQQQ", whole, start + i * width)
                for i in range(count)]
    end = max(start + count * width,
              *(offset + size for _, kind, _, _, offset, size in sections
                if kind != 8))

    def try_size(size):
        path = tmp_path / f"{size}"
        path.write_bytes(whole[:size])
        told = run("elf", path)
        # Where the tables are whole, the layout tells what is missing.
        assert told.returncode == 1 and \
            re.match(r"memwhy: .*(offset|ELF)", told.stderr) or \
            "behind the end of the file" in told.stdout, (size, told)
        command = [["syms", path], ["disas", path, "_start"]][size % 2]
        done = run(*command)
        assert done.returncode in (0, 1), (size, done.stderr)
        assert done.returncode == 0 or done.stderr.startswith("memwhy: ")
        path.unlink()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(try_size, range(end)))


def test_what_is_no_elf_file(tmp_path):
    assert "not an ELF file" in run("elf", "/etc/passwd").stderr
    assert run("elf", "/etc/passwd").returncode == 1
    assert run("elf", "/etc").returncode == 1
    # The file is named once.
    assert run("elf", "/etc").stderr == "memwhy: /etc: not a regular file\n"
    assert run("elf", "/dev/zero").returncode == 1
    assert run("elf", tmp_path / "none").returncode == 1
    os.mkfifo(tmp_path / "fifo")
    assert run("elf", tmp_path / "fifo").returncode == 1


@pytest.mark.parametrize("pack, word", [
    (["ar", "rc", "packed"], "ar x"), (["ar", "rcT", "packed"], "ar t"),
    (["xz", "-k"], "xz -dk"), (["gzip", "-k"], "gzip -dk"),
    (["bzip2", "-k"], "bzip2 -dk"), (["zstd", "-q"], "zstd -d")])
def test_what_has_an_elf_file_inside(tmp_path, pack, word):
    if not shutil.which(pack[0]):
        pytest.skip(f"{pack[0]} is not installed")
    shutil.copy("/usr/bin/true", tmp_path / "true")
    subprocess.run([*pack, "true"], cwd=tmp_path, check=True)
    (path,) = set(tmp_path.iterdir()) - {tmp_path / "true"}
    for command in ("elf", "syms"):
        done = run(command, path)
        assert done.returncode == 1 and word in done.stderr


def test_forms():
    done = run("elf", "--format=csv", "--segments", "/usr/bin/ls")
    assert done.returncode == 0
    assert done.stdout.startswith("index,type,offset,")
    assert run("elf", "--format=csv", "/usr/bin/ls").returncode == 2
    done = run("elf", "/usr/bin/ls")
    assert "Layout of the file" in done.stdout
    assert "Symbols" not in done.stdout
    only = elf("/usr/bin/ls", "--notes")
    assert "notes" in only and "sections" not in only and \
        "header" not in only


def test_a_segment_of_petabytes(tmp_path):
    """Nobody looks at each of its pages."""
    path = tmp_path / "program"
    data = bytearray(go_program("objects", "1.26.8", "stripped").read_bytes())
    at, count = int.from_bytes(data[32:40], "little"), data[56]
    last = max(at + 56 * i for i in range(count)
               if data[at + 56 * i:at + 56 * i + 4] == b"\1\0\0\0")
    data[last + 46] = 0x40  # of its size in memory, p_memsz
    path.write_bytes(data)
    done = subprocess.run([MEMWHY, "search", path, "runtime"], timeout=60,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"runtime" in done.stdout

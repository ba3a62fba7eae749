# SPDX-License-Identifier: Apache-2.0
"""strings: compared with those of binutils."""

import os
import pathlib
import subprocess

import pytest

from bytes_target import (PAGES, at, data_file, raw, table,  # noqa: F401
                          target)
from conftest import PAGE, need, run

ENCODINGS = ["s", "S", "b", "l", "B", "L"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("least", [1, 4, 11])
def test_strings_are_those_of_binutils(target, tmp_path, encoding, least):
    need("strings")
    for name in (".rodata", ".bss", "libc.so.6:.rodata"):
        done = run("hexdump", "--section", name, target.pid)
        base = int(done.stdout.split("-")[0], 16)
        out = tmp_path / "bytes"
        out.write_bytes(raw("dump", "--section", name, "--from-files",
                            target.pid))
        want = [(int(line.split()[0], 16) + base, line.lstrip().split(b" ", 1)[1])
                for line in subprocess.run(
                    ["strings", "-a", "-t", "x", "-e", encoding, "-n",
                     str(least), out], capture_output=True,
                    env=dict(os.environ, LC_ALL="C")).stdout.splitlines()]
        got = [(int(line.split()[0], 16), line.lstrip().split(b" ", 1)[1])
               for line in raw("strings", "-e", encoding, "-n", least,
                               "--from-files", "--section", name,
                               target.pid).splitlines()]
        assert got == want


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_strings_of_files(encoding, tmp_path):
    """What their segments load, and zeros behind; in all number systems."""
    need("strings")
    out = tmp_path / "bytes"
    for path in ("/usr/bin/ls", "/lib64/ld-linux-x86-64.so.2"):
        data = pathlib.Path(path).read_bytes()
        for radix in "xdo":
            want = []
            for line in subprocess.run(
                    ["readelf", "-lW", path], capture_output=True, text=True,
                    check=True).stdout.splitlines():
                if not line.startswith("  LOAD"):
                    continue
                offset, start, _, size, room = (int(n, 16)
                                                for n in line.split()[1:6])
                out.write_bytes(data[offset:offset + size] +
                                bytes(room - size))
                want += [binutils_line(line, start, radix)
                         for line in subprocess.run(
                             ["strings", "-a", "-t", "d", "-e", encoding, out],
                             capture_output=True, check=True,
                             env=dict(os.environ, LC_ALL="C"))
                         .stdout.splitlines()]
            got = raw("strings", "-e", encoding, "-t", radix, path)
            assert got.splitlines() == want


def binutils_line(line, start, radix):
    """A line of strings -t d of what begins at @start."""
    offset, text = line.lstrip().split(b" ", 1)
    return f"{int(offset) + start:7{radix}} ".encode() + text


def test_strings_as_tables(target):
    rows = table("strings", "--section=.rodata", target.pid)
    assert {"address": hex(at(target, "literal")), "length_bytes": 45,
            "text": "a literal of the program that is easily found",
            "account": None} in rows
    rows = table("strings", "--verbose", "--section=.data", target.pid)
    row = next(r for r in rows if r["text"].startswith("a variable"))
    assert row["account"] == "binary/.data"
    text = run("strings", "--format=csv", "--section=.rodata", target.pid)
    assert text.stdout.startswith("address,length_bytes,text,account\n")
    assert f"{at(target, 'literal'):#x},45,a literal of" in text.stdout


def test_strings_do_not_bridge_absent_pages(target):
    start = at(target, "sparse")
    text = run("strings", "--range", f"{start:x}+{PAGES * PAGE}",
               target.pid).stdout
    assert f"{start + 5 * PAGE - 6:x} across two pages\n" in text
    assert text.count("is there") == PAGES // 2 - 1


def test_strings_of_the_whole_process(target):
    lines = run("strings", "-n", 20, target.pid).stdout.splitlines()
    literal = f"{at(target, 'literal'):x} a literal of the program that is " \
        "easily found"
    assert literal in lines
    assert f"{at(target, 'variable'):x} a variable that was set before it " \
        "began" in lines

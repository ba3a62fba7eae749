# SPDX-License-Identifier: Apache-2.0
"""CPython's allocator of small objects, held against what it says itself."""

import json
import os
import re

import pytest

import suites
from conftest import PROGRAMS, cached, is_idle, ledger, run, wait_for

MODES = ["--live", "--stop"]
LIBRARIES = ["libc6", "libexpat1", "zlib1g"]
# Python release: the Debian release that has it. Arenas have 1 MiB instead of
# 256 KiB since 3.10; since 3.12 each interpreter has its own.
RELEASES = {"3.9": "bullseye", "3.11": None, "3.13": "trixie",
            "3.14": "sid"}
ANSWERS = {
    "arenas": r"arenas allocated current += +([\d,]+)",
    "in_use": r"bytes in allocated blocks += +([\d,]+)",
    "free": r"bytes in available blocks += +([\d,]+)",
    "heads": r"bytes lost to pool headers += +([\d,]+)",
    "rests": r"bytes lost to quantization += +([\d,]+)",
    "total": r"arenas \* \d+ bytes/arena += +([\d,]+)",
}


def python(version):
    """The command of a Python release."""
    release = RELEASES[version]
    if release is None:
        return ["/usr/bin/python3"]
    packages = [f"python{version}-minimal", f"libpython{version}-minimal",
                *LIBRARIES]
    root = cached(f"python{version}", [release, packages],
                  lambda path: suites.fetch(path, release, packages)) / "root"
    libraries = [root / part for part in ("lib/x86_64-linux-gnu",
                                          "usr/lib/x86_64-linux-gnu")]
    loader = next(path for folder in libraries
                  for path in folder.glob("ld-*.so*"))
    return ["env", f"PYTHONHOME={root}/usr", loader, "--library-path",
            ":".join(str(part) for part in libraries),
            root / f"usr/bin/python{version}", "-I", "-S"]


@pytest.fixture
def objects(start, tmp_path):
    """objects(version): objects.py at rest, and what it says of itself."""
    def make(version):
        path = tmp_path / "said"
        target = start("sh", "-c", 'exec "$@" 2>"$0"', path,
                       *python(version), PROGRAMS / "objects.py",
                       reports=False)
        text = wait_for(lambda: path.exists() and "end\n" in path.read_text()
                        and is_idle(target.pid) and path.read_text(),
                        "the program to fill its memory")
        said = {}
        for name, pattern in ANSWERS.items():
            match = re.search(pattern, text)
            said[name] = int(match[1].replace(",", "")) if match else None
        return target, said
    return make


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("version", RELEASES)
def test_it_says_the_same(objects, version, mode):
    target, said = objects(version)
    result = ledger(target, mode)

    def vsz(*kinds):
        return result.bytes(*(f"malloc/pymalloc/heap/{kind}"
                              for kind in kinds), domain="vsz")

    assert said["in_use"] > 1 << 20 and said["free"] > 1 << 20
    assert vsz("in-use") == said["in_use"]
    assert vsz("free") == said["free"]
    assert vsz("metadata") == said["heads"] + said["rests"]
    assert result.below("malloc/pymalloc", domain="vsz") == said["total"]
    assert result.audit["overlaps"] == 0
    assert result.audit["balanced"] is True
    # What is left are maps of the loader and the like.
    assert result.unknown() <= result.totals["rss_bytes"] // 100
    done = run("malloc", "--format=json", mode, target.pid)
    rows = [r for r in json.loads(done.stdout)["rows"]
            if r["allocator"] == "pymalloc"]
    assert [r["arena"] for r in rows] == ["heap"]
    assert rows[0]["in_use_bytes"] == said["in_use"]
    assert rows[0]["torn_bytes"] == 0


def test_without_it(start):
    """PYTHONMALLOC=malloc: all objects are the C library's blocks."""
    target = start("/usr/bin/python3", "-c",
                   "import signal; keep = [str(i) for i in range(50000)]\n"
                   "signal.pause()", reports=False,
                   env=dict(os.environ, PYTHONMALLOC="malloc"))
    wait_for(lambda: is_idle(target.pid) and ledger(target).bytes(
        "malloc/glibc/main/in-use") > 3 << 20, "the program to fill its heap")
    result = ledger(target, "--stop")
    assert result.below("malloc/pymalloc", domain="vsz") == 0
    assert result.unknown() <= result.totals["rss_bytes"] // 100


def test_it_never_rests(start):
    """Live: balanced. Stopped: nothing is torn."""
    target = start("/usr/bin/python3", "-c",
                   "keep = {}\n"
                   "i = 0\n"
                   "while True:\n"
                   "    keep[i * 7919 % 50000] = 'x' * (i % 400)\n"
                   "    i += 1\n", reports=False)
    wait_for(lambda: ledger(target).below("malloc/pymalloc") > 8 << 20,
             "the program to fill its memory")
    for _ in range(5):
        assert ledger(target).audit["overlaps"] == 0
        result = ledger(target, "--stop")
        assert result.audit["balanced"] is True
        assert result.audit["overlaps"] == 0
        assert result.bytes("unknown/malloc-torn", domain="vsz") == 0

# SPDX-License-Identifier: Apache-2.0
"""`memwhy elf` of what runs: which pages of a file are there."""

import json
import os
import shutil
import struct

import pytest

from conftest import (Frozen, c_program, go_program, needs_root, run,
                      smaps_rows, wait_for)
from test_elf import elf


def pagemap(pid, start, end):
    """Per page: present, of a file, mapped by this process only. The page of
    zeros, which all share, is not told as present: it is not in RSS."""
    with open(f"/proc/{pid}/pagemap", "rb") as file:
        file.seek(start // 4096 * 8)
        data = file.read((end - start) // 4096 * 8)
    pages = []
    with open("/proc/kpageflags", "rb") as flags:
        for (word,) in struct.iter_unpack("<Q", data):
            present = word >> 63 & 1
            if present:
                flags.seek((word & (1 << 55) - 1) * 8)
                zero = int.from_bytes(flags.read(8), "little") >> 24 & 1
                present = not zero
            pages.append((present, word >> 61 & 1, word >> 56 & 1))
    return pages


def kernel_pages(pid, answer):
    """What the kernel's page map has of each section and segment: pages, and
    how many are resident, dirty, shared."""
    found = []
    for row in (*answer["sections"]["rows"], *answer["segments"]["rows"]):
        if row["pages"] is not None:
            size = row.get("size_bytes", row.get("memory_bytes"))
            start = int(row["mapped_at"], 16)
            end = (start + size + 4095) & ~4095
            pages = pagemap(pid, start & ~4095, end)
            found.append([len(pages), sum(p[0] for p in pages),
                          sum(p[0] and not p[1] for p in pages),
                          sum(p[0] and not p[2] for p in pages)])
    return found


def undisturbed(target, *arguments):
    """What memwhy says, the page map and smaps, of one moment: which pages are
    shared is up to other processes, too."""
    def look():
        with Frozen(target.pid):
            answer = elf(target, *arguments)
            pages = kernel_pages(target.pid, answer)
            rows = smaps_rows(target.pid)
            again = elf(target, *arguments)
        return all(again[part] == answer[part]
                   for part in ("sections", "segments")) and \
            (answer, pages, rows)

    return wait_for(look, "other processes to rest")


def check_pages(target, answer, pages):
    """Every section and segment against the kernel's own page map."""
    rows = [row for row in (*answer["sections"]["rows"],
                            *answer["segments"]["rows"])
            if row["pages"] is not None]
    assert [[row["pages"], row["resident_pages"], row["dirty_pages"],
             row["shared_pages"]] for row in rows] == pages
    assert len(rows) > 10
    mapped = {}
    with open(f"/proc/{target.pid}/maps") as file:
        for line in file:
            addresses, perms = line.split()[:2]
            mapped[addresses] = perms
    for row in answer["segments"]["rows"]:
        for part in (row["mapping"] or "").split(", "):
            if part:
                addresses, perms = part.split()
                assert mapped[addresses] == perms


def check_smaps(rows, answer):
    """Segments that are a mapping of their own against its figures."""
    figures = {f"{m['start']:x}-{m['end']:x}": m for m in rows}
    checked = shared = 0
    for row in answer["segments"]["rows"]:
        mapping = figures.get((row["mapping"] or "").partition(" ")[0])
        if row["type"] != "LOAD" or "," in row["mapping"] or \
                mapping["end"] - mapping["start"] != row["pages"] * 4096:
            continue
        assert row["resident_pages"] * 4096 == mapping["Rss"]
        assert row["dirty_pages"] * 4096 == mapping["Anonymous"]
        assert row["shared_pages"] * 4096 == mapping["Shared_Clean"] + \
            mapping["Shared_Dirty"]
        checked += 1
        shared += row["shared_pages"]
    assert checked >= 2
    return shared


@pytest.fixture
def kinds(start, tmp_path):
    """A running C program."""
    file = tmp_path / "mapped"
    file.write_bytes(b"x" * 65536)
    return start(c_program("kinds", flags=["-pthread"]), file)


@needs_root
@pytest.mark.parametrize("image", [None, "libc", "libc.so.6",
                                   "ld-linux-x86-64"])
def test_a_process(kinds, image):
    target = kinds
    answer = elf(target, *([f"--image={image}"] if image else []))
    assert answer["target"]["pid"] == target.pid
    # What is said of the file is what is said without the process.
    file = elf(os.path.realpath(answer["image"]))
    for part in ("header", "dynamic", "notes", "layout", "summary"):
        assert answer[part] == file[part]
    for part in ("sections", "segments"):
        for row, want in zip(answer[part]["rows"], file[part]["rows"]):
            assert {k: row[k] for k in want} == want
    answer, pages, rows = undisturbed(
        target, *([f"--image={image}"] if image else []))
    check_pages(target, answer, pages)
    # Others have the C library in their memory, too.
    assert check_smaps(rows, answer) > 0 or not image


@needs_root
def test_a_go_process(start):
    target = start(go_program("objects", "1.26.8", "pie"))
    check_pages(target, *undisturbed(target)[:2])


def test_the_file_that_is_mapped_is_shown(start, tmp_path):
    """Not another one that has its name by now."""
    path = tmp_path / "program"
    shutil.copy(go_program("objects", "1.26.8", "pie"), path)
    target = start(path)
    before = elf(target)
    path.unlink()
    shutil.copy("/usr/bin/ls", path)
    after = elf(target)
    for part in ("header", "sections", "layout"):
        assert after[part] == before[part]


def test_the_vdso(kinds):
    answer = elf(kinds, "--image=vdso")
    assert answer["header"]["type"].startswith("DYN")
    symbols = elf(kinds, "--image=vdso", "--symbols")["symbols"]["rows"]
    assert "__vdso_clock_gettime" in {r["name"] for r in symbols}


def test_images_that_are_not_there(kinds):
    done = run("elf", "--image=libnone.so", kinds.pid)
    assert done.returncode == 1 and "libnone.so" in done.stderr
    assert run("elf", "--image=libc.so.6", "/usr/bin/ls").returncode == 2


def test_an_image_in_a_core(start, tmp_path):
    """From its file, and when that is gone from the pages in the core."""
    program = tmp_path / "program"
    shutil.copy(c_program("kinds", flags=["-pthread"]), program)
    data = tmp_path / "mapped"
    data.write_bytes(b"x" * 65536)
    target = start(program, data)
    core = tmp_path / "core"
    assert run("snapshot", "-o", core, target.pid).returncode == 0
    file = elf(program)
    assert elf(core)["header"]["type"].startswith("CORE")
    for name in ("program", "libc"):
        answer = elf(core, f"--image={name}")
        want = file if name == "program" else elf(answer["image"])
        for part in ("header", "dynamic", "notes", "layout"):
            assert answer[part] == want[part]
        text = next(r for r in answer["sections"]["rows"]
                    if r["name"] == ".text")
        assert text["mapping"].endswith("r-xp")
        assert 0 < text["resident_pages"] <= text["pages"]

    program.unlink()
    done = run("elf", "--image=program", "--format=json", core)
    # Section headers are in no segment: that they lack is no error.
    assert done.returncode == 0 and "truncated" not in done.stderr
    assert "what memory has of it is shown" in done.stderr
    answer = json.loads(done.stdout)
    assert answer["sections"]["rows"] == []
    # The loader sets DEBUG for debuggers.
    assert [r for r in answer["dynamic"]["rows"] if r["name"] != "DEBUG"] == \
        [r for r in file["dynamic"]["rows"] if r["name"] != "DEBUG"]
    assert {**answer["header"], "file_bytes": 0} == \
        {**file["header"], "file_bytes": 0}
    for row, want in zip(answer["segments"]["rows"],
                         file["segments"]["rows"], strict=True):
        assert {**row, "sections": ""}.items() >= \
            {**want, "sections": ""}.items()
    assert [r["description"] for r in answer["notes"]["rows"]] == \
        [r["description"] for r in file["notes"]["rows"]]
    done = run("elf", "--image=none", core)
    assert done.returncode == 1 and "libc.so.6" in done.stderr

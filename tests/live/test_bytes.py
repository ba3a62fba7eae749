# SPDX-License-Identifier: Apache-2.0
"""hexdump and dump, and how bytes are chosen: compared with /proc/PID/mem and
binutils, on processes whose pages are in every state."""

import json
import os
import re
import subprocess

import pytest

from bytes_target import (NEEDLES, PAGES, at, data_file,  # noqa: F401
                          go_target, hits, memory, present, raw, table,
                          target)
from conftest import (MEMWHY, PAGE, c_program, go_program, is_idle, ledger,
                      left_alone, maps, need, run, status, wait_for)


# Ranges

def test_range_by_end_and_by_length(target):
    start = at(target, "many")
    want = memory(target.pid, start + 5, 1000)
    for text in (f"{start + 5:x}-{start + 1005:x}",
                 f"0x{start + 5:X}-0x{start + 1005:x}",
                 f"{start + 5:x}+1000", f"{start + 5:x}+0x3e8"):
        assert raw("dump", "--range", text, target.pid) == want


def test_mapping_by_address_and_by_name(target):
    row = next(r for r in maps(target) if r["path"] == "[heap]")
    lo, hi = int(row["start"], 16), int(row["end"], 16)
    by_name = raw("dump", "--mapping=[heap]", target.pid)
    assert by_name == raw("dump", f"--mapping={lo + 99:x}", target.pid)
    assert len(by_name) == hi - lo
    assert by_name == memory(target.pid, lo, hi - lo)


def test_mappings_of_a_file(target, data_file):
    for name in (data_file, data_file.name):
        data = raw("dump", "--mapping", name, "--from-files", target.pid)
        assert data == data_file.read_bytes()


def test_section_of_a_process(target):
    for name in (".rodata", ".data", ".bss", ".dynamic", "libc.so.6:.data"):
        done = subprocess.run([MEMWHY, "hexdump", "--section", name,
                               str(target.pid)], capture_output=True,
                              text=True)
        lo, hi = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", done.stdout).groups()
        lo, hi = int(lo, 16), int(hi, 16)
        assert raw("dump", "--section", name, "--from-files",
                   target.pid) == memory(target.pid, lo, hi - lo), name
    lo = at(target, "literal")
    data = raw("dump", "--section=.rodata", target.pid)
    assert b"a literal of the program that is easily found" in data


def test_sections_of_files(tmp_path, target):
    """As objcopy dumps them, those without an address too."""
    need("objcopy")
    program = c_program("bytes")
    listed = subprocess.run(["readelf", "-SW", program], capture_output=True,
                            text=True).stdout
    names = [m[1] for m in re.finditer(
        r"^ +\[ *\d+\] (\.\S+) +(?!NOBITS)\S+ +\S+ +\S+ +(?!0{6} )\S+ ",
        listed, re.MULTILINE)]
    assert {".text", ".data", ".comment", ".debug_info"} <= set(names)
    for name in names:
        if name == ".shstrtab" or name == ".symtab" or name == ".strtab":
            continue  # objcopy makes them anew
        out = tmp_path / "section"
        done = subprocess.run(["objcopy", f"--dump-section={name}={out}",
                               program, "/dev/null"], capture_output=True)
        if done.returncode != 0:
            continue
        assert raw("dump", "--section", name, program) == out.read_bytes()


def test_object_file(tmp_path):
    source = tmp_path / "x.c"
    source.write_text('const char text[] = "text of an object file";\n')
    subprocess.run(["gcc", "-c", "-o", tmp_path / "x.o", source], check=True)
    assert raw("dump", "--section=.rodata", tmp_path / "x.o") == \
        b"text of an object file\0"
    assert b"text of an object file" in raw("strings", "--section=.rodata",
                                            tmp_path / "x.o")


@pytest.mark.parametrize("fixture", ["target", "go_target"])
def test_symbols(fixture, request):
    target = request.getfixturevalue(fixture)
    names = {"target": ["variable", "room", "wide"],
             "go_target": ["main.fooVar", "main.barVar", "main.numbers"]}
    for name in names[fixture]:
        address = at(target, name.removeprefix("main."))
        data = raw("dump", "--symbol", name, "--from-files", target.pid)
        assert data == memory(target.pid, address, len(data))
        sizes = {"variable": 64, "room": 100000, "wide": 27 * 4,
                 "main.fooVar": 16, "main.barVar": 16, "main.numbers": 32}
        assert len(data) == sizes[name]
        assert raw("dump", "--symbol", f"{name}+8", "--from-files",
                   target.pid) == data[8:]
    done = run("dump", "--symbol", f"{name}+5000000", target.pid)
    assert done.returncode == 1 and "only" in done.stderr
    done = run("dump", "--symbol", "no_such_thing", target.pid)
    assert done.returncode == 1 and "no_such_thing" in done.stderr


def test_functions_of_stripped_go_programs():
    program = go_program("bytes", "1.26.8", "stripped")
    full = go_program("bytes", "1.26.8", "symtab")
    size = int(subprocess.run(
        ["nm", "-S", full], capture_output=True, text=True).stdout.split(
            " T main.main\n")[0].split()[-1], 16)
    code = raw("dump", "--symbol=main.main", program)
    assert 0 <= len(code) - size < 32
    assert code == raw("dump", "--symbol=main.main", full)[:size] + \
        code[size:]


# Accounts

def test_account_has_the_bytes_of_the_ledger(go_target):
    pid = go_target.pid
    books = ledger(go_target, "--stop")
    for account in ("go/stacks", "go/heap/objects", "go/heap/free-slots",
                    "go/stacks/used", "binary/.data", "stack/main"):
        want = books.bytes(account, domain="vsz") or \
            books.below(account, domain="vsz")
        assert want > 0
        assert len(raw("dump", "--stop", "--account", account, pid)) == \
            want, account


def test_account_of_c_program(target):
    want = ledger(target, "--stop").below("stack/main", domain="vsz")
    assert len(raw("dump", "--account=stack/main", target.pid)) == want


def test_unknown_account_names_near_ones(go_target):
    done = run("dump", "--account=go/heap/object", go_target.pid)
    assert done.returncode == 1 and "go/heap/objects" in done.stderr
    done = run("strings", "--account=stakcs", go_target.pid)
    assert done.returncode == 1 and "stack" in done.stderr


# hexdump

def parse_hexdump(text):
    """{address: byte} and [(address, pages, why)]"""
    found, absent, last, repeat = {}, [], None, False
    for line in text.splitlines():
        match = re.match(r"([0-9a-f]+)  … absent: (\d+) pages? \((.*)\)$",
                         line)
        if match:
            absent.append((int(match[1], 16), int(match[2]), match[3]))
        elif line == "*":
            repeat = True
        elif re.match(r"[0-9a-f]+  ", line):
            base = int(line.split()[0], 16)
            columns = line[line.index(" ") + 1:line.index("  |")]
            row = {}
            for i in range(16):
                place = 1 + 3 * i + (i >= 8)
                digits = columns[place:place + 2].strip()
                if digits:
                    row[base + i] = int(digits, 16)
            if repeat:
                for address in range(last + 16, base, 16):
                    for i in range(16):
                        found[address + i] = found[last + i]
            last, repeat = base, False
            found.update(row)
    return found, absent


def test_hexdump_of_present_bytes(target):
    start = at(target, "variable") - 77
    text = run("hexdump", "--range", f"{start:x}+1000", target.pid).stdout
    found, absent = parse_hexdump(text)
    assert not absent
    assert bytes(found[start + i] for i in range(1000)) == \
        memory(target.pid, start, 1000)
    assert sorted(found) == list(range(start, start + 1000))
    verbose = run("hexdump", "-v", "--range", f"{start:x}+1000",
                  target.pid).stdout
    assert "*" not in [line for line in verbose.splitlines()]
    assert parse_hexdump(verbose)[0] == found


def test_hexdump_tells_absent_pages(target):
    start = at(target, "sparse")
    before = present(target.pid, start, PAGES)
    text = run("hexdump", "--range", f"{start:x}+{PAGES * PAGE}",
               target.pid).stdout
    found, absent = parse_hexdump(text)
    states = dict.fromkeys(range(PAGES), "present")
    for address, pages, why in absent:
        for i in range(pages):
            states[(address - start) // PAGE + i] = why
    for i in range(PAGES):
        if i == 14:
            assert states[i] == "not readable"
        elif before[i]:
            assert states[i] == "present"
        else:
            assert states[i] == "never touched"
    assert present(target.pid, start, PAGES) == before
    page = bytes(found[start + 2 * PAGE + i] for i in range(15))
    assert page == b"page 2 is there"


def test_hexdump_of_file_pages(target, data_file):
    start = at(target, "file")
    before = present(target.pid, start, PAGES)
    assert before[0] and not any(before[1:])
    where = f"--range={start:x}+{PAGES * PAGE}"
    text = run("hexdump", where, target.pid).stdout
    _, absent = parse_hexdump(text)
    assert absent == [(start + PAGE, PAGES - 1, "file, not resident")]
    found, absent = parse_hexdump(run("hexdump", "--from-files", where,
                                      target.pid).stdout)
    assert not absent
    assert bytes(found[start + i] for i in range(PAGES * PAGE)) == \
        data_file.read_bytes()
    assert present(target.pid, start, PAGES) == before


# dump

def test_dump_has_holes_for_absent_pages(target, tmp_path):
    start = at(target, "sparse")
    out = tmp_path / "out"
    where = f"--range={start:x}+{PAGES * PAGE}"
    done = run("dump", where, "-o", out, "--index", target.pid)
    assert done.returncode == 0 and done.stdout == ""
    data = out.read_bytes()
    states = present(target.pid, start, PAGES)
    assert len(data) == PAGES * PAGE
    assert out.stat().st_mode & 0o7777 == 0o600
    for i in range(PAGES):
        page = data[i * PAGE:(i + 1) * PAGE]
        if states[i] and i != 14:
            assert page == memory(target.pid, start + i * PAGE, PAGE)
        else:
            assert page == bytes(PAGE)
    with open(out, "rb") as file:
        assert os.lseek(file.fileno(), 0, os.SEEK_HOLE) < len(data)
    assert raw("dump", where, target.pid) == data
    index = json.loads((tmp_path / "out.index").read_text())
    assert {r["state"] for r in index["rows"]} == \
        {"present", "never touched", "not readable"}


def test_dump_all_and_its_index(target, tmp_path):
    out = tmp_path / "all"
    done = left_alone(target.pid, lambda: run("dump", "--all", "--force", "-o",
                                              out, target.pid))
    assert done.returncode == 0
    index = json.loads((tmp_path / "all.index").read_text())
    assert index["schema"] == "memwhy.dump-index/1"
    assert index["pid"] == target.pid
    assert index["file_bytes"] == out.stat().st_size
    data, end, told = out.read_bytes(), 0, 0
    regions = {(r["start"], r["end"]): r for r in maps(target)}
    for row in index["rows"]:
        lo, hi = int(row["start"], 16), int(row["end"], 16)
        assert lo >= end
        end = hi
        inside = next(r for (a, b), r in regions.items()
                      if int(a, 16) <= lo and hi <= int(b, 16))
        assert row["perms"] == inside["perms"]
        assert row["path"] == inside["path"]
        if row["offset"] is None:
            assert row["state"] != "present"
            continue
        assert row["offset"] == told
        told += hi - lo
        if "w" not in row["perms"] or hi - lo < 1 << 20:
            assert data[row["offset"]:row["offset"] + hi - lo] == \
                memory(target.pid, lo, hi - lo)
    assert told == len(data)


def test_dump_replaces_nothing_unasked(target, tmp_path):
    out = tmp_path / "out"
    out.write_text("precious")
    where = f"--range={at(target, 'many'):x}+10"
    done = run("dump", where, "-o", out, target.pid)
    assert done.returncode == 2 and "--force" in done.stderr
    assert out.read_text() == "precious"
    assert run("dump", where, "-o", out, "--force",
               target.pid).returncode == 0
    assert out.stat().st_size == 10
    done = run("dump", where, "--force", "-o", "/dev/full", target.pid)
    assert done.returncode == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_dump_to_a_full_pipe_target(target):
    where = f"--range={at(target, 'many'):x}+10"
    with open("/dev/full", "wb") as full:
        done = subprocess.run([MEMWHY, "dump", where, str(target.pid)],
                              stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "standard output" in done.stderr


def test_a_slow_reader_does_not_prolong_a_stop(target):
    """Output of a stopped target comes when it runs again."""
    where = f"--mapping={at(target, 'many'):x}"
    reader = subprocess.Popen([MEMWHY, "dump", "--stop", where,
                               str(target.pid)], stdout=subprocess.PIPE)
    try:
        assert len(reader.stdout.read(1)) == 1
        # The pipe is full, and memwhy waits: the target must not.
        wait_for(lambda: is_idle(target.pid), "the target to run")
        assert status(target.pid)["TracerPid"] == "0"
        assert len(reader.stdout.read()) >= NEEDLES - 1
    finally:
        reader.stdout.close()
        reader.wait()


# Files

def test_files_that_do_not_run():
    program = go_program("bytes", "1.26.8", "dwarf")
    row, = [r for r in table("search", program, "a literal that fooVar holds")]
    assert row["account"] == "binary/.rodata"
    assert "a literal that fooVar holds" in run("strings", program).stdout
    header = raw("dump", "--symbol=main.fooVar", program)
    assert int.from_bytes(header[8:16], "little") == 27
    pointer = int.from_bytes(header[:8], "little")
    where = f"--range={pointer:x}+27"
    assert raw("dump", where, program) == b"a literal that fooVar holds"
    found, absent = parse_hexdump(run("hexdump", where, program).stdout)
    assert bytes(found.values()) == b"a literal that fooVar holds"
    assert absent == []


# Cores

def test_snapshot_has_the_same_bytes(go_target, tmp_path):
    core = tmp_path / "core"
    done = run("snapshot", "-o", core, go_target.pid)
    assert done.returncode == 0, done.stderr
    for where in ("--symbol=main.fooVar", "--section=.data",
                  "--account=go/heap/objects", "--account=stack/main"):
        assert raw("dump", where, core) == \
            raw("dump", where, go_target.pid), where
    for text in ("quite a long needle", "MADE AT RUN TIME"):
        assert table("search", core, text) == \
            table("search", go_target.pid, text)
    assert raw("strings", "--section=.rodata", core) == \
        raw("strings", "--section=.rodata", go_target.pid)


def test_core_of_gdb_and_its_files(target, tmp_path):
    """What the core leaves out is read from the executable."""
    need("gcore")
    done = subprocess.run(["gcore", "-o", tmp_path / "core", str(target.pid)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    core = next(tmp_path.glob("core.*"))
    literal = at(target, "literal")
    assert f"{literal:x} a literal of the program that is easily found" in \
        run("strings", "-n", 20, core).stdout.splitlines()
    found, absent = parse_hexdump(
        run("hexdump", f"--range={literal:x}+9", core).stdout)
    assert bytes(found.values()) == b"a literal" and absent == []
    for name in ("many", "room", "variable"):
        where = f"--range={at(target, name):x}+100000"
        assert raw("dump", where, core)[:50000] == \
            raw("dump", where, target.pid)[:50000]
    where = f"--range={at(target, 'many'):x}+{NEEDLES}"
    assert hits(core, "needle", where, "--limit=0") == \
        hits(target.pid, "needle", where, "--limit=0")


# Wrong command lines

@pytest.mark.parametrize("arguments", [
    ["hexdump"], ["dump"], ["dump", "--range=10"], ["dump", "--range=20-10"],
    ["dump", "--range=zz-zzz"], ["dump", "--all"],
    ["dump", "--all", "--section=.data"], ["strings", "-n", "0"],
    ["strings", "-e", "x"], ["search", "x", "--hex"],
    ["search", "", "--limit=1"], ["search", "--hex", "??"],
    ["search", "--pointer", "nothing"], ["search", "a", "-i", "--hex"],
])
def test_wrong_use(target, arguments):
    done = run(arguments[0], target.pid, *arguments[1:])
    assert done.returncode == 2, done.stderr
    assert done.stdout == "" and done.stderr.startswith("memwhy: ")


@pytest.mark.parametrize("arguments, word", [
    (["--range=1000-2000"], "mapped"), (["--section=.nosuch"], ".text"),
    (["--mapping=nosuch"], "nosuch"), (["--mapping=1000"], "not mapped"),
    (["--section=.comment"], "not loaded"),
])
def test_what_is_not_there(target, arguments, word):
    done = run("hexdump", *arguments, target.pid)
    assert done.returncode == 1 and word in done.stderr

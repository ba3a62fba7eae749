# SPDX-License-Identifier: Apache-2.0
"""hexdump, dump, strings, search: compared with /proc/PID/mem, binutils and
grep, on processes whose pages are in every state."""

import json
import mmap
import os
import pathlib
import re
import subprocess

import pytest

from conftest import (MEMWHY, PAGE, Frozen, c_program, go_program, is_idle,
                      ledger, left_alone, maps, need, run, status, wait_for)

PAGES = 16
NEEDLES = 64 << 20


def raw(*arguments, **options):
    """Standard output as bytes."""
    done = subprocess.run([MEMWHY, *(str(a) for a in arguments)],
                          capture_output=True, timeout=120, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def table(*arguments):
    done = run(*arguments, "--format=json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["schema"] == f"memwhy.{arguments[0]}/1"
    return answer["rows"]


def memory(pid, start, size):
    """What the kernel says that is there; faults pages in, as we never do."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        file.seek(start)
        data = b""
        while len(data) < size:
            data += file.read(size - len(data))
        return data


def present(pid, start, pages):
    """Which of the pages are in memory, by pagemap."""
    with open(f"/proc/{pid}/pagemap", "rb") as file:
        file.seek(start // PAGE * 8)
        words = memoryview(file.read(8 * pages)).cast("Q")
        return [bool(word >> 63) for word in words]


@pytest.fixture(scope="module")
def data_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("bytes") / "data"
    path.write_bytes(b"".join(b"page %4d of the file\n" % i * (PAGE // 22) +
                              b"\n" * (PAGE % 22) for i in range(PAGES)))
    assert path.stat().st_size == PAGES * PAGE
    return path


@pytest.fixture
def target(start, data_file):
    target = start(c_program("bytes"), data_file)
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    return target


@pytest.fixture
def go_target(start):
    target = start(go_program("bytes", "1.26.8", "dwarf"))
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    return target


def at(target, name):
    return target.figures[name]


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


# strings

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


# search

def grep(data, pattern):
    """Offsets, as grep -abo has them."""
    return [m.start() for m in re.finditer(pattern, data, re.DOTALL)]


def hits(*arguments):
    return [int(r["address"], 16) for r in table("search", *arguments)]


def test_search_finds_what_grep_finds(target):
    start = at(target, "many")
    where = ("--mapping", f"{start:x}", "--limit=0")
    data = memory(target.pid, start, NEEDLES)
    row = next(r for r in maps(target) if int(r["start"], 16) <= start <
               int(r["end"], 16))
    data = memory(target.pid, int(row["start"], 16),
                  int(row["end"], 16) - int(row["start"], 16))
    base = int(row["start"], 16)
    for text, pattern in (("needle", b"needle"), ("crossing!!", b"crossing!!"),
                          ("A needle. ", b"A needle\\. "), ("zq", b"zq"),
                          ("no such text", b"no such text")):
        want = [base + offset for offset in grep(data, pattern)]
        assert hits(target.pid, text, *where) == want, text
        count = run("search", "--count", *where[:2], target.pid, text)
        assert count.stdout == f"{len(want)}\n"
    assert len(grep(data, b"crossing!!")) >= NEEDLES // (1 << 19) - 2


def test_search_agrees_with_grep(target, tmp_path):
    need("grep")
    out = tmp_path / "many"
    start = at(target, "many")
    run("dump", "--mapping", f"{start:x}", "-o", out, target.pid)
    for text in ("needle", "crossing"):
        lines = subprocess.run(["grep", "-abo", text, out],
                               capture_output=True,
                               env=dict(os.environ, LC_ALL="C")).stdout
        row = next(r for r in maps(target) if int(r["start"], 16) <= start <
                   int(r["end"], 16))
        assert hits(target.pid, text, "--limit=0", "--mapping",
                    f"{start:x}") == \
            [int(row["start"], 16) + int(line.split(b":")[0])
             for line in lines.splitlines()]


def test_search_in_any_case_and_by_bytes(target):
    start = at(target, "many")
    where = ("--range", f"{start:x}+{NEEDLES}", "--limit=0")
    plain = hits(target.pid, "A needle. ", *where)
    assert len(plain) > 50
    assert hits(target.pid, "-i", "a NEEDLE. ", *where) == plain
    for text in ("41206e6565646c652e20", "41 20 6E 65 65 64 6c 65 2e 20",
                 "41 20 ?? 65 65 6? ?c 65 2e 20"):
        assert hits(target.pid, "--hex", text, *where) == plain
        assert hits("--hex", target.pid, text, *where) == plain
        assert hits("--hex", text, target.pid, *where) == plain


def test_search_for_pointers(target):
    start, sparse = at(target, "many"), at(target, "sparse")
    where = ("--range", f"{start:x}+{NEEDLES}", "--limit=0")
    data = memory(target.pid, start, NEEDLES)
    words = memoryview(data).cast("Q")
    want = [start + 8 * i for i, w in enumerate(words) if w == sparse]
    assert len(want) > 15
    for text in (f"{sparse:x}", f"0x{sparse:x}",
                 f"{sparse - 5:x}-{sparse + 1:x}", f"{sparse - 1:x}+2"):
        assert hits("--pointer", target.pid, text, *where) == want
    assert hits("--pointer", f"0x{sparse:x}", target.pid, *where) == want
    rows = table("search", "--pointer", target.pid, f"{sparse:x}", *where)
    assert all(int(r["value"], 16) == sparse for r in rows)
    assert hits("--pointer", target.pid, f"{sparse + 1:x}", *where) == []


def test_search_crosses_pages_but_no_gaps(target):
    start = at(target, "sparse")
    where = ("--range", f"{start:x}+{PAGES * PAGE}")
    assert hits(target.pid, "across two pages", *where) == \
        [start + 5 * PAGE - 6]
    assert hits(target.pid, "halfway", *where) == []


def test_search_tells_accounts_and_symbols(target, go_target):
    row, = [r for r in table("search", target.pid, "variable that was set")
            if r["symbol"]]
    assert row["account"] == "binary/.data"
    assert row["symbol"] == "variable+0x2"
    assert int(row["address"], 16) == at(target, "variable") + 2
    assert "a variable that was set before it began" in row["text"]

    pid = go_target.pid
    heap = at(go_target, "heap") + 123456
    row, = [r for r in table("search", pid, "quite a long needle")
            if r["account"] == "go/heap/objects"]
    assert int(row["address"], 16) == heap + len("on the heap: ")
    # Who points at the string that barVar holds?
    made, = [r for r in table("search", pid, "MADE AT RUN TIME, FOR BARVAR")
             if r["account"] == "go/heap/objects"]
    rows = table("search", pid, "--pointer", made["address"])
    assert ("main.barVar", "binary/.bss") in \
        [(r["symbol"], r["account"]) for r in rows] or \
        ("main.barVar", "binary/.noptrbss") in \
        [(r["symbol"], r["account"]) for r in rows]


def test_every_hit_has_the_account_of_the_ledger(go_target):
    """Hits in zeros, slot by slot: the ledger's sums, by another way."""
    with Frozen(go_target.pid):
        books = ledger(go_target)
        rows = table("search", go_target.pid, "--hex", "00??",
                     "--account=go/stacks", "--limit=20000")
        assert {r["account"] for r in rows} <= \
            {a for a in books.accounts if a.startswith("go/stacks/")}
        rows = table("search", go_target.pid, "--hex", "00??",
                     "--account=go/heap/free-slots", "--limit=20000")
        assert {r["account"] for r in rows} == {"go/heap/free-slots"}


def test_search_is_never_silently_cut(target):
    start = at(target, "many")
    where = ("--range", f"{start:x}+{NEEDLES}")
    done = run("search", *where, "--limit=5", target.pid, "needle")
    assert len(done.stdout.splitlines()) == 6
    assert "--limit=0" in done.stderr
    assert len(table("search", *where, "--hex", target.pid, "00")) == 1000
    done = run("search", *where, target.pid, "no such text")
    assert done.returncode == 0 and "no hits" in done.stderr


def test_search_leaves_absent_pages_alone(target):
    start = at(target, "file")
    where = ("--range", f"{start:x}+{PAGES * PAGE}")
    left_alone(target.pid, lambda: check_search(target, where),
               lambda: present(target.pid, start, PAGES))


def check_search(target, where):
    done = run("search", *where, target.pid, "of the file")
    assert "not resident" in done.stderr
    lines = PAGE // 22
    assert len(hits(*where, target.pid, "of the file")) == lines
    assert len(hits(*where, target.pid, "of the file", "--from-files",
                    "--limit=0")) == lines * PAGES
    run("search", target.pid, "whatever")
    run("strings", target.pid)


# Files

def test_files_that_do_not_run():
    program = go_program("bytes", "1.26.8", "dwarf")
    row, = [r for r in table("search", program, "a literal that fooVar holds")]
    assert row["account"] == "binary/.rodata"
    assert "a literal that fooVar holds" in run("strings", program).stdout
    header = raw("dump", "--symbol=main.fooVar", program)
    assert int.from_bytes(header[8:16], "little") == 27
    pointer = int.from_bytes(header[:8], "little")
    assert raw("dump", f"--range={pointer:x}+27", program) == \
        b"a literal that fooVar holds"


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
    for name in ("many", "room", "variable"):
        where = f"--range={at(target, name):x}+100000"
        assert raw("dump", where, core)[:50000] == \
            raw("dump", where, target.pid)[:50000]
    where = f"--range={at(target, 'many'):x}+{NEEDLES}"
    assert hits(core, "needle", where, "--limit=0") == \
        hits(target.pid, "needle", where, "--limit=0")


# A program that nobody here wrote

def test_search_in_python(start):
    need("python3")
    target = start("python3", "-c", """
import os, sys
text = "".join(["what ", "python ", "holds"]) * 3
big = [str(i) * 20 for i in range(50000)]
sys.stderr.write(f"text 0x{id(text):x}\\nend 0\\n")
sys.stderr.flush()
sys.stdin.read()
""")
    with Frozen(target.pid):
        found = hits(target.pid, "what python holdswhat", "--limit=0")
        want = []
        for row in maps(target):
            lo, hi = int(row["start"], 16), int(row["end"], 16)
            if "r" not in row["perms"] or row["path"].startswith("[v"):
                continue
            data = memory(target.pid, lo, hi - lo)
            want += [lo + m for m in grep(
                data, b"(?=what python holdswhat)")]
        assert found == want
        assert any(at(target, "text") <= hit < at(target, "text") + 100
                   for hit in found)
        for row in maps(target):
            if row["path"] == "[heap]":
                lo, hi = int(row["start"], 16), int(row["end"], 16)
        data = memory(target.pid, lo, hi - lo)
        runs = [(lo + m.start(), m[0].decode()) for m in
                re.finditer(rb"[\t -~]{4,}", data)]
        got = [(int(r["address"], 16), r["text"]) for r in
               table("strings", "--mapping=[heap]", target.pid)]
        assert got == runs


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

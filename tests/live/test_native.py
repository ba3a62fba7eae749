# SPDX-License-Identifier: Apache-2.0
"""C and assembler programs: every kind of mapping, page and stack."""

import subprocess

import pytest

from conftest import (PAGE, Frozen, asm_program, c_program,
                      check_against_smaps, children, is_idle, ledger, maps,
                      run, smaps_rows, smaps_totals, wait_for)


def row_at(rows, address):
    for row in rows:
        if int(row["start"], 0) <= address < int(row["end"], 0):
            return row
    raise AssertionError(f"no mapping at {address:#x}")


@pytest.fixture
def kinds(start, tmp_path):
    file = tmp_path / "a file"
    file.write_bytes(bytes(16 * PAGE))
    target = start(c_program("kinds", flags=["-pthread"]), file)
    target.file = file
    return target


def test_every_kind_of_mapping(kinds):
    figures = kinds.figures
    result = ledger(kinds, "--stop")
    assert result.audit["balanced"] is True
    half = 8 * PAGE
    memory = {
        "memfd": "shm/memfd:kinds memfd",
        "shared": "shm/anonymous",
        "posix": f"shm/memwhy-kinds-{kinds.pid} (deleted)",
    }
    if figures["named"]:
        memory["named"] = "anonymous/kinds name"
    for name, account in memory.items():
        assert figures[name] != 0
        assert result.bytes(account) == half, account
        assert result.bytes(account, domain="vsz") == 16 * PAGE, account
    assert figures["sysv"]
    sysv = [a for a in result.accounts if a.startswith("shm/sysv:")]
    assert len(sysv) == 1 and result.bytes(sysv[0]) == half
    file = "file/" + str(kinds.file).lstrip("/")
    # Mapped privately and written, and shared and read to the end.
    assert result.bytes(file) == half + 16 * PAGE
    # private, none, zero, locked, lazy, huge pages, and what surrounds them.
    assert result.bytes("anonymous/private") >= \
        half + half + half + (2 << 20)
    assert result.bytes("malloc/glibc/main/in-use") > 0
    with Frozen(kinds.pid):
        check_against_smaps(kinds.pid, ledger(kinds))


def test_maps_has_the_kernels_figures(kinds):
    """Each row against its entry in smaps."""
    told = ("Rss", "Swap", "Shared_Dirty", "Private_Dirty", "Locked",
            "LazyFree", "AnonHugePages")

    def undisturbed():
        """The kernel writes files back, makes huge pages, and marks pages as
        lazily freed in batches, some time after madvise() returned."""
        before = smaps_rows(kinds.pid)
        rows = maps(kinds)
        after = smaps_rows(kinds.pid)
        return all(b[key] == a[key] for b, a in zip(before, after)
                   for key in told) and (rows, after)

    with Frozen(kinds.pid):
        rows, smaps = wait_for(undisturbed, "the kernel to rest")
    assert len(rows) == len(smaps)
    for row, kernel in zip(rows, smaps):
        assert int(row["start"], 0) == kernel["start"]
        assert int(row["end"], 0) == kernel["end"]
        assert row["perms"] == kernel["perms"]
        assert row["offset"] == kernel["offset"]
        assert row["path"] == kernel["path"]
        assert row["rss_bytes"] == kernel["Rss"], row
        assert row["swap_bytes"] == kernel["Swap"]
        assert row["dirty_bytes"] == \
            kernel["Shared_Dirty"] + kernel["Private_Dirty"], row
        assert row["locked_bytes"] == kernel["Locked"], row
        assert row["lazy_free_bytes"] == kernel["LazyFree"], row
        assert row["huge_bytes"] == kernel["AnonHugePages"], row
        assert row["owner"]


def test_maps_rows_of_special_memory(kinds):
    figures = kinds.figures
    rows = maps(kinds)

    def row(name):
        return row_at(rows, figures[name])

    # 16 pages read and never written; the mapping may be merged with others.
    assert row("zero")["zero_bytes"] >= 16 * PAGE
    if figures["locked"]:
        assert row("locked")["locked_bytes"] >= 16 * PAGE
    assert row("malloc")["path"] == "[heap]"
    assert row("stack")["owner"] == "main stack"
    if figures["hugetlb"]:
        assert row("hugetlb")["hugetlb_bytes"] == 2 << 20
        assert row("hugetlb")["rss_bytes"] == 0


def test_main_stack_is_divided(kinds):
    figures = kinds.figures
    result = ledger(kinds, "--stop")
    rows = maps(kinds)
    stack = row_at(rows, figures["stack"])
    end = int(stack["end"], 0)
    with open(f"/proc/{kinds.pid}/stat") as file:
        start_stack = int(file.read().rsplit(")", 1)[1].split()[25])
    assert figures["stack"] < start_stack <= figures["environ"] < end
    # Not all is resident: the kernel leaves a gap of random size above the
    # auxiliary vector.
    assert result.bytes("stack/main/environment", domain="vsz") == \
        end - start_stack
    used = result.bytes("stack/main/used")
    # From the live frames, which hold `at`, up to argc.
    assert start_stack - figures["stack"] <= used
    assert used < start_stack - figures["stack"] + 64 * 1024
    assert result.below("stack/main") == stack["rss_bytes"]


@pytest.mark.parametrize("compiler", ["gcc", "musl-gcc"])
@pytest.mark.parametrize("linkage", [[], ["-static"]])
@pytest.mark.parametrize("mode", ["--live", "--stop"])
def test_threads(start, compiler, linkage, mode):
    target = start(c_program("threads", compiler, ["-pthread", *linkage]))
    figures = target.figures
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    result = ledger(target, mode)
    assert result.audit["balanced"] is True
    assert result.unknown() <= 12 * PAGE
    # Those that were stopped run for a moment, and then tell no stack pointer.
    wait_for(lambda: is_idle(target.pid), "the threads to sleep again")
    rows = maps(target)
    frames = 0
    for i in range(4):
        tid, frame = figures[f"tid{i}"], figures[f"frame{i}"]
        stack = row_at(rows, frame)
        assert f"thread stack of TID {tid}" in stack["owner"]
        # The live frames: from the stack pointer below `frame`, up to the
        # thread's descriptor; each level of descend() has 8,000 bytes.
        frames += 8000 * (4 * i + 1)
        guards = [r for r in rows if f"guard of TID {tid}" in r["owner"]]
        assert len(guards) == 1
        assert guards[0]["perms"] == "---p"
    used = result.bytes("stack/threads/used", domain="vsz")
    assert frames <= used < frames + 4 * 16 * 1024
    # 3,000 bytes of thread-local variables for each, and the descriptor.
    assert result.bytes("stack/threads/tls", domain="vsz") >= 4 * 3000
    assert result.bytes("stack/threads/guard", domain="vsz") > 0
    assert result.bytes("stack/threads/guard") == 0
    total = result.below("stack/threads", domain="vsz")
    assert total >= 4 * (1 << 20)


def test_cached_stack_of_an_ended_thread(start):
    """glibc keeps the ended thread's stack; it gives back most of its pages,
    but not the descriptor's."""
    target = start(c_program("threads", "gcc", ["-pthread"]))
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    owners = [r["owner"] for r in maps(target)]
    assert sum("cached thread stack" in o for o in owners) == 1
    # Four threads of 1 MiB, and the stack of the fifth.
    assert ledger(target).below("stack/threads", domain="vsz") >= \
        5 * (1 << 20)


def section_bytes(program):
    """{section: size} by readelf."""
    text = subprocess.run(["readelf", "-SW", program], check=True,
                          capture_output=True, text=True).stdout
    sizes = {}
    for line in text.splitlines():
        words = line.replace("[ ", "[").split()
        if len(words) > 6 and words[0].startswith("[") and \
                words[1].startswith("."):
            sizes[words[1]] = int(words[5], 16)
    return sizes


def test_minimal_assembler_program_page_by_page(start):
    program = asm_program("minimal")
    target = start(program, reports=False, env={"A": "b" * 5000})
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    result = ledger(target, "--stop")
    assert result.audit["balanced"] is True
    assert result.unknown() == 0
    text = section_bytes(program)[".text"]
    assert result.bytes("binary/.text") == text
    assert result.bytes("binary/padding") == PAGE - text
    assert result.bytes("stack/main/environment") > 5000
    pages = maps(target, "--by-page")
    # Every resident page stands in a row, with all its bytes told.
    assert sum(row["pages"] for row in pages) * PAGE == \
        smaps_totals(target.pid)["Rss"] == result.totals["rss_bytes"]
    for row in pages:
        told = sum(int(part.rsplit(" ", 1)[1])
                   for part in row["accounts"].split(", "))
        assert told == PAGE, row
    code = [r for r in pages if r["perms"] == "r-xp"]
    assert [r["accounts"] for r in code] == \
        [f"binary/padding {PAGE - text}, binary/.text {text}"]


def test_assembler_program_with_every_section(start):
    program = asm_program("minimal_data")
    target = start(program, reports=False)
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    sizes = section_bytes(program)
    result = ledger(target)
    for section in (".text", ".rodata", ".data"):
        assert result.bytes(f"binary/{section}") == sizes[section], section
    # .bss begins on .data's page; of its other two, one was written to.
    bss = sizes[".bss"]
    assert result.bytes("binary/.bss", domain="vsz") == bss
    assert 0 < result.bytes("binary/.bss") < bss
    assert result.bytes("binary/headers", domain="vsz") > 0


def test_sections_equal_readelf(start):
    """VSZ of each section of a C program is its size in the file."""
    program = c_program("threads", "gcc", ["-pthread"])
    target = start(program)
    result = ledger(target)
    sizes = section_bytes(program)
    told = 0
    for section, size in sizes.items():
        account = f"binary/{section}"
        if account in result.accounts:
            assert result.bytes(account, domain="vsz") == size, section
            told += 1
    assert told > 15


def test_32_bit_process(start, tmp_path):
    source = tmp_path / "wait.c"
    source.write_text("int pause(void); int main(void) { "
                      "for (;;) pause(); }\n")
    program = tmp_path / "wait32"
    subprocess.run(["gcc", "-m32", "-static", "-o", program, source],
                   check=True)
    target = start(program, reports=False)
    wait_for(lambda: is_idle(target.pid), "the program to wait")
    with Frozen(target.pid):
        result = ledger(target, "--stop")
        check_against_smaps(target.pid, result)
    assert result.audit["balanced"] is True
    assert result.json["target"]["bits"] == 32
    assert any("32-bit" in note for note in result.json["notes"])
    assert "32-bit" in run("ledger", target.pid).stderr


FORKED = """
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static char data[1 << 20] = "x", *blocks[50000];
int main(void)
{
	memset(data, 1, sizeof(data));
	for (int i = 0; i < 50000; i++)
		memset(blocks[i] = malloc(1000), i, 1000);
	// Below /dev, but no device.
	int fd = shm_open("/memwhy-forked", O_CREAT | O_RDWR, 0600);
	ftruncate(fd, sizeof(data));
	shm_unlink("/memwhy-forked");
	memset(mmap(NULL, sizeof(data), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
		    0), 1, sizeof(data));
	if (fork() == 0) {
		getchar();
		return 0;
	}
	// Some pages are its own, between others.
	for (int i = 0; i < 50000; i += i % 1000 < 500 ? 12 : 250)
		blocks[i][0] = 1;
	fputs("end 0\\n", stderr);
	getchar();
	return 0;
}
"""


@pytest.mark.parametrize("command", [
    ["ledger"], ["ledger", "--stop"], ["malloc"], ["malloc", "--contents"],
    ["malloc", "--leaks", "--stop"], ["search", "--hex", "0123456789"],
    ["strings"], ["syms"], ["snapshot"]])
def test_pages_shared_since_fork_stay_shared(start, tmp_path, command):
    """Most ways to read a page make the kernel copy it for the target."""
    source = tmp_path / "forked.c"
    source.write_text(FORKED)
    program = tmp_path / "forked"
    subprocess.run(["gcc", "-O1", "-w", "-o", program, source], check=True)
    target = start(program)
    # Until then each still makes pages its own.
    for pid in (target.pid, *children(target.pid)):
        wait_for(lambda pid=pid: is_idle(pid), "the programs to wait")

    def shared():
        """Not of libraries, which others share, too."""
        return sum(row["Shared_Dirty"] + row["Shared_Clean"]
                   for row in smaps_rows(target.pid)
                   if row["path"] in ("", "[heap]", str(program)) or
                   row["path"].startswith("/dev/shm/"))

    before = shared()
    assert before > 36 << 20
    words = [*command[:1], target.pid, *command[1:]]
    if command == ["snapshot"]:
        words += ["-o", tmp_path / "core"]
    assert run(*words).returncode in (0, 1)
    assert shared() == before

# SPDX-License-Identifier: Apache-2.0
"""`memwhy syms` has the thread-local variables of shared objects."""

import csv
import io
import random
import re
import subprocess

import pytest

import glibcs
from allocators import release_file
from conftest import PROGRAMS, need, run

SOURCE = PROGRAMS / "threadlocal.c"

FLAGS = {
    "gd": [], "lazy": [], "linked": [],
    "ie": ['-DMODEL="initial-exec"'],
    "ld": ['-DMODEL="local-dynamic"', "-DSTORAGE=static"],
    "big": ["-DALIGN=4096"],
    "desc": ["-mtls-dialect=gnu2"],
}


def libraries(folder, *names, compiler="gcc"):
    for name in names:
        subprocess.run([compiler, "-O1", "-g", "-shared", "-fPIC", "-o",
                        folder / f"{name}.so", f"-DLIBRARY={name}",
                        *FLAGS[name], SOURCE], check=True)


def build(folder, *names, compiler="gcc", host=()):
    """The libraries @names, and the program that is linked with the first."""
    libraries(folder, *names, compiler=compiler)
    subprocess.run([compiler, "-O1", "-g", "-pthread", "-o", folder / "host",
                    f"-DLINKED={names[0]}", *host, SOURCE,
                    folder / f"{names[0]}.so"], check=True)
    return folder / "host"


def syms(target, image, name, *arguments):
    """The row of @name, or None if there is none, and what notes say."""
    done = run("syms", "--format=csv", "--values=yes", "--image", image,
               "--match", name, *arguments, target)
    assert done.returncode == 0, done.stderr
    rows = [r for r in csv.DictReader(io.StringIO(done.stdout))
            if r["name"] == name]
    return rows[0], done.stderr


def check(target, name, *arguments, value="42", of=None):
    row, told = syms(of or target.pid, f"{name}.so", f"var_{name}",
                     *arguments)
    assert int(row["address"], 16) == target.figures[name], (name, told)
    assert (row["value_type"].replace("long int", "long"), row["value"],
            row["tid"]) == ("long", value, str(target.pid))


def check_none(target, name, why, *arguments):
    row, told = syms(target.pid, f"{name}.so", f"var_{name}", *arguments)
    assert row["tid"] == row["value"] == ""
    assert int(row["address"], 16) < 4096
    assert f"{name}.so: thread-local variables without values: {why}" in told


def opened(folder, *names):
    return [f"{name[0]}{folder}/{name[1:]}.so" for name in names]


def test_glibc(start, tmp_path):
    """Where the program has them, and gdb; and so in a core."""
    need("gdb")
    host = build(tmp_path, "linked", "gd", "ie", "ld", "big", "lazy", "desc")
    target = start(host, *opened(tmp_path, "+gd", "+ie", "+ld", "+big",
                                 "-lazy", "+desc"))
    names = ["linked", "gd", "ie", "ld", "big", "desc"]
    for name in names:
        check(target, name)
        check(target, name, "--stop")
    check_none(target, "lazy", "not allocated yet in this thread")
    # Others' values are not asked for, and no note tells of them.
    assert "without values" not in run("syms", "--image", "lazy.so", "--match",
                                       "threadlocal_", target.pid).stderr
    core = tmp_path / "core"
    commands = [a for n in names for a in
                ("-ex", f'printf "%s %#lx %ld\\n", "{n}", &var_{n}, var_{n}')]
    done = subprocess.run(
        ["gdb", "-nx", "-batch", "-p", str(target.pid), "-ex", "thread 1",
         *commands, "-ex", "print var_lazy", "-ex",
         f"generate-core-file {core}"],
        capture_output=True, text=True, check=False)
    seen = dict(re.findall(r"^(\w+) (0x[0-9a-f]+) 42$", done.stdout, re.M))
    assert {n: int(a, 16) for n, a in seen.items()} == \
        {n: target.figures[n] for n in names}, done.stdout + done.stderr
    assert "not yet allocated" in done.stdout + done.stderr
    for name in names:
        check(target, name, of=core)
    snapshot = tmp_path / "snapshot"
    done = run("snapshot", "--output", snapshot, target.pid)
    assert done.returncode == 0, done.stderr
    for name in names:
        check(target, name, of=snapshot)
    # Without contents, which read as zeros, no place that is wrong.
    done = run("snapshot", "--no-contents", "--force", "--output", snapshot,
               target.pid)
    assert done.returncode == 0, done.stderr
    for name in names:
        row, told = syms(snapshot, f"{name}.so", f"var_{name}")
        assert row["tid"] == "" and "without values" in told or \
            int(row["address"], 16) == target.figures[name], (row, told)


@pytest.mark.parametrize("version", glibcs.RELEASES)
def test_releases_of_glibc(start, tmp_path, version):
    names = ["gd", "ie", "ld", "big", "desc"]
    libraries(tmp_path, *names, "lazy")
    target = start(*glibcs.loader(version), glibcs.old_program("threadlocal"),
                   *opened(tmp_path, "-lazy", *("+" + n for n in names)))
    for name in names:
        check(target, name)
    check_none(target, "lazy", "not allocated yet in this thread")
    target = start(*glibcs.loader(version), glibcs.old_program("threadlocal"),
                   *opened(tmp_path, "~gd", "-lazy"))
    check_none(target, "lazy", "not allocated yet in this thread")


def test_the_c_library(start, tmp_path):
    """What libc.so itself has there, as gdb finds it by libc's symbols."""
    need("gdb")
    target = start(build(tmp_path, "linked"))
    row, _ = syms(target.pid, "libc.so.6", "__libc_dlerror_result")
    done = subprocess.run(
        ["gdb", "-nx", "-batch", "-p", str(target.pid), "-ex", "thread 1",
         "-ex", "print &__libc_dlerror_result"],
        capture_output=True, text=True, check=False)
    found = re.findall(r"^\$1 = .*?(0x[0-9a-f]+)", done.stdout, re.M)
    assert [int(row["address"], 16)] == [int(a, 16) for a in found]


def test_musl(start, tmp_path):
    need("musl-gcc")
    host = build(tmp_path, "linked", "gd", "ld", compiler="musl-gcc")
    target = start(host, *opened(tmp_path, "+gd", "+ld"))
    for name in ("linked", "gd", "ld"):
        check(target, name, "--stop")


@pytest.mark.parametrize("release,folder", [
    ("bullseye", "lib"), ("trixie", "usr/lib"), ("sid", "usr/lib")])
def test_releases_of_musl(start, tmp_path, release, folder):
    need("musl-gcc")
    library = release_file(release, "musl",
                           f"{folder}/x86_64-linux-musl/libc.so")
    host = build(tmp_path, "linked", "gd", compiler="musl-gcc")
    target = start(library, host, *opened(tmp_path, "+gd"))
    check(target, "linked", "--stop")
    check(target, "gd", "--stop")


def test_a_number_that_is_used_again(start, tmp_path):
    """The main thread's vector still has what a closed library had there."""
    host = build(tmp_path, "linked", "gd", "lazy")
    target = start(host, *opened(tmp_path, "~gd", "-lazy"))
    check_none(target, "lazy", "not allocated yet in this thread")


@pytest.mark.parametrize("compiler", ["gcc", "musl-gcc"])
def test_a_variable_that_the_program_has_instead(start, tmp_path, compiler):
    """The library's relocations name the program's; that is not its own."""
    need(compiler)
    host = build(tmp_path, "linked", compiler=compiler, host=["-DSHADOW"])
    target = start(host)
    row, _ = syms(target.pid, "host", "var_linked", "--stop")
    assert int(row["address"], 16) == target.figures["linked"]
    assert row["value"] == "1002"
    if compiler == "gcc":
        row, _ = syms(target.pid, "linked.so", "var_linked", "--stop")
        assert row["value"] == "40"
        assert int(row["address"], 16) != target.figures["linked"]
    else:
        check_none(target, "linked", "no relocation of its own", "--stop")


class Memory:
    """The words of a process that sleeps."""

    def __init__(self, pid):
        self.file = open(f"/proc/{pid}/mem", "r+b", buffering=0)

    def read(self, va):
        self.file.seek(va)
        return int.from_bytes(self.file.read(8), "little")

    def write(self, va, word):
        self.file.seek(va)
        self.file.write((word % (1 << 64)).to_bytes(8, "little"))


@pytest.mark.parametrize("compiler,entry", [("gcc", 16), ("musl-gcc", 8)])
def test_damaged_vectors(start, tmp_path, compiler, entry):
    """A block that cannot be is none."""
    need(compiler)
    target = start(build(tmp_path, "linked", "gd", compiler=compiler),
                   *opened(tmp_path, "+gd"))
    memory = Memory(target.pid)
    pointer, block = target.figures["pointer"], target.figures["gd"]
    vector = memory.read(pointer + 8)
    place = next(vector + i * entry for i in range(1, 64)
                 if memory.read(vector + i * entry) == block)
    with open(f"/proc/{target.pid}/maps", encoding="utf-8") as maps:
        code = int(next(line for line in maps if "r-xp" in line)
                   .split("-")[0], 16)
    check(target, "gd", "--stop")

    def damage(va, word, why):
        good = memory.read(va)
        memory.write(va, word)
        try:
            check_none(target, "gd", why, "--stop")
        finally:
            memory.write(va, good)

    no_sense, not_yet = "what the loader has written makes no sense", \
        "not allocated yet in this thread"
    for word in (0, 8, 4096, -8, 1 << 47, 1 << 63):
        damage(pointer + 8, word, "what the loader has written cannot be")
    for word in (1, vector + 1, pointer + 16):
        damage(pointer + 8, word, no_sense)
    for word in (1, 8, -8, -16, code, 1 << 47, block + 1, block + 8):
        damage(place, word, no_sense)
    length = vector - 16 if compiler == "gcc" else vector
    damage(length, -1, no_sense)
    damage(length, 1, not_yet)
    damage(place, -1 if compiler == "gcc" else 0, not_yet)
    if compiler == "gcc":
        damage(vector, 0, not_yet)
    check(target, "gd", "--stop")


def section(path, name):
    """(offset, size) of a section in the file."""
    done = subprocess.run(["readelf", "-SW", path], capture_output=True,
                          text=True, check=True)
    found = re.search(rf" {re.escape(name)} +\w+ +[0-9a-f]+ ([0-9a-f]+) "
                      r"([0-9a-f]+)", done.stdout)
    return int(found[1], 16), int(found[2], 16)


@pytest.mark.parametrize("compiler", ["gcc", "musl-gcc"])
def test_damaged_tables(start, tmp_path, compiler):
    """Whatever the file says, there is no other value than the right one."""
    need(compiler)
    path = tmp_path / "linked.so"
    target = start(build(tmp_path, "linked", compiler=compiler))
    good = path.read_bytes()
    chance = random.Random(1)
    odd = [0, 1, 8, 24, 1 << 12, 1 << 31, 1 << 47, (1 << 63) - 1, 1 << 63,
           (1 << 64) - 8, (1 << 64) - 1]
    places = [section(path, ".rela.dyn"), section(path, ".dynamic"),
              section(path, ".rela.plt")]
    none = 0
    for i in range(60):
        bad = bytearray(good)
        offset, size = places[i % len(places)]
        for _ in range(1 + i % 7):
            at = offset + chance.randrange(size // 8) * 8
            word = chance.choice([*odd, chance.randrange(len(good)),
                                  (chance.randrange(40) << 32) +
                                  chance.choice([16, 18])])
            bad[at:at + 8] = word.to_bytes(8, "little")
        # The same file: the program runs on with the pages that it has.
        with open(path, "r+b") as file:
            file.write(bad)
        row, told = syms(target.pid, "linked.so", "var_linked", "--stop")
        if row["tid"]:
            assert int(row["address"], 16) == target.figures["linked"]
            assert row["value"] == "42"
        else:
            assert "without values" in told
            none += 1
    with open(path, "r+b") as file:
        file.write(good)
    # glibc's own list has it whatever relocations say.
    assert none > 0 or compiler == "gcc"
    check(target, "linked", "--stop")

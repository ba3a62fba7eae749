# SPDX-License-Identifier: Apache-2.0
"""The control group's view: limits, other processes, the kernel's memory."""

import json
import os
import pathlib
import subprocess

import pytest

from conftest import (MEMWHY, c_program, is_idle, ledger, need, needs_root,
                      run, status, wait_for)

MIB = 1 << 20
ONE = pathlib.Path("/sys/fs/cgroup/memory")
TWO = pathlib.Path("/sys/fs/cgroup")
VERSION = 1 if (ONE / "memory.limit_in_bytes").exists() else 2
BASE = ONE if VERSION == 1 else TWO


class Group:
    """A new group of the memory controller."""

    def __init__(self, path):
        self.path = path
        path.mkdir()

    def file(self, one, two):
        return self.path / (one if VERSION == 1 else two)

    def limit(self, bytes_):
        self.file("memory.limit_in_bytes", "memory.max").write_text(
            str(bytes_))

    def current(self):
        return int(self.file("memory.usage_in_bytes",
                             "memory.current").read_text())

    def below(self, name):
        if VERSION == 2:
            (self.path / "cgroup.subtree_control").write_text("+memory")
        return Group(self.path / name)

    def start(self, start, *command):
        """A process that is in the group from its first instruction."""
        return start("/bin/sh", "-c",
                     'echo $$ > "$0/cgroup.procs" && exec "$@"',
                     self.path, *command)


@pytest.fixture
def group():
    """A group, empty again and gone after the test."""
    try:
        made = Group(BASE / f"memwhy-test-{os.getpid()}")
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    if not made.file("memory.limit_in_bytes", "memory.max").exists():
        made.path.rmdir()
        pytest.skip("the memory controller is not for new groups here")
    yield made
    for folder, _, _ in os.walk(made.path, topdown=False):
        folder = pathlib.Path(folder)
        for pid in (folder / "cgroup.procs").read_text().split():
            os.kill(int(pid), 9)
        wait_for(lambda folder=folder: not
                 (folder / "cgroup.procs").read_text(), "an empty group")
        folder.rmdir()


def remarkable():
    return c_program("remarkable", flags=["-pthread"])


def look(target, *arguments):
    """The `cgroup` object, and the findings by name."""
    wait_for(lambda: is_idle(target.pid), "the target to be idle")
    answer = ledger(target, *arguments).json
    return answer["cgroup"], {f["id"]: f for f in answer["findings"]}


PARTS = ("process_anon_bytes", "others_anon_bytes", "file_bytes",
         "slab_bytes", "kernel_stack_bytes", "page_table_bytes",
         "other_kernel_bytes", "sock_bytes", "rest_bytes")


def check_sum(cgroup):
    """The parts are the whole, to the byte."""
    parts = [p for p in PARTS
             if not (cgroup["version"] == 1 and p == "sock_bytes")]
    assert sum(cgroup[p] for p in parts) == cgroup["current_bytes"]


def test_near_its_limit(start, group):
    name = "cgroup-near-limit"
    group.limit(48 * MIB)
    target = group.start(start, remarkable(), "anonymous")
    group.limit(38 * MIB)
    cgroup, found = look(target)
    assert abs(found[name]["bytes"] - group.current()) <= MIB
    assert "38.0 MiB" in found[name]["summary"]
    assert str(group.path) in found[name]["evidence"]
    assert cgroup["path"] == str(group.path)
    assert cgroup["version"] == VERSION
    assert cgroup["limit_bytes"] == 38 * MIB
    assert cgroup["processes"] == 1
    check_sum(cgroup)
    own = status(target.pid)["RssAnon"]
    assert abs(cgroup["process_anon_bytes"] - own) <= MIB
    group.limit(400 * MIB)
    cgroup, found = look(target)
    assert name not in found
    assert cgroup["limit_bytes"] == 400 * MIB
    text = run("ledger", target.pid).stdout
    assert f"control group {group.path}: " in text
    assert "of 400 MiB (" in text


def test_page_cache_is_room(start, group):
    """A group that reads files fills up to its limit, and is not near it."""
    group.limit(72 * MIB)
    target = group.start(start, remarkable(), "cached")
    wait_for(lambda: is_idle(target.pid), "the target to be idle")
    cgroup, found = look(target)
    if cgroup["current_bytes"] < 60 * MIB:
        pytest.skip("the kernel did not keep what was written")
    assert cgroup["droppable_bytes"] >= 48 * MIB
    assert cgroup["droppable_bytes"] <= cgroup["file_bytes"]
    assert "cgroup-near-limit" not in found
    check_sum(cgroup)


def test_limit_of_a_group_above(start, group):
    """The limit is the parent's, and another group below it uses it up."""
    group.limit(50 * MIB)
    quiet, loud = group.below("quiet"), group.below("loud")
    quiet.limit(40 * MIB)
    target = quiet.start(start, remarkable(), "none")
    other = loud.start(start, remarkable(), "anonymous")
    wait_for(lambda: is_idle(other.pid), "the other to be idle")
    group.limit(36 * MIB)
    cgroup, found = look(target)
    assert cgroup["path"] == str(group.path)
    assert cgroup["limit_bytes"] == 36 * MIB
    assert cgroup["processes"] == 2
    assert [o["pid"] for o in cgroup["largest_others"]] == [other.pid]
    assert cgroup["largest_others"][0]["anon_bytes"] == \
        status(other.pid)["RssAnon"]
    assert cgroup["others_anon_bytes"] >= 32 * MIB
    check_sum(cgroup)
    evidence = found["cgroup-near-limit"]["evidence"]
    assert f"remarkable-gcc- ({other.pid}) 32." in evidence
    # Nearer than the parent's: its own.
    group.limit(400 * MIB)
    cgroup, found = look(target)
    assert cgroup["path"] == str(quiet.path)
    assert cgroup["limit_bytes"] == 40 * MIB
    assert "cgroup-near-limit" not in found


def test_kernel_memory(start, group):
    name = "cgroup-kernel-memory"
    group.limit(200 * MIB)
    target = group.start(start, remarkable(), "pipes", "empty")
    cgroup, found = look(target)
    assert name not in found
    target.kill()
    target = group.start(start, remarkable(), "pipes")
    cgroup, found = look(target)
    assert 46 * MIB <= found[name]["bytes"] <= 54 * MIB
    assert "other 4" in found[name]["evidence"]
    assert cgroup["other_kernel_bytes"] >= 46 * MIB
    check_sum(cgroup)
    # Without a limit it is the machine's.
    group.limit(-1 if VERSION == 1 else "max")
    cgroup, found = look(target)
    assert name not in found
    assert cgroup["limit_bytes"] is None or \
        cgroup["path"] != str(group.path)


def test_verbose_has_all_parts(start, group):
    group.limit(400 * MIB)
    target = group.start(start, remarkable(), "anonymous")
    wait_for(lambda: is_idle(target.pid), "the target to be idle")
    text = run("ledger", "--verbose", target.pid).stdout
    assert "anonymous memory of this process\n" in text
    assert "kernel: page tables\n" in text


# Namespaces

def mount_groups(at):
    kind = "-t cgroup -o memory" if VERSION == 1 else "-t cgroup2"
    return f"mkdir -p {at} && mount {kind} none {at}"


def test_in_a_namespace_of_its_own(start, group):
    """memwhy and its target in one container: the group is "/" there."""
    need("unshare")
    group.limit(400 * MIB)
    target = group.start(start, remarkable(), "anonymous")
    wait_for(lambda: is_idle(target.pid), "the target to be idle")
    script = (f'echo $$ > {group.path}/cgroup.procs && exec unshare -Cm '
              f'sh -c \'umount -R /sys/fs/cgroup; {mount_groups(BASE)} && '
              f'cat /proc/{target.pid}/cgroup >&2 && '
              f'exec "$0" ledger --format=json {target.pid}\' "$0"')
    if VERSION == 1:
        script = script.replace("mkdir -p",
                                "mount -t tmpfs none /sys/fs/cgroup && "
                                "mkdir -p")
    done = subprocess.run(["sh", "-c", script, MEMWHY], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr.split(":memory:" if VERSION == 1 else "0::")[1] \
        .startswith("/\n")
    cgroup = json.loads(done.stdout)["cgroup"]
    assert cgroup["path"] == str(BASE)
    assert cgroup["limit_bytes"] == 400 * MIB
    assert cgroup["process_anon_bytes"] >= 32 * MIB


def look_without_groups(target):
    """The answer of a memwhy that has no groups mounted."""
    need("unshare")
    wait_for(lambda: is_idle(target.pid), "the target to be idle")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", 'umount -R /sys/fs/cgroup && exec "$0" '
         'ledger --format=json "$1"', MEMWHY, str(target.pid)],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["cgroup"]


def start_with_groups_at(start, group, at, more="true"):
    """A target that has groups mounted in another place than is usual."""
    return group.start(
        start, "unshare", "-m", "sh", "-c",
        f'umount -R /sys/fs/cgroup && {mount_groups(at)} && {more} && '
        'exec "$0" anonymous', remarkable())


def test_group_that_only_the_target_sees(start, group, tmp_path):
    group.limit(400 * MIB)
    at = tmp_path / "groups"
    target = start_with_groups_at(start, group, at)
    cgroup = look_without_groups(target)
    where = pathlib.Path(f"/proc/{target.pid}/root{at}")
    assert pathlib.Path(cgroup["path"]) == \
        where / group.path.relative_to(BASE)
    assert cgroup["limit_bytes"] == 400 * MIB


def test_target_that_forges_its_group(start, group, tmp_path):
    """Files of a container that are no control group's are not believed."""
    at = tmp_path / "groups"
    own = at / group.path.relative_to(BASE)
    names = "memory.limit_in_bytes memory.max memory.current " \
        "memory.usage_in_bytes memory.stat"
    target = start_with_groups_at(
        start, group, at,
        f"mount -t tmpfs none {at} && mkdir {own} && cd {own} && "
        f"for i in {names}; do echo 4096 > $i; done")
    assert look_without_groups(target) is None


@needs_root
def test_without_any_group(start):
    need("unshare")
    hide = "mount -t tmpfs none /sys/fs/cgroup && exec "
    target = start("unshare", "-m", "sh", "-c", hide + '"$0" none',
                   remarkable())
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", hide + '"$0" ledger --format=json "$1"',
         MEMWHY, str(target.pid)],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["cgroup"] is None


# Version 2 where the machine has version 1: files as Linux 6.12 writes them,
# in their places for memwhy alone.

STAT = """anon 52428800
file 20971520
kernel 41943040
kernel_stack 1048576
pagetables 2097152
sec_pagetables 0
percpu 4096
sock 524288
vmalloc 8192
shmem 4194304
file_mapped 8192
anon_thp 0
slab_reclaimable 12582912
slab_unreclaimable 8388608
slab 20971520
"""


def look_at_files(target, groups, tmp_path, *arguments, own=b"/pod"):
    """memwhy's answer with version 2 of the groups, made of the files below
    @groups; the target is in group @own."""
    at = str(groups).replace(" ", "\\040")
    (tmp_path / "mountinfo").write_text(
        f"24 30 0:22 / /sys rw - sysfs sysfs rw\n"
        f"35 24 0:30 / {at} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdel\n")
    (tmp_path / "cgroup").write_bytes(b"0::" + own + b"\n")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c",
         f'mount --bind {tmp_path}/cgroup /proc/{target.pid}/cgroup && '
         f'mount --bind {tmp_path}/mountinfo /proc/$$/mountinfo && '
         f'exec "$@" {target.pid}', "sh", MEMWHY, "ledger", *arguments],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_root
def test_version_2_by_its_files(start, tmp_path):
    need("unshare")
    target = start(remarkable(), "anonymous")
    wait_for(lambda: is_idle(target.pid), "the target to be idle")
    pod = tmp_path / "groups" / "pod.slice"
    own = pod / "app: one.scope"
    own.mkdir(parents=True)
    (own / "memory.stat").write_text("anon 1\n")
    (own / "memory.current").write_text("30000000\n")
    (own / "memory.max").write_text("max\n")
    (pod / "memory.stat").write_text(STAT)
    (pod / "memory.current").write_text(f"{111 * MIB}\n")
    (pod / "memory.max").write_text(f"{130 * MIB}\n")
    (own / "cgroup.procs").write_text(f"{target.pid}\n0\n")
    (pod / "cgroup.procs").write_text(f"{os.getpid()}\n")
    answer = json.loads(look_at_files(
        target, tmp_path / "groups", tmp_path, "--format=json",
        own=b"/pod.slice/app: one.scope"))
    cgroup = answer["cgroup"]
    assert cgroup["path"] == str(pod)
    assert cgroup["version"] == 2
    assert (cgroup["current_bytes"], cgroup["limit_bytes"]) == \
        (111 * MIB, 130 * MIB)
    assert cgroup["process_anon_bytes"] == status(target.pid)["RssAnon"]
    assert cgroup["process_anon_bytes"] + cgroup["others_anon_bytes"] == \
        50 * MIB
    assert cgroup["slab_bytes"] == 20 * MIB
    assert cgroup["kernel_stack_bytes"] == MIB
    assert cgroup["page_table_bytes"] == 2 * MIB
    assert cgroup["other_kernel_bytes"] == 17 * MIB
    assert cgroup["sock_bytes"] == MIB // 2
    assert cgroup["rest_bytes"] == MIB // 2
    # The third is of another PID namespace.
    assert cgroup["processes"] == 3
    assert [o["pid"] for o in cgroup["largest_others"]] == [os.getpid()]
    check_sum(cgroup)
    found = {f["id"]: f for f in answer["findings"]}
    assert "19.0 MiB short" in found["cgroup-near-limit"]["summary"]
    assert "8.00 MiB of it not reclaimable" in \
        found["cgroup-kernel-memory"]["evidence"]


def put_group(path, **files):
    path.mkdir(parents=True, exist_ok=True)
    files = {"stat": STAT, "current": 111 * MIB, "max": "max",
             "high": "max", "swap.max": "max", "swap.current": 0} | files
    for name, value in files.items():
        (path / f"memory.{name}").write_text(f"{value}\n")
    return path


@needs_root
def test_the_limit_that_slows(start, tmp_path):
    """memory.high counts where it is nearer than memory.max; what is in swap
    is told."""
    need("unshare")
    target = start(remarkable(), "anonymous")
    wait_for(lambda: is_idle(target.pid), "the target to be idle")
    groups = tmp_path / "groups"

    def answer(*arguments):
        return look_at_files(target, groups, tmp_path, *arguments)

    put_group(groups / "pod", high=120 * MIB, max=400 * MIB)
    result = json.loads(answer("--format=json"))
    assert result["cgroup"]["limit_bytes"] == 120 * MIB
    assert result["cgroup"]["limit_file"] == "memory.high"
    assert result["cgroup"]["swap_limit_bytes"] is None
    found = {f["id"]: f for f in result["findings"]}["cgroup-near-limit"]
    assert "9.00 MiB short" in found["summary"]
    assert "slowed down" in found["advice"]
    assert "memory.high" in found["advice"]
    assert "111 MiB of 120 MiB (92 %) by memory.high, 0 processes\n" in \
        answer()
    put_group(groups / "pod", **{
        "high": 300 * MIB, "max": 120 * MIB, "swap.max": 8 * MIB,
        "swap.current": 3 * MIB})
    result = json.loads(answer("--format=json"))
    assert result["cgroup"]["limit_file"] == "memory.max"
    assert result["cgroup"]["swap_bytes"] == 3 * MIB
    assert result["cgroup"]["swap_limit_bytes"] == 8 * MIB
    found = {f["id"]: f for f in result["findings"]}["cgroup-near-limit"]
    assert "in swap 3.00 MiB of 8.00 MiB" in found["evidence"]
    assert "raise memory.max" in found["advice"]
    assert ", 3.00 MiB in swap of 8.00 MiB\n" in answer()


@needs_root
@pytest.mark.parametrize("damage", [
    "gone", "empty", "no stat", "binary", "huge", "a file"])
def test_groups_that_cannot_be_read(start, tmp_path, damage):
    """The process is explained all the same."""
    need("unshare")
    target = start(remarkable(), "none")
    wait_for(lambda: is_idle(target.pid), "the target to be idle")
    groups = tmp_path / "groups"
    pod = groups / "pod"
    groups.mkdir()
    if damage == "a file":
        pod.write_text("4096\n")
    elif damage != "gone":
        put_group(pod, max=120 * MIB)
    if damage == "empty":
        for file in pod.iterdir():
            file.write_text("")
    elif damage == "no stat":
        (pod / "memory.stat").unlink()
    elif damage == "binary":
        for file in pod.iterdir():
            file.write_bytes(bytes(range(256)) * 20)
    elif damage == "huge":
        for file in pod.iterdir():
            file.write_text("".join(
                line.split()[0] + " 18446744073709551615\n"
                for line in STAT.splitlines()) if "stat" in file.name
                else "18446744073709551614\n")
    answer = json.loads(look_at_files(target, groups, tmp_path,
                                      "--format=json"))
    assert answer["audit"]["balanced"]
    if damage in ("gone", "empty", "no stat", "binary", "a file"):
        assert answer["cgroup"] is None
        assert answer["findings"] == []
    assert "control group" not in look_at_files(target, groups, tmp_path) or \
        damage == "huge"


@needs_root
def test_nested_version_2(start, tmp_path):
    """Of a group and those above it, that with the least room."""
    need("unshare")
    target = start(remarkable(), "none")
    wait_for(lambda: is_idle(target.pid), "the target to be idle")
    groups = tmp_path / "groups"
    rooms = {"a": (500, 400), "a/b": (300, 260), "a/b/c": (310, 111)}
    for path, (limit, current) in rooms.items():
        put_group(groups / path, max=limit * MIB, current=current * MIB)

    def path():
        answer = json.loads(look_at_files(
            target, groups, tmp_path, "--format=json", own=b"/a/b/c"))
        check_sum(answer["cgroup"])
        return answer["cgroup"]["path"]

    assert path() == str(groups / "a/b")
    (groups / "a/b/memory.max").write_text("max\n")
    assert path() == str(groups / "a")
    (groups / "a/memory.max").write_text(f"{900 * MIB}\n")
    assert path() == str(groups / "a/b/c")
    for name in rooms:
        (groups / name / "memory.max").write_text("max\n")
    # None has a limit: its own.
    assert path() == str(groups / "a/b/c")

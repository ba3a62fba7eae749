# SPDX-License-Identifier: Apache-2.0
"""explain: one address all the way, held against what programs print of
themselves, nm, readelf and /proc."""

import json
import re
import subprocess

import pytest

from conftest import c_program, go_program, run, wait_for, is_idle
from mallocs import PRELOADED, start_with

LEVELS = {"mapping", "page", "account", "image", "section", "segment",
          "symbol", "thread_stack", "malloc", "arena", "span", "slot",
          "object", "stack", "goroutine", "frame", "structure"}


def explain(pid, address, *options):
    done = run("explain", "--format=json", *options, pid,
               address if isinstance(address, str) else hex(address))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["schema"] == "memwhy.explain/1"
    assert LEVELS <= set(answer)
    return answer


def maps_line(pid, address):
    for line in open(f"/proc/{pid}/maps"):
        start, end = (int(n, 16) for n in line.split()[0].split("-"))
        if start <= address < end:
            return line.split()
    raise AssertionError(hex(address))


def address(answer, level, key):
    return int(answer[level][key], 16)


VERSIONS = ["1.16.15", "1.22.12", "1.26.8"]


@pytest.mark.parametrize("variant", ["dwarf", "stripped", "pie"])
@pytest.mark.parametrize("version", VERSIONS)
def test_go(start, version, variant):
    target = start(go_program("places", version, variant))
    wait_for(lambda: is_idle(target.pid), "all goroutines to rest")
    at = target.figures
    has_symbols = variant == "dwarf"

    for name, va in at.items():
        if name in ("node_bytes", "end"):
            continue
        answer = explain(target.pid, va)
        line = maps_line(target.pid, va)
        assert answer["address"] == hex(va)
        assert address(answer, "mapping", "start") == \
            int(line[0].split("-")[0], 16)
        assert answer["mapping"]["perms"] == line[1]

    for name, slot_bytes, account in (
            ("small", 24 if version != "1.16.15" else 24, "objects"),
            ("node", 576, "objects"), ("plain", 1024, "objects"),
            ("large", 81920, "objects"), ("closure", 16, "objects")):
        answer = explain(target.pid, at[name])
        assert answer["account"]["name"] == f"go/heap/{account}"
        assert answer["slot"]["is_allocated"] is True
        assert answer["slot"]["bytes"] == slot_bytes, name
        assert answer["slot"]["has_survived"] is True, name
        start_of = address(answer, "slot", "start")
        assert start_of <= at[name] < start_of + slot_bytes
        assert address(answer, "object", "start") == at[name], name
        assert answer["span"]["is_noscan"] is (name == "plain")
        assert (at[name] - address(answer, "span", "start")) // slot_bytes \
            == answer["slot"]["index"]
        # An address inside leads to the same object.
        inside = explain(target.pid, at[name] + slot_bytes // 2)
        assert inside["object"]["start"] == answer["object"]["start"]
        assert inside["object"]["offset"] == slot_bytes // 2

    assert explain(target.pid, at["last"])["slot"]["has_survived"] is False
    tiny = explain(target.pid, at["tiny"])
    assert tiny["slot"]["is_tiny_block"] and tiny["slot"]["bytes"] == 16

    # Since 1.22 large objects tell their types.
    for name, type_name, type_bytes in (
            ("node", "main.Node", at["node_bytes"]),
            ("large", "*main.Node", 8)):
        answer = explain(target.pid, at[name])["object"]
        if version == "1.16.15":
            assert answer["type"] is None
        else:
            assert answer["type"] == type_name
            assert answer["type_bytes"] == type_bytes

    for name, section in (("global", ".noptrdata"), ("zeroed", ".noptrbss"),
                          ("text", ".rodata"), ("code", ".text")):
        answer = explain(target.pid, at[name])
        assert answer["section"]["name"] == section
        assert answer["account"]["name"] == f"binary/{section}"
        assert answer["image"]["kind"] == "executable"
        assert answer["arena"] is None
    assert explain(target.pid, at["code"])["symbol"]["name"] == \
        "main.makeClosure.func1"
    if has_symbols:
        answer = explain(target.pid, at["zeroed"])
        assert answer["symbol"]["name"] == "main.zeroed"
        assert answer["symbol"]["offset"] == 40
        by_name = explain(target.pid, "main.zeroed+28")
        assert by_name["address"] == hex(at["zeroed"])

    answer = explain(target.pid, at["local"])
    assert answer["account"]["name"] == "go/stacks/used"
    assert answer["stack"]["is_goroutine"] is True
    assert answer["goroutine"]["function"] == "main.main.func1"
    assert answer["goroutine"]["creator"] == "main.main"
    assert "chan receive" in answer["goroutine"]["wait_reason"]
    assert answer["frame"]["function"] == "main.park"
    assert answer["object"] is None


def test_bytes_of_the_file(start):
    """The file offset leads to the same bytes."""
    program = go_program("places", "1.26.8", "pie")
    target = start(program)
    va = target.figures["text"]
    answer = explain(target.pid, va)
    with open(program, "rb") as file:
        file.seek(answer["segment"]["file_offset"])
        assert file.read(20) == b"a literal whose byte"


def test_go_file_that_does_not_run():
    """It has no heap to be told apart, which is no reason for a note."""
    program = go_program("places", "1.26.8", "symtab")
    for words in ([program, "main.main"], ["--size=100", program]):
        done = run("explain", *words)
        assert done.returncode == 0
        assert done.stderr == ""


@pytest.mark.parametrize("version", VERSIONS)
def test_structures(start, version):
    program = go_program("places", version, "dwarf")
    target = start(program)
    wait_for(lambda: is_idle(target.pid), "all goroutines to rest")
    symbols = {line.split()[2]: int(line.split()[0], 16) for line in
               subprocess.run(["nm", program], capture_output=True,
                              text=True).stdout.splitlines()
               if len(line.split()) == 3}
    for variable, type_name in (("mheap_", "mheap"), ("sched", "schedt"),
                                ("memstats", "mstats")):
        va = symbols[f"runtime.{variable}"]
        answer = explain(target.pid, va)["structure"]
        assert answer["variable"] == f"runtime.{variable}"
        assert answer["type"] == f"runtime.{type_name}"
        assert answer["start"] == hex(va)
    span = explain(target.pid, target.figures["node"])["span"]
    mspan = explain(target.pid, span["mspan"])
    assert mspan["account"]["name"] == "go/runtime/mspan"
    assert mspan["structure"]["type"] == "runtime.mspan"
    assert mspan["structure"]["describes"] == span["start"]
    assert mspan["structure"]["field"] == "next"
    g = explain(target.pid, target.figures["local"])["goroutine"]
    answer = explain(target.pid, g["g"])
    assert answer["structure"]["type"] == "runtime.g"
    assert answer["structure"]["number"] == g["id"]


@pytest.mark.parametrize("allocator", [*PRELOADED, "musl"])
def test_other_allocators(start, allocator):
    at = (target := start_with(start, allocator, "places")).figures
    for name in "block", "thread_block", "large":
        # The last byte that malloc_usable_size() allows.
        answer = explain(target.pid, at[name] + at[f"{name}_usable"] - 1)
        block = answer["malloc"]
        assert block["allocator"] == allocator
        assert block["state"] == "in-use" and block["is_in_use"] is True
        assert block["user"] == hex(at[name])
        assert block["user_bytes"] == at[f"{name}_usable"]
        assert answer["account"]["name"] == \
            f"malloc/{allocator}/{block['arena']}/in-use"
    # musl unmaps groups of which all slots are free.
    freed = explain(target.pid, at["freed"] + 100)["malloc"]
    assert freed is None if allocator == "musl" else not freed["is_in_use"]


@pytest.mark.parametrize("flags", [[], ["-no-pie"]])
def test_native(start, flags):
    program = c_program("places", flags=["-pthread", *flags])
    target = start(program)
    at = target.figures
    answer = explain(target.pid, at["block"] + 10)
    assert answer["malloc"]["state"] == "in-use"
    assert answer["malloc"]["user"] == hex(at["block"])
    assert answer["malloc"]["user_bytes"] == at["block_usable"]
    assert answer["account"]["name"] == "malloc/glibc/main/in-use"
    assert explain(target.pid, at["freed"] + 100)["malloc"]["is_in_use"] \
        is False
    large = explain(target.pid, at["large"] + 5000)["malloc"]
    assert large["state"] == "mmapped" and large["user"] == hex(at["large"])
    thread = explain(target.pid, at["thread_block"])
    assert thread["malloc"]["arena"] == "thread-1"
    assert thread["malloc"]["user"] == hex(at["thread_block"])
    mapped = explain(target.pid, at["mapped"])
    assert mapped["account"]["name"].startswith("anonymous/")
    assert mapped["page"]["state"] == "present"
    assert mapped["page"]["is_dirty"] is True
    assert explain(target.pid, at["mapped"] + 8192)["page"]["state"] == \
        "absent"

    stack = explain(target.pid, at["thread_local"])["thread_stack"]
    assert stack["tid"] == at["tid"] and stack["part"] in ("used", "unknown")
    stopped = explain(target.pid, at["thread_local"], "--stop")
    assert stopped["thread_stack"]["part"] == "used"
    guard = explain(target.pid, int(stack["start"], 16))
    assert guard["thread_stack"]["part"] == "guard"
    assert explain(target.pid, at["local"], "--stop")["thread_stack"] == {
        **explain(target.pid, at["local"], "--stop")["thread_stack"],
        "tid": target.pid, "part": "used"}
    assert explain(target.pid, at["environ"])["thread_stack"]["part"] == \
        "environment"

    for name, section in (("data", ".data"), ("bss", ".bss"),
                          ("rodata", ".rodata"), ("main", ".text")):
        answer = explain(target.pid, at[name])
        assert answer["section"]["name"] == section
        assert answer["symbol"]["name"] == name
        vaddr = address(answer, "image", "vaddr")
        for line in subprocess.run(["nm", program], capture_output=True,
                                   text=True).stdout.splitlines():
            if line.split()[-1] == name:
                assert vaddr - answer["symbol"]["offset"] == \
                    int(line.split()[0], 16)


def test_operands_and_wild_addresses(start):
    target = start(c_program("places", flags=["-pthread"]))
    va = target.figures["block"]
    one = run("explain", target.pid, hex(va))
    two = run("explain", hex(va), target.pid)
    assert one.stdout == two.stdout and one.returncode == 0
    plain = run("explain", target.pid, f"{va:x}")
    assert plain.stdout == one.stdout
    for wild in (0, 1, 0xdead, 2**47 - 1, 2**47, 2**63, 2**64 - 1,
                 0xffff800000000000):
        answer = explain(target.pid, wild)
        assert answer["mapping"]["is_mapped"] is False
        assert answer["page"] is None
        text = run("explain", target.pid, hex(wild)).stdout
        assert re.search(r"not mapped", text) and " ," not in text
    line = open(f"/proc/{target.pid}/maps").readline().split("-")[0]
    answer = explain(target.pid, int(line, 16) - 1)
    assert answer["mapping"]["above_start"] == "0x" + line.lstrip("0")
    done = run("explain", target.pid, "no_such_symbol")
    assert done.returncode == 1 and "no_such_symbol" in done.stderr
    assert run("explain", target.pid).returncode == 2

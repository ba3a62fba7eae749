# SPDX-License-Identifier: Apache-2.0
"""Google's TCMalloc, in a stripped Rust program, held against what it says of
itself."""

import json
import os

import pytest

from allocators import MODES, account, rows, rust_program, sound
from conftest import is_idle, ledger, need, run, wait_for

# Blocks of threads that keep what they freed, small, large and larger than any
# size class; each line on standard input asks for the figures.
PROGRAM = """
use std::io::BufRead;
use std::sync::mpsc;
#[global_allocator]
static A: tcmalloc_better::TCMalloc = tcmalloc_better::TCMalloc;
unsafe extern "C" {
    fn TCMalloc_Internal_ForceCpuCacheActivation();
    fn MallocExtension_Internal_GetNumericProperty(
        name: *const u8, len: usize, value: *mut usize) -> bool;
    fn MallocExtension_Internal_ReleaseMemoryToSystem(bytes: usize) -> usize;
}
const NAMES: [&str; 8] = ["generic.current_allocated_bytes",
    "tcmalloc.central_cache_free", "tcmalloc.transfer_cache_free",
    "tcmalloc.cpu_free", "tcmalloc.thread_cache_free",
    "tcmalloc.page_heap_free", "tcmalloc.page_heap_unmapped",
    "tcmalloc.per_cpu_caches_active"];
fn report(blocks: usize, bytes: usize) {
    let mut values = [0usize; 8];
    for (n, v) in NAMES.iter().zip(values.iter_mut()) {
        unsafe { MallocExtension_Internal_GetNumericProperty(
            n.as_ptr(), n.len(), v); }
    }
    for (n, v) in NAMES.iter().zip(values) {
        eprintln!("{} {}", n.split('.').nth(1).unwrap(), v);
    }
    eprintln!("blocks {}\\nbytes {}\\nend 0", blocks, bytes);
}
fn some(seed: usize) -> Vec<Vec<u8>> {
    let mut v: Vec<Vec<u8>> = Vec::with_capacity(16000);
    for i in 0..15000usize { v.push(vec![7u8; 1 + (i * 37 + seed) % 3000]); }
    for i in 0..200usize { v.push(vec![7u8; 5000 + i * 1777]); }
    for i in 0..5usize { v.push(vec![7u8; (1 << 20) * (1 + i)]); }
    let mut n = 0;
    v.retain(|_| { n += 1; n % 3 != 0 });
    v
}
fn main() {
    // Nothing is done where glibc has registered the thread's rseq.
    unsafe { TCMalloc_Internal_ForceCpuCacheActivation(); }
    let (to, from) = mpsc::channel();
    for i in 0..4 {
        let to = to.clone();
        std::thread::spawn(move || {
            to.send(some(i)).unwrap();
            drop(to);
            loop { std::thread::park(); }
        });
    }
    let all: Vec<Vec<Vec<u8>>> = (0..4).map(|_| from.recv().unwrap()).collect();
    let blocks = all.iter().map(|v| v.len() + 1).sum();
    let bytes = all.iter().map(|v| v.capacity() * 24 +
        v.iter().map(|b| b.len()).sum::<usize>()).sum();
    let mut line = String::with_capacity(100);
    let mut input = std::io::stdin().lock();
    loop {
        report(blocks, bytes);
        line.clear();
        if input.read_line(&mut line).unwrap() == 0 { break; }
        if line.trim() == "release" {
            unsafe { MallocExtension_Internal_ReleaseMemoryToSystem(1 << 40); }
        }
    }
    drop(all);
}
"""
NAME = "google-tcmalloc"


def program(start, percpu):
    need("cargo")
    # glibc's own use of rseq would leave none for the caches of CPUs.
    tunables = {"GLIBC_TUNABLES": "glibc.pthread.rseq=0"} if percpu else {}
    target = start(rust_program("google-tcmalloc",
                                "tcmalloc-better = \"=0.1.19\"", PROGRAM),
                   env=dict(os.environ, **tunables))
    target.ask()
    wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    if percpu and not target.figures["per_cpu_caches_active"]:
        pytest.skip("this kernel has no restartable sequences")
    return target


def check(result, said):
    """The same, to the byte, as it says itself."""
    sound(result)
    assert account(result, NAME, "cache") == \
        said["transfer_cache_free"] + said["cpu_free"] + \
        said["thread_cache_free"]
    assert account(result, NAME, "dirty", "retained") == \
        said["page_heap_free"] + said["page_heap_unmapped"]
    # What stands for samples is in use for TCMalloc; nobody has it.
    heap = account(result, NAME, "in-use", "free") + \
        result.bytes(f"malloc/{NAME}/heap/metadata", domain="vsz")
    assert heap == said["current_allocated_bytes"] + \
        said["central_cache_free"]
    in_use = account(result, NAME, "in-use")
    assert 0 <= said["current_allocated_bytes"] - in_use < in_use // 50


@pytest.mark.parametrize("percpu", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_google_tcmalloc(start, mode, percpu):
    target = program(start, percpu)
    check(ledger(target, mode), target.figures)
    said = target.ask("release")
    check(ledger(target, mode), said)
    table = rows(target, NAME, mode)["heap"]
    assert 0 <= table["in_use_blocks"] - said["blocks"] <= 32
    assert said["bytes"] <= table["in_use_bytes"] <= said["bytes"] * 9 // 8


@pytest.mark.parametrize("percpu", [False, True])
def test_cores_of_google_tcmalloc(start, tmp_path, percpu):
    target = program(start, percpu)
    before = rows(target, NAME, "--stop")
    for flags in [], ["--no-contents"]:
        done = run("snapshot", *flags, target.pid, "--force", "--output",
                   tmp_path / "core")
        assert done.returncode == 0, done.stderr
        assert rows(tmp_path / "core", NAME) == before


def test_no_block_of_google_tcmalloc_is_lost(start):
    target = program(start, False)
    done = run("malloc", "--leaks", "--format=json", "--stop", target.pid)
    assert done.returncode == 0, done.stderr
    totals = json.loads(done.stdout)["totals"]
    assert totals["reached_blocks"] > target.figures["blocks"]
    assert totals["definite_blocks"] == 0

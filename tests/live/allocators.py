# SPDX-License-Identifier: Apache-2.0
"""What tests of allocators share: tests/programs/blocks.c with one of them, and
what memwhy says of it."""

import json
import os
import subprocess

import glibcs
import suites
from conftest import (c_program, cached, debian_file, is_idle, run, wait_for)
from mallocs import LIBRARIES, PRELOADED

MODES = ["--live", "--stop"]

# What the threads' vectors of TLS, streams and libstdc++'s pool for exceptions
# (72,704 bytes) take: blocks that the program did not ask for itself.
OTHERS_BLOCKS = 16
OTHERS_BYTES = 128 << 10


# Other releases of Debian: the C library that they need, None: this machine's,
# and what the packages are called there.
RELEASES = {
    "bullseye": (None, {"tcmalloc": "libtcmalloc-minimal4"}),
    "trixie": ("2.41", {"tcmalloc": "libtcmalloc-minimal4t64"}),
    "sid": ("2.43", {"tcmalloc": "libtcmalloc-minimal4t64"}),
}


def blocks(start, allocator, *arguments, release=None, **environ):
    """tests/programs/blocks.c with a malloc, once it rests."""
    package, inside = PRELOADED[allocator]
    if release is None:
        return with_library(start, debian_file(package, inside), *arguments,
                            **environ)
    version, names = RELEASES[release]
    package = names.get(allocator, package)
    before = []
    if version:
        before = glibcs.loader(version)
        before[-1] = f"{before[-1]}:/{LIBRARIES}"
    return with_library(start, release_file(release, package, inside),
                        *arguments, before=before, **environ)


def with_library(start, library, *arguments, before=(), **environ):
    """The same with a library's file; @before: what the program runs under."""
    target = start(*before, c_program("blocks", flags=["-pthread"]),
                   *arguments,
                   env=dict(os.environ, LD_PRELOAD=str(library), **environ))
    if "churn" not in arguments:
        wait_for(lambda: is_idle(target.pid), "the threads to sleep")
    return target


def rows(target, allocator, *arguments):
    done = run("malloc", "--format=json", *arguments,
               getattr(target, "pid", target))
    assert done.returncode == 0, done.stderr
    return {r["arena"]: r for r in json.loads(done.stdout)["rows"]
            if r["allocator"] == allocator}


def total(table, column):
    return sum(r[column] for r in table.values())


def account(result, allocator, *kinds, without=()):
    """Bytes of address space of all arenas."""
    return sum(a["vsz_bytes"] for name, a in result.accounts.items()
               if name.startswith(f"malloc/{allocator}/") and
               name.rsplit("/", 1)[1] in kinds and
               name.split("/")[2] not in without)


def sound(result):
    assert result.audit["overlaps"] == 0
    assert result.bytes("unknown/malloc-torn", domain="vsz") == 0
    assert result.unknown() <= result.totals["rss_bytes"] // 100


def check_held(target, table):
    """The blocks that the program holds are those in use, and a few more."""
    held = target.figures
    assert 0 <= total(table, "in_use_blocks") - held["blocks"] <= OTHERS_BLOCKS
    assert 0 <= total(table, "in_use_bytes") - held["usable"] <= OTHERS_BYTES
    assert total(table, "torn_bytes") == 0


def release_file(release, package, inside):
    """A file of a package of a Debian release, not this machine's."""
    root = cached(f"debian-{release}-{package}", [release, package],
                  lambda path: suites.fetch(path, release, [package])) / "root"
    suites.note(root, package)
    return root / inside


def crate(name, version):
    """The folder of a crate's source."""
    manifest = ("[package]\nname = \"sources\"\nversion = \"0.1.0\"\n"
                f"[dependencies]\n{name} = \"={version}\"\n")

    def make(path):
        (path / "src").mkdir(parents=True)
        (path / "Cargo.toml").write_text(manifest)
        (path / "src" / "lib.rs").write_text("")
        done = subprocess.run(["cargo", "vendor", "--quiet", "vendor"],
                              cwd=path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return cached(f"crate-{name}", [manifest], make) / "vendor" / name


def rust_program(name, dependency, source):
    """A stripped Rust program with an allocator of its own."""
    manifest = ("[package]\nname = \"program\"\nversion = \"0.1.0\"\n"
                "edition = \"2021\"\n[profile.release]\nstrip = true\n"
                f"[dependencies]\n{dependency}\n")

    def make(path):
        (path / "src").mkdir(parents=True)
        (path / "Cargo.toml").write_text(manifest)
        (path / "src" / "main.rs").write_text(source)
        done = subprocess.run(["cargo", "build", "--release", "--quiet"],
                              cwd=path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return cached(f"rust-{name}", [manifest, source], make) / \
        "target" / "release" / "program"


RUST = """
#[global_allocator]
static A: %s = %s;
fn main() {
    let mut v: Vec<Vec<u8>> = Vec::with_capacity(16000);
    for i in 0..16000usize { v.push(vec![7u8; 1 + i * 37 %% 3000]); }
    let mut n = 0;
    v.retain(|_| { n += 1; n %% 3 != 0 });
    let bytes: usize = v.iter().map(|b| b.len()).sum();
    eprintln!("blocks {}\\nusable {}\\nend 0", v.len() + 1,
              bytes + 16000 * 24);
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    drop(v);
}
"""

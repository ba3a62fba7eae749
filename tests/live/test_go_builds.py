# SPDX-License-Identifier: Apache-2.0
"""Go programs that are built in unusual ways: experiments, sanitizers, linkers,
libraries in C programs, plugins, obfuscated, releases that are not known."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from conftest import (PROGRAMS, c_program, cached, go_program, go_sources,
                      ledger, need, run, toolchain)
from allocators import release_file
from go_figures import go_command, read_idle
from test_go_memstats import (check_histograms, check_memstats,
                              check_metrics, check_reconciliation)
from test_snapshot import check_same


def check(target, functions={"runtime.main", "main.deep"}):
    """All that is told of it agrees with what it says itself."""
    answer, report = read_idle(target)
    check_memstats(answer, report)
    check_histograms(answer, report)
    assert check_reconciliation(answer)["left_bytes"] == 0
    result = ledger(target, "--stop")
    assert result.audit["balanced"] is True
    assert result.audit["overlaps"] == 0
    assert result.below("go/heap") > 0
    rows = go_command("goroutines", target)["rows"]
    assert len([r for r in rows if r["function"] == "main.deep"]) == 40 or \
        "main.deep" not in functions
    assert functions <= {r["function"] for r in rows}
    for name in ("spans", "classes", "gc", "sched"):
        assert go_command(name, target)["rows"]
    return answer


def figures(version, cgo=False, flags=(), **options):
    return go_program("figures", version, cgo=cgo, flags=flags, **options)


@pytest.mark.parametrize("version, experiment, cgo", [
    ("1.20.14", "heapminimum512kib", False),
    ("1.22.12", "arenas", False),
    ("1.22.12", "boringcrypto", True),
    ("1.24.13", "noswissmap", False),
    ("1.25.8", "noswissmap", False),
    ("1.25.8", "greenteagc", False),
    ("1.26.8", "nogreenteagc", False),
    ("1.26.8", "boringcrypto", True),
])
def test_experiments(start, version, experiment, cgo):
    target = start(figures(version, cgo, GOEXPERIMENT=experiment))
    # A table of the release itself would be wrong for it.
    assert check(target)["target"]["go"]["layout"] == "rtype"


@pytest.mark.parametrize("version", ["1.16.15", "1.20.14", "1.26.8"])
def test_race_detector(start, version):
    """Its table of functions begins with thousands of C's."""
    check(start(figures(version, True, ["-race"])))


def test_address_sanitizer(start):
    """It makes each object larger."""
    check(start(figures("1.26.8", True, ["-asan"])))


def test_memory_sanitizer(start):
    need("clang")
    check(start(figures("1.26.8", True, ["-msan"], CC="clang")))


@pytest.mark.parametrize("flags", [
    ["-ldflags=-s -w -linkmode=external"],
    ["-buildmode=pie",
     "-ldflags=-s -w -linkmode=external -extldflags=-static-pie"],
    ["-ldflags=-s -w -checklinkname=0"],
    ["-gcflags=all=-N -l"],
], ids=["external", "static-pie", "checklinkname", "unoptimized"])
def test_linkers(start, flags):
    check(start(figures("1.26.8", True, flags)))


# Obfuscated

GARBLE = "mvdan.cc/garble@v0.16.0"


def link_or_copy(source, to):
    try:
        os.link(source, to)
    except OSError:
        shutil.copy2(source, to)


def garbled(version, flags):
    """figures.go, built by garble."""
    sources = go_sources("figures", version)

    def make(path):
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            folder = pathlib.Path(folder)
            # It replaces files of the toolchain, but not in the module cache.
            shutil.copytree(toolchain(version), folder / "go",
                            copy_function=link_or_copy)
            (folder / "src").mkdir()
            for source in sources:
                shutil.copy2(source, folder / "src")
            (folder / "src" / "go.mod").write_text("module figures\n")
            env = dict(os.environ, GOROOT=str(folder / "go"),
                       PATH=f"{folder}/go/bin:{os.environ['PATH']}",
                       GOTOOLCHAIN="local", GOENV="off",
                       GOFLAGS="-modcacherw", GOBIN=str(folder),
                       GARBLE_CACHE=str(folder / "cache"), CGO_ENABLED="0")
            for words in (["go", "install", GARBLE],
                          [folder / "garble", *flags, "build", "-o", path,
                           "."]):
                done = subprocess.run(words, env=env, capture_output=True,
                                      text=True, cwd=folder / "src")
                assert done.returncode == 0, done.stderr

    return cached(f"garbled-go{version}",
                  [*(s.read_text() for s in sources), version, flags, GARBLE],
                  make)


@pytest.mark.parametrize("flags", [[], ["-tiny"]])
def test_garble(start, flags):
    """Without a version, with other names or none, a magic that is none and
    entries that are hidden."""
    target = start(garbled("1.26.8", flags))
    answer, report = read_idle(target)
    assert answer["target"]["go"]["version"] == "unknown"
    check_memstats(answer, report)
    if not flags:
        check_metrics(answer, report)
    assert check_reconciliation(answer)["left_bytes"] == 0
    result = ledger(target, "--stop")
    assert result.audit["balanced"] is True
    assert result.unknown() == 0
    rows = go_command("goroutines", target)["rows"]
    # The forty share a function and a go statement.
    names = [r["function"] for r in rows]
    assert names.count(max(set(names), key=names.count)) == 40
    if not flags:
        assert "runtime.main" in names
        return
    # A function that has lost its name has its address.
    assert all(name.startswith("0x") for name in names)
    assert run("go", "goroutines", "--backtrace",
               target.pid).stdout.count("0x") > 200
    for name in ("spans", "classes", "gc", "sched"):
        assert go_command(name, target)["rows"]


# Go as a part of something else

def shared_object(version, mode):
    """figures.go as a library or a plugin, which has Figures()."""
    sources = [*go_sources("figures", version), PROGRAMS / "hosted.go"]

    def make(path):
        root = toolchain(version)
        env = dict(os.environ, GOROOT=str(root), GOTOOLCHAIN="local",
                   GOENV="off", GOFLAGS="", GO111MODULE="off",
                   CGO_ENABLED="1")
        path.mkdir()
        done = subprocess.run(
            [root / "bin" / "go", "build", f"-buildmode={mode}",
             "-ldflags=-s -w", "-o", path / "figures.so", *sources],
            env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return cached(f"{mode}-go{version}",
                  [s.read_text() for s in sources] + [version, mode],
                  make) / "figures.so"


@pytest.mark.parametrize("version", ["1.16.15", "1.22.12", "1.26.8"])
def test_library_in_a_c_program(start, version):
    target = start(c_program("host", flags=["-ldl"]),
                   shared_object(version, "c-shared"))
    # The goroutine that C called, main.main of which is never run.
    answer = check(target, {"main.deep"})
    assert answer["target"]["go"]["version"] == f"go{version}"


@pytest.mark.parametrize("version", ["1.22.12", "1.26.8"])
def test_plugin(start, version):
    target = start(go_program("plugged", version, cgo=True),
                   shared_object(version, "plugin"))
    check(target, {"runtime.main"})


# Packed: no file leads to the Go program

def upx_packed(program):
    """@program, packed by the UPX of Debian 11."""
    upx = release_file("bullseye", "upx-ucl", "usr/bin/upx-ucl")
    library = release_file("bullseye", "libucl1",
                           "usr/lib/x86_64-linux-gnu/libucl.so.1")

    def make(path):
        done = subprocess.run(
            [upx, "-qq", "-1", "-o", path, program], text=True,
            env=dict(os.environ, LD_LIBRARY_PATH=str(library.parent)),
            capture_output=True)
        assert done.returncode == 0, done.stderr

    return cached("upx", ["1", program.name], make)


@pytest.mark.parametrize("packer", ["upx", "by hand"])
@pytest.mark.parametrize("version", ["1.9.7", "1.13.15", "1.16.15", "1.20.14",
                                     "1.26.8"])
def test_packed_program(start, version, packer):
    """It is read from where it was unpacked to."""
    program = go_program("figures", version)
    target = start(upx_packed(program)) if packer == "upx" else \
        start(c_program("packed"), program)
    answer, report = read_idle(target)
    check_memstats(answer, report)
    if "metrics" in report:
        check(target)
    assert answer["target"]["go"]["version"] == f"go{version}"
    result = ledger(target, "--stop")
    assert result.audit["balanced"] is True
    assert result.audit["overlaps"] == 0
    assert result.unknown() == 0
    # Code and constants take what the file's segments take.
    sizes = {}
    for line in subprocess.run(["readelf", "-lW", program], text=True,
                               capture_output=True,
                               check=True).stdout.splitlines():
        words = line.split()
        if words and words[0] == "LOAD":
            name = "binary/segment-" + "".join(words[6:-1]).replace(
                "E", "x").lower()
            sizes[name] = sizes.get(name, 0) + int(words[4], 16)
    headers = result.bytes("binary/headers", domain="vsz")
    for name, size in sizes.items():
        if "w" not in name:
            assert size - headers <= result.bytes(name, domain="vsz") <= size
    assert result.bytes("kernel/vdso", domain="vsz") > 0


@pytest.mark.parametrize("version", ["1.20.14", "1.26.8"])
def test_packed_static_pie(start, version):
    """A program that needs no loader, wherever it is; part of its data is
    read-only, as what lies before it."""
    program = figures(version, cgo=True, flags=(
        "-buildmode=pie",
        "-ldflags=-s -w -linkmode=external -extldflags=-static-pie"))
    target = start(upx_packed(program))
    check(target)
    result = ledger(target, "--stop")
    assert result.go["version"] == f"go{version}"
    assert result.unknown() == result.below("anonymous") == 0
    assert result.below("malloc/glibc") > 0


@pytest.mark.parametrize("how", [[], ["--no-contents"]])
def test_snapshot_of_a_packed_program(start, tmp_path, how):
    target = start(c_program("packed"), figures("1.26.8"))
    live, _, _ = check_same(target, tmp_path, *how)
    assert live.go["version"] == "go1.26.8"


def test_packed_c_program(start):
    """Of which nothing is known but its segments."""
    program = c_program("places", flags=["-static"])
    target = start(upx_packed(program))
    result = ledger(target, "--stop")
    assert result.go is None
    assert result.audit["balanced"] is True
    assert result.audit["overlaps"] == 0
    assert result.bytes("binary/segment-rx") > 0
    # Its segments are all that there is, without an error.
    done = run("elf", "--segments", "--format=csv", target.pid)
    assert done.returncode == 0, done.stderr
    assert "truncated" not in done.stderr
    loads = subprocess.run(["readelf", "-lW", program], text=True,
                           capture_output=True, check=True).stdout
    assert done.stdout.count("LOAD") == loads.count("LOAD ")
    assert run("elf", target.pid).returncode == 0


# Releases that are not known

def renamed(program, old, new, tmp_path):
    """A copy that says to be of another release."""
    assert len(old) == len(new)
    data = program.read_bytes()
    assert old in data
    path = tmp_path / "renamed"
    path.write_bytes(data.replace(old, new))
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version, other", [("1.24.13", "1.24.99"),
                                            ("1.22.12", "1.22.99"),
                                            ("1.16.15", "1.16.99")])
def test_unknown_patch_release(start, tmp_path, version, other):
    """The nearest table, put right by the types in the program."""
    target = start(renamed(figures(version), f"go{version}".encode(),
                           f"go{other}".encode(), tmp_path))
    go = check(target)["target"]["go"]
    assert go["version"] == f"go{other}"
    assert go["layout"] == "rtype"


@pytest.mark.parametrize("version", [
    "go1.26-20260101-RC00 cl/123456789 +0f1e2d3c4b5a X:fieldtrack,boringcrypto",
    "go1.26.8 (" + 180 * "x" + ")",
])
def test_long_version(start, version):
    """As the builds of some large firms say; longer ones have two bytes for
    their length."""
    target = start(figures("1.26.8", flags=(
        f"-ldflags=-s -w -X 'runtime.buildVersion={version}'",)))
    assert check(target)["target"]["go"]["version"] == version


def test_unknown_minor_release(start, tmp_path):
    """Refused, with the kernel's view given all the same; but DWARF tells."""
    path = renamed(figures("1.22.12", variant="dwarf"), b"go1.22.12",
                   b"go1.98.11", tmp_path)
    target = start(path)
    assert check(target)["target"]["go"]["layout"] == "dwarf"
    target.kill()
    target = start(renamed(figures("1.22.12"), b"go1.22.12", b"go1.98.11",
                           tmp_path))
    for name in ("memstats", "gc", "spans", "goroutines"):
        done = run("go", name, target.pid)
        assert done.returncode == 1
        assert "(go1.98.11) of a release" in done.stderr
        assert "it knows Go 1.9 to 1." in done.stderr
        assert done.stdout == ""
    # What other allocators make of a size needs no Go.
    done = run("explain", "--size=100", target.pid)
    assert done.returncode == 0 and "tcmalloc" in done.stdout
    assert "(go1.98.11) of a release" in done.stderr
    result = ledger(target, "--stop")
    assert result.audit["balanced"] is True
    assert "go1.98.11" in result.stderr
    assert result.bytes("anonymous/private") > 0
    assert result.bytes("binary/.text") > 0

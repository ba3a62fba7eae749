#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Make the tables of src/gort/layouts from real Go toolchains.

This is the one step for a new release of Go:

    tools/go_layouts.py 1.28.3

For the minor version of each RELEASE, the first patch release and RELEASE are
fetched as modules, a probe program is built with each, and tools/go-layout
reads from its DWARF where the members of fields.def lie. Where the two differ,
the patch releases between are bisected, so that each table says for which
releases it was seen to hold. Then tables.def is written anew, which names all
tables. Without arguments all minors are made anew, each up to the last release
that it was made with.

    tools/go_layouts.py [--go GO] [--build BUILD] [RELEASE …]

Needs the go command and the network, and about 500 MB of disk a toolchain
that is not in the module cache yet. `meson test -C build layouts` says what
is missing in the new table that a walker needs; tests/live/test_go_versions.py
has the releases to be tried.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLES = ROOT / "src" / "gort" / "layouts"

PROBE = """package main

import (
	"fmt"
	"runtime"
)

type node struct{ next *node }

func main() {
	n := &node{}
	runtime.SetFinalizer(n, func(*node) {})
	c := make(chan *node, 1)
	go func() { c <- n }()
	fmt.Println(<-c, map[string]int{"a": 1})
	runtime.BlockProfile(nil)
}
"""


def last_patches():
    """{minor: the last patch release that its table was made with}."""
    return {int(path.stem[4:]):
            max(int(last) for last in re.findall(
                r"^GO_LAYOUT\(\d+, \d+, (\d+),", path.read_text(), re.M))
            for path in TABLES.glob("go1_*.def")}


def release(minor, patch):
    """The name of a release: the first of a minor has no patch before 1.21."""
    if patch == 0 and minor < 21:
        return f"1.{minor}"
    return f"1.{minor}.{patch}"


def toolchain(go, name):
    """The folder of a toolchain, fetched if need be; None if there is none."""
    module = f"golang.org/toolchain@v0.0.1-go{name}.linux-amd64"
    env = dict(os.environ, GOFLAGS="-modcacherw", GOTOOLCHAIN="local")
    done = subprocess.run([go, "mod", "download", "-json", module],
                          env=env, capture_output=True, text=True, cwd="/")
    if done.returncode != 0:
        return None
    folder = pathlib.Path(json.loads(done.stdout)["Dir"])
    # A module's files are not executable.
    for part in ("bin", "pkg/tool"):
        subprocess.run(["chmod", "-R", "u+x", folder / part], check=True)
    return folder


def measure(go, layout, name, seen):
    """{symbol: (offset, bytes)} of a release; None if it cannot be had."""
    if name in seen:
        return seen[name]
    folder = toolchain(go, name)
    result = None
    if folder:
        with tempfile.TemporaryDirectory() as work:
            source = pathlib.Path(work) / "probe.go"
            source.write_text(PROBE)
            env = dict(os.environ, GOROOT=str(folder), GOTOOLCHAIN="local",
                       GOENV="off", GOFLAGS="", GO111MODULE="off",
                       CGO_ENABLED="0")
            subprocess.run([folder / "bin" / "go", "build", "-o", "probe",
                            "probe.go"], cwd=work, env=env, check=True)
            text = subprocess.run([layout, "probe"], cwd=work, check=True,
                                  capture_output=True, text=True).stdout
        result = {}
        for line in text.splitlines():
            symbol, offset, size = line.split()
            result[symbol] = (int(offset), int(size))
    seen[name] = result
    print(f"go{name}: {'not to be had' if result is None else len(result)}",
          file=sys.stderr)
    return result


def tables_of(go, layout, minor, last):
    """[(first patch, last patch, table, [releases read])] of a minor."""
    seen = {}

    def at(patch):
        return measure(go, layout, release(minor, patch), seen)

    if at(last) is None:
        sys.exit(f"go{release(minor, last)} is not to be had as a module")
    first = next(p for p in range(last + 1) if at(p) is not None)

    def split(low, high):
        """Ends of the runs of equal tables in [low, high]."""
        if at(low) == at(high) or high - low <= 1:
            return [low, high]
        middle = (low + high) // 2
        between = sorted(range(low + 1, high), key=lambda p: abs(p - middle))
        found = next((p for p in between if at(p) is not None), None)
        if found is None:
            return [low, high]
        return split(low, found) + split(found, high)

    runs = []
    for patch in sorted(set(split(first, last))):
        if runs and runs[-1][2] == at(patch):
            runs[-1][1] = patch
            runs[-1][3].append(release(minor, patch))
        else:
            runs.append([patch, patch, at(patch), [release(minor, patch)]])
    return runs


def write(minor, runs, symbols):
    lines = [
        "/* SPDX-License-Identifier: Apache-2.0 */",
        f"/* Made by tools/go_layouts.py from the DWARF of Go 1.{minor} "
        "programs: do not edit. */",
    ]
    for first, last, table, releases in runs:
        lines += [
            "",
            f'GO_LAYOUT({minor}, {first}, {last}, "golang.org/toolchain, '
            f'linux-amd64: {" ".join("go" + r for r in releases)}")',
        ]
        lines += [f"GO_AT({s}, {table[s][0]}, {table[s][1]})"
                  for s in symbols if s in table]
        lines += ["GO_LAYOUT_END"]
    path = TABLES / f"go1_{minor:02}.def"
    path.write_text("\n".join(lines) + "\n")
    print(f"{path.relative_to(ROOT)}: {len(runs)} tables", file=sys.stderr)


def write_list():
    names = sorted(path.name for path in TABLES.glob("go1_*.def"))
    (TABLES / "tables.def").write_text("\n".join([
        "/* SPDX-License-Identifier: Apache-2.0 */",
        "/* Made by tools/go_layouts.py: do not edit. */",
        *(f'#include "{name}"' for name in names)]) + "\n")


def minor_and_patch(text):
    found = re.fullmatch(r"1\.(\d+)(?:\.(\d+))?", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text}: not a release like 1.28.3")
    return int(found[1]), int(found[2] or 0)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--go", default="go")
    parser.add_argument("--build", default=ROOT / "build")
    parser.add_argument("releases", nargs="*", type=minor_and_patch,
                        metavar="RELEASE")
    arguments = parser.parse_args()
    layout = pathlib.Path(arguments.build).resolve() / "tools" / "go-layout"
    fields = (TABLES / "fields.def").read_text()
    symbols = [line.split("(")[1].split(",")[0]
               for line in fields.splitlines()
               if line.startswith("GO_MEMBER(")]

    for minor, last in arguments.releases or sorted(last_patches().items()):
        write(minor, tables_of(arguments.go, layout, minor, last), symbols)
    write_list()


if __name__ == "__main__":
    main()

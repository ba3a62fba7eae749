#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Make the inputs that the fuzz targets start from: fuzz/corpus/TARGET/NAME.

    python3 fuzz/make_corpus [FOLDER]       (default: fuzz/corpus)

The same files each time, but for those of compilers and linkers (compiled.py,
linked.py), which are left alone where there are none. What fuzzers found lies in
the same folders and is left alone too. The tables of pclntab are made by
make_pclntab.c.
"""

import shutil
import sys

import allocators
import compiled
import core
import corpus
import dwarf
import elf
import go
import linked
import names
import proc

TOOLS = ("as", "clang", "gcc", "ld", "llvm-dwp", "objcopy", "strip")


def main():
    if len(sys.argv) > 1:
        corpus.save_below(sys.argv[1])
    for kind in (allocators, core, dwarf, elf, go, names, proc):
        kind.make()
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        print(f"what compilers and linkers make is left as it is: no "
              f"{', '.join(missing)}", file=sys.stderr)
        return
    compiled.make()
    linked.make()


main()

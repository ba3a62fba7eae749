# SPDX-License-Identifier: Apache-2.0
"""C programs with another malloc than glibc's."""

import os

from conftest import c_program, debian_file, need

LIBRARIES = "usr/lib/x86_64-linux-gnu"
PRELOADED = {
    "jemalloc": ("libjemalloc2", f"{LIBRARIES}/libjemalloc.so.2"),
    "mimalloc": ("libmimalloc2.0", f"{LIBRARIES}/libmimalloc.so.2.0"),
    "tcmalloc": ("libtcmalloc-minimal4",
                 f"{LIBRARIES}/libtcmalloc_minimal.so.4"),
}


def preload(allocator):
    """An environment in which programs have it; for glibc, as it is."""
    if allocator == "glibc":
        return dict(os.environ)
    return dict(os.environ,
                LD_PRELOAD=str(debian_file(*PRELOADED[allocator])))


def start_with(start, allocator, name, *arguments, flags=("-pthread",)):
    """tests/programs/NAME.c with this malloc."""
    if allocator == "musl":
        need("musl-gcc")
        return start(c_program(name, "musl-gcc", ["-static", "-s"]),
                     *arguments)
    return start(c_program(name, flags=list(flags)), *arguments,
                 env=preload(allocator))

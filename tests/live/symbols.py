# SPDX-License-Identifier: Apache-2.0
"""What `memwhy syms` tells."""

import csv
import io

from conftest import run

# Releases of Go whose symbols, literals and variables are looked at.
VERSIONS = ["1.9.7", "1.10.8", "1.13.15", "1.16.15", "1.18.10", "1.20.14",
            "1.22.12", "1.24.13", "1.25.8", "1.26.8", "1.27.4"]


def syms(path, *arguments):
    """Rows of `memwhy syms --format=csv`."""
    done = run("syms", "--format=csv", *arguments, path)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def values(target, *arguments):
    """{name: (type, value)} of a process."""
    return {r["name"].removeprefix("main."): (r["value_type"], r["value"])
            for r in syms(target.pid, *arguments)}


def literals(path, text):
    """{referring name: value}"""
    return {r["name"]: r["value"] for r in syms(path, "--literal", text)}

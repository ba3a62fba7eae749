# SPDX-License-Identifier: Apache-2.0
"""Packages of Debian's other suites, unpacked beside the system's own.

Suites such as sid move on. What the tests expect of a package holds for the
releases that memwhy was held against; of newer ones it may know nothing, and
then leaves them alone. Tests run with those as well, but when one fails, that
is told and is no failure. What must hold of any release is in test_suites.py.
Where packages cannot be fetched, tests are skipped with that reason.
"""

import functools
import gzip
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# The newest release that memwhy was held against, of packages that tests take
# from suites that move.
NEWEST = {
    "libc6": (2, 44),
    "libjemalloc2": (5, 3, 1),
    "libmimalloc3": (3, 6, 0),
    "libtcmalloc-minimal4t64": (2, 18, 1),
    "musl": (1, 2, 6),
}


class Running:
    """The test that runs now; conftest.py tells."""
    item = None


def mirror():
    """Where this machine has its own Debian packages from."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)",
         "Created-By: Packages", "Label: Debian"],
        text=True, capture_output=True)
    if not done.stdout:
        pytest.skip(f"apt knows no mirror of Debian: {done.stderr.strip()}")
    return done.stdout.split()[0]


@functools.lru_cache(maxsize=None)
def lists(suite):
    """A folder with the lists of a suite's packages, until the tests end; the
    machine's own lists stay as they are. And apt's options for it."""
    folder = tempfile.TemporaryDirectory(prefix="memwhy-apt-")
    path = pathlib.Path(folder.name)
    (path / "lists" / "partial").mkdir(parents=True)
    (path / "cache" / "archives" / "partial").mkdir(parents=True)
    sources = path / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n")
    apt = ["apt-get", "-qq", "-o", f"Dir::Etc::sourcelist={sources}",
           "-o", "Dir::Etc::sourceparts=-",
           "-o", f"Dir::State::lists={path / 'lists'}",
           "-o", "Dir::State::status=/dev/null",
           # The user that apt would become cannot enter the folder.
           "-o", "APT::Sandbox::User=root",
           "-o", f"Dir::Cache={path / 'cache'}"]
    return folder, apt, subprocess.run([*apt, "update"], text=True,
                                       capture_output=True)


def fetch(path, suite, packages):
    """Unpack packages of a suite."""
    path.mkdir()
    _, apt, done = lists(suite)
    if done.returncode == 0:
        done = subprocess.run([*apt, "download", *packages], cwd=path,
                              text=True, capture_output=True)
    if done.returncode:
        shutil.rmtree(path)
        pytest.skip(f"packages of Debian {suite} cannot be fetched: "
                    f"{done.stderr.strip()[-200:]}")
    for package in path.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, path / "root"], check=True)
        package.unlink()


def release(root, package):
    """The release of an unpacked package: (2, 43)."""
    changes = root / "usr/share/doc" / package / "changelog.Debian.gz"
    with gzip.open(changes, "rt") as file:
        version = re.search(r"\((?:\d+:)?(\d+(?:\.\d+)*)", file.readline())[1]
    return tuple(int(part) for part in version.split("."))


def note(root, package):
    """When a test uses a package that is newer than what memwhy was held
    against and fails, it is told as such."""
    newest = NEWEST.get(package)
    found = release(root, package) if newest else None
    if not newest or found <= newest or \
            Running.item.get_closest_marker("any_release"):
        return
    text = "{} {} is newer than {}, the newest that memwhy knows".format(
        package, *(".".join(str(n) for n in r) for r in (found, newest)))
    Running.item.add_marker(pytest.mark.xfail(reason=text))

# SPDX-License-Identifier: Apache-2.0
"""Room in swap, also on a machine that has none."""

import contextlib
import subprocess
import tempfile

import pytest

from conftest import held, is_root

BYTES = 256 << 20

# A swap file is held by a process of its own until the pipe from here ends: so
# it goes, too, when the tests are killed.
HOLD = """
trap '' HUP INT TERM
head -c "$2" /dev/zero >"$1" && chmod 600 "$1" && mkswap "$1" >/dev/null &&
	swapon "$1" && echo on && cat >/dev/null && swapoff "$1"
rm "$1"
"""


def free():
    with open("/proc/meminfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("SwapFree:"):
                return int(line.split()[1]) << 10
    return 0


@contextlib.contextmanager
def added():
    """A swap file for a while."""
    if not is_root():
        pytest.skip("this machine has no swap, and only root can add some")
    name = tempfile.mktemp(prefix="memwhy-swap-", dir="/var/tmp")
    with subprocess.Popen(["sh", "-c", HOLD, "sh", name, str(BYTES)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True,
                          start_new_session=True) as holder:
        if holder.stdout.readline() != "on\n":
            pytest.skip(f"no swap file here: {holder.stderr.read()}")
        yield
        holder.stdin.close()
        assert holder.wait() == 0, holder.stderr.read()


@pytest.fixture
def swap():
    # Another test's would go with that.
    with held("/proc/swaps"):
        if free() >= BYTES:
            yield
        else:
            with added():
                yield

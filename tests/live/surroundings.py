# SPDX-License-Identifier: Apache-2.0
"""What a test and the programs that it starts inherit: always the same."""

import os
import re
import resource
import subprocess
import tempfile

# Variables that change how programs and compilers behave, or what they print.
# Those that tell how registries are reached are left.
CHANGES = re.compile(
    r"BASH_ENV|ENV|POSIXLY_CORRECT|TZ|"
    r"COLUMNS|LINES|TERM|NO_COLOR|CLICOLOR\w*|LANG|LANGUAGE|LC_\w+|"
    r"MAN\w+|PAGER|"
    r"LD_\w+|GLIBC_TUNABLES|(MALLOC|MIMALLOC|TCMALLOC)_\w+|"
    r"GO(GC|DEBUG|MAXPROCS|MEMLIMIT|TRACEBACK|RACE|"
    r"ROOT|BIN|ARCH|OS|AMD64|EXPERIMENT|WORK|TMPDIR)|CGO_\w+|"
    r"CC|CXX|LDFLAGS|C\w*FLAGS|RUSTFLAGS|"
    r"PYTHON\w+|PERL\w+|NODE_OPTIONS|DEBUGINFOD_URLS")


def is_memory(folder):
    """Whether the files in it are in memory only, as those of a tmpfs."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder],
                          capture_output=True, text=True, check=True)
    return kind.stdout.strip() in ("tmpfs", "ramfs")


def settle():
    for name in filter(CHANGES.fullmatch, list(os.environ)):
        del os.environ[name]
    os.environ.update(LC_ALL="C.UTF-8", TERM="dumb")
    os.umask(0o022)
    # Mapped, such files would be shared memory.
    if is_memory(tempfile.gettempdir()):
        os.environ["TMPDIR"] = tempfile.tempdir = "/var/tmp"
    # It decides where the kernel maps things, and how large stacks of threads
    # are.
    _, most = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, most))

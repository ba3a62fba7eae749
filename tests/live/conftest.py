# SPDX-License-Identifier: Apache-2.0
"""What the live tests share: programs to look at, and memwhy to look with."""

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

import suites
import surroundings

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "tests" / "programs"
CACHE = ROOT / "tests" / ".cache"
MEMWHY = os.environ.get("MEMWHY", str(ROOT / "build" / "memwhy"))
PAGE = 4096

surroundings.settle()


# Programs

def cached(name, parts, make):
    """CACHE/name-HASH, made by make(path) when it is not there yet."""
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    path = CACHE / f"{name}-{digest}"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        lock = path.with_name(f"{path.name}.lock")
        with open(lock, "w") as file:
            # Another worker may be making it.
            fcntl.flock(file, fcntl.LOCK_EX)
            if not path.exists():
                work = path.with_name(f"{path.name}.{os.getpid()}")
                make(work)
                work.rename(path)
            lock.unlink(missing_ok=True)
    return path


@functools.lru_cache(maxsize=None)
def toolchain(version):
    """The folder of a Go toolchain, fetched as a module."""
    module = f"golang.org/toolchain@v0.0.1-go{version}.linux-amd64"
    done = subprocess.run(
        ["go", "mod", "download", "-json", module], capture_output=True,
        text=True, cwd="/",
        env=dict(os.environ, GOFLAGS="-modcacherw", GOTOOLCHAIN="local"))
    assert done.returncode == 0, done.stdout + done.stderr
    folder = pathlib.Path(json.loads(done.stdout)["Dir"])
    for part in ("bin", "pkg/tool"):
        subprocess.run(["chmod", "-R", "u+x", folder / part], check=True)
    return folder


# How a Go program can be built: flags of go build.
VARIANTS = {
    "dwarf": [],
    "symtab": ["-ldflags=-w"],
    "stripped": ["-ldflags=-s -w"],
    "pie": ["-buildmode=pie", "-ldflags=-s -w"],
}


def go_sources(name, version):
    """tests/programs/NAME.go and what it shares with others; of figures also
    the part for the release."""
    names = [name]
    if name == "figures":
        old = int(version.split(".")[1]) < 16
        names.append("figures_nometrics" if old else "figures_metrics")
    elif name in ("bubbles", "groups"):
        names.append("bubbles_answer")
    return [PROGRAMS / f"{n}.go" for n in names]


def go_program(name, version, variant="stripped", cgo=False, flags=(),
               **environment):
    """Build tests/programs/NAME.go with a Go release; the path."""
    sources = go_sources(name, version)
    flags = [*VARIANTS[variant], *flags]

    def make(path):
        root = toolchain(version)
        env = dict(os.environ, GOROOT=str(root), GOTOOLCHAIN="local",
                   GOENV="off", GOFLAGS="", GO111MODULE="off",
                   CGO_ENABLED="1" if cgo else "0", **environment)
        done = subprocess.run(
            [root / "bin" / "go", "build", *flags, "-o", path, *sources],
            env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return cached(f"{name}-go{version}-{variant}",
                  [*(s.read_text() for s in sources), version, flags, cgo,
                   *environment.items()], make)


def c_program(name, compiler="gcc", flags=()):
    source = PROGRAMS / f"{name}.c"

    def make(path):
        subprocess.run([compiler, "-O1", "-g", "-o", path, source, *flags],
                       check=True)

    return cached(f"{name}-{compiler}", [source.read_text(), list(flags)],
                  make)


def cc_program(name, flags=()):
    """tests/programs/NAME.cc, C++."""
    source = PROGRAMS / f"{name}.cc"

    def make(path):
        subprocess.run(["g++", "-O1", "-o", path, source, *flags], check=True)

    return cached(f"{name}-g++", [source.read_text(), list(flags)], make)


def asm_program(name):
    source = PROGRAMS / f"{name}.asm"

    def make(path):
        object_file = f"{path}.o"
        subprocess.run(["nasm", "-f", "elf64", "-o", object_file, source],
                       check=True)
        subprocess.run(["ld", "-o", path, object_file], check=True)
        os.unlink(object_file)

    return cached(f"{name}-asm", [source.read_text()], make)


def debian_file(package, inside):
    """A file of a Debian package, which is unpacked and not installed."""
    def make(path):
        path.mkdir()
        done = subprocess.run(["apt-get", "download", "-qq", package],
                              cwd=path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        deb = next(path.glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", deb, path / "root"], check=True)
        deb.unlink()

    return cached(f"debian-{package}", [package], make) / "root" / inside


def npm_file(package, version, inside):
    """A file of an npm package."""
    def make(path):
        path.mkdir()
        done = subprocess.run(["npm", "pack", "--silent",
                               f"{package}@{version}"],
                              cwd=path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        archive = path / done.stdout.split()[-1]
        subprocess.run(["tar", "xzf", archive], cwd=path, check=True)
        archive.unlink()

    name = package.replace("/", "-").replace("@", "")
    path = cached(f"npm-{name}", [package, version], make) / "package" / inside
    path.chmod(0o755)
    return path


def delve():
    """Delve, built from its module."""
    def make(path):
        root = toolchain("1.26.8")
        done = subprocess.run(
            [root / "bin" / "go", "install",
             "github.com/go-delve/delve/cmd/dlv@v1.25.2"],
            env=dict(os.environ, GOROOT=str(root), GOTOOLCHAIN="local",
                     GOENV="off", GOFLAGS="-modcacherw", GOBIN=str(path)),
            capture_output=True, text=True, cwd="/")
        assert done.returncode == 0, done.stderr

    return cached("delve", ["1.25.2"], make) / "dlv"


# The machine

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    if (yield).get_result().failed:
        item.stash[FAILED] = True


@pytest.fixture
def tmp_path(request, tmp_path):
    """A folder of the test's own, which stays when the test fails. Cores and
    snapshots of all tests together take more than 20 GB."""
    yield tmp_path
    if FAILED not in request.node.stash:
        shutil.rmtree(tmp_path, ignore_errors=True)


@contextlib.contextmanager
def held(path):
    """Hold what a file of /proc stands for, which all tests share: others that
    would change it wait."""
    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield pathlib.Path(path)


# Targets

def wait_for(condition, what, seconds=60):
    """Wait until condition() is true: for a state, never for a time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"in vain: waited for {what}"
        time.sleep(0.005)


def thread_states(pid):
    """State letter of each thread; empty when the process is gone."""
    states = []
    try:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            states.append((task / "stat").read_text().rsplit(")", 1)[1][1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return states


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def is_idle(pid):
    """Whether no thread runs, seen several times in a row."""
    for _ in range(5):
        states = thread_states(pid)
        if not states or any(s == "R" for s in states):
            return False
        time.sleep(0.01)
    return True


def is_executing(pid):
    """Whether execve() is done: only then the kernel knows where code is, until
    the main thread ends, which others may outlive."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        state, *rest = file.read().rpartition(")")[2].split()
        return state == "Z" or int(rest[22]) != 0


class Target:
    """A running program. Those of tests/programs report figures on standard
    error, a name and a number a line, up to the line `end 0`."""

    def __init__(self, *command, reports=True, **options):
        self.process = subprocess.Popen(
            [str(c) for c in command], stdin=subprocess.PIPE,
            stdout=options.pop("stdout", subprocess.DEVNULL),
            stderr=subprocess.PIPE if reports else subprocess.DEVNULL,
            text=True, **options)
        self.pid = self.process.pid
        wait_for(lambda: self.process.poll() is not None or
                 is_executing(self.pid), "the program to begin")
        self.figures = self.read_report() if reports else {}

    def read_report(self):
        figures = {}
        for line in self.process.stderr:
            name, _, value = line.strip().partition(" ")
            if name == "end":
                return figures
            figures[name] = int(value, 0) if value.lstrip("-").replace(
                "0x", "").isalnum() else value
        raise AssertionError(
            f"{self.process.args} ended: {self.process.wait()}")

    def ask(self, what=""):
        """Have it report once more, after it has done @what."""
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        self.figures = self.read_report()
        return self.figures

    def kill(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout,
                       self.process.stderr):
            if stream:
                stream.close()


@pytest.fixture
def start():
    """start(command…): a Target that ends with the test."""
    targets = []

    def make(*command, **options):
        targets.append(Target(*command, **options))
        return targets[-1]

    yield make
    for target in targets:
        target.kill()


# memwhy

def run(*arguments, **options):
    return subprocess.run([MEMWHY, *(str(a) for a in arguments)],
                          capture_output=True, text=True, timeout=120,
                          **options)


class Ledger:
    """What `memwhy ledger --format=json` says, checked against itself."""

    def __init__(self, text):
        self.json = json.loads(text)
        self.accounts = {a["account"]: a for a in self.json["accounts"]}
        self.totals = self.json["totals"]
        self.audit = self.json["audit"]
        self.go = self.json["target"]["go"]
        assert len(self.accounts) == len(self.json["accounts"])
        for domain in ("vsz_bytes", "rss_bytes", "swap_bytes"):
            assert sum(a[domain] for a in self.json["accounts"]) == \
                self.totals[domain]
            assert self.totals[domain] == \
                self.audit[f"kernel_{domain}"] + self.audit[f"drift_{domain}"]

    def bytes(self, *accounts, domain="rss"):
        return sum(self.accounts.get(a, {}).get(f"{domain}_bytes", 0)
                   for a in accounts)

    def below(self, prefix, domain="rss"):
        return sum(a[f"{domain}_bytes"] for name, a in self.accounts.items()
                   if name.startswith(prefix + "/"))

    def unknown(self):
        """Resident bytes that are not told: unknown and anonymous/private."""
        return self.below("unknown") + self.bytes("anonymous/private")


def ledger(target, *arguments, **options):
    done = run("ledger", "--format=json", *arguments,
               getattr(target, "pid", target), **options)
    assert done.returncode == 0, done.stderr
    result = Ledger(done.stdout)
    result.stderr = done.stderr
    return result


def maps(target, *arguments):
    """Rows of `memwhy maps --format=json`."""
    done = run("maps", "--format=json", *arguments,
               getattr(target, "pid", target))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["schema"] == "memwhy.maps/1"
    return answer["rows"]


def figures(result):
    """What each account has, without the words."""
    return {name: (a["vsz_bytes"], a["rss_bytes"], a["swap_bytes"])
            for name, a in result.accounts.items()}


def while_still(target, action, tries=10):
    """Do action() while an idle target's ledger stays the same: a program
    that waits may still run a garbage collection or a timer. The ledger, and
    what action() returned."""
    wait_for(lambda: is_idle(target.pid), "the target to be idle")
    for _ in range(tries):
        before = ledger(target, "--stop")
        done = action()
        after = ledger(target, "--stop")
        if figures(before) == figures(after):
            return before, done
    raise AssertionError("the target never stands still")


def left_alone(pid, action, seen=None):
    """What action() returned, after which the kernel counts what it counted
    before, and @seen() is what it was. Now and then the kernel takes back
    pages of files, or a program does something by itself."""
    def state():
        now = status(pid)
        return ([now.get(k) for k in ("VmRSS", "VmPTE", "VmSwap", "VmSize",
                                      "Threads")], seen and seen())

    def try_it():
        before = state()
        done = action()
        return state() == before and [done]

    return wait_for(try_it, "two equal states")[0]


# The kernel's own word

def smaps_totals(pid):
    """Sums over /proc/PID/smaps, in bytes."""
    sums = {"Size": 0, "Rss": 0, "Swap": 0, "Pss": 0}
    with open(f"/proc/{pid}/smaps") as file:
        for line in file:
            key = line.split(":")[0]
            if key in sums:
                sums[key] += int(line.split()[1]) * 1024
    return sums


def smaps_rows(pid):
    """Each mapping of /proc/PID/smaps, sizes in bytes."""
    rows = []
    with open(f"/proc/{pid}/smaps") as file:
        for line in file:
            words = line.split()
            if "-" in words[0] and not words[0].endswith(":"):
                first, last = words[0].split("-")
                rows.append({"start": int(first, 16), "end": int(last, 16),
                             "perms": words[1], "offset": int(words[2], 16),
                             "path": line[73:].rstrip("\n")})
            elif len(words) == 3:
                rows[-1][words[0][:-1]] = int(words[1]) * 1024
    return rows


def status(pid):
    """/proc/PID/status, sizes in bytes."""
    values = {}
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            key, _, value = line.partition(":")
            value = value.split()
            if len(value) == 2 and value[1] == "kB":
                values[key] = int(value[0]) * 1024
            elif value:
                values[key] = value[0]
    return values


def check_against_smaps(pid, result):
    sums = smaps_totals(pid)
    assert result.totals["rss_bytes"] == sums["Rss"]
    assert result.totals["vsz_bytes"] == sums["Size"]
    assert result.totals["swap_bytes"] == sums["Swap"]


class Frozen:
    """Holds a process still with SIGSTOP, so that smaps can be compared."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)
        wait_for(lambda: set(thread_states(self.pid)) <= {"T", "Z"},
                 "all threads to stop")
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)


def is_root():
    return os.geteuid() == 0


needs_root = pytest.mark.skipif(not is_root(), reason="needs root")


# What limits memwhy's own address space: sanitizers take terabytes of it.
plain_only = pytest.mark.plain_only


def pytest_configure(config):
    config.addinivalue_line("markers", "plain_only: not for a sanitized build")
    config.addinivalue_line(
        "markers", "any_release: must pass with packages newer than known")


def pytest_runtest_setup(item):
    suites.Running.item = item


def need(tool):
    """Skip where a tool is missing; tools/setup test installs them all."""
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")

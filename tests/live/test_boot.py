# SPDX-License-Identifier: Apache-2.0
"""boot: the stages of a program's start."""

import csv
import io
import json
import os
import re
import signal
import subprocess

import pytest

from conftest import (MEMWHY, c_program, debian_file, go_program, need, run,
                      status, thread_states, toolchain, wait_for)

OLD = ["1.9.7", "1.10.8", "1.11.13", "1.12.17"]
NEW = ["1.13.15", "1.14.15", "1.15.15", "1.16.15", "1.17.13", "1.18.10",
       "1.19.13", "1.20.14", "1.21.13", "1.22.12", "1.23.12", "1.24.13",
       "1.25.8", "1.26.8"]
ORDER = ["kernel entry", "_rt0_amd64_linux", "rt0_go", "schedinit",
         "mallocinit", "gcinit", "procresize", "newproc", "mstart",
         "runtime.main", "gcenable", "main.main"]
MIB = 1 << 20


def minor(version):
    return int(version.split(".")[1])


class Boot:
    """What boot says, checked against itself."""

    def __init__(self, tmp_path, *arguments, program, **options):
        self.file = tmp_path / "boot.json"
        self.done = run("boot", "--format=json", "-o", self.file, "--force",
                        *arguments, "--", *program, **options)
        assert self.done.returncode == 0, self.done.stderr
        self.json = json.loads(self.file.read_text())
        assert self.json["schema"] == "memwhy.boot/1"
        self.rows = self.json["rows"]
        self.stages = [r["stage"] for r in self.rows
                       if r["account"] == "total"]
        self.total = {r["stage"]: r for r in self.rows
                      if r["account"] == "total"}
        assert len(self.stages) == len(self.total)
        self.check_sums()

    def check_sums(self):
        last, sums = {}, {}
        for row in self.rows:
            last[row["account"]] = row
            for domain in ("rss_bytes", "vsz_bytes", "swap_bytes"):
                key = row["account"], domain
                sums[key] = sums.get(key, 0) + row[f"delta_{domain}"]
        for (account, domain), value in sums.items():
            assert last[account][domain] == value, account
        for domain in ("rss_bytes", "vsz_bytes"):
            assert sum(v for (a, d), v in sums.items()
                       if d == domain and a != "total") == \
                last["total"][domain]

    def accounts(self, stage):
        return {r["account"]: r for r in self.rows if r["stage"] == stage}

    def below(self, stage, *prefixes):
        return sum(r["delta_vsz_bytes"]
                   for name, r in self.accounts(stage).items()
                   if name.startswith(prefixes))

    def inits(self):
        return [s[5:] for s in self.stages if s.startswith("init ")]

    def written(self):
        """How many pages of code were changed."""
        found = re.search(r"(\d+) pages of code", " ".join(self.json["notes"]))
        return int(found[1]) if found else 0


def is_in_order(stages, order):
    at = [stages.index(s) for s in order]
    return at == sorted(at)


def check_program(done, arguments):
    assert done.stdout == f"{','.join(arguments)} <nil> child\ninput 1048575\n"
    assert done.stderr == "error\n"


@pytest.mark.parametrize("version", OLD + NEW)
def test_stages(tmp_path, version):
    program = go_program("boot", version)
    boot = Boot(tmp_path, program=[program, "a", "b c"], input="input")
    check_program(boot.done, ["a", "b c"])
    assert is_in_order(boot.stages, ORDER)
    assert is_in_order(boot.stages, ["runtime.main", "sysmon", "main.main"])
    assert boot.stages[-1] == "main.main"
    assert boot.json["target"]["go"]["version"] == f"go{version}"
    for row in boot.total.values():
        assert row["took_ns"] >= 0 and row["cpu_ns"] >= 0
        if not row["stage"].startswith(("before", "init", "kernel")):
            assert row["function"] and row["address"]
    times = [boot.total[s]["time_ns"] for s in ORDER]
    assert times == sorted(times) and times[0] == 0 and times[-1] > 0
    # The address space that the heap begins with is there after mallocinit
    # and before gcinit: nothing of it earlier.
    for stage in boot.stages[:boot.stages.index("mallocinit")]:
        assert not any(a.startswith("go/") for a in boot.accounts(stage))
    heap = boot.below("mallocinit", "go/heap/", "go/stacks/") + \
        boot.below("before gcinit", "go/heap/", "go/stacks/")
    assert heap == (64 * MIB if minor(version) > 10 else 1 * MIB)
    assert boot.below("mallocinit", "anonymous/private") == 0
    assert boot.below("mallocinit", "go/runtime/") >= 200 << 10
    index = boot.below("mallocinit", "go/runtime/page-alloc")
    assert (index > 500 * MIB) == (minor(version) > 13)
    # The 8 MiB are main's, and it has touched them; a collection may have
    # freed others meanwhile.
    assert boot.total["init main"]["cpu_ns"] > 100000
    main = boot.accounts("init main")["go/heap/objects"]
    assert 7.9 * MIB < main["delta_rss_bytes"] < 9 * MIB
    # Only the many inits of old releases need more than four registers.
    assert (boot.written() > 0) == (version in OLD)


def test_init_order_is_what_the_runtime_traces(tmp_path):
    for version in NEW:
        if minor(version) < 16:
            continue
        program = go_program("boot", version)
        traced = subprocess.run([program], capture_output=True, text=True,
                                input="", env={"GODEBUG": "inittrace=1"})
        inits = re.findall(r"^init (\S+) @", traced.stderr, re.MULTILINE)
        assert len(inits) > 10
        for how in ([], ["--int3"]):
            boot = Boot(tmp_path, *how, program=[program], input="")
            assert boot.inits() == inits, version


def test_init_order_of_a_large_program(tmp_path):
    program = debian_file("caddy", "usr/bin/caddy")
    traced = subprocess.run([program, "version"], capture_output=True,
                            text=True, env={"GODEBUG": "inittrace=1"})
    inits = re.findall(r"^init (\S+) @", traced.stderr, re.MULTILINE)
    boot = Boot(tmp_path, program=[program, "version"])
    # The linker writes a dot in a path's last element as %2e.
    inits = [i.replace("%2e", ".") for i in inits]
    assert len(inits) > 300 and boot.inits() == inits
    assert boot.done.stdout == traced.stdout
    assert boot.written() == 0


@pytest.mark.parametrize("version", OLD + ["1.13.15", "1.15.15"])
def test_init_order_follows_the_imports(tmp_path, version):
    """Where there is no trace: each package after those that it imports."""
    root = toolchain(version)
    boot = Boot(tmp_path, program=[go_program("boot", version)], input="")
    inits = boot.inits()
    assert inits[-1] == "main" and len(inits) > 10
    listed = subprocess.run(
        [root / "bin" / "go", "list", "-f",
         "{{.ImportPath}} {{join .Deps \" \"}}", *inits[:-1]],
        capture_output=True, text=True, cwd="/",
        env=dict(os.environ, GOROOT=str(root), GOTOOLCHAIN="local",
                 GOENV="off", GOFLAGS="", GO111MODULE="off",
                 CGO_ENABLED="0"))
    deps = {line.split()[0]: line.split()[1:]
            for line in listed.stdout.splitlines()}
    # The runtime is initialised before all others, with what it imports.
    first = ["runtime", *deps["runtime"]]
    for package in set(inits[:-1]) - set(first):
        before = inits[:inits.index(package)]
        for dep in set(deps[package]) & set(inits) - set(first):
            assert dep in before, (package, dep)


@pytest.mark.parametrize("version", ["1.9.7", "1.12.17", "1.16.15", "1.20.14",
                                     "1.26.8"])
@pytest.mark.parametrize("variant", ["dwarf", "stripped", "pie"])
def test_cgo(tmp_path, version, variant):
    program = go_program("cgo", version, variant, cgo=True)
    boot = Boot(tmp_path, "--kill", program=[program])
    # C starts it: there is a loader, unless it was linked without one.
    order = ["main" if s == "_rt0_amd64_linux" else s for s in ORDER]
    if "_rt0_amd64_linux" in boot.stages:
        order = ORDER
    assert is_in_order(boot.stages, order)
    assert "loader" in boot.stages
    assert boot.done.stdout == ""
    absent = ({"_rt0_amd64_linux", "main"} - set(boot.stages)).pop()
    done = run("boot", f"--until={absent}", "--", program)
    assert done.returncode == 2 and done.stdout == ""
    assert f"{absent}: this program has no such stage, but " in done.stderr
    named = re.search("but (.*)", done.stderr)[1].split(", ")
    assert {s for s in boot.stages
            if not s.startswith(("init ", "before "))} <= set(named)
    assert "HeapAlloc" not in done.stderr  # nothing ran


@pytest.mark.parametrize("version", ["1.9.7", "1.13.15", "1.18.10", "1.26.8"])
def test_pie_and_replaced_bytes(tmp_path, version):
    program = go_program("boot", version, "pie")
    for how in ([], ["--int3"]):
        boot = Boot(tmp_path, *how, program=[program, "x"], input="input")
        check_program(boot.done, ["x"])
        assert is_in_order(boot.stages, ORDER[2:])
        assert boot.stages[:2] == ["kernel entry", "loader"]
        assert (boot.written() > 0) == (how != [] or version in OLD)


def test_figures_are_what_gdb_sees(tmp_path):
    """The program held by gdb at the same place: the kernel's figures."""
    need("gdb")
    program = go_program("boot", "1.26.8", "symtab")
    boot = Boot(tmp_path, program=[program], input="")
    for function, stage in (("runtime.schedinit", "schedinit"),
                            ("runtime.gcinit", "before gcinit")):
        held = subprocess.run(
            ["gdb", "-q", "-batch", "-nx", "-iex", "set auto-load off",
             "-ex", "starti", "-ex", f"hbreak *'{function}'",
             "-ex", "continue", "-ex",
             "python print(*[open('/proc/%d/%s' % "
             "(gdb.selected_inferior().pid, name)).read() "
             "for name in ('status', 'smaps_rollup')])", "-ex", "kill",
             str(program)], capture_output=True, text=True)
        kernel = {name: int(value) * 1024 for name, value in
                  re.findall(r"^(\w+):\s+(\d+) kB", held.stdout,
                             re.MULTILINE)}
        row = boot.total[stage]
        # VmSize is without vsyscall.
        assert row["vsz_bytes"] == kernel["VmSize"] + 4096
        # The kernel maps up to 16 pages of a file at a time: those that it
        # has at hand.
        assert abs(row["rss_bytes"] - kernel["Rss"]) <= 64 << 10


def test_programs_without_go(tmp_path):
    boot = Boot(tmp_path, program=["/bin/echo", "hello"])
    assert boot.stages == ["kernel entry", "loader"]
    assert boot.done.stdout == "hello\n"
    assert boot.json["target"]["go"] is None
    loaded = boot.accounts("loader")
    assert loaded["library/libc.so.6/.text"]["rss_bytes"] > 0
    source = tmp_path / "main.c"
    source.write_text("""
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
__attribute__((constructor)) static void before(void)
{
	char *argv[] = { "echo", "spawned", NULL };
	pid_t pid = fork();
	if (pid == 0)
		return;
	waitpid(pid, NULL, 0);
	posix_spawnp(&pid, "echo", NULL, NULL, argv, environ);
	waitpid(pid, NULL, 0);
}
int main(void)
{
	return puts("main") < 0;
}
""")
    program = tmp_path / "main"
    for flags in ([], ["-static"]):
        subprocess.run(["gcc", "-o", program, source, *flags], check=True)
        for how in ([], ["--int3"]):
            boot = Boot(tmp_path, *how, program=[program])
            assert boot.stages == ["kernel entry", *([] if flags else
                                                     ["loader"]), "main"]
            # The child of fork has main without a breakpoint in it.
            assert boot.done.stdout == "main\nspawned\nmain\n"
            assert boot.done.stderr == ""


def test_program_that_becomes_another(tmp_path):
    """The stages begin anew, and so do the sums."""
    program = go_program("boot", "1.26.8")
    done = run("boot", "--until=gcinit", "--format=csv", "-o", tmp_path / "out",
               "--", "sh", "-c", f"exec {program} a", input="input")
    check_program(done, ["a"])
    rows = [r for r in csv.DictReader((tmp_path / "out").open())
            if r["account"] == "total"]
    stages = [r["stage"] for r in rows]
    assert stages[:4] == ["kernel entry", "loader", "kernel entry",
                          "_rt0_amd64_linux"]
    assert stages[-1] == "gcinit"
    assert rows[2]["rss_bytes"] == rows[2]["delta_rss_bytes"]


def test_until(tmp_path):
    program = go_program("boot", "1.26.8")
    for name, stage in (("kernel entry", "kernel entry"),
                        ("mallocinit", "mallocinit"),
                        ("runtime.mallocinit", "mallocinit"),
                        ("sysmon", "sysmon"), ("os", "init os"),
                        ("init os", "init os"), ("main.main", "main.main")):
        boot = Boot(tmp_path, f"--until={name}", program=[program, "x"],
                    input="input")
        assert boot.stages[-1] == stage
        check_program(boot.done, ["x"])
        boot = Boot(tmp_path, f"--until={name}", "--kill",
                    program=[program, "x"], input="input")
        assert boot.stages[-1] == stage
        assert boot.done.stdout == boot.done.stderr == ""


def test_threads_that_reach_a_place_when_they_are_let_go(tmp_path):
    """The main thread goes on to the next stages while another begins sysmon."""
    program = go_program("boot", "1.26.8")
    for how in ([], ["--int3"]) * 10:
        boot = Boot(tmp_path, "--until=sysmon", *how, program=[program, "x"],
                    input="input")
        check_program(boot.done, ["x"])


def test_forms():
    program = go_program("boot", "1.26.8")
    text = run("boot", "--kill", "--", program).stdout
    lines = text.splitlines()
    assert "STAGE" in lines[0]
    assert re.search(r" ms +[\d.]+ KiB.* kernel entry  0\.000 ms$", lines[1])
    assert max(map(len, lines)) <= 110
    assert all("runtime." + name in text
               for name in ("mallocinit", "gcinit", "procresize"))
    table = list(csv.DictReader(io.StringIO(
        run("boot", "--kill", "--format=csv", "--", program).stdout)))
    assert table[0]["stage"] == "kernel entry"
    assert table[-1]["stage"] == "main.main"
    columns = run("boot", "--help").stdout
    for column in table[0]:
        assert re.search(rf"^  {column} ", columns, re.MULTILINE)


def test_errors(tmp_path):
    program = go_program("boot", "1.26.8")
    for command, code, word in (
            (["--", "/nonexistent"], 1, "No such file"),
            (["--", str(tmp_path)], 1, "denied"),
            (["--", "no-such-program-at-all"], 1, "No such file"),
            (["--until=mallocinitt", "--", program], 2, "mallocinitt"),
            (["--until=init os", "--", "/bin/true"], 1, "not reached"),
            (["--"], 2, "which program"),
            (["--frob", "--", program], 2, "frob")):
        done = run("boot", *command, input="")
        assert done.returncode == code, command
        assert word in done.stderr and done.stdout.count("child") == 0
    file = tmp_path / "there"
    file.write_text("x")
    done = run("boot", "-o", file, "--", program)
    assert done.returncode == 2 and file.read_text() == "x"
    text = tmp_path / "text"
    text.write_text("no program")
    text.chmod(0o755)
    assert run("boot", "--", text).returncode in (0, 1)


def test_end_of_the_program(tmp_path):
    program = go_program("boot", "1.26.8")
    done = run("boot", "-o", tmp_path / "a", "--", program, "exit")
    assert done.returncode == 0
    assert "status 5 before the last stage" in done.stderr
    assert "init os" in (tmp_path / "a").read_text()
    done = run("boot", "-o", tmp_path / "b", "--until=main.main", "--",
               program, "exit")
    assert done.returncode == 1 and "not reached" in done.stderr
    killed = ["sh", "-c", "kill -SEGV $$"]
    done = run("boot", "-o", tmp_path / "c", "--", *killed)
    assert done.returncode == 0 and "signal 11" in done.stderr


def started(tmp_path, *arguments):
    """memwhy, the program that it has started and shown, and its PID."""
    program = go_program("boot", "1.26.8")
    memwhy = subprocess.Popen(
        [MEMWHY, "boot", "-o", tmp_path / "out", "--force", *arguments, "--",
         program, "wait"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)
    assert memwhy.stdout.readline() == "wait <nil> child\n"
    return memwhy, int(memwhy.stdout.readline())


def test_runs_on_untraced_and_gets_signals(tmp_path):
    memwhy, pid = started(tmp_path)
    assert status(pid)["TracerPid"] == "0"
    wait_for((tmp_path / "out").exists, "the report")
    assert "main.main" in (tmp_path / "out").read_text()
    memwhy.send_signal(signal.SIGTERM)
    _, errors = memwhy.communicate(timeout=60)
    assert memwhy.returncode == 0 and "ended with status 3" in errors
    assert not thread_states(pid)


def test_memwhy_killed_later(tmp_path):
    memwhy, pid = started(tmp_path)
    memwhy.kill()
    memwhy.wait()
    assert set(thread_states(pid)) <= {"S", "R"}
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not set(thread_states(pid)) - {"Z"}, "its end")
    memwhy.stdout.close()
    memwhy.stderr.close()


def test_memwhy_killed_at_any_moment(tmp_path):
    """Nothing is left stopped, traced or stumbling: killed, or running on."""
    program = go_program("boot", "1.12.17")
    for delay in range(0, 60, 6):
        memwhy = subprocess.Popen(
            [MEMWHY, "boot", "-o", tmp_path / "out", "--force", "--", program,
             "wait"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        try:
            memwhy.wait(delay / 1000)
        except subprocess.TimeoutExpired:
            pass
        memwhy.kill()
        memwhy.wait()
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                if os.getsid(int(entry)) != memwhy.pid:
                    continue
                wait_for(lambda: not set(thread_states(int(entry))) &
                         {"t", "T"}, "no thread to be stopped")
                os.kill(int(entry), signal.SIGKILL)
            except ProcessLookupError:
                pass


def test_signals_while_it_starts(tmp_path):
    """The program is signalled all the while, and none is lost or kills."""
    source = tmp_path / "signals.c"
    source.write_text("""
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
static volatile int count;
static void on_alarm(int number) { (void)number; count++; }
__attribute__((constructor)) static void before(void)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { 0 };
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &often, 0);
	while (count < 200)
		;
	setitimer(ITIMER_REAL, &never, 0);
}
int main(void)
{
	return printf("%d\\n", count >= 200) < 0;
}
""")
    program = tmp_path / "signals"
    subprocess.run(["gcc", "-o", program, source], check=True)
    for how in ([], ["--int3"]):
        boot = Boot(tmp_path, *how, program=[program])
        assert boot.stages[-1] == "main" and boot.done.stdout == "1\n"


def test_job_control(tmp_path):
    """Stopped by a signal while it is traced, until it is told to go on."""
    source = tmp_path / "stops.c"
    source.write_text("""
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void before(void)
{
	pid_t self = getpid();
	if (fork() == 0) {
		while (getppid() == self && kill(self, SIGCONT) == 0)
			usleep(1000);
		_exit(0);
	}
	for (int i = 0; i < 20; i++)
		raise(SIGSTOP);
}
int main(void)
{
	return puts("main") < 0;
}
""")
    program = tmp_path / "stops"
    subprocess.run(["gcc", "-o", program, source], check=True)
    for how in ([], ["--int3"]):
        boot = Boot(tmp_path, *how, program=[program])
        assert boot.stages[-1] == "main" and boot.done.stdout == "main\n"


@pytest.mark.parametrize("package, inside, arguments", [
    ("etcd-server", "usr/bin/etcd", ["--version"]),
    ("prometheus", "usr/bin/prometheus", ["--version"]),
])
def test_real_programs(tmp_path, package, inside, arguments):
    program = debian_file(package, inside)
    boot = Boot(tmp_path, program=[program, *arguments])
    plain = subprocess.run([program, *arguments], capture_output=True,
                           text=True)
    assert boot.done.stdout == plain.stdout
    assert is_in_order(boot.stages, [s for s in ORDER if s[0] != "_"])
    assert len(boot.inits()) > 100 and boot.written() == 0


def test_threads_that_start_before_main(tmp_path):
    program = c_program("threads", flags=["-pthread"])
    boot = Boot(tmp_path, "--kill", program=[program])
    assert boot.stages == ["kernel entry", "loader", "main"]

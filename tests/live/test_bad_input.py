# SPDX-License-Identifier: Apache-2.0
"""What cannot be explained, or not wholly, is told so clearly."""

import functools
import os
import pathlib
import pwd
import re
import resource
import shutil
import subprocess

import pytest

from conftest import (MEMWHY, Frozen, Ledger, c_program, check_against_smaps,
                      go_program, ledger, needs_root, plain_only, run,
                      thread_states, wait_for)


def check_error(done, *words):
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("memwhy: ")
    assert len(done.stderr.splitlines()) == 1
    for word in words:
        assert word in done.stderr, done.stderr


@pytest.mark.parametrize("command", ["ledger", "maps"])
def test_no_such_process(command):
    unused = int(pathlib.Path("/proc/sys/kernel/pid_max").read_text()) - 1
    check_error(run(command, unused), str(unused))
    check_error(run(command, "no-process-has-this-name"), "no process")
    check_error(run(command, "0"), "no process")
    check_error(run(command, "99999999999999999999"), "no process")


def test_name_of_several_processes(start, tmp_path):
    program = tmp_path / "twice-running"
    shutil.copy(c_program("churn", flags=["-pthread"]), program)
    first, second = start(program), start(program)
    check_error(run("ledger", "twice-running"), "2 processes",
                str(first.pid), str(second.pid))
    second.kill()
    assert ledger("twice-running").json["target"]["pid"] == first.pid


def kernel_threads():
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rsplit(")", 1)[1]
            except OSError:
                continue
            if int(fields.split()[6]) & 0x200000:
                yield int(folder.name)


def test_kernel_thread():
    threads = list(kernel_threads())
    if not threads:
        pytest.skip("no kernel threads in this PID namespace")
    check_error(run("ledger", threads[0]), "kernel thread")


def test_zombie():
    process = subprocess.Popen(["true"])
    path = pathlib.Path(f"/proc/{process.pid}/stat")
    wait_for(lambda: path.read_text().rsplit(")", 1)[1][1] == "Z",
             "the process to end")
    check_error(run("ledger", process.pid), "zombie")
    process.wait()


def as_nobody():
    user = pwd.getpwnam("nobody")

    def change():
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)

    return change


@pytest.fixture
def public_memwhy():
    """A copy of memwhy that any user can reach."""
    folder = pathlib.Path(subprocess.run(
        ["mktemp", "-d", "/tmp/memwhy-XXXXXX"], check=True,
        capture_output=True, text=True).stdout.strip())
    folder.chmod(0o755)
    shutil.copy(MEMWHY, folder / "memwhy")
    yield folder
    shutil.rmtree(folder)


@needs_root
def test_another_users_process(public_memwhy):
    done = subprocess.run([public_memwhy / "memwhy", str(os.getpid())],
                          capture_output=True, text=True,
                          preexec_fn=as_nobody())
    check_error(done, "another user", "root")


@needs_root
def test_unprivileged_user_on_own_processes(start, public_memwhy):
    program = public_memwhy / "program"
    shutil.copy(go_program("objects", "1.26.8", "stripped"), program)
    target = start(program, preexec_fn=as_nobody())
    for mode in ("--live", "--stop"):
        done = subprocess.run(
            [public_memwhy / "memwhy", "--format=json", mode,
             str(target.pid)], capture_output=True, text=True,
            preexec_fn=as_nobody())
        assert done.returncode == 0, done.stderr
        result = Ledger(done.stdout)
        assert result.audit["balanced"] is True
        assert result.unknown() <= result.totals["rss_bytes"] / 1000
        assert result.bytes("go/heap/objects") > 0
    # Without a target: the largest that the user may read, which is this.
    done = subprocess.run([public_memwhy / "memwhy", "--format=json"],
                          capture_output=True, text=True,
                          preexec_fn=as_nobody())
    assert done.returncode == 0, done.stderr
    assert Ledger(done.stdout).json["target"]["pid"] == target.pid


@needs_root
def test_memory_that_may_not_be_read(start, public_memwhy):
    """The right to see /proc/PID but not to ptrace, as under Yama: emulated
    by a program that made itself undumpable after memwhy got the rights of
    its user group; the kernel's and the ELF view remain."""
    # A process in a user namespace of its own has all rights there, and none
    # over memwhy's caller; the other way round its memory is readable. So the
    # refusal is made with seccomp instead: process_vm_readv fails.
    target = start(go_program("objects", "1.26.8", "stripped"))
    source = public_memwhy / "deny.c"
    source.write_text(r"""
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, filter };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		return 1;
	execv(argv[1], argv + 1);
	return 1;
}
""")
    deny = public_memwhy / "deny"
    subprocess.run(["gcc", "-o", deny, source], check=True)
    done = subprocess.run([deny, MEMWHY, "--format=json", str(target.pid)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = Ledger(done.stdout)
    assert result.audit["balanced"] is True
    assert result.go is None
    assert result.bytes("binary/.text") > 0
    assert "ptrace_scope" in done.stderr


@pytest.mark.parametrize("variant", ["stripped", "pie"])
def test_go_of_an_unknown_release(start, tmp_path, variant):
    """The release is written into the binary: make it one of the future."""
    data = go_program("objects", "1.26.8", variant).read_bytes()
    assert b"go1.26.8" in data
    program = tmp_path / "future"
    program.write_bytes(data.replace(b"go1.26.8", b"go1.99.8"))
    program.chmod(0o755)
    target = start(program)
    with Frozen(target.pid):
        result = ledger(target, "--stop")
        check_against_smaps(target.pid, result)
    assert result.audit["balanced"] is True
    assert result.go is None
    assert result.bytes("binary/.text") > 0
    assert "go1.99.8" in result.stderr
    text = run("ledger", target.pid)
    assert text.returncode == 0 and "audit:" in text.stdout


def test_go_of_an_unknown_release_with_debug_information(start, tmp_path):
    """Its own DWARF says where everything is."""
    data = go_program("objects", "1.26.8", "dwarf").read_bytes()
    program = tmp_path / "future"
    program.write_bytes(data.replace(b"go1.26.8", b"go1.99.8"))
    program.chmod(0o755)
    result = ledger(start(program))
    assert result.go["layout"] == "dwarf"
    assert result.go["version"] == "go1.99.8"
    assert result.unknown() <= result.totals["rss_bytes"] / 1000
    assert result.bytes("go/heap/objects") > 0


def test_go_of_an_unknown_patch_release(start, tmp_path):
    """A patch release younger than the tables: the types in the binary
    confirm or mend the nearest table."""
    data = go_program("objects", "1.26.8", "stripped").read_bytes()
    program = tmp_path / "patched"
    program.write_bytes(data.replace(b"go1.26.8", b"go1.26.X"))
    program.chmod(0o755)
    result = ledger(start(program))
    assert result.go["layout"] == "rtype"
    assert result.unknown() <= result.totals["rss_bytes"] / 1000
    assert result.bytes("go/heap/objects") > 0


@functools.lru_cache(maxsize=None)
def symbols(program):
    """Addresses by name, as nm tells them."""
    text = subprocess.run(["nm", program], check=True, capture_output=True,
                          text=True).stdout
    return {name: int(address, 16) for address, name in
            re.findall(r"^(\w+) \w (.+)$", text, re.MULTILINE)}


def variable(program, name):
    return symbols(program)[name]


# Damage: (variable, offset in it, 8 bytes to write). What the runtime itself
# does not look at while it is idle can be overwritten in a live process.
DAMAGE = {
    "no spans": ("runtime.mheap_", "allspans_len", 0),
    "absurd span count": ("runtime.mheap_", "allspans_len", 1 << 40),
    "wild list of spans": ("runtime.mheap_", "allspans_ptr", 0x1234567000),
    "wild arena index": ("runtime.mheap_", "arenas", 0x7fff00001000),
    "absurd list of goroutines": ("runtime.allgs", 8, 1 << 44),
}
# From tools/go-layout for go1.26.
OFFSETS = {"allspans_ptr": 65864, "allspans_len": 65872, "arenas": 66008}


@needs_root
@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_runtime(start, name):
    program = go_program("objects", "1.26.8", "symtab")
    target = start(program)
    symbol, offset, value = DAMAGE[name]
    address = variable(program, symbol) + OFFSETS.get(offset, offset)
    with open(f"/proc/{target.pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(address)
        memory.write(value.to_bytes(8, "little"))
    with Frozen(target.pid):
        result = ledger(target, "--stop")
        check_against_smaps(target.pid, result)
    assert result.audit["balanced"] is True
    assert result.bytes("binary/.text") > 0


@needs_root
def test_damaged_spans(start):
    """Every mspan overwritten with rubbish: bounded, and balanced."""
    program = go_program("objects", "1.26.8", "symtab")
    target = start(program)
    mheap = variable(program, "runtime.mheap_")
    with open(f"/proc/{target.pid}/mem", "r+b", buffering=0) as memory:
        def word(at):
            memory.seek(at)
            return int.from_bytes(memory.read(8), "little")

        spans = word(mheap + OFFSETS["allspans_ptr"])
        count = word(mheap + OFFSETS["allspans_len"])
        for i in range(10, count):
            memory.seek(word(spans + 8 * i) + 24)
            memory.write(os.urandom(100))
    with Frozen(target.pid):
        result = ledger(target, "--stop")
        check_against_smaps(target.pid, result)
    assert result.audit["balanced"] is True


@plain_only
def test_memwhy_itself_short_of_memory(start):
    """64 MiB of address space besides what the libraries take."""
    target = start(go_program("objects", "1.26.8", "stripped"))

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (64 << 20, 64 << 20))

    done = subprocess.run([MEMWHY, "--format=json", str(target.pid)],
                          capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 0, done.stderr
    assert Ledger(done.stdout).audit["balanced"] is True

    # With far too little there is an error, not a crash.
    for megabytes in (10, 12, 16, 24):
        def less():
            resource.setrlimit(resource.RLIMIT_AS,
                               (megabytes << 20, megabytes << 20))

        done = subprocess.run([MEMWHY, str(target.pid)], capture_output=True,
                              text=True, preexec_fn=less)
        assert done.returncode in (0, 1, 127), done
        if done.returncode == 1:
            assert done.stderr.startswith("memwhy: ")


@needs_root
def test_hidepid(tmp_path, start, public_memwhy):
    """/proc mounted with hidepid: another user's process is not there, but
    one can tell that it exists."""
    target = start(c_program("churn", flags=["-pthread"]))
    script = (f"mount -t proc -o hidepid=2 proc /proc && "
              f"exec setpriv --reuid=65534 --regid=65534 --clear-groups "
              f"{public_memwhy}/memwhy {target.pid}")
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script],
                          capture_output=True, text=True)
    check_error(done, "hidepid")


def test_threads_outlive_the_main_thread(start, tmp_path):
    """Its /proc/PID/maps is empty then; that of the others is not."""
    source = tmp_path / "leader.c"
    source.write_text("#include <pthread.h>\n#include <stdio.h>\n"
                      "#include <unistd.h>\n"
                      "static void *run(void *p) { for (;;) pause(); "
                      "return p; }\n"
                      "int main(void) { pthread_t t; "
                      "pthread_create(&t, 0, run, 0); pthread_exit(0); }\n")
    program = tmp_path / "leader"
    subprocess.run(["gcc", "-pthread", "-o", program, source], check=True)
    target = start(program, reports=False)
    wait_for(lambda: sorted(thread_states(target.pid)) == ["S", "Z"],
             "the main thread to end and the other to wait")
    for mode in ("--live", "--stop"):
        result = ledger(target, mode)
        assert result.audit["balanced"] is True
        assert result.bytes("binary/.text") > 0
        assert result.below("stack/threads") > 0


def test_usage_errors():
    for arguments in (["--no-such-option", "1"], ["ledger", "--domain=x", "1"],
                      ["ledger", "1", "2"], ["maps", "--domain=rss", "1"],
                      ["ledger", "--format=csv", "1"]):
        done = run(*arguments)
        assert done.returncode == 2, arguments
        assert done.stdout == ""
        assert "memwhy" in done.stderr

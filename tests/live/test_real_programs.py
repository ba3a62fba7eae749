# SPDX-License-Identifier: Apache-2.0
"""Programs that nobody here wrote, from Debian's and npm's packages."""

import signal
import subprocess

import pytest

from conftest import (Frozen, check_against_smaps, debian_file, ledger,
                      npm_file, status, wait_for)


def prometheus(tmp_path):
    program = debian_file("prometheus", "usr/bin/prometheus")
    config = tmp_path / "prometheus.yml"
    config.write_text("global: {}\n")
    return [program, f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path}/data",
            "--web.listen-address=127.0.0.1:0"]


def node_exporter(tmp_path):
    return [debian_file("prometheus-node-exporter",
                        "usr/bin/prometheus-node-exporter"),
            "--web.listen-address=127.0.0.1:0"]


def etcd(tmp_path):
    return [debian_file("etcd-server", "usr/bin/etcd"),
            "--data-dir", tmp_path / "data",
            "--listen-client-urls", "unix://localhost:0",
            "--advertise-client-urls", "http://127.0.0.1:0",
            "--listen-peer-urls", "unix://localhost:1"]


def caddy(tmp_path):
    config = tmp_path / "Caddyfile"
    config.write_text("{\n\tadmin off\n}\nhttp://127.0.0.1:0 {\n}\n")
    return [debian_file("caddy", "usr/bin/caddy"), "run", "--config", config,
            "--adapter", "caddyfile"]


def esbuild(version):
    def command(tmp_path):
        program = npm_file("@esbuild/linux-x64", version, "bin/esbuild")
        return [program, f"--service={version}", "--ping"]
    return command


def early_esbuild(version, service):
    def command(tmp_path):
        return [npm_file("esbuild-linux-64", version, "bin/esbuild"), service]
    return command


def ibazel(version):
    """It waits for files to change, and has bazel build when they do."""
    def command(tmp_path):
        program = npm_file("@bazel/ibazel", version, "bin/linux_amd64/ibazel")
        bazel = tmp_path / "bin" / "bazel"
        bazel.parent.mkdir()
        bazel.write_text("#!/bin/sh\n")
        bazel.chmod(0o755)
        (tmp_path / "WORKSPACE").touch()
        return ["env", f"PATH={bazel.parent}:/usr/bin:/bin", program, "build",
                "//:all"]
    return command


# name: (command, Go release as memwhy tells it)
PROGRAMS = {
    "ibazel-0.5": (ibazel("0.5.0"), "go1.9.2"),
    "ibazel-0.7": (ibazel("0.7.0"), "go1.11.2"),
    "ibazel-0.10": (ibazel("0.10.0"), "go1.12.1"),
    "esbuild-0.6": (early_esbuild("0.6.0", "--service"), "go1.14.2"),
    "esbuild-0.8": (early_esbuild("0.8.20", "--service=0.8.20"), "go1.15.5"),
    "prometheus": (prometheus, "go1.19.8"),
    "node_exporter": (node_exporter, "go1.19.8"),
    "etcd": (etcd, "go1.19.8"),
    "caddy": (caddy, "go1.19.8"),
    "esbuild-0.15": (esbuild("0.15.18"), "go1.19.3"),
    "esbuild-0.18": (esbuild("0.18.20"), "go1.20.7"),
    "esbuild-0.25": (esbuild("0.25.0"), "go1.23.5"),
    # This one has no build info, but the string that runtime.Version returns.
    "esbuild-0.27": (esbuild("0.27.0"), "go1.25.4"),
}


def is_settled(pid):
    """Whether the resident set has stopped growing for a while."""
    seen = set()
    for _ in range(20):
        seen.add(status(pid).get("VmRSS"))
        try:
            subprocess.run(["sleep", "0.02"], check=True)
        except subprocess.CalledProcessError:
            return False
    return len(seen) == 1


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(start, tmp_path, name):
    command, version = PROGRAMS[name]
    target = start(*command(tmp_path), reports=False, cwd=tmp_path)
    wait_for(lambda: is_settled(target.pid), f"{name} to settle")
    assert target.process.poll() is None, f"{name} has ended"
    with Frozen(target.pid):
        result = ledger(target)
        check_against_smaps(target.pid, result)
        assert result.audit["drift_rss_bytes"] == 0
    stopped = ledger(target, "--stop")
    for books in (result, stopped):
        assert books.audit["balanced"] is True
        assert books.audit["overlaps"] == 0
        assert books.go["version"] == version
        assert books.unknown() <= books.totals["rss_bytes"] / 1000
        assert books.bytes("go/heap/objects") > 100_000
        # What is known only to belong to the runtime stays small.
        assert books.bytes("go/runtime/persistent") <= \
            books.totals["rss_bytes"] / 100
    assert stopped.json["capture"]["stopped_ns"] > 0
    # It runs on.
    target.process.send_signal(signal.SIGTERM)
    target.process.wait(timeout=30)

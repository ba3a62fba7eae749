# SPDX-License-Identifier: Apache-2.0
"""tests/programs/figures.go, and what memwhy says of the same moment."""

import json

from conftest import run


def go_command(name, target, *arguments):
    """The JSON of a command of the group `go`."""
    done = run("go", name, "--format=json", *arguments,
               getattr(target, "pid", target))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["schema"] == f"memwhy.go-{name}/1"
    answer["stderr"] = done.stderr
    return answer


def values(answer):
    """{field: value} of an answer with a figure in each row."""
    return {r["field"]: r["value"] for r in answer["rows"]}


def memstats(target, *arguments):
    answer = go_command("memstats", target, *arguments)
    answer["values"] = values(answer)
    return answer


def command(target, letter):
    target.process.stdin.write(letter)
    target.process.stdin.flush()
    lines = {}
    for line in target.process.stderr:
        name, _, text = line.partition(" ")
        if name == "end":
            return lines
        lines[name] = json.loads(text)
    raise AssertionError("the program ended")


def read_idle(target, *arguments, read=memstats):
    """What memwhy says between two equal reports of the program. The runtime
    does things in the background, so it may take some tries."""
    for _ in range(50):
        command(target, "r")
        answer = read(target, *arguments)
        command(target, "r")
        report = command(target, "p")
        # The scavenger may return pages even between these two.
        released = report.get("metrics", {}).get(
            "/memory/classes/heap/released:bytes",
            report["new"]["HeapReleased"])
        if report["old"] == report["new"] and \
                released == report["new"]["HeapReleased"]:
            return answer, report
    raise AssertionError("the program does not come to rest")

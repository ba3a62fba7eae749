#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""count_tests.py FOLDER SUITE…: add up the JUnit files FOLDER/SUITE.xml.

Prints what failed and, last, one line: N passed, N failed[, N skipped]. A suite
that left no file, or half a one, is a failure. Exits with 1 when a test failed
or none ran.
"""

import pathlib
import sys
import xml.etree.ElementTree as ET


def outcome(case):
    """passed, failed or skipped, and the reason for a skip."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed", ""
    skip = case.find("skipped")
    return ("passed", "") if skip is None else ("skipped", skip.get("message"))


def add_up(path, count):
    """Add to @count what a file tells."""
    for suite in ET.parse(path).iter("testsuite"):
        broken = int(suite.get("errors", 0)) + int(suite.get("failures", 0))
        for case in suite.iter("testcase"):
            result, why = outcome(case)
            count[result] += 1
            broken -= result == "failed"
            if result != "passed":
                print(f"{result}: {path.stem}: {case.get('classname')} "
                      f"{case.get('name')} {why}")
        # A program that died has no test case to its name.
        if broken > 0:
            count["failed"] += broken
            print(f"failed: {path.stem}: {suite.get('name')} broke off")


def main():
    folder, *suites = sys.argv[1:]
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for suite in suites:
        try:
            add_up(pathlib.Path(folder) / f"{suite}.xml", count)
        except (OSError, ET.ParseError) as error:
            count["failed"] += 1
            print(f"failed: {suite}: it did not run to its end: {error}")
    line = f"{count['passed']} passed, {count['failed']} failed"
    if count["skipped"]:
        line += f", {count['skipped']} skipped"
    print(line)
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Check that no room includes another than ARCHITECTURE.md allows.

The table there has a line `src/ROOM/ | what it holds | rooms it may include`
for each room. Checked are all #include "…" of C files and headers below src/.
A header that is not called mw_… is its room's own.

    tools/layers.py [--stamp FILE] ROOT
"""

import argparse
import pathlib
import re
import sys


def rooms_of(text):
    """{room: set of rooms it may include, or None for all}"""
    rooms = {}
    for line in text.splitlines():
        match = re.match(r"\| `src/(\w+)/` \|.*\| ([^|]*) \|$", line)
        if match:
            names = match[2].split()
            rooms[match[1]] = None if names == ["all"] else {
                n for n in names if n != "libc"}
    return rooms


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stamp")
    parser.add_argument("root", type=pathlib.Path)
    arguments = parser.parse_args()
    source = arguments.root / "src"
    rooms = rooms_of((arguments.root / "ARCHITECTURE.md").read_text())
    files = sorted(p for p in source.rglob("*.[ch]"))
    home = {p.name: p.parent.relative_to(source).parts[0] for p in files}
    wrong = []

    for path in files:
        room = path.relative_to(source).parts[0]
        if room not in rooms:
            wrong.append(f"{path}: ARCHITECTURE.md has no room {room}")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            name = match[1].rsplit("/", 1)[-1]
            other = home.get(name, room)
            where = f"{path}:{number}"
            if other == room:
                continue
            if not name.startswith("mw_"):
                wrong.append(f"{where}: {name} is {other}'s own")
            elif rooms[room] is not None and other not in rooms[room]:
                wrong.append(f"{where}: {room} may not include {other}")
    for room in rooms:
        if not (source / room).is_dir():
            wrong.append(f"ARCHITECTURE.md: there is no src/{room}")

    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    if arguments.stamp:
        stamp = pathlib.Path(arguments.stamp)
        stamp.write_text("")
        depends = [arguments.root / "ARCHITECTURE.md", *files]
        stamp.with_suffix(".d").write_text(
            f"{stamp.name}: " + " ".join(str(d) for d in depends) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

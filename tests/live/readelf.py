# SPDX-License-Identifier: Apache-2.0
"""What readelf says of a file, parsed, to hold `memwhy elf` against it."""

import os
import re
import subprocess


class Readelf:
    """`readelf -e -n -d -W FILE`, each part as lists of fields."""

    def __init__(self, path):
        done = subprocess.run(
            ["readelf", "-e", "-n", "-d", "-W", path], capture_output=True,
            env=dict(os.environ, LC_ALL="C"), check=False)
        self.text = done.stdout.decode("utf-8", "surrogateescape")
        self.warnings = done.stderr.decode("utf-8", "replace")
        self.header = dict(re.findall(r"^  ([A-Z][^:\n]*): +(.*?) *$",
                                      self.text.split("Headers:\n")[0], re.M))
        self.sections = self.parse_sections()
        self.segments, self.mapping = self.parse_segments()
        self.dynamic = self.parse_dynamic()
        self.notes = self.parse_notes()

    def part(self, start, end):
        match = re.search(rf"^{start}.*?\n(.*?)(?=^{end}|\Z)", self.text,
                          re.M | re.S)
        return match[1] if match else ""

    def parse_sections(self):
        rows = []
        for match in re.finditer(
                r"^  \[ *(\d+)\] (.*?) +([0-9a-f]{8}|[0-9a-f]{16}) "
                r"([0-9a-f]{6,}) ([0-9a-f]{6,}) ([0-9a-f]{2,}) "
                r"(.{3,}?) +(\d+) +(\d+) +(\d+)$",
                self.part("Section Headers:", "Key to Flags"), re.M):
            index, name, address, offset, size, entry = match.groups()[:6]
            rows.append([int(index), name, int(address, 16), int(offset, 16),
                         int(size, 16), int(entry, 16), match[7].strip(),
                         *(int(x) for x in match.groups()[7:])])
        return rows

    def parse_segments(self):
        rows = []
        text = self.part("Program Headers:", " Section to Segment mapping")
        for match in re.finditer(
                r"^  (\S.{13}) (0x[0-9a-f]+) (0x[0-9a-f]+) (0x[0-9a-f]+) "
                r"(0x[0-9a-f]+) (0x[0-9a-f]+) (.{3}) (0x[0-9a-f]+|0)$",
                text, re.M):
            rows.append([match[1].strip(), *(int(x, 16) for x in
                                             match.groups()[1:6]),
                         match[7].strip(), int(match[8], 16)])
        text = self.part(" Section to Segment mapping", r"(\n|\S)")
        mapping = {int(m[1]): m[2].split() for m in
                   re.finditer(r"^   (\d\d+) +(.*?) *$", text, re.M)}
        return rows, mapping

    def parse_dynamic(self):
        return [[int(m[1], 16), m[2], m[3].strip()] for m in re.finditer(
            r"^ (0x[0-9a-f]+) \((.*?)\) *\t*(.*)$",
            self.part("Dynamic section at", "Displaying notes"), re.M)]

    def parse_notes(self):
        """Owner, bytes, type, and what is said of it."""
        found = []
        for match in re.finditer(
                r"^  (\S.*?)? +0x([0-9a-f]{8})\t([^\t\n]*)(.*)$",
                self.part("Displaying notes", "@"), re.M):
            found.append([(match[1] or "").strip(), int(match[2], 16),
                          match[3].strip(), match[4].strip()])
        return found


def readelf_symbols(path, flag):
    """Lists of fields, by `readelf --syms` or `--dyn-syms`."""
    done = subprocess.run(["readelf", "-W", flag, path],
                          capture_output=True, text=True, check=True)
    rows = []
    for match in re.finditer(
            r"^ +(\d+): ([0-9a-f]+) +(\d+|0x[0-9a-f]+) (\S+) +(\S+) +(\S+)"
            r"(?: +\[[^]]*\])? +(\S+) ?(\S*)", done.stdout, re.M):
        index, value, size, kind, bind, visibility, section, name = \
            match.groups()
        if index != "0":
            rows.append([int(index), int(value, 16), int(size, 0), kind,
                         bind, visibility, section, name.split("@")[0]])
    return rows

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Make the inputs that the fuzz targets start from: fuzz/corpus/TARGET/NAME.

    fuzz/make_corpus.py [FOLDER]

The same files each time, but for those of a C compiler (dwarf/gcc-*, vars/*,
locals/*), which are left alone where there is none. What fuzzers found lies in
the same folders and is left alone too.

The /proc files are typed after what kernels from 2.6 to 6.18 print; addresses
and names are invented. ELF files are packed here, field by field, so that each
field can be given a value that no linker writes.
"""

import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent / "corpus"


def save(target, name, data):
    if isinstance(data, str):
        data = data.encode("latin-1")
    path = FOLDER / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


# A made-up Go runtime: a release, and words of it that are overwritten

def patch(index, word, is_address=False):
    return struct.pack("<BHQ", is_address, index & 0xffff,
                       word & (1 << 64) - 1)


for number in range(30):
    save("go_stats", f"release-{number:02}", bytes([number]))
# The lists that lead somewhere: Ps, spans, threads.
for index in (0x30000 // 8, 0x30008 // 8, 0x30080 // 8, 0x3a030 // 8,
              0x45000 // 8, 0x46000 // 8, 0x4e000 // 8, 0x2c028 // 8):
    for number, word in enumerate((0, 1, 1 << 40, (1 << 64) - 1)):
        save("go_stats", f"word-{index:x}-{number}",
             b"\x20" + patch(index, word))
    save("go_stats", f"word-{index:x}-self",
         b"\x20" + patch(index, 8 * index, True))


# /proc/PID/maps

MAPS = {
    "6.18-cat": """\
55edbe2be000-55edbe2c0000 r--p 00000000 fe:00 247026                     /usr/bin/cat
55edbe2c0000-55edbe2c5000 r-xp 00002000 fe:00 247026                     /usr/bin/cat
55edbe2c9000-55edbe2ca000 rw-p 0000a000 fe:00 247026                     /usr/bin/cat
55edf5865000-55edf5886000 rw-p 00000000 00:00 0                          [heap]
7f30b46be000-7f30b46e0000 rw-p 00000000 00:00 0 
7f30b4926000-7f30b492d000 r--s 00000000 fe:00 325737                     /usr/lib/gconv/gconv-modules.cache
7f30b4930000-7f30b4934000 r--p 00000000 00:00 0                          [vvar]
7f30b4934000-7f30b4936000 r--p 00000000 00:00 0                          [vvar_vclock]
7f30b4936000-7f30b4938000 r-xp 00000000 00:00 0                          [vdso]
7ffd1d8d0000-7ffd1d8f1000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
""",
    "2.6.32-httpd": """\
00400000-0044c000 r-xp 00000000 fd:00 1180013                            /usr/sbin/httpd (deleted)
0064b000-0064f000 rw-p 0004b000 fd:00 1180013                            /usr/sbin/httpd (deleted)
01c2d000-01d90000 rw-p 00000000 00:00 0                                  [heap]
7f2c14000000-7f2c14021000 rw-p 00000000 00:00 0 
7f2c14021000-7f2c18000000 ---p 00000000 00:00 0 
7f2c1d6f5000-7f2c1d77f000 rw-s 00000000 00:04 32769                      /SYSV00000000 (deleted)
7fffa2b5c000-7fffa2b71000 rw-p 00000000 00:00 0                          [stack]
7fffa2bff000-7fffa2c00000 r-xp 00000000 00:00 0                          [vdso]
ffffffffff600000-ffffffffff601000 r-xp 00000000 00:00 0                  [vsyscall]
""",
    "4.4-thread-stacks": """\
7f8a3c000000-7f8a3c021000 rw-p 00000000 00:00 0                          [stack:1234]
7f8a41ffe000-7f8a41fff000 ---p 00000000 00:00 0 
7f8a41fff000-7f8a427ff000 rw-p 00000000 00:00 0                          [stack:1235]
""",
    "6.6-go": """\
00400000-00487000 r-xp 00000000 08:02 2624033                            /home/u/a b/server\\012x
c000000000-c000400000 rw-p 00000000 00:00 0                              [anon: Go: heap]
c000400000-c004000000 ---p 00000000 00:00 0                              [anon: Go: heap reservation]
7f1b7c9c0000-7f1b7ca00000 rw-s 00000000 00:01 4103                       /memfd:x y (deleted)
7f1b7cc00000-7f1b7ce00000 rw-s 00000000 00:0f 35                         /anon_hugepage (deleted)
7f1b7ce00000-7f1b7ce01000 rw-s 00000000 00:01 1035                       /dev/zero (deleted)
7f1b7cf00000-7f1b7cf40000 rw-s 100000000 00:0e 1034                      anon_inode:[perf_event]
7f1b7d000000-7f1b7d100000 rw-p 00000000 00:00 0                          [anon_shmem:name]
""",
    "i386": """\
08048000-08056000 r-xp 00000000 03:0c 64593      /usr/sbin/gpm
08056000-08058000 rw-p 0000d000 03:0c 64593      /usr/sbin/gpm
bffff000-c0000000 rwxp 00000000 00:00 0
""",
    "five-levels": """\
ff000000000000-fffffffffff000 rw-p 00000000 00:00 0 
fffffffffffff000-ffffffffffffffff rw-p 00000000 00:00 0 
""",
    "permissions": "".join(
        f"{i + 1}000-{i + 2}000 {p} 00000000 00:00 0 \n"
        for i, p in enumerate(
            "---p r--p -w-p --xp ---s rwxs rw-S RWXP".split())),
    "largest-numbers": "1000-fffffffffffff000 r--p ffffffffffffffff "
                       "ffffffff:ffffffff 18446744073709551615 x\n",
    "numbers-too-large": """\
1000-10000000000000000 r--p 0 08:01 5
10000000000001000-2000 r--p 0 08:01 5
1000-2000 r--p 10000000000000000 08:01 5
1000-2000 r--p 0 100000000:01 5
1000-2000 r--p 0 08:100000000 5
1000-2000 r--p 0 08:01 18446744073709551616
""",
    "not-ascending": """\
5000-7000 r--p 0 00:00 1 a
6000-8000 r--p 0 00:00 2 b
5000-7000 r--p 0 00:00 3 c
1000-2000 r--p 0 00:00 4 d
7000-8000 r--p 0 00:00 5 e
""",
    "empty-backwards-unaligned": """\
1000-1000 r--p 0 08:01 5
2000-1000 r--p 0 08:01 5
1001-2000 r--p 0 08:01 5
1000-2001 r--p 0 08:01 5
0-1000 r--p 0 08:01 5
""",
    "fields-missing": "".join(
        line + "\n" for line in
        ["1000", "1000-", "1000-2000", "1000-2000 ", "1000-2000 r--p",
         "1000-2000 r--p 0", "1000-2000 r--p 0 08", "1000-2000 r--p 0 08:01",
         "1000-2000 r--p 0 08:01 ", "1000-2000 r--p 0 08:01 x",
         "1000 2000 r--p 0 08:01 5", "1000-2000 r--pp 0 08:01 5",
         " 1000-2000 r--p 0 08:01 5", "-2000 r--p 0 08:01 5"]),
    "no-line-end": "1000-2000 r--p 00000000 08:01 5 /abc",
    "cut-in-address": "1000-2000 r--p 00000000 08:01 5 /abc\n2000-30",
    "strange-paths": "1000-2000 r--p 0 08:01 7 /new\\012line\n"
                     "2000-3000 r--p 0 08:01 8 /\xff\xc3\xa4 \n"
                     "3000-4000 r--p 0 08:01 9 /nul\0in it\n"
                     "4000-5000 r--p 0 08:01 9 \t/tab\r\n"
                     "5000-6000 r--p 0 08:01 9 " + "/long" * 100 + "\n",
    "empty-lines": "\n\n\n1000-2000 r--p 0 08:01 7 /x\n\n",
    "empty": "",
    "garbage": "\0\x7fELF\xff\n-\n--\n \n:\n",
}


# /proc/PID/smaps

def smaps(start, end, rest, **kilobytes):
    """A mapping as a kernel prints it that knows the given keys."""
    lines = f"{start:08x}-{end:08x} {rest}\n"
    for key, value in kilobytes.items():
        lines += f"{key + ':':<16}{value:8d} kB\n"
    return lines


NEW_KEYS = dict(
    Size=132, KernelPageSize=4, MMUPageSize=4, Rss=100, Pss=76, Pss_Dirty=60,
    Shared_Clean=20, Shared_Dirty=8, Private_Clean=12, Private_Dirty=60,
    Referenced=96, Anonymous=68, KSM=4, LazyFree=16, AnonHugePages=2048,
    ShmemPmdMapped=2048, FilePmdMapped=2048, Shared_Hugetlb=2048,
    Private_Hugetlb=4096, Swap=12, SwapPss=6, Locked=4)
OLD_KEYS = dict(
    Size=132, Rss=100, Pss=76, Shared_Clean=20, Shared_Dirty=8,
    Private_Clean=12, Private_Dirty=60, Referenced=96, Swap=12,
    KernelPageSize=4, MMUPageSize=4)
HEAP = "rw-p 00000000 00:00 0                          [heap]"
FILE = "r--p 00000000 fe:00 247026                     /usr/bin/cat"
FLAGS = ("THPeligible:           0\n"
         "ProtectionKey:         0\n"
         "VmFlags: rd wr mr mw me ac sd \n")

SMAPS = {
    "6.18": smaps(0x55edbe2be000, 0x55edbe2c0000, FILE, Size=8,
                  KernelPageSize=4, Rss=8, Pss=2, Swap=0) + FLAGS
            + smaps(0x55edf5865000, 0x55edf5886000, HEAP, **NEW_KEYS) + FLAGS,
    "2.6.32": smaps(0x400000, 0x421000, FILE, **OLD_KEYS)
              + smaps(0x1c2d000, 0x1d90000, HEAP, **OLD_KEYS),
    "4.4-hugetlb": smaps(0x7f1b7cc00000, 0x7f1b7d000000,
                         "rw-s 00000000 00:0f 35 /anon_hugepage (deleted)",
                         Size=4096, Rss=0, Pss=0, Shared_Hugetlb=2048,
                         Private_Hugetlb=2048, KernelPageSize=2048,
                         MMUPageSize=2048)
                   + "VmFlags: rd wr sh mr mw me ms de ht sd \n",
    "rollup": smaps(0x55edbe2be000, 0x7ffd1d8f1000,
                    "---p 00000000 00:00 0                    [rollup]",
                    Rss=1744, Pss=500, Pss_Anon=112, Pss_File=388,
                    Pss_Shmem=0, Private_Dirty=112),
    "values-before-a-mapping": "Rss: 4 kB\nSwap: 8 kB\n"
                               + smaps(0x1000, 0x2000, FILE, Rss=4),
    "not-ascending": smaps(0x5000, 0x7000, FILE, Rss=8)
                     + smaps(0x1000, 0x2000, FILE, Rss=4)
                     + smaps(0x5000, 0x7000, FILE, Rss=8),
    "values-too-large": smaps(0x1000, 0x2000, FILE, Rss=1 << 54,
                              Pss=(1 << 54) - 1, Swap=1 << 64,
                              SwapPss=(1 << 64) - 1, Shared_Hugetlb=1 << 53,
                              Private_Hugetlb=(1 << 54) - 1),
    "hugetlb-overflows": smaps(0x1000, 0x2000, FILE,
                               Shared_Hugetlb=(1 << 54) - 1) * 2
                         + "Private_Hugetlb: 18014398509481983 kB\n" * 5,
    "keys-twice": smaps(0x1000, 0x2000, FILE, Rss=4) + "Rss: 12 kB\n",
    "values-missing": "1000-2000 rw-p 0 00:00 0 \n"
                      "Rss:\nPss: \nSwap: kB\nLocked:-4 kB\nSwapPss\n"
                      "Rss 4 kB\n Rss: 4 kB\nRssx: 4 kB\nKernelPageSize:4kB",
    "no-line-end": "1000-2000 rw-p 0 00:00 0 \nRss:                   8",
    "empty": "",
    "garbage": "Rss: \0\n1000-2000 rw-p 0 00:00 0 \nRss: \xff\n:\nRss\n",
}


# /proc/PID/stat

def stat(name="cat", state="R", fields=49):
    """As Linux 6.18 prints it, 52 fields in all; older kernels have fewer."""
    tail = ("2243 2243 21528 0 -1 4194304 97 0 0 0 0 0 0 0 20 0 12 0 59668 "
            "3133440 382 18446744073709551615 94393087148032 94393087167913 "
            "140733303718688 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 94393087183920 "
            "94393087185536 94393706627072 140733303720446 140733303720466 "
            "140733303720466 140733303721963 0").split()
    return f"2248 ({name}) {state} {' '.join(tail[:fields])}\n"


STAT = {
    "6.18": stat(),
    "2.6.32": stat(fields=41),
    "3.10": stat(fields=42),
    "zombie": stat("sh", "Z").replace("94393087183920", "0"),
    "brackets-in-name": stat("a) R 1 (b"),
    "blanks-in-name": stat(" x  y\t)\n("),
    "empty-name": stat(""),
    "long-name": stat("kworker/u8:2-events_unbound"),
    "no-permission": stat().replace("94393087148032", "1")
                           .replace("140733303718688", "0"),
    "numbers-too-large": stat().replace("94393087148032",
                                        "18446744073709551616"),
    "many-threads": stat().replace(" 12 ", " 4294967296 "),
    "all-negative": "1 (a) S" + " -1" * 50,
    "largest": "1 (a) S" + " 18446744073709551615" * 60,
    "two-blanks": stat().replace(" 20 ", "  20 "),
    "minus-alone": "1 (a) S 1 - 2",
    "cut-behind-name": "1 (a)",
    "cut-behind-state": "1 (a) R",
    "cut-in-fields": stat()[:100],
    "no-name": "1 a R 1 1 1\n",
    "only-a-bracket": ")",
    "empty": "",
}


# /proc/PID/status

STATUS = {
    "6.18": """\
Name:	cat
Umask:	0022
State:	R (running)
Tgid:	2247
Ngid:	0
Pid:	2247
PPid:	2243
TracerPid:	0
Uid:	1000	1001	1002	1003
Gid:	0	0	0	0
FDSize:	256
Groups:	 
NStgid:	2247
NSpid:	2247
Kthread:	0
VmPeak:	    3060 kB
VmSize:	    3064 kB
VmLck:	       4 kB
VmPin:	       0 kB
VmHWM:	    1748 kB
VmRSS:	    1744 kB
RssAnon:	     112 kB
RssFile:	    1632 kB
RssShmem:	       8 kB
VmData:	     360 kB
VmStk:	     132 kB
VmExe:	      20 kB
VmLib:	    1528 kB
VmPTE:	      52 kB
VmSwap:	      16 kB
HugetlbPages:	    2048 kB
CoreDumping:	0
THP_enabled:	1
untag_mask:	0xffffffffffffffff
Threads:	1
SigQ:	0/96365
Cpus_allowed_list:	0-1
voluntary_ctxt_switches:	0
""",
    "2.6.32": """\
Name:	httpd
State:	S (sleeping)
Tgid:	1443
Pid:	1443
Uid:	48	48	48	48
VmPeak:	  175708 kB
VmSize:	  175708 kB
VmLck:	       0 kB
VmHWM:	    4608 kB
VmRSS:	    4608 kB
VmData:	    1068 kB
VmPTE:	     356 kB
VmSwap:	       0 kB
Threads:	1
""",
    "kernel-thread": "Name:\tkthreadd\nState:\tS (sleeping)\nUid:\t0\t0\t0\t0\n"
                     "Threads:\t1\n",
    "long-name": "Name:\tkworker/u8:2-events_unbound_and_more_than_64_bytes_"
                 "of_a_name_that_no_kernel_has\nVmRSS:\t4 kB\n",
    "escaped-name": "Name:\ta\\nb\\\\c\nVmRSS:\t4 kB\n",
    "name-twice": "Name:\tlong name\nName:\tx\n",
    "empty-name": "Name:\t\nName:\nUid:\t\n",
    "nul-in-name": "Name:\ta\0b\n",
    "values-too-large": "VmSize:\t18014398509481983 kB\n"
                        "VmRSS:\t18014398509481984 kB\n"
                        "VmSwap:\t18446744073709551616 kB\n"
                        "Uid:\t4294967296\nUid:\t18446744073709551616\n",
    "values-missing": "VmSize:\nVmRSS: \nVmSwap:\tkB\nVmLck:\t-4 kB\nVmPTE\n"
                      "VmHWM 4 kB\n VmHWM: 4 kB\nVmHWMx: 4 kB\nUid:\tx\n",
    "no-line-end": "VmSize:\t    3064 kB\nVmRSS:\t    17",
    "empty": "",
    "garbage": "\0\n:\n\xff:\t4 kB\nVmRSS:\0\n",
}


# /proc/PID/task/TID/syscall

SYSCALL = {
    "read": "0 0x3 0x7f30b4778000 0x20000 0x7f30b480ab60 0xffffffff 0x0 "
            "0x7ffd1d8ee178 0x7f30b48f32ad\n",
    "futex": "202 0x55edf5865e60 0x80 0x0 0x0 0x0 0x0 0x7ffd1d8ee178 "
             "0x7f30b48f32ad\n",
    "not-in-a-call": "-1 0x7ffd1d8ee178 0x7f30b48f32ad\n",
    "running": "running\n",
    "all-zero": "-1 0x0 0x0\n",
    "largest": "-1 0xffffffffffffffff 0xffffffffffffffff\n",
    "too-large": "-1 0x10000000000000000 0x7f30b48f32ad\n",
    "one-number": "-1 0x7ffd1d8ee178\n",
    "no-line-end": "-1 0x7ffd1d8ee178 0x7f30b48f32ad",
    "many-blanks": "  -1   0x1   0x2  \n",
    "capitals": "-1 0XFF 0xFF 0xff\n",
    "digits-missing": "-1 0x 0x 0xg 0x1g 0x2\n",
    "empty": "",
    "garbage": "\0 0x1\0 0x2\xff\n",
}


# ELF

PT_LOAD, PT_DYNAMIC, PT_NOTE = 1, 2, 4
SHT_PROGBITS, SHT_STRTAB, SHT_DYNAMIC, SHT_NOBITS = 1, 3, 6, 8
SHF_ALLOC, SHF_COMPRESSED = 2, 0x800
PN_XNUM = SHN_XINDEX = 0xffff
BASE = 0x400000

EHDR = ("type machine version entry phoff shoff flags ehsize phentsize phnum "
        "shentsize shnum shstrndx").split()
SHDR = "name type flags addr offset size link info align entsize".split()
FORMATS = {
    32: dict(word="I", ehdr="HHIIIIIHHHHHH", phdr="IIIIIIII",
             shdr="IIIIIIIIII", dyn="iI",
             phdr_fields="type offset vaddr paddr filesz memsz flags align"),
    64: dict(word="Q", ehdr="HHIQQQIHHHHHH", phdr="IIQQQQQQ",
             shdr="IIQQQQIIQQ", dyn="qQ",
             phdr_fields="type flags offset vaddr paddr filesz memsz align"),
}


class Elf:
    """An ELF file: header, program headers, sections' bytes, section headers.

    Add segments and sections, lay it out, change any field, and pack it.
    """

    def __init__(self, bits=64, order="<"):
        self.bits, self.order, self.format = bits, order, FORMATS[bits]
        self.ident = bytearray(b"\x7fELF" + bytes(
            [bits // 32, 1 if order == "<" else 2, 1]) + bytes(9))
        self.header, self.segments = {}, []
        self.sections = [dict.fromkeys(SHDR, 0) | {"data": b""}]
        self.names = b"\0"

    def pack(self, layout, *values):
        """Numbers, cut to the size of their fields."""
        sizes = [struct.calcsize("=" + c) * 8 for c in layout]
        values = [value & (1 << size) - 1 if c.isupper() else value
                  for c, size, value in zip(layout, sizes, values)]
        return struct.pack(self.order + layout, *values)

    def bytes_of(self, kind):
        return struct.calcsize("=" + self.format[kind]) + \
            (16 if kind == "ehdr" else 0)

    def section(self, name, data=b"", type=SHT_PROGBITS, **fields):
        at = len(self.names)
        self.names += name + b"\0"
        self.sections.append(dict.fromkeys(SHDR, 0) | {
            "name": at, "type": type, "data": data, "size": len(data),
            "align": 1} | fields)
        return self.sections[-1]

    def segment(self, type, section=None, **fields):
        self.segments.append(dict(type=type, section=section, flags=5,
                                  align=4) | fields)

    def layout(self):
        """Give everything its place, and the section names a section."""
        names = self.section(b".shstrtab", type=SHT_STRTAB)
        names["data"], names["size"] = self.names, len(self.names)
        at = self.bytes_of("ehdr") + len(self.segments) * self.bytes_of("phdr")
        for section in self.sections[1:]:
            at += -at % 8
            section["offset"] = at
            if section["flags"] & SHF_ALLOC:
                section["addr"] = BASE + at
            at += len(section["data"])
        self.header = dict(
            type=3, machine=62, version=1, entry=BASE,
            phoff=self.bytes_of("ehdr") if self.segments else 0,
            shoff=at + -at % 8, flags=0, ehsize=self.bytes_of("ehdr"),
            phentsize=self.bytes_of("phdr"), phnum=len(self.segments),
            shentsize=self.bytes_of("shdr"), shnum=len(self.sections),
            shstrndx=len(self.sections) - 1)
        for segment in self.segments:
            part = segment.pop("section")
            offset, size = ((part["offset"], part["size"]) if part
                            else (0, self.header["shoff"]))
            segment.update({
                "offset": offset, "vaddr": BASE + offset,
                "paddr": BASE + offset, "filesz": size, "memsz": size,
            } | segment)
        return self

    def bytes(self):
        data = bytearray(self.ident)
        data += self.pack(self.format["ehdr"], *(self.header[k] for k in EHDR))
        fields = self.format["phdr_fields"].split()
        for segment in self.segments:
            data += self.pack(self.format["phdr"],
                              *(segment[k] for k in fields))
        for section in self.sections[1:]:
            data += bytes(-len(data) % 8) + section["data"]
        data += bytes(-len(data) % 8)
        for section in self.sections:
            data += self.pack(self.format["shdr"], *(section[k] for k in SHDR))
        return bytes(data)


def note(elf, name=b"GNU\0", type=3, desc=bytes(range(20)), align=4):
    data = elf.pack("III", len(name), len(desc), type)
    for part in (name, desc):
        data += part + bytes(-(len(data) + len(part)) % align)
    return data


def library(bits=64, order="<", soname=b"libtest.so.1", notes=None, tags=None):
    """A shared library with a name and a build-id."""
    elf = Elf(bits, order)
    dynstr = elf.section(b".dynstr", b"\0" + soname + b"\0", SHT_STRTAB,
                         flags=SHF_ALLOC)
    dynamic = elf.section(b".dynamic", bytes(6 * elf.bytes_of("dyn")),
                          SHT_DYNAMIC, flags=SHF_ALLOC, link=1)
    notes = elf.section(b".note.gnu.build-id",
                        note(elf) if notes is None else notes, 7,
                        flags=SHF_ALLOC)
    elf.section(b".bss", type=SHT_NOBITS, flags=SHF_ALLOC, size=1 << 30)
    elf.segment(PT_LOAD, align=4096)
    elf.segment(PT_DYNAMIC, dynamic)
    elf.segment(PT_NOTE, notes)
    elf.layout()
    if tags is None:
        tags = [(1, 1), (5, dynstr["addr"]), (14, 1), (0, 0)]
    data = b"".join(elf.pack(elf.format["dyn"], *tag) for tag in tags)
    dynamic["data"] = data.ljust(dynamic["size"], b"\0")[:dynamic["size"]]
    return elf


def damaged_libraries():
    """Name, and what is changed in a sound library."""
    def header(**fields):
        return lambda elf: elf.header.update(fields)

    def section(index, **fields):
        return lambda elf: elf.sections[index].update(fields)

    def segment(index, **fields):
        return lambda elf: elf.segments[index].update(fields)

    def extended(count=0, **first):
        def change(elf):
            elf.header.update(shnum=0, shstrndx=SHN_XINDEX)
            elf.sections[0].update({
                "size": count or len(elf.sections),
                "link": len(elf.sections) - 1} | first)
        return change

    most = (1 << 64) - 1
    yield "sections-none", header(shoff=0, shnum=0, shstrndx=0)
    yield "sections-behind-the-end", header(shoff=1 << 20)
    yield "sections-at-the-highest-address", header(shoff=most)
    yield "sections-last-one-cut", lambda elf: elf.header.update(
        shoff=elf.header["shoff"] + 1)
    yield "sections-over-the-header", header(shoff=16)
    yield "sections-too-many", header(shnum=0xfeff)
    yield "sections-of-size-0", header(shentsize=0)
    yield "sections-of-size-7", header(shentsize=7)
    yield "sections-extended", extended()
    yield "sections-extended-2-to-32", extended(1 << 32)
    yield "sections-extended-2-to-26", extended(1 << 26)
    yield "sections-extended-most", extended(most)
    yield "sections-extended-0", extended(size=0)
    yield "sections-extended-names-far", extended(link=0xffffffff)
    yield "sections-names-far", header(shstrndx=77)
    yield "sections-names-0", header(shstrndx=0)
    yield "sections-names-no-strings", section(-1, type=SHT_PROGBITS)
    yield "sections-names-nobits", section(-1, type=SHT_NOBITS)
    yield "sections-names-behind-the-end", section(-1, offset=most - 3)
    yield "sections-names-large", section(-1, size=1 << 50)
    yield "sections-names-compressed", section(-1, flags=SHF_COMPRESSED)
    yield "sections-name-far", section(1, name=0xffffffff)
    yield "sections-same-name", section(2, name=1)
    yield "sections-all-of-the-file", section(1, offset=0, size=most)
    yield "sections-symbols-extended", section(1, type=18, link=2)
    yield "segments-none", header(phoff=0, phnum=0)
    yield "segments-behind-the-end", header(phoff=1 << 40)
    yield "segments-at-the-highest-address", header(phoff=most)
    yield "segments-unaligned", header(phoff=65)
    yield "segments-too-many", header(phnum=1000)
    yield "segments-of-size-0", header(phentsize=0)
    yield "segments-of-size-1", header(phentsize=1, phnum=200)

    def extended_segments(elf):
        elf.header["phnum"] = PN_XNUM
        elf.header["phentsize"] = 0
        elf.sections[0]["info"] = 3
    yield "segments-extended", extended_segments

    def many_segments(elf):
        extended_segments(elf)
        elf.sections[0]["info"] = 0xffffffff
    yield "segments-extended-most", many_segments
    yield "load-all-of-memory", segment(0, vaddr=0, filesz=most, memsz=most)
    yield "load-wraps-around", segment(0, vaddr=most - 5, offset=most - 5)
    yield "load-elsewhere", segment(0, offset=1 << 40)
    yield "dynamic-behind-the-end", segment(1, offset=1 << 20)
    yield "dynamic-large", segment(1, filesz=1 << 40)
    yield "dynamic-at-an-odd-place", segment(1, offset=129, filesz=33)
    yield "dynamic-empty", segment(1, filesz=0)
    yield "dynamic-of-3-bytes", segment(1, filesz=3)
    yield "dynamic-highest", segment(1, offset=most)
    yield "dynamic-not-of-whole-entries", segment(1, filesz=49)
    yield "note-behind-the-end", segment(2, offset=1 << 20)
    yield "note-cut", segment(2, filesz=15)
    yield "note-of-3-bytes", segment(2, filesz=3)
    yield "note-aligned-to-8", segment(2, align=8)
    yield "note-at-an-odd-place", segment(2, offset=321)
    yield "class-0", lambda elf: elf.ident.__setitem__(4, 0)
    yield "class-of-32-bits", lambda elf: elf.ident.__setitem__(4, 1)
    yield "class-7", lambda elf: elf.ident.__setitem__(4, 7)
    yield "byte-order-big", lambda elf: elf.ident.__setitem__(5, 2)
    yield "byte-order-7", lambda elf: elf.ident.__setitem__(5, 7)
    yield "version-0", header(version=0)


def odd_libraries():
    """Name, and an ELF file with odd contents in their places."""
    yield "soname-unprintable", library(soname=b"../a/b\n\x1b[31m\xff")
    yield "soname-empty", library(soname=b"")
    yield "soname-long", library(soname=b"x" * 300)
    yield "soname-far", library(tags=[(5, BASE), (14, 1 << 63), (0, 0)])
    yield "soname-at-the-end", library(tags=[(5, BASE), (14, 0x3ff), (0, 0)])
    yield "soname-without-strings", library(tags=[(14, 1), (0, 0)])
    yield "soname-strings-elsewhere", library(tags=[(5, 77), (14, 1)])
    yield "soname-no-end", library(tags=[(5, BASE), (14, 1)] * 3)
    elf = Elf()
    for name, data in {
            "note-others-first": note(elf, b"stapsdt\0", 3, b"abc")
            + note(elf, b"GNU\0", 1, bytes(16)) + note(elf),
            "note-no-name": note(elf, b"") + note(elf, b"", desc=b""),
            "note-other-name": note(elf, b"GNV\0"),
            "note-64-bytes": note(elf, desc=bytes(64)),
            "note-65-bytes": note(elf, desc=bytes(65)),
            "note-large": elf.pack("III", 4, 0xffffffff, 3) + b"GNU\0",
            "note-large-name": elf.pack("III", 0xffffffff, 4, 3) + b"GNU\0",
            "note-wraps-around": elf.pack("III", 0xfffffffd, 0xfffffffd, 3),
            "note-head-only": elf.pack("III", 4, 20, 3),
            "note-property": note(elf, b"GNU\0", 5, bytes(16), 8)
            + note(elf, align=8)}.items():
        yield name, library(notes=data)


def make_elf():
    for name, elf in odd_libraries():
        save("elf", name, elf.bytes())
    for bits in (32, 64):
        for order in "<>":
            save("elf", f"library-{bits}{'le' if order == '<' else 'be'}",
                 library(bits, order).bytes())
    for name, change in damaged_libraries():
        # Each in one class and byte order, those in all that were found to
        # make a difference.
        for bits, order in [(64, "<"), (32, "<"), (64, ">"), (32, ">")]:
            elf = library(bits, order)
            change(elf)
            end = {"<": "", ">": "be"}[order]
            save("elf", name + (f"-{bits}{end}" if bits == 32 or end else ""),
                 elf.bytes())
            if not name.startswith(("sections-extended", "dynamic-not-")):
                break
    whole = library().bytes()
    for count in (1, 4, 15, 16, 63, 64, 100, 232, 300, len(whole) - 1):
        save("elf", f"cut-at-{count}", whole[:count])
    save("elf", "empty", b"")
    save("elf", "other-script", b"#!/bin/sh\n")
    save("elf", "other-archive", b"!<arch>\n" + b"x/              0           "
         b"0     0     100644  4         `\nabcd")


# DWARF

TAG = dict(array=0x01, enumeration=0x04, pointer=0x0f, compile_unit=0x11,
           structure=0x13, typedef=0x16, subrange=0x21, base=0x24,
           const=0x26, enumerator=0x28, variable=0x34, volatile=0x35,
           member=0x0d, skeleton_unit=0x4a)
AT = dict(sibling=0x01, location=0x02, name=0x03, byte_size=0x0b,
          language=0x13, const_value=0x1c, lower_bound=0x22, upper_bound=0x2f,
          abstract_origin=0x31, count=0x37, data_member_location=0x38,
          encoding=0x3e, specification=0x47, type=0x49,
          byte_stride=0x51, signature=0x69, str_offsets_base=0x72,
          dwo_name=0x76, loclists_base=0x8c)
FORM = dict(block2=0x03, data2=0x05, data4=0x06, data8=0x07, string=0x08,
            block1=0x0a, data1=0x0b, flag=0x0c, sdata=0x0d, strp=0x0e,
            udata=0x0f, ref_addr=0x10, ref4=0x13,
            indirect=0x16, sec_offset=0x17, exprloc=0x18, flag_present=0x19,
            strx=0x1a, ref_sig8=0x20, implicit_const=0x21, loclistx=0x22,
            line_strp=0x1f, strx1=0x25, ref_alt=0x1f20, strp_alt=0x1f21)
C, GO = 12, 22
FIXED = dict(data1="B", data2="H", data4="I", data8="Q", flag="B", strp="I",
             ref4="I", ref_addr="I", sec_offset="I", strx1="B", ref_sig8="Q",
             line_strp="I", ref_alt="I", strp_alt="I")


def leb(value, signed=False):
    data = bytearray()
    while True:
        byte, value = value & 0x7f, value >> 7
        done = value in (0, -1) and (byte >> 6 & 1) == (value & 1) \
            if signed else value == 0
        data.append(byte if done else byte | 0x80)
        if done:
            return bytes(data)


class Unit:
    """A unit of .debug_info, with an abbreviation for each entry."""

    def __init__(self, version=4, order="<", address=8, kind=1):
        self.version, self.order, self.address = version, order, address
        self.kind = kind
        self.info, self.abbrev = bytearray(), bytearray()
        self.labels, self.fixups, self.codes = {}, [], 0

    def pack(self, layout, value):
        return struct.pack(self.order + layout,
                           value & (1 << 8 * struct.calcsize(layout)) - 1)

    def value(self, form, value):
        if isinstance(value, str) and form != "string":
            self.fixups.append((len(self.info), value))
            value = 0
        if form in FIXED:
            return self.pack(FIXED[form], value)
        if form == "string":
            return value.encode("latin-1") + b"\0"
        if form in ("block1", "block2", "exprloc"):
            size = {"block1": "B", "block2": "H"}.get(form)
            return (self.pack(size, len(value)) if size
                    else leb(len(value))) + value
        if form == "sdata":
            return leb(value, True)
        if form == "indirect":
            return leb(FORM[value[0]]) + self.value(*value)
        if form in ("flag_present", "implicit_const"):
            return b""
        return leb(value)

    def entry(self, tag, label=None, children=None, **attributes):
        """@attributes: name=(form, value). A value in text is a label."""
        self.codes += 1
        if label:
            self.labels[label] = len(self.info)
        self.abbrev += leb(self.codes) + leb(TAG[tag])
        self.abbrev.append(children is not None)
        self.info += leb(self.codes)
        for name, (form, value) in attributes.items():
            self.abbrev += leb(AT[name]) + leb(FORM[form])
            if form == "implicit_const":
                self.abbrev += leb(value, True)
            self.info += self.value(form, value)
        self.abbrev += b"\0\0"
        if children is not None:
            children()
            self.info.append(0)

    def bytes(self, extra=b""):
        """.debug_info and .debug_abbrev; @extra ends the unit's header."""
        version, address = self.pack("H", self.version), bytes([self.address])
        rest = version + (bytes([self.kind]) + address + bytes(4)
                          if self.version >= 5 else bytes(4) + address) + extra
        for at, label in self.fixups:
            self.info[at:at + 4] = self.pack("I", 4 + len(rest)
                                             + self.labels[label])
        rest += self.info
        return self.pack("I", len(rest)) + rest, bytes(self.abbrev) + b"\0"


def name(text):
    return {"name": ("string", text)}


def member(unit, text, type, place, form="data1"):
    unit.entry("member", **name(text), type=("ref4", type),
               data_member_location=(form, place))


def wrap(sections, bits=64, order="<", flags=0):
    elf = Elf(bits, order)
    for title, data in sections.items():
        elf.section(title, data, flags=flags)
    elf.layout().header["type"] = 1
    return elf.bytes()


def object_of(unit, extra=b"", **sections):
    info, abbrev = unit.bytes(extra)
    return wrap({b".debug_info": info, b".debug_abbrev": abbrev}
                | {b"." + key.encode(): data for key, data in sections.items()},
                unit.address * 8, unit.order)


def runtime_unit(unit, size="data1", place="data1"):
    """What Go's compiler says of a few of its runtime's structs."""
    def mspan():
        member(unit, "startAddr", "uintptr", 24, place)
        member(unit, "state", "statebox", 99, place)
        member(unit, "next", "*mspan", 0, place)

    def one(text, type):
        return lambda: member(unit, text, type, 0, place)

    def g():
        member(unit, "stack", "stack", 0, place)
        member(unit, "m", "*m", 48, place)

    def types():
        unit.entry("base", "uintptr", **name("uintptr"),
                   byte_size=(size, 8), encoding=("data1", 7))
        unit.entry("pointer", "*mspan", type=("ref4", "mspan"))
        unit.entry("pointer", "*m", type=("ref4", "m"))
        unit.entry("pointer", "*g", type=("ref4", "g"))
        unit.entry("structure", "mspan", mspan, **name("runtime.mspan"),
                   byte_size=(size, 160))
        unit.entry("structure", "statebox", one("s", "atomic"),
                   **name("runtime.mSpanStateBox"), byte_size=(size, 1))
        unit.entry("structure", "atomic", one("value", "state"),
                   **name("internal.Uint8"), byte_size=(size, 1))
        unit.entry("typedef", "state", **name("runtime.mSpanState"),
                   type=("ref4", "uintptr"))
        unit.entry("structure", "stack", one("lo", "uintptr"),
                   **name("runtime.stack"), byte_size=(size, 16))
        unit.entry("structure", "g", g, **name("runtime.g"),
                   byte_size=(size, 200))
        unit.entry("structure", "m", one("g0", "*g"), **name("runtime.m"),
                   byte_size=(size, 100))
        unit.entry("structure", "mheap", one("central", "centrals"),
                   **name("runtime.mheap"), byte_size=("data4", 100000))
        unit.entry("array", "centrals",
                   lambda: unit.entry("subrange", count=(size, 136),
                                      type=("ref4", "uintptr")),
                   type=("ref4", "central"))
        unit.entry("structure", "central", one("mcentral", "stack"),
                   byte_size=(size, 64))
        unit.entry("variable", **name("runtime.work"), type=("ref4", "stack"),
                   location=("exprloc" if unit.version > 3 else "block1",
                             b"\x03" + bytes(8)))

    unit.entry("compile_unit", None, types, **name("runtime"),
               language=("data1", GO))
    return unit


def hostile_units():
    """Name, and a unit whose entries mean harm; tags inside one another."""
    def unit(children, version=4, **attributes):
        made = Unit(version)
        made.entry("compile_unit", None, lambda: children(made),
                   **name("x"), language=("data1", C), **attributes)
        return made

    def struct_of(u, inside, **attributes):
        u.entry("structure", "mspan", inside, **name("runtime.mspan"),
                **attributes)

    def typedef_of_itself(u):
        u.entry("typedef", "loop", **name("x"), type=("ref4", "loop"))
        struct_of(u, lambda: member(u, "startAddr", "loop", 0),
                  byte_size=("data1", 8))
    yield "typedef-of-itself", unit(typedef_of_itself)

    def typedefs_in_a_circle(u):
        u.entry("const", "a", type=("ref4", "b"))
        u.entry("volatile", "b", type=("ref4", "a"))
        u.entry("variable", **name("runtime.work"), type=("ref4", "a"))
    yield "typedefs-in-a-circle", unit(typedefs_in_a_circle)

    def array_of_itself(u):
        def bounds():
            u.entry("subrange", type=("ref4", "loop"), count=("data1", 3))
            u.entry("subrange", type=("ref4", "loop"), count=("data1", 3))
        u.entry("array", "loop", bounds, type=("ref4", "loop"))
        u.entry("variable", **name("runtime.work"), type=("ref4", "loop"))
        struct_of(u, lambda: member(u, "startAddr", "loop", 0))
    yield "array-of-itself", unit(array_of_itself)

    def bounds_of_all_kinds(u):
        u.entry("base", "int", byte_size=("data1", 4), encoding=("data1", 5))
        u.entry("base", "unsigned", byte_size=("data1", 4),
                encoding=("data1", 7))
        kinds = [
            dict(count=("udata", 1 << 62)), dict(count=("sdata", -1)),
            dict(upper_bound=("sdata", -1)), dict(upper_bound=("data8", -1)),
            dict(upper_bound=("data1", 7), lower_bound=("data1", 3)),
            dict(upper_bound=("data1", 3), lower_bound=("data1", 7)),
            dict(), dict(count=("exprloc", b"\x31")),
        ]
        for i, bounds in enumerate(kinds):
            def ranges():
                u.entry("subrange", **bounds,
                        type=("ref4", ("int", "unsigned")[i % 2]))
            u.entry("array", f"array{i}", ranges, type=("ref4", "int"),
                    **({"byte_stride": ("udata", 1 << 60)} if i == 4 else {}))
            u.entry("variable", **name("runtime.work"),
                    type=("ref4", f"array{i}"))
        u.entry("array", "enumerated", lambda: u.entry(
            "enumeration", None, lambda: u.entry(
                "enumerator", const_value=("data1", 3))),
            type=("ref4", "int"))
        u.entry("variable", **name("runtime.work"),
                type=("ref4", "enumerated"))
    yield "array-bounds", unit(bounds_of_all_kinds)

    def member_locations(u):
        u.entry("base", "int", byte_size=("data1", 4))
        places = [
            b"", b"\x23", b"\x23\x08", b"\x23" + b"\xff" * 12, b"\x11\x7f\x22",
            b"\x10\x80\x01", b"\x96\x96", b"\x23" + b"\x80" * 30 + b"\x01",
        ]
        for place in places:
            struct_of(u, lambda: member(u, "startAddr", "int", place,
                                        "block1"))
        struct_of(u, lambda: member(u, "startAddr", "int", -1, "sdata"))
        struct_of(u, lambda: member(u, "startAddr", "int", 0, "sec_offset"))
        struct_of(u, lambda: member(u, "startAddr", "int",
                                    ("indirect", ("udata", 8)), "indirect"))
        struct_of(u, lambda: u.entry("member", **name("startAddr")))
    yield "member-locations", unit(member_locations)

    def siblings(u):
        struct_of(u, lambda: None, sibling=("ref4", "mspan"))
        u.entry("structure", "back", lambda: None, **name("runtime.g"),
                sibling=("ref4", "mspan"))
    yield "sibling-backwards", unit(siblings)

    def sibling_far(u):
        struct_of(u, lambda: None, sibling=("data4", 0x7fffffff))
    yield "sibling-far", unit(sibling_far)

    def references(u):
        u.entry("variable", **name("runtime.work"), type=("ref4", 0xffffff))
        u.entry("variable", **name("runtime.work"), type=("ref4", 0))
        u.entry("variable", **name("runtime.work"),
                type=("ref_addr", 0xfffffffe))
        u.entry("variable", **name("runtime.work"),
                type=("ref_sig8", 0x1122334455667788))
        u.entry("variable", **name("runtime.work"), type=("ref_alt", 11))
        u.entry("variable", **name("runtime.work"), type=("udata", 11))
        u.entry("variable", **name("runtime.work"), type=("flag_present", 0))
    yield "references", unit(references)

    def origins(u):
        u.entry("structure", "a", specification=("ref4", "b"))
        u.entry("structure", "b", specification=("ref4", "a"))
        u.entry("structure", "c", abstract_origin=("ref4", "c"))
        u.entry("structure", "d", abstract_origin=("ref4", "e"))
        u.entry("structure", "e", **name("runtime.mspan"),
                signature=("ref_sig8", 0x1122334455667788))
    yield "origins-in-a-circle", unit(origins)

    def strings(u):
        for form, value in [("strp", 0), ("strp", 14), ("strp", 0xffffffff),
                            ("strx1", 0), ("strx1", 200), ("strx", 1 << 60),
                            ("line_strp", 0), ("strp_alt", 0), ("data1", 0)]:
            u.entry("structure", name=(form, value), byte_size=("data1", 8))
    yield "strings", unit(strings, 5, str_offsets_base=("sec_offset", 8))
    yield "strings-elsewhere", unit(strings, 5,
                                    str_offsets_base=("sec_offset", -8))

    def member_in_member(u):
        u.entry("pointer", "*mspan", type=("ref4", "mspan"))
        struct_of(u, lambda: member(u, "m", "mspan", 1 << 62, "udata"),
                  byte_size=("sdata", -1))
        u.entry("structure", "g", lambda: (member(u, "m", "*g", 8),
                                           member(u, "g0", "*g", 8),
                                           member(u, "sched", "g", 8)),
                **name("runtime.g"))
        u.entry("pointer", "*g", type=("ref4", "g"))
    yield "members-of-itself", unit(member_in_member)


def make_dwarf():
    for version in (2, 3, 4, 5):
        made = runtime_unit(
            Unit(version), place="data1" if version > 2 else "udata")
        save("dwarf", f"runtime-{version}", object_of(made))
    save("dwarf", "runtime-be",
         object_of(runtime_unit(Unit(4, ">"), "data2", "data2")))
    save("dwarf", "runtime-32", object_of(runtime_unit(Unit(4, "<", 4))))
    for title, made in hostile_units():
        save("dwarf", title, object_of(
            made, debug_str=b"runtime.mspan\0runtime.g\0no end",
            debug_line_str=b"runtime.mspan",
            debug_str_offsets=struct.pack("<IHHIII", 16, 5, 0, 0, 14, 1 << 31),
            gnu_debugaltlink=b"/nonexistent\0" + bytes(20)))

    info, abbrev = runtime_unit(Unit()).bytes()
    def save_sections(title, info, abbrev):
        save("dwarf", title, wrap({b".debug_info": info,
                                   b".debug_abbrev": abbrev}))
    save_sections("unit-cut", info[:200], abbrev)
    save_sections("unit-longer", b"\xff\0\0\0" + info[4:], abbrev)
    save_sections("unit-of-64-bits", b"\xff" * 4
                  + struct.pack("<QHQB", len(info), 4, 0, 8) + info[11:],
                  abbrev)
    save_sections("unit-of-reserved-length", b"\xf0" + b"\xff" * 3 + info[4:],
                  abbrev)
    save_sections("unit-empty", bytes(11), abbrev)
    save_sections("unit-version-77", info[:4] + b"\x4d\0" + info[6:], abbrev)
    save_sections("unit-address-of-3-bytes", info[:10] + b"\3" + info[11:],
                  abbrev)
    save_sections("unit-abbreviations-far", info[:6] + b"\xff" * 4
                  + info[10:], abbrev)
    save_sections("units-two", info * 2, abbrev)
    save_sections("abbreviations-cut", info, abbrev[:60])
    save_sections("abbreviations-none", info, b"")
    save_sections("abbreviations-zero", info, bytes(len(abbrev)))
    save_sections("abbreviations-endless", info, b"\xff" * 99)
    save("dwarf", "sections-twice", wrap(
        {b".debug_info": info, b".debug_abbrev": abbrev,
         b".zdebug_info": b"ZLIB" + bytes(8), b".debug_info.dwo": info}))
    save("dwarf", "only-lines", wrap({b".debug_line": bytes(40)}))
    save("dwarf", "only-types", wrap({b".debug_types": info,
                                      b".debug_abbrev": abbrev}))
    types = Unit(4)
    types.entry("compile_unit")
    save("dwarf", "types-too", wrap(
        {b".debug_info": types.bytes()[0], b".debug_types": info,
         b".debug_abbrev": types.bytes()[1]}))
    save("dwarf", "compressed-damaged", wrap(
        {b".debug_info": struct.pack("<IIQQ", 1, 0, 1 << 40, 1) + b"x\x9c",
         b".debug_abbrev": abbrev}, flags=SHF_COMPRESSED))
    save("dwarf", "no-sections", library().bytes())
    save("dwarf", "empty", b"")
    make_skeletons()
    make_compiled()


def make_skeletons():
    """Units whose entries are in another file, which must not be opened."""
    for version, kind in [(5, 4), (5, 5)]:
        unit = Unit(version, kind=kind)

        def entries():
            unit.entry("base", "int", byte_size=("data1", 4))
            unit.entry("structure", "mspan",
                       lambda: member(unit, "startAddr", "int", 0, "loclistx"),
                       **name("runtime.mspan"))
        unit.entry("skeleton_unit", None, entries,
                   dwo_name=("string", "/nonexistent.dwo"),
                   loclists_base=("sec_offset", 12))
        save("dwarf", f"skeleton-{kind}", object_of(
            unit, bytes(8), debug_loclists=bytes(64)))


SOURCE = """
typedef unsigned long uintptr;
struct runtime_mspan {
	struct runtime_mspan *next; uintptr startAddr;
	struct { struct { const volatile unsigned char value; } s; } state;
};
struct runtime_mheap {
	struct { struct { int x; } mcentral; char pad[8]; } central[17];
	struct { struct runtime_mspan **array; long len, cap; } allspans;
};
struct runtime_pageAlloc {
	struct { struct { struct { uintptr *array; } chunks; } index; } scav;
	struct { void *array; long len; } summary[5];
	struct { int x; } inUse;
};
struct runtime_m;
struct runtime_g {
	struct { uintptr lo, hi; } stack;
	struct runtime_m *m;
	struct { uintptr sp; } sched;
};
struct runtime_m { struct runtime_g *g0; };
struct { uintptr empty; int full; } runtime_work;
struct { struct runtime_pageAlloc pages; } runtime_mheap_;
struct runtime_mspan a; struct runtime_mheap b; struct runtime_g c;
"""


def make_compiled():
    """The same as a C compiler says it, with Go's names."""
    if not shutil.which("gcc"):
        print("no gcc: dwarf/gcc-* are left as they are", file=sys.stderr)
        return
    for title, flags in {"3": ["-gdwarf-3"], "4": ["-gdwarf-4"],
                         "4-types": ["-gdwarf-4", "-fdebug-types-section"],
                         "5": ["-gdwarf-5"],
                         "5-split": ["-gdwarf-5", "-gsplit-dwarf"],
                         "5-zlib": ["-gdwarf-5", "-gz=zlib"],
                         "5-zlib-gnu": ["-gdwarf-5", "-gz=zlib-gnu"],
                         "5-32": ["-gdwarf-5", "-m32"]}.items():
        with tempfile.TemporaryDirectory() as folder:
            def gcc(*more, **kind):
                return subprocess.run(
                    ["gcc", *flags, *more], check=True, text=True, cwd=folder,
                    **kind).stdout
            text = gcc("-S", f"-fdebug-prefix-map={folder}=.", "-o-", "-xc",
                       "-", input=SOURCE, stdout=subprocess.PIPE)
            gcc("-c", "-ox.o", "-xassembler", "-",
                input=text.replace('"runtime_', '"runtime.'))
            # Linked, since libdw does not look at relocations.
            gcc("-nostdlib", "-static", "-Wl,-N,-e0,--build-id=none", "-ox",
                "x.o")
            for file in pathlib.Path(folder).glob("x*"):
                if file.suffix != ".o":
                    save("dwarf", f"gcc-{title}{file.suffix}",
                         file.read_bytes())


# glibc's malloc: words that are overwritten, see fuzz_glibc.c

def words(*patches):
    return b"".join(struct.pack("<BHQ", *p) for p in patches)


def make_glibc():
    def text(piece):
        return int.from_bytes(piece, "little")

    arena = 0x940 // 8
    chunk = (0x290 + 0x5000) // 8
    files = {
        "sound": words(),
        "size-zero": words((0, chunk + 1, 0)),
        "size-ones": words((0, chunk + 1, 2 ** 64 - 1)),
        "size-small": words((0, chunk + 1, 0x11)),
        "size-beyond": words((0, chunk + 1, 0x40001)),
        "size-mmapped": words((0, chunk + 1, 0x23)),
        "first-size": words((0, 1, 0x7001)),
        "no-ring": words((5, arena + 0x870 // 8, 8)),
        "ring-elsewhere": words((3, arena + 0x870 // 8, 0x290)),
        "top-low": words((3, arena + 12, 0x290)),
        "top-inside": words((3, arena + 12, 0x2a8)),
        "top-in-libc": words((5, arena + 12, 0)),
        "fastbin-to-free": words((3, arena + 3, 0x290)),
        "fastbin-unaligned": words((3, arena + 3, 0x293)),
        "fastbins-crossed": words((3, arena + 2, chunk * 8),
                                  (3, arena + 4, chunk * 8)),
        "nothing-got": words((1, arena + 0x888 // 8, 0)),
        "more-than-got": words((1, arena + 0x888 // 8, 2 ** 63)),
        "break-elsewhere": words((5, (0x20 + 96) // 8, 0)),
        "break-behind": words((3, (0x20 + 96) // 8, 0x3fff0)),
        "blocks-mapped": words((1, (0x20 + 56) // 8, 3 << 32),
                               (1, (0x20 + 80) // 8, 0x3000),
                               (1, (0x20 + 88) // 8, 0x3000)),
        "cache": words((0, 2, 1), (3, 0x12, 0x52a0), (0, 3, 0)),
        "fences": words((0, chunk + 1, 0x11), (0, chunk + 3, 0x11)),
        "one-filled": b"\1\0\0" + b"\x31" * 8,
        # A block that begins with a vtable, whose type_info has a name.
        "object": words((4, chunk + 2, 0x1810), (5, 0x1808 // 8, 0x1900),
                        (5, 0x1900 // 8, 0x1700), (5, 0x1908 // 8, 0x1a00),
                        (1, 0x1a00 // 8, text(b"3foo"))),
        "object-cut": words((4, chunk + 2, 0x1810), (5, 0x1808 // 8, 0x1900),
                            (5, 0x1900 // 8, 0x1700),
                            (5, 0x1908 // 8, 0x1ff8),
                            (1, 0x1ff8 // 8, text(b"33333333"))),
        "module": words((4, chunk + 2, 0x1ff9)),
        "text": words((0, chunk + 2, text(b"some\xc3\xa4"))),
        "unsorted": words((3, arena + 14, 0x290), (4, 0x2a0 // 8, 0x9a0)),
        "unsorted-ring": words((3, arena + 14, 0x290), (2, 0x2a0 // 8, 0x290)),
        "unsorted-elsewhere": words((3, arena + 14, 0x299)),
    }
    for title, data in files.items():
        save("glibc", title, data)
        save("glibc", title + "-by-range", data + b"\0")


# Other allocators: words that are overwritten, see fuzz_allocators.c

def make_allocators():
    def words(allocator, *patches):
        return bytes([allocator]) + b"".join(
            struct.pack("<BHQ", *p) for p in patches)

    heap, own, data = 0, 1, 2
    to_heap, to_own = 1 << 2, 2 << 2
    ones = 2 ** 64 - 1
    names = ["mimalloc2", "mimalloc3", "jemalloc", "tcmalloc", "musl"]
    part = (0x50000 + 8) // 8
    files = {name: words(i) for i, name in enumerate(names)}
    # Its slices, entries and slice counts; the page's figures and lists.
    page = (288 + 96) // 8
    for title, index, word in [
            ("slices", 31, ones), ("info", 32, 600), ("entries", 34, ones),
            ("span-zero", page, 0), ("span-beyond", page, 513),
            ("figures", page + 1, ones), ("used", page + 4, 17),
            ("size-zero", page + 5, 0), ("size-odd", page + 5, 63),
            ("start", page + 6, 0)]:
        files[f"mimalloc2-{title}"] = words(0, (heap, index, word))
    files["mimalloc2-ring"] = words(
        0, (heap | to_heap, (0x10040 + 15 * 64) // 8, 0x10040 + 15 * 64))
    page = 0x10000 // 8
    for title, index, word in [
            ("figures", page + 2, ones), ("size-zero", page + 5, 0),
            ("size-huge", page + 5, 2 ** 63), ("start", page + 6, ones),
            ("memory-of-its-own", page + 14, 4), ("no-memory", page + 14, 0),
            ("slices", 5, ones), ("info", 6, 513), ("bitmaps", 14, 0),
            ("chunks", 512, 2)]:
        files[f"mimalloc3-{title}"] = words(1, (heap, index, word))
    files["mimalloc3-old-entry"] = words(
        1, (own | to_heap, part + 4, 0x10000))
    files["mimalloc3-bad-entry"] = words(1, (own, part, 8))
    files["mimalloc3-entry-of-a-table"] = words(1, (own | to_own, part, 0))
    files["mimalloc3-part-is-root"] = words(1, (own | to_own, 128, 0))
    files["mimalloc3-no-root"] = words(1, (own, 0, ones))
    for title, place, index, word in [
            ("no-classes", data, 8, 9), ("slab-bytes", data, 9, ones),
            ("regions", data, 10, 0), ("entry", own, 0, ones),
            ("leaf", data, 512 + 64, 8)]:
        files[f"jemalloc-{title}"] = words(2, (place, index, word))
    files["jemalloc-leaf-is-heap"] = words(2, (data | to_heap, 512 + 64, 0))
    for title, place, index, word in [
            ("no-classes", data, 512, 0), ("no-lists", data, 1027, 0),
            ("leaf", data, 1024 + 32, 8), ("entry", own, 0, ones)]:
        files[f"tcmalloc-{title}"] = words(3, (place, index, word))
    files["tcmalloc-ring"] = words(3, (heap | to_heap, 11 * 8, 11 * 64))
    for title, place, index, word in [
            ("secret", data, 8, 0), ("area", data, 8 + 7, 8),
            ("metas", own, 2, ones), ("next", own, 1, 8),
            ("masks", own, 6, ones), ("class", own, 7, 63 << 6 | 31),
            ("pages", own, 7, ones << 12 & ones), ("back", heap, 0, 0)]:
        files[f"musl-{title}"] = words(4, (place, index, word))
    files["musl-areas-in-a-ring"] = words(4, (own | to_own, 1, 0))
    files["musl-group-is-area"] = words(4, (own | to_own, 5, 0))
    for title, data in files.items():
        save("allocators", title, data)
        save("allocators", title + "-by-range",
             bytes([data[0] | 0x80]) + data[1:])


# CPython's allocator: words that are overwritten, see fuzz_pymalloc.c

def make_pymalloc():
    def pool(number, word):
        return number | word << 3

    def both(low, high):
        return low | high << 32

    files = {
        "sound": words(),
        "no-arena": words((1, 6, 0)),
        "arena-elsewhere": words((5, 6, 0)),
        "arena-twice": words((3, 12, 0), (3, 13, 0x4000),
                             (1, 14, both(61, 64))),
        "all-carved": words((3, 7, 0x40000 - 1)),
        "carved-behind": words((1, 7, 2 ** 64 - 4096)),
        "no-pools": words((1, 8, 0)),
        "entries-without-end": words((1, 12, 0)),
        "other-index": words((0, pool(0, 4), both(2, 1))),
        "size-zero": words((0, pool(2, 4), both(1, 2 ** 32 - 1))),
        "size-large": words((0, pool(2, 4), both(1, 33))),
        "last-elsewhere": words((0, pool(2, 5), both(560, 4095))),
        "next-low": words((0, pool(2, 5), both(0, 3584))),
        "next-behind": words((0, pool(2, 5), both(5000, 3584))),
        "count-large": words((0, pool(0, 0), 127)),
        "free-to-itself": words((2, pool(0, 6), 48)),
        "free-unaligned": words((2, pool(0, 1), 49)),
        "free-elsewhere": words((4, pool(0, 1), 64)),
        "free-in-head": words((2, pool(0, 1), 8)),
    }
    for title, data in files.items():
        save("pymalloc", title, data)
        save("pymalloc", title + "-by-range", data + b"\0")


# Mangled names

NAMES = {
    "symbol": "_ZN3foo3barEv",
    "type": "St6vectorIiSaIiEE",
    "vtable": "_ZTVN10__cxxabiv120__si_class_type_infoE",
    "rust": "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
    "rust-v0": "_RNvMs_NtCs1234_7mycrate3fooINtB4_3BarlE3new",
    "lambda": "NSt6thread11_State_implINS_8_InvokerISt5tupleIJZ4mainEUlvE_"
              "EEEEEE",
    # Each type has the one before twice.
    "doubling": "_Z1f1AIiiE" + "".join(f"S_IS{c}_S{c}_E" for c in
                                       "0123456789ABCDEFGHIJKLMNO"),
}


# Instructions

CODE = {
    # A prologue of Go's, a call with a type and a length, and its end.
    "go": "493b6610 0f8646000000 55 4889e5 4883ec38 488d154bbe0000 4889542428"
          "488d05a1b20400 bb05000000 31c9 e89a4c0700 4c8b3c2530000000"
          "64488b0425f8ffffff f2480f2ac0 f20f1001 0f94c1 84c0 4883c438 5d c3"
          "e89a4c0700 e9b0feffff cccccc",
    "old-go": "64488b0c25f8ffffff 483b6110 488d0511223344 48890424"
              "48c744240803000000 e811223344 488b442410 f3a4 f348ab f0480fb10b",
    "c": "f30f1efa 55 4889e5 bf04204000 b800000000 e8a7feffff 8b0511000000"
         "48b8efcdab8967452301 ff25e22f0000 0f1f8400000000006690 c9 c3",
    "vector": "c5f9efc0 c5fe6f07 62f1fe487f00 c4e2f9f7c0 c4e27d180d11223344"
              "660f3a0fc108 0f0b",
    "bad": "06 0e 16 1e ff ff c4 62 f0 f0 f0 66 66 66 66 66 66 66 66 66 66 66"
           "66 66 66 66 90",
}

# Types of a Go program

def type_at(names, name, size, kind, more=b"", star=False, old=False):
    """A descriptor; its name is put behind those in @names."""
    offset = len(names)
    text = (b"*" if star else b"") + name.encode()
    names += b"\x01" + (struct.pack(">H", len(text)) if old
                        else bytes([len(text)])) + text
    head = struct.pack("<QQIBBBBQQiI", size, size, 0x1234, 2 if star else 0,
                       8, 8, kind, 0, 0, offset, 0)
    return head + more


def make_types():
    for old in (False, True):
        names = bytearray(b"\0")
        types = b""
        for name, size, kind, more in (
                ("int", 8, 2, b""), ("main.T", 40, 25, bytes(32)),
                ("*main.T", 8, 22, struct.pack("<Q", 0x4a0000)),
                ("[]main.T", 24, 23, struct.pack("<Q", 0x4a0030)),
                ("map[string]int", 8, 21, struct.pack("<QQ", 1, 2)),
                ("[1]*main.T", 8, 17, struct.pack("<QQQ", 0x4a0060, 0, 1))):
            types += type_at(names, name, size, kind, more, name[0] != "i",
                             old)
            types += bytes(-len(types) % 8)
        # Names come first, from offset 0 on.
        save("types", "old" if old else "new",
             bytes(names) + bytes(-len(names) % 8) + types)
    save("types", "empty", b"")
    make_types_of_package()


def make_types_of_package():
    """A struct with a package and a method, an interface of one method, a
    function of the struct, and the struct's table for the interface."""
    base, names = 0x4a0000, bytearray(b"\0")

    def name(text):
        names.extend(b"\x01" + bytes([len(text)]) + text.encode())
        return len(names) - len(text) - 2

    package, field, method = name("a.b/dep"), name("next"), name("Do")
    room = 128  # for all names
    struct_at, interface_at = room, room + 144
    types = type_at(names, "dep.T", 8, 25, struct.pack(
        "<QQQQ", base + package, base + struct_at + 96, 1, 1) + struct.pack(
        "<iHHII", package, 1, 1, 40, 0) + struct.pack(
        "<QQQ", base + field, base + struct_at, 0) + struct.pack(
        "<iiii", method, 0, 0, 0) + bytes(8), True)
    types += type_at(names, "dep.Doer", 16, 20, struct.pack(
        "<QQQQ", 0, base + interface_at + 80, 1, 1) + struct.pack(
        "<ii", method, 0), True)
    types += type_at(names, "func(dep.T)", 8, 19, struct.pack(
        "<HHIQ", 1, 0, 0, base + struct_at), True)
    types += struct.pack("<QQIIQ", base + interface_at, base + struct_at,
                         0x1234, 0, 0)
    types = bytearray(types)
    types[20] |= 1  # an uncommontype
    save("types", "package", bytes(names) + bytes(room - len(names)) + types)


# Variables

VARIABLES = """
typedef unsigned char uint8;
struct { const uint8 *str; long len; } text_var = { (uint8 *)"text", 4 };
struct { int *array; long len, cap; } slice_var;
struct { uint8 *array; long len, cap; } bytes_var;
struct { void *tab, *data; } iface_var;
struct { void *_type, *data; } eface_var;
int number_var = 3; static unsigned short small_var = 7; char letter_var = 'x';
float float_var = 1.5; double double_var; long double extended_var;
_Complex double complex_var; _Bool bool_var = 1; char *c_text_var = "c";
char array_var[20] = "chars"; int grid_var[2][3]; enum { ONE, TWO } enum_var;
struct point { int x, y; struct point *next; } point_var, *pointer_var;
struct { unsigned low : 3, high : 9; } bits_var;
union { int i; float f; char c[8]; } union_var;
int (*function_var)(const char *); void *null_var; const volatile int *cv_var;
struct deep { struct { struct { struct { int n; } c; } b; } a; } deep_var[70];
__int128 wide_var; int use(void) { static int local_var; return small_var +
local_var++; }
"""


LOCALS = """
typedef unsigned char uint8; struct pair { long a, b; };
struct text { const uint8 *str; long len; };
volatile long sink; long *volatile where; struct text given;
__attribute__((noinline)) long use(long n) { sink = n; return sink; }
static inline long inner(struct pair p, long k) { long t = p.a * k;
  use(t); return t + p.b; }
static inline long outer(long n) { struct pair p = { n, n + 1 };
  long r = inner(p, 3); return r + use(p.b); }
__attribute__((noinline)) long calls(long n, struct text s, double d, int x) {
  long array[4] = { n, 2 }; int i; where = array;
  for (i = 0; i < x; i++) { long n = outer(i) + s.len; use(n); }
  { struct text t = s; t.len += use(7); given = t; }
  return array[i & 3] + (long)d + n; }
__attribute__((noinline)) long recurse(int depth, struct pair p) {
  const long five = 5; long kept = p.a + five;
  return depth ? recurse(depth - 1, p) + kept : use(p.b); }
int start(void) { struct pair p = { 1, 2 }; struct text s = { (uint8 *)"t", 1 };
  return calls(1, s, 2.5, 3) + recurse(4, p); }
"""


def compile_c(text, flags, source="-"):
    """A program; @source is what its unit is called, - for nothing."""
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "main").write_text(text)
        subprocess.run(
            ["gcc", *flags, f"-fdebug-prefix-map={folder}=.", "-nostdlib",
             "-static", "-Wl,-N,-e0,--build-id=none", "-ox", "-xc", source],
            check=True, text=True, cwd=folder, input=text)
        return (pathlib.Path(folder) / "x").read_bytes()


def make_variables():
    if not shutil.which("gcc"):
        print("no gcc: vars/* and locals/* are left as they are",
              file=sys.stderr)
        return
    for title, flags in {"1-4": ["-O1", "-gdwarf-4"],
                         "2-4": ["-O2", "-gdwarf-4"],
                         "2-5": ["-O2", "-gdwarf-5"],
                         "0-5": ["-O0", "-gdwarf-5"]}.items():
        save("locals", f"gcc-{title}", compile_c(LOCALS, flags))
    for title, flags in {"2": ["-gdwarf-2", "-gstrict-dwarf"],
                         "4": ["-gdwarf-4"], "5": ["-gdwarf-5"],
                         "go": ["-gdwarf-4"]}.items():
        save("vars", f"gcc-{title}",
             compile_c(VARIABLES, flags, "-" if title != "go" else "main"))


def main():
    global FOLDER
    if len(sys.argv) > 1:
        FOLDER = pathlib.Path(sys.argv[1])
    for target, files in {"maps": MAPS, "smaps": SMAPS, "stat": STAT,
                          "status": STATUS, "syscall": SYSCALL}.items():
        for title, text in files.items():
            save(target, title, text)
    for title, name in NAMES.items():
        save("demangle", title, name.encode())
    for title, code in CODE.items():
        save("insn", title, bytes.fromhex(code))
    make_types()
    make_variables()
    make_elf()
    make_dwarf()
    make_glibc()
    make_allocators()
    make_pymalloc()


if __name__ == "__main__":
    main()

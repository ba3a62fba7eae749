# SPDX-License-Identifier: Apache-2.0
"""/proc/PID/maps, smaps, stat and status, and /proc/PID/task/TID/syscall.

They are typed after what kernels from 2.6 to 6.18 print; addresses and names
are invented.
"""

from corpus import save

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


def make():
    for target, files in {"maps": MAPS, "smaps": SMAPS, "stat": STAT,
                          "status": STATUS, "syscall": SYSCALL}.items():
        for title, text in files.items():
            save(target, title, text)

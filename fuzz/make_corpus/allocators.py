# SPDX-License-Identifier: Apache-2.0
"""Words that are overwritten in a heap that is sound otherwise: see fuzz_glibc.c,
fuzz_allocators.c and fuzz_pymalloc.c.
"""

import struct

from corpus import save


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
    names = ["mimalloc2", "mimalloc3", "jemalloc", "tcmalloc", "musl",
             "google-tcmalloc"]
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
    span = (320 << 10) // 8
    for title, place, index, word in [
            ("no-classes", data, 512, 0), ("no-root", data, 1024 + 256, 0),
            ("no-groups", data, 512 - 3, 0), ("entry", own, 0x1000, ones),
            ("class", own, 0, 3), ("class-beyond", own, 0, 0xff),
            ("small-class", own, 0, 1), ("counts", own, span + 2, ones),
            ("pages", own, span + 3, ones), ("sampled", own, span + 3,
                                             0x1000000000 >> 13 | 3 << 61),
            ("none", own, span + 4, 0), ("large", own, span + 4, 63),
            ("bits", own, span + 5, ones)]:
        files[f"google-tcmalloc-{title}"] = words(5, (place, index, word))
    files["google-tcmalloc-span-is-leaf"] = words(
        5, (own | to_own, 0x1000, 0))
    files["google-tcmalloc-freed"] = words(
        5, (data | to_own, 3, 320 << 10), (data, 5, 1))
    files["google-tcmalloc-list"] = words(
        5, (own, 0, 1), (own, span + 2, 10 << 32 | 8 << 48))
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


def make():
    make_glibc()
    make_allocators()
    make_pymalloc()

# SPDX-License-Identifier: Apache-2.0
"""Programs with debug information, as gcc writes it: dwarf/gcc-*, vars/gcc-*,
locals/gcc-*.
"""

import pathlib
import subprocess
import tempfile

from corpus import save

# Structs as Go's runtime has them, with Go's names.
RUNTIME = """
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


def make_runtime():
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
                       "-", input=RUNTIME, stdout=subprocess.PIPE)
            gcc("-c", "-ox.o", "-xassembler", "-",
                input=text.replace('"runtime_', '"runtime.'))
            # Linked, since libdw does not look at relocations.
            gcc("-nostdlib", "-static", "-Wl,-N,-e0,--build-id=none", "-ox",
                "x.o")
            for file in pathlib.Path(folder).glob("x*"):
                if file.suffix != ".o":
                    save("dwarf", f"gcc-{title}{file.suffix}",
                         file.read_bytes())


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


def make():
    make_runtime()
    make_variables()

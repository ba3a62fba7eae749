# SPDX-License-Identifier: Apache-2.0
"""Mangled names, and instructions."""

from corpus import save

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


def make():
    for title, name in NAMES.items():
        save("demangle", title, name.encode())
    for title, code in CODE.items():
        save("insn", title, bytes.fromhex(code))

// SPDX-License-Identifier: Apache-2.0

// Bytes to be found from outside: variables with strings, in .data and .bss.
package main

import (
	"os"
	"strings"
)

//go:noinline
func keep(s string) string { return strings.ToUpper(s) }

var fooVar = "a literal that fooVar holds"
var barVar string
var numbers = [4]uint64{0x1122334455667788, 2, 3, 4}
var heap []byte

func main() {
	barVar = keep("made at run time, for barVar")
	heap = make([]byte, 1<<20)
	copy(heap[123456:], "on the heap: quite a long needle")
	println("fooVar", &fooVar)
	println("barVar", &barVar)
	println("numbers", &numbers)
	println("heap", &heap[0])
	println("end", 0)
	var b [1]byte
	os.Stdin.Read(b[:])
	println(barVar, fooVar, numbers[0], heap[0])
}

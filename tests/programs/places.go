// SPDX-License-Identifier: Apache-2.0

// Addresses to be explained from outside: objects of several kinds, variables,
// frames, a closure, literals.
package main

import (
	"os"
	"runtime"
	"unsafe"
)

type Node struct {
	next  *Node
	value [70]uint64
}

type Small struct {
	a, b *Small
	c    uint64
}

var global = [4]uint64{0x1122334455667788, 2, 3, 4}
var zeroed [1000]uint64
var node *Node
var small *Small
var large []*Node
var plain []byte
var tiny *byte
var text = "a literal whose bytes stand in rodata"
var closure func() uint64
var last *Small

//go:noinline
func makeNode() *Node { return &Node{value: [70]uint64{7}} }

//go:noinline
func makeClosure(n uint64) func() uint64 {
	return func() uint64 { n++; return n }
}

func address(name string, p unsafe.Pointer) { println(name, uint64(uintptr(p))) }

// grow makes the stack large enough, so that it is not moved later.
//
//go:noinline
func grow(n int) uint64 {
	var room [1024]uint64
	room[n] = 1
	return room[0] + room[n]
}

//go:noinline
func park(ready chan uintptr, done chan bool) {
	var local [64]uint64
	local[3] = 5
	ready <- uintptr(unsafe.Pointer(&local[3]))
	<-done
	println(local[3])
}

func main() {
	node = makeNode()
	small = &Small{c: 1}
	large = make([]*Node, 10000)
	plain = make([]byte, 1000)
	tiny = new(byte)
	closure = makeClosure(41)
	runtime.GC()
	runtime.GC()
	last = &Small{c: 2}
	ready, done := make(chan uintptr), make(chan bool)
	go func() {
		grow(3)
		park(ready, done)
	}()
	local := <-ready
	address("global", unsafe.Pointer(&global))
	address("zeroed", unsafe.Pointer(&zeroed[5]))
	address("node", unsafe.Pointer(node))
	address("small", unsafe.Pointer(small))
	address("last", unsafe.Pointer(last))
	address("large", unsafe.Pointer(&large[0]))
	address("plain", unsafe.Pointer(&plain[0]))
	address("tiny", unsafe.Pointer(tiny))
	address("text", *(*unsafe.Pointer)(unsafe.Pointer(&text)))
	address("closure", *(*unsafe.Pointer)(unsafe.Pointer(&closure)))
	address("code", **(**unsafe.Pointer)(unsafe.Pointer(&closure)))
	println("local", uint64(local))
	println("node_bytes", unsafe.Sizeof(*node))
	println("end", 0)
	var b [1]byte
	os.Stdin.Read(b[:])
	done <- true
	println(closure(), global[0], zeroed[5], *tiny, plain[0], text, large[0], last.c, small.c)
}

// SPDX-License-Identifier: Apache-2.0

// Blocks of C that only Go memory points to, and others that nothing does.
package main

/*
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

static void *make(size_t bytes) {
	return calloc(1, bytes);
}

static void keep_in_c(void *block) {
	void *local[4] = { NULL, block };

	__asm__ volatile("" : : "r"(local) : "memory");
	for (;;)
		pause();
}
*/
import "C"

import (
	"bufio"
	"os"
	"runtime"
	"time"
	"unsafe"
)

type node struct {
	next  *node
	block unsafe.Pointer
	name  [40]byte
}

var (
	inGlobal  unsafe.Pointer
	list      *node
	asNumbers []uintptr
	byKey     = map[string]unsafe.Pointer{}
)

func say(name string, block unsafe.Pointer, blocks int) {
	println(name+"_usable", uint64(C.malloc_usable_size(block)))
	println(name+"_blocks", blocks)
}

// Blocks of each case have a size of their own.
func make_(n int) unsafe.Pointer {
	return C.make(C.size_t(200 + 160*n))
}

//go:noinline
func fill(frame *[4]unsafe.Pointer) {
	frame[2] = make_(4)
	say("on_stack", frame[2], 1)
}

//go:noinline
func onStack(ready chan bool) {
	var frame [4]unsafe.Pointer
	fill(&frame)
	ready <- true
	<-ready
	fill(&frame)
}

//go:noinline
func lose() {
	for i := 0; i < 5; i++ {
		make_(6)
	}
	say("alone", make_(6), 6)
	head := (*[2]unsafe.Pointer)(make_(7))
	head[1] = make_(8)
	say("head", unsafe.Pointer(head), 1)
	say("below", head[1], 1)
}

// Objects that are garbage, then swept, hold blocks that are lost with them.
//
//go:noinline
func loseInGarbage() {
	for i := 0; i < 100; i++ {
		n := &node{block: make_(9)}
		if i == 0 {
			say("in_garbage", n.block, 100)
		}
	}
}

func main() {
	inGlobal = make_(0)
	say("in_global", inGlobal, 1)
	for i := 0; i < 1000; i++ {
		list = &node{next: list, block: make_(1)}
	}
	say("in_list", list.block, 1000)
	for i := 0; i < 50; i++ {
		asNumbers = append(asNumbers, uintptr(make_(2)))
	}
	say("as_number", unsafe.Pointer(asNumbers[0]), 50)
	byKey["a"] = make_(3)
	say("in_map", byKey["a"], 1)
	ready := make(chan bool)
	go onStack(ready)
	<-ready
	block := make_(5)
	say("in_c_frame", block, 1)
	go C.keep_in_c(block)
	done := make(chan bool)
	go func() {
		lose()
		loseInGarbage()
		done <- true
	}()
	<-done
	for i := 0; i < 3; i++ {
		runtime.GC()
	}
	time.Sleep(50 * time.Millisecond)
	println("end", 0)
	bufio.NewReaderSize(os.Stdin, 256).ReadByte()
}

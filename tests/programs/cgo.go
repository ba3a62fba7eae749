// SPDX-License-Identifier: Apache-2.0

// A Go process with C threads and C memory: goroutines inside C calls, blocks
// from malloc, and the same report as objects.go.
package main

/*
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *hold(size_t bytes) {
	void *p = malloc(bytes);
	memset(p, 1, bytes);
	return p;
}

static void wait_in_c(void) {
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

var (
	held []unsafe.Pointer
	keep [][]byte
	ms   runtime.MemStats
)

func report() {
	runtime.ReadMemStats(&ms)
	println("HeapAlloc", ms.HeapAlloc)
	println("HeapInuse", ms.HeapInuse)
	println("HeapIdle", ms.HeapIdle)
	println("HeapReleased", ms.HeapReleased)
	println("HeapSys", ms.HeapSys)
	println("StackInuse", ms.StackInuse)
	println("MSpanInuse", ms.MSpanInuse)
	println("MCacheInuse", ms.MCacheInuse)
	println("BuckHashSys", ms.BuckHashSys)
	println("NumGoroutine", runtime.NumGoroutine())
	println("pid", os.Getpid())
	println("end", 0)
}

func main() {
	for i := 0; i < 1000; i++ {
		held = append(held, C.hold(C.size_t(16+i%500)))
		keep = append(keep, make([]byte, 1+i))
	}
	for i := 0; i < 4; i++ {
		go C.wait_in_c()
	}
	input := bufio.NewReaderSize(os.Stdin, 256)
	time.Sleep(50 * time.Millisecond)
	runtime.GC()
	report()
	for {
		_, err := input.ReadByte()
		if err != nil {
			return
		}
		report()
	}
}

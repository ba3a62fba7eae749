// SPDX-License-Identifier: Apache-2.0

// To be run with GODEBUG=sbrk=1, where no object lies in the heap and none is
// ever freed. It reports what runtime.MemStats says, without allocating for it.
package main

import (
	"os"
	"runtime"
	"strconv"
)

var (
	stats runtime.MemStats
	small [][]byte
	large []byte
	line  [64]byte
)

func report(name string, value uint64) {
	text := append(append(line[:0], name...), ' ')
	os.Stderr.Write(append(strconv.AppendUint(text, value, 10), '\n'))
}

func main() {
	for i := 0; i < 500; i++ {
		piece := make([]byte, 1000)
		piece[0] = 1
		small = append(small, piece)
	}
	large = make([]byte, 1<<20)
	for i := range large {
		large[i] = 1
	}
	runtime.ReadMemStats(&stats)
	report("HeapAlloc", stats.HeapAlloc)
	report("HeapSys", stats.HeapSys)
	report("HeapIdle", stats.HeapIdle)
	report("StackInuse", stats.StackInuse)
	report("GCSys", stats.GCSys)
	report("OtherSys", stats.OtherSys)
	report("NumGoroutine", uint64(runtime.NumGoroutine()))
	report("end", 0)
	os.Stdin.Read(line[:1])
}

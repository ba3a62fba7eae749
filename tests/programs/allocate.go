// SPDX-License-Identifier: Apache-2.0

// A Go process that allocates, frees, grows stacks and starts goroutines at
// full speed on all processors, and is sampled for the heap profile.
package main

import (
	"os"
	"runtime"
	"time"
)

type tree struct {
	left, right *tree
	data        []byte
}

func grow(depth int) *tree {
	if depth == 0 {
		return nil
	}
	return &tree{grow(depth - 1), grow(depth - 1), make([]byte, 8<<uint(depth%12))}
}

func deep(n int) int {
	var room [64]int
	if n == 0 {
		return 0
	}
	room[n%64] = n
	return deep(n-1) + room[n%64]
}

var keep [64]*tree

func work(id int) {
	for i := 0; ; i++ {
		keep[(id*8+i)%64] = grow(1 + i%12)
		done := make(chan int)
		go func() { done <- deep(i % 500) }()
		<-done
		if i%50 == 0 {
			big := make([]byte, 1<<20+i*4096)
			big[len(big)/2] = 1
		}
	}
}

func main() {
	// Linked in, it has the allocator sample (since Go 1.17).
	runtime.MemProfile(nil, false)
	for id := 0; id < 2*runtime.NumCPU(); id++ {
		go work(id)
	}
	time.Sleep(200 * time.Millisecond)
	println("pid", os.Getpid())
	println("end", 0)
	select {}
}

// SPDX-License-Identifier: Apache-2.0

// A goroutine that waits at the end of as many calls as the argument says, and
// 300 that wait at once.
package main

import (
	"os"
	"runtime"
	"strconv"
)

var reached = make(chan int)

//go:noinline
func descend(depth int) int {
	if depth == 0 {
		close(reached)
		select {}
	}
	return descend(depth-1) + 1
}

func main() {
	depth, _ := strconv.Atoi(os.Args[1])
	go descend(depth)
	<-reached
	for i := 0; i < 300; i++ {
		go func() { select {} }()
	}
	runtime.Gosched()
	runtime.GC()
	println("end", 0)
	var b [1]byte
	os.Stdin.Read(b[:])
}

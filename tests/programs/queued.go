// SPDX-License-Identifier: Apache-2.0

// A Go process in which finalizers wait to be run. Given a number, it has as
// many queued, of which the first to run never ends.
package main

import (
	"os"
	"runtime"
	"strconv"
)

type node struct {
	next  *node
	value [5]int
}

var (
	started = make(chan int, 1<<16)
	blocked = make(chan int)
)

// The last of them is in no frame any more when the goroutine has ended.
func finalizers(count int, done chan int) {
	for i := 0; i < count; i++ {
		runtime.SetFinalizer(&node{}, func(*node) {
			started <- 1
			<-blocked
		})
	}
	done <- 1
}

func main() {
	count, _ := strconv.Atoi(os.Args[1])
	done := make(chan int)
	go finalizers(count, done)
	<-done
	runtime.GC()
	runtime.GC()
	if count > 0 {
		<-started
	}
	println("end", 0)
	os.Stdin.Read(make([]byte, 1))
}

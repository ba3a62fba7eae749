// SPDX-License-Identifier: Apache-2.0

// What queued.go is, with cleanups, too (Go 1.24). Given two numbers, it has as
// many finalizers and cleanups queued, of which the first to run never end. It
// tells what runtime/metrics says of both, once all of them are queued.
package main

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
)

type node struct {
	next  *node
	value [5]int
}

var (
	started = make(chan int, 1<<16)
	blocked = make(chan int)
)

func wait() {
	started <- 1
	<-blocked
}

// The last of them is in no frame any more when the goroutine has ended.
func queue(finalizers, cleanups int, done chan int) {
	for i := 0; i < finalizers; i++ {
		runtime.SetFinalizer(&node{}, func(*node) { wait() })
	}
	for i := 0; i < cleanups; i++ {
		runtime.AddCleanup(&node{}, func(int) { wait() }, i)
	}
	done <- 1
}

func main() {
	finalizers, _ := strconv.Atoi(os.Args[1])
	cleanups, _ := strconv.Atoi(os.Args[2])
	done := make(chan int)
	go queue(finalizers, cleanups, done)
	<-done
	runtime.GC()
	runtime.GC()
	if finalizers+cleanups > 0 {
		<-started
	}
	for _, d := range metrics.All() {
		if strings.HasPrefix(d.Name, "/gc/finalizers") ||
			strings.HasPrefix(d.Name, "/gc/cleanups") {
			s := []metrics.Sample{{Name: d.Name}}
			metrics.Read(s)
			println(d.Name, s[0].Value.Uint64())
		}
	}
	println("end", 0)
	os.Stdin.Read(make([]byte, 1))
}

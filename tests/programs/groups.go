// SPDX-License-Identifier: Apache-2.0

// Goroutines in groups of testing/synctest as Go 1.24 has it, with
// GOEXPERIMENT=synctest. It does as bubbles.go does.
package main

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"
)

const groups, inGroup = 2, 7

var (
	outside = make(chan int)
	begun   atomic.Int32
)

func begin(run func()) {
	go func() {
		begun.Add(1)
		run()
	}()
}

func group() {
	inside := make(chan int)
	var mutex, condMutex sync.Mutex
	cond := sync.NewCond(&condMutex)

	mutex.Lock()
	begin(func() { <-inside })
	begin(func() { inside <- 1; inside <- 2 })
	begin(func() { select {} })
	begin(func() { time.Sleep(time.Hour) })
	begin(func() { condMutex.Lock(); cond.Wait() })
	begin(func() { mutex.Lock() })
	begun.Add(1)
	<-outside // so that the group's time stands still
}

func main() {
	for i := 0; i < groups; i++ {
		go synctest.Run(group)
	}
	for begun.Load() < groups*inGroup {
		time.Sleep(time.Millisecond)
	}
	os.Stderr.WriteString("end 0\n")
	text := make([]byte, 1<<20)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		n := runtime.Stack(text, true)
		if err := os.WriteFile(os.Args[1], text[:n], 0o666); err != nil {
			panic(err)
		}
		os.Stderr.WriteString("NumGoroutine " +
			strconv.Itoa(runtime.NumGoroutine()) + "\nend 0\n")
	}
}

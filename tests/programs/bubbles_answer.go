// SPDX-License-Identifier: Apache-2.0

// What bubbles.go and groups.go share.
package main

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
)

var (
	outside = make(chan int)
	begun   atomic.Int32 // a WaitGroup is one bubble's
)

func begin(run func()) {
	go func() {
		begun.Add(1)
		run()
	}()
}

// Wait until all @count goroutines have begun. Then, after each line on standard
// input, write what runtime.Stack says of all to the file named by the first
// argument, and report NumGoroutine.
func answer(count int32) {
	for begun.Load() < count {
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

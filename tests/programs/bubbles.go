// SPDX-License-Identifier: Apache-2.0

// Goroutines in bubbles of testing/synctest, in every state that can be held
// still. After each line on standard input it writes what runtime.Stack says of
// all to the file named by its first argument, and reports NumGoroutine.
package main

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const bubbles, inBubble = 2, 10

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

func bubble(t *testing.T) {
	inside := make(chan int)
	var group sync.WaitGroup
	var mutex, condMutex sync.Mutex
	cond := sync.NewCond(&condMutex)

	group.Add(1)
	mutex.Lock()
	begin(func() { <-inside })
	begin(func() { inside = nil; <-inside })
	begin(func() { var none chan int; none <- 1 })
	begin(func() { select {} })
	begin(func() { time.Sleep(time.Hour) })
	begin(func() { group.Wait() })
	begin(func() { condMutex.Lock(); cond.Wait() })
	begin(func() { mutex.Lock() })
	begin(func() { runtime.LockOSThread(); select {} })
	begun.Add(1)
	<-outside // so that the bubble's time stands still
}

func main() {
	all := func(string, string) (bool, error) { return true, nil }

	go testing.Main(all, []testing.InternalTest{{
		Name: "Bubbles",
		F: func(t *testing.T) {
			for i := 1; i < bubbles; i++ {
				go synctest.Test(t, bubble)
			}
			synctest.Test(t, bubble)
		},
	}}, nil, nil)
	go time.Sleep(time.Hour)
	for begun.Load() < bubbles*inBubble {
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

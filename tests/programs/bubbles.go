// SPDX-License-Identifier: Apache-2.0

// Goroutines in bubbles of testing/synctest, in every state that can be held
// still; bubbles_answer.go has the rest.
package main

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const bubbles, inBubble = 2, 10

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
	answer(bubbles * inBubble)
}

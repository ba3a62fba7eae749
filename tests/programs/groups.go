// SPDX-License-Identifier: Apache-2.0

// Goroutines in groups of testing/synctest as Go 1.24 has it, with
// GOEXPERIMENT=synctest. It does as bubbles.go does.
package main

import (
	"sync"
	"testing/synctest"
	"time"
)

const groups, inGroup = 2, 7

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
	answer(groups * inGroup)
}

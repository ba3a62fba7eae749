// SPDX-License-Identifier: Apache-2.0

// Traces itself, with a reader that stops reading, so that buffers pile up. It
// reports as objects.go does: OtherSys, in which they are counted, before and
// while it traces. Each line of input ends the trace, if there is one, or begins
// another one.
package main

import (
	"bufio"
	"os"
	"runtime"
	"runtime/trace"
	"time"
)

var ms runtime.MemStats

// stuck takes the first bytes, and no more until it is let go.
type stuck struct {
	taken int
	free  chan bool
}

func (s *stuck) Write(p []byte) (int, error) {
	s.taken += len(p)
	if s.taken > 1000 {
		<-s.free
	}
	return len(p), nil
}

func otherSys() uint64 {
	runtime.ReadMemStats(&ms)
	return ms.OtherSys
}

func events(n int) {
	there, back := make(chan int), make(chan int)
	go func() {
		for i := range there {
			back <- i
		}
		close(back)
	}()
	for i := 0; i < n; i++ {
		there <- i
		<-back
	}
	close(there)
}

func main() {
	var s *stuck
	input := bufio.NewReaderSize(os.Stdin, 256)
	events(1000)
	before := otherSys()
	for {
		if s == nil {
			s = &stuck{free: make(chan bool)}
			if err := trace.Start(s); err != nil {
				panic(err)
			}
			events(100000)
		} else {
			close(s.free)
			trace.Stop()
			s = nil
		}
		time.Sleep(20 * time.Millisecond)
		println("before", before)
		println("OtherSys", otherSys())
		println("end", 0)
		if _, err := input.ReadString('\n'); err != nil {
			return
		}
	}
}

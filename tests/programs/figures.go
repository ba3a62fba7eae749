// SPDX-License-Identifier: Apache-2.0

// A Go process that tells all that it can tell of its memory. It takes its
// figures (runtime.MemStats, runtime/metrics) without allocating, says so, and
// waits, so that memwhy can read the same. Bytes on standard input:
//
//	r  take the figures, keeping those of the time before
//	p  print both, as lines of JSON: "old", "new", "metrics",
//	   their "histograms", and those that are times as of "earlier"
//	g  collect garbage
//	a  allocate, and leave garbage
//	s  allocate a little, of many sizes
//	f  queue ten finalizers, of which the first to run never ends
//	l  lock a goroutine to a thread, and have it wait
//	b  keep a processor busy
//
// Each is answered by the line `end 0`. What it does with runtime/metrics is in
// figures_metrics.go, and in figures_nometrics.go for releases before Go 1.16.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	_ "os/user" // with cgo enabled, this brings it in
	"runtime"
	"runtime/debug"
	"time"
)

type node struct {
	next  *node
	value [5]int
}

var (
	nodes    []*node
	buffers  [][]byte
	old, now runtime.MemStats
	sink     interface{}
	tiny     *byte
	blocked  = make(chan int)
)

func allocate() {
	for i := 0; i < 20000; i++ {
		n := &node{}
		if i%3 != 0 {
			nodes = append(nodes, n)
		}
		sink = i
		tiny = new(byte)
	}
	for i := 0; i < 300; i++ {
		buffers = append(buffers, make([]byte, 1+i*137))
	}
	for i := 0; i < 10; i++ {
		buffers = append(buffers, make([]byte, 40000+i*9000))
	}
}

func deep(depth int) int {
	var room [128]int
	room[depth%128] = depth
	if depth == 0 {
		<-blocked
		return 0
	}
	return deep(depth-1) + room[depth%128]
}

func take() {
	old = now
	keepMetrics()
	readMetrics()
	runtime.ReadMemStats(&now)
	readMetrics()
}

func finalizers() {
	for i := 0; i < 10; i++ {
		runtime.SetFinalizer(&node{}, func(*node) { <-blocked })
	}
	runtime.GC()
	runtime.GC()
}

func wait() {
	runtime.LockOSThread()
	<-blocked
}

func spin() {
	for i := 0; ; i++ {
		if i%1000000 == 0 {
			runtime.Gosched()
		}
	}
}

func line(name string, value interface{}) {
	text, _ := json.Marshal(value)
	os.Stderr.WriteString(name + " " + string(text) + "\n")
}

func print() {
	line("old", &old)
	line("new", &now)
	printMetrics()
}

func main() {
	prepareMetrics()
	allocate()
	for i := 0; i < 40; i++ {
		go deep(i * 10)
	}
	nodes = nodes[len(nodes)/2:]
	buffers = buffers[:len(buffers)-5]
	time.Sleep(10 * time.Millisecond)
	runtime.GC()
	debug.FreeOSMemory()
	allocate()
	take()
	input := bufio.NewReaderSize(os.Stdin, 16)
	for {
		println("end", 0)
		c, err := input.ReadByte()
		if err != nil {
			return
		}
		switch c {
		case 'r':
			take()
		case 'p':
			print()
		case 'g':
			runtime.GC()
		case 'a':
			allocate()
		case 's':
			for i := 1; i < 100; i++ {
				sink = make([]byte, 50*i)
				sink = make([]*byte, i)
			}
		case 'f':
			finalizers()
		case 'l':
			go wait()
			time.Sleep(10 * time.Millisecond)
		case 'b':
			go spin()
		}
	}
}

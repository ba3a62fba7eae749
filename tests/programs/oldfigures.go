// SPDX-License-Identifier: Apache-2.0

// What figures.go is, for releases of Go before runtime/metrics.
package main

import (
	"bufio"
	"encoding/json"
	"os"
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

func line(name string, value interface{}) {
	text, _ := json.Marshal(value)
	os.Stderr.WriteString(name + " " + string(text) + "\n")
}

func main() {
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
	runtime.ReadMemStats(&now)
	input := bufio.NewReaderSize(os.Stdin, 16)
	for {
		println("end", 0)
		c, err := input.ReadByte()
		if err != nil {
			return
		}
		switch c {
		case 'r':
			old = now
			runtime.ReadMemStats(&now)
		case 'p':
			line("old", &old)
			line("new", &now)
		case 'g':
			runtime.GC()
		case 'a':
			allocate()
		case 's':
			for i := 1; i < 100; i++ {
				sink = make([]byte, 50*i)
				sink = make([]*byte, i)
			}
		}
	}
}

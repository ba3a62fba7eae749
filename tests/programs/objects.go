// SPDX-License-Identifier: Apache-2.0

// A Go process with some of everything on its heap. It prints its own figures
// without allocating (println) and waits until standard input ends. After each
// line on standard input it prints them again.
package main

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

type node struct {
	next  *node
	value [5]int
}

type big struct {
	ptrs [200]*node
	data [300]int
}

var (
	nodes   []*node
	bigs    []*big
	buffers [][]byte
	texts   []string
	table   = map[int]*node{}
	any     []interface{}
	blocked = make(chan int)
	ms      runtime.MemStats
)

func deep(depth int) int {
	var room [128]int
	room[depth%128] = depth
	if depth == 0 {
		<-blocked
		return 0
	}
	return deep(depth-1) + room[depth%128]
}

func fill() {
	for i := 0; i < 20000; i++ {
		n := &node{value: [5]int{i, i, i, i, i}}
		if i%3 != 0 {
			nodes = append(nodes, n)
		}
		if i%20 == 0 {
			table[i] = n
		}
		any = append(any, i)
	}
	for i := 0; i < 300; i++ {
		bigs = append(bigs, &big{})
		buffers = append(buffers, make([]byte, 100+i*37))
		texts = append(texts, string(buffers[i]))
	}
	for i := 0; i < 20; i++ {
		large := make([]byte, 40000+i*9000)
		for k := range large {
			large[k] = byte(k)
		}
		buffers = append(buffers, large)
	}
	for i := 0; i < 50; i++ {
		n := &node{}
		runtime.SetFinalizer(n, func(*node) {})
		nodes = append(nodes, n)
	}
}

func report() {
	runtime.ReadMemStats(&ms)
	println("HeapAlloc", ms.HeapAlloc)
	println("HeapInuse", ms.HeapInuse)
	println("HeapIdle", ms.HeapIdle)
	println("HeapReleased", ms.HeapReleased)
	println("HeapSys", ms.HeapSys)
	println("StackInuse", ms.StackInuse)
	println("MSpanInuse", ms.MSpanInuse)
	println("MCacheInuse", ms.MCacheInuse)
	println("BuckHashSys", ms.BuckHashSys)
	println("NumGoroutine", runtime.NumGoroutine())
	println("pid", os.Getpid())
	println("end", 0)
}

func main() {
	fill()
	for i := 0; i < 40; i++ {
		go deep(i * 10)
	}
	// Some of it becomes garbage, which leaves holes and free pages.
	nodes = nodes[len(nodes)/2:]
	for i := 0; i < len(bigs); i += 2 {
		bigs[i] = nil
	}
	buffers = buffers[:len(buffers)-10]
	input := bufio.NewReaderSize(os.Stdin, 256)
	time.Sleep(10 * time.Millisecond)
	runtime.GC()
	debug.FreeOSMemory()
	report()
	for {
		_, err := input.ReadByte()
		if err != nil {
			return
		}
		report()
	}
}

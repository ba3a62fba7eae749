// SPDX-License-Identifier: Apache-2.0

// A Go process with much of what the runtime keeps outside the heap: a heap of
// several arenas, thousands of profile records, connections, finalizers, free
// pages, and Ps that are not used any more. It reports as objects.go does.
package main

import (
	"bufio"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

var (
	ms    runtime.MemStats
	large [][]byte
	small [][]byte
	conns []net.Conn
)

// spread allocates from many different stacks.
func spread(depth int, path uint) {
	if depth == 0 {
		small = append(small, make([]byte, 64+path%512))
		return
	}
	if path&1 == 0 {
		spread(depth-1, path>>1)
	} else {
		spread(depth-1, path>>1)
	}
}

func connect(count int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	for i := 0; i < count; i++ {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			panic(err)
		}
		other, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		conns = append(conns, conn, other)
	}
}

func fill() {
	for i := 0; i < 120; i++ {
		block := make([]byte, 1<<20)
		for k := 0; k < len(block); k += 4096 {
			block[k] = 1
		}
		large = append(large, block)
	}
	for i := uint(0); i < 8192; i++ {
		spread(13, i)
	}
	for i := 0; i < 2000; i++ {
		runtime.SetFinalizer(&[3]*int{}, func(*[3]*int) {})
	}
	connect(200)
	// Every other one becomes free pages.
	for i := 0; i < len(large); i += 2 {
		large[i] = nil
	}
}

func report() {
	runtime.ReadMemStats(&ms)
	println("HeapAlloc", ms.HeapAlloc)
	println("HeapInuse", ms.HeapInuse)
	println("HeapIdle", ms.HeapIdle)
	println("HeapReleased", ms.HeapReleased)
	println("StackInuse", ms.StackInuse)
	println("NumGoroutine", runtime.NumGoroutine())
	println("end", 0)
}

func main() {
	runtime.MemProfileRate = 1
	runtime.GOMAXPROCS(8)
	done := make(chan bool)
	for i := 0; i < 8; i++ {
		go func() {
			for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
				_ = make([]*int, 100)
			}
			done <- true
		}()
	}
	for i := 0; i < 8; i++ {
		<-done
	}
	fill()
	runtime.GOMAXPROCS(2)
	input := bufio.NewReaderSize(os.Stdin, 256)
	time.Sleep(50 * time.Millisecond)
	runtime.GC()
	if len(os.Args) > 1 {
		debug.FreeOSMemory()
	}
	report()
	for {
		if _, err := input.ReadByte(); err != nil {
			return
		}
		report()
	}
}

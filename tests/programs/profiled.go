// SPDX-License-Identifier: Apache-2.0

// Allocates at several places, and writes its own profiles into the folder
// that is its first argument; the second is MemProfileRate.
package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
)

type tree struct {
	left, right *tree
	payload     [10]uint64
}

var keep []interface{}

func build(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{left: build(depth - 1), right: build(depth - 1)}
}

func inlinedAllocation(n int) []byte { return make([]byte, n) }

func throughInlined(n int) []byte { return inlinedAllocation(n) }

//go:noinline
func buffers() {
	for i := 0; i < 3000; i++ {
		keep = append(keep, throughInlined(700+i%9))
	}
}

//go:noinline
func garbage() {
	for i := 0; i < 20000; i++ {
		var b bytes.Buffer
		b.WriteString(strings.Repeat("x", 300))
		if b.Len() == 1 {
			keep = append(keep, b)
		}
	}
}

//go:noinline
func maps() {
	m := map[string]int{}
	for i := 0; i < 20000; i++ {
		m[strconv.Itoa(i)] = i
	}
	keep = append(keep, m)
}

// shared allocates in functions that are generic since Go 1.24.
//
//go:noinline
func shared() {
	m := &sync.Map{}
	for i := 0; i < 500; i++ {
		m.Store(i, strconv.Itoa(i))
	}
	keep = append(keep, m)
}

//go:noinline
func waitHere(group *sync.WaitGroup, c chan int) {
	group.Done()
	<-c
}

//go:noinline
func waitThere(group *sync.WaitGroup, m *sync.Mutex) {
	group.Done()
	m.Lock()
}

func write(name string) {
	file, err := os.Create(filepath.Join(os.Args[1], name))
	if err != nil {
		panic(err)
	}
	if err := pprof.Lookup(name).WriteTo(file, 0); err != nil {
		panic(err)
	}
	file.Close()
}

func init() {
	// Before anything is allocated.
	rate, err := strconv.Atoi(os.Args[2])
	if err == nil && rate > 0 {
		runtime.MemProfileRate = rate
	}
}

func main() {
	var group sync.WaitGroup
	var mutex sync.Mutex
	mutex.Lock()
	c := make(chan int)
	group.Add(30)
	for i := 0; i < 20; i++ {
		go waitHere(&group, c)
		if i%2 == 0 {
			go waitThere(&group, &mutex)
		}
	}
	group.Wait()
	keep = append(keep, build(12))
	buffers()
	garbage()
	maps()
	shared()
	debug.SetGCPercent(-1)
	runtime.GC()
	runtime.GC()
	runtime.GC()
	write("goroutine")
	write("heap")
	println("rate", runtime.MemProfileRate)
	println("end", 0)
	var b [1]byte
	os.Stdin.Read(b[:])
	runtime.KeepAlive(keep)
}

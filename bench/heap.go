// SPDX-License-Identifier: Apache-2.0

// A Go process with a heap of many sizes: records that point to each other,
// strings, slices, maps and large buffers, all written to, some freed again.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

type record struct {
	left, right *record
	name        string
	data        []byte
	tags        map[int]string
}

func grow(r *rand.Rand, root **record, bytes int) {
	for used := 0; used < bytes; {
		size := 16 << uint(r.Intn(9)) // 16 B to 4 KiB
		if r.Intn(200) == 0 {
			size = 40 << 10
		}
		n := &record{
			name: fmt.Sprint("record ", used),
			data: make([]byte, size),
		}
		for i := range n.data {
			n.data[i] = byte(i)
		}
		if r.Intn(50) == 0 {
			n.tags = map[int]string{1: n.name, used: "x"}
		}
		used += size + 100
		if r.Intn(10) == 0 {
			continue // garbage
		}
		at := root
		for *at != nil {
			if r.Intn(2) == 0 {
				at = &(*at).left
			} else {
				at = &(*at).right
			}
		}
		*at = n
	}
}

// latency maps, touches and unmaps memory until told to stop, and prints the
// longest round in microseconds.
func latency(stop chan struct{}) {
	worst := time.Duration(0)
	for {
		select {
		case <-stop:
			fmt.Println("worst_us", worst.Microseconds())
			return
		default:
		}
		begin := time.Now()
		m, err := syscall.Mmap(-1, 0, 64<<10, syscall.PROT_READ|syscall.PROT_WRITE,
			syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			panic(err)
		}
		m[0] = 1
		syscall.Munmap(m)
		if d := time.Since(begin); d > worst {
			worst = d
		}
	}
}

// fragment leaves the given number of mappings.
func fragment(count int) {
	m, err := syscall.Mmap(-1, 0, count*8192, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	for i := 0; i < count; i += 2 {
		m[i*8192] = 1
		at := unsafe.Pointer(&m[i*8192])
		_, _, errno := syscall.Syscall(syscall.SYS_MPROTECT, uintptr(at), 8192, syscall.PROT_READ)
		if errno != 0 {
			panic(errno)
		}
	}
}

var root *record // a variable of the package, so that it stays alive

func main() {
	megabytes, _ := strconv.Atoi(os.Args[1])
	mappings, _ := strconv.Atoi(os.Args[2])
	r := rand.New(rand.NewSource(1))
	grow(r, &root, megabytes<<20)
	if mappings > 0 {
		fragment(mappings)
	}
	runtime.GC()
	fmt.Println("ready", os.Getpid())
	stop := make(chan struct{})
	var line string
	for {
		if _, err := fmt.Scanln(&line); err != nil {
			return
		}
		switch line {
		case "begin":
			go latency(stop)
		case "end":
			stop <- struct{}{}
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

// A Go process with a heap, all of it written to:
//
//	heap KIND MEGABYTES MAPPINGS
//
// KIND "small": records that point to each other, strings, slices and maps of
// 16 bytes to 40 KiB, some of them freed again; "large": buffers of 64 KiB to
// 1 MiB. MAPPINGS more mappings besides.
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

func growLarge(r *rand.Rand, bytes int) {
	for used := 0; used < bytes; {
		buffer := make([]byte, 64<<10<<uint(r.Intn(5)))
		for i := range buffer {
			buffer[i] = byte(i)
		}
		buffers = append(buffers, buffer)
		used += len(buffer)
	}
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

// write changes every page of the large buffers, over and over.
func write(stop chan struct{}) {
	for {
		for _, buffer := range buffers {
			for i := 0; i < len(buffer); i += 4096 {
				buffer[i]++
			}
			select {
			case <-stop:
				fmt.Println("rests")
				return
			default:
			}
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

// Variables of the package, so that they stay alive.
var (
	root    *record
	buffers [][]byte
)

func main() {
	megabytes, _ := strconv.Atoi(os.Args[2])
	mappings, _ := strconv.Atoi(os.Args[3])
	r := rand.New(rand.NewSource(1))
	if os.Args[1] == "large" {
		growLarge(r, megabytes<<20)
	} else {
		grow(r, &root, megabytes<<20)
	}
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
		case "write":
			go write(stop)
			fmt.Println("writes")
		case "end":
			stop <- struct{}{}
		}
	}
}

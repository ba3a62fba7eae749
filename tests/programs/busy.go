// SPDX-License-Identifier: Apache-2.0

// Goroutines that never rest: in plain loops, in recursion, on the runtime's
// stack (allocation, collection, growing stacks), in the vdso, in system
// calls, and interrupted by signals. With cgo in busycgo.go.
package main

import (
	"bufio"
	"os"
	"runtime"
	"sort"
	"syscall"
	"time"
)

type node struct {
	next *node
	room [100]int
}

var sink interface{}

//go:noinline
func recurse(depth int) int {
	var room [64]int
	room[depth%64] = depth
	if depth == 0 {
		return 0
	}
	return recurse(depth-1) + room[(depth+1)%64]
}

func spin() {
	for i := 0; ; i++ {
		if i%1000000 == 0 {
			runtime.Gosched()
		}
	}
}

func growAndShrink() {
	for i := 0; ; i++ {
		done := make(chan int)
		go func() { done <- recurse(100 + i%2000) }()
		<-done
	}
}

func allocate() {
	var list *node
	for i := 0; ; i++ {
		list = &node{next: list}
		if i%10000 == 0 {
			list = nil
		}
		sink = list
	}
}

func collect() {
	for {
		runtime.GC()
	}
}

func now() {
	for {
		sink = time.Now()
	}
}

func call() {
	fd, _ := syscall.Open("/dev/zero", syscall.O_RDONLY, 0)
	bytes := make([]byte, 4096)
	for {
		syscall.Read(fd, bytes)
	}
}

func order() {
	numbers := make([]int, 10000)
	for {
		for i := range numbers {
			numbers[i] = i * 7919 % 10007
		}
		sort.Slice(numbers, func(a, b int) bool {
			return numbers[a] < numbers[b]
		})
	}
}

func fault() {
	for {
		func() {
			defer func() { sink = recover() }()
			var n *node
			n.next = nil
		}()
	}
}

func main() {
	for _, f := range []func(){growAndShrink, allocate, collect, now, call,
		order, fault} {
		go f()
	}
	for i := 0; i < 2; i++ {
		go spin()
	}
	println("end 0")
	bufio.NewReader(os.Stdin).ReadString('\n')
}

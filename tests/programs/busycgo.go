// SPDX-License-Identifier: Apache-2.0

// Goroutines that are in C most of the time, and in Go that C calls.
package main

/*
#include <unistd.h>

extern void goBack(int);

static void spin(int n)
{
	for (volatile int i = 0; i < n; i++)
		;
}

static void back(int n)
{
	goBack(n);
}

static void rest(int fd)
{
	char byte;

	if (read(fd, &byte, 1) < 0)
		return;
}
*/
import "C"

import (
	"bufio"
	"os"
	"runtime"
	"syscall"
)

var never = make(chan int)

//go:noinline
func work(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		sum += i
	}
	return sum
}

//export goBack
func goBack(n C.int) {
	if n < 0 {
		<-never
	}
	work(int(n))
}

func inC() {
	for {
		C.spin(100000)
	}
}

func backAndForth() {
	for {
		C.back(10000)
	}
}

func blockedInGo() { C.back(-1) }
func blockedInC(fd int) { C.rest(C.int(fd)) }

func collect() {
	for {
		runtime.GC()
	}
}

func main() {
	var fds [2]int
	if syscall.Pipe(fds[:]) == nil {
		go blockedInC(fds[0])
	}
	go inC()
	go backAndForth()
	go blockedInGo()
	go collect()
	println("end 0")
	bufio.NewReader(os.Stdin).ReadString('\n')
}

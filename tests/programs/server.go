// SPDX-License-Identifier: Apache-2.0

// A web server with cgo that has looked up names with the C library, in several
// threads at a time; its address space is what people wonder about.
package main

/*
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_barrier_t barrier;

static void prepare(unsigned count)
{
	pthread_barrier_init(&barrier, NULL, count);
}

// All are in C at a time, so that each has a thread of its own; they stay there.
static void work(void)
{
	void *block;

	pthread_barrier_wait(&barrier);
	block = malloc(1000);
	memset(block, 1, 1000);
	fprintf(stderr, "block-of-%ld %p\n", syscall(SYS_gettid), block);
	pthread_barrier_wait(&barrier);
}

static void stay(void)
{
	pause();
}
*/
import "C"

import (
	"net"
	"net/http"
	"os"
	"runtime"
)

const threads = 4

func main() {
	done := make(chan bool)
	C.prepare(threads)
	for i := 0; i < threads; i++ {
		go func() {
			runtime.LockOSThread()
			C.work()
			net.LookupHost("localhost")
			done <- true
			C.stay()
		}()
	}
	for i := 0; i < threads; i++ {
		<-done
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("hello\n"))
	})
	go http.Serve(listener, nil)
	answer, err := http.Get("http://" + listener.Addr().String())
	if err != nil {
		panic(err)
	}
	answer.Body.Close()
	println("end", 0)
	var one [1]byte
	os.Stdin.Read(one[:])
}

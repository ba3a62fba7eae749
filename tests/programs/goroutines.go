// SPDX-License-Identifier: Apache-2.0

// Goroutines in every state that can be held still. After each line on
// standard input it writes what runtime.Stack says of all of them to the file
// named by its first argument, and reports NumGoroutine.
package main

import (
	"bufio"
	"io/ioutil"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

type worker struct {
	name string
	in   chan int
}

type waiter interface {
	wait(n int) int
}

var (
	never   = make(chan int)
	mutex   sync.Mutex
	rwmutex sync.RWMutex
	group   sync.WaitGroup
	cond    = sync.NewCond(&mutex)
	ready   sync.WaitGroup
	sink    int
	nothing *worker
)

func (w *worker) receive(n int) int { return <-w.in + n }
func (w worker) wait(n int) int     { return <-w.in + n }

// Small enough to be inlined, one in the other.
func outer(c chan int) int  { return middle(c) + 1 }
func middle(c chan int) int { return inner(c) * 2 }
func inner(c chan int) int  { c <- 1; return 3 }

//go:noinline
func recurse(depth int) int {
	var room [16]int
	room[depth%16] = depth
	if depth == 0 {
		<-never
		return 0
	}
	return recurse(depth-1) + room[(depth+1)%16]
}

//go:noinline
func dereference(w *worker) int { return len(w.name) }

func blockWhenPanicking() {
	defer func() {
		<-never
	}()
	dereference(nothing)
}

func blockInPanic(value interface{}) {
	defer func() {
		recover()
		select {}
	}()
	panic(value)
}

func readForever(file *os.File) {
	var bytes [1]byte
	file.Read(bytes[:])
}

func readInSyscall(fd int) {
	var bytes [1]byte
	syscall.Read(fd, bytes[:])
}

func locked() {
	runtime.LockOSThread()
	<-never
}

func selecting(a, b chan int) {
	select {
	case <-a:
	case b <- 1:
	}
}

func sleeping() { time.Sleep(time.Hour) }

func underMutex() {
	mutex.Lock()
	sink++
}

func underCond() {
	mutex2 := new(sync.Mutex)
	c := sync.NewCond(mutex2)
	mutex2.Lock()
	c.Wait()
}

func finalizer(w *worker) { <-never }

func start(f func()) {
	ready.Add(1)
	go func() {
		ready.Done()
		f()
	}()
}

func main() {
	w := &worker{"one", make(chan int)}
	var any waiter = *w
	mutex.Lock()
	rwmutex.Lock()
	group.Add(1)

	for i := 0; i < 20; i++ {
		go recurse(i * 2)
	}
	for i := 0; i < 5; i++ {
		start(func() { w.receive(i) })
		go w.receive(i)
		go any.wait(i)
		f := w.receive
		go f(1)
	}
	go outer(make(chan int))
	go inner(never2())
	go blockWhenPanicking()
	go blockInPanic("no")
	go locked()
	go selecting(make(chan int), make(chan int))
	go sleeping()
	go underMutex()
	go underCond()
	go rwmutex.RLock()
	go group.Wait()
	go func() { var c chan int; <-c }()
	go func() { func() { func() { <-never }() }() }()
	time.AfterFunc(time.Millisecond, func() { <-never })

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		go listener.Accept()
	}
	var fds [2]int
	if syscall.Pipe(fds[:]) == nil {
		go readInSyscall(fds[0])
	}
	if r, _, err := os.Pipe(); err == nil {
		go readForever(r)
	}
	runtime.SetFinalizer(&worker{name: "finalized"}, finalizer)
	ready.Wait()
	for i := 0; i < 3; i++ {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}

	in := bufio.NewReader(os.Stdin)
	for {
		println("NumGoroutine", runtime.NumGoroutine())
		println("end 0")
		if _, err := in.ReadString('\n'); err != nil {
			return
		}
		buffer := make([]byte, 1<<20)
		buffer = buffer[:runtime.Stack(buffer, true)]
		ioutil.WriteFile(os.Args[1], buffer, 0600)
	}
}

func never2() chan int { return make(chan int) }

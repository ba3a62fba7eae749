// SPDX-License-Identifier: Apache-2.0

// Goroutines with the labels of runtime/pprof; writes its own goroutine profile
// to the file that is its first argument.
package main

import (
	"bufio"
	"context"
	"os"
	"runtime/pprof"
	"strconv"
	"sync"
)

var (
	never   = make(chan int)
	started sync.WaitGroup
)

//go:noinline
func wait() {
	started.Done()
	<-never
}

type holder interface{ hold() }

// Inlined into the method of *one that the compiler makes, which is in no
// profile.
type one struct{ n [3]int }

func (o one) hold() { wait() }

//go:noinline
func hold(h holder) {
	h.hold()
	never <- 1
}

func work(ctx context.Context, n int) {
	pprof.Do(ctx, pprof.Labels("shard", strconv.Itoa(n%3)),
		func(context.Context) { wait() })
}

// More than a bucket of an old map holds.
func many() pprof.LabelSet {
	var list []string
	for i := 0; i < 20; i++ {
		list = append(list, "key"+strconv.Itoa(i), strconv.Itoa(i*i))
	}
	return pprof.Labels(list...)
}

func main() {
	started.Add(34)
	pprof.Do(context.Background(), pprof.Labels("job", "first \"one\""),
		func(ctx context.Context) {
			for i := 0; i < 30; i++ {
				go work(ctx, i)
			}
			go wait()
		})
	go wait()
	go hold(&one{})
	pprof.Do(context.Background(), many(), func(context.Context) {
		go wait()
	})
	started.Wait()
	file, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	pprof.Lookup("goroutine").WriteTo(file, 0)
	file.Close()
	println("end 0")
	bufio.NewReader(os.Stdin).ReadString('\n')
}

// SPDX-License-Identifier: Apache-2.0

// Goroutines that wait, or run, in functions whose arguments and variables are
// of many types, some inlined into others.
package main

import (
	"bufio"
	"os"
	"time"
)

type colour uint8

type point struct{ x, y int32 }

type node struct {
	name string
	next *node
	at   point
}

type shape interface{ area() float64 }

func (p point) area() float64 { return float64(p.x * p.y) }

var (
	never = make(chan int)
	sink  int
	stop  int
	keep  []interface{}
)

// As runtime.waitReasonStrings begins, which lies behind this.
var reasons = [...]string{"", "GC assist marking", "a", "b", "c", "d", "e"}

//go:noinline
func use(values ...interface{}) {
	keep = append(keep[:0], values...)
}

//go:noinline
func block() { <-never }

//go:noinline
func numbers(a int, b uint8, c int16, d float64, e bool, f complex128,
	g colour) (result int, err error) {
	local := a * 3
	small := int8(b) - 1
	block()
	use(a, b, c, d, e, f, g, local, small)
	return local, nil
}

//go:noinline
func texts(s string, bytes []byte, numbers []int32, empty []string,
	array [3]uint16) int {
	joined := s + "!"
	part := numbers[1:2]
	block()
	use(s, bytes, numbers, empty, array, joined, part)
	return len(joined)
}

//go:noinline
func pointers(n *node, none *node, p point, s shape, e error,
	any interface{}, m map[string]int, c chan int, f func(int) int) {
	last := n.next
	word := any.(string)
	block()
	use(n, none, p, s, e, any, m, c, f, last, word)
}

//go:noinline
func escapes(n int) *int {
	moved := n + 1
	counter := 0
	add := func() { counter += moved }
	add()
	block()
	use(&moved, &counter)
	return &moved
}

//go:noinline
func closure(n int) func(int) int {
	base := n * 2
	total := 100
	return func(more int) int {
		total += more
		block()
		return base + total + more
	}
}

// Small enough to be inlined, one in the other.
func outer(a int) int {
	b := a + 1
	return middle(b) + b
}

func middle(c int) int {
	d := c * 2
	return inner(d) + d
}

func inner(e int) int {
	f := e + 5
	block()
	return f + e
}

//go:noinline
func callsInlined(seed int) {
	sum := outer(seed)
	use(sum, seed)
}

//go:noinline
func scopes(n int) {
	x := n
	for i := 0; i < 2; i++ {
		x := x + 10*i
		if i == 1 {
			y := [4]int{x, i}
			block()
			use(&y, x)
		}
		use(x)
	}
	later := [4]int{n, n}
	use(&later, x)
}

//go:noinline
func (n *node) method(depth int) int {
	if depth == 0 {
		block()
		return len(n.name)
	}
	return n.method(depth-1) + depth
}

//go:noinline
func large(p [100]int64, s [2]node) {
	p[1]++
	block()
	use(p, s)
}

//go:noinline
func n() int { return sink }

// It runs, so that its variables are in registers.
//
//go:noinline
func spin(limit, step int) int {
	count := 0
	for i := limit; stop == 0; i += step {
		if i > 1<<40 {
			i = limit
		}
		count = i ^ step
	}
	return count
}

func main() {
	second := &node{"second", nil, point{3, 4}}
	first := &node{"first", second, point{1, 2}}
	go numbers(-42, 200, -300, 2.5, true, complex(1, -2), 7)
	go texts("some text", []byte("bytes"), []int32{5, -6, 7}, nil,
		[3]uint16{1, 2, 65535})
	go pointers(first, nil, point{-5, 6}, point{7, 8}, nil, "dynamic",
		map[string]int{"a": 1, "b": 2}, make(chan int, 3), closure(1))
	go escapes(len(reasons[n()]) + 10)
	go closure(21)(4)
	go callsInlined(3)
	go scopes(5)
	go first.method(3)
	go large([100]int64{1, 2, 3}, [2]node{*first, *second})
	if len(os.Args) > 1 {
		go spin(1000, 3)
	}
	time.Sleep(50 * time.Millisecond)
	in := bufio.NewReader(os.Stdin)
	for {
		println("end 0")
		if _, err := in.ReadString('\n'); err != nil {
			return
		}
	}
}

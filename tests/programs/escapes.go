// SPDX-License-Identifier: Apache-2.0

// Each line allocates in one way, if it does. The compiler is asked which do.
package main

import (
	"fmt"
	"os"
)

type point struct {
	x, y int
}

type node struct {
	next *node
	data [100]int
}

type shape interface {
	area() int
}

func (p point) area() int { return p.x * p.y }

var sink struct {
	point   *point
	node    *node
	number  *int
	ints    []int
	nodes   []*node
	bytes   []byte
	runes   []rune
	text    string
	table   map[string]int
	large   map[int]point
	channel chan point
	any     interface{}
	shape   shape
	f       func() int
	array   *[2000]int
}

//go:noinline
func newPoint() {
	sink.point = new(point)
}

//go:noinline
func literalPoint(x int) {
	sink.point = &point{x, 2}
}

//go:noinline
func newNode() {
	sink.node = new(node)
}

//go:noinline
func movedNumber() {
	number := 3
	sink.number = &number
}

//go:noinline
func staysHere() int {
	p := &point{1, 2}
	n := new(int)
	return p.x + *n
}

//go:noinline
func makeInts() {
	sink.ints = make([]int, 3, 10)
}

//go:noinline
func makeSomeInts(n int) {
	sink.ints = make([]int, n)
}

//go:noinline
func makeNodes(n int) {
	sink.nodes = make([]*node, 0, n)
}

//go:noinline
func appendInt(x int) {
	sink.ints = append(sink.ints, x)
}

//go:noinline
func makeTable(n int) {
	sink.table = make(map[string]int, n)
}

//go:noinline
func setTable(key string) {
	sink.table[key] = 1
}

//go:noinline
func setLarge(key int) {
	sink.large[key] = point{}
}

//go:noinline
func makeChannel(n int) {
	sink.channel = make(chan point, n)
}

//go:noinline
func concatenate(a, b string) {
	sink.text = a + b
}

//go:noinline
func toBytes(text string) {
	sink.bytes = []byte(text)
}

//go:noinline
func toText(bytes []byte) {
	sink.text = string(bytes)
}

//go:noinline
func toRunes(text string) {
	sink.runes = []rune(text)
}

//go:noinline
func fromRunes(runes []rune) {
	sink.text = string(runes)
}

//go:noinline
func pointToAny(p point) {
	sink.any = p
}

//go:noinline
func pointToShape(p point) {
	sink.shape = p
}

//go:noinline
func numberToAny(n int) {
	sink.any = n
}

//go:noinline
func textToAny(text string) {
	sink.any = text
}

//go:noinline
func bytesToAny(bytes []byte) {
	sink.any = bytes
}

//go:noinline
func closure(n int) {
	sink.f = func() int { return n }
}

//go:noinline
func largeArray() {
	sink.array = new([2000]int)
}

func main() {
	n := len(os.Args)
	text := fmt.Sprint(n)
	newPoint()
	literalPoint(n)
	newNode()
	movedNumber()
	makeInts()
	makeSomeInts(n)
	makeNodes(n)
	appendInt(n)
	makeTable(n)
	setTable(text)
	sink.large = map[int]point{}
	setLarge(n)
	makeChannel(n)
	concatenate(text, text)
	toBytes(text)
	toText(sink.bytes)
	toRunes(text)
	fromRunes(sink.runes)
	pointToAny(point{n, n})
	pointToShape(point{n, n})
	numberToAny(n + 1000)
	textToAny(text)
	bytesToAny(sink.bytes)
	closure(n)
	largeArray()
	fmt.Println(staysHere(), sink.f(), sink.shape.area())
}

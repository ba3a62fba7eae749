// SPDX-License-Identifier: Apache-2.0

// Variables of many types, in .data and in .bss, whose values change when the
// program runs. It reports that it is ready and waits for its input to end.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

type point struct {
	x, y int
}

type celsius float64

type named string

var fooVar = "foo, as the file has it"
var barVar string

var (
	numberVar   = 42
	negativeVar int8
	unsignedVar uint16
	boolVar     bool
	floatVar    float64
	degreesVar  celsius
	namedVar    named
	structVar   point
	arrayVar    [3]int32
	bytesVar    []byte
	sliceVar    []int
	stringsVar  []string
	nilVar      []int
	pointerVar  *point
	mapVar      map[string]int
	chanVar     chan int
	funcVar     func()
	emptyVar    interface{}
	numberIface interface{}
	textIface   interface{}
	errorVar    error
	structIface interface{}
	holderIface interface{}
	arrayIface  interface{}
	longVar     string
	runesVar    string
	complexVar  complex128
)

// What an interface holds that is no single value.
type record struct {
	flag bool
	point
	name  string
	next  *point
	list  []int8
	raw   []byte
	any   interface{}
	err   error
	big   [2]uint16
	ratio complex64
	table map[string]int
	none  interface{}
	hi    struct{ lo float32 }
}

// One pointer: the interface holds it itself.
type holder struct{ p *point }

func greet() { fmt.Fprintln(os.Stderr, "hello") }

func main() {
	barVar = strings.Repeat("bar", 3)
	fooVar = fooVar[:3] + "-" + barVar
	numberVar += len(os.Args)
	negativeVar = -7
	unsignedVar = 65535
	boolVar = true
	floatVar = 1.5
	degreesVar = -40.25
	namedVar = named("n" + barVar)
	structVar = point{3, -4}
	arrayVar = [3]int32{1, 2, -3}
	bytesVar = []byte("raw " + barVar)
	sliceVar = append(make([]int, 0, 8), 5, 6, 7)
	stringsVar = []string{"a", barVar}
	pointerVar = &point{8, 9}
	mapVar = map[string]int{"a": 1, "b": 2}
	chanVar = make(chan int, 4)
	chanVar <- 1
	funcVar = greet
	numberIface = numberVar
	textIface = barVar + "!"
	errorVar = errors.New(barVar)
	structIface = record{true, point{3, -4}, "r" + barVar, &point{5, 6},
		append(make([]int8, 0, 4), 1, -2), []byte("raw"), degreesVar,
		errorVar, [2]uint16{1, 65535}, complex(1, -2), mapVar, nil,
		struct{ lo float32 }{0.5}}
	holderIface = holder{&point{7, 8}}
	arrayIface = [3]string{"a", barVar, ""}
	longVar = strings.Repeat("0123456789", 100)
	runesVar = "grüße\n\"☃\"" + barVar[:1]
	complexVar = complex(1, -2)
	fmt.Fprintln(os.Stderr, "number", numberVar)
	fmt.Fprintln(os.Stderr, "end 0")
	var line string
	fmt.Scanln(&line)
	// All are in use until here.
	greet()
	fmt.Println(fooVar, barVar, negativeVar, unsignedVar, boolVar, floatVar,
		degreesVar, namedVar, structVar, arrayVar, bytesVar, sliceVar,
		stringsVar, nilVar, pointerVar, mapVar, chanVar, funcVar != nil,
		emptyVar, numberIface, textIface, errorVar, longVar, runesVar,
		complexVar, structIface, holderIface, arrayIface)
}

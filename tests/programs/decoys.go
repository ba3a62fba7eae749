// SPDX-License-Identifier: Apache-2.0

// A Go process whose data has strings that look like a Go release, but are not
// the one it was built with.
package main

import (
	"bufio"
	"os"
	"runtime"
)

var (
	newest   = "go1.99.1"
	other    = "go1.10.8"
	released = "go1.26.8"
	gone     = "devel +0123456789"
	kept     = []*string{&newest, &other, &released, &gone}
)

func main() {
	println("decoys", len(kept), *kept[len(os.Args)%len(kept)])
	println("version", runtime.Version())
	println("end", 0)
	bufio.NewReader(os.Stdin).ReadByte()
}

// SPDX-License-Identifier: Apache-2.0

// A Go program that runs what a plugin has: its path is the argument.
package main

import (
	"os"
	"plugin"
)

func main() {
	p, err := plugin.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	f, err := p.Lookup("Figures")
	if err != nil {
		panic(err)
	}
	f.(func())()
}

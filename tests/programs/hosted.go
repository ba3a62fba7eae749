// SPDX-License-Identifier: Apache-2.0

// With figures.go: what a program calls that has it as a C library or as a
// plugin.
package main

import "C"

//export Figures
func Figures() { main() }

// SPDX-License-Identifier: Apache-2.0

// A Go process whose C part has constants that look like the head of a line
// table. Linked externally as a PIE it has no section of its own for the true
// one, which lies in a later segment.
package main

/*
// 0, 1 byte an instruction at least, 8 bytes a pointer; 88 functions
const unsigned long long line_tables[] = {
	0x0801000000000000, 88, 0, 0x0801000000000000, 650,
};

static unsigned long long line_table(int i) {
	const volatile unsigned long long *at = line_tables;

	return at[i];
}
*/
import "C"

import (
	"bufio"
	"os"
)

func main() {
	println("table", uint64(C.line_table(1)))
	println("end", 0)
	bufio.NewReader(os.Stdin).ReadByte()
}

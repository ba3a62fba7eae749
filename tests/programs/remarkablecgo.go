// SPDX-License-Identifier: Apache-2.0

// A Go program that holds memory of C: 32 MiB, or with an argument 1 MiB.
package main

/*
#include <stdlib.h>
#include <string.h>

static void hold(size_t count)
{
	while (count-- > 0)
		memset(malloc(1000), 1, 1000);
}
*/
import "C"

import "os"

func main() {
	count := 32768
	if len(os.Args) > 1 {
		count = 100
	}
	C.hold(C.size_t(count))
	println("end", 0)
	var one [1]byte
	os.Stdin.Read(one[:])
}

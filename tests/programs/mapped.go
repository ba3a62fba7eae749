// SPDX-License-Identifier: Apache-2.0

// A Go process that maps memory by itself, now and then between what its
// runtime maps, where the kernel joins the two.
package main

import (
	"bufio"
	"os"
	"syscall"
)

const size = 3 << 20

var (
	maps [][]byte
	keep [][]byte
)

func main() {
	for i := 0; i < 16; i++ {
		block, err := syscall.Mmap(-1, 0, size+i*4096,
			syscall.PROT_READ|syscall.PROT_WRITE,
			syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			panic(err)
		}
		for k := 0; k < len(block); k += 4096 {
			block[k] = 1
		}
		maps = append(maps, block)
		// More mspans, so that the runtime maps memory, too.
		for k := 0; k < 1500; k++ {
			keep = append(keep, make([]byte, 9000))
		}
	}
	total := 0
	for _, block := range maps {
		total += len(block)
	}
	println("mapped", total)
	println("end", 0)
	bufio.NewReader(os.Stdin).ReadByte()
}

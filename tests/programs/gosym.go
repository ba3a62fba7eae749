// SPDX-License-Identifier: Apache-2.0

// Prints what the package debug/gosym says of the Go program in a file: entry,
// end and name of each function; the line "lines"; then file:line of each
// address, in hexadecimal, on standard input.
package main

import (
	"bufio"
	"debug/elf"
	"debug/gosym"
	"fmt"
	"os"
	"strconv"
)

func section(file *elf.File, names ...string) *elf.Section {
	for _, name := range names {
		if s := file.Section(name); s != nil {
			return s
		}
	}
	panic("no section " + names[0])
}

func main() {
	file, err := elf.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	data, err := section(file, ".gopclntab", ".data.rel.ro.gopclntab").Data()
	if err != nil {
		panic(err)
	}
	lines := gosym.NewLineTable(data, section(file, ".text").Addr)
	table, err := gosym.NewTable(nil, lines)
	if err != nil {
		panic(err)
	}
	out := bufio.NewWriter(os.Stdout)
	for _, f := range table.Funcs {
		fmt.Fprintf(out, "%x %x %s\n", f.Entry, f.End, f.Name)
	}
	fmt.Fprintln(out, "lines")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		pc, err := strconv.ParseUint(in.Text(), 16, 64)
		if err != nil {
			panic(err)
		}
		place, line, _ := table.PCToLine(pc)
		fmt.Fprintf(out, "%s:%d\n", place, line)
	}
	out.Flush()
}

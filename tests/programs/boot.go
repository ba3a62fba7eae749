// SPDX-License-Identifier: Apache-2.0

// A program that is looked at while it starts. It prints its arguments and its
// input; with "wait", it waits for SIGTERM and ends with status 3, with "exit",
// it ends before its main begins.
package main

import (
	"fmt"
	"io/ioutil"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

var table = make([]int, 1<<20)

func init() {
	for i := range table {
		table[i] = i
	}
}

func init() {
	if len(os.Args) > 1 && os.Args[1] == "exit" {
		os.Exit(5)
	}
}

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	output, err := exec.Command("/bin/echo", "child").Output()
	fmt.Printf("%s %v %s", strings.Join(os.Args[1:], ","), err, output)
	if len(os.Args) > 1 && os.Args[1] == "wait" {
		fmt.Println(os.Getpid())
		<-signals
		os.Exit(3)
	}
	input, _ := ioutil.ReadAll(os.Stdin)
	fmt.Printf("%s %d\n", input, table[len(table)-1])
	fmt.Fprintln(os.Stderr, "error")
}

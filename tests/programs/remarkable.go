// SPDX-License-Identifier: Apache-2.0

// A Go program with one remarkable thing about its memory, by its argument.
// Some cases read a second argument, which makes it unremarkable.
package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

const mib = 1 << 20

var (
	keep   [][]byte
	slices [][]*int
	block  = make(chan bool)
)

func touch(bytes int) []byte {
	b := make([]byte, bytes)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	return b
}

// idle frees 64 MiB; with give, all of it goes back to the kernel. It stops
// itself in the end, so that the scavenger does not go on meanwhile.
func idle(give bool) {
	// FreeOSMemory leaves some MiB now and then, as the runtime itself says,
	// and leaves them when it is called again.
	for round := 0; round < 100; round++ {
		for i := 0; i < 64; i++ {
			keep = append(keep, touch(mib))
		}
		keep = nil
		runtime.GC()
		if !give {
			return
		}
		debug.FreeOSMemory()
		var ms runtime.MemStats
		runtime.ReadMemStats(&ms)
		if ms.HeapIdle-ms.HeapReleased < mib {
			return
		}
	}
}

// lazy gives 64 MiB back; with MADV_FREE, as the environment says.
func lazy(bool) {
	idle(true)
}

// lazybeside does so beside 128 MiB on huge pages, which are not the heap's.
func lazybeside(bool) {
	b, err := syscall.Mmap(-1, 0, 128*mib, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	syscall.Madvise(b, 14) // MADV_HUGEPAGE
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	idle(true)
}

// refilled gives half of 64 MiB back, and has the kernel fill them
// up to huge pages, as khugepaged does by and by; or not.
func refilled(give bool) {
	for i := 0; i < 64; i++ {
		keep = append(keep, touch(mib))
	}
	lo, hi := ^uintptr(0), uintptr(0)
	for i := range keep {
		at := uintptr(unsafe.Pointer(&keep[i][0]))
		if at < lo {
			lo = at
		}
		if at+mib > hi {
			hi = at + mib
		}
		if i%2 != 0 {
			keep[i] = nil
		}
	}
	debug.FreeOSMemory()
	for at := (lo + 2*mib - 1) &^ (2*mib - 1); !give && at+2*mib <= hi; at += 2 * mib {
		const collapse = 25 // MADV_COLLAPSE
		// It fails while a page is in some list of the kernel's.
		for try := 0; try < 200; try++ {
			_, _, err := syscall.Syscall(syscall.SYS_MADVISE, at, 2*mib, collapse)
			if err != syscall.EAGAIN {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// holes leaves one small object of 128 on each page; or all.
func holes(full bool) {
	var all [][]byte
	for i := 0; i < 1<<19; i++ {
		all = append(all, make([]byte, 64))
		all[i][0] = 1
	}
	for i := range all {
		if full || i%128 == 0 {
			keep = append(keep, all[i])
		}
	}
	all = nil
	runtime.GC()
	debug.FreeOSMemory()
}

// headroom allocates 48 MiB over 32 that are alive; with collected, these are
// found dead.
func headroom(collected bool) {
	debug.SetGCPercent(400)
	for i := 0; i < 32; i++ {
		keep = append(keep, touch(mib))
	}
	runtime.GC()
	for i := 0; i < 48; i++ {
		slices = append(slices[:0], make([]*int, 1))
		_ = touch(mib)
	}
	if collected {
		debug.FreeOSMemory()
	}
}

// off switches the collector off.
func off(on bool) {
	if !on {
		debug.SetGCPercent(-1)
	}
	for i := 0; i < 48; i++ {
		touch(mib)
	}
	if on {
		debug.FreeOSMemory()
	}
}

//go:noinline
func deep(depth int) int {
	var room [512]byte
	room[depth&511] = byte(depth)
	if depth == 0 {
		return int(room[0])
	}
	return deep(depth-1) + int(room[depth&511])
}

// stacks has 200 goroutines that have been deep once; or never.
func stacks(shallow bool) {
	debug.SetGCPercent(-1) // a collection would shrink them
	ready := make(chan bool)
	for i := 0; i < 200; i++ {
		go func() {
			if !shallow {
				deep(300)
			}
			ready <- true
			<-block
		}()
	}
	for i := 0; i < 200; i++ {
		<-ready
	}
}

func leak(ready chan bool) {
	ready <- true
	<-block
}

// goroutines has many that wait; or a few.
func goroutines(few bool) {
	ready := make(chan bool)
	count := 20000
	if few {
		count = 100
	}
	for i := 0; i < count; i++ {
		go leak(ready)
	}
	for i := 0; i < count; i++ {
		<-ready
	}
}

// dead has had many.
func dead(few bool) {
	goroutines(few)
	close(block)
	for runtime.NumGoroutine() > 1 {
		time.Sleep(time.Millisecond)
	}
	runtime.GC()
	debug.FreeOSMemory()
}

// mapped maps 32 MiB by itself; or touches none of it.
func mapped(untouched bool) {
	b, err := syscall.Mmap(-1, 0, 32*mib, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	for i := 0; !untouched && i < len(b); i += 4096 {
		b[i] = 1
	}
	keep = append(keep, b)
}

// zeroed allocates 64 MiB for pointers and uses none of them; or all.
func zeroed(used bool) {
	for i := 0; i < 64; i++ {
		s := make([]*int, mib/8)
		for k := 0; used && k < len(s); k += 512 {
			s[k] = new(int)
		}
		slices = append(slices, s)
	}
}

// spread allocates from many stacks.
//
//go:noinline
func spread(depth int, path uint64) {
	if depth == 0 {
		keep = append(keep, make([]byte, 16))
		return
	}
	switch path & 3 {
	case 0:
		spread(depth-1, path>>2)
	case 1:
		spread(depth-1, path>>2)
	case 2:
		spread(depth-1, path>>2)
	default:
		spread(depth-1, path>>2)
	}
}

// profile takes a record for each of 16384 stacks; or of few.
func profile(few bool) {
	runtime.MemProfileRate = 1
	for i := uint64(0); i < 16384; i++ {
		path := i
		if few {
			path = 0
		}
		spread(24, path)
	}
	runtime.MemProfileRate = 0
}

// metadata has had 40000 spans of an object each; or a few.
func metadata(few bool) {
	count := 40000
	if few {
		count = 400
	}
	for i := 0; i < count; i++ {
		// With the header that some releases need, 8 KiB.
		slices = append(slices, make([]*int, 1023))
	}
	slices = nil
	runtime.GC()
	debug.FreeOSMemory()
}

// ballast holds 512 MiB that it never touches; or 1.
func ballast(small bool) {
	size := 512 * mib
	if small {
		size = mib
	}
	keep = append(keep, make([]byte, size))
	runtime.GC()
}

// threads keeps 200 goroutines in system calls at a time, and then none.
func threads(few bool) {
	count := 200
	if few {
		count = 10
	}
	done := make(chan bool)
	pipes := make([][2]int, count)
	for i := range pipes {
		if err := syscall.Pipe(pipes[i][:]); err != nil {
			panic(err)
		}
		go func(fd int) {
			var one [1]byte
			syscall.Read(fd, one[:])
			done <- true
		}(pipes[i][0])
	}
	for {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil || len(tasks) >= count {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for _, pipe := range pipes {
		syscall.Write(pipe[1], []byte{1})
	}
	for i := 0; i < count; i++ {
		<-done
	}
}

// limit has 48 MiB alive, and the environment has GOMEMLIMIT.
func limit(bool) {
	for i := 0; i < 48; i++ {
		keep = append(keep, touch(mib))
	}
	runtime.GC()
}

func main() {
	cases := map[string]func(bool){
		"idle": idle, "lazy": lazy, "lazybeside": lazybeside,
		"refilled": refilled, "holes": holes,
		"headroom": headroom, "off": off, "stacks": stacks,
		"goroutines": goroutines, "dead": dead, "mapped": mapped,
		"zeroed": zeroed, "profile": profile, "threads": threads,
		"limit": limit, "metadata": metadata, "ballast": ballast, "none": func(bool) {},
	}
	if os.Args[1] != "profile" {
		runtime.MemProfileRate = 0
	}
	cases[os.Args[1]](len(os.Args) > 2)
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	println("released", strconv.FormatUint(ms.HeapReleased, 10))
	println("end", 0)
	if os.Args[1] == "idle" {
		syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	}
	var one [1]byte
	os.Stdin.Read(one[:])
	runtime.KeepAlive(keep)
	runtime.KeepAlive(slices)
}

// SPDX-License-Identifier: Apache-2.0

// Calls that allocate where several ways meet, and what they are given was put
// in a register before. Each type has a size of its own.
package main

import "os"

type small struct{ s *string }

type large struct {
	next *large
	data [5]int
}

type result struct {
	a, b *string
	l, m *large
	s    *small
}

func text(v interface{}) *string {
	if v == nil {
		return nil
	}
	s, ok := v.(string)
	if !ok {
		return new(string)
	}
	return &s
}

func list(v interface{}) *large {
	if v == nil {
		return nil
	}
	l, ok := v.(large)
	if !ok {
		return new(large)
	}
	return &l
}

//go:noinline
func fill(r *result, m map[string]interface{}) {
	r.a = text(m["a"])
	r.l = list(m["l"])
	r.b = text(m["b"])
	r.m = list(m["m"])
	r.s = &small{r.a}
}

//go:noinline
func choose(r *result, i int) {
	switch i {
	case 0:
		r.l = new(large)
	case 1:
		r.a = new(string)
	case 2:
	case 3:
		r.s = &small{r.a}
	case 4:
		r.m = &large{next: r.l}
	case 5:
		r.b = r.a
		fallthrough
	case 6:
		r.a = new(string)
	case 7:
		r.l = r.m
	case 8:
		r.s = new(small)
	}
}

//go:noinline
func again(r *result, n int) {
	for i := 0; i < n; i++ {
		if i&1 == 0 {
			r.l = &large{next: r.l}
		} else {
			r.s = &small{r.b}
		}
	}
}

func main() {
	var r result

	for _, v := range []interface{}{"text", 1, nil, large{}} {
		fill(&r, map[string]interface{}{"a": v, "l": v, "b": v, "m": v})
	}
	for i := 0; i < 10; i++ {
		choose(&r, i)
	}
	again(&r, 4)
	if r.l == nil {
		os.Exit(1)
	}
}

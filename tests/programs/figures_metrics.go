// SPDX-License-Identifier: Apache-2.0

// What figures.go does with runtime/metrics, which Go has since 1.16.
package main

import (
	"math"
	"runtime/metrics"
)

var (
	samples []metrics.Sample
	earlier []metrics.Sample // whose histograms are those of samples
)

func prepareMetrics() {
	for _, d := range metrics.All() {
		samples = append(samples, metrics.Sample{Name: d.Name})
	}
	earlier = make([]metrics.Sample, len(samples))
}

func keepMetrics() { copy(earlier, samples) }

func readMetrics() { metrics.Read(samples) }

// bound is a bucket's, which JSON cannot write when it is infinite.
func bound(x float64) interface{} {
	if math.IsInf(x, 0) {
		return nil
	}
	return x
}

// filled has the buckets of a histogram that hold samples, and how many all do.
func filled(h *metrics.Float64Histogram) (list []interface{}, sum uint64) {
	for i, c := range h.Counts {
		sum += c
		if c > 0 {
			list = append(list, map[string]interface{}{
				"from":  bound(h.Buckets[i]),
				"below": bound(h.Buckets[i+1]), "count": c})
		}
	}
	return
}

func printMetrics() {
	values := map[string]interface{}{}
	histograms := map[string]interface{}{}
	for _, s := range samples {
		switch s.Value.Kind() {
		case metrics.KindUint64:
			values[s.Name] = s.Value.Uint64()
		case metrics.KindFloat64:
			values[s.Name] = s.Value.Float64()
		case metrics.KindFloat64Histogram:
			histograms[s.Name], values[s.Name] =
				filled(s.Value.Float64Histogram())
		}
	}
	line("metrics", values)
	line("histograms", histograms)
	times := map[string]float64{}
	for _, s := range earlier {
		if s.Value.Kind() == metrics.KindFloat64 {
			times[s.Name] = s.Value.Float64()
		}
	}
	line("earlier", times)
}

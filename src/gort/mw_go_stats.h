/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GO_STATS_H
#define MW_GO_STATS_H

#include "mw_gort.h"
#include "mw_vec.h"

/*
 * What a Go program could say about its memory itself (runtime.MemStats,
 * runtime/metrics), worked out from outside as its runtime would, with that
 * runtime's own counters.
 *
 * A live target may allocate while it is read. The counters that belong
 * together are read again and again until they stand still for one reading;
 * where they never do, is_consistent is false: each figure is then right by
 * itself, for a moment some microseconds from that of the next.
 */

/** The fields of runtime.MemStats that are one number each. */
#define MW_GO_STATS_LIST(X)                                               \
	X(Alloc, BYTES) X(TotalAlloc, BYTES) X(Sys, BYTES)                \
	X(Lookups, COUNT) X(Mallocs, COUNT) X(Frees, COUNT)               \
	X(HeapAlloc, BYTES) X(HeapSys, BYTES) X(HeapIdle, BYTES)          \
	X(HeapInuse, BYTES) X(HeapReleased, BYTES) X(HeapObjects, COUNT)  \
	X(StackInuse, BYTES) X(StackSys, BYTES) X(MSpanInuse, BYTES)      \
	X(MSpanSys, BYTES) X(MCacheInuse, BYTES) X(MCacheSys, BYTES)      \
	X(BuckHashSys, BYTES) X(GCSys, BYTES) X(OtherSys, BYTES)          \
	X(NextGC, BYTES) X(LastGC, NS) X(PauseTotalNs, NS)                \
	X(NumGC, COUNT) X(NumForcedGC, COUNT) X(GCCPUFraction, REAL)      \
	X(EnableGC, BOOL) X(DebugGC, BOOL)

enum mw_go_stat {
#define MW_GO_STAT(name, unit) MW_GO_STAT_##name,
	MW_GO_STATS_LIST(MW_GO_STAT)
#undef MW_GO_STAT
	MW_GO_STATS,
};

enum mw_go_unit {
	MW_GO_UNIT_BYTES,
	MW_GO_UNIT_COUNT,
	MW_GO_UNIT_NS, /* LastGC and PauseEnd: since 1970 */
	MW_GO_UNIT_REAL,
	MW_GO_UNIT_BOOL,
	MW_GO_UNIT_TEXT,
};

/** One figure. */
struct mw_go_figure {
	const char *name; /* static */
	enum mw_go_unit unit;
	bool is_known;
	uint64_t value;
	double real; /* with MW_GO_UNIT_REAL */
	const char *text; /* with MW_GO_UNIT_TEXT; static */
	const char *note; /* why it is not known, or how; NULL: nothing to say */
	/* Of a histogram, the value is the number of samples, and there are: */
	bool is_histogram;
	size_t first_bucket, bucket_count; /* in mw_go_memstats.buckets */
};

/** What of a histogram's samples is at least @from, and less than @below. */
struct mw_go_bucket {
	double from, below; /* -INFINITY and INFINITY at the ends */
	uint64_t count; /* never 0 */
};

#define MW_GO_PAUSES 256
#define MW_GO_MAX_CLASSES 128
/** How many of its size classes runtime.MemStats tells. */
#define MW_GO_BY_SIZE 61

struct mw_go_memstats {
	struct mw_go_figure figures[MW_GO_STATS];
	bool has_pauses;
	uint64_t pause_ns[MW_GO_PAUSES], pause_end[MW_GO_PAUSES];
	/* Size classes; 0 when their sizes were not found. */
	size_t classes;
	struct {
		uint64_t bytes, mallocs, frees;
	} by_size[MW_GO_MAX_CLASSES];
	/* runtime/metrics, those of this release, in alphabetical order */
	MW_VEC(struct mw_go_figure) metrics;
	MW_VEC(struct mw_go_bucket) buckets; /* of all histograms in them */
	bool is_consistent;
	unsigned tries; /* readings that it took */
	const char *doubt; /* what contradicts the figures; NULL: nothing */
};

/**
 * Read them all.
 *
 * Errors: MW_E_UNSUPPORTED when the counters cannot be found.
 * Cost:   some 10 KiB read for each of the program's Ps, whatever the heap.
 */
MW_MUST_USE struct mw_error *mw_go_memstats_read(struct mw_go *go,
						 struct mw_go_memstats *ret);
void mw_go_memstats_free(struct mw_go_memstats *stats);

#endif

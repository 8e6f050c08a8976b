package stats

import (
	"math/bits"
	"sync/atomic"
)

// Counts are those of the buckets of a Histogram.
type Counts [histogramSize]int64

// Histogram counts durations from 1 ns to about a second, with an error below 1 in 128, as Redis's does: the buckets of an
// HdrHistogram with two significant digits. Many goroutines may add at the same time.
type Histogram struct {
	counts [histogramSize]atomic.Int64
}

const (
	halfBits      = 7 // a power of two has 2^halfBits buckets
	histogramMax  = 1_000_000_000
	histogramSize = (30 - halfBits + 1) << halfBits // 2^30 ns is above histogramMax
)

// bucketOf finds a duration's bucket: the first 256 are of 1 ns, the next 128 of 2 ns, and so on.
func bucketOf(ns int64) int {
	ns = min(max(ns, 1), histogramMax)
	shift := max(bits.Len64(uint64(ns))-halfBits-1, 0)
	return shift<<halfBits + int(ns>>shift)
}

// highest is the greatest duration in a bucket.
func highest(bucket int) int64 {
	shift := max(bucket>>halfBits-1, 0)
	return (int64(bucket-shift<<halfBits)+1)<<shift - 1
}

func (h *Histogram) add(ns, n int64) { h.counts[bucketOf(ns)].Add(n) }

// Read copies the counts, and gives their sum.
func (h *Histogram) Read() (counts Counts, sum int64) {
	for i := range h.counts {
		counts[i] = h.counts[i].Load()
		sum += counts[i]
	}
	return counts, sum
}

// Percentile is the duration that p percent do not exceed.
func (c *Counts) Percentile(sum int64, p float64) int64 {
	rank := max(int64(p/100*float64(sum)+0.5), 1)
	for i, n := range c {
		if rank -= n; rank <= 0 && n > 0 {
			return highest(i)
		}
	}
	return 0
}

// Cumulated gives how many durations of sum there are up to each power of two at which the number grows, from about 1 µs on.
func (c *Counts) Cumulated(sum int64) (list []UpTo) {
	upTo, next := int64(0), 0
	for limit := int64(1024); upTo < sum; limit *= 2 {
		last := bucketOf(limit)
		before := upTo
		for ; next < histogramSize && (next <= last || limit > histogramMax); next++ {
			upTo += c[next]
		}
		if upTo > before {
			list = append(list, UpTo{highest(last) / 1000, upTo})
		}
	}
	return list
}

// UpTo is how many durations are no longer than some µs.
type UpTo struct{ Micros, Count int64 }

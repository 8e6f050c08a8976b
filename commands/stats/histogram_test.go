package stats

import "testing"

func TestHistogramBuckets(t *testing.T) {
	for _, c := range []struct {
		ns      int64
		highest int64
	}{{0, 1}, {1, 1}, {255, 255}, {256, 257}, {257, 257}, {1000, 1003}, {3000, 3007}, {1024, 1031}, {82000, 82431}, {1e9, 1002438655}, {1e12, 1002438655}} {
		if got := highest(bucketOf(c.ns)); got != c.highest {
			t.Errorf("highest(bucketOf(%d)) = %d; want %d", c.ns, got, c.highest)
		}
	}
	for ns, last := int64(1), -1; ns < histogramMax; ns += ns/50 + 1 {
		b := bucketOf(ns)
		if b < last || highest(b) < ns || b >= histogramSize {
			t.Fatalf("bucketOf(%d) = %d, up to %d, after %d", ns, b, highest(b), last)
		}
		last = b
	}
}

func TestPercentile(t *testing.T) {
	h := new(Histogram)
	h.add(1000, 90)
	h.add(3000, 9)
	h.add(82000, 1)
	counts, sum := h.Read()
	for p, want := range map[float64]int64{0: 1003, 50: 1003, 90: 1003, 91: 3007, 99: 3007, 99.9: 82431, 100: 82431} {
		if got := counts.Percentile(sum, p); got != want {
			t.Errorf("percentile %g = %d; want %d", p, got, want)
		}
	}
}

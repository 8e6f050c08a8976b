package main

import (
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	times := []time.Duration{5, 1, 4, 2, 3}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 3, 1: 5} {
		if got := quantile(times, q); got != want {
			t.Errorf("quantile(%v) = %d; want %d", q, got, want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("quantile of nothing = %d; want 0", got)
	}
}

func TestParseThroughput(t *testing.T) {
	got, err := parseThroughput("\"test\",\"rps\"\n\"INCR key\",\"50000.00\"\n")
	if err != nil || got != 50000 {
		t.Errorf("parseThroughput = %v, %v; want 50000", got, err)
	}
	if _, err := parseThroughput("Could not connect\n"); err == nil {
		t.Error("parseThroughput of an error message = nil error; want one")
	}
}

func TestMedian(t *testing.T) {
	got := median([]work{{3, 1}, {1, 9}, {2, 5}})
	if want := (work{2, 5}); got != want {
		t.Errorf("median = %v; want %v", got, want)
	}
}

func TestCalm(t *testing.T) {
	p := newProbe(nil, nil, nil)
	for _, c := range []struct {
		lags [][]time.Duration
		want bool
	}{
		{[][]time.Duration{{9, 9, 1}, {9, 9, 1}}, true},
		{[][]time.Duration{{9, 9, 9}, {9, 9, 1}}, false},
		{[][]time.Duration{{1, 1}, {9, 9, 1}}, false},
	} {
		p.lags = c.lags
		if got := p.isCalm(2, 5); got != c.want {
			t.Errorf("isCalm with %v = %v; want %v", c.lags, got, c.want)
		}
	}
}

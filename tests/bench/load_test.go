package main

import "testing"

func TestParseCSV(t *testing.T) {
	out := `"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"INCR counter","50000.00","0.5","0.1","0.400","0.8","1.200","3.0"
`
	got, err := parseCSV(out)
	if want := (sample{throughput: 50000, p50: 0.4, p99: 1.2}); err != nil || got != want {
		t.Errorf("parseCSV(%q) = %v, %v; want %v", out, got, err, want)
	}
	if _, err := parseCSV("Could not connect\n"); err == nil {
		t.Error("parseCSV of an error message = nil error; want one")
	}
}

func TestMedian(t *testing.T) {
	got := median([]sample{{throughput: 3, p99: 1}, {throughput: 1, p99: 9}, {throughput: 2, p99: 5}})
	if want := (sample{throughput: 2, p99: 5}); got != want {
		t.Errorf("median = %v; want %v", got, want)
	}
}

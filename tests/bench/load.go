package main

import (
	"encoding/csv"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"atomiccounter/tests/process"
)

// sample is what one run measured.
type sample struct {
	throughput float64 // operations a second
	p50, p99   float64 // latency in ms
	cpu        float64 // CPU seconds of the server for a million operations
}

// load is one shape of redis-benchmark's work.
type load struct {
	clients, requests, pipeline int
	keys                        int // different keys; 1: one hot key
}

// run puts the load on s.
func (l load) run(s *process.Server) (sample, error) {
	before, err := s.CPU()
	if err != nil {
		return sample{}, err
	}
	out, err := exec.Command("redis-benchmark", l.args(s.Port)...).Output()
	if err != nil {
		return sample{}, fmt.Errorf("redis-benchmark %s: %w\n%s%s", strings.Join(l.args(s.Port), " "), err, out, s.Log())
	}
	after, err := s.CPU()
	if err != nil {
		return sample{}, err
	}
	m, err := parseCSV(string(out))
	m.cpu = (after - before).Seconds() * 1e6 / float64(l.requests)
	return m, err
}

func (l load) args(port string) []string {
	args := []string{"-p", port, "-c", strconv.Itoa(l.clients), "-n", strconv.Itoa(l.requests), "-P", strconv.Itoa(l.pipeline), "--csv"}
	if l.keys > 1 {
		return append(args, "-r", strconv.Itoa(l.keys), "INCR", "key:__rand_int__")
	}
	return append(args, "INCR", "counter")
}

// parseCSV reads the table that redis-benchmark writes: a line of names, a line of values.
func parseCSV(out string) (sample, error) {
	lines, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		return sample{}, fmt.Errorf("redis-benchmark wrote %q: %w", out, err)
	}
	var m sample
	into := map[string]*float64{"rps": &m.throughput, "p50_latency_ms": &m.p50, "p99_latency_ms": &m.p99}
	if len(lines) != 2 || len(lines[0]) != len(lines[1]) {
		return m, fmt.Errorf("redis-benchmark wrote %q; want two lines", out)
	}
	for i, name := range lines[0] {
		if f := into[name]; f != nil {
			if *f, err = strconv.ParseFloat(lines[1][i], 64); err != nil {
				return m, err
			}
			delete(into, name)
		}
	}
	if len(into) > 0 {
		return m, fmt.Errorf("redis-benchmark wrote %q, without %d of the columns", out, len(into))
	}
	return m, nil
}

// seconds prints a time for reading.
func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

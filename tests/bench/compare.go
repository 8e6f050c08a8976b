package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"atomiccounter/tests/process"
)

// row is a line of the table of targets.
type row struct {
	name   string
	mode   string // appendfsync of both
	hot    bool   // one key
	target map[int]float64
}

var rows = []row{
	{"everysec, uniform keys", "everysec", false, map[int]float64{1: 0.75, 16: 1, 64: 1.3}},
	{"everysec, one hot key", "everysec", true, map[int]float64{1: 0.75, 16: 1.15, 64: 1.8}},
	{"always, uniform keys", "always", false, map[int]float64{1: 0.9, 16: 1.1, 64: 1.1}},
}

// pair is something of ours and of Redis.
type pair[T any] struct{ ours, redis T }

// footprint is what a server occupies after a row, in bytes.
type footprint struct{ memory, diskPerKey float64 }

func compare(ours, redis process.Program, dir string, o options) error {
	fmt.Printf("INCR, %d clients, ours/Redis, median of %d runs in turn\n\n", o.clients, o.runs)
	fmt.Println("| | P | throughput | target | ours, op/s | Redis, op/s | p50 | p99 | CPU, s per 1M: ours | Redis |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	var sizes []string
	for i, r := range rows {
		if !strings.Contains(r.name, o.rows) {
			continue
		}
		size, err := r.compare(pair[process.Program]{ours, redis}, filepath.Join(dir, fmt.Sprint(i)), o)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		sizes = append(sizes, size)
	}
	fmt.Println("\n| | RSS: ours | Redis | ratio | disk per key: ours | Redis |")
	fmt.Println("|---|---|---|---|---|---|")
	fmt.Println(strings.Join(sizes, "\n"))
	return nil
}

// compare prints the row's lines, one for each pipeline length, and gives that of the table of sizes.
func (r row) compare(p pair[process.Program], dir string, o options) (size string, err error) {
	s, err := r.start(p, dir)
	defer func() { err = errors.Join(err, stop(s.ours), stop(s.redis)) }()
	if err != nil {
		return "", err
	}
	keys := o.keys
	if r.hot {
		keys = 1
	}
	warm := load{o.clients, 3 * o.keys, 64, keys} // most keys exist then
	if _, _, err := once(s, warm, true); err != nil {
		return "", err
	}
	for _, pipeline := range o.pipeline {
		l := load{o.clients, o.requests * growth(pipeline), pipeline, keys}
		m, err := measure(s, l, o.runs)
		if err != nil {
			return "", err
		}
		r.print(pipeline, m)
	}
	return r.size(s)
}

// growth: a run with pipelines is to last about as long as one without.
func growth(pipeline int) int {
	switch {
	case pipeline >= 64:
		return 10
	case pipeline > 1:
		return 5
	}
	return 1
}

func (r row) start(p pair[process.Program], dir string) (s pair[*process.Server], err error) {
	for _, sub := range []string{"ours", "redis"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return s, err
		}
	}
	if s.ours, err = p.ours.Start(filepath.Join(dir, "ours"), "--appendfsync", r.mode); err != nil {
		return s, err
	}
	s.redis, err = p.redis.Start(filepath.Join(dir, "redis"), "--appendonly", "yes", "--appendfsync", r.mode)
	return s, err
}

func stop(s *process.Server) error {
	if s == nil {
		return nil
	}
	return s.Stop()
}

// measure runs the load on both in turn, the first one changing, and takes medians.
func measure(s pair[*process.Server], l load, runs int) (m pair[sample], err error) {
	var all pair[[]sample]
	for i := range runs {
		ours, redis, err := once(s, l, i%2 == 0)
		if err != nil {
			return m, err
		}
		all.ours, all.redis = append(all.ours, ours), append(all.redis, redis)
	}
	return pair[sample]{median(all.ours), median(all.redis)}, nil
}

func once(s pair[*process.Server], l load, oursFirst bool) (ours, redis sample, err error) {
	if oursFirst {
		if ours, err = l.run(s.ours); err != nil {
			return ours, redis, err
		}
		redis, err = l.run(s.redis)
		return ours, redis, err
	}
	if redis, err = l.run(s.redis); err != nil {
		return ours, redis, err
	}
	ours, err = l.run(s.ours)
	return ours, redis, err
}

// median is that of each field.
func median(all []sample) sample {
	of := func(field func(sample) float64) float64 {
		var v []float64
		for _, s := range all {
			v = append(v, field(s))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return sample{
		throughput: of(func(s sample) float64 { return s.throughput }),
		p50:        of(func(s sample) float64 { return s.p50 }),
		p99:        of(func(s sample) float64 { return s.p99 }),
		cpu:        of(func(s sample) float64 { return s.cpu }),
	}
}

func (r row) print(pipeline int, m pair[sample]) {
	target := "–"
	if t, ok := r.target[pipeline]; ok {
		target = fmt.Sprintf("≥ %.2f", t)
	}
	fmt.Printf("| %s | %d | **%.2f** | %s | %.0f | %.0f | %.2f | %.2f | %.2f | %.2f |\n", r.name, pipeline,
		m.ours.throughput/m.redis.throughput, target, m.ours.throughput, m.redis.throughput,
		m.ours.p50/m.redis.p50, m.ours.p99/m.redis.p99, m.ours.cpu, m.redis.cpu)
}

func (r row) size(s pair[*process.Server]) (string, error) {
	ours, err := measureFootprint(s.ours)
	if err != nil {
		return "", err
	}
	redis, err := measureFootprint(s.redis)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("| %s | %.0f MiB | %.0f MiB | %.2f | %.0f B | %.0f B |", r.name, ours.memory/(1<<20), redis.memory/(1<<20),
		ours.memory/redis.memory, ours.diskPerKey, redis.diskPerKey), nil
}

func measureFootprint(s *process.Server) (footprint, error) {
	memory, _, err := s.RSS()
	if err != nil {
		return footprint{}, err
	}
	disk, err := s.DiskUsage()
	if err != nil {
		return footprint{}, err
	}
	keys, err := size(s.Addr)
	return footprint{float64(memory), float64(disk) / float64(max(keys, 1))}, err
}

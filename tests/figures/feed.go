package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The load of redis-benchmark.
const (
	clients  = 50
	pipeline = 16
)

// calmLag is a lag that an idle link has again.
const calmLag = 50 * time.Millisecond

// measureFeed: what does it cost a replica under full load to feed two peers, and how late are they?
func measureFeed(l *lab) error {
	var all [4]*replica // alone; source and its two followers
	for i := range all {
		r, err := l.start()
		if err != nil {
			return err
		}
		all[i] = r
	}
	alone, source, followers := all[0], all[1], all[2:]
	for _, f := range followers {
		if err := f.pull(source.Addr); err != nil {
			return err
		}
	}
	var without, with []work
	p := newProbe(source, followers...)
	var calm []time.Duration
	for _, r := range []*replica{alone, source} { // the first load, which makes the keys, is not measured
		if _, err := l.load(r); err != nil {
			return err
		}
	}
	for range l.runs {
		w, err := l.load(alone)
		if err != nil {
			return err
		}
		without = append(without, w)
		if w, err = l.load(source); err != nil {
			return err
		}
		with = append(with, w)
		back, err := l.loadProbed(source, p)
		if err != nil {
			return err
		}
		calm = append(calm, back)
	}
	a, b := median(without), median(with)
	lags := p.all()
	row(fmt.Sprintf("INCR at full load (%d keys, pipeline %d) without peers", l.keys, pipeline), a.String(), "")
	row("… feeding two peers", b.String(), "")
	row("… loss of throughput", fmt.Sprintf("%.0f %%", 100*(1-b.throughput/a.throughput)), "≤ 25 %")
	row("… lag of the peers, p50", millis(quantile(lags, 0.5)), "")
	row("… p99", millis(quantile(lags, 0.99)), "≤ 2 s")
	row(fmt.Sprintf("… back under %v after the load, at most", calmLag), seconds(slices.Max(calm)), "≤ 3 s")
	return nil
}

// loadProbed loads the source while it is probed how late its followers are. That is a load of its own, because the probe takes
// its share of the processors. It gives how long after its end they were late.
func (l *lab) loadProbed(source *replica, p *probe) (back time.Duration, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	probing := make(chan error, 1)
	go func() { probing <- p.run(ctx) }()
	if _, err = l.load(source); err == nil {
		back, err = p.calm(calmLag)
	}
	cancel()
	return back, errors.Join(err, <-probing)
}

// work is what a server did under load.
type work struct {
	throughput float64 // operations a second
	cpu        float64 // CPU seconds of it for a million operations
}

func (w work) String() string {
	return fmt.Sprintf("%.0f k/s, %.2f CPU s per 1M", w.throughput/1000, w.cpu)
}

// load runs redis-benchmark.
func (l *lab) load(r *replica) (w work, err error) {
	before, err := r.CPU()
	if err != nil {
		return w, err
	}
	out, err := exec.Command("redis-benchmark", "-p", r.Port, "-c", strconv.Itoa(clients), "-P", strconv.Itoa(pipeline),
		"-n", strconv.Itoa(l.requests), "-r", strconv.Itoa(l.keys), "--csv", "INCR", "key:__rand_int__").Output()
	if err != nil {
		return w, fmt.Errorf("redis-benchmark: %w\n%s", err, out)
	}
	after, err := r.CPU()
	if err != nil {
		return w, err
	}
	w.cpu = (after - before).Seconds() * 1e6 / float64(l.requests)
	w.throughput, err = parseThroughput(string(out))
	return w, err
}

// parseThroughput takes the column rps of the only line.
func parseThroughput(out string) (float64, error) {
	lines, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(lines) != 2 {
		return 0, fmt.Errorf("redis-benchmark wrote %q, %v; want two lines", out, err)
	}
	i := slices.Index(lines[0], "rps")
	if i < 0 || i >= len(lines[1]) {
		return 0, fmt.Errorf("redis-benchmark wrote %q, without rps", out)
	}
	return strconv.ParseFloat(lines[1][i], 64)
}

// median is that of each field.
func median(all []work) work {
	of := func(field func(work) float64) float64 {
		var v []float64
		for _, w := range all {
			v = append(v, field(w))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return work{of(func(w work) float64 { return w.throughput }), of(func(w work) float64 { return w.cpu })}
}

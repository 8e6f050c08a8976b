// Bench compares this server with redis-server in the same run, in turn, with redis-benchmark as the load: INCR by 50
// clients. It prints Markdown tables of ratios, ours/Redis, medians of the runs.
//
//	go run ./tests/bench                          all rows, about three minutes
//	go run ./tests/bench -rows always -pipeline 1,16 -runs 3
//	go run ./tests/bench -cold                    ten million keys with a cache for a tenth of them
//
// Load and server share the machine, so that redis-benchmark, which is one thread, may be what limits both; CPU seconds
// per operation tell the servers apart even then.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"atomiccounter/tests/process"
)

// options are the flags.
type options struct {
	runs     int
	requests int
	clients  int
	keys     int
	pipeline []int
	rows     string
	cold     int
}

func parse() (options, error) {
	var o options
	flag.IntVar(&o.runs, "runs", 5, "runs of each measurement; the median counts")
	flag.IntVar(&o.requests, "n", 100_000, "requests of a run without pipelining; 5 times as many with pipelines, 10 times with 64 and more")
	flag.IntVar(&o.clients, "clients", 50, "connections")
	flag.IntVar(&o.keys, "keys", 100_000, "different keys in the uniform rows")
	pipeline := flag.String("pipeline", "1,16,64", "pipeline lengths")
	flag.StringVar(&o.rows, "rows", "", "only rows with this text in their names")
	cold := flag.Bool("cold", false, "many keys in little memory instead of the comparison")
	coldKeys := flag.Int("cold-keys", 10_000_000, "keys of -cold")
	flag.Parse()
	if *cold {
		o.cold = *coldKeys
	}
	for p := range strings.SplitSeq(*pipeline, ",") {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 {
			return o, fmt.Errorf("-pipeline %q: a list of positive numbers is expected", *pipeline)
		}
		o.pipeline = append(o.pipeline, n)
	}
	return o, nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	o, err := parse()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "atomiccounter-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ours, err := process.Build(dir)
	if err != nil {
		return err
	}
	if o.cold > 0 {
		return measureCold(ours, dir, o.cold)
	}
	redis, err := process.Redis()
	if err != nil {
		return err
	}
	return compare(ours, redis, dir, o)
}

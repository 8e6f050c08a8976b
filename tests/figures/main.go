// Figures measures what replication takes, on servers of its own on the loopback, and prints a Markdown table.
//
//	go run ./tests/figures                  all, about three minutes
//	go run ./tests/figures -only transfer   those with this word in their names
//	go run ./tests/figures -big             the state of ten million keys, and the memory that it takes
//	go run ./tests/figures -smoke           small numbers, in seconds: shows only that the program runs
//
// Servers and load share the machine. With few cores it is they that limit each other, so CPU seconds stand beside what
// is compared.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"atomiccounter/tests/process"
)

// sizes are how much is done for each figure.
type sizes struct {
	samples  int // of the propagation on an idle link
	requests int // of one run of the load
	runs     int // of the load, with peers and without
	keys     int // under load
	missed   int // keys
	state    int // keys
}

var (
	usual = sizes{samples: 500, requests: 5_000_000, runs: 5, keys: 100_000, missed: 1_000_000, state: 1_000_000}
	smoke = sizes{samples: 10, requests: 20_000, runs: 1, keys: 1000, missed: 5000, state: 5000}
	big   = sizes{state: 10_000_000}
)

// figure measures something and prints its rows.
type figure struct {
	name    string
	measure func(*lab) error
}

var figures = []figure{
	{"idle", measureIdle},
	{"feed", measureFeed},
	{"missed", measureMissed},
	{"transfer", measureTransfer},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	isBig := flag.Bool("big", false, "the state of ten million keys only")
	isSmoke := flag.Bool("smoke", false, "small numbers")
	only := flag.String("only", "", "figures with this word in their names: idle, feed, missed, transfer")
	flag.Parse()
	size := usual
	switch {
	case *isBig:
		size, *only = big, "transfer"
	case *isSmoke:
		size = smoke
	}
	dir, err := os.MkdirTemp("", "atomiccounter-figures-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program, err := process.Build(dir)
	if err != nil {
		return err
	}
	fmt.Println("| | measured | target |\n|---|---|---|")
	for _, f := range figures {
		if !strings.Contains(f.name, *only) {
			continue
		}
		l := &lab{sizes: size, program: program, dir: dir}
		if err := errors.Join(f.measure(l), l.end()); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

// row prints one line of the table.
func row(what, measured, target string) { fmt.Printf("| %s | %s | %s |\n", what, measured, target) }

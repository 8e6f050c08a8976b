package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"atomiccounter/tests/process"
)

// The limits of the issue that asked for them.
const (
	coldCache       = 256 << 20 // bytes
	coldRSS         = 800 << 20 // bytes
	coldRestart     = 5 * time.Second
	coldConnections = 4
	coldPipeline    = 500
)

// measureCold fills the server with n keys, far more than its cache holds, and prints what it takes.
func measureCold(p process.Program, dir string, n int) (err error) {
	data := filepath.Join(dir, "cold")
	if err := os.Mkdir(data, 0o755); err != nil {
		return err
	}
	args := []string{"--cache-size", fmt.Sprint(coldCache)}
	s, err := p.Start(data, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Kill()) }() // the last one started
	fmt.Printf("%d keys, --cache-size %d MiB\n\n| | | target |\n|---|---|---|\n", n, coldCache>>20)
	if err := fill(s, n); err != nil {
		return fmt.Errorf("%w\n%s", err, s.Log())
	}
	if err := warmUp(s, n); err != nil {
		return fmt.Errorf("%w\n%s", err, s.Log())
	}
	for _, end := range []struct {
		name string
		stop func(*process.Server) error
	}{{"SIGTERM", (*process.Server).Stop}, {"kill -9", (*process.Server).Kill}} {
		if err := end.stop(s); err != nil {
			return err
		}
		began := time.Now()
		next, err := p.Start(data, args...)
		if err != nil {
			return err
		}
		s = next
		took := time.Since(began)
		keys, err := size(s.Addr)
		if err != nil {
			return err
		}
		fmt.Printf("| ready after %s, with %d keys | %s | < %s |\n", end.name, keys, seconds(took), seconds(coldRestart))
	}
	return nil
}

// fill increments each key once.
func fill(s *process.Server, n int) error {
	began := time.Now()
	errs := make(chan error, coldConnections)
	var running sync.WaitGroup
	for i := range coldConnections {
		running.Go(func() {
			key := func(j int) int { return i + j*coldConnections }
			errs <- increment(s.Addr, n/coldConnections, key, 1)
		})
	}
	running.Wait()
	var err error
	for range coldConnections {
		err = errors.Join(err, <-errs)
	}
	if err != nil {
		return err
	}
	took := time.Since(began)
	now, peak, err := s.RSS()
	if err != nil {
		return err
	}
	disk, err := s.DiskUsage()
	fmt.Printf("| new keys | %.0f a second | |\n", float64(n)/took.Seconds())
	fmt.Printf("| RSS, at most | %d MiB | < %d MiB |\n| RSS, after the load | %d MiB | |\n", peak>>20, coldRSS>>20, now>>20)
	fmt.Printf("| disk, each key | %.0f B | |\n", float64(disk)/float64(n))
	return err
}

// warmUp increments random keys, of which few are in the cache, a second time.
func warmUp(s *process.Server, n int) error {
	count := min(n/50, 100_000)
	order := rand.Perm(n)[:count]
	began := time.Now()
	if err := increment(s.Addr, count, func(j int) int { return order[j] }, 2); err != nil {
		return err
	}
	took := time.Since(began)
	_, peak, err := s.RSS()
	fmt.Printf("| cold INCRs, one connection | %.0f a second | |\n| RSS, at most | %d MiB | < %d MiB |\n",
		float64(count)/took.Seconds(), peak>>20, coldRSS>>20)
	return err
}

// increment sends n INCRs in pipelines; each must make its counter want.
func increment(addr string, n int, key func(int) int, want int) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	expected := fmt.Sprintf(":%d\r\n", want)
	var b []byte
	for sent := 0; sent < n; sent += coldPipeline {
		b = b[:0]
		count := min(coldPipeline, n-sent)
		for j := range count {
			name := fmt.Sprintf("key:%010d", key(sent+j))
			b = fmt.Appendf(b, "*2\r\n$4\r\nINCR\r\n$%d\r\n%s\r\n", len(name), name)
		}
		if _, err := c.Write(b); err != nil {
			return err
		}
		for range count {
			if line, err := r.ReadString('\n'); err != nil || line != expected {
				return fmt.Errorf("INCR = %q, %v; want %q", line, err, expected)
			}
		}
	}
	return nil
}

// size is DBSIZE.
func size(addr string) (int64, error) {
	client := goredis.NewClient(&goredis.Options{Addr: addr})
	defer client.Close()
	return client.DBSize(context.Background()).Result()
}

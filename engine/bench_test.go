package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"atomiccounter/tlv"
)

func openDisk(b *testing.B, o Options) *Engine {
	b.Helper()
	o.Logger = quiet
	e, err := Open(b.TempDir(), o)
	if err != nil {
		b.Fatalf("Open = %v", err)
	}
	b.Cleanup(func() {
		if err := e.Close(); err != nil {
			b.Errorf("Close = %v", err)
		}
	})
	return e
}

// BenchmarkIncrementHot is Increment on one counter, in everysec, on a real disk, from some goroutines.
func BenchmarkIncrementHot(b *testing.B) {
	for _, goroutines := range []int{1, 2, 8} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			c := openDisk(b, Options{}).Counter("hot")
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for i := range goroutines {
				n := b.N / goroutines
				if i == 0 {
					n += b.N % goroutines
				}
				wg.Go(func() {
					for range n {
						if _, err := c.Increment(context.Background(), 1); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// BenchmarkPipeline is Incr as a connection does it: 100,000 keys, some commands to a Commit.
func BenchmarkPipeline(b *testing.B) {
	for _, depth := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			e := openDisk(b, Options{})
			p := e.NewPipeline()
			keys := make([][]byte, 100_000)
			for i := range keys {
				keys[i] = []byte("key:" + strconv.Itoa(i*7919%len(keys)))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if _, err := p.Incr(keys[i%len(keys)], 1); err != nil {
					b.Fatal(err)
				}
				if i%depth == 0 {
					if _, err := p.Commit(); err != nil {
						b.Fatal(err)
					}
				}
			}
			if _, err := p.Commit(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkApply takes in batches of 100 k distinct keys, an operation each: new to the store, cold, and cached.
func BenchmarkApply(b *testing.B) {
	for _, keys := range []struct {
		name string
		all  int // distinct ones
		hot  bool
	}{{"new", 1 << 30, false}, {"cold", 500_000, false}, {"cached", 100_000, true}} {
		b.Run(keys.name, func(b *testing.B) {
			e, err := Open(b.TempDir(), Options{Logger: quiet})
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			if err := e.KeepLog(); err != nil {
				b.Fatal(err)
			}
			next := 0
			batch := func(n int) *tlv.Batch {
				bt := &tlv.Batch{Replica: 7, Prev: e.Vector().Entry(7).Stamp}
				bt.Stamp = tlv.Stamp(e.Now()<<tlv.StampShift) + tlv.Stamp(next)
				for range n {
					c := tlv.Contribution{Replica: 7, Birth: 1, Rev: bt.Stamp, Last: bt.Stamp, Total: tlv.FromInt64(int64(next))}
					bt.Deltas = append(bt.Deltas, tlv.Delta{Key: fmt.Appendf(nil, "\x00key:%012d", next%keys.all), State: tlv.State{Contributions: []tlv.Contribution{c}}})
					next++
				}
				return bt
			}
			if keys.all < 1<<30 {
				for next < keys.all {
					if err := e.Apply(batch(100_000)); err != nil {
						b.Fatal(err)
					}
				}
			}
			if keys.hot {
				for i := range keys.all {
					if _, err := e.Counter(fmt.Sprintf("key:%012d", i)).Get(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportAllocs()
			for done := 0; done < b.N; {
				n := min(100_000, b.N-done)
				b.StopTimer()
				data := tlv.AppendBatch(nil, batch(n))
				b.StartTimer()
				bt, _, err := tlv.ParseBatch(data)
				if err == nil {
					err = e.Apply(&bt)
				}
				if err != nil {
					b.Fatal(err)
				}
				done += n
			}
		})
	}
}

// BenchmarkFlush flushes 100 k keys that were incremented once each, an operation each key, without and with the log for peers.
func BenchmarkFlush(b *testing.B) {
	const keys = 100_000
	for _, logs := range []bool{false, true} {
		b.Run(fmt.Sprintf("log=%t", logs), func(b *testing.B) {
			e, err := Open(b.TempDir(), Options{Logger: quiet, manual: true, Backlog: 64 << 20})
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			if logs {
				if err := e.KeepLog(); err != nil {
					b.Fatal(err)
				}
			}
			p := e.NewPipeline()
			var key []byte
			for done := 0; done < b.N; done += keys {
				b.StopTimer()
				for i := range keys {
					key = fmt.Appendf(key[:0], "key:%012d", i)
					if _, err := p.Incr(key, 1); err != nil {
						b.Fatal(err)
					}
					if err := p.finish(); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				if err := e.Flush(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkApplySmall takes in batches of one key, an operation each, synced one by one and together.
func BenchmarkApplySmall(b *testing.B) {
	for _, together := range []int{1, MaxApply} {
		b.Run(fmt.Sprintf("together=%d", together), func(b *testing.B) {
			e := openDisk(b, Options{})
			if err := e.KeepLog(); err != nil {
				b.Fatal(err)
			}
			list := sums(newPeer(7), b.N)
			b.ResetTimer()
			for part := range slices.Chunk(list, together) {
				if _, err := e.ApplyAll(part); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSection is a small section as a connection does it, from some goroutines, some sections to a Commit.
func BenchmarkSection(b *testing.B) {
	for _, goroutines := range []int{1, 50} {
		for _, depth := range []int{1, 16} {
			b.Run(fmt.Sprintf("goroutines=%d/depth=%d", goroutines, depth), func(b *testing.B) {
				e := openDisk(b, Options{})
				b.ReportAllocs()
				b.ResetTimer()
				var wg sync.WaitGroup
				for i := range goroutines {
					wg.Go(func() {
						p, key := e.NewPipeline(), []byte("key:"+strconv.Itoa(i))
						for n := range b.N / goroutines {
							if err := p.Begin(false); err != nil {
								b.Error(err)
								return
							}
							_, err := p.Incr(key, 1)
							p.End()
							if n%depth == 0 {
								_, failed := p.Commit()
								err = errors.Join(err, failed)
							}
							if err != nil {
								b.Error(err)
								return
							}
						}
						if _, err := p.Commit(); err != nil {
							b.Error(err)
						}
					})
				}
				wg.Wait()
			})
		}
	}
}

package engine

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
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

package engine

import (
	"fmt"
	"testing"
)

// TestExpect: what Expect was told never makes a difference.
func TestExpect(t *testing.T) {
	keys := make([][]byte, MaxAhead+2)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key:%d", i)
	}
	for name, between := range map[string]func(p *Pipeline){
		"as told":       func(*Pipeline) {},
		"other keys":    func(p *Pipeline) { p.Expect([][]byte{[]byte("no"), keys[7], []byte("nor this"), keys[3]}) },
		"other order":   func(p *Pipeline) { p.Expect([][]byte{keys[2], keys[1], keys[0]}) },
		"other numbers": func(p *Pipeline) { p.DB = 1 },
		"gone":          func(p *Pipeline) { evictAll(p.e) },
		"committed":     func(p *Pipeline) { mustCommit(t, p) },
	} {
		t.Run(name, func(t *testing.T) {
			o := disk()
			o.CacheSize = 1
			e := open(t, o)
			p := e.NewPipeline()
			for round := range int64(3) {
				p.DB = 0
				p.Expect(keys)
				between(p)
				for _, key := range keys {
					want := round + 1
					if v, err := p.Incr(key, 1); err != nil || v != want {
						t.Fatalf("Incr(%q) = %d, %v; want %d", key, v, err, want)
					}
				}
				mustCommit(t, p)
				if err := e.Flush(); err != nil { // so that entries can go
					t.Fatal(err)
				}
			}
		})
	}
}

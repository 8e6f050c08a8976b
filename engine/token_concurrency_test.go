package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"atomiccounter/engine/journal"
	"atomiccounter/tlv"
)

// TestTokensInCrowd: each token of many counts once, whoever comes first, over flushes, evictions and sections.
func TestTokensInCrowd(t *testing.T) {
	const workers, tokens, keys = 8, 400, 100
	o := disk()
	o.segment = 1 << 20
	e := open(t, o)
	var replies [workers][tokens]int64
	var done atomic.Bool
	var work, beside sync.WaitGroup
	beside.Add(1)
	go func() {
		defer beside.Done()
		for !done.Load() {
			if err := e.Flush(); err != nil {
				t.Error(err)
			}
			dropCache(e)
		}
	}()
	for w := range workers {
		work.Add(1)
		go func() {
			defer work.Done()
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			p := e.NewPipeline()
			for i := range tokens { // all of them the same at about the same time
				alone := rng.IntN(10) == 0
				if alone {
					if err := p.Begin(false); err != nil {
						t.Error(err)
					}
				}
				v, _, err := p.IncrOnce(fmt.Appendf(nil, "k%d", i/4), fmt.Append(nil, i), int64(i), TokenLife)
				if alone {
					p.End()
				}
				if replies[w][i] = v; err != nil {
					t.Errorf("IncrOnce = %v", err)
				}
				if rng.IntN(3) == 0 {
					if _, err := p.Commit(); err != nil {
						t.Error(err)
					}
				}
			}
			if _, err := p.Commit(); err != nil {
				t.Error(err)
			}
		}()
	}
	work.Wait()
	done.Store(true)
	beside.Wait()
	var want [keys]int64
	for i := range tokens {
		want[i/4] += int64(i)
		for w := range workers {
			if replies[w][i] != replies[0][i] {
				t.Errorf("token %d: worker %d got %d, worker 0 %d", i, w, replies[w][i], replies[0][i])
			}
		}
	}
	for k, n := range want {
		look(t, e, fmt.Sprintf("k%d", k), fmt.Sprint(n))
	}
}

// TestTokenWhileTheKeyIsHeld: two come with one token and find it unknown, and both wait for the counter.
func TestTokenWhileTheKeyIsHeld(t *testing.T) {
	e := open(t, Options{})
	increment(t, e, "k", 1)
	holder := e.NewPipeline()
	must(t, nil, holder.Watch([][]byte{[]byte("k")}))
	var replies [2]int64
	var work sync.WaitGroup
	for i := range replies {
		work.Add(1)
		go func() {
			defer work.Done()
			p := e.NewPipeline()
			var err, err2 error
			replies[i], _, err = p.IncrOnce([]byte("k"), []byte("t"), 5, TokenLife)
			_, err2 = p.Commit()
			if err := errors.Join(err, err2); err != nil {
				t.Error(err)
			}
		}()
	}
	name := tlv.AppendFieldName(nil, []byte("k"), []byte("t"))
	for {
		token := e.table.find(e.name(tlv.TokenByte(0), name))
		if token != nil && token.pins.Load() == 2 {
			break
		}
		runtime.Gosched()
	}
	holder.Unwatch()
	mustCommit(t, holder)
	work.Wait()
	if replies != [2]int64{6, 6} {
		t.Errorf("replies %d; want 6 for both", replies)
	}
}

// TestTokenIsOneFrame: the journal has the increment and its token in one frame, also where the pipeline had to let go of one of
// them.
func TestTokenIsOneFrame(t *testing.T) {
	o := disk()
	o.segment = 1 << 22
	e := open(t, o)
	var work sync.WaitGroup
	for w := range 4 {
		work.Add(1)
		go func() {
			defer work.Done()
			p := e.NewPipeline()
			for i := range 400 {
				_, _, err := p.IncrOnce(fmt.Appendf(nil, "k%d", i/2%3), fmt.Append(nil, w, i/2), 1, TokenLife)
				if i%3 == 0 {
					_, err2 := p.Commit()
					err = errors.Join(err, err2)
				}
				if err != nil {
					t.Error(err)
				}
			}
			if _, err := p.Commit(); err != nil {
				t.Error(err)
			}
		}()
	}
	work.Wait()
	prepared(e)
	records := map[byte]int{}
	_, err := journal.Replay(e.segments, e.committer.only.mark, func(body []byte) error {
		for len(body) > 0 {
			r, rest, err := parseRecord(body)
			if err != nil {
				return err
			}
			records[r.typ]++
			body = rest
		}
		if records['A'] != records['T'] || records['A'] != records['E'] {
			t.Errorf("after a frame there are %d increments, %d tokens, %d expiries", records['A'], records['T'], records['E'])
		}
		return nil
	})
	if must(t, nil, err); records['A'] != 4*200 {
		t.Errorf("%d increments in the journal; want %d", records['A'], 4*200)
	}
}

// TestTokensLosePower: the increment and its token are there after a loss of power, or neither is. So whoever sends all again
// has counted each once.
func TestTokensLosePower(t *testing.T) {
	worlds := 40
	if testing.Short() {
		worlds = 10
	}
	for seed := range uint64(worlds) {
		w := newPowerWorld(t, seed)
		w.open()
		sent := map[string]bool{}
		for range 4 {
			for range w.rng.IntN(40) {
				token := fmt.Sprint(w.rng.IntN(100))
				sent[token] = true
				once(t, w.e, "k", token, 1)
				switch w.rng.IntN(12) {
				case 0:
					w.sync()
				case 1:
					must(t, nil, w.e.Flush())
				}
			}
			snap := w.snapshot(w.rng.IntN(101))
			must(t, nil, w.e.Close())
			w.o.fs, w.o.segments = snap.fs, snap.segments
			w.open()
			for token := range sent {
				once(t, w.e, "k", token, 1)
			}
			look(t, w.e, "k", fmt.Sprint(len(sent)))
			if t.Failed() {
				t.Fatalf("world %d", seed)
			}
		}
	}
}

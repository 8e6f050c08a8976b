package engine

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// usage says how a cached key was used, in one word: whether it was since the clock's hand passed (1 bit), how often
// (8 bits, logarithmic) and when last (23 bits, in s, of the wall clock). The first is exact. The others are sampled, so
// that an increment costs nothing: a pipeline notes the last key of each round.
type usage struct{ word atomic.Uint32 }

const (
	usedBit    = 1
	heatShift  = 1
	timeShift  = 9
	timeMask   = 1<<(32-timeShift) - 1
	newHeat    = 5  // of a key that has just come into the cache, as Redis begins
	heatFactor = 10 // the higher, the more uses it takes to become hotter, as Redis's lfu-log-factor
)

func pack(heat, at uint32) uint32 { return usedBit | heat<<heatShift | at<<timeShift }

func inSeconds(ms int64) uint32 { return uint32(ms/1000) & timeMask }

// begin is for a key that comes into the cache.
func (u *usage) begin(now uint32) { u.word.Store(pack(newHeat, now)) }

func (u *usage) note() {
	if u.word.Load()&usedBit == 0 {
		u.word.Or(usedBit)
	}
}

// spare says whether the key was used since it was last asked, and forgets that.
func (u *usage) spare() bool { return u.word.And(^uint32(usedBit))&usedBit != 0 }

// everyRound is of how many uses within a second one is counted, with that weight.
const everyRound = 16

// count notes a use; round numbers those of a pipeline. Of two at the same time one may be lost.
func (u *usage) count(now uint32, round uint8) {
	if u.word.Load()>>timeShift == now && round%everyRound != 0 {
		return
	}
	heat, idle := u.at(now)
	weight := int64(everyRound)
	if idle > 0 {
		weight = 1
	}
	if base := max(int64(heat)-newHeat, 0); heat < 255 && rand.Int64N(base*heatFactor+1) < weight {
		heat++
	}
	u.word.Store(pack(uint32(heat), now))
}

// lastUse is what a pipeline notes at the end of a round.
type lastUse struct {
	last  *entry // that was used since the last Commit
	round uint8  // the number of the present one
}

// at gives the heat at now, which a minute without use makes one less, and the seconds since the last use.
func (u *usage) at(now uint32) (heat uint8, idle int64) {
	w := u.word.Load()
	idle = int64((now - w>>timeShift) & timeMask)
	if idle > timeMask/2 { // the clock went back
		idle = 0
	}
	h := int64(w >> heatShift & 0xff)
	return uint8(max(h-idle/60, 0)), idle
}

// Usage is what OBJECT and MEMORY USAGE say of a key.
type Usage struct {
	Heat  uint8 // how often it is used: a logarithmic count, one less for each minute
	Idle  int64 // seconds since it was used
	Bytes int64 // in memory
}

// NoTouch has the commands of do count as no use of their keys.
func (p *Pipeline) NoTouch(do func()) {
	used := p.use.last
	do()
	p.use.last = used
}

// Usage tells how a key is used, without using it; false: there is no such key. Heat and idle time are sampled: the last key
// of each pipelined round is noted. A key that was not cached begins anew.
func (p *Pipeline) Usage(key []byte) (u Usage, ok bool, err error) {
	var e *entry
	p.NoTouch(func() { e, err = p.read(key, inTime) })
	if err != nil || !p.exists(e) {
		return u, false, err
	}
	u.Heat, u.Idle = e.use.at(inSeconds(p.now()))
	u.Bytes = e.memory() + e.size()*entrySize
	return u, true, nil
}

// delayed notes that a command waited from begun to now: for a lock, the disk or a flush.
func (p *Pipeline) delayed(begun time.Time) { p.delay += time.Since(begun) }

func (p *Pipeline) delayedBy(wait func()) {
	begun := time.Now()
	wait()
	p.delayed(begun)
}

// Delay is how long commands waited, for others or the disk, since it was last called. What is not in it takes a command of
// one key well below a millisecond.
func (p *Pipeline) Delay() time.Duration {
	d := p.delay
	if d != 0 {
		p.delay = 0
	}
	return d
}

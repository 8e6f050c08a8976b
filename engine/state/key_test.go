package state

import (
	"math/rand/v2"
	"testing"

	"atomiccounter/tlv"
)

// TestPublishedIsReadable: whatever is done to a key, what it publishes and what is stored of it is of the format. An expiry of 0 is what a
// key takes over where there is none.
func TestPublishedIsReadable(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var k Key
		stamp := tlv.Stamp(100)
		for step := range 40 {
			stamp += tlv.Stamp(1 + rng.IntN(3))
			if k.Pending == nil {
				k.Pending = new(Pending)
			}
			do := rng.IntN(6)
			switch do {
			case 0:
				k.Add(int64(rng.IntN(9)-4), stamp, tlv.ZCounter, rng.IntN(2) == 0)
			case 1:
				resets, own := k.Observed(7)
				k.Cancel(own, resets, k.Latest(7))
			case 2:
				k.Assign(tlv.Contribution{Birth: stamp, Assigned: int64(rng.IntN(9))})
			case 3:
				k.ExpireAt(tlv.Expiry{At: int64(rng.IntN(2)) * 1000, Stamp: stamp}, stamp, rng.IntN(2) == 0)
			case 4:
				k.ExpireAt(tlv.Expiry{}, stamp, rng.IntN(2) == 0)
			case 5:
				k.Roll(7, stamp)
			}
			whole := k.Whole(7)
			if c, any := k.Contribution(7, stamp+1); any {
				whole = tlv.State{Contributions: []tlv.Contribution{c}}
			}
			if _, err := tlv.ParseState(tlv.AppendState(nil, &whole)); err != nil {
				t.Fatalf("seed %d, step %d, after %d: %+v: %v", seed, step, do, whole, err)
			}
		}
	}
}

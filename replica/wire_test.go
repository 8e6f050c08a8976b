package replica

import (
	"errors"
	"testing"
)

// A clock before 1970 would make an offset that no int64 holds.
func TestAnswerOfABadClock(t *testing.T) {
	answer := func(clock int64) any {
		return []any{int64(Version), "0000000000000001", "0000000000000002", clock, "v\x00", "ok", int64(0), int64(0), []any{}}
	}
	if a, err := parseSync(answer(0)); err != nil || a.Clock != 0 {
		t.Errorf("parseSync of clock 0 = %+v, %v", a, err)
	}
	for _, clock := range []int64{-1, -1 << 63} {
		if a, err := parseSync(answer(clock)); !errors.Is(err, errReply) {
			t.Errorf("parseSync of clock %d = %+v, %v; want an error", clock, a, err)
		}
	}
}

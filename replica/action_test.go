package replica

import (
	"testing"
	"time"

	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// answerOf is what the peer has answered, its batches included.
func answerOf(s Synced) csync.SyncAnswer {
	a := s.Answer
	for i := range s.Batches {
		a.Batches = append(a.Batches, tlv.AppendBatch(nil, &s.Batches[i]))
	}
	return a
}

// Of batches that are none those before them are kept.
func TestAnswersWithBadBatches(t *testing.T) {
	one := batch(theirs, 10, 20)
	for _, bad := range []string{"hello", "", string(tlv.AppendBatch(nil, &one)) + "x"} {
		answer := answerOf(answers(0, one))
		answer.Batches = append(answer.Batches, []byte(bad), answer.Batches[0])
		got := synced(answer, time.Time{})
		if got.Err == nil || len(got.Batches) != 1 || got.Batches[0].Stamp != one.Stamp {
			t.Errorf("%q after a batch: %v, %d batches; want that one, and an error of what follows it", bad, got.Err, len(got.Batches))
		}
	}
}

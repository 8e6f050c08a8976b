package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

// Records says how many records the body of a frame has, up to the first that is wrong: the journal itself knows none.
type Records func(body []byte) (int, error)

// Survey is what there is to replay after a mark.
type Survey struct {
	End                    Mark
	Frames, Records, Bytes int
	Lost                   []Loss // what a start will drop, or Repair if there is damage
}

// Look reads all that a start replays after m, until ctx ends, and says what would stop it. It changes nothing.
func Look(ctx context.Context, store Store, m Mark, records Records) (s Survey, err error) {
	s.End, err = Replay(store, m, func(body []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.Frames++
		s.Bytes += len(body) + FrameHeader
		n, err := records(body)
		s.Records += n
		return err
	})
	if err == nil || errors.Is(err, ErrDamaged) {
		var proof error
		if s.Lost, proof = Losses(store, s.End, records); err == nil || !errors.Is(proof, ErrDamaged) {
			err = errors.Join(err, proof)
		}
	}
	return s, err
}

// Repair drops what a damaged journal has lost, and gives it an empty segment where it ends in none.
func (s *Survey) Repair(store Store, log *slog.Logger) error {
	if err := Drop(store, s.Lost, log); err != nil {
		return err
	}
	file, err := store.Open(s.End.Segment)
	if errors.Is(err, ErrMissing) {
		var empty *segment
		if empty, err = newSegment(store, s.End.Segment, max(segmentHeader, int(s.End.Offset)), false, ""); err == nil {
			file = empty.file
		}
	}
	if err != nil {
		return fmt.Errorf("segment %d: %w", s.End.Segment, err)
	}
	return file.Close()
}

// Drop takes away what does not follow from the rest, and keeps it under other names.
func Drop(store Store, list []Loss, log *slog.Logger) error {
	for _, l := range list {
		name, err := store.Lose(l.Segment, l.From, l.To)
		if err != nil {
			return fmt.Errorf("segment %d: keep what is dropped: %w", l.Segment, err)
		}
		if name != "" {
			log.Error("journal: what does not verify is dropped, and kept aside", "segment", l.Segment, "offset", l.From,
				"bytes", l.Bytes(), "records", l.Records, "file", name)
		}
	}
	return nil
}

// Seal makes durable what was replayed, from segment first to a chain's end m, so that the next segment may say so. It gives the
// numbers of the segments up to there, and where the next journal begins.
func Seal(store Store, first uint64, m Mark) (old []uint64, next Mark, err error) {
	list, err := store.List()
	if err != nil {
		return nil, m, err
	}
	for _, n := range list {
		if first <= n && n <= m.Segment {
			if err := syncSegment(store, n); err != nil {
				return nil, m, fmt.Errorf("segment %d: %w", n, err)
			}
		}
		if n <= m.Segment {
			old = append(old, n)
		}
	}
	return old, Mark{Segment: m.Segment + 1, Sum: m.Sum}, nil
}

func syncSegment(store Store, number uint64) error {
	file, err := store.Open(number)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(0, len(file.Bytes())), file.Close())
}

// Loss is what does not follow from what is read: a segment from an offset on. What is not zero there ends at To.
type Loss struct {
	Segment  uint64
	From, To int
	Records  int // that can be made out
}

func (l Loss) Bytes() int { return max(0, l.To-l.From) }

// Losses are all segments from a chain's end m on, the last first: so the proof of damage goes last. ErrDamaged, beside them: there is such
// a proof.
func Losses(store Store, m Mark, records Records) (list []Loss, err error) {
	numbers, err := store.List()
	if err != nil {
		return nil, err
	}
	for _, n := range slices.Backward(numbers) {
		if n < m.Segment {
			break
		}
		l, proof, e := lossOf(store, n, m, records)
		if e != nil {
			return nil, fmt.Errorf("segment %d: %w", n, e)
		}
		if proof {
			err = damaged(m.Segment, m.Offset, fmt.Sprintf("segment %d says that all before it is durable", n))
		}
		list = append(list, l)
	}
	return list, err
}

func lossOf(store Store, number uint64, m Mark, records Records) (l Loss, proof bool, err error) {
	l = Loss{Segment: number}
	file, err := store.Open(number)
	if errors.Is(err, ErrMissing) { // died between creating and preallocating it
		return l, false, nil
	} else if err != nil {
		return l, false, err
	}
	mem := file.Bytes()
	if end := extent(mem); end > segmentHeader {
		l.To = end
	}
	_, err = checkHeader(mem, number, 0)
	switch broken := errors.Is(err, errHeader); {
	case err != nil && !broken:
		return l, false, errors.Join(err, file.Close())
	case number > m.Segment:
		proof = broken && l.To > 0 || !broken && string(mem[28:segmentHeader]) == pastDurable
	case m.Offset <= uint64(len(mem)):
		l.From = int(m.Offset)
	}
	if l.From < l.To {
		l.Records = countRecords(mem[max(l.From, segmentHeader):l.To], records)
	}
	return l, proof, file.Close()
}

// extent is the size of mem without the zeros at its end.
func extent(mem []byte) int {
	zeros := make([]byte, 4<<10)
	for len(mem) > 0 {
		part := mem[max(0, len(mem)-len(zeros)):]
		if !bytes.Equal(part, zeros[:len(part)]) {
			return len(bytes.TrimRight(mem, "\x00"))
		}
		mem = mem[:len(mem)-len(part)]
	}
	return 0
}

// countRecords counts what can be made out as records in frames of which not all verify.
func countRecords(frames []byte, records Records) (n int) {
	for len(frames) > FrameHeader {
		length := binary.LittleEndian.Uint32(frames)
		if frames = frames[FrameHeader:]; uint64(length) > uint64(len(frames)) {
			break
		}
		some, _ := records(frames[:length])
		n, frames = n+some, frames[length:]
	}
	return n
}

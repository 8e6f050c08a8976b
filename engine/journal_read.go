package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// A loss of power may leave any part of what was not synced, so frames that do not verify, and all behind them, are dropped: nobody
// was told that they are durable. That is told from damage, which loses what was promised, by what no loss of power does:
//
//   - A segment's header, and its name, are durable before the segment before ends.
//   - When a segment is first synced, those before are, and it notes that in its header.
//   - A file has room for all its frames. Of a length that is half written the rest is zero, so it is no greater, unless it is that of an end.

// ErrDamaged: the journal lacks what it had durably. Open changes nothing then; Repair drops what cannot be read.
var ErrDamaged = errors.New("the journal is damaged")

func damaged(segment, offset uint64, why string) error {
	return fmt.Errorf("%w: segment %d, offset %d: %s", ErrDamaged, segment, offset, why)
}

var (
	// errMissing: the segment does not exist.
	errMissing = errors.New("the segment is missing")
	errHeader  = errors.New("the segment's header does not verify")
)

// readSegment calls f with the body of every frame from m on and gives back where the chain ended, and whether the
// segment says that the next continues it.
func readSegment(mem []byte, m mark, f func(body []byte) error) (mark, bool, error) {
	for {
		rest := mem[m.offset:]
		if len(rest) < frameHeader {
			if extent(rest) > 0 {
				return m, false, damaged(m.segment, m.offset, "the file has been cut")
			}
			return m, false, nil
		}
		length, sum := binary.LittleEndian.Uint32(rest), binary.LittleEndian.Uint32(rest[4:])
		var body []byte
		if length != frameEnd {
			if length == 0 {
				return m, false, nil
			}
			if uint64(length) > uint64(len(rest)-frameHeader) {
				if halfEnd(length) {
					return m, false, nil
				}
				return m, false, damaged(m.segment, m.offset, "the frame is longer than the file")
			}
			body = rest[frameHeader : frameHeader+length]
		}
		want := crc32.Update(crc32.Update(m.sum, castagnoli, rest[:4]), castagnoli, body)
		if want != sum {
			return m, false, nil
		}
		m.sum, m.offset = sum, m.offset+frameHeader+uint64(len(body))
		if length == frameEnd {
			return m, true, nil
		}
		if err := f(body); err != nil {
			return m, false, err
		}
	}
}

// halfEnd says whether a length may be what a loss of power has left of frameEnd, where that lies across two sectors.
func halfEnd(length uint32) bool {
	for bits := 8; bits < 32; bits += 8 {
		if low := uint32(1)<<bits - 1; length == low || length == ^low {
			return true
		}
	}
	return false
}

// checkHeader verifies a segment's header and gives the checksum that its first frame continues from.
func checkHeader(mem []byte, number uint64, sum uint32) (mark, error) {
	if len(mem) < segmentHeader || string(mem[:8]) != journalMagic ||
		crc32.Checksum(mem[:24], castagnoli) != binary.LittleEndian.Uint32(mem[24:]) ||
		binary.LittleEndian.Uint64(mem[12:]) != number {
		return mark{}, errHeader
	}
	if v := binary.LittleEndian.Uint32(mem[8:]); v != journalVersion {
		return mark{}, fmt.Errorf("journal segment %d has format version %d; this program reads %d", number, v, journalVersion)
	}
	return mark{segment: number, offset: segmentHeader, sum: crc32.Update(sum, castagnoli, mem[20:24])}, nil
}

// openMarked opens the segment in which the database ends. Of its header only the version matters: the mark says all else.
func openMarked(store segmentStore, m mark) (segmentFile, error) {
	file, err := store.Open(m.segment)
	switch {
	case errors.Is(err, errMissing):
		return nil, damaged(m.segment, m.offset, "the segment in which the database ends is missing")
	case err != nil:
		return nil, fmt.Errorf("segment %d: %w", m.segment, err)
	case uint64(len(file.Bytes())) < m.offset:
		err = damaged(m.segment, m.offset, fmt.Sprintf("the file has only %d bytes", len(file.Bytes())))
	default:
		_, err = checkHeader(file.Bytes(), m.segment, 0)
	}
	if err != nil && !errors.Is(err, errHeader) {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// openNext opens the segment after one whose chain ends at m, and gives where its frames begin.
func openNext(store segmentStore, m mark) (segmentFile, mark, error) {
	file, err := store.Open(m.segment + 1)
	if err != nil {
		return nil, m, err
	}
	begin, err := checkHeader(file.Bytes(), m.segment+1, m.sum)
	if err != nil {
		return nil, m, errors.Join(err, file.Close())
	}
	return file, begin, nil
}

// replay calls f with every frame body after m, over as many segments as continue one another, and gives where that ends. It
// changes nothing. The bodies are only valid during the call. After ErrDamaged what it gives is where the damage lies.
func replay(store segmentStore, m mark, f func(body []byte) error) (mark, error) {
	file, err := openMarked(store, m)
	if err != nil {
		return m, err
	}
	for {
		end, sealed, err := readSegment(file.Bytes(), m, f)
		full := end.offset == uint64(len(file.Bytes()))
		if err = errors.Join(err, file.Close()); err != nil || !sealed && !full {
			return end, err
		}
		file, m, err = openNext(store, end)
		switch gone := errors.Is(err, errMissing) || errors.Is(err, errHeader); {
		case gone && sealed:
			return mark{segment: end.segment + 1}, damaged(end.segment+1, 0, err.Error())
		case gone:
			return end, nil
		case err != nil:
			return end, fmt.Errorf("segment %d: %w", end.segment+1, err)
		}
	}
}

// loss is what does not follow from what is read: a segment from an offset on. What is not zero there ends at to.
type loss struct {
	segment  uint64
	from, to int
	records  int // that can be made out
}

func (l loss) bytes() int { return max(0, l.to-l.from) }

// losses are all segments from a chain's end m on, the last first: so the proof of damage goes last. ErrDamaged, beside them: there is such
// a proof.
func losses(store segmentStore, m mark) (list []loss, err error) {
	numbers, err := store.List()
	if err != nil {
		return nil, err
	}
	for _, n := range slices.Backward(numbers) {
		if n < m.segment {
			break
		}
		l, proof, e := lossOf(store, n, m)
		if e != nil {
			return nil, fmt.Errorf("segment %d: %w", n, e)
		}
		if proof {
			err = damaged(m.segment, m.offset, fmt.Sprintf("segment %d says that all before it is durable", n))
		}
		list = append(list, l)
	}
	return list, err
}

func lossOf(store segmentStore, number uint64, m mark) (l loss, proof bool, err error) {
	l = loss{segment: number}
	file, err := store.Open(number)
	if errors.Is(err, errMissing) { // died between creating and preallocating it
		return l, false, nil
	} else if err != nil {
		return l, false, err
	}
	mem := file.Bytes()
	if end := extent(mem); end > segmentHeader {
		l.to = end
	}
	_, err = checkHeader(mem, number, 0)
	switch broken := errors.Is(err, errHeader); {
	case err != nil && !broken:
		return l, false, errors.Join(err, file.Close())
	case number > m.segment:
		proof = broken && l.to > 0 || !broken && string(mem[28:segmentHeader]) == pastDurable
	case m.offset <= uint64(len(mem)):
		l.from = int(m.offset)
	}
	if l.from < l.to {
		l.records = countRecords(mem[max(l.from, segmentHeader):l.to])
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
func countRecords(frames []byte) (n int) {
	for len(frames) > frameHeader {
		length := binary.LittleEndian.Uint32(frames)
		if frames = frames[frameHeader:]; uint64(length) > uint64(len(frames)) {
			break
		}
		body := frames[:length]
		frames = frames[length:]
		for len(body) > 0 {
			_, rest, err := parseRecord(body)
			if err != nil {
				break
			}
			n, body = n+1, rest
		}
	}
	return n
}

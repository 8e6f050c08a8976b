package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrDamaged: the journal lacks what it had durably. Reading it changes nothing then; Survey.Repair drops what cannot be read.
var ErrDamaged = errors.New("the journal is damaged")

func damaged(segment, offset uint64, why string) error {
	return fmt.Errorf("%w: segment %d, offset %d: %s", ErrDamaged, segment, offset, why)
}

// ErrMissing: the segment does not exist.
var ErrMissing = errors.New("the segment is missing")

var errHeader = errors.New("the segment's header does not verify")

// readSegment calls f with the body of every frame from m on and gives back where the chain ended, and whether the
// segment says that the next continues it.
func readSegment(mem []byte, m Mark, f func(body []byte) error) (Mark, bool, error) {
	for {
		rest := mem[m.Offset:]
		if len(rest) < FrameHeader {
			if extent(rest) > 0 {
				return m, false, damaged(m.Segment, m.Offset, "the file has been cut")
			}
			return m, false, nil
		}
		length, sum := binary.LittleEndian.Uint32(rest), binary.LittleEndian.Uint32(rest[4:])
		var body []byte
		if length != frameEnd {
			if length == 0 {
				return m, false, nil
			}
			if uint64(length) > uint64(len(rest)-FrameHeader) {
				if halfEnd(length) {
					return m, false, nil
				}
				return m, false, damaged(m.Segment, m.Offset, "the frame is longer than the file")
			}
			body = rest[FrameHeader : FrameHeader+length]
		}
		want := crc32.Update(crc32.Update(m.Sum, castagnoli, rest[:4]), castagnoli, body)
		if want != sum {
			return m, false, nil
		}
		m.Sum, m.Offset = sum, m.Offset+FrameHeader+uint64(len(body))
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
func checkHeader(mem []byte, number uint64, sum uint32) (Mark, error) {
	if len(mem) < segmentHeader || string(mem[:8]) != magic ||
		crc32.Checksum(mem[:24], castagnoli) != binary.LittleEndian.Uint32(mem[24:]) ||
		binary.LittleEndian.Uint64(mem[12:]) != number {
		return Mark{}, errHeader
	}
	if v := binary.LittleEndian.Uint32(mem[8:]); v != formatVersion {
		return Mark{}, fmt.Errorf("journal segment %d has format version %d; this program reads %d", number, v, formatVersion)
	}
	return Mark{Segment: number, Offset: segmentHeader, Sum: crc32.Update(sum, castagnoli, mem[20:24])}, nil
}

// openMarked opens the segment of the mark. Of its header only the version matters: the mark says all else.
func openMarked(store Store, m Mark) (File, error) {
	file, err := store.Open(m.Segment)
	switch {
	case errors.Is(err, ErrMissing):
		return nil, damaged(m.Segment, m.Offset, "the segment in which the database ends is missing")
	case err != nil:
		return nil, fmt.Errorf("segment %d: %w", m.Segment, err)
	case uint64(len(file.Bytes())) < m.Offset:
		err = damaged(m.Segment, m.Offset, fmt.Sprintf("the file has only %d bytes", len(file.Bytes())))
	default:
		_, err = checkHeader(file.Bytes(), m.Segment, 0)
	}
	if err != nil && !errors.Is(err, errHeader) {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// openNext opens the segment after one whose chain ends at m, and gives where its frames begin.
func openNext(store Store, m Mark) (File, Mark, error) {
	file, err := store.Open(m.Segment + 1)
	if err != nil {
		return nil, m, err
	}
	begin, err := checkHeader(file.Bytes(), m.Segment+1, m.Sum)
	if err != nil {
		return nil, m, errors.Join(err, file.Close())
	}
	return file, begin, nil
}

// Replay calls f with every frame body after m, over as many segments as continue one another, and gives where that ends. It
// changes nothing. The bodies are only valid during the call. After ErrDamaged it gives where the damage lies.
func Replay(store Store, m Mark, f func(body []byte) error) (Mark, error) {
	file, err := openMarked(store, m)
	if err != nil {
		return m, err
	}
	for {
		end, sealed, err := readSegment(file.Bytes(), m, f)
		full := end.Offset == uint64(len(file.Bytes()))
		if err = errors.Join(err, file.Close()); err != nil || !sealed && !full {
			return end, err
		}
		file, m, err = openNext(store, end)
		switch gone := errors.Is(err, ErrMissing) || errors.Is(err, errHeader); {
		case gone && sealed:
			return Mark{Segment: end.Segment + 1}, damaged(end.Segment+1, 0, err.Error())
		case gone:
			return end, nil
		case err != nil:
			return end, fmt.Errorf("segment %d: %w", end.Segment+1, err)
		}
	}
}

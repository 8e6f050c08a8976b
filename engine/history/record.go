package history

import (
	"encoding/binary"
	"encoding/json"

	"atomiccounter/tlv"
)

// Record is what the database is to have; nil: what it was given last.
func (h *History) Record() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.dirty {
		return nil
	}
	h.dirty = false // if the commit fails, so does the engine
	return h.encode()
}

func (h *History) encode() []byte {
	b := tlv.Append(nil, 'F', appendAll(nil, h.former))
	var lives, given []byte
	for _, l := range h.lives {
		lives = tlv.AppendTinyZip(binary.LittleEndian.AppendUint64(lives, l.Number), uint64(l.End))
	}
	for i := range h.given {
		given = h.given[i].append(given)
	}
	b = tlv.Append(b, 'L', lives)
	b = tlv.Append(b, 'G', given)
	b = tlv.Append(b, 'V', appendAll(nil, h.voids))
	return tlv.Append(nil, 'H', b)
}

func (b *Branch) append(buf []byte) []byte {
	buf = binary.LittleEndian.AppendUint64(buf, uint64(b.Replica))
	buf = tlv.AppendTinyZip(tlv.AppendTinyZip(buf, uint64(b.Last)), uint64(b.Other))
	since := uint64(0)
	if b.Parted {
		since = uint64(b.Since) + 1
	}
	buf = tlv.AppendTinyZip(buf, since)
	return tlv.Append(buf, 'L', appendAll(nil, b.Lives))
}

func appendAll[T ~uint64](buf []byte, list []T) []byte {
	for _, v := range list {
		buf = binary.LittleEndian.AppendUint64(buf, uint64(v))
	}
	return buf
}

// restore reads a record.
func (h *History) restore(record []byte) error {
	if record[0] == '{' {
		return h.restoreJSON(record)
	}
	outer := tlv.NewReader(record)
	r := tlv.NewReader(outer.Record('H'))
	if err := outer.End(); err != nil {
		return err
	}
	r.List('F', func(l *tlv.Reader) { h.former = append(h.former, l.Replica()) })
	r.List('L', func(l *tlv.Reader) { h.lives = append(h.lives, Life{Number: l.Fixed(), End: l.Stamp()}) })
	r.List('G', func(l *tlv.Reader) {
		b := Branch{Replica: l.Replica(), Last: l.Stamp(), Other: l.Stamp()}
		if since := l.Stamp(); since > 0 {
			b.Parted, b.Since = true, since-1
		}
		l.List('L', func(l *tlv.Reader) { b.Lives = append(b.Lives, l.Fixed()) })
		h.given = append(h.given, b)
	})
	r.List('V', func(l *tlv.Reader) { h.voids = append(h.voids, l.Replica()) })
	return r.End()
}

// restoreJSON reads a record of a store of format 4 or before.
func (h *History) restoreJSON(record []byte) error {
	var r struct {
		Former []tlv.ReplicaID
		Lives  []Life
		Given  []Branch
		Voids  []tlv.ReplicaID
	}
	err := json.Unmarshal(record, &r)
	h.former, h.lives, h.given, h.voids = r.Former, r.Lives, r.Given, r.Voids
	return err
}

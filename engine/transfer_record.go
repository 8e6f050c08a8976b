package engine

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"atomiccounter/tlv"
)

// transfer is the record under t:
//
//	S  source (8 B), flags, keys, done, bytes (zipped)
//	   N  name of the snapshot at the source
//	   C  cursor
//	   V  vector (tlv.AppendVector)
//
// Stores of format 4 and before had it in JSON, which is read too.
type transfer struct {
	Transfer
	Running  bool // BeginTransfer was called
	Succeeds bool // another one that was not finished
	Marks    bool // what is met is marked: there may be something here that the snapshot lacks
}

// flags are its bits, the lowest first.
func (t *transfer) flags() []*bool { return []*bool{&t.Complete, &t.Running, &t.Succeeds, &t.Marks} }

func (t *transfer) encode() []byte {
	flags := uint64(0)
	for i, set := range t.flags() {
		if *set {
			flags |= 1 << i
		}
	}
	b := binary.LittleEndian.AppendUint64(nil, uint64(t.Source))
	for _, n := range []uint64{flags, uint64(t.Keys), uint64(t.Done), uint64(t.Bytes)} {
		b = tlv.AppendTinyZip(b, n)
	}
	b = tlv.Append(tlv.Append(b, 'N', []byte(t.Snapshot)), 'C', t.Cursor)
	return tlv.Append(nil, 'S', tlv.AppendVector(b, t.Vector))
}

func (t *transfer) decode(record []byte) error {
	if len(record) > 0 && record[0] == '{' {
		return json.Unmarshal(record, t)
	}
	outer := tlv.NewReader(record)
	r := tlv.NewReader(outer.Record('S'))
	if err := outer.End(); err != nil {
		return err
	}
	t.Source = r.Replica()
	flags := r.Zip()
	t.Keys, t.Done, t.Bytes = int64(r.Zip()), int64(r.Zip()), int64(r.Zip())
	t.Snapshot, t.Cursor, t.Vector = string(r.Record('N')), append([]byte(nil), r.Record('C')...), r.Vector()
	for i, set := range t.flags() {
		*set = flags&(1<<i) != 0
	}
	if err := r.End(); err != nil {
		return err
	}
	if flags>>len(t.flags()) != 0 {
		return fmt.Errorf("%w: flags %#x", tlv.ErrMalformed, flags)
	}
	return nil
}

package store

import (
	"io"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/tlv"
)

// Merger merges operands of states. It is context-free and uses the plain Finish: a merge that can delete its key loses
// to a defect of Pebble 2.1 (its issue 6168). A dead state becomes an empty value instead, which reads as absent.
var Merger = &pebble.Merger{
	Name: "atomiccounter.state.1",
	Merge: func(_, value []byte) (pebble.ValueMerger, error) {
		m := &stateMerger{}
		return m, m.merge(value)
	},
}

type stateMerger struct {
	state   tlv.State
	operand tlv.State // memory for the next one
}

func (m *stateMerger) merge(value []byte) error {
	if m.state.Empty() {
		return tlv.ParseStateInto(&m.state, value)
	}
	if err := tlv.ParseStateInto(&m.operand, value); err != nil {
		return err
	}
	m.state.Merge(&m.operand)
	return nil
}

func (m *stateMerger) MergeNewer(value []byte) error { return m.merge(value) }
func (m *stateMerger) MergeOlder(value []byte) error { return m.merge(value) }

func (m *stateMerger) Finish(bool) ([]byte, io.Closer, error) {
	return tlv.AppendState(nil, &m.state), nil, nil
}

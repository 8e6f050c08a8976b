package engine

import (
	"errors"
	"math/rand/v2"
	"testing"

	"atomiccounter/engine/enginetest"
	"atomiccounter/tlv"
)

// member is an engine on a simulated disk.
type member struct {
	t    *testing.T
	disk *enginetest.Disk
	o    Options
	*Engine
}

func newMember(t *testing.T, seed uint64, o Options) *member {
	m := &member{t: t, o: o, disk: enginetest.NewDisk(rand.New(rand.NewPCG(seed, 9)).Uint64)}
	m.open()
	if err := m.KeepLog(); err != nil {
		t.Fatalf("KeepLog = %v", err)
	}
	return m
}

func (m *member) open() {
	m.t.Helper()
	m.o.Disk, m.o.Logger = m.disk, quiet
	if m.o.UpdatePeriod == 0 {
		m.o.UpdatePeriod = AlwaysFresh
	}
	e, err := Open("store", m.o)
	if err != nil {
		m.t.Fatalf("Open = %v", err)
	}
	m.Engine = e
	m.t.Cleanup(func() {
		if err := e.Abandon(); err != nil && !errors.Is(err, ErrClosed) {
			m.t.Errorf("Abandon = %v", err)
		}
	})
}

// restart goes on with another disk.
func (m *member) restart(d *enginetest.Disk, await bool) {
	m.t.Helper()
	if err := m.Abandon(); err != nil && !errors.Is(err, ErrClosed) {
		m.t.Fatalf("Abandon = %v", err)
	}
	m.disk, m.o.AwaitPeers = d, await
	m.open()
}

func (m *member) add(key string, n int64) {
	m.t.Helper()
	increment(m.t, m.Engine, key, n)
}

func (m *member) del(key string) {
	m.t.Helper()
	p := m.NewPipeline()
	if _, err := p.Del([][]byte{[]byte(key)}); err != nil {
		m.t.Fatalf("Del(%q) = %v", key, err)
	}
	if _, err := p.Commit(); err != nil {
		m.t.Fatalf("Commit = %v", err)
	}
}

func (m *member) flush() {
	m.t.Helper()
	if err := m.Flush(); err != nil {
		m.t.Fatalf("Flush = %v", err)
	}
}

// confirm begins as if nobody could be reached.
func (m *member) confirm() {
	m.t.Helper()
	if err := m.Confirm(); err != nil {
		m.t.Fatalf("Confirm = %v", err)
	}
}

// shows checks values: key, value, key, value.
func (m *member) shows(pairs ...any) {
	m.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		key, want := pairs[i].(string), int64(pairs[i+1].(int))
		if got, err := m.Counter(key).Get(m.t.Context()); got != want || err != nil {
			m.t.Errorf("Get(%q) = %d, %v; want %d", key, got, err, want)
		}
	}
}

// pull applies what the log of o has for m; whether it reached back.
func (m *member) pull(o *member) bool {
	m.t.Helper()
	o.flush()
	b, err := o.Batches(m.Vector(), m.ReplicaID(), 1<<20)
	if err != nil {
		m.t.Fatalf("Batches = %v", err)
	}
	for _, data := range b.Batches {
		batch, _, err := tlv.ParseBatch(data)
		if err != nil {
			m.t.Fatalf("ParseBatch = %v", err)
		}
		if err := m.Apply(&batch); err != nil && !errors.Is(err, ErrHeld) {
			m.t.Fatalf("Apply = %v", err)
		}
	}
	return b.Behind == 0
}

// fetch transfers the state of o, pages of a few bytes; steps bounds the pages, 0: all of them and the end.
func (m *member) fetch(s *Snapshot, source tlv.ReplicaID, steps int) {
	m.t.Helper()
	if t, ok := m.Transfer(); !ok || t.Source != source || t.Snapshot != "s" {
		m.begin(s, source)
	}
	for i := 0; steps == 0 || i < steps; i++ {
		t, _ := m.Transfer()
		page, next, keys, err := s.Page(t.Cursor, 100)
		if err != nil {
			m.t.Fatalf("Page = %v", err)
		}
		if err := m.MergePage(page, next, t.Done+keys); err != nil {
			m.t.Fatalf("MergePage = %v", err)
		}
		if len(next) == 0 {
			if err := m.FinishTransfer(); err != nil {
				m.t.Fatalf("FinishTransfer = %v", err)
			}
			return
		}
	}
}

func (m *member) begin(s *Snapshot, source tlv.ReplicaID) {
	m.t.Helper()
	if err := m.BeginTransfer(transferOf(s, source)); err != nil {
		m.t.Fatalf("BeginTransfer = %v", err)
	}
}

func transferOf(s *Snapshot, source tlv.ReplicaID) Transfer {
	return Transfer{Source: source, Snapshot: "s", Vector: s.Vector, Keys: s.Keys}
}

func (m *member) snapshot() *Snapshot {
	m.t.Helper()
	m.flush()
	s, err := m.Snapshot()
	if err != nil {
		m.t.Fatalf("Snapshot = %v", err)
	}
	m.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			m.t.Errorf("Close of a snapshot = %v", err)
		}
	})
	return s
}

// exchange has members get all that the others have.
func exchange(t *testing.T, members ...*member) {
	t.Helper()
	for range 2 {
		for _, m := range members {
			for _, o := range members {
				if m != o && !m.pull(o) {
					t.Fatal("the log does not reach back")
				}
			}
			must(t, nil, m.DropTails())
		}
	}
}

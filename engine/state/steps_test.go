package state

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"atomiccounter/tlv"
)

// step is one of the model's, with what it shows afterwards. The file says more: tests/model/steps.py writes it.
type step struct {
	Now     int64
	Replica tlv.ReplicaID
	Op      string
	N       int64
	Shows   []*int64
	Open    []openPart
}

// openPart is a contribution: replica, birth, rev, last, total, assigned, and the rev and the base of its reset.
type openPart [7]any

// replica does with one key what the engine does.
type replica struct {
	Key
	id      tlv.ReplicaID
	clock   tlv.Stamp
	batches map[tlv.ReplicaID][]batch
}

type batch struct {
	stamp tlv.Stamp
	delta tlv.State
}

// TestStepsOfTheModel: after every step of random ones, on three replicas, every replica shows what the model says, and has stored the same.
//
//	python3 tests/model/steps.py > engine/state/testdata/steps.json
func TestStepsOfTheModel(t *testing.T) {
	f, err := os.Open("testdata/steps.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	worlds := 0
	for lines := bufio.NewReader(f); ; worlds++ {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var steps []step
		if err := json.Unmarshal(line, &steps); err != nil {
			t.Fatal(err)
		}
		world := []*replica{{id: 1}, {id: 2}, {id: 3}}
		for _, r := range world {
			r.batches = make(map[tlv.ReplicaID][]batch)
		}
		for i, s := range steps {
			r := world[s.Replica-1]
			r.do(s, world)
			for j, want := range s.Shows {
				if v := world[j].View(world[j].id); v.Exists != (want != nil) || want != nil && v.Sum != tlv.FromInt64(*want) {
					t.Fatalf("world %d, step %d, %s: replica %d shows %t, %v; want %v", worlds, i, s.Op, j+1, v.Exists, v.Sum, value(want))
				}
			}
			if got, want := r.open(), asJSON(t, s.Open); got != want {
				t.Fatalf("world %d, step %d, %s: replica %d has stored %s; want %s", worlds, i, s.Op, s.Replica, got, want)
			}
		}
	}
	if worlds < 30 {
		t.Errorf("there are %d worlds; want 30", worlds)
	}
}

func value(v *int64) any {
	if v == nil {
		return nil
	}
	return *v
}

func (r *replica) do(s step, world []*replica) {
	switch s.Op {
	case "incr":
		r.prepare()
		r.pending()
		r.Add(s.N, r.next(s.Now), tlv.ZCounter, r.exists())
	case "del":
		r.prepare()
		r.cancel()
	case "set":
		r.cancel()
		r.pending()
		r.Assign(tlv.Contribution{Birth: r.next(s.Now), Assigned: s.N})
	case "flush":
		r.flush(s.Now)
	case "pull":
		r.pull(world[s.N-1])
	}
}

func (r *replica) exists() bool { return r.View(r.id).Exists }

func (r *replica) next(now int64) tlv.Stamp {
	r.clock = max(r.clock+1, tlv.Stamp(now)<<tlv.StampShift)
	return r.clock
}

func (r *replica) pending() {
	if r.Pending == nil {
		r.Pending = new(Pending)
	}
}

func (r *replica) prepare() {
	if !r.exists() {
		r.cancel()
	}
}

func (r *replica) cancel() {
	if resets, own := r.Observed(r.id); own || len(resets) > 0 {
		r.pending()
		r.Cancel(own, resets, r.Latest(r.id))
	}
}

// flush closes what others have cancelled of the own contribution, and publishes what is pending.
func (r *replica) flush(now int64) {
	if own := r.Own; own.Replica != 0 && !own.Closed && (r.Pending == nil || !r.Pending.Publish) && !(r.exists() && r.OwnOpen()) {
		r.pending()
		r.Pending.Publish, r.Pending.Reborn = true, r.OwnOpen()
	}
	if r.Pending == nil {
		return
	}
	b := batch{stamp: r.next(now)}
	p, own := r.Roll(r.id, b.stamp)
	b.delta.Resets = slices.Clone(p.Resets)
	if own {
		b.delta.Put(r.Own)
	}
	r.batches[r.id] = append(r.batches[r.id], b)
}

func (r *replica) pull(from *replica) {
	for id, list := range from.batches {
		if id == r.id || len(list) < len(r.batches[id]) {
			continue
		}
		for _, b := range list[len(r.batches[id]):] {
			all := r.Stored()
			all.Merge(&b.delta)
			r.SetStored(r.id, all)
			r.clock = max(r.clock, b.stamp)
			r.batches[id] = append(r.batches[id], b)
		}
	}
}

// open is what is open of the stored state, as the model writes it.
func (r *replica) open() string {
	parts := []openPart{}
	s := r.Stored()
	for i := range s.Contributions {
		c := &s.Contributions[i]
		if !s.Open(c) {
			continue
		}
		part := openPart{c.Replica, c.Birth, c.Rev, c.Last, c.Total.Clamp(), nil, nil}
		if c.HasValue {
			part[5] = c.Assigned
		}
		if cut := s.Reset(c.Replica); cut != nil && cut.Rev >= c.Birth {
			part[6] = []int64{int64(cut.Rev), cut.Base.Clamp()}
		}
		parts = append(parts, part)
	}
	text, _ := json.Marshal(parts)
	return string(text)
}

func asJSON(t *testing.T, parts []openPart) string {
	t.Helper()
	text, err := json.Marshal(parts)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

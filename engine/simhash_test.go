package engine

import (
	"errors"
	"slices"

	"atomiccounter/engine/enginetest"
	"atomiccounter/tlv"
)

// The simulation's hashes: keys with fields. The ghosts know a field by the name hash/field.

// names are those of all keys and fields.
func (w *simWorld) names() []string {
	list := slices.Clone(w.keys)
	for _, key := range w.keys {
		list = append(list, w.fields[key]...)
	}
	return list
}

// lock gives the entry of a key or a field.
func (r *simReplica) lock(p *Pipeline, name string) *entry {
	en, err := p.lockKey(enginetest.Key(name))
	if err != nil {
		r.w.t.Fatalf("%s: lock(%s) = %v", r.name, name, err)
	}
	p.ready(en, inTime)
	return en
}

// live is how many fields of a key exist.
func (r *simReplica) live(key string) (n int) {
	for _, f := range r.w.fields[key] {
		if _, v := r.look(f); v.Exists {
			n++
		}
	}
	return n
}

// typeOf says what a key shows.
func (r *simReplica) typeOf(key string) Type {
	_, v := r.look(key)
	switch {
	case v.Expiry.At != 0 && v.Expiry.At <= r.e.Now():
		return TypeNone
	case v.Exists:
		return TypeString
	case r.live(key) > 0:
		return TypeHash
	}
	return TypeNone
}

// cancelsAll notes what a cancel of a key with its fields takes away.
func (r *simReplica) cancelsAll(key string) {
	r.cancels(key)
	for _, f := range r.w.fields[key] {
		r.cancels(f)
	}
}

// refusesHash says whether the key is a hash, and if so makes sure that f, which only strings allow, says so.
func (r *simReplica) refusesHash(key string, f func(*Pipeline) error) bool {
	if r.typeOf(key) != TypeHash {
		return false
	}
	var err error
	r.do(func(p *Pipeline) error { err = f(p); return nil })
	if !errors.Is(err, ErrWrongType) {
		r.w.t.Fatalf("%s: on the hash %s: %v; want %v", r.name, key, err, ErrWrongType)
	}
	return true
}

// stepHash does something with the fields of a key.
func (r *simReplica) stepHash(key string, op float64) {
	fields := r.w.fields[key]
	f := fields[r.w.rng.IntN(len(fields))]
	if *simSeed != 0 {
		s, v := r.look(f)
		r.w.t.Logf("  hash: %s: %+v shows %+v", f, s, v)
	}
	if op < .50 {
		r.writeField(key, f, op < .10)
		return
	}
	if r.typeOf(key) == TypeHash {
		_, v := r.look(f)
		r.cancels(f)
		n := 0
		r.do(func(p *Pipeline) (err error) {
			n, err = p.DelFields([]byte(key), [][]byte{[]byte(f[len(key)+1:])})
			return err
		})
		if (n == 1) != v.Exists {
			r.w.t.Fatalf("%s: DelFields(%s) = %d; want %v", r.name, f, n, v.Exists)
		}
	}
}

const fieldStep = 3 // what an increment of a field adds

// writeField increments or sets a field.
func (r *simReplica) writeField(key, f string, sets bool) {
	gone := r.typeOf(key) == TypeNone
	refused := r.prepares(key)
	name := []byte(f[len(key)+1:])
	_, before := r.look(f)
	if gone { // it is cancelled first
		before = tlv.View{}
	}
	if !refused && (!before.Exists || sets) {
		r.cancels(f)
	}
	want := error(nil)
	switch {
	case refused:
		want = ErrWrongType
	case !sets && before.IsText:
		want = ErrNotInteger
	}
	v := r.w.value()
	var err error
	r.do(func(p *Pipeline) error {
		if sets {
			_, err = p.SetFields([]byte(key), [][]byte{name}, []Value{v}, Overwrite)
		} else {
			_, err = p.IncrField([]byte(key), name, fieldStep)
		}
		return nil
	})
	if !errors.Is(err, want) || want == nil && err != nil {
		r.w.t.Fatalf("%s: write to %s: %v; want %v", r.name, f, err, want)
	}
	switch {
	case want != nil:
	case sets:
		r.assigned(f, v)
	default:
		r.adds(f, fieldStep)
	}
}

// checkFields compares the fields of a key with the ghost, and says how many there are.
func (r *simReplica) checkFields(step int, key string) (n int64) {
	for _, f := range r.w.fields[key] {
		_, v := r.look(f)
		want := r.ghost.Value(r.w.tokens, f)
		if enginetest.Shown(&v) != want {
			r.w.t.Fatalf("step %d, %s: %s shows %+v; want %+v", step, r.name, f, v, want)
		}
		if want.OK {
			n++
		}
	}
	p := r.e.NewPipeline()
	got, err := p.Len([]byte(key))
	if _, err := p.Commit(); err != nil {
		r.w.t.Fatalf("%s: Commit = %v", r.name, err)
	}
	if t := r.typeOf(key); t == TypeHash && (got != n || err != nil) || t != TypeHash && got != 0 {
		r.w.t.Fatalf("step %d, %s: Len(%s) = %d, %v; want %d", step, r.name, key, got, err, n)
	}
	return n
}

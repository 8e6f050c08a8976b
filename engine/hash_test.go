package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"atomiccounter/engine/enginetest"
	"atomiccounter/engine/store"
)

// hashWorld is one replica and what it must show: keys of strings and hashes, with expiries.
type hashWorld struct {
	t   *testing.T
	rng *rand.Rand
	o   Options
	now int64
	e   *Engine
	p   *Pipeline

	strings map[string]Value
	hashes  map[string]map[string]Value
	expires map[string]int64
}

func newHashWorld(t *testing.T, seed uint64) *hashWorld {
	w := &hashWorld{t: t, rng: rand.New(rand.NewPCG(seed, 3)), o: disk(), now: 1_000_000,
		strings: map[string]Value{}, hashes: map[string]map[string]Value{}, expires: map[string]int64{}}
	w.o.Now = func() int64 { return w.now }
	w.o.random = rand.New(rand.NewPCG(seed, 4)).Uint64
	w.open()
	return w
}

func (w *hashWorld) open() {
	w.e = open(w.t, w.o)
	p := w.e.NewPipeline()
	w.p = p
	w.t.Cleanup(func() { _, _ = p.Commit() }) // after a failure: Close waits for it
}

func (w *hashWorld) key() string { return []string{"a", "b", strings.Repeat("c", 60)}[w.rng.IntN(3)] }
func (w *hashWorld) field() string {
	return []string{"", "f", "g", strings.Repeat("h", 50)}[w.rng.IntN(4)]
}

func (w *hashWorld) value() Value {
	return ParseValue([]byte([]string{"1", "-7", "x", "", "9223372036854775807"}[w.rng.IntN(5)]))
}

// exists forgets a key whose time has come, as the next who asks does.
func (w *hashWorld) exists(key string) bool {
	if at := w.expires[key]; at != 0 && at <= w.now {
		w.forget(key)
	}
	return w.strings[key].OK || len(w.hashes[key]) > 0
}

func (w *hashWorld) forget(key string) {
	delete(w.strings, key)
	delete(w.hashes, key)
	delete(w.expires, key)
}

// hash is that of a key that is to be written; nil: it is a string.
func (w *hashWorld) hash(key string) map[string]Value {
	if w.exists(key) && w.strings[key].OK {
		return nil
	}
	if w.hashes[key] == nil {
		w.hashes[key] = map[string]Value{}
	}
	return w.hashes[key]
}

func (w *hashWorld) step() {
	key, field := w.key(), w.field()
	switch op := w.rng.IntN(100); {
	case op < 25:
		w.incrField(key, field, int64(w.rng.IntN(5)-1))
	case op < 35:
		w.setFields(key, Existing(w.rng.IntN(2)))
	case op < 45:
		w.delFields(key)
	case op < 50:
		w.del(key)
	case op < 56:
		w.set(key)
	case op < 64:
		w.incr(key)
	case op < 72:
		w.expire(key)
	case op < 76:
		w.getDel(key)
	case op < 80:
		w.now += int64(w.rng.IntN(4))
	case op < 84:
		w.do(w.e.Sweep)
	case op < 90:
		w.do(w.e.Flush)
	case op < 94:
		w.commit()
		w.e.SetCacheSize(0)
		evictAll(w.e)
		w.e.SetCacheSize(1 << 20)
	case op < 97:
		w.crash()
	case op < 98:
		w.commit()
		if err := w.p.FlushDB(); err != nil {
			w.t.Fatalf("FlushDB = %v", err)
		}
		clear(w.strings)
		clear(w.hashes)
		clear(w.expires)
	default:
		w.commit()
	}
}

func (w *hashWorld) do(f func() error) {
	w.commit()
	if err := f(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *hashWorld) commit() {
	if _, err := w.p.Commit(); err != nil {
		w.t.Fatalf("Commit = %v", err)
	}
}

// crash opens what a kill leaves.
func (w *hashWorld) crash() {
	w.commit()
	old := w.e
	prepared(old)
	w.o.fs = w.o.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: w.rng})
	w.o.segments = w.o.segments.(*enginetest.Segments).Clone()
	if err := old.Close(); err != nil {
		w.t.Fatalf("Close = %v", err)
	}
	w.open()
}

func (w *hashWorld) incrField(key, field string, n int64) {
	h := w.hash(key)
	got, err := w.p.IncrField([]byte(key), []byte(field), n)
	switch v := h[field]; {
	case h == nil:
		w.want("IncrField", err, ErrWrongType)
	case v.IsText:
		w.want("IncrField", err, ErrNotInteger)
	case n > 0 && v.Int > maxInt-n:
		w.want("IncrField", err, ErrOverflow)
	default:
		w.want("IncrField", err, nil)
		h[field] = IntValue(v.Int + n)
		if got != v.Int+n {
			w.t.Fatalf("IncrField(%q, %q, %d) = %d; want %d", key, field, n, got, v.Int+n)
		}
	}
}

func (w *hashWorld) want(what string, err, want error) {
	w.t.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		w.t.Fatalf("%s = %v; want %v", what, err, want)
	}
}

func (w *hashWorld) setFields(key string, existing Existing) {
	h := w.hash(key)
	names, values := [][]byte{}, []Value{}
	for range 1 + w.rng.IntN(3) {
		names, values = append(names, []byte(w.field())), append(values, w.value())
	}
	got, err := w.p.SetFields([]byte(key), names, values, existing)
	if h == nil {
		w.want("SetFields", err, ErrWrongType)
		return
	}
	w.want("SetFields", err, nil)
	n := 0
	if existing == Overwrite || !slices.ContainsFunc(names, func(f []byte) bool { return h[string(f)].OK }) {
		for i, f := range names {
			if !h[string(f)].OK {
				n++
			}
			h[string(f)] = values[i]
		}
	}
	if got != n {
		w.t.Fatalf("SetFields(%q, %q, %v) = %d; want %d", key, names, existing, got, n)
	}
}

func (w *hashWorld) delFields(key string) {
	h := w.hash(key)
	names := [][]byte{[]byte(w.field()), []byte(w.field())}
	got, err := w.p.DelFields([]byte(key), names)
	if h == nil {
		w.want("DelFields", err, ErrWrongType)
		return
	}
	w.want("DelFields", err, nil)
	n := 0
	for _, f := range names {
		if h[string(f)].OK {
			n++
		}
		delete(h, string(f))
	}
	if len(h) == 0 {
		w.forget(key)
	}
	if got != n {
		w.t.Fatalf("DelFields(%q, %q) = %d; want %d", key, names, got, n)
	}
}

func (w *hashWorld) del(key string) {
	want := 0
	if w.exists(key) {
		want = 1
	}
	w.forget(key)
	if n, err := w.p.Del([][]byte{[]byte(key)}); n != want || err != nil {
		w.t.Fatalf("Del(%q) = %d, %v; want %d", key, n, err, want)
	}
}

func (w *hashWorld) set(key string) {
	v, nx, keep := w.value(), w.rng.IntN(3) == 0, w.rng.IntN(2) == 0
	done := !nx || !w.exists(key)
	at := w.expires[key]
	if done {
		w.forget(key)
		w.strings[key] = v
		if keep && at > w.now {
			w.expires[key] = at
		}
	}
	r, err := w.p.Put([]byte(key), v, SetOptions{NX: nx, KeepTTL: keep})
	if r.Done != done || err != nil {
		w.t.Fatalf("Put(%q, nx %v) = %v, %v; want %v", key, nx, r.Done, err, done)
	}
}

func (w *hashWorld) incr(key string) {
	exists := w.exists(key)
	_, err := w.p.Incr([]byte(key), 1)
	switch v := w.strings[key]; {
	case exists && !v.OK:
		w.want("Incr", err, ErrWrongType)
	case v.IsText:
		w.want("Incr", err, ErrNotInteger)
	case v.Int == maxInt:
		w.want("Incr", err, ErrOverflow)
	default:
		w.want("Incr", err, nil)
		w.strings[key] = IntValue(v.Int + 1)
	}
}

func (w *hashWorld) expire(key string) {
	at := w.now + int64(w.rng.IntN(6)) - 1
	exists := w.exists(key)
	ok, err := w.p.ExpireAt([]byte(key), at, 0)
	if ok != exists || err != nil {
		w.t.Fatalf("ExpireAt(%q) = %v, %v; want %v", key, ok, err, exists)
	}
	if exists {
		w.expires[key] = at
		w.exists(key)
	}
}

func (w *hashWorld) getDel(key string) {
	exists := w.exists(key)
	v, err := w.p.GetDel([]byte(key))
	if exists && !w.strings[key].OK {
		w.want("GetDel", err, ErrWrongType)
		return
	}
	if v != w.strings[key] || err != nil {
		w.t.Fatalf("GetDel(%q) = %+v, %v; want %+v", key, v, err, w.strings[key])
	}
	w.forget(key)
}

// check asks for everything in every way.
func (w *hashWorld) check() {
	types := map[string]Type{}
	if err := w.p.Keys(func(key []byte, t Type) error { types[string(key)] = t; return nil }); err != nil {
		w.t.Fatalf("Keys = %v", err)
	}
	for _, key := range []string{"a", "b", strings.Repeat("c", 60)} {
		w.checkKey(key, types[key])
	}
	w.commit()
	// DBSIZE counts what has expired until it is swept.
	if n := sizeOf(w.t, w.p); n < int64(len(types)) || n > 3 {
		w.t.Fatalf("Size = %d; want %d or a little more", n, len(types))
	}
}

func (w *hashWorld) checkKey(key string, found Type) {
	w.exists(key)
	h, k := w.hashes[key], []byte(key)
	want := TypeNone
	if w.strings[key].OK {
		want = TypeString
	} else if len(h) > 0 {
		want = TypeHash
	}
	if got, err := w.p.Type(k); got != want || found != want || err != nil {
		w.t.Fatalf("Type(%q) = %v, %v, Keys found %v; want %v", key, got, err, found, want)
	}
	at, ok, err := w.p.ExpireTime(k)
	if at != w.expires[key] && want != TypeNone || ok != (want != TypeNone) || err != nil {
		w.t.Fatalf("ExpireTime(%q) = %d, %v, %v; want %d, %v", key, at, ok, err, w.expires[key], want != TypeNone)
	}
	all := map[string]Value{}
	err = w.p.EachField(k, func(f []byte, v Value) { all[string(f)] = v })
	if want == TypeString {
		w.want("EachField", err, ErrWrongType)
		return
	}
	n, lenErr := w.p.Len(k)
	if err = errors.Join(err, lenErr); err != nil || int(n) != len(h) || fmt.Sprint(all) != fmt.Sprint(h) && len(h)+len(all) > 0 {
		w.t.Fatalf("EachField(%q) = %v, Len = %d, %v; want %v", key, all, n, err, h)
	}
	for _, f := range []string{"", "f", "g", strings.Repeat("h", 50)} {
		if v, _, err := w.p.Field(k, []byte(f)); v != h[f] || err != nil {
			w.t.Fatalf("Field(%q, %q) = %+v, %v; want %+v", key, f, v, err, h[f])
		}
	}
}

// TestHashModel runs random commands on hashes and strings of the same names against maps, over flushes, evictions,
// expiries, restarts and crashes.
func TestHashModel(t *testing.T) {
	worlds := 400
	if testing.Short() {
		worlds = 60
	}
	if shortRace() {
		worlds = 15
	}
	for seed := range uint64(worlds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newHashWorld(t, seed)
			for range 80 {
				w.step()
				w.check()
			}
			w.finish()
		})
	}
}

// finish lets everything expire and be deleted: nothing may be left, in memory or in the database.
func (w *hashWorld) finish() {
	w.do(w.e.Flush)
	if err := checkStore(w.t, w.e, w.o); err != nil {
		w.t.Fatal(err)
	}
	w.open()
	for key := range w.hashes {
		w.del(key)
	}
	for key := range w.strings {
		w.del(key)
	}
	w.now += 100
	w.do(w.e.Sweep)
	for range 3 {
		w.do(w.e.Flush)
	}
	if s := w.e.Stats(); s.Keys[0] != 0 || s.Expires[0] != 0 {
		w.t.Fatalf("%d keys are left, %d with an expiry", s.Keys[0], s.Expires[0])
	}
	w.do(w.e.Sweep)
	var err error
	for k, v := range store.Scan(w.e.db, nil, nil, &err) {
		if k[0] == store.StatePrefix || k[0] == store.FieldsPrefix || k[0] == store.IndexPrefix {
			w.t.Errorf("the database has %q: %q", k, v)
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// checkStore closes the store and verifies it.
func checkStore(t *testing.T, e *Engine, o Options) error {
	t.Helper()
	if err := e.Close(); err != nil {
		return err
	}
	o.Logger = quiet
	var out strings.Builder
	if err := Check("store", o, &out); err != nil {
		return fmt.Errorf("%w\n%s", err, &out)
	}
	return nil
}

// TestSampleFieldsEvenly draws from a small hash: each field is as likely as another.
func TestSampleFieldsEvenly(t *testing.T) {
	e := open(t, Options{})
	p := e.NewPipeline()
	const fields, count, rounds = 10, 3, 3000
	for i := range fields {
		if err := setOne(p, "h", strconv.Itoa(i), 1); err != nil {
			t.Fatal(err)
		}
	}
	drawn := map[string]int{}
	for range rounds {
		if err := p.SampleFields([]byte("h"), count, func(field []byte, _ Value) { drawn[string(field)]++ }); err != nil {
			t.Fatalf("SampleFields = %v", err)
		}
	}
	for field, n := range drawn {
		if even := rounds * count / fields; n < even*4/5 || n > even*6/5 { // seven deviations
			t.Errorf("field %s is drawn %d times; want about %d", field, n, even)
		}
	}
	if _, err := p.Commit(); err != nil {
		t.Errorf("Commit = %v", err)
	}
}

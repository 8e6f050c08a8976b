package tlv

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
)

// allocated is how many bytes f allocates, as little as it was in some runs: others allocate in the background.
func allocated(f func()) (least uint64) {
	least = 1 << 62
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// The inputs that have most structs to a byte, right and wrong ones.
func TestReadingAllocatesAtMostTenTimesTheInput(t *testing.T) {
	var contributions, resets, texts State
	var n N
	var z Z
	var foreign State
	batches := []Batch{{Replica: 1, Stamp: 1}, {Replica: 1, Stamp: 1}, {Replica: 1, Stamp: 1}}
	for id := ReplicaID(1); id <= 255; id++ {
		contributions.Put(Contribution{Replica: id, Birth: 1, Rev: 1, Last: 1})
		resets.PutReset(Reset{Replica: id, Rev: 1})
		foreign.Origins = append(foreign.Origins, NewOrigin(NoCluster, id))
		texts.Put(Contribution{Replica: id, Birth: 1, Rev: 1, Last: 1, HasValue: true, IsText: true, Text: "xy"})
		n = append(n, NTotal{id, 0})
		z = append(z, ZValue{id, 0, 0})
		key := []byte{byte(id % databases), byte(id)}
		batches[0].Deltas = append(batches[0].Deltas, Delta{key, State{Contributions: contributions.Contributions[:1]}})
		batches[2].Deltas = append(batches[2].Deltas, Delta{key, State{Contributions: texts.Contributions[:1]}})
		batches[1].Deltas = append(batches[1].Deltas, Delta{key, State{Resets: resets.Resets[:1]}})
	}
	var vector Vector
	var page []byte
	for id := ReplicaID(1); id <= 255; id++ {
		vector.Put(VectorEntry{Replica: id, Stamp: 1})
		page = AppendDelta(page, &batches[1].Deltas[id-1])
	}
	long := State{Contributions: []Contribution{{Replica: 1, Birth: 1, Rev: 1, Last: 1, HasValue: true, IsText: true, Text: string(make([]byte, MaxText))}}}
	inputs := map[string][]byte{
		"texts":                   AppendState(nil, &texts),
		"a long text":             AppendState(nil, &long),
		"batch of texts":          AppendBatch(nil, &batches[2]),
		"vector":                  AppendVector(nil, vector),
		"deltas":                  page,
		"contributions":           AppendState(nil, &contributions),
		"resets":                  AppendState(nil, &resets),
		"origins":                 AppendState(nil, &State{Origins: sorted[Origin](foreign.Origins)}),
		"N":                       AppendN(nil, n),
		"Z":                       AppendZ(nil, z),
		"batch of contributions":  AppendBatch(nil, &batches[0]),
		"batch of resets":         AppendBatch(nil, &batches[1]),
		"empty contributions":     bytes.Repeat([]byte("c\x00"), 2000),
		"empty resets":            bytes.Repeat([]byte("r\x00"), 2000),
		"empty deltas":            Append(nil, 'B', append(append(append([]byte{1}, make([]byte, 23)...), "1\x011\x02"...), bytes.Repeat([]byte("d\x00"), 2000)...)),
		"contributions of zeroes": bytes.Repeat(append([]byte{'c', 15}, make([]byte, 15)...), 200),
	}
	for name, data := range inputs {
		for reader, parse := range map[string]func(){
			"ParseState":  func() { _, _ = ParseState(data) },
			"ParseBatch":  func() { _, _, _ = ParseBatch(data) },
			"ParseN":      func() { _, _ = ParseN(data) },
			"ParseZ":      func() { _, _ = ParseZ(data) },
			"ParseDeltas": func() { _, _ = ParseDeltas(data) },
			"ParseVector": func() { _, _ = ParseVector(data) },
		} {
			if got, most := allocated(parse), uint64(10*len(data)+1024); got > most {
				t.Errorf("%s of %s: %d bytes of %d; want at most %d", reader, name, got, len(data), most)
			}
		}
	}
}

func TestAllocations(t *testing.T) {
	one := State{Contributions: []Contribution{exampleAdd}}
	both := State{Contributions: []Contribution{exampleAdd, exampleSet}, Resets: []Reset{exampleReset}}
	text := State{Contributions: []Contribution{exampleText}}
	textData := AppendState(nil, &text)
	batch := exampleBatch()
	oneData, bothData := AppendState(nil, &one), AppendState(nil, &both)
	buf := make([]byte, 0, 1024)
	var s State
	for name, test := range map[string]struct {
		most float64
		f    func()
	}{
		"AppendState":                    {0, func() { AppendState(buf, &both) }},
		"AppendBatch":                    {0, func() { AppendBatch(buf, &batch) }},
		"AppendState of a text":          {0, func() { AppendState(buf, &text) }},
		"ParseState of a text":           {2, func() { _, _ = ParseState(textData) }},
		"ParseState of one contribution": {1, func() { _, _ = ParseState(oneData) }},
		"ParseState of both":             {2, func() { _, _ = ParseState(bothData) }},
		"ParseStateInto":                 {0, func() { _ = ParseStateInto(&s, bothData) }},
		"Merge of the same replicas":     {0, func() { both.Merge(&one) }},
		"View":                           {0, func() { both.View() }},
	} {
		if got := testing.AllocsPerRun(100, test.f); got > test.most {
			t.Errorf("%s: %v allocations; want at most %v", name, got, test.most)
		}
	}
}

func BenchmarkParseState(b *testing.B) {
	for name, data := range benchmarkStates() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := ParseState(data); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/into", func(b *testing.B) {
			b.ReportAllocs()
			var s State
			for b.Loop() {
				if err := ParseStateInto(&s, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendState(b *testing.B) {
	for name, data := range benchmarkStates() {
		s, err := ParseState(data)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				buf = AppendState(buf[:0], &s)
			}
		})
	}
}

func BenchmarkMergeAndView(b *testing.B) {
	s, err := ParseState(benchmarkStates()["3"])
	if err != nil {
		b.Fatal(err)
	}
	o := s.Clone()
	b.ReportAllocs()
	for b.Loop() {
		s.Merge(&o)
		s.View()
	}
}

func BenchmarkBatch(b *testing.B) {
	batch := Batch{Replica: 1 << 60, Stamp: 1e18}
	for i := range 10000 {
		batch.Deltas = append(batch.Deltas, Delta{Key: fmt.Appendf(nil, "\x00counter:%d", i), State: State{Contributions: []Contribution{
			{Replica: 1 << 60, Rev: 1e18, Birth: 1e18 - 1<<32, Last: 1e18, Total: FromInt64(int64(i))}}}})
	}
	data := AppendBatch(nil, &batch)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			AppendBatch(data[:0], &batch)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e4, "ns/delta")
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := ParseBatch(data); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e4, "ns/delta")
	})
}

// benchmarkStates are encoded states with stamps of the present, by their number of contributions.
func benchmarkStates() map[string][]byte {
	const now = Stamp(1.7e12) << StampShift
	states := map[string][]byte{}
	for _, n := range []int{1, 3} {
		var s State
		for i := range n {
			s.Put(Contribution{Replica: ReplicaID(i+1) << 60, Birth: now, Rev: now + 1<<32, Last: now + 1<<32, Total: FromInt64(123456)})
		}
		states[fmt.Sprint(n)] = AppendState(nil, &s)
	}
	return states
}

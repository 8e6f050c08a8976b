package migrate

import (
	"fmt"
	"io"
	"maps"
	"slices"
)

// Report is what an import did.
type Report struct {
	Seen            int64 // keys looked at; one that SCAN names twice counts twice
	Strings, Hashes int64 // taken along
	Added           int64 // counters added to what the target has, now or by an import before
	There           int64 // left alone, because the target has them
	Left            map[string]*Left
}

// Left are keys that were not taken along, for one reason.
type Left struct {
	Keys     int64
	Examples []Example
}

// Example is one of them. Detail is the target's error, if that was the reason.
type Example struct {
	DB          int
	Key, Detail string
}

// maxExamples is how many keys are named for each reason. Options.Left is told all.
const maxExamples = 10

func (r *Report) leave(why string, e Example) {
	if r.Left == nil {
		r.Left = make(map[string]*Left)
	}
	l := r.Left[why]
	if l == nil {
		l = new(Left)
		r.Left[why] = l
	}
	l.Keys++
	if len(l.Examples) < maxExamples {
		l.Examples = append(l.Examples, e)
	}
}

// LeftKeys is how many were not taken along.
func (r *Report) LeftKeys() (n int64) {
	for _, l := range r.Left {
		n += l.Keys
	}
	return n
}

// Write prints the report.
func (r *Report) Write(w io.Writer) {
	fmt.Fprintf(w, "taken along: %d strings, %d hashes\n", r.Strings, r.Hashes)
	if r.Added > 0 {
		fmt.Fprintf(w, "added: %d counters\n", r.Added)
	}
	if r.There > 0 {
		fmt.Fprintf(w, "left alone, because they are there already: %d keys\n", r.There)
	}
	for _, why := range slices.Sorted(maps.Keys(r.Left)) {
		l := r.Left[why]
		fmt.Fprintf(w, "not taken along, %s: %d keys\n", why, l.Keys)
		for _, e := range l.Examples {
			fmt.Fprintf(w, "  db %d  %q  %s\n", e.DB, e.Key, e.Detail)
		}
		if more := l.Keys - int64(len(l.Examples)); more > 0 {
			fmt.Fprintf(w, "  and %d more\n", more)
		}
	}
}

package engine

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"atomiccounter/engine/enginetest"
)

// TestSectionGreaterThanASegment, then one that is too large: what does not fit is refused before it acts, and the engine lives.
func TestSectionGreaterThanASegment(t *testing.T) {
	if shortRace() {
		t.Skip("64 MiB that one pipeline writes")
	}
	o := disk()
	e := open(t, o)
	p := e.NewPipeline()
	begin(t, p, false)
	text := strings.Repeat("x", MaxText)
	written := 0
	for ; ; written++ {
		_, err := p.Put(fmt.Appendf(nil, "k%d", written), ParseValue([]byte(text)), SetOptions{})
		if errors.Is(err, ErrSectionFull) {
			break
		}
		must(t, nil, err)
	}
	end(t, p)
	if written < 60 || written > 64 {
		t.Errorf("%d texts of 1 MiB were written; want about 63", written)
	}
	last, over := fmt.Sprintf("k%d", written-1), fmt.Sprintf("k%d", written)
	look(t, e, "k0", text, last, text, over, "(none)")
	look(t, open(t, crashed(e, o)), "k0", text, last, text, over, "(none)")
}

// TestSectionWithoutRoom: the journal finds no room for the frame.
func TestSectionWithoutRoom(t *testing.T) {
	o := disk()
	s := o.segments.(*enginetest.Segments)
	o.segments = s
	e := open(t, o)
	prepared(e)
	s.Fail(errors.New("disk full"), nil)
	p := e.NewPipeline()
	begin(t, p, false)
	_, err := p.Incr([]byte("k"), 1)
	must(t, nil, err)
	if _, err := p.Put([]byte("text"), ParseValue([]byte(strings.Repeat("x", 1<<17))), SetOptions{}); !errors.Is(err, ErrNoSpace) {
		t.Errorf("Put without room = %v; want %v", err, ErrNoSpace)
	}
	end(t, p)
	look(t, e, "k", "1", "text", "(none)")
	s.Fail(nil, nil)
}

// TestGreatSectionsOneAfterAnother: sections that wait together may each write much; a flush has only what one has left.
func TestGreatSectionsOneAfterAnother(t *testing.T) {
	sections, texts := 4, maxTexts>>20+1
	if shortRace() {
		sections = 2
	}
	o := disk()
	greatest := 0
	o.publish = func(batch []byte) { greatest = max(greatest, len(batch)) }
	e := open(t, o)
	first := e.NewPipeline()
	begin(t, first, false)
	var waiting sync.WaitGroup
	write := func(p *Pipeline, section int) {
		defer p.End()
		for i := range texts {
			v := Value{Text: strings.Repeat("x", 1<<20), IsText: true, OK: true}
			if _, err := p.Put(fmt.Appendf(nil, "k%d %d", section, i), v, SetOptions{}); err != nil {
				t.Errorf("Put = %v", err)
			}
		}
	}
	for i := range sections - 1 {
		waiting.Go(func() {
			p := e.NewPipeline()
			if err := p.Begin(false); err != nil {
				t.Errorf("Begin = %v", err)
				return
			}
			write(p, i)
			if err := p.finish(); err != nil {
				t.Errorf("Commit = %v", err)
			}
		})
	}
	for range 1000 { // they wait, now or soon
		runtime.Gosched()
	}
	write(first, sections)
	mustCommit(t, first)
	waiting.Wait()
	if err := e.Flush(); err != nil {
		t.Fatalf("Flush = %v", err)
	}
	if most := (texts + 1) << 20; greatest > most {
		t.Errorf("a flush has published %d bytes; want %d at most", greatest, most)
	}
	if n := sizeOf(t, first); n != int64(sections*texts) {
		t.Errorf("Size = %d; want %d", n, sections*texts)
	}
	mustCommit(t, first)
}

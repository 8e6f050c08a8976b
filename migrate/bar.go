package migrate

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Bar shows progress: on a terminal as one line that is written again and again, else as a line now and then.
type Bar struct {
	W        io.Writer
	Terminal bool

	last time.Duration // when it was shown; 0: never
}

const (
	barWidth     = 30
	barEvery     = 100 * time.Millisecond
	barLineEvery = 5 * time.Second
)

// Show shows it if that is due.
func (b *Bar) Show(p Progress) {
	every := barLineEvery
	if b.Terminal {
		every = barEvery
	}
	if p.Elapsed-b.last < every && !p.Done {
		return
	}
	b.last = p.Elapsed
	if b.Terminal {
		fmt.Fprintf(b.W, "\r%s\x1b[K", p)
		return
	}
	fmt.Fprintln(b.W, p)
}

// End leaves the line.
func (b *Bar) End() {
	if b.Terminal && b.last > 0 {
		fmt.Fprintln(b.W)
	}
}

// String is one line: a bar, keys, rate and what remains.
func (p Progress) String() string {
	share := 1.0
	if p.Total > 0 {
		share = min(float64(p.Seen)/float64(p.Total), 1)
	}
	full := int(share * barWidth)
	rate := float64(p.Seen) / max(p.Elapsed.Seconds(), 1e-3)
	remaining := "?"
	if rate > 0 {
		left := float64(max(p.Total-p.Seen, 0)) / rate
		remaining = (time.Duration(left) * time.Second).String()
	}
	return fmt.Sprintf("[%s%s] %3.0f %%  %d of %d keys  %.0f keys/s  %s remaining",
		strings.Repeat("#", full), strings.Repeat("-", barWidth-full), 100*share, p.Seen, p.Total, rate, remaining)
}

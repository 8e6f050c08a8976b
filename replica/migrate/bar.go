package migrate

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
)

// Bar shows progress: on a terminal as a bar, elsewhere as a line now and then.
type Bar struct {
	w     io.Writer
	every time.Duration // between two lines; 0: on a terminal
	bar   *progressbar.ProgressBar
	last  time.Duration // when it was shown; 0: never
}

// NewBar shows progress in a file, from now on.
func NewBar(f *os.File) *Bar { return newBar(f, isatty.IsTerminal(f.Fd())) }

func newBar(w io.Writer, terminal bool) *Bar {
	options := []progressbar.Option{progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("keys"),
		progressbar.OptionSetWidth(30), progressbar.OptionSetPredictTime(true)}
	b := &Bar{w: w}
	if terminal {
		options = append(options, progressbar.OptionSetWriter(w), progressbar.OptionThrottle(100*time.Millisecond))
	} else {
		options = append(options, progressbar.OptionSetWriter(io.Discard))
		b.every = 5 * time.Second
	}
	b.bar = progressbar.NewOptions64(1, options...)
	b.bar.StartWithoutRender() // or the rate is that since the first line
	return b
}

// Show shows it if that is due.
func (b *Bar) Show(p Progress) {
	if p.Elapsed-b.last < b.every && !p.Done {
		return
	}
	b.last = p.Elapsed
	total := max(p.Total, p.Seen, 1) // what the source said at the start may have been less
	if p.Done {
		total = max(p.Seen, 1)
	}
	b.bar.ChangeMax64(total)
	if err := b.bar.Set64(p.Seen); err != nil {
		fmt.Fprintln(b.w, err)
	} else if b.every > 0 {
		fmt.Fprintln(b.w, strings.TrimSpace(b.bar.String()))
	}
}

// End leaves the line of a bar.
func (b *Bar) End() {
	if b.every == 0 && b.last > 0 {
		fmt.Fprintln(b.w)
	}
}

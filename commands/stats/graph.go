package stats

import (
	"fmt"
	"strings"
)

const graphRows = 4

// Graph draws the samples, each a column of what is long beside the others.
func (e *Event) Graph(name string, now int64) string {
	least := e.Samples[0].MS
	most := least
	for _, s := range e.Samples {
		least, most = min(least, s.MS), max(most, s.MS)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n", name, most, least, e.Max)
	b.WriteString(strings.Repeat("-", 80) + "\n")
	for row := graphRows; row > 0; row-- {
		for _, s := range e.Samples {
			b.WriteByte(mark(s.MS-least, most-least, int64(row)))
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	e.ages(&b, now)
	return b.String()
}

// mark is what a column has in a row: # up to its height, _ on the ground.
func mark(ms, span, row int64) byte {
	height := int64(0)
	if span > 0 {
		height = ms * graphRows / span
	}
	switch {
	case height >= row:
		return '#'
	case row == 1:
		return '_'
	}
	return ' '
}

// ages writes under each column how long ago it was, from top to bottom.
func (e *Event) ages(b *strings.Builder, now int64) {
	var labels []string
	longest := 0
	for _, s := range e.Samples {
		label := ago(now - s.At)
		labels, longest = append(labels, label), max(longest, len(label))
	}
	for i := range longest {
		for _, label := range labels {
			if i < len(label) {
				b.WriteByte(label[i])
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
}

func ago(s int64) string {
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm", s/60)
	case s < 3600*24:
		return fmt.Sprintf("%dh", s/3600)
	}
	return fmt.Sprintf("%dd", s/3600/24)
}

// Mean is that of the samples, in ms.
func (e *Event) Mean() (ms int64) {
	for _, s := range e.Samples {
		ms += s.MS
	}
	return ms / int64(len(e.Samples))
}

package commands

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"atomiccounter/commands/resp"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func latencyHistory(c *Context, args [][]byte) {
	e := c.Server.latency.event(string(args[2]))
	if e == nil {
		c.Out.Array(0)
		return
	}
	c.Out.Array(len(e.samples))
	for _, s := range e.samples {
		c.Out.Array(2)
		c.Out.Int(s.at)
		c.Out.Int(s.ms)
	}
}

func latencyLatest(c *Context, _ [][]byte) {
	names := c.Server.latency.names()
	c.Out.Array(len(names))
	for _, name := range names {
		e := c.Server.latency.event(name)
		if e == nil { // reset meanwhile
			e = &latencyEvent{samples: make([]latencySample, 1)}
		}
		last := e.samples[len(e.samples)-1]
		c.Out.Array(4)
		c.Out.BulkString(name)
		c.Out.Int(last.at)
		c.Out.Int(last.ms)
		c.Out.Int(e.max)
	}
}

func latencyReset(c *Context, args [][]byte) { c.Out.Int(c.Server.latency.reset(args[2:])) }

// latencyGraph draws the samples of an event, each a column of what is long beside the others.
func latencyGraph(c *Context, args [][]byte) {
	e := c.Server.latency.event(string(args[2]))
	if e == nil {
		c.Out.Error(fmt.Sprintf("ERR No samples available for event '%s'", cString(args[2])))
		return
	}
	c.Out.Verbatim("txt", e.graph(string(args[2]), time.Now().Unix()))
}

const graphRows = 4

func (e *latencyEvent) graph(name string, now int64) string {
	least := e.samples[0].ms
	most := least
	for _, s := range e.samples {
		least, most = min(least, s.ms), max(most, s.ms)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n", name, most, least, e.max)
	b.WriteString(strings.Repeat("-", 80) + "\n")
	for row := graphRows; row > 0; row-- {
		for _, s := range e.samples {
			b.WriteByte(mark(s.ms-least, most-least, int64(row)))
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
func (e *latencyEvent) ages(b *strings.Builder, now int64) {
	var labels []string
	longest := 0
	for _, s := range e.samples {
		label := ago(now - s.at)
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

// latencyDoctor reports all events in words.
func latencyDoctor(c *Context, _ [][]byte) {
	m := &c.Server.latency
	names := m.names()
	switch {
	case len(names) > 0:
	case c.Server.Config.LatencyThreshold() == 0:
		c.Out.Verbatim("txt", "Latency is not monitored. CONFIG SET latency-monitor-threshold <milliseconds> has what takes as long noted.\n")
		return
	default:
		c.Out.Verbatim("txt", "Nothing has taken as long as latency-monitor-threshold says.\n")
		return
	}
	var b strings.Builder
	b.WriteString("Since the start, or LATENCY RESET, took longer than latency-monitor-threshold:\n\n")
	for i, name := range names {
		if e := m.event(name); e != nil {
			fmt.Fprintf(&b, "%d. %s: %d times, %d ms in the mean, %d ms at most\n", i+1, name, len(e.samples), e.mean(), e.max)
		}
	}
	b.WriteString("\nSLOWLOG GET shows which commands they were. A slow or busy disk shows in INFO persistence.\n")
	c.Out.Verbatim("txt", b.String())
}

func (e *latencyEvent) mean() (ms int64) {
	for _, s := range e.samples {
		ms += s.ms
	}
	return ms / int64(len(e.samples))
}

// latencyHistogram shows how long calls took, cumulated at powers of two, of all commands or of those named.
func latencyHistogram(c *Context, args [][]byte) {
	c.EndRound(time.Now()) // what came before in this round counts, too
	var list []*Command
	for _, name := range args[2:] {
		list = append(list, c.table.withSubcommands(name)...)
	}
	if len(args) == 2 {
		list = c.table.called(&c.Server.calls)
	}
	calls := &c.Server.calls
	list = slices.DeleteFunc(list, func(cmd *Command) bool { return calls.rows[cmd.id].histogram.Load() == nil })
	c.Out.Map(len(list))
	for _, cmd := range list {
		c.Out.BulkString(cmd.FullName)
		counts, sum := calls.rows[cmd.id].histogram.Load().read()
		writeDistribution(&c.Out, &counts, sum)
	}
}

// withSubcommands finds a command by its full name, or a container's subcommands.
func (x *index) withSubcommands(name []byte) (list []*Command) {
	cmd := x.byFullName(name)
	switch {
	case cmd == nil:
	case cmd.Sub != nil:
		for i := range cmd.Sub {
			list = append(list, &cmd.Sub[i])
		}
	default:
		list = append(list, cmd)
	}
	return list
}

func writeDistribution(r *resp.Reply, counts *[histogramSize]int64, sum int64) {
	var pairs [][2]int64
	upTo, next := int64(0), 0
	for limit := int64(1024); upTo < sum; limit *= 2 {
		last := bucketOf(limit)
		before := upTo
		for ; next < histogramSize && (next <= last || limit > histogramMax); next++ {
			upTo += counts[next]
		}
		if upTo > before {
			pairs = append(pairs, [2]int64{highest(last) / 1000, upTo})
		}
	}
	r.Map(2)
	r.BulkString("calls")
	r.Int(sum)
	r.BulkString("histogram_usec")
	r.Map(len(pairs))
	for _, p := range pairs {
		r.Int(p[0])
		r.Int(p[1])
	}
}

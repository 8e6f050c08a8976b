package commands

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"atomiccounter/commands/resp"
	"atomiccounter/commands/stats"
)

func latencyHistory(c *Context, args [][]byte) {
	e := c.Server.Stats.Latency.Event(string(args[2]))
	if e == nil {
		c.Out.Array(0)
		return
	}
	c.Out.Array(len(e.Samples))
	for _, s := range e.Samples {
		c.Out.Array(2)
		c.Out.Int(s.At)
		c.Out.Int(s.MS)
	}
}

func latencyLatest(c *Context, _ [][]byte) {
	names := c.Server.Stats.Latency.Names()
	c.Out.Array(len(names))
	for _, name := range names {
		e := c.Server.Stats.Latency.Event(name)
		if e == nil { // reset meanwhile
			e = &stats.Event{Samples: make([]stats.Sample, 1)}
		}
		last := e.Samples[len(e.Samples)-1]
		c.Out.Array(4)
		c.Out.BulkString(name)
		c.Out.Int(last.At)
		c.Out.Int(last.MS)
		c.Out.Int(e.Max)
	}
}

func latencyReset(c *Context, args [][]byte) { c.Out.Int(c.Server.Stats.Latency.Reset(args[2:])) }

func latencyGraph(c *Context, args [][]byte) {
	e := c.Server.Stats.Latency.Event(string(args[2]))
	if e == nil {
		c.Out.Error(fmt.Sprintf("ERR No samples available for event '%s'", cString(args[2])))
		return
	}
	c.Out.Verbatim("txt", e.Graph(string(args[2]), time.Now().Unix()))
}

// latencyDoctor reports all events in words.
func latencyDoctor(c *Context, _ [][]byte) {
	m := &c.Server.Stats.Latency
	names := m.Names()
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
		if e := m.Event(name); e != nil {
			fmt.Fprintf(&b, "%d. %s: %d times, %d ms in the mean, %d ms at most\n", i+1, name, len(e.Samples), e.Mean(), e.Max)
		}
	}
	b.WriteString("\nSLOWLOG GET shows which commands they were. A slow or busy disk shows in INFO persistence.\n")
	c.Out.Verbatim("txt", b.String())
}

// latencyHistogram shows how long calls took, cumulated at powers of two, of all commands or of those named.
func latencyHistogram(c *Context, args [][]byte) {
	c.EndRound(time.Now()) // what came before in this round counts, too
	var list []*Command
	for _, name := range args[2:] {
		list = append(list, c.table.withSubcommands(name)...)
	}
	if len(args) == 2 {
		list = c.table.called(&c.Server.Stats.Calls)
	}
	calls := &c.Server.Stats.Calls
	list = slices.DeleteFunc(list, func(cmd *Command) bool { return calls.Row(cmd.id).Histogram() == nil })
	c.Out.Map(len(list))
	for _, cmd := range list {
		c.Out.BulkString(cmd.FullName)
		counts, sum := calls.Row(cmd.id).Histogram().Read()
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

func writeDistribution(r *resp.Reply, counts *stats.Counts, sum int64) {
	list := counts.Cumulated(sum)
	r.Map(2)
	r.BulkString("calls")
	r.Int(sum)
	r.BulkString("histogram_usec")
	r.Map(len(list))
	for _, u := range list {
		r.Int(u.Micros)
		r.Int(u.Count)
	}
}

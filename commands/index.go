package commands

import (
	"cmp"
	"slices"

	"atomiccounter/commands/stats"
)

// index finds commands by name. Names that agree in length, first and last letter share a slot.
type index struct {
	all   []Command
	slots [256][]*Command
}

// byName is the table as Run and Lookup use it. Handlers take it from their Context.
var byName = newIndex(slices.Concat(table, toolTable, pubsubTable))

func newIndex(rows []Command) *index {
	x := &index{all: rows}
	for i := range rows {
		c := &rows[i]
		c.FullName = c.Name
		for j := range c.Sub {
			c.Sub[j].FullName = c.Name + "|" + c.Sub[j].Name
		}
		h := slotOf([]byte(c.Name))
		x.slots[h] = append(x.slots[h], c)
	}
	id := 0
	x.each(func(c *Command) {
		c.id = id
		id++
	})
	if id > stats.MaxCommands {
		panic("bug: more commands than stats.MaxCommands")
	}
	return x
}

// each calls f with all rows and their subcommands.
func (x *index) each(f func(*Command)) {
	for i := range x.all {
		f(&x.all[i])
		for j := range x.all[i].Sub {
			f(&x.all[i].Sub[j])
		}
	}
}

func slotOf(name []byte) uint8 {
	if len(name) == 0 {
		return 0
	}
	return uint8(len(name)) + name[0]&0x1f*8 + name[len(name)-1]&0x1f*13
}

// Lookup finds a command by its name in any case, without allocation; nil: there is none.
func Lookup(name []byte) *Command { return byName.lookup(name) }

func (x *index) lookup(name []byte) *Command {
	for _, c := range x.slots[slotOf(name)] {
		if same(name, c.Name) {
			return c
		}
	}
	return nil
}

// find finds a command or, with two names, a subcommand, as a call with these arguments would.
func (x *index) find(args [][]byte) *Command {
	c := x.lookup(args[0])
	if c != nil && c.Sub != nil && len(args) > 1 {
		return c.sub(args[1])
	}
	return c
}

// byFullName finds "get" as well as "config|get".
func (x *index) byFullName(name []byte) *Command {
	for i, b := range name {
		if b == '|' {
			if c := x.lookup(name[:i]); c != nil {
				return c.sub(name[i+1:])
			}
			return nil
		}
	}
	return x.lookup(name)
}

// same says whether a word is the lower-case ASCII word, in any case.
func same(word []byte, lower string) bool {
	if len(word) != len(lower) {
		return false
	}
	for i, b := range word {
		if 'A' <= b && b <= 'Z' {
			b |= 0x20
		}
		if b != lower[i] {
			return false
		}
	}
	return true
}

// called are the rows that were called or rejected, by name.
func (x *index) called(s *stats.Calls) (list []*Command) {
	x.each(func(cmd *Command) {
		if s.Row(cmd.id).Seen() {
			list = append(list, cmd)
		}
	})
	slices.SortFunc(list, func(a, b *Command) int { return cmp.Compare(a.FullName, b.FullName) })
	return list
}

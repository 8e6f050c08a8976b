package lua

import (
	"reflect"
	"slices"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// Values that the interpreter would allocate one by one for each script are kept from one script to the next, which is possible because
// none outlives its script.

// contents is what is in a table of the interpreter, field by field.
type contents struct {
	Metatable lua.LValue
	array     []lua.LValue
	dict      map[lua.LValue]lua.LValue
	strdict   map[string]lua.LValue
	keys      []lua.LValue
	k2i       map[lua.LValue]int
}

// contentsOf gives what is in a table.
func contentsOf(t *lua.LTable) *contents { return (*contents)(unsafe.Pointer(t)) }

// checkContents makes sure that tables are as contents has them.
func checkContents() {
	theirs, ours := reflect.TypeFor[lua.LTable](), reflect.TypeFor[contents]()
	same := theirs.NumField() == ours.NumField()
	for i := 0; same && i < ours.NumField(); i++ {
		a, b := theirs.Field(i), ours.Field(i)
		same = a.Name == b.Name && a.Type == b.Type && a.Offset == b.Offset
	}
	if !same {
		panic("script: this version of the interpreter has other tables")
	}
}

// boxed gives a value of the type of v that lies where the caller has put it, and must not change there while it is in use.
func boxed(v lua.LValue, at unsafe.Pointer) lua.LValue {
	(*[2]unsafe.Pointer)(unsafe.Pointer(&v))[1] = at
	return v
}

// bytesOf gives the bytes of a text, which may only be read.
func bytesOf(text string) []byte {
	if text == "" {
		return []byte{} // not nil
	}
	return unsafe.Slice(unsafe.StringData(text), len(text))
}

// given is KEYS or ARGV, a table of texts that each script finds as new.
type given struct {
	table *lua.LTable
	texts []lua.LString // that are in it
}

// maxGiven is for how many texts a table keeps room.
const maxGiven = 256

// fill puts texts into an empty table. They are not copied.
func (g *given) fill(values [][]byte) {
	g.texts = slices.Grow(g.texts, len(values))[:len(values)]
	c := contentsOf(g.table)
	c.array = slices.Grow(c.array, len(values))
	for i, v := range values {
		g.texts[i] = lua.LString(unsafe.String(unsafe.SliceData(v), len(v)))
		c.array = append(c.array, boxed(lua.LString(""), unsafe.Pointer(&g.texts[i])))
	}
}

// clear takes away all that a script has found in the table, or put there.
func (g *given) clear() {
	c := contentsOf(g.table)
	clear(g.texts)
	clear(c.array[:cap(c.array)])
	g.texts, *c = g.texts[:0], contents{Metatable: lua.LNil, array: c.array[:0]}
	if cap(c.array) > maxGiven {
		c.array = nil
	}
	if cap(g.texts) > maxGiven {
		g.texts = nil
	}
}

// numbers are those that one script has been given.
type numbers []lua.LNumber

// numbersTogether are allocated at once.
const numbersTogether = 64

// box makes a value of a number.
func (n *numbers) box(f float64) lua.LValue {
	if len(*n) == cap(*n) {
		*n = make(numbers, 0, numbersTogether)
	}
	*n = append(*n, lua.LNumber(f))
	return boxed(lua.LNumber(0), unsafe.Pointer(&(*n)[len(*n)-1]))
}

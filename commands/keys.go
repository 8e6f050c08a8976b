package commands

import (
	"errors"

	"atomiccounter/engine"
)

func del(c *Context, args [][]byte) {
	n, err := c.Pipe.Del(args[1:])
	if err != nil {
		c.fail(err)
		return
	}
	c.Out.Int(int64(n))
}

// exists counts a key as often as it is named. TOUCH does the same: reading a key is all that touching it is.
func exists(c *Context, args [][]byte) {
	n := int64(0)
	for _, key := range args[1:] {
		ok, err := c.Pipe.Exists(key)
		if err != nil {
			c.fail(err)
			return
		}
		c.looked(key, ok)
		if ok {
			n++
		}
	}
	c.Out.Int(n)
}

// typeNames are Redis's, by type.
var typeNames = []string{engine.TypeNone: "none", engine.TypeString: "string", engine.TypeHash: "hash"}

func typeOf(c *Context, args [][]byte) {
	t, err := c.Pipe.Type(args[1])
	c.looked(args[1], t != engine.TypeNone)
	if err != nil {
		c.fail(err)
		return
	}
	c.Out.Status(typeNames[t])
}

// embedded is how long a string Redis keeps in one piece with its head.
const embedded = 44

// objectEncoding says what Redis would have for the value if it was just set.
func objectEncoding(c *Context, args [][]byte) {
	v, err := c.Pipe.Value(args[2])
	switch {
	case errors.Is(err, engine.ErrWrongType):
		c.hashEncoding(args[2])
	case err != nil:
		c.fail(err)
	case !v.OK:
		c.Out.Null()
	case !v.IsText:
		c.Out.BulkString("int")
	case len(v.Text) <= embedded:
		c.Out.BulkString("embstr")
	default:
		c.Out.BulkString("raw")
	}
}

// hashEncoding says what Redis would have for the hash if it was just made.
func (c *Context) hashEncoding(key []byte) {
	n, err := c.Pipe.Len(key)
	small := n <= engine.SmallHash
	if err == nil && small {
		err = c.Pipe.EachField(key, func(field []byte, v engine.Value) {
			small = small && len(field) <= engine.SmallField && v.Len() <= engine.SmallField
		})
	}
	switch {
	case err != nil:
		c.fail(err)
	case n == 0:
		c.Out.Null()
	case small:
		c.Out.BulkString("listpack")
	default:
		c.Out.BulkString("hashtable")
	}
}

func dbSize(c *Context, _ [][]byte) {
	n, err := c.Pipe.Size()
	if err != nil {
		c.fail(err)
		return
	}
	c.Out.Int(n)
}

func randomKey(c *Context, _ [][]byte) {
	key, ok, err := c.Pipe.RandomKey()
	switch {
	case err != nil:
		c.fail(err)
	case ok:
		c.Out.Bulk(key)
	default:
		c.Out.Null()
	}
}

func flushDB(c *Context, args [][]byte)  { c.flush(args, c.Pipe.FlushDB) }
func flushAll(c *Context, args [][]byte) { c.flush(args, c.Pipe.FlushAll) }

// flush cancels keys. ASYNC and SYNC are the same here: both are done when they reply, as fast as ASYNC.
func (c *Context) flush(args [][]byte, run func() error) {
	if len(args) > 2 || len(args) == 2 && !same(args[1], "async") && !same(args[1], "sync") {
		c.syntaxError()
		return
	}
	if err := run(); err != nil {
		c.fail(err)
		return
	}
	c.Out.OK()
}

// noRename is RENAME and those like it: what other replicas add meanwhile is bound to the old name, and would be left
// behind there. A client that needs it anyway can GETDEL and INCRBY, which loses nothing.
func noRename(c *Context, args [][]byte) {
	c.Out.Error("ERR " + string(upper(args[0])) +
		" is not supported: increments that other replicas make at the same time would stay with the old name; use GETDEL and INCRBY")
}

func noCopy(c *Context, _ [][]byte) {
	c.Out.Error("ERR COPY is not supported: a copy would count what other replicas added as this replica's own; use GET and INCRBY")
}

// swapDB takes a database for itself, which changes nothing.
func swapDB(c *Context, args [][]byte) {
	first, ok := ParseInt(args[1])
	if second, is := ParseInt(args[2]); ok && is && first == second && first >= 0 && first < engine.Databases {
		c.Out.OK()
		return
	}
	noMove(c, args)
}

// noMove is MOVE and SWAPDB.
func noMove(c *Context, args [][]byte) {
	c.Out.Error("ERR " + string(upper(args[0])) +
		" is not supported: increments that other replicas make at the same time would land in the wrong database")
}

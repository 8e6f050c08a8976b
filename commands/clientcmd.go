package commands

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

func clientID(c *Context, _ [][]byte) { c.Out.Int(c.Client.ID) }

func clientSetName(c *Context, args [][]byte) {
	if c.validName(args[2]) {
		c.Client.identity.SetName(string(args[2]))
		c.Out.OK()
	}
}

func clientGetName(c *Context, _ [][]byte) {
	if name := c.Client.identity.Name(); name != "" {
		c.Out.BulkString(name)
	} else {
		c.Out.Null()
	}
}

// printable says whether a name can stand in a line of CLIENT LIST.
func printable(name []byte) bool {
	return !slices.ContainsFunc(name, func(b byte) bool { return b < '!' || b > '~' })
}

func (c *Context) validName(name []byte) bool {
	if !printable(name) {
		c.Out.Error("ERR Client names cannot contain spaces, newlines or special characters.")
		return false
	}
	return true
}

func clientSetInfo(c *Context, args [][]byte) {
	value := string(args[3])
	var name, version *string
	switch option := args[2]; {
	case same(option, "lib-name"):
		name = &value
	case same(option, "lib-ver"):
		version = &value
	default:
		c.Out.Error(fmt.Sprintf("ERR Unrecognized option '%s'", cString(option)))
		return
	}
	if !printable(args[3]) {
		c.Out.Error(fmt.Sprintf("ERR %s cannot contain spaces, newlines or special characters.", cString(args[2])))
		return
	}
	c.Client.identity.setLibrary(name, version)
	c.Out.OK()
}

func clientInfo(c *Context, _ [][]byte) { c.Out.Verbatim("txt", c.Client.Line(time.Now())+"\n") }

// clientType is that of CLIENT LIST and CLIENT KILL. False: there is no such, and the reply is written.
func (c *Context) clientType(arg []byte) (string, bool) {
	for _, name := range []string{"normal", "master", "slave", "replica", "pubsub"} {
		if same(arg, name) {
			return name, true
		}
	}
	c.Out.Error(fmt.Sprintf("ERR Unknown client type '%s'", cString(arg)))
	return "", false
}

// kind is the type of a client: pubsub if it listens to channels, or normal. Peers are normal clients.
func (c *Client) kind() string {
	if c.push.ListensToAny() {
		return "pubsub"
	}
	return "normal"
}

func clientList(c *Context, args [][]byte) {
	each := c.Server.Clients.Each
	wanted := func(*Client) bool { return true }
	switch options := args[2:]; {
	case len(options) == 2 && same(options[0], "type"):
		kind, ok := c.clientType(options[1])
		if !ok {
			return
		}
		wanted = func(cl *Client) bool { return cl.kind() == kind }
	case len(options) > 1 && same(options[0], "id"):
		ids, ok := c.clientIDs(options[1:])
		if !ok {
			return
		}
		each = func(f func(*Client)) { // in the order in which they are named, as often as that
			for _, id := range ids {
				if cl := c.Server.Clients.find(id); cl != nil {
					f(cl)
				}
			}
		}
	case len(options) > 0:
		c.syntaxError()
		return
	}
	var text strings.Builder
	now := time.Now()
	each(func(cl *Client) {
		if wanted(cl) {
			text.WriteString(cl.Line(now) + "\n")
		}
	})
	c.Out.Verbatim("txt", text.String())
}

func (c *Context) clientIDs(args [][]byte) ([]int64, bool) {
	ids := make([]int64, len(args))
	for i, arg := range args {
		id, ok := ParseInt(arg)
		if !ok {
			c.Out.Error("ERR Invalid client ID")
			return nil, false
		}
		ids[i] = id
	}
	return ids, true
}

// killFilter says which clients CLIENT KILL means; a zero field means any.
type killFilter struct {
	id          int64
	addr, laddr []byte
	kind        string
	skipMe      bool
}

func (f *killFilter) matches(cl *Client) bool {
	return (f.kind == "" || f.kind == cl.kind()) && (f.id == 0 || f.id == cl.ID) && (f.addr == nil || string(f.addr) == cl.Addr) &&
		(f.laddr == nil || string(f.laddr) == cl.LocalAddr)
}

func clientKill(c *Context, args [][]byte) {
	if len(args) == 3 { // the old form
		if c.kill(killFilter{addr: args[2]}) == 0 {
			c.Out.Error("ERR No such client")
			return
		}
		c.Out.OK()
		return
	}
	f := killFilter{skipMe: true}
	for options := args[2:]; len(options) > 0; options = options[2:] {
		if len(options) == 1 {
			c.syntaxError()
			return
		}
		if !c.killOption(&f, options[0], options[1]) {
			return
		}
	}
	c.Out.Int(c.kill(f))
}

// killOption takes one option. False: it is wrong, and the reply is written.
func (c *Context) killOption(f *killFilter, name, value []byte) (ok bool) {
	switch {
	case same(name, "id"):
		if f.id, ok = ParseInt(value); !ok || f.id < 1 {
			c.Out.Error("ERR client-id should be greater than 0")
			return false
		}
	case same(name, "type"):
		f.kind, ok = c.clientType(value)
		return ok
	case same(name, "addr"):
		f.addr = value
	case same(name, "laddr"):
		f.laddr = value
	case same(name, "user"):
		if string(value) != defaultUser {
			c.Out.Error(fmt.Sprintf("ERR No such user '%s'", cString(value)))
			return false
		}
	case same(name, "skipme") && (same(value, "yes") || same(value, "no")):
		f.skipMe = same(value, "yes")
	default:
		c.syntaxError()
		return false
	}
	return true
}

// kill ends the connections that f means and counts them. The own one ends after its reply.
func (c *Context) kill(f killFilter) (n int64) {
	c.Server.Clients.Each(func(cl *Client) {
		switch {
		case !f.matches(cl) || f.skipMe && cl == c.Client:
			return
		case cl == c.Client:
			cl.Close = true
		default:
			cl.Kill()
		}
		n++
	})
	return n
}

func clientNoEvict(c *Context, args [][]byte) { c.onOff(args[2], c.Client.identity.setNoEvict) }
func clientNoTouch(c *Context, args [][]byte) { c.onOff(args[2], c.Client.identity.setNoTouch) }

func (c *Context) onOff(arg []byte, set func(on bool)) {
	if !same(arg, "on") && !same(arg, "off") {
		c.syntaxError()
		return
	}
	set(same(arg, "on"))
	c.Out.OK()
}

// clientReply turns replies off and on. Run leaves out what is not wanted.
func clientReply(c *Context, args [][]byte) {
	switch mode := args[2]; {
	case same(mode, "on"):
		c.Client.Reply = ReplyOn
		c.Out.OK()
	case same(mode, "off"):
		c.Client.Reply = ReplyOff
	case same(mode, "skip"):
		if c.Client.Reply != ReplyOff {
			c.Client.Reply = SkipNext
		}
	default:
		c.syntaxError()
	}
}

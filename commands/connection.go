package commands

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"atomiccounter/engine"
)

// compatible is the version of Redis that clients are told, some of which turn features on by it.
const compatible = "7.4.0"

// program is the name of this server where it has a field of its own.
const program = "atomiccounter"

func ping(c *Context, args [][]byte) {
	switch {
	case len(args) <= 2 && c.Out.Proto == 2 && c.Client.push.ListensToAny():
		c.pong(args)
	case len(args) == 1:
		c.Out.Status("PONG")
	case len(args) == 2:
		c.Out.Bulk(args[1])
	default:
		c.wrongArity(c.table.lookup(args[0]))
	}
}

func echo(c *Context, args [][]byte) { c.Out.Bulk(args[1]) }

func quit(c *Context, _ [][]byte) {
	c.Client.Close = true
	c.Out.OK()
}

func selectDB(c *Context, args [][]byte) {
	n, ok := c.int32(args[1])
	if !ok {
		return
	}
	if n < 0 || n >= engine.Databases {
		c.Out.Error("ERR DB index is out of range")
		return
	}
	c.use(n)
	c.Out.OK()
}

func (c *Context) use(db int) {
	c.Pipe.DB = uint8(db)
	c.Client.DB.Store(int32(db))
}

func (c *Context) speak(proto int) {
	c.deliver(c.Client.push.TakeAll(proto)) // that was written in the other one
	c.Out.Proto = proto
	c.Client.Proto.Store(int32(proto))
}

// reset brings the connection back to how it was when it was opened.
func reset(c *Context, _ [][]byte) {
	c.discard()
	c.Client.identity.reset()
	c.Client.debugs = false
	c.Client.credential = credential{}
	c.Server.letGo(c.Client)
	c.untrack()
	c.Client.Authenticated.Store(c.Server.Config.Password() == "")
	if c.Client.Reply != Skip { // as in Redis, a reply that is to be left out is left out
		c.Client.Reply = ReplyOn
	}
	c.use(0)
	c.speak(2)
	c.Out.Status("RESET")
}

// defaultUser is the only one there is.
const defaultUser = "default"

func auth(c *Context, args [][]byte) {
	user := []byte(defaultUser)
	switch {
	case len(args) > 3:
		c.syntaxError()
		return
	case len(args) == 3:
		user = args[1]
	case c.Server.Config.Password() == "":
		c.Out.Error("ERR AUTH <password> called without any password configured for the default user. " +
			"Are you sure your configuration is correct?")
		return
	}
	if c.authenticate(user, args[len(args)-1]) {
		c.Out.OK()
	}
}

// authenticate checks the user and the password; without a requirepass any will do. False: the reply is written.
func (c *Context) authenticate(user, password []byte) bool {
	want := c.Server.Config.Password()
	right := want == "" || subtle.ConstantTimeCompare(password, []byte(want)) == 1
	if string(user) != defaultUser || !right {
		c.Server.Log.Limited(slog.LevelWarn, "AUTH failed", slog.Int64("client", c.Client.ID), slog.String("addr", c.Client.Addr),
			slog.String("user", string(user[:min(len(user), shown)])))
		c.Out.Error("WRONGPASS invalid username-password pair or user is disabled.")
		return false
	}
	c.Client.Authenticated.Store(true)
	return true
}

func hello(c *Context, args [][]byte) {
	proto := c.Out.Proto
	if len(args) > 1 {
		var ok bool
		if proto, ok = c.protocol(args[1]); !ok || !c.helloOptions(args[2:]) {
			return
		}
	}
	if !c.Client.Authenticated.Load() && c.Server.Config.Password() != "" {
		c.Out.Error("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> " +
			"option can be used to authenticate the client and select the RESP protocol version at the same time")
		return
	}
	c.speak(proto)
	c.welcome()
}

// protocol reads a version. False: it is wrong, and the reply is written.
func (c *Context) protocol(arg []byte) (int, bool) {
	n, isInt := ParseInt(arg)
	switch {
	case !isInt:
		c.Out.Error("ERR Protocol version is not an integer or out of range")
		return 0, false
	case n != 2 && n != 3:
		c.Out.Error("NOPROTO unsupported protocol version")
		return 0, false
	}
	return int(n), true
}

// helloOptions does what the options say, one after the other: as in Redis, those before a wrong one have taken effect.
// False: one is wrong, and the reply is written.
func (c *Context) helloOptions(options [][]byte) bool {
	for len(options) > 0 {
		switch word := options[0]; {
		case same(word, "auth") && len(options) > 2:
			if !c.authenticate(options[1], options[2]) {
				return false
			}
			options = options[3:]
		case same(word, "setname") && len(options) > 1:
			if !c.validName(options[1]) {
				return false
			}
			c.Client.identity.SetName(string(options[1]))
			options = options[2:]
		default:
			c.Out.Error(fmt.Sprintf("ERR Syntax error in HELLO option '%s'", cString(word)))
			return false
		}
	}
	return true
}

func (c *Context) welcome() {
	out := &c.Out
	out.Map(8)
	for _, field := range [][2]string{{"server", "redis"}, {"version", compatible}, {program, c.Server.Version}} {
		out.BulkString(field[0])
		out.BulkString(field[1])
	}
	out.BulkString("proto")
	out.Int(int64(out.Proto))
	out.BulkString("id")
	out.Int(c.Client.ID)
	out.BulkString("mode")
	out.BulkString("standalone")
	out.BulkString("role")
	out.BulkString("master")
	out.BulkString("modules")
	out.Array(0)
}

// shutdown ends the process. The data is durable at any time, so SAVE and NOSAVE make no difference; there is nobody to
// wait for, so neither do NOW and FORCE, and never anything to ABORT.
func shutdown(c *Context, args [][]byte) {
	var save, noSave, abort, other bool
	for _, arg := range args[1:] {
		switch {
		case same(arg, "save"):
			save = true
		case same(arg, "nosave"):
			noSave = true
		case same(arg, "abort"):
			abort = true
		case same(arg, "now"), same(arg, "force"):
			other = true
		default:
			c.syntaxError()
			return
		}
	}
	switch {
	case save && noSave, abort && (save || noSave || other):
		c.syntaxError()
	case abort:
		c.Out.Error("ERR No shutdown in progress.")
	default: // no reply: the connection ends
		c.Client.Close = true
		c.Server.Shutdown()
	}
}

func timeOf(c *Context, _ [][]byte) {
	now := time.Now()
	c.Out.Array(2)
	c.Out.BulkInt(now.Unix())
	c.Out.BulkString(strconv.Itoa(now.Nanosecond() / 1000))
}

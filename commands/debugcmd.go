package commands

import (
	"strconv"
	"time"
)

const errNoDebug = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", " +
	"you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server."

// debugCommand is DEBUG, of which there are SLEEP and HELP. Unless it is enabled, find refuses it.
func debugCommand(c *Context, args [][]byte) {
	switch {
	case same(args[1], "sleep") && len(args) == 3:
		c.sleep(args[2])
	case same(args[1], "help") && len(args) == 2:
		lines := []string{"DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
			"SLEEP <seconds>", "    Hold up this connection for <seconds>. Decimals allowed.", "HELP", "    Prints this help."}
		writeStatuses(&c.Out, "", lines)
	default:
		c.Out.Error(wrongSubcommand(args))
	}
}

func (c *Context) mayDebug() bool {
	switch c.Server.Config.Load().Debug {
	case "yes":
		return true
	case "local":
		return c.Client.Local
	}
	return false
}

// sleep replies after some seconds. Other clients are held up only by a transaction that sleeps; in Redis, always. What is no
// number is 0 there.
func (c *Context) sleep(arg []byte) {
	s, err := strconv.ParseFloat(string(arg), 64)
	if err != nil || s < 0 || s > maxWaitMillis/1000 {
		s = 0
	}
	d := time.Duration(s * float64(time.Second))
	if c.inside { // which cannot let go of anything
		time.Sleep(d)
		c.Out.OK()
		return
	}
	until := time.Now().Add(d)
	c.wait(nil, until, func(bool) { c.slept(until) })
	c.Wait.works = true
}

func (c *Context) slept(until time.Time) {
	if time.Now().Before(until) {
		c.wait(nil, until, func(bool) { c.slept(until) })
		return
	}
	c.Out.OK()
}

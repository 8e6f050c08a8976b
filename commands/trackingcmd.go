package commands

import (
	"fmt"
	"slices"
	"strings"

	"atomiccounter/commands/push"
)

// trackingCall is a CLIENT TRACKING as parsed.
type trackingCall struct {
	mode     push.Mode
	target   *Client // of mode.Redirect
	prefixes []string
}

func clientTracking(c *Context, args [][]byte) {
	call, ok := c.parseTracking(args[3:])
	if !ok {
		return
	}
	switch {
	case same(args[2], "off"):
		c.untrack()
	case !same(args[2], "on"):
		c.syntaxError()
		return
	case !c.mayTrack(&call):
		return
	default:
		c.doTrack(&call)
	}
	c.Out.OK()
}

// parseTracking reads the options. False: one is wrong, and the reply is written.
func (c *Context) parseTracking(options [][]byte) (call trackingCall, ok bool) {
	for i := 0; i < len(options); i++ {
		more := i+1 < len(options)
		switch word := options[i]; {
		case same(word, "redirect") && more:
			if i++; !c.redirection(&call, options[i]) {
				return call, false
			}
		case same(word, "prefix") && more:
			i++
			call.prefixes = append(call.prefixes, string(options[i]))
		case same(word, "bcast"):
			call.mode.Broadcast = true
		case same(word, "optin"):
			call.mode.OptIn = true
		case same(word, "optout"):
			call.mode.OptOut = true
		case same(word, "noloop"):
			call.mode.NoLoop = true
		default:
			c.syntaxError()
			return call, false
		}
	}
	return call, true
}

// redirection reads a REDIRECT. False: it is wrong, and the reply is written.
func (c *Context) redirection(call *trackingCall, arg []byte) bool {
	if call.target != nil {
		c.Out.Error("ERR A client can only redirect to a single other client")
		return false
	}
	var ok bool
	if call.mode.Redirect, ok = c.integer(arg); !ok {
		return false
	}
	if call.target = c.Server.Clients.find(call.mode.Redirect); call.target == nil {
		c.Out.Error("ERR The client ID you want redirect to does not exist")
		return false
	}
	return true
}

// mayTrack says whether the options go together, and with what the client has. False: they do not, and the reply is written.
func (c *Context) mayTrack(call *trackingCall) bool {
	m, was := call.mode, c.track
	switch {
	case !m.Broadcast && len(call.prefixes) > 0:
		c.Out.Error("ERR PREFIX option requires BCAST mode to be enabled")
	case was.On && was.Broadcast != m.Broadcast:
		c.Out.Error("ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.")
	case m.Broadcast && (m.OptIn || m.OptOut):
		c.Out.Error("ERR OPTIN and OPTOUT are not compatible with BCAST")
	case m.OptIn && m.OptOut:
		c.Out.Error("ERR You can't specify both OPTIN mode and OPTOUT mode")
	case m.OptIn && was.OptOut || m.OptOut && was.OptIn:
		c.Out.Error("ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.")
	case m.Broadcast && c.overlaps(call.prefixes):
	default:
		return true
	}
	return false
}

// overlaps says whether a key could have two of the prefixes, those that the client has included, and then replies so.
func (c *Context) overlaps(prefixes []string) bool {
	have := c.Server.push.tracking.Prefixes(c.Client.ID)
	for i, p := range prefixes {
		for _, q := range have {
			if strings.HasPrefix(p, q) || strings.HasPrefix(q, p) {
				c.Out.Error(fmt.Sprintf("ERR Prefix '%s' overlaps with an existing prefix '%s'. Prefixes for a single client must not overlap.", p, q))
				return true
			}
		}
		for _, q := range prefixes[i+1:] {
			if strings.HasPrefix(p, q) || strings.HasPrefix(q, p) {
				c.Out.Error(fmt.Sprintf("ERR Prefix '%s' overlaps with another provided prefix '%s'. Prefixes for a single client must not overlap.", p, q))
				return true
			}
		}
	}
	return false
}

func (c *Context) doTrack(call *trackingCall) {
	call.mode.On = true
	if call.mode.Broadcast && len(call.prefixes) == 0 {
		call.prefixes = []string{""}
	}
	c.track = call.mode
	c.Client.push.Tracks.Store(true)
	c.Client.push.Broadcasts.Store(call.mode.Broadcast)
	c.Client.push.Redirect.Store(call.mode.Redirect)
	c.Client.push.BrokenRedirect.Store(false)
	var redirect *push.Redirection
	if call.target != nil {
		redirect = &push.Redirection{Target: call.target.push, Channels: &c.Server.push.channels}
	}
	c.Server.beginTracking(c.Client, call.mode, call.prefixes, redirect)
}

// untrack ends the tracking of the client.
func (c *Context) untrack() {
	c.track, c.caching = push.Mode{}, false
	c.Server.endTracking(c.Client)
}

func (s *Server) beginTracking(cl *Client, mode push.Mode, prefixes []string, redirect *push.Redirection) {
	s.push.mu.Lock()
	defer s.push.mu.Unlock()
	cl.memory.set(prefixed, s.push.tracking.Begin(cl.ID, cl.push, mode, prefixes, redirect), s)
	s.pay(payTracking, true)
	s.boundClients()
}

func (s *Server) endTracking(cl *Client) {
	s.push.mu.Lock()
	defer s.push.mu.Unlock()
	cl.push.Tracks.Store(false)
	cl.push.Broadcasts.Store(false)
	cl.push.BrokenRedirect.Store(false)
	cl.memory.set(prefixed, 0, s)
	s.pay(payTracking, s.push.tracking.End(cl.ID))
}

// clientCaching says of the next command whether its keys are cached.
func clientCaching(c *Context, args [][]byte) {
	switch mode := args[2]; {
	case !c.track.On:
		c.Out.Error("ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled")
	case same(mode, "yes") && !c.track.OptIn:
		c.Out.Error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
	case same(mode, "no") && !c.track.OptOut:
		c.Out.Error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
	case !same(mode, "yes") && !same(mode, "no"):
		c.syntaxError()
	default:
		c.caching = true
		c.Out.OK()
	}
}

// redirected is what Redis says of the client that invalidations go to: 0 for this one, -1 where there are none.
func (c *Context) redirected() int64 {
	if c.track.On {
		return c.track.Redirect
	}
	return -1
}

func clientGetRedir(c *Context, _ [][]byte) { c.Out.Int(c.redirected()) }

func clientTrackingInfo(c *Context, _ [][]byte) {
	flags := trackingFlags(c.track, c.caching, c.Client.push.BrokenRedirect.Load())
	c.Out.Map(3)
	c.Out.BulkString("flags")
	c.Out.Set(len(flags))
	for _, flag := range flags {
		c.Out.BulkString(flag)
	}
	c.Out.BulkString("redirect")
	c.Out.Int(c.redirected())
	c.Out.BulkString("prefixes")
	prefixes := c.Server.push.tracking.Prefixes(c.Client.ID)
	c.Out.Array(len(prefixes))
	for _, p := range prefixes {
		c.Out.BulkString(p)
	}
}

func trackingFlags(m push.Mode, caching, broken bool) []string {
	list := []struct {
		set  bool
		name string
	}{{m.On, "on"}, {!m.On, "off"}, {m.Broadcast, "bcast"}, {m.OptIn, "optin"}, {m.OptIn && caching, "caching-yes"},
		{m.OptOut, "optout"}, {m.OptOut && caching, "caching-no"}, {m.NoLoop, "noloop"},
		{broken, "broken_redirect"}}
	var names []string
	for _, f := range list {
		if f.set {
			names = append(names, f.name)
		}
	}
	return slices.Clip(names)
}

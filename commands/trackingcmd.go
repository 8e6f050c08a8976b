package commands

import (
	"fmt"
	"slices"
	"strings"
)

// trackingCall is a CLIENT TRACKING as parsed.
type trackingCall struct {
	mode     trackMode
	target   *Client // of mode.redirect
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
			call.mode.broadcast = true
		case same(word, "optin"):
			call.mode.optIn = true
		case same(word, "optout"):
			call.mode.optOut = true
		case same(word, "noloop"):
			call.mode.noLoop = true
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
	if call.mode.redirect, ok = c.integer(arg); !ok {
		return false
	}
	if call.target = c.Server.Clients.find(call.mode.redirect); call.target == nil {
		c.Out.Error("ERR The client ID you want redirect to does not exist")
		return false
	}
	return true
}

// mayTrack says whether the options go together, and with what the client has. False: they do not, and the reply is written.
func (c *Context) mayTrack(call *trackingCall) bool {
	m, was := call.mode, c.track
	switch {
	case !m.broadcast && len(call.prefixes) > 0:
		c.Out.Error("ERR PREFIX option requires BCAST mode to be enabled")
	case was.on && was.broadcast != m.broadcast:
		c.Out.Error("ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.")
	case m.broadcast && (m.optIn || m.optOut):
		c.Out.Error("ERR OPTIN and OPTOUT are not compatible with BCAST")
	case m.optIn && m.optOut:
		c.Out.Error("ERR You can't specify both OPTIN mode and OPTOUT mode")
	case m.optIn && was.optOut || m.optOut && was.optIn:
		c.Out.Error("ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.")
	case m.broadcast && c.overlaps(call.prefixes):
	default:
		return true
	}
	return false
}

// overlaps says whether a key could have two of the prefixes, those that the client has included, and then replies so.
func (c *Context) overlaps(prefixes []string) bool {
	have := c.Server.tracking.describe(c.Client)
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
	call.mode.on = true
	if call.mode.broadcast && len(call.prefixes) == 0 {
		call.prefixes = []string{""}
	}
	c.track = call.mode
	c.Client.tracks.Store(true)
	c.Client.broadcasts.Store(call.mode.broadcast)
	c.Client.redirect.Store(call.mode.redirect)
	c.Client.brokenRedirect.Store(false)
	var redirect *redirection
	if call.target != nil {
		redirect = &redirection{call.target, &c.Server.channels}
	}
	c.Server.beginTracking(c.Client, call.mode, call.prefixes, redirect)
}

// untrack ends the tracking of the client.
func (c *Context) untrack() {
	c.track, c.caching = trackMode{}, false
	c.Server.endTracking(c.Client)
}

func (s *Server) beginTracking(cl *Client, mode trackMode, prefixes []string, redirect *redirection) {
	s.trackingMu.Lock()
	defer s.trackingMu.Unlock()
	s.tracking.begin(cl, mode, prefixes, redirect)
	s.pay(payTracking, true)
	s.boundClients()
}

func (s *Server) endTracking(cl *Client) {
	s.trackingMu.Lock()
	defer s.trackingMu.Unlock()
	cl.tracks.Store(false)
	cl.broadcasts.Store(false)
	cl.brokenRedirect.Store(false)
	s.pay(payTracking, s.tracking.end(cl))
}

// clientCaching says of the next command whether its keys are cached.
func clientCaching(c *Context, args [][]byte) {
	switch mode := args[2]; {
	case !c.track.on:
		c.Out.Error("ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled")
	case same(mode, "yes") && !c.track.optIn:
		c.Out.Error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
	case same(mode, "no") && !c.track.optOut:
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
	if c.track.on {
		return c.track.redirect
	}
	return -1
}

func clientGetRedir(c *Context, _ [][]byte) { c.Out.Int(c.redirected()) }

func clientTrackingInfo(c *Context, _ [][]byte) {
	flags := c.track.flags(c.caching, c.Client.brokenRedirect.Load())
	c.Out.Map(3)
	c.Out.BulkString("flags")
	c.Out.Set(len(flags))
	for _, flag := range flags {
		c.Out.BulkString(flag)
	}
	c.Out.BulkString("redirect")
	c.Out.Int(c.redirected())
	c.Out.BulkString("prefixes")
	prefixes := c.Server.tracking.describe(c.Client)
	c.Out.Array(len(prefixes))
	for _, p := range prefixes {
		c.Out.BulkString(p)
	}
}

func (m trackMode) flags(caching, broken bool) []string {
	list := []struct {
		set  bool
		name string
	}{{m.on, "on"}, {!m.on, "off"}, {m.broadcast, "bcast"}, {m.optIn, "optin"}, {m.optIn && caching, "caching-yes"},
		{m.optOut, "optout"}, {m.optOut && caching, "caching-no"}, {m.noLoop, "noloop"},
		{broken, "broken_redirect"}}
	var names []string
	for _, f := range list {
		if f.set {
			names = append(names, f.name)
		}
	}
	return slices.Clip(names)
}

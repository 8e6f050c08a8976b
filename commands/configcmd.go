package commands

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// configGet shows the parameters that any of the patterns matches, each once.
func configGet(c *Context, args [][]byte) {
	var found []*param
	var names []string // as asked for, where there was no pattern
	add := func(p *param, name string) {
		if !slices.Contains(found, p) {
			found, names = append(found, p), append(names, name)
		}
	}
	for _, arg := range args[2:] {
		if !bytes.ContainsAny(arg, "[*?") {
			if p := findParam(string(arg)); p != nil {
				add(p, string(arg))
			}
			continue
		}
		g := glob{pattern: arg, fold: true}
		for i := range params {
			if g.match([]byte(params[i].name)) {
				add(&params[i], params[i].name)
			}
		}
	}
	c.Out.Map(len(found))
	for i, p := range found {
		c.Out.BulkString(names[i])
		c.Out.BulkString(p.get(c.Server))
	}
}

// configSet changes all the parameters or, if one of the values is wrong, none. One that fails to change leaves those behind it as
// they are.
func configSet(c *Context, args [][]byte) {
	pairs := args[2:]
	if len(pairs)%2 != 0 {
		c.syntaxError()
		return
	}
	config := &c.Server.Config
	config.mu.Lock()
	defer config.mu.Unlock()
	changes, err := parseConfig(c.Server, pairs)
	if err != nil {
		c.Out.Error("ERR " + err.Error())
		return
	}
	for _, apply := range changes {
		if err := apply(); err != nil {
			c.Out.Error("ERR " + err.Error())
			return
		}
	}
	c.Out.OK()
}

// parseConfig finds all parameters before it looks at any value, as Redis does: the first name that is wrong is reported
// as it was typed, before the first wrong value.
func parseConfig(s *Server, pairs [][]byte) (changes []func() error, err error) {
	var found []*param
	for i := 0; i < len(pairs); i += 2 {
		name := string(cString(pairs[i]))
		p := findParam(name)
		switch {
		case p == nil:
			//lint:ignore ST1005 Redis's words
			return nil, fmt.Errorf("Unknown option or number of arguments for CONFIG SET - '%s'", name)
		case p.set == nil:
			return nil, setFailed(name, errImmutable)
		case slices.Contains(found, p):
			return nil, setFailed(name, errDuplicate)
		}
		found = append(found, p)
	}
	for i, p := range found {
		apply, err := p.set(s, string(pairs[2*i+1]))
		if err != nil {
			return nil, setFailed(p.name, err)
		}
		changes = append(changes, func() error {
			if err := apply(); err != nil {
				return setFailed(p.name, err)
			}
			return nil
		})
	}
	return changes, nil
}

func setFailed(name string, err error) error {
	return fmt.Errorf("CONFIG SET failed (possibly related to argument '%s') - %w", name, err)
}

// configRewrite writes down what CONFIG SET can change.
func configRewrite(c *Context, _ [][]byte) {
	if c.Server.Rewrite == nil {
		c.Out.Error("ERR The server is running without a config file")
		return
	}
	c.Pipe.Pause() // others do not wait for the disk
	config := &c.Server.Config
	config.mu.Lock()
	defer config.mu.Unlock()
	settings := make(map[string]string, len(tunables))
	for i := range tunables {
		settings[tunables[i].name] = tunables[i].get(c.Server)
	}
	if err := c.Server.Rewrite(settings); err != nil {
		c.Out.Error("ERR Rewriting config file: " + err.Error())
		return
	}
	c.Server.Log.Info("the configuration file is rewritten", "client", c.Client.ID)
	c.Out.OK()
}

func configResetStat(c *Context, _ [][]byte) {
	c.EndRound(time.Now()) // what came before in this round counts, too
	c.Server.Stats.reset()
	c.Server.calls.reset()
	c.Out.OK()
}

// Configure sets the parameters that the settings name beside their fields, as CONFIG SET would.
func (s *Server) Configure(others map[string]string) error {
	for name, value := range others {
		p := findParam(name)
		if p == nil || p.set == nil {
			return fmt.Errorf("%s cannot be set", name)
		}
		apply, err := p.set(s, value)
		if err == nil {
			err = apply()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

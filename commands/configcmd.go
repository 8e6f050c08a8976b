package commands

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"atomiccounter/commands/config"
)

// configGet shows the settings that any of the patterns matches, each once.
func configGet(c *Context, args [][]byte) {
	var found []*config.Setting
	var names []string // as asked for, where there was no pattern
	add := func(p *config.Setting, name string) {
		if !slices.Contains(found, p) {
			found, names = append(found, p), append(names, name)
		}
	}
	for _, arg := range args[2:] {
		if !bytes.ContainsAny(arg, "[*?") {
			if p := config.Find(string(arg)); p != nil {
				add(p, string(arg))
			}
			continue
		}
		g := glob{pattern: arg, fold: true}
		for _, p := range config.Match(func(name string) bool { return g.match([]byte(name)) }) {
			add(p, p.Name)
		}
	}
	settings := c.Server.Config.Load()
	c.Out.Map(len(found))
	for i, p := range found {
		c.Out.BulkString(names[i])
		c.Out.BulkString(p.Get(settings))
	}
}

func configSet(c *Context, args [][]byte) {
	pairs := args[2:]
	if len(pairs)%2 != 0 {
		c.syntaxError()
		return
	}
	texts := make([]string, len(pairs))
	for i, arg := range pairs {
		texts[i] = string(arg)
	}
	s := c.Server
	if err := s.Config.Set(texts, config.Effects{May: s.maySet, Changed: s.settingChanged}); err != nil {
		c.Out.Error("ERR " + err.Error())
		return
	}
	c.Out.OK()
}

// errFixedYet refuses a change of what the store is about to be opened with.
var errFixedYet = errors.New("the store is still loading: try again")

// maySet refuses what only an open store can change, and the level of a log that has none.
func (s *Server) maySet(name string) error {
	switch name {
	case "appendfsync", "update-period", "cache-size":
		if s.Loading() {
			return errFixedYet
		}
	case "loglevel":
		if s.Log.Level == nil {
			return config.ErrImmutable
		}
	}
	return nil
}

// settingChanged has a new value of a setting take effect where it is not looked up whenever it is needed.
func (s *Server) settingChanged(name string) error {
	settings := s.Config.Load()
	switch name {
	case "appendfsync":
		return s.Engine.SetSync(settings.Sync)
	case "update-period":
		s.Engine.SetUpdatePeriod(settings.UpdatePeriod)
	case "cache-size":
		s.Engine.SetCacheSize(settings.CacheSize)
		s.sizing.Lock()
		defer s.sizing.Unlock()
		s.tellSize()
	case "loglevel":
		s.Log.Level.Set(settings.LogLevel)
	case "maxmemory-clients":
		s.boundClients()
	case "slowlog-log-slower-than":
		s.timeEach(settings)
	}
	return nil
}

// fastEnough is what a fast command never takes by itself: only one that is to be logged sooner needs a clock of its own.
const fastEnough = 1000 // µs

// Start takes the settings over. It is called before anything else is.
func (s *Server) Start(settings *config.Settings) {
	s.Config.Start(settings)
	s.timeEach(settings)
}

// timeEach has each command timed if what counts as slow is less than what fast commands always are.
func (s *Server) timeEach(settings *config.Settings) {
	s.pay(payTime, settings.SlowerThan >= 0 && settings.SlowerThan < fastEnough)
}

// configRewrite writes down what CONFIG SET can change.
func configRewrite(c *Context, _ [][]byte) {
	config := &c.Server.Config
	if config.Load().File == "" {
		c.Out.Error("ERR The server is running without a config file")
		return
	}
	c.Pipe.Pause() // others do not wait for the disk
	if err := config.Rewrite(); err != nil {
		c.Out.Error("ERR Rewriting config file: " + err.Error())
		return
	}
	c.Server.Log.Info("the configuration file is rewritten", "client", c.Client.ID)
	c.Out.OK()
}

func configResetStat(c *Context, _ [][]byte) {
	c.EndRound(time.Now()) // what came before in this round counts, too
	c.Server.Stats.Reset()
	c.Out.OK()
}

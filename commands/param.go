package commands

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"atomiccounter/engine"
)

// param is one parameter of CONFIG. Set checks a value and says how to apply it; nil: it is fixed at the start.
type param struct {
	name string
	get  func(s *Server) string
	set  setter
}

// setter checks a value and says how to apply it.
type setter = func(s *Server, value string) (apply func() error, err error)

// sure is for what can be applied without fail.
func sure(apply func()) func() error {
	return func() error {
		apply()
		return nil
	}
}

// params are the parameters that tools read or write.
var params = slices.Concat(tunables, idle, byOldNames(idle), steady)

// tunables are those that SET changes.
var tunables = []param{
	{"requirepass", func(s *Server) string { return s.Config.Password() }, setPassword},
	{"timeout", showInt(func(s *Server) int64 { return s.Config.timeout.Load() }),
		takeInt(0, math.MaxInt32, func(s *Server, n int64) { s.Config.timeout.Store(n) })},
	{"tcp-keepalive", showInt(func(s *Server) int64 { return s.Config.keepAlive.or(defaultKeepAlive) }),
		takeInt(0, math.MaxInt32, func(s *Server, n int64) { s.Config.keepAlive.set(n) })},
	{"hz", showInt(func(s *Server) int64 { return s.Config.hz.or(defaultHz) }),
		takeInt(0, math.MaxInt32, func(s *Server, n int64) { s.Config.hz.set(min(max(n, 1), 500)) })},
	{"maxclients", showInt(func(s *Server) int64 { return int64(s.Config.MaxClients()) }),
		takeMaxClients},
	{"proto-max-bulk-len", showInt(func(s *Server) int64 { return s.Config.ProtoMaxBulk() }),
		takeBytes(1<<20, func(s *Server, n int64) { s.Config.protoMaxBulk.Store(n) })},
	{"client-query-buffer-limit", showInt(func(s *Server) int64 { return s.Config.QueryBuffer() }),
		takeBytes(1<<20, func(s *Server, n int64) { s.Config.queryBuffer.Store(n) })},
	{"maxmemory-clients", showClientMemory, takeClientMemory},
	{"slowlog-log-slower-than", showInt(func(s *Server) int64 { return s.Config.slowerThan.or(10_000) }),
		takeInt(-1, math.MaxInt64, setSlowerThan)},
	{"slowlog-max-len", showInt(func(s *Server) int64 { return s.Config.SlowLogLen() }),
		takeInt(0, math.MaxInt64, func(s *Server, n int64) { s.Config.slowLogLen.set(n) })},
	{"latency-monitor-threshold", showInt(func(s *Server) int64 { return s.Config.latencyThreshold.or(0) }),
		takeInt(0, math.MaxInt64, func(s *Server, n int64) { s.Config.latencyThreshold.set(n) })},
	{"latency-tracking", func(s *Server) string { return yesNo(s.Config.tracking.or(1) == 1) },
		takeYesNo(func(s *Server, on int64) { s.Config.tracking.set(on) })},
	{"tracking-table-max-keys", showInt(func(s *Server) int64 { return s.Config.trackedKeys.or(defaultTrackedKeys) }),
		takeInt(0, math.MaxInt64, func(s *Server, n int64) { s.Config.trackedKeys.set(n) })},
	{"notify-keyspace-events", func(s *Server) string { return eventNames(s.Config.events.Load()) }, takeEvents},
	{"latency-tracking-info-percentiles", showPercentiles, takePercentiles},
	{"client-output-buffer-limit", func(s *Server) string { return s.Config.limits().String() }, takeLimits},
	{"protected-mode", func(s *Server) string { return yesNo(s.Config.Protected()) },
		takeYesNo(func(s *Server, on int64) { s.Config.unprotected.Store(on == 0) })},
	{"join-serve", func(s *Server) string { return yesNo(s.Config.joinServe.Load()) },
		takeYesNo(func(s *Server, on int64) { s.Config.joinServe.Store(on == 1) })},
	{"appendfsync", func(s *Server) string { return syncModes.name(int(s.syncMode())) },
		ofEngine(syncModes.take(func(s *Server, mode int) error { return s.Engine.SetSync(engine.SyncMode(mode)) }))},
	{"loglevel", func(s *Server) string { return levels.name(int(s.level())) }, setLevel},
	{"update-period", func(s *Server) string { return s.updatePeriod().String() }, ofEngine(setPeriod)},
	{"cache-size", showInt(func(s *Server) int64 { return s.cacheSize() }),
		ofEngine(takeBytes(MinCacheSize, setCacheSize))},
	{"busy-reply-threshold", showInt(func(s *Server) int64 { return s.Config.busyMillis() }), setBusyReply},
	{"lua-time-limit", showInt(func(s *Server) int64 { return s.Config.busyMillis() }), setBusyReply}, // its old name
}

// steady are those that do not change. Of those that Redis could change, SET takes the value that they have, so that a tool which
// makes sure of it goes on.
var steady = []param{
	keptAs("dir", func(s *Server) string { return s.Config.settings.Dir }),
	keptAs("backup-dir", func(s *Server) string { return s.Config.settings.BackupDir }),
	keptAs("bind", func(s *Server) string { return s.Config.settings.Bind }),
	keptAs("port", func(s *Server) string { return strconv.Itoa(s.Port) }),
	keptAs("tls-port", func(s *Server) string { return strconv.Itoa(s.Config.settings.TLS.Port) }),
	keptAs("tls-cert-file", func(s *Server) string { return s.Config.settings.TLS.CertFile }),
	keptAs("tls-key-file", func(s *Server) string { return s.Config.settings.TLS.KeyFile }),
	keptAs("tls-ca-cert-file", func(s *Server) string { return s.Config.settings.TLS.CAFile }),
	keptAs("tls-auth-clients", func(s *Server) string { return s.Config.settings.TLS.AuthClients }),
	keptAs("repl-backlog-size", func(s *Server) string { return strconv.FormatInt(s.Config.Backlog(), 10) }),

	{"enable-debug-command", func(s *Server) string { return cmp.Or(s.Config.settings.Debug, "no") }, nil},
	{"databases", fixed(strconv.Itoa(engine.Databases)), nil},
	{"unixsocket", func(s *Server) string { return s.Config.settings.UnixSocket }, nil},
	{"natural", func(s *Server) string { return strings.Join(s.Config.settings.Natural, " ") }, nil},
	{"tcp-backlog", fixed("511"), nil},
	{"cluster-enabled", fixed("no"), nil},
	{"daemonize", fixed("no"), nil},
	{"logfile", fixed(""), nil},
	{"io-threads", fixed("1"), nil},
}

func findParam(name string) *param {
	for i := range params {
		if strings.EqualFold(params[i].name, name) {
			return &params[i]
		}
	}
	return nil
}

var (
	errImmutable = errors.New("can't set immutable config")
	errDuplicate = errors.New("duplicate parameter")
)

func fixed(value string) func(*Server) string { return func(*Server) string { return value } }

func keptAs(name string, get func(*Server) string) param {
	return param{name, get, func(s *Server, value string) (func() error, error) {
		if !strings.EqualFold(value, get(s)) {
			return nil, errImmutable
		}
		return sure(func() {}), nil
	}}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func showInt(get func(*Server) int64) func(*Server) string {
	return func(s *Server) string { return strconv.FormatInt(get(s), 10) }
}

func showClientMemory(s *Server) string {
	n := s.Config.clientMemory.or(defaultClientMemory)
	if n < 0 {
		return strconv.FormatInt(-n, 10) + "%"
	}
	return strconv.FormatInt(n, 10)
}

// takeClientMemory takes a number of bytes, or a percentage.
func takeClientMemory(s *Server, value string) (func() error, error) {
	n, ok := parseBytes([]byte(value))
	if percent, is := strings.CutSuffix(value, "%"); is {
		if n, ok = ParseInt([]byte(percent)); n < 0 || n > 100 {
			ok = false
		}
		n = -n
	}
	if !ok {
		return nil, errors.New("argument must be a memory or percent value")
	}
	return sure(func() {
		s.Config.clientMemory.set(n)
		s.boundClients()
	}), nil
}

func takeMaxClients(s *Server, value string) (func() error, error) {
	if n, ok := ParseInt([]byte(value)); ok && s.Config.settings.MostClients > 0 && n > int64(s.Config.settings.MostClients) {
		//lint:ignore ST1005 the words are Redis's
		return nil, fmt.Errorf("The operating system is not able to handle the specified number of clients, try with %d", s.Config.settings.MostClients)
	}
	return takeInt(1, math.MaxUint32, func(s *Server, n int64) { s.Config.maxClients.Store(n) })(s, value)
}

func takeInt(lo, hi int64, put func(*Server, int64)) setter {
	return func(s *Server, value string) (func() error, error) {
		n, ok := ParseInt([]byte(value))
		if !ok {
			return nil, errors.New("argument couldn't be parsed into an integer")
		}
		return within(n, lo, hi, func() { put(s, n) })
	}
}

func takeBytes(lo int64, put func(*Server, int64)) setter {
	return func(s *Server, value string) (func() error, error) {
		n, ok := parseBytes([]byte(value))
		if !ok {
			return nil, errors.New("argument must be a memory value")
		}
		return within(n, lo, math.MaxInt64, func() { put(s, n) })
	}
}

func within(n, lo, hi int64, apply func()) (func() error, error) {
	if n < lo || n > hi {
		return nil, fmt.Errorf("argument must be between %d and %d inclusive", lo, hi)
	}
	return sure(apply), nil
}

// choice is a parameter of few values.
type choice []struct {
	name  string
	value int
}

var (
	syncModes = choice{{"everysec", int(engine.EverySec)}, {"always", int(engine.Always)}, {"no", int(engine.No)}}
	levels    = choice{{"debug", int(slog.LevelDebug)}, {"verbose", int(slog.LevelDebug) + 2},
		{"notice", int(slog.LevelInfo)}, {"warning", int(slog.LevelWarn)}}
)

func (ch choice) name(value int) string {
	for _, c := range ch {
		if c.value == value {
			return c.name
		}
	}
	return strconv.Itoa(value)
}

func (ch choice) parse(name string) (int, error) {
	var names []string
	for _, c := range ch {
		if strings.EqualFold(name, c.name) {
			return c.value, nil
		}
		names = append(names, c.name)
	}
	return 0, errors.New("argument(s) must be one of the following: " + strings.Join(names, ", "))
}

func (ch choice) take(put func(*Server, int) error) setter {
	return func(s *Server, value string) (func() error, error) {
		n, err := ch.parse(value)
		return func() error { return put(s, n) }, err
	}
}

func setBusyReply(s *Server, value string) (func() error, error) {
	return takeInt(0, math.MaxInt64-1, func(s *Server, n int64) { s.Config.busyReply.Store(n + 1) })(s, value)
}

// MinCacheSize is the least that cache-size may be, in bytes.
const MinCacheSize = 1 << 20

func setCacheSize(s *Server, n int64) {
	s.Engine.SetCacheSize(n)
	s.sizing.Lock()
	defer s.sizing.Unlock()
	s.tellSize()
}

func setPassword(s *Server, value string) (func() error, error) {
	return sure(func() { s.Config.password.Store(&value) }), nil
}

func (s *Server) level() slog.Level {
	if s.Level == nil {
		return slog.LevelInfo
	}
	return s.Level.Level()
}

func setLevel(s *Server, value string) (func() error, error) {
	level, err := levels.parse(value)
	if err == nil && s.Level == nil && level != int(slog.LevelInfo) {
		err = errImmutable
	}
	return sure(func() {
		if s.Level != nil {
			s.Level.Set(slog.Level(level))
		}
	}), err
}

// setPeriod takes a duration ("1s", "250ms") or a whole number of milliseconds; 0: foreign data shows at once.
func setPeriod(s *Server, value string) (func() error, error) {
	d, err := time.ParseDuration(value)
	if n, ok := ParseInt([]byte(value)); ok && n <= math.MaxInt64/int64(time.Millisecond) {
		d, err = time.Duration(n)*time.Millisecond, nil
	}
	if err != nil || d < 0 {
		return nil, errors.New("argument must be a duration, as in 1s or 250ms")
	}
	return sure(func() { s.Engine.SetUpdatePeriod(d) }), nil
}

// fastEnough is what a fast command never takes by itself: only one that is to be logged sooner needs a clock of its own.
const fastEnough = 1000 // µs

func setSlowerThan(s *Server, us int64) {
	s.Config.slowerThan.set(us)
	s.pay(payTime, us >= 0 && us < fastEnough)
}

func takeYesNo(put func(*Server, int64)) setter {
	return func(s *Server, value string) (func() error, error) {
		switch strings.ToLower(value) {
		case "yes":
			return sure(func() { put(s, 1) }), nil
		case "no":
			return sure(func() { put(s, 0) }), nil
		}
		return nil, errors.New("argument must be 'yes' or 'no'")
	}
}

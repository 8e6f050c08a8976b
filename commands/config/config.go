// Package config holds the settings of a server. Each setting is one row of a table: its name, default, usage and category, how it is
// read from text and written as text, and whether it may change. All that knows of settings is made of that table: the flags of the
// command line and their environment variables, the lines of the configuration file, and CONFIG GET, SET and REWRITE.
//
// What a setting brings about lives where it has effect. A reader calls Config.Load, or one of the accessors that give a value in
// its unit.
package config

import (
	"io/fs"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"atomiccounter/engine"
)

// Settings has the value of each setting. Once it is given to a Config it does not change any more.
type Settings struct {
	File     string // path of the configuration file; empty: there is none
	LogLevel slog.Level

	Port           int64 // 0: no TCP, as in Redis; negative: any free port
	Bind           string
	UnixSocket     string
	UnixSocketPerm fs.FileMode // 0: as the umask says
	Password       string      // requirepass; empty: everybody is authenticated
	Protected      bool        // without a password only the loopback may connect
	Debug          string      // enable-debug-command: yes, local or no
	MaxClients     int64
	MostClients    int64 // no setting: how many clients the limit on open files allows; 0: any number
	BusyReply      int64 // ms
	Timeout        int64 // s
	KeepAlive      int64 // s

	TLSPort                   int64
	TLSCertFile, TLSKeyFile   string
	TLSCAFile, TLSAuthClients string

	Peers                   []string
	PeerSecret              string // empty: only clients on this machine may be peers and administrators
	PeerSecretFile          string
	PeerUser, PeerPassword  string
	PeerTLS                 bool
	PeerTLSCA               string
	PeerTLSCert, PeerTLSKey string
	Backlog                 int64 // bytes of the replication log
	JoinServe               bool

	Dir         string // of the store
	BackupDir   string // that backups go below; empty: there are none
	Sync        engine.SyncMode
	DiskReserve int64 // bytes

	CacheSize    int64 // bytes
	UpdatePeriod time.Duration
	Natural      []string // patterns of keys that become Naturals

	SlowerThan       int64 // µs; negative: none
	SlowLogLen       int64
	LatencyThreshold int64  // ms; 0: never
	Events           uint32 // notify-keyspace-events: bit i is for the letter at i of eventLetters
	OutputLimits     BufferLimits
	TrackedKeys      int64
	Tracking         bool // latency-tracking
	Percentiles      []float64

	ProtoMaxBulk int64 // bytes
	QueryBuffer  int64 // bytes
	ClientMemory int64 // maxmemory-clients: bytes; negative: percent of the machine's
	Hz           int64

	MaxMemoryPolicy string
	idle            map[string]string // by name, what changes nothing
}

// Config is the settings of a running server. Sessions read it at any time. The zero value has the defaults.
type Config struct {
	changing sync.Mutex // one CONFIG SET or REWRITE at a time
	settings atomic.Pointer[Settings]
}

// Start takes settings over. It is called before anything else is.
func (c *Config) Start(s *Settings) { c.settings.Store(s) }

// Load gives the settings as they are now.
func (c *Config) Load() *Settings {
	if s := c.settings.Load(); s != nil {
		return s
	}
	return defaults()
}

// Default gives settings that have the values of the table's column.
func Default() *Settings {
	s := *defaults()
	return &s
}

var defaults = sync.OnceValue(func() *Settings {
	s := new(Settings)
	for i := range table {
		if p := &table[i]; p.Default != "" {
			if err := p.set(s, p.Default); err != nil {
				panic(p.Name + ": " + err.Error())
			}
		}
	}
	return s
})

// Password is requirepass; empty: everybody is authenticated.
func (c *Config) Password() string { return c.Load().Password }

// Protected says that without a password only the loopback may connect.
func (c *Config) Protected() bool { return c.Load().Protected }

// MaxClients is how many connections there may be.
func (c *Config) MaxClients() int { return int(c.Load().MaxClients) }

// ProtoMaxBulk is the length in bytes of the longest argument that is read.
func (c *Config) ProtoMaxBulk() int64 { return c.Load().ProtoMaxBulk }

// QueryBuffer is how many bytes of commands not yet run a client may send before it is disconnected.
func (c *Config) QueryBuffer() int64 { return c.Load().QueryBuffer }

// SlowLogLen is how many entries the slow log has.
func (c *Config) SlowLogLen() int64 { return c.Load().SlowLogLen }

// Timeout is how long a client may be idle; 0: for ever.
func (c *Config) Timeout() time.Duration { return time.Duration(c.Load().Timeout) * time.Second }

// KeepAlive is how long the peer of a new connection may be silent before it is probed; 0: for ever.
func (c *Config) KeepAlive() time.Duration { return time.Duration(c.Load().KeepAlive) * time.Second }

// BusyReply is for how long others wait for a script before they are told that the server is busy; 0: for ever.
func (c *Config) BusyReply() time.Duration { return duration(c.Load().BusyReply, time.Millisecond) }

// SlowerThan is from which duration on a command is logged; negative: none.
func (c *Config) SlowerThan() time.Duration { return duration(c.Load().SlowerThan, time.Microsecond) }

// LatencyThreshold is from which duration on LATENCY has an event; 0: never.
func (c *Config) LatencyThreshold() time.Duration {
	return duration(c.Load().LatencyThreshold, time.Millisecond)
}

// duration gives the longest there is for what is longer.
func duration(n int64, unit time.Duration) time.Duration {
	return time.Duration(min(n, math.MaxInt64/int64(unit))) * unit
}

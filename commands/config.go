package commands

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"

	"atomiccounter/engine"
)

// Settings are what a process is started with. A zero field means Redis's default.
type Settings struct {
	Bind         string   // addresses, separated by spaces
	UnixSocket   string   // path
	Dir          string   // of the data
	BackupDir    string   // that backups go below; empty: there are none
	ConfigFile   string   // path
	Natural      []string // patterns of keys that become Naturals
	Password     string   // requirepass
	PeerSecret   string   // that peers and administrators have to know; empty: only clients on this machine may be such
	TLS          TLSSettings
	Timeout      time.Duration
	KeepAlive    time.Duration  // tcp-keepalive in whole seconds, default 300 s; negative: off
	BusyReply    time.Duration  // for which others wait for a script, in whole ms, default 5 s; negative: for ever
	MaxClients   int            // default 10000
	MostClients  int            // that there can be, for the limit on open files; 0: any number
	ProtoMaxBulk int64          // longest argument in bytes, default 512 MiB
	QueryBuffer  int64          // most that a client may have us buffer in bytes, default 64 MiB
	Store        engine.Options // that the store is opened with
	Unprotected  bool           // protected-mode no
	Debug        string         // enable-debug-command: yes, local, or no and empty

	// Others are parameters that CONFIG SET could set, too, by name; see Configure.
	Others map[string]string
}

// TLSSettings are those of listening with TLS, by their names in Redis (tls-port …).
type TLSSettings struct {
	Port                int
	CertFile, KeyFile   string
	CAFile, AuthClients string
}

const (
	defaultMaxClients   = 10000
	defaultProtoMaxBulk = 512 << 20
	defaultQueryBuffer  = 64 << 20
	defaultBacklog      = 256 << 20
	defaultBusyReply    = 5000 // ms
	defaultTrackedKeys  = 1_000_000
	defaultKeepAlive    = 300 // s
	defaultHz           = 10
	defaultClientMemory = -25 // percent
)

// Config is what CONFIG GET shows and CONFIG SET changes. Sessions read it at any time; what the engine knows itself
// (appendfsync, update-period, cache-size) is read from there. The zero value has Redis's defaults.
type Config struct {
	mu       sync.Mutex // one CONFIG SET at a time
	settings Settings   // as started; those that can change are below

	password                                 atomic.Pointer[string]
	unprotected                              atomic.Bool
	joinServe                                atomic.Bool
	timeout                                  atomic.Int64 // s
	maxClients                               atomic.Int64 // 0: the default; also those below
	protoMaxBulk                             atomic.Int64
	queryBuffer                              atomic.Int64
	busyReply                                atomic.Int64  // ms + 1
	slowerThan, slowLogLen, latencyThreshold tunable       // µs; entries; ms
	trackedKeys                              tunable       // tracking-table-max-keys
	clientMemory                             tunable       // maxmemory-clients: bytes; negative: percent of the machine's
	keepAlive                                tunable       // s
	hz                                       tunable       // for tools that set it: nothing here depends on it
	events                                   atomic.Uint32 // notify-keyspace-events
	tracking                                 tunable       // 0: latency-tracking no
	outputLimits                             atomic.Pointer[bufferLimits]
	percentiles                              atomic.Pointer[[]float64]
	idle                                     sync.Map // by name, as shown: what changes nothing
}

// SlowerThan is from which duration on a command is logged; negative: none.
func (c *Config) SlowerThan() time.Duration {
	return time.Duration(min(c.slowerThan.or(10_000), maxWaitMillis*1000)) * time.Microsecond
}

// SlowLogLen is how many entries that log has.
func (c *Config) SlowLogLen() int64 { return c.slowLogLen.or(128) }

// LatencyThreshold is from which duration on LATENCY has an event; 0: never.
func (c *Config) LatencyThreshold() time.Duration {
	return time.Duration(min(c.latencyThreshold.or(0), maxWaitMillis)) * time.Millisecond
}

func (c *Config) limits() bufferLimits {
	if l := c.outputLimits.Load(); l != nil {
		return *l
	}
	return bufferLimits{slave: limit{256 << 20, 64 << 20, 60}, pubsub: limit{32 << 20, 8 << 20, 60}}
}

// mostClientMemory is how many bytes all clients together may take; 0: any number.
func (c *Config) mostClientMemory() int64 {
	n := c.clientMemory.or(defaultClientMemory)
	if n < 0 {
		n = -n * (machineMemory() / 100)
	}
	return n
}

// machineMemory is that of the machine in bytes, or 4 GiB where that is not known.
var machineMemory = sync.OnceValue(func() int64 { return int64(cmp.Or(totalMemory(), 4<<30)) })

// Start takes the settings over. It is called before anything else is.
func (c *Config) Start(s Settings) {
	c.settings = s
	c.password.Store(&s.Password)
	c.unprotected.Store(s.Unprotected)
	c.timeout.Store(int64(s.Timeout / time.Second))
	c.maxClients.Store(int64(s.MaxClients))
	c.protoMaxBulk.Store(s.ProtoMaxBulk)
	c.queryBuffer.Store(s.QueryBuffer)
	if s.KeepAlive != 0 {
		c.keepAlive.set(int64(max(s.KeepAlive, 0) / time.Second))
	}
	if s.BusyReply != 0 {
		c.busyReply.Store(max(s.BusyReply.Milliseconds(), 0) + 1)
	}
}

// Password is requirepass; empty: everybody is authenticated.
func (c *Config) Password() string {
	if p := c.password.Load(); p != nil {
		return *p
	}
	return ""
}

// Timeout is how long a client may be idle, in whole seconds; 0: for ever.
func (c *Config) Timeout() time.Duration { return time.Duration(c.timeout.Load()) * time.Second }

// MaxClients is how many connections there may be.
func (c *Config) MaxClients() int { return int(orDefault(&c.maxClients, defaultMaxClients)) }

// ProtoMaxBulk is the length in bytes of the longest argument that is read.
func (c *Config) ProtoMaxBulk() int64 { return orDefault(&c.protoMaxBulk, defaultProtoMaxBulk) }

// QueryBuffer is how many bytes of commands not yet run a client may send before it is disconnected.
func (c *Config) QueryBuffer() int64 { return orDefault(&c.queryBuffer, defaultQueryBuffer) }

// BusyReply is for how long others wait for a script before they are told that the server is busy; 0: for ever.
func (c *Config) BusyReply() time.Duration { return busyReply(c.busyMillis()) }

func (c *Config) busyMillis() int64 { return orDefault(&c.busyReply, defaultBusyReply+1) - 1 }

// Backlog is how many bytes the replication log may have.
func (c *Config) Backlog() int64 {
	return cmp.Or(c.settings.Store.Backlog, defaultBacklog)
}

// Protected says that without a password only the loopback may connect.
func (c *Config) Protected() bool { return !c.unprotected.Load() }

// KeepAlive is how long the peer of a new connection may be silent before it is probed; 0: for ever.
func (c *Config) KeepAlive() time.Duration {
	return time.Duration(c.keepAlive.or(defaultKeepAlive)) * time.Second
}

func orDefault(n *atomic.Int64, or int64) int64 {
	if v := n.Load(); v != 0 {
		return v
	}
	return or
}

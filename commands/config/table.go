package config

import (
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"

	"atomiccounter/engine"
)

// Setting is one row of the table.
type Setting struct {
	Name     string // of the flag, of the line in the file, and of CONFIG
	Flag     Flag   // how the command line has it
	Change   Change // how CONFIG has it
	Category string // that the help groups the flag by
	Default  string
	Usage    string // of the flag, with its unit
	Refusal  string // what the start says of a value that is out of bounds, %q being the value; empty: what CONFIG SET says

	field
}

// Flag is the kind of a setting's flag.
type Flag int

const (
	NoFlag Flag = iota // the setting is of CONFIG alone
	Text
	Number
	Duration
	List   // repeatable
	Switch // without a value; in the file yes or no
)

// Change says what CONFIG does with a setting.
type Change int

const (
	Free   Change = iota // SET changes it, REWRITE writes it
	Kept                 // SET takes the value that it has, so that a tool which makes sure of it goes on
	Fixed                // SET refuses it
	Hidden               // CONFIG does not know it
)

// The categories of flags.
const (
	network  = "network:"
	ofTLS    = "TLS:"
	peers    = "replication:"
	store    = "store:"
	counters = "counters:"
	watching = "watching:"
	limits   = "limits:"
)

// MinCacheSize is the least that cache-size may be, in bytes.
const MinCacheSize = 1 << 20

// table has the settings that are flags in the order in which the help shows them, and then those of CONFIG alone.
var table = slices.Concat([]Setting{
	{Name: "config", Flag: Text, Change: Hidden, Usage: "`FILE` with a flag and its value on each line, as in redis.conf; flags and environment go before it",
		field: text(func(s *Settings) *string { return &s.File })},
	{Name: "loglevel", Flag: Text, Default: "notice", Usage: "debug, verbose, notice or warning", field: level()},

	{Name: "port", Flag: Number, Change: Kept, Category: network, Default: "6379", Usage: "TCP port; 0: none",
		field: port(func(s *Settings) *int64 { return &s.Port })},
	{Name: "bind", Flag: Text, Change: Kept, Category: network,
		Usage: "addresses to listen on, separated by spaces; default all, but without a password only the loopback is let in",
		field: text(func(s *Settings) *string { return &s.Bind })},
	{Name: "unixsocket", Flag: Text, Change: Fixed, Category: network, Usage: "`PATH` of a Unix socket to listen on too",
		field: text(func(s *Settings) *string { return &s.UnixSocket })},
	{Name: "unixsocketperm", Flag: Text, Change: Hidden, Category: network, Usage: "its permissions, octal",
		field: mode(func(s *Settings) *fs.FileMode { return &s.UnixSocketPerm })},
	{Name: "requirepass", Flag: Text, Category: network, Usage: "password that clients must give",
		field: text(func(s *Settings) *string { return &s.Password })},
	{Name: "protected-mode", Flag: Text, Category: network, Default: "yes", Usage: "no: let everybody in even without a password",
		Refusal: "protected-mode: %q is neither yes nor no", field: yesNo(func(s *Settings) *bool { return &s.Protected })},
	{Name: "enable-debug-command", Flag: Text, Change: Fixed, Category: network, Default: "no", Usage: "who may use DEBUG: yes, local or no",
		field: word(func(s *Settings) *string { return &s.Debug }, "none of yes, local and no", "yes", "local", "no")},
	{Name: "maxclients", Flag: Number, Category: network, Default: "10000", Usage: "most clients at the same time",
		Refusal: fmt.Sprintf("maxclients must be between 1 and %d", math.MaxUint32), field: maxClients()},
	{Name: "busy-reply-threshold", Flag: Number, Category: network, Default: "5000",
		Usage:   "milliseconds for which others wait for a script before they get BUSY; 0: for ever",
		Refusal: between("busy-reply-threshold", math.MaxInt64-1), field: busyReply()},
	{Name: "timeout", Flag: Number, Category: network, Default: "0", Usage: "seconds after which an idle client is disconnected; 0: never",
		Refusal: between("timeout", math.MaxInt32), field: number(0, math.MaxInt32, func(s *Settings) *int64 { return &s.Timeout })},
	{Name: "tcp-keepalive", Flag: Number, Category: network, Default: "300", Usage: "seconds of silence after which a peer is probed; 0: never",
		Refusal: between("tcp-keepalive", math.MaxInt32), field: number(0, math.MaxInt32, func(s *Settings) *int64 { return &s.KeepAlive })},

	{Name: "tls-port", Flag: Number, Change: Kept, Category: ofTLS, Default: "0", Usage: "TCP port for clients that speak TLS; 0: none",
		field: port(func(s *Settings) *int64 { return &s.TLSPort })},
	{Name: "tls-cert-file", Flag: Text, Change: Kept, Category: ofTLS, Usage: "`FILE` with the server's certificate, PEM",
		field: text(func(s *Settings) *string { return &s.TLSCertFile })},
	{Name: "tls-key-file", Flag: Text, Change: Kept, Category: ofTLS, Usage: "`FILE` with its private key, PEM",
		field: text(func(s *Settings) *string { return &s.TLSKeyFile })},
	{Name: "tls-ca-cert-file", Flag: Text, Change: Kept, Category: ofTLS, Usage: "`FILE` with the certificates that clients' certificates are signed by, PEM",
		field: text(func(s *Settings) *string { return &s.TLSCAFile })},
	{Name: "tls-auth-clients", Flag: Text, Change: Kept, Category: ofTLS, Default: "yes", Usage: "whether clients must have a certificate: yes, no or optional",
		field: word(func(s *Settings) *string { return &s.TLSAuthClients }, "neither yes nor no nor optional", "yes", "no", "optional")},

	{Name: "peer", Flag: List, Change: Hidden, Category: peers, Usage: "`HOST:PORT` of a replica to pull from; repeatable, see CPEER too",
		field: list(func(s *Settings) *[]string { return &s.Peers })},
	{Name: "peer-secret", Flag: Text, Change: Hidden, Category: peers,
		Usage: "secret that all servers prove to one another to know, at least 16 bytes; without it only this machine is let in",
		field: text(func(s *Settings) *string { return &s.PeerSecret })},
	{Name: "peer-secret-file", Flag: Text, Change: Hidden, Category: peers, Usage: "`FILE` with it",
		field: text(func(s *Settings) *string { return &s.PeerSecretFile })},
	{Name: "peer-user", Flag: Text, Change: Hidden, Category: peers, Usage: "user name for the peers",
		field: text(func(s *Settings) *string { return &s.PeerUser })},
	{Name: "peer-password", Flag: Text, Change: Hidden, Category: peers, Usage: "password for the peers",
		field: text(func(s *Settings) *string { return &s.PeerPassword })},
	{Name: "peer-tls", Flag: Switch, Change: Hidden, Category: peers, Default: "no", Usage: "speak TLS with the peers",
		field: yesNo(func(s *Settings) *bool { return &s.PeerTLS })},
	{Name: "peer-tls-ca", Flag: Text, Change: Hidden, Category: peers, Usage: "`FILE` with the certificates that theirs are signed by, PEM; default the system's",
		field: text(func(s *Settings) *string { return &s.PeerTLSCA })},
	{Name: "peer-tls-cert", Flag: Text, Change: Hidden, Category: peers, Usage: "`FILE` with the certificate that they are shown, PEM",
		field: text(func(s *Settings) *string { return &s.PeerTLSCert })},
	{Name: "peer-tls-key", Flag: Text, Change: Hidden, Category: peers, Usage: "`FILE` with its private key, PEM",
		field: text(func(s *Settings) *string { return &s.PeerTLSKey })},
	{Name: "repl-backlog", Flag: Text, Change: Hidden, Category: peers, Default: "256mb",
		Usage:   "disk space for changes that a peer has still to fetch; one that lacks more fetches the whole state",
		Refusal: "repl-backlog must be at least 1 byte", field: backlog()},
	{Name: "join-serve", Flag: Text, Category: peers, Default: "no",
		Usage: "yes: a new store serves clients although the state of its peers is not here yet, instead of answering LOADING",
		field: yesNo(func(s *Settings) *bool { return &s.JoinServe })},

	{Name: "dir", Flag: Text, Change: Kept, Category: store, Default: "data", Usage: "`DIR` of the store; made if missing",
		field: text(func(s *Settings) *string { return &s.Dir })},
	{Name: "backup-dir", Flag: Text, Change: Kept, Category: store, Usage: "`DIR` that CBACKUP writes below; default backups in that of the store",
		field: text(func(s *Settings) *string { return &s.BackupDir })},
	{Name: "appendfsync", Flag: Text, Category: store, Default: "everysec", Usage: "when the journal is synced: always, everysec or no", field: syncMode()},
	{Name: "disk-reserve", Flag: Text, Change: Hidden, Category: store, Default: "256mb", Usage: "free disk space below which writes are refused; 0: none",
		field: memory(0, func(s *Settings) *int64 { return &s.DiskReserve })},

	{Name: "cache-size", Flag: Text, Category: counters, Default: "256mb", Usage: "memory for cached counters",
		Refusal: fmt.Sprintf("cache-size must be at least %d bytes", MinCacheSize),
		field:   memory(MinCacheSize, func(s *Settings) *int64 { return &s.CacheSize })},
	{Name: "update-period", Flag: Duration, Category: counters, Default: "1s", Usage: "how late data of other replicas may show; 0: not at all",
		Refusal: "update-period must not be negative", field: updatePeriod()},
	{Name: "natural", Flag: List, Change: Fixed, Category: counters, Usage: "`PATTERN` of keys that become Naturals, which only grow; repeatable",
		field: list(func(s *Settings) *[]string { return &s.Natural })},

	{Name: "slowlog-log-slower-than", Flag: Text, Category: watching, Default: "10000", Usage: "microseconds from which on SLOWLOG has a command; -1: none",
		field: number(-1, math.MaxInt64, func(s *Settings) *int64 { return &s.SlowerThan })},
	{Name: "slowlog-max-len", Flag: Text, Category: watching, Default: "128", Usage: "how many it has",
		field: number(0, math.MaxInt64, func(s *Settings) *int64 { return &s.SlowLogLen })},
	{Name: "latency-monitor-threshold", Flag: Text, Category: watching, Default: "0", Usage: "milliseconds from which on LATENCY has an event; 0: never",
		field: number(0, math.MaxInt64, func(s *Settings) *int64 { return &s.LatencyThreshold })},
	{Name: "notify-keyspace-events", Flag: Text, Category: watching, Usage: "keyspace events that are published, by Redis's letters", field: events()},
	{Name: "client-output-buffer-limit", Flag: Text, Category: watching, Default: "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60",
		Usage: "what may wait for who listens", field: outputLimits()},
	{Name: "tracking-table-max-keys", Flag: Text, Category: watching, Default: "1000000",
		Usage: "how many keys that clients cache are remembered; 0: any number",
		field: number(0, math.MaxInt64, func(s *Settings) *int64 { return &s.TrackedKeys })},
	{Name: "latency-tracking", Flag: Text, Category: watching, Default: "yes", Usage: "whether INFO latencystats and LATENCY HISTOGRAM count: yes or no",
		field: yesNo(func(s *Settings) *bool { return &s.Tracking })},
	{Name: "latency-tracking-info-percentiles", Flag: Text, Category: watching, Default: "50 99 99.9", Usage: "what INFO latencystats shows", field: percentiles()},

	{Name: "proto-max-bulk-len", Flag: Text, Category: limits, Default: "512mb", Usage: "longest argument",
		field: memory(1<<20, func(s *Settings) *int64 { return &s.ProtoMaxBulk })},
	{Name: "client-query-buffer-limit", Flag: Text, Category: limits, Default: "64mb", Usage: "longest command",
		field: memory(1<<20, func(s *Settings) *int64 { return &s.QueryBuffer })},
	{Name: "maxmemory-clients", Flag: Text, Category: limits, Default: "25%",
		Usage: "memory that all clients together may take, in bytes or percent of the machine's; 0: any", field: clientMemory()},
	{Name: "hz", Flag: Text, Category: limits, Default: "10", Usage: "taken as Redis takes it; nothing here depends on it", field: hz()},

	{Name: "lua-time-limit", field: busyReply()}, // the old name of busy-reply-threshold
	{Name: "repl-backlog-size", Change: Kept, field: backlog()},
	{Name: "databases", Change: Fixed, field: constant(strconv.Itoa(engine.Databases))},
	{Name: "tcp-backlog", Change: Fixed, field: constant("511")},
	{Name: "cluster-enabled", Change: Fixed, field: constant("no")},
	{Name: "daemonize", Change: Fixed, field: constant("no")},
	{Name: "logfile", Change: Fixed, field: constant("")},
	{Name: "io-threads", Change: Fixed, field: constant("1")},
}, Idle())

func busyReply() field {
	return number(0, math.MaxInt64-1, func(s *Settings) *int64 { return &s.BusyReply })
}

func backlog() field { return memory(1, func(s *Settings) *int64 { return &s.Backlog }) }

func between(name string, hi int64) string {
	return fmt.Sprintf("%s must be between 0 and %d", name, hi)
}

// Env is the environment variable of the flag.
func (p *Setting) Env() string {
	return "ATOMICCOUNTER_" + strings.ToUpper(strings.ReplaceAll(p.Name, "-", "_"))
}

// Flags are the settings that the command line has, in the order of the table.
func Flags() (list []*Setting) {
	for i := range table {
		if table[i].Flag != NoFlag {
			list = append(list, &table[i])
		}
	}
	return list
}

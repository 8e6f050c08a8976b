// Command atomiccounter serves durable counters over the Redis protocol.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"atomiccounter/commands"
	"atomiccounter/engine"
	"atomiccounter/replica"
	"atomiccounter/server"
)

const version = "0.1.0"

func main() {
	out := newLogQueue(os.Stderr)
	err := newApp(out).Run(os.Args)
	if err != nil {
		fmt.Fprintln(out, "atomiccounter:", strings.Join(strings.Split(err.Error(), "\n"), "; "))
	}
	out.flush()
	if err != nil {
		os.Exit(1)
	}
}

func newApp(out *logQueue) *cli.App {
	return &cli.App{
		Name:            "atomiccounter",
		Usage:           "durable counters that speak the Redis protocol",
		HideVersion:     true,
		HideHelpCommand: true,
		Commands: []*cli.Command{
			{Name: "serve", Usage: "open the store and serve clients", Flags: serveFlags(), Action: func(c *cli.Context) error { return serve(c, out) }, OnUsageError: misused},
			{Name: "check", Usage: "verify a stopped store; changes nothing", ArgsUsage: "DIR", Action: check, OnUsageError: misused,
				Flags: []cli.Flag{&cli.BoolFlag{Name: "repair", Usage: "mend a damaged journal: take what it lost, and what came after, out of it, and keep that aside"}}},
			{Name: "import", Usage: "bring the keys of a running Redis into a running server", Flags: importFlags(), Action: importKeys,
				OnUsageError: misused},
			{Name: "version", Usage: "print the version", Action: printVersion, OnUsageError: misused},
		},
		Action:         helpOrUnknown,
		OnUsageError:   misused,
		ExitErrHandler: func(*cli.Context, error) {}, // one place prints: main
	}
}

// misused is what a wrong flag or variable comes to, instead of the whole help.
func misused(c *cli.Context, err error, _ bool) error { return seeHelp(c, err) }

func seeHelp(c *cli.Context, err error) error {
	return fmt.Errorf("%w; see %s --help", err, c.Command.HelpName)
}

// helpOrUnknown is for who names no command that there is.
func helpOrUnknown(c *cli.Context) error {
	if c.NArg() > 0 {
		return seeHelp(c, fmt.Errorf("there is no command %q", c.Args().First()))
	}
	return cli.ShowAppHelp(c)
}

func printVersion(*cli.Context) error {
	fmt.Printf("atomiccounter %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

func check(c *cli.Context) error {
	if c.NArg() != 1 {
		return seeHelp(c, errors.New("check takes the directory of one store"))
	}
	examine := engine.Check
	if c.Bool("repair") {
		examine = engine.Repair
	}
	dir := c.Args().First()
	return orRepair(dir, examine(dir, engine.Options{Logger: slog.New(slog.DiscardHandler)}, os.Stdout))
}

// orRepair adds to an error what can be done about it.
func orRepair(dir string, err error) error {
	if errors.Is(err, engine.ErrDamaged) {
		err = fmt.Errorf("%w; restore a copy, or let go of what the journal lost: atomiccounter check --repair %s", err, dir)
	}
	return err
}

// flagCategory groups the flags of serve in its help.
const (
	networkFlags = "network:"
	tlsFlags     = "TLS:"
	peerFlags    = "replication:"
	storeFlags   = "store:"
	counterFlags = "counters:"
	watchFlags   = "watching:"
	limitFlags   = "limits:"
)

func serveFlags() []cli.Flag {
	env := func(name string) []string {
		return []string{"ATOMICCOUNTER_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))}
	}
	text := func(category, name, value, usage string) cli.Flag {
		return &cli.StringFlag{Category: category, Name: name, Value: value, Usage: usage, EnvVars: env(name)}
	}
	number := func(category, name string, value int, usage string) cli.Flag {
		return &cli.IntFlag{Category: category, Name: name, Value: value, Usage: usage, EnvVars: env(name)}
	}
	list := func(category, name, usage string) cli.Flag {
		return &cli.StringSliceFlag{Category: category, Name: name, Usage: usage, EnvVars: env(name)}
	}
	return []cli.Flag{
		text("", "config", "", "`FILE` with a flag and its value on each line, as in redis.conf; flags and environment go before it"),
		text("", "loglevel", "notice", "debug, verbose, notice or warning"),
		number(networkFlags, "port", 6379, "TCP port; 0: none"),
		text(networkFlags, "bind", "", "addresses to listen on, separated by spaces; default all, but without a password only the loopback is let in"),
		text(networkFlags, "unixsocket", "", "`PATH` of a Unix socket to listen on too"),
		text(networkFlags, "unixsocketperm", "", "its permissions, octal"),
		text(networkFlags, "requirepass", "", "password that clients must give"),
		text(networkFlags, "protected-mode", "yes", "no: let everybody in even without a password"),
		text(networkFlags, "enable-debug-command", "no", "who may use DEBUG: yes, local or no"),
		number(networkFlags, "maxclients", 10000, "most clients at the same time"),
		number(networkFlags, "busy-reply-threshold", 5000, "milliseconds for which others wait for a script before they get BUSY; 0: for ever"),
		number(networkFlags, "timeout", 0, "seconds after which an idle client is disconnected; 0: never"),
		number(networkFlags, "tcp-keepalive", 300, "seconds of silence after which a peer is probed; 0: never"),
		number(tlsFlags, "tls-port", 0, "TCP port for clients that speak TLS; 0: none"),
		text(tlsFlags, "tls-cert-file", "", "`FILE` with the server's certificate, PEM"),
		text(tlsFlags, "tls-key-file", "", "`FILE` with its private key, PEM"),
		text(tlsFlags, "tls-ca-cert-file", "", "`FILE` with the certificates that clients' certificates are signed by, PEM"),
		text(tlsFlags, "tls-auth-clients", "yes", "whether clients must have a certificate: yes, no or optional"),
		list(peerFlags, "peer", "`HOST:PORT` of a replica to pull from; repeatable, see CPEER too"),
		text(peerFlags, "peer-secret", "", "secret that all servers prove to one another to know, at least 16 bytes; without it only this machine is let in"),
		text(peerFlags, "peer-secret-file", "", "`FILE` with it"),
		text(peerFlags, "peer-user", "", "user name for the peers"),
		text(peerFlags, "peer-password", "", "password for the peers"),
		&cli.BoolFlag{Category: peerFlags, Name: "peer-tls", Usage: "speak TLS with the peers", EnvVars: env("peer-tls")},
		text(peerFlags, "peer-tls-ca", "", "`FILE` with the certificates that theirs are signed by, PEM; default the system's"),
		text(peerFlags, "peer-tls-cert", "", "`FILE` with the certificate that they are shown, PEM"),
		text(peerFlags, "peer-tls-key", "", "`FILE` with its private key, PEM"),
		text(peerFlags, "repl-backlog", "256mb", "disk space for changes that a peer has still to fetch; one that lacks more fetches the whole state"),
		text(peerFlags, "join-serve", "no", "yes: a new store serves clients although the state of its peers is not here yet, instead of answering LOADING"),
		text(storeFlags, "dir", "data", "`DIR` of the store; made if missing"),
		text(storeFlags, "backup-dir", "", "`DIR` that CBACKUP writes below; default backups in that of the store"),
		text(storeFlags, "appendfsync", "everysec", "when the journal is synced: always, everysec or no"),
		text(storeFlags, "disk-reserve", "256mb", "free disk space below which writes are refused; 0: none"),
		text(counterFlags, "cache-size", "256mb", "memory for cached counters"),
		&cli.DurationFlag{Category: counterFlags, Name: "update-period", Value: time.Second, EnvVars: env("update-period"),
			Usage: "how late data of other replicas may show; 0: not at all"},
		text(watchFlags, "slowlog-log-slower-than", "10000", "microseconds from which on SLOWLOG has a command; -1: none"),
		text(watchFlags, "slowlog-max-len", "128", "how many it has"),
		text(watchFlags, "latency-monitor-threshold", "0", "milliseconds from which on LATENCY has an event; 0: never"),
		text(watchFlags, "notify-keyspace-events", "", "keyspace events that are published, by Redis's letters"),
		text(watchFlags, "client-output-buffer-limit", "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60", "what may wait for who listens"),
		text(watchFlags, "tracking-table-max-keys", "1000000", "how many keys that clients cache are remembered; 0: any number"),
		text(watchFlags, "latency-tracking", "yes", "whether INFO latencystats and LATENCY HISTOGRAM count: yes or no"),
		text(watchFlags, "latency-tracking-info-percentiles", "50 99 99.9", "what INFO latencystats shows"),
		text(limitFlags, "proto-max-bulk-len", "512mb", "longest argument"),
		text(limitFlags, "client-query-buffer-limit", "64mb", "longest command"),
		text(limitFlags, "maxmemory-clients", "25%", "memory that all clients together may take, in bytes or percent of the machine's; 0: any"),
		text(limitFlags, "hz", "10", "taken as Redis takes it; nothing here depends on it"),
		list(counterFlags, "natural", "`PATTERN` of keys that become Naturals, which only grow; repeatable"),
	}
}

func serve(c *cli.Context, out *logQueue) error {
	if c.NArg() > 0 {
		return seeHelp(c, fmt.Errorf("serve takes flags only; what is %q?", c.Args().First()))
	}
	if err := readConfig(c); err != nil {
		return err
	}
	level := new(slog.LevelVar)
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
	if l, err := commands.ParseLevel(c.String("loglevel")); err != nil {
		return fmt.Errorf("loglevel: %w", err)
	} else {
		level.Set(l)
	}
	store, err := storeOptions(c, log)
	if err != nil {
		return err
	}
	listen, err := serverOptions(c, log, level)
	if err != nil {
		return err
	}
	peers, err := peerOptions(c, log)
	if err != nil {
		return err
	}
	listen.Settings.PeerSecret = peers.Secret
	peers.Port = cmp.Or(listen.Port, listen.TLSPort)
	if peers.TLS != nil {
		peers.Port = cmp.Or(listen.TLSPort, listen.Port)
	}
	store.AwaitPeers = len(peers.Peers) > 0
	if err := shareFiles(&store, &listen.Settings, log); err != nil {
		return err
	}
	listen.Settings.Store = store
	limitMemory(store.CacheSize, 0)
	listen.Sized = limitMemory
	if name := listen.Settings.ConfigFile; name != "" {
		listen.Rewrite = func(settings map[string]string) error { return rewriteConfig(name, settings) }
	}
	makeUpForSyncs(store.Sync)
	listen.LogDropped, listen.LogFlush = out.dropped.Load, out.flush
	return run(c.String("dir"), store, listen, peers, out)
}

// run listens, opens the store, serves until a signal or SHUTDOWN, and closes the store.
func run(dir string, store engine.Options, o server.Options, peers replica.Options, out io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop)                   // a second signal ends the process at once
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE) // as Redis does: neither a terminal that closes nor a dead reader of the log ends the server
	redis.SetLogger(clientLog{o.Log})
	s, err := server.New(o) // before a store is made for nothing
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() {
		served <- s.Serve(ctx)
		end() // SHUTDOWN ends the rest too
	}()
	syscall.Umask(0o077) // the store is for nobody else, also in a directory that was there; a Unix socket was made before
	store.Progress = s.Progress
	eng, err := engine.OpenContext(ctx, dir, store)
	if err != nil {
		if errors.Is(err, context.Canceled) { // the store is as it was
			o.Log.Info("stopped while the store was loading", "reason", err)
			err = nil
		}
		end()
		return errors.Join(orRepair(dir, err), <-served)
	}
	err = open(ctx, dir, eng, s, peers, o.Log, out)
	end()
	err = errors.Join(err, <-served) // nothing uses the store any more
	if e := eng.Close(); e != nil {
		return errors.Join(err, fmt.Errorf("close the store: %w", e))
	}
	o.Log.Info("stopped")
	return err
}

// open has the server serve the store, and pulls from its peers until ctx ends.
func open(ctx context.Context, dir string, eng *engine.Engine, s *server.Server, peers replica.Options, log *slog.Logger, out io.Writer) error {
	node, err := replica.New(eng, peers)
	if err != nil {
		return err
	}
	s.Open(eng, node)
	banner(out, dir, eng, s, node)
	log.Info("ready", "replayed", eng.Stats().Replayed)
	if err := node.Run(ctx); err != nil {
		return fmt.Errorf("replication: %w", err)
	}
	return nil
}

// clientLog takes what the client library says of the connections to peers, which the node says better.
type clientLog struct{ *slog.Logger }

func (l clientLog) Printf(ctx context.Context, format string, args ...any) {
	l.DebugContext(ctx, "redis client", "text", fmt.Sprintf(format, args...))
}

func banner(w io.Writer, dir string, eng *engine.Engine, s *server.Server, node *replica.Node) {
	var addrs []string
	for _, a := range s.Addrs() {
		addrs = append(addrs, a.String())
	}
	durability := map[engine.SyncMode]string{
		engine.Always:   "always: a reply waits until its write is on disk",
		engine.EverySec: "everysec: a crash of the process loses nothing, a power failure at most the last second",
		engine.No:       "no: a crash of the process loses nothing, a power failure what the system had not written",
	}
	fmt.Fprintf(w, "atomiccounter %s\n", version)
	fmt.Fprintf(w, "  listening   %s\n", strings.Join(addrs, "  "))
	fmt.Fprintf(w, "  data        %s\n", dir)
	fmt.Fprintf(w, "  durability  %s\n", durability[eng.Sync()])
	fmt.Fprintf(w, "  replica     %016x\n", uint64(eng.ReplicaID()))
	var peers []string
	for _, p := range node.Peers() {
		if !p.Inbound {
			peers = append(peers, p.Addr)
		}
	}
	if len(peers) > 0 {
		fmt.Fprintf(w, "  peers       %s\n", strings.Join(peers, "  "))
	}
}

func storeOptions(c *cli.Context, log *slog.Logger) (o engine.Options, err error) {
	o.Logger = log
	if o.Sync, err = commands.ParseSync(c.String("appendfsync")); err != nil {
		return o, fmt.Errorf("appendfsync: %w", err)
	}
	if o.CacheSize, err = commands.ParseBytes(c.String("cache-size")); err != nil {
		return o, fmt.Errorf("cache-size: %w", err)
	} else if o.CacheSize < commands.MinCacheSize { // 0 would mean the default
		return o, fmt.Errorf("cache-size must be at least %d bytes", commands.MinCacheSize)
	}
	if o.Reserve, err = commands.ParseBytes(c.String("disk-reserve")); err != nil {
		return o, fmt.Errorf("disk-reserve: %w", err)
	} else if o.Reserve == 0 { // would mean the default
		o.Reserve = -1
	}
	if o.Backlog, err = commands.ParseBytes(c.String("repl-backlog")); err != nil {
		return o, fmt.Errorf("repl-backlog: %w", err)
	} else if o.Backlog < 1 { // 0 would mean the default
		return o, errors.New("repl-backlog must be at least 1 byte")
	}
	switch o.UpdatePeriod = c.Duration("update-period"); {
	case o.UpdatePeriod < 0:
		return o, errors.New("update-period must not be negative")
	case o.UpdatePeriod == 0:
		o.UpdatePeriod = engine.AlwaysFresh
	}
	if patterns := c.StringSlice("natural"); len(patterns) > 0 {
		o.Natural = func(key []byte) bool { return commands.Matches(patterns, key) }
	}
	return o, nil
}

func serverOptions(c *cli.Context, log *slog.Logger, level *slog.LevelVar) (o server.Options, err error) {
	o = server.Options{Log: log, Level: level, Version: version, Port: c.Int("port")}
	if o.Port < 0 || o.Port > 65535 {
		return o, fmt.Errorf("port: %d is no TCP port", o.Port)
	}
	if perm := c.String("unixsocketperm"); perm != "" {
		mode, err := strconv.ParseUint(perm, 8, 9)
		if err != nil {
			return o, fmt.Errorf("unixsocketperm: %q is no octal mode", perm)
		}
		o.UnixSocketPerm = fs.FileMode(mode)
	}
	dir, err := filepath.Abs(c.String("dir"))
	if err != nil {
		return o, err
	}
	backups, err := backupDir(dir, c.String("backup-dir"))
	if err != nil {
		return o, err
	}
	file := c.String("config")
	if file != "" {
		if file, err = filepath.Abs(file); err != nil {
			return o, err
		}
	}
	o.Settings = commands.Settings{
		Bind: c.String("bind"), UnixSocket: c.String("unixsocket"), Dir: dir, BackupDir: backups, ConfigFile: file,
		Natural: c.StringSlice("natural"), Password: c.String("requirepass"), MaxClients: c.Int("maxclients"),
		Timeout: time.Duration(c.Int("timeout")) * time.Second, KeepAlive: keepAlive(c.Int("tcp-keepalive")),
		BusyReply: busyReply(c.Int("busy-reply-threshold")),
	}
	if o.Settings.Others, err = watchOptions(c); err != nil {
		return o, err
	}
	switch mode := c.String("protected-mode"); mode {
	case "yes":
	case "no":
		o.Settings.Unprotected = true
	default:
		return o, fmt.Errorf("protected-mode: %q is neither yes nor no", mode)
	}
	switch o.Settings.Debug = c.String("enable-debug-command"); o.Settings.Debug {
	case "yes", "local", "no":
	default:
		return o, fmt.Errorf("enable-debug-command: %q is none of yes, local and no", o.Settings.Debug)
	}
	if err := tlsOptions(c, &o); err != nil {
		return o, err
	}
	for name, most := range map[string]int{"timeout": math.MaxInt32, "tcp-keepalive": math.MaxInt32, "busy-reply-threshold": math.MaxInt64 - 1} {
		if n := c.Int(name); n < 0 || n > most {
			return o, fmt.Errorf("%s must be between 0 and %d", name, most)
		}
	}
	if o.Settings.MaxClients < 1 {
		return o, errors.New("maxclients must be at least 1")
	}
	return o, nil
}

// defaultBackups is where backups go, in the directory of the store: nothing else there is theirs.
const defaultBackups = "backups"

// backupDir gives the directory that backups go below.
func backupDir(store, asked string) (string, error) {
	if asked == "" {
		return filepath.Join(store, defaultBackups), nil
	}
	dir, err := filepath.Abs(asked)
	if err != nil {
		return "", err
	}
	within, err := filepath.Rel(store, dir)
	if first, _, _ := strings.Cut(within, string(filepath.Separator)); err == nil && filepath.IsLocal(within) && first != defaultBackups {
		return "", fmt.Errorf("backup-dir: %s is in the store; what is there is not for backups, but for %s", dir, filepath.Join(store, defaultBackups))
	}
	return dir, nil
}

// watchOptions are parameters that CONFIG SET could set too; a wrong one is found before a store is opened.
func watchOptions(c *cli.Context) (map[string]string, error) {
	others := map[string]string{"join-serve": c.String("join-serve")}
	for _, flag := range c.Command.Flags {
		if f, ok := flag.(*cli.StringFlag); ok && (f.Category == watchFlags || f.Category == limitFlags) {
			others[f.Name] = c.String(f.Name)
		}
	}
	return others, new(commands.Server).Configure(others)
}

// limitMemory has the collector work harder when the heap nears twice the cache and what the database holds outside of
// it. GOMEMLIMIT, if set, goes before.
func limitMemory(cache, clients int64) {
	const besides = 128 << 20
	if os.Getenv("GOMEMLIMIT") == "" && cache < (math.MaxInt64-besides-clients)/2 {
		debug.SetMemoryLimit(2*cache + besides + clients)
	}
}

// makeUpForSyncs gives the scheduler one processor more in the mode always: the thread that waits for the disk most of the time
// keeps its own until the runtime notices, which takes longer than a sync. GOMAXPROCS, if set, goes before.
func makeUpForSyncs(mode engine.SyncMode) {
	if mode == engine.Always && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

// shareFiles divides the files that the process may have open. The store gets what it needs, or a quarter, and clients what is left.
func shareFiles(store *engine.Options, s *commands.Settings, log *slog.Logger) error {
	const others = 16 // listeners, peers, the runtime's, and those who are told that there are too many clients
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit on open files: %w", err)
	}
	files := int(min(limit.Cur, math.MaxInt32))
	store.MaxFiles = min(max(files/4, engine.FewestFiles), engine.MostFiles)
	s.MostClients = files - store.MaxFiles - others
	if s.MostClients < 1 {
		return fmt.Errorf("ulimit -n of %d is not enough: it has to be more than %d", files, store.MaxFiles+others)
	}
	if s.MaxClients > s.MostClients {
		log.Warn("maxclients is lowered to what ulimit -n leaves", "maxclients", s.MostClients, "asked", s.MaxClients,
			"ulimit", files, "for_the_store", store.MaxFiles)
		s.MaxClients = s.MostClients
	}
	return nil
}

// busyReply gives the setting for a number of milliseconds, of which 0 means for ever.
func busyReply(ms int) time.Duration {
	if ms == 0 {
		return -1
	}
	return time.Duration(min(ms, math.MaxInt64/int(time.Millisecond))) * time.Millisecond
}

// keepAlive gives the setting for a number of seconds, of which 0 means never.
func keepAlive(s int) time.Duration {
	if s == 0 {
		return -1
	}
	return time.Duration(s) * time.Second
}

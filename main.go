// Command atomiccounter serves durable counters over the Redis protocol.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"atomiccounter/commands"
	"atomiccounter/commands/config"
	"atomiccounter/engine"
	"atomiccounter/replica"
	"atomiccounter/replica/migrate"
	"atomiccounter/server"
)

const version = "0.1.0"

func main() {
	out := server.NewLogQueue(os.Stderr)
	err := newApp(out).Run(os.Args)
	if err != nil {
		fmt.Fprintln(out, "atomiccounter:", strings.Join(strings.Split(err.Error(), "\n"), "; "))
	}
	out.Flush()
	if err != nil {
		os.Exit(1)
	}
}

func newApp(out *server.LogQueue) *cli.App {
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

// helpOrUnknown is for a command line without a known command.
func helpOrUnknown(c *cli.Context) error {
	if c.NArg() > 0 {
		return seeHelp(c, fmt.Errorf("there is no command %q", c.Args().First()))
	}
	return cli.ShowAppHelp(c)
}

func importFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "from", Usage: "`URL` of the Redis: redis://user:password@host:port, with /database for one only"},
		&cli.StringFlag{Name: "to", Value: "redis://127.0.0.1:6379", Usage: "`URL` of this server"},
		&cli.StringFlag{Name: "match", Usage: "only keys of this `PATTERN`"},
		&cli.BoolFlag{Name: "replace", Usage: "overwrite keys that the server has already; default: leave them alone"},
		&cli.BoolFlag{Name: "add", Usage: "add counters to those that the server has already, each once within a day"},
		&cli.StringFlag{Name: "left", Usage: "`FILE` to list every key in that is not taken along"},
	}
}

func importKeys(c *cli.Context) error {
	switch {
	case c.NArg() > 0:
		return seeHelp(c, fmt.Errorf("import takes flags only; what is %q?", c.Args().First()))
	case c.String("from") == "":
		return seeHelp(c, errors.New("import needs --from URL"))
	case c.Bool("add") && c.Bool("replace"):
		return errors.New("--add and --replace exclude each other")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return migrate.Run(ctx, migrate.Options{From: c.String("from"), To: c.String("to"), Match: c.String("match"),
		Replace: c.Bool("replace"), Add: c.Bool("add")}, c.String("left"))
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

// serveFlags are the settings that the command line has.
func serveFlags() (flags []cli.Flag) {
	for _, s := range config.Flags() {
		env := []string{s.Env()}
		switch s.Flag {
		case config.Text:
			flags = append(flags, &cli.StringFlag{Category: s.Category, Name: s.Name, Value: s.Default, Usage: s.Usage, EnvVars: env})
		case config.Number:
			flags = append(flags, &cli.IntFlag{Category: s.Category, Name: s.Name, Value: must(strconv.Atoi(s.Default)), Usage: s.Usage, EnvVars: env})
		case config.Duration:
			flags = append(flags, &cli.DurationFlag{Category: s.Category, Name: s.Name, Value: must(time.ParseDuration(s.Default)), Usage: s.Usage, EnvVars: env})
		case config.List:
			flags = append(flags, &cli.StringSliceFlag{Category: s.Category, Name: s.Name, Usage: s.Usage, EnvVars: env})
		case config.Switch:
			flags = append(flags, &cli.BoolFlag{Category: s.Category, Name: s.Name, Usage: s.Usage, EnvVars: env})
		}
	}
	return flags
}

// must is for defaults in the table of settings.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// given has the values of a flag, as the configuration file would have them.
func given(c *cli.Context, s *config.Setting) []string {
	switch s.Flag {
	case config.Number:
		return []string{strconv.Itoa(c.Int(s.Name))}
	case config.Duration:
		return []string{c.Duration(s.Name).String()}
	case config.List:
		return c.StringSlice(s.Name)
	case config.Switch:
		return []string{config.YesOrNo(c.Bool(s.Name))}
	}
	return []string{c.String(s.Name)}
}

// readFile takes the flags that are not set from the configuration file.
func readFile(c *cli.Context, name string) error {
	set := make(map[string]bool)
	for _, s := range config.Flags() {
		set[s.Name] = c.IsSet(s.Name)
	}
	return config.Read(name, func(s *config.Setting, value string) error {
		if set[s.Name] {
			return nil
		}
		if s.Flag == config.Switch {
			value = map[string]string{"yes": "true", "no": "false"}[value]
		}
		return c.Set(s.Name, value)
	})
}

func serve(c *cli.Context, out *server.LogQueue) error {
	if c.NArg() > 0 {
		return seeHelp(c, fmt.Errorf("serve takes flags only; what is %q?", c.Args().First()))
	}
	if name := c.String("config"); name != "" {
		if err := readFile(c, name); err != nil {
			return err
		}
	}
	settings, err := config.Start(func(s *config.Setting) []string { return given(c, s) })
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	level.Set(settings.LogLevel)
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
	listen := server.Options{Settings: settings, Version: version, Sized: server.LimitMemory,
		Log: &commands.Log{Logger: log, Level: level, Dropped: out.Dropped, Flush: out.Flush}}
	if listen.TLS, err = server.ClientTLS(settings); err != nil {
		return err
	}
	peers, err := peerOptions(settings, log)
	if err != nil {
		return err
	}
	store := commands.StoreOptions(settings, log)
	if err := server.ShareFiles(&store, settings, log); err != nil {
		return err
	}
	server.LimitMemory(store.CacheSize, 0)
	server.MakeUpForSyncs(store.Sync)
	return run(c.String("dir"), store, listen, peers, out)
}

// peerOptions says how to pull from which peers.
func peerOptions(s *config.Settings, log *slog.Logger) (o replica.Options, err error) {
	o = replica.Options{User: s.PeerUser, Password: s.PeerPassword, Secret: s.PeerSecret, Port: int(cmp.Or(s.Port, s.TLSPort)), Log: log}
	for _, peer := range s.Peers {
		addr, err := commands.ParsePeer(peer)
		if err != nil {
			return o, err
		}
		o.Peers = append(o.Peers, addr)
	}
	if o.User != "" && o.Password == "" {
		return o, errors.New("peer-user needs peer-password")
	}
	if o.TLS, err = server.PeerTLS(s); o.TLS != nil {
		o.Port = int(cmp.Or(s.TLSPort, s.Port))
	}
	return o, err
}

// run listens, opens the store, serves until a signal or SHUTDOWN, and closes the store.
func run(dir string, store engine.Options, o server.Options, peers replica.Options, out io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop)                   // a second signal ends the process at once
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE) // as Redis does: neither a terminal that closes nor a dead reader of the log ends the server
	replica.LogClients(o.Log.Logger)
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
	syscall.Umask(0o077) // the store is for this user alone, also in a directory that was there; a Unix socket was made before
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
	err = open(ctx, dir, eng, s, peers, o.Log.Logger, out)
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
	s.Banner(out, dir)
	log.Info("ready", "replayed", eng.Stats().Replayed)
	if err := node.Run(ctx); err != nil {
		return fmt.Errorf("replication: %w", err)
	}
	return nil
}

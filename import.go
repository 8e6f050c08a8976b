package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"atomiccounter/replica/migrate"
)

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

// importKeys fails if a key was not taken along, so that a script notices.
func importKeys(c *cli.Context) (err error) {
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
	bar := migrate.NewBar(os.Stderr)
	o := migrate.Options{From: c.String("from"), To: c.String("to"), Match: c.String("match"), Replace: c.Bool("replace"), Add: c.Bool("add"), Progress: bar.Show}
	if name := c.String("left"); name != "" {
		list, closeList, e := listTo(name)
		if e != nil {
			return fmt.Errorf("left: %w", e)
		}
		defer func() { err = errors.Join(err, closeList()) }()
		o.Left = list
	}
	report, err := migrate.Import(ctx, o)
	bar.End()
	report.Write(os.Stdout)
	if n := report.LeftKeys(); err == nil && n > 0 {
		err = fmt.Errorf("%d keys were not taken along", n)
	}
	return err
}

// listTo gives what writes a line to a new file for each key, and what ends it.
func listTo(name string) (list func(string, migrate.Example), end func() error, err error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, nil, err
	}
	w := bufio.NewWriter(f)
	list = func(why string, e migrate.Example) {
		fmt.Fprintf(w, "%d\t%q\t%s\t%s\n", e.DB, e.Key, why, e.Detail) // Flush reports what goes wrong
	}
	return list, func() error { return errors.Join(w.Flush(), f.Close()) }, nil
}

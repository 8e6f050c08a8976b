package migrate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
)

// Run imports, with a bar on standard error and the report on standard output. A file lists the keys that were skipped; no name: none.
// Run fails if there is such a key, so that a script notices.
func Run(ctx context.Context, o Options, left string) (err error) {
	if left != "" {
		list, closeList, e := listTo(left)
		if e != nil {
			return fmt.Errorf("left: %w", e)
		}
		defer func() { err = errors.Join(err, closeList()) }()
		o.Left = list
	}
	bar := NewBar(os.Stderr)
	o.Progress = bar.Show
	report, err := Import(ctx, o)
	bar.End()
	report.Write(os.Stdout)
	if n := report.LeftKeys(); err == nil && n > 0 {
		err = fmt.Errorf("%d keys were not taken along", n)
	}
	return err
}

// listTo gives what writes a line to a new file for each key, and what ends it.
func listTo(name string) (list func(string, Example), end func() error, err error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, nil, err
	}
	w := bufio.NewWriter(f)
	list = func(why string, e Example) {
		fmt.Fprintf(w, "%d\t%q\t%s\t%s\n", e.DB, e.Key, why, e.Detail) // Flush reports what goes wrong
	}
	return list, func() error { return errors.Join(w.Flush(), f.Close()) }, nil
}

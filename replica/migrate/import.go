// Package migrate brings the keys of a running Redis into this server, over the protocol on both sides, so that neither stops.
//
// It walks the source with SCAN and takes along what this server has: strings, which are counters or texts, and hashes, with
// their times to live. What it cannot take it names (Report.Left). A key that the target has already is left alone, so an
// import that was cut is simply run again; Options.Replace overwrites instead, and Options.Add adds counters up.
//
// A key is read at one moment and written at another. What is written to the source meanwhile may be missed: README.md says in
// which order to move the writers.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Options of Import.
type Options struct {
	From, To string // URLs: redis://user:password@host:port/database, or rediss:// for TLS
	Match    string // pattern of the keys to take; empty: all
	Replace  bool   // overwrite keys that the target has
	Add      bool   // add counters to those of the target, once; excludes Replace
	Progress func(Progress)
	Left     func(why string, e Example) // is told every key that is not taken along
}

// Progress is how far an import is.
type Progress struct {
	Seen, Total int64 // keys; Total is what the source said at the start
	Elapsed     time.Duration
	Done        bool
}

// page is how many keys are moved at a time, about.
const page = 512

// Import moves the keys and reports. An error ends it; what was moved by then stays. The context ends it too.
func Import(ctx context.Context, o Options) (Report, error) {
	if o.Add && o.Replace {
		return Report{}, errors.New("a counter is added or replaced, not both")
	}
	from, err := redis.ParseURL(o.From)
	if err != nil {
		return Report{}, fmt.Errorf("from: %w", err)
	}
	to, err := redis.ParseURL(o.To)
	if err != nil {
		return Report{}, fmt.Errorf("to: %w", err)
	}
	list, err := databases(ctx, from, namesDatabase(o.From))
	if err != nil {
		return Report{}, fmt.Errorf("from: %w", err)
	}
	m := &mover{options: o, into: -1, began: time.Now()}
	if namesDatabase(o.To) {
		m.into = to.DB
	}
	for _, d := range list {
		m.total += d.keys
	}
	for _, d := range list {
		if err := m.database(ctx, from, to, d.number); err != nil {
			return m.report, err
		}
	}
	m.tell(true)
	return m.report, nil
}

// namesDatabase says whether a URL that can be parsed says which database is meant.
func namesDatabase(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Query().Has("db") || u.Scheme != "unix" && strings.Trim(u.Path, "/") != "")
}

type database struct {
	number int
	keys   int64
}

// databases are those of the source that have keys, or the one that its URL names.
func databases(ctx context.Context, from *redis.Options, named bool) (list []database, err error) {
	c := redis.NewClient(from)
	defer func() { err = errors.Join(err, c.Close()) }()
	info, err := c.Info(ctx, "keyspace").Result()
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(info) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), ":keys=")
		number, err := strconv.Atoi(strings.TrimPrefix(name, "db"))
		if err != nil || named && number != from.DB {
			continue
		}
		keys, _, _ := strings.Cut(rest, ",")
		n, err := strconv.ParseInt(keys, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("INFO keyspace says %q", line)
		}
		list = append(list, database{number, n})
	}
	slices.SortFunc(list, func(a, b database) int { return a.number - b.number })
	return list, nil
}

// mover carries keys over.
type mover struct {
	options  Options
	from, to *redis.Client
	db       int    // of the source
	into     int    // database of the target; negative: that of the same number
	token    string // of what is added from this database
	report   Report
	total    int64
	began    time.Time
}

func (m *mover) database(ctx context.Context, from, to *redis.Options, number int) (err error) {
	source, target := *from, *to
	source.DB, target.DB = number, number
	if m.into >= 0 {
		target.DB = m.into
	}
	m.db, m.from, m.to = number, redis.NewClient(&source), redis.NewClient(&target)
	defer func() { err = errors.Join(err, m.from.Close(), m.to.Close()) }()
	if m.options.Add {
		if m.token, err = tokenOf(ctx, m.from, number); err != nil {
			return fmt.Errorf("from: %w", err)
		}
	}
	for cursor := uint64(0); ; {
		keys, next, err := m.from.Scan(ctx, cursor, m.options.Match, page).Result()
		if err != nil {
			return fmt.Errorf("from: %w", err)
		}
		if err := m.move(ctx, keys); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
		m.tell(false)
	}
}

func (m *mover) tell(done bool) {
	if m.options.Progress != nil {
		m.options.Progress(Progress{Seen: m.report.Seen, Total: m.total, Elapsed: time.Since(m.began), Done: done})
	}
}

package commands

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Log is the log of the process.
type Log struct {
	*slog.Logger
	Level   *slog.LevelVar // of Logger; nil: loglevel cannot be changed
	Dropped func() int64   // lines that were dropped because they were not read in time; nil: none
	Flush   func()         // waits until what was logged is written, but not for long; nil: it is

	mu    sync.Mutex
	kinds map[string]*limitedLine // those of Limited, by the text, of which there are few
}

// limitedLine is what is known of a line that is logged once a second at most.
type limitedLine struct {
	level slog.Level
	last  time.Time
	held  int64 // lines since
}

// Limited logs no more than one line a second of the same text: it is for what any client can cause, as often as it likes, without a
// password. How many were held back the next one says.
func (l *Log) Limited(level slog.Level, text string, attrs ...slog.Attr) {
	if !l.Enabled(context.Background(), level) {
		return
	}
	held, ok := l.take(level, text, time.Now())
	if !ok {
		return
	}
	if held > 0 {
		attrs = append(attrs, slog.Int64("suppressed", held))
	}
	l.LogAttrs(context.Background(), level, text, attrs...)
}

func (l *Log) take(level slog.Level, text string, now time.Time) (held int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.kinds[text]
	if k == nil {
		if l.kinds == nil {
			l.kinds = make(map[string]*limitedLine)
		}
		k = &limitedLine{level: level}
		l.kinds[text] = k
	}
	if now.Sub(k.last) < time.Second {
		k.held++
		return 0, false
	}
	held, k.held, k.last = k.held, 0, now
	return held, true
}

// due takes the kinds of which lines are held back that no other has followed for a second.
func (l *Log) due(now time.Time) map[string]limitedLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make(map[string]limitedLine)
	for text, k := range l.kinds {
		if k.held > 0 && now.Sub(k.last) >= time.Second {
			list[text] = *k
			k.held, k.last = 0, now
		}
	}
	return list
}

// sayHeldBack says how many lines were held back at the end of a flood. It is called about once a second.
func (l *Log) sayHeldBack(now time.Time) {
	for text, k := range l.due(now) {
		l.LogAttrs(context.Background(), k.level, text, slog.Int64("suppressed", k.held))
	}
}

// dropped is how many lines were dropped because they were not read in time.
func (l *Log) dropped() int64 {
	if l.Dropped == nil {
		return 0
	}
	return l.Dropped()
}

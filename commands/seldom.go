package commands

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// seldom holds back lines of the log that anybody can cause, as often as they like, without a password: of each kind there is one a second.
// The zero value is ready.
type seldom struct {
	mu    sync.Mutex
	kinds map[string]*seldomKind // by the text, of which there are few
}

type seldomKind struct {
	level slog.Level
	last  time.Time
	held  int64 // lines since
}

// LogSeldom logs, but no more than one line a second of the same text. How many were held back the next one says.
func (s *Server) LogSeldom(level slog.Level, text string, attrs ...slog.Attr) {
	if !s.Log.Enabled(context.Background(), level) {
		return
	}
	held, ok := s.seldom.take(level, text, time.Now())
	if !ok {
		return
	}
	if held > 0 {
		attrs = append(attrs, slog.Int64("suppressed", held))
	}
	s.Log.LogAttrs(context.Background(), level, text, attrs...)
}

func (l *seldom) take(level slog.Level, text string, now time.Time) (held int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.kinds[text]
	if k == nil {
		if l.kinds == nil {
			l.kinds = make(map[string]*seldomKind)
		}
		k = &seldomKind{level: level}
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
func (l *seldom) due(now time.Time) map[string]seldomKind {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make(map[string]seldomKind)
	for text, k := range l.kinds {
		if k.held > 0 && now.Sub(k.last) >= time.Second {
			list[text] = *k
			k.held, k.last = 0, now
		}
	}
	return list
}

// logHeldBack says how many lines were held back at the end of a flood. It is called about once a second.
func (s *Server) logHeldBack(now time.Time) {
	for text, k := range s.seldom.due(now) {
		s.Log.LogAttrs(context.Background(), k.level, text, slog.Int64("suppressed", k.held))
	}
}

func (s *Server) logDropped() int64 {
	if s.LogDropped == nil {
		return 0
	}
	return s.LogDropped()
}

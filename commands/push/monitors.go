package push

import (
	"fmt"
	"sync"
)

// Monitors are the clients that watch all commands. The zero value is empty.
type Monitors struct {
	mu   sync.Mutex
	list map[*Receiver]struct{}
}

// Add has a client watch.
func (m *Monitors) Add(r *Receiver) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.list == nil {
		m.list = make(map[*Receiver]struct{})
	}
	m.list[r] = struct{}{}
	r.Monitors.Store(true)
}

// Remove has a client watch no more, and says whether others do.
func (m *Monitors) Remove(r *Receiver) (others bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.list, r)
	r.Monitors.Store(false)
	return len(m.list) > 0
}

// Show sends a line to all that watch, by way of send.
func (m *Monitors) Show(line []byte, send func(*Receiver, Message)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for r := range m.list {
		send(r, Message{line, line})
	}
}

// AppendQuoted writes a string as redis-cli reads it.
func AppendQuoted(b, s []byte) []byte {
	b = append(b, '"')
	for _, ch := range s {
		switch ch {
		case '\\', '"':
			b = append(b, '\\', ch)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		case '\a':
			b = append(b, `\a`...)
		case '\b':
			b = append(b, `\b`...)
		default:
			if ' ' <= ch && ch <= '~' {
				b = append(b, ch)
			} else {
				b = fmt.Appendf(b, `\x%02x`, ch)
			}
		}
	}
	return append(b, '"')
}

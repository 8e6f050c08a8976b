package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrImmutable refuses to change what is fixed.
var ErrImmutable = errors.New("can't set immutable config")

var errDuplicate = errors.New("duplicate parameter")

// Effects are what the changes of settings bring about, where they have effect. The caller finds out by the name of a setting what to do.
type Effects struct {
	May     func(name string) error // says why the setting can not be changed at present
	Changed func(name string) error // is called when Load gives the new value; after an error it gives the old one again
}

// Find gives the setting that CONFIG knows by that name, in any case; nil: there is none.
func Find(name string) *Setting {
	i := slices.IndexFunc(table, func(p Setting) bool { return p.Change != Hidden && strings.EqualFold(p.Name, name) })
	if i < 0 {
		return nil
	}
	return &table[i]
}

// Match gives the settings that CONFIG knows by names that match.
func Match(match func(name string) bool) (list []*Setting) {
	for i := range table {
		if p := &table[i]; p.Change != Hidden && match(p.Name) {
			list = append(list, p)
		}
	}
	return list
}

// Get gives the value as CONFIG GET shows it.
func (p *Setting) Get(s *Settings) string { return p.get(s) }

// Set is CONFIG SET: it changes all the settings, given as pairs of names and values, or, if one of the values is wrong, none. One that
// fails to change leaves those behind it as they are.
func (c *Config) Set(pairs []string, effects Effects) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	found, err := findAll(pairs)
	if err != nil {
		return err
	}
	trial := *c.Load()
	for i, p := range found {
		err := effects.May(p.Name)
		if err == nil {
			err = p.change(&trial, pairs[2*i+1])
		}
		if err != nil {
			return setFailed(p.Name, err)
		}
	}
	for i, p := range found {
		if err := c.change(p, pairs[2*i+1], effects.Changed); err != nil {
			return setFailed(p.Name, err)
		}
	}
	return nil
}

// findAll finds all settings before any value is looked at, as Redis does: the first name that is wrong is reported as it was typed, before
// the first wrong value.
func findAll(pairs []string) (found []*Setting, err error) {
	for i := 0; i < len(pairs); i += 2 {
		name, _, _ := strings.Cut(pairs[i], "\x00")
		p := Find(name)
		switch {
		case p == nil:
			//lint:ignore ST1005 Redis's words
			return nil, fmt.Errorf("Unknown option or number of arguments for CONFIG SET - '%s'", name)
		case p.Change == Fixed:
			return nil, setFailed(name, ErrImmutable)
		case slices.Contains(found, p):
			return nil, setFailed(name, errDuplicate)
		}
		found = append(found, p)
	}
	return found, nil
}

func (p *Setting) change(s *Settings, value string) error {
	if p.Change == Free {
		return p.set(s, value)
	}
	if !strings.EqualFold(value, p.get(s)) {
		return ErrImmutable
	}
	return nil
}

func (c *Config) change(p *Setting, value string, changed func(name string) error) error {
	before := c.Load()
	after := *before
	if err := p.change(&after, value); err != nil {
		return err
	}
	c.settings.Store(&after)
	err := changed(p.Name)
	if err != nil {
		c.settings.Store(before)
	}
	return err
}

func setFailed(name string, err error) error {
	return fmt.Errorf("CONFIG SET failed (possibly related to argument '%s') - %w", name, err)
}

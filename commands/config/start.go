package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"atomiccounter/replica/handshake"
)

// Start gives the settings that a process starts with. Given has the values of a flag: one, but of a list any number. Paths become
// absolute.
func Start(given func(*Setting) []string) (*Settings, error) {
	s := Default()
	for _, p := range Flags() {
		for _, value := range given(p) {
			if err := p.start(s, value); err != nil {
				return nil, err
			}
		}
	}
	if err := s.locate(); err != nil {
		return nil, err
	}
	return s, s.readSecret()
}

func (p *Setting) start(s *Settings, value string) error {
	if value == "" && p.Default == "" && p.Flag == Text {
		return nil
	}
	err := p.set(s, value)
	switch {
	case err == nil:
		return nil
	case p.Refusal != "" && !errors.Is(err, errNoMemory):
		return errors.New(strings.ReplaceAll(p.Refusal, "%q", strconv.Quote(value)))
	}
	return fmt.Errorf("%s: %w", p.Name, err)
}

// locate makes the paths absolute that CONFIG GET shows so.
func (s *Settings) locate() (err error) {
	if s.Dir, err = filepath.Abs(s.Dir); err != nil {
		return err
	}
	if s.BackupDir, err = backupDir(s.Dir, s.BackupDir); err != nil || s.File == "" {
		return err
	}
	s.File, err = filepath.Abs(s.File)
	return err
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

// readSecret has the secret of the peers at hand, wherever it is.
func (s *Settings) readSecret() error {
	switch {
	case s.PeerSecret != "" && s.PeerSecretFile != "":
		return errors.New("peer-secret and peer-secret-file: one of the two is enough")
	case s.PeerSecretFile != "":
		text, err := os.ReadFile(s.PeerSecretFile)
		if err != nil {
			return fmt.Errorf("peer-secret-file: %w", err)
		}
		s.PeerSecret = strings.TrimRight(string(text), "\r\n")
	case s.PeerSecret == "":
		return nil
	}
	if len(s.PeerSecret) < handshake.MinSecret {
		return fmt.Errorf("the peer secret has %d bytes; it takes at least %d that nobody can guess, as of openssl rand -hex 32", len(s.PeerSecret), handshake.MinSecret)
	}
	return nil
}

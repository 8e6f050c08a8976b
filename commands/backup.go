package commands

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"atomiccounter/commands/config"
	"atomiccounter/engine"
)

var errOutside = errors.New("a backup is named by a path below backup-dir")

// cBackup writes a marked copy of the store.
func cBackup(c *Context, args [][]byte) {
	name := string(args[1])
	c.whenSettled(time.Time{}, func() {
		dir, err := newBackup(c.Server.Config.Load(), name)
		if err == nil {
			err = c.Server.Engine.Backup(dir)
		}
		if err != nil {
			c.failIn("CBACKUP", err)
			return
		}
		c.Out.OK()
	}, c.unsettled)
}

// newBackup gives the directory that a backup goes to, which is not there yet; those above it are. It is below backup-dir, whatever links
// there are, and in no store.
func newBackup(s *config.Settings, name string) (string, error) {
	base := s.BackupDir
	if base == "" || strings.ContainsRune(name, 0) {
		return "", errOutside
	}
	if filepath.IsAbs(name) {
		var err error
		if name, err = filepath.Rel(base, name); err != nil {
			return "", err
		}
	}
	if name = filepath.Clean(name); name == "." || !filepath.IsLocal(name) {
		return "", errOutside
	}
	if err := makeBelow(base, filepath.Dir(name)); err != nil {
		return "", err
	}
	above, err := filepath.EvalSymlinks(filepath.Join(base, filepath.Dir(name)))
	if err != nil {
		return "", err
	}
	if err := outsideStores(s.Dir, above); err != nil {
		return "", err
	}
	dir := filepath.Join(above, filepath.Base(name))
	if _, err := os.Lstat(dir); err == nil {
		return "", fmt.Errorf("%s exists already", dir)
	}
	return dir, nil
}

// makeBelow makes a directory and those above it, but none outside of base.
func makeBelow(base, name string) (err error) {
	if err := os.MkdirAll(base, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return err
	}
	return errors.Join(root.MkdirAll(name, 0o700), root.Close())
}

// outsideStores refuses a directory that is, or is in, a store other than the one named, below which is its backup-dir.
func outsideStores(store, dir string) error {
	own, err := filepath.EvalSymlinks(store)
	if err != nil {
		return err
	}
	for ; ; dir = filepath.Dir(dir) {
		if dir != own && engine.IsStore(dir) {
			return fmt.Errorf("%s is a store", dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

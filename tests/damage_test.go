package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
)

// TestDamagedJournal: a bit flips in the middle of the journal of a server that was killed. Where a later segment says that all before it
// was durable the server refuses to start, until the store is repaired; otherwise it starts, and says what it dropped. What is
// dropped is kept in every case.
func TestDamagedJournal(t *testing.T) {
	if *self {
		t.Skip("redis-server has no such journal")
	}
	for _, mode := range []string{"always", "everysec", "no"} {
		t.Run(mode, func(t *testing.T) {
			const count = 20 // of 1 MiB: two segments
			dir, files := filledJournal(t, mode, count)
			flipBit(t, files[0], 9<<20)
			if mode != "no" { // which syncs nothing
				refuses(t, dir, files[0])
				repair(t, dir)
			}
			s := startIn(t, ours, dir, "--appendfsync", mode)
			if mode == "no" && !strings.Contains(s.Log(), "level=ERROR") {
				t.Errorf("the log says %q; want an error", s.Log())
			}
			n := keysBefore(t, s.Addr, count)
			if n == 0 || n > 9 {
				t.Errorf("%d keys are left; want those before the damage", n)
			}
			kept := int64(0)
			for _, name := range journalFiles(t, dir, "lost-*") {
				kept += size(t, name)
			}
			if want := int64(count-9) << 20; kept < want {
				t.Errorf("%d bytes are kept; want %d or more", kept, want)
			}
		})
	}
}

// filledJournal gives the directory of a store whose journal has two segments or more, and those.
func filledJournal(t *testing.T, mode string, count int) (dir string, files []string) {
	t.Helper()
	for range 10 {
		dir = t.TempDir()
		fillJournal(t, dir, mode, count)
		files = slices.DeleteFunc(journalFiles(t, dir, "journal-*"), func(name string) bool { return size(t, name) < 16<<20 })
		if len(files) >= 2 { // beside what the start before left
			return dir, files
		}
	} // on a busy machine the server has stopped waiting for its peer, and flushes
	t.Fatalf("the journal has %d segments; want 2 or more", len(files))
	return "", nil
}

// fillJournal has a server that does not flush, for it does not know what its peer knows of its store, take count texts of 1 MiB, and kills it.
func fillJournal(t *testing.T, dir, mode string, count int) {
	t.Helper()
	if err := startIn(t, ours, dir).Stop(); err != nil { // a new store has nothing that anybody could know
		t.Fatal(err)
	}
	s := startIn(t, ours, dir, "--appendfsync", mode, "--peer", "127.0.0.1:1")
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr, MaxRetries: -1, PoolSize: 1, ReadTimeout: patience})
	defer client.Close()
	p := client.Pipeline()
	for i := range count {
		p.Set(t.Context(), fmt.Sprintf("k%d", i), strings.Repeat("x", 1<<20), 0)
	}
	if mode == "everysec" {
		p.Do(t.Context(), "CONFIG", "SET", "appendfsync", "always") // which syncs what there is
	}
	if _, err := p.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
}

func journalFiles(t *testing.T, dir, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "journal", pattern))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func size(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func flipBit(t *testing.T, name string, at int64) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// refuses: a start and a check say where the damage lies and what to do, and change nothing.
func refuses(t *testing.T, dir, segment string) {
	t.Helper()
	before := journalFiles(t, dir, "*")
	s, err := ours.Launch(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(); err == nil {
		t.Fatalf("the server starts from a damaged journal: %v", s.Kill())
	}
	var number uint64
	if _, err := fmt.Sscanf(filepath.Base(segment), "journal-%x", &number); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(ours.Path, "check", dir).CombinedOutput()
	for _, text := range []string{s.Log(), string(out)} {
		for _, want := range []string{fmt.Sprintf("segment %d, offset ", number), "check --repair " + dir} {
			if !strings.Contains(text, want) {
				t.Errorf("a start, or check, says %q; want %q in it", text, want)
			}
		}
	}
	if err == nil {
		t.Error("check finds no problem")
	}
	if after := journalFiles(t, dir, "*"); !slices.Equal(before, after) {
		t.Errorf("the journal has %q; want %q", after, before)
	}
}

func repair(t *testing.T, dir string) {
	t.Helper()
	out, err := exec.Command(ours.Path, "check", "--repair", dir).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "bytes") {
		t.Fatalf("check --repair = %v, %q", err, out)
	}
}

// keysBefore gives how many of the keys k0 to k(count-1) are there, which have to be the first.
func keysBefore(t *testing.T, addr string, count int) int {
	t.Helper()
	c, err := dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n := 0
	for i := range count {
		v, err := c.do("EXISTS", fmt.Sprintf("k%d", i))
		if err != nil {
			t.Fatal(err)
		}
		if v.text == "1" {
			if n++; n != i+1 {
				t.Errorf("k%d is there, and %d before it; want all before it", i, n-1)
			}
		}
	}
	return n
}

package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// contents are the bytes of every file under dir but those that say who has it open.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "LOCK" {
			return err
		}
		b, err := os.ReadFile(name)
		all[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatalf("contents of %s: %v", dir, err)
	}
	return all
}

func sameContents(t *testing.T, dir string, before map[string]string) {
	t.Helper()
	after := contents(t, dir)
	for name, b := range before {
		if a, ok := after[name]; !ok || a != b {
			t.Errorf("%s was changed, there: %t", name, ok)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s was made", name)
		}
	}
}

const thisFormat = "atomiccounter 5\n"

func smallStore() Options {
	return Options{Logger: quiet, manual: true, segment: 1 << 16, Reserve: 1}
}

// madeStore is a directory with a store in it that has a flushed and a journaled counter.
func madeStore(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	e, err := Open(dir, smallStore())
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	increment(t, e, "k", 7)
	if err := e.Close(); err != nil {
		t.Fatalf("Close = %v", err)
	}
	return dir
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRefusedDirectory: one clear error, and nothing is changed.
func TestRefusedDirectory(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(dir string)
		is   error
		says string
	}{
		{"foreign", func(dir string) { write(t, filepath.Join(dir, "dump.rdb"), "REDIS0011") }, ErrNotStore, "dump.rdb"},
		{"foreign format", func(dir string) { write(t, filepath.Join(dir, "FORMAT"), "pebble\n") }, ErrNotStore, "FORMAT"},
		{"newer format", func(dir string) { write(t, filepath.Join(dir, "FORMAT"), "atomiccounter 6\n") }, nil, "version 6"},
		{"no database", func(dir string) { write(t, filepath.Join(dir, "FORMAT"), thisFormat) }, nil, "database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c.make(dir)
			before := contents(t, dir)
			_, err := Open(dir, smallStore())
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Open = %v; want an error that says %q", err, c.says)
			}
			if err := Check(dir, smallStore(), io.Discard); err == nil {
				t.Errorf("Check = nil; want an error")
			}
			sameContents(t, dir, before)
		})
	}
}

// TestCorruptStore damages each file of a stopped store in turn. Open says so and changes nothing, or what it then reads is
// right or an error; it is never wrong. A table is damaged unseen until somebody reads it.
func TestCorruptStore(t *testing.T) {
	dir := madeStore(t)
	for name, content := range contents(t, dir) {
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(rel, "OPTIONS") {
			continue // the options are told by the program
		}
		if content == "" {
			continue // nothing in it to damage
		}
		t.Run(rel, func(t *testing.T) {
			broken := filepath.Join(t.TempDir(), "store")
			if err := os.CopyFS(broken, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			b := []byte(content)
			for i := 8; i < len(b); i += 16 {
				b[i] ^= 0xff
			}
			write(t, filepath.Join(broken, rel), string(b))
			before := contents(t, broken)
			e, err := Open(broken, smallStore())
			if err != nil {
				sameContents(t, broken, before)
				return
			}
			defer e.Close()
			if got, err := e.Counter("k").Get(t.Context()); got != 7 && err == nil {
				t.Errorf("Get = %d; want 7 or an error", got)
			}
		})
	}
}

// TestUpgrade: a store of an earlier version opens, and is one of this version from then on.
func TestUpgrade(t *testing.T) {
	for _, line := range []string{"atomiccounter 2\n", "atomiccounter 3\n", "atomiccounter 4\n"} {
		dir := madeStore(t)
		entry := makeOld(t, dir, line)
		format := filepath.Join(dir, "FORMAT")
		write(t, format, line)
		if err := Check(dir, smallStore(), io.Discard); err != nil {
			t.Errorf("Check of %q = %v", line, err)
		}
		e, err := Open(dir, smallStore())
		if err != nil {
			t.Fatalf("Open of %q = %v", line, err)
		}
		checkCounters(t, e, map[string]int64{"k": 7})
		if b, err := os.ReadFile(format); string(b) != thisFormat || err != nil {
			t.Errorf("afterwards FORMAT is %q, %v; want %q", b, err, thisFormat)
		}
		if !e.True(entry) || e.LogSize() != 0 {
			t.Errorf("%v is not true, or the log has %d bytes", entry, e.LogSize())
		}
		if transfer, under := e.Transfer(); !under || transfer.Source != 78 || transfer.Keys != 3 || !slices.Equal(e.Former(), []tlv.ReplicaID{77}) {
			t.Errorf("the store was %x before, and is in the transfer %+v", e.Former(), transfer)
		}
		increment(t, e, "k", 1)
		must(t, nil, e.Close())
		if err := Check(dir, smallStore(), io.Discard); err != nil {
			t.Errorf("Check afterwards = %v", err)
		}
	}
}

// makeOld makes a stopped store what one of an earlier format is, and gives its entry of the vector. It was replica 77 once, and is in the
// middle of a transfer.
func makeOld(t *testing.T, dir, format string) tlv.VectorEntry {
	t.Helper()
	o := smallStore().withDefaults()
	folder, err := store.OpenFolder(o.fs, dir, false)
	must(t, nil, err)
	defer folder.Close()
	db, err := folder.OpenDatabase(newEngine(o).storeOptions())
	must(t, nil, err)
	v, closer, err := db.Get([]byte{store.MetaPrefix})
	must(t, nil, err)
	var m meta
	must(t, nil, m.decode(v))
	must(t, nil, closer.Close())
	entry := m.vector.Entry(m.id)
	if m.flags&metaHashes == 0 || entry.Hash == 0 {
		t.Fatalf("flags %x, entry %v", m.flags, entry)
	}
	lives := fmt.Sprintf(`{"Former":[77],"Lives":[{"Number":%d,"End":0}]}`, entry.Life)
	must(t, nil, db.Set([]byte{store.HistoryPrefix}, []byte(lives), pebble.Sync))
	must(t, nil, db.Set([]byte{store.TransferPrefix}, []byte(`{"Source":78,"Snapshot":"s","Cursor":null,"Vector":null,"Keys":3,"Running":true}`), pebble.Sync))
	if format == "atomiccounter 4\n" {
		must(t, nil, db.Close())
		return entry
	}
	m.flags, m.vector = m.flags&^metaHashes, nil
	old := m.encode()
	old = old[:len(old)-len(tlv.AppendVector(nil, nil))]
	body := binary.LittleEndian.AppendUint64(nil, uint64(entry.Replica))
	body = tlv.AppendTinyZip(tlv.AppendTinyZip(body, uint64(entry.Stamp)), entry.Life)
	must(t, nil, db.Set([]byte{store.MetaPrefix}, tlv.Append(old, 'V', body), pebble.Sync))
	must(t, nil, db.Set(append([]byte{store.LogPrefix}, make([]byte, 28)...), []byte("a batch"), pebble.Sync))
	must(t, nil, db.Set(append([]byte{lineagePrefix}, make([]byte, 8)...), []byte("a lineage"), pebble.Sync))
	must(t, nil, db.Close())
	entry.Hash = 0
	return entry
}

// TestMissingSegment: the journal that the database counts on is gone.
func TestMissingSegment(t *testing.T) {
	dir := madeStore(t)
	if err := os.RemoveAll(filepath.Join(dir, "journal")); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Check(dir, smallStore(), &out); !errors.Is(err, ErrCorrupt) || !strings.Contains(out.String(), "is missing") {
		t.Errorf("Check = %v, %q; want %v", err, out.String(), ErrCorrupt)
	}
	if _, err := os.Stat(filepath.Join(dir, "journal")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Check made the journal's folder: %v", err)
	}
	if _, err := Open(dir, smallStore()); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("Open = %v; want that a segment is missing", err)
	}
}

// killedStore is a directory with a store in it as kill -9 leaves it: the database does not have the counter's 10 frames. It gives
// the segment that has them too, and where in it they begin.
func killedStore(t *testing.T) (dir, segment string, at int) {
	t.Helper()
	dir = madeStore(t)
	e, err := Open(dir, smallStore())
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	m := e.journal.Mark()
	for range 10 {
		increment(t, e, "k", 1)
	}
	if err := e.Abandon(); err != nil {
		t.Fatalf("Abandon = %v", err)
	}
	return dir, filepath.Join(dir, "journal", fmt.Sprintf("journal-%016x", m.Segment)), int(m.Offset)
}

// TestCutSegment: no crash takes the end of a segment's file, so somebody else has.
func TestCutSegment(t *testing.T) {
	dir, segment, at := killedStore(t)
	if err := os.Truncate(segment, int64(at)+50); err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	var out bytes.Buffer
	if err := Check(dir, smallStore(), &out); !errors.Is(err, ErrCorrupt) || !strings.Contains(out.String(), "the file has been cut") {
		t.Errorf("Check = %v, %q; want %v", err, out.String(), ErrCorrupt)
	}
	if _, err := Open(dir, smallStore()); !errors.Is(err, ErrDamaged) {
		t.Errorf("Open = %v; want %v", err, ErrDamaged)
	}
	sameContents(t, dir, before)
}

// TestTornFrameIsTold, for if it was no loss of power that has damaged it, acknowledged writes are gone with it.
func TestTornFrameIsTold(t *testing.T) {
	for _, damaged := range []bool{false, true} {
		dir, segment, at := killedStore(t)
		if damaged {
			b, err := os.ReadFile(segment)
			if err != nil {
				t.Fatal(err)
			}
			b[at+50] ^= 1
			write(t, segment, string(b))
		}
		var out, log bytes.Buffer
		if err := Check(dir, smallStore(), &out); err != nil || strings.Contains(out.String(), "does not follow") != damaged {
			t.Errorf("damaged %t: Check = %v, %q", damaged, err, out.String())
		}
		o := smallStore()
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		e, err := Open(dir, o)
		if err != nil {
			t.Fatalf("damaged %t: Open = %v", damaged, err)
		}
		if strings.Contains(log.String(), "level=ERROR") != damaged {
			t.Errorf("damaged %t: the log says %q", damaged, log.String())
		}
		if err := e.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
}

// TestHalfMadeStore: an attempt to make a store that did not end is made again.
func TestHalfMadeStore(t *testing.T) {
	dir := madeStore(t)
	if err := os.Rename(filepath.Join(dir, "FORMAT"), filepath.Join(dir, "FORMAT.new")); err != nil {
		t.Fatal(err)
	}
	e, err := Open(dir, smallStore())
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	defer e.Close()
	checkCounters(t, e, map[string]int64{"k": 0})
}

const lockedDir = "ENGINE_TEST_LOCKED_DIR"

// TestSecondOpen: a store has one owner, in this process and in another.
func TestSecondOpen(t *testing.T) {
	if dir := os.Getenv(lockedDir); dir != "" {
		if _, err := Open(dir, smallStore()); !errors.Is(err, ErrLocked) {
			t.Fatalf("Open in another process = %v; want %v", err, ErrLocked)
		}
		return
	}
	dir := madeStore(t)
	e, err := Open(dir, smallStore())
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	defer e.Close()
	if _, err := Open(dir, smallStore()); !errors.Is(err, ErrLocked) {
		t.Errorf("a second Open = %v; want %v", err, ErrLocked)
	}
	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSecondOpen$")
	other.Env = append(os.Environ(), lockedDir+"="+dir)
	if out, err := other.CombinedOutput(); err != nil {
		t.Errorf("the other process: %v\n%s", err, out)
	}
	increment(t, e, "k", 1)
}

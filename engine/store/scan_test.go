package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

func openKeys(t *testing.T, keys ...string) *pebble.DB {
	t.Helper()
	db, err := pebble.Open("db", &pebble.Options{FS: vfs.NewMem(), FormatMajorVersion: pebble.FormatNewest})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil { // an iterator that is left open is an error too
			t.Error(err)
		}
	})
	for _, k := range keys {
		if err := db.Set([]byte(k), []byte("of "+k), pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func TestScan(t *testing.T) {
	db := openKeys(t, "a", "b", "b1", "b\xff\xff", "c")
	for _, test := range []struct{ lower, upper, want string }{
		{"", "", `"a""b""b1""b\xff\xff""c"`},
		{"b", string(After([]byte("b"))), `"b""b1""b\xff\xff"`},
		{"b\xff", string(After([]byte("b\xff"))), `"b\xff\xff"`},
		{"d", "", ""},
	} {
		got, err := "", error(nil)
		for k, v := range Scan(db, bound(test.lower), bound(test.upper), &err) {
			if got += fmt.Sprintf("%q", k); string(v) != "of "+string(k) {
				t.Errorf("the value of %q is %q", k, v)
			}
		}
		if got != test.want || err != nil {
			t.Errorf("Scan(%q, %q) gives %s, %v; want %s", test.lower, test.upper, got, err, test.want)
		}
	}
}

func bound(k string) []byte {
	if k == "" {
		return nil
	}
	return []byte(k)
}

// A body that breaks off or returns leaves no iterator open, and its error counts.
func TestScanEnds(t *testing.T) {
	db := openKeys(t, "a", "b")
	own := errors.New("the body's own")
	first := func(failing error) (k string, err error) {
		for key := range Scan(db, nil, nil, &err) {
			if failing != nil {
				return string(key), failing
			}
			k = string(key)
			break
		}
		return k, err
	}
	for _, want := range []error{nil, own} {
		if k, err := first(want); k != "a" || err != want {
			t.Errorf("the first key is %q, %v; want %v", k, err, want)
		}
	}
	if err := db.Set([]byte("ab"), nil, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
}

type broken struct{ pebble.Reader }

func (broken) NewIter(*pebble.IterOptions) (*pebble.Iterator, error) {
	return nil, errors.New("broken")
}

func TestScanFails(t *testing.T) {
	var err error
	for k := range Scan(broken{}, nil, nil, &err) {
		t.Errorf("there is %q", k)
	}
	f := Finder{From: broken{}}
	_, _, found := f.Find([]byte("a"))
	if closed := f.Close(); err == nil || found == nil || closed != nil {
		t.Errorf("a Scan, a Finder and its Close give %v, %v, %v", err, found, closed)
	}
}

func TestFinder(t *testing.T) {
	db := openKeys(t, "a", "b", "c")
	f := Finder{From: db}
	for _, k := range []string{"b", "a", "aa", "c", "d", "b"} {
		v, ok, err := f.Find([]byte(k))
		if want := len(k) == 1 && k < "d"; ok != want || err != nil || ok && string(v) != "of "+k {
			t.Errorf("Find(%q) = %q, %t, %v; want %t", k, v, ok, err, want)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

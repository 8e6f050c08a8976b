package replica

import (
	"bytes"
	"errors"
	"testing"

	"atomiccounter/replica/csync"
)

func TestCursors(t *testing.T) {
	for _, done := range []int64{0, 1, 127, 128, 1 << 62} {
		cursor := wrapCursor(done, []byte("next"))
		if n, next, err := unwrapCursor(cursor); n != done || string(next) != "next" || err != nil {
			t.Errorf("%d keys and \"next\" come back as %d, %q, %v", done, n, next, err)
		}
	}
	if got := wrapCursor(5, nil); got != nil {
		t.Errorf("wrapCursor(5, nil) = %q; want none: that was the last page", got)
	}
	if n, next, err := unwrapCursor(nil); n != 0 || next != nil || err != nil {
		t.Errorf("unwrapCursor(nil) = %d, %q, %v; want the beginning", n, next, err)
	}
	for _, bad := range [][]byte{{0x80}, {5}, wrapCursor(1<<62+1, []byte("x")), bytes.Repeat([]byte{0xff}, 20)} {
		var reply csync.Error
		if _, _, err := unwrapCursor(bad); !errors.As(err, &reply) {
			t.Errorf("unwrapCursor(% x) = %v; want an error that is a reply", bad, err)
		}
	}
}

package replica

import (
	"errors"
	"testing"
)

// FuzzFraming: what a peer sends is followed without a panic, and it makes no difference in which pieces it comes.
func FuzzFraming(f *testing.F) {
	for _, s := range []string{"+OK\r\n", "-ERR no\r\n", ":5\r\n", "$2\r\nhi\r\n", "*2\r\n$-1\r\n*1\r\n:1\r\n", "*-1\r\n", "$99999999999\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "HTTP/1.1 200 OK\r\n", "$-2\r\n", "\r\n"} {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		var whole, pieces framing
		want := whole.follow(data)
		var got error
		for rest := data; len(rest) > 0 && got == nil; {
			n := min(int(size)%7+1, len(rest))
			got = pieces.follow(rest[:n])
			rest = rest[n:]
		}
		var malformed framingError
		if (got == nil) != (want == nil) || got != nil && !errors.As(got, &malformed) {
			t.Errorf("%q: %v in pieces, %v as a whole", data, got, want)
		}
	})
}

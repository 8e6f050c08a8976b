package server

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/redcon"
)

var open = limits{bulk: 512 << 20}

// scanAll reads what a client would have had run, as quoted words, and the error that ended it. Input arrives in pieces
// that end at the cuts.
func scanAll(s *scanner, in []byte, lim limits, cuts ...int) (got []string, rest int, err error) {
	from := 0
	for _, end := range append(cuts, len(in)) {
		for {
			// A copy of its own each time: nothing may depend on where the bytes are.
			n, err := s.next(bytes.Clone(in[from:end]), lim)
			if err != nil {
				return got, end - from, err
			}
			if n == 0 {
				break
			}
			from += n
			if len(s.args) > 0 {
				got = append(got, fmt.Sprintf("%q", s.args))
			}
		}
	}
	return got, len(in) - from, nil
}

var scanTests = []struct {
	in   string
	want string // commands, one a line
	rest int    // bytes of an incomplete command
	err  string
}{
	{"", "", 0, ""},
	{"*1\r\n$4\r\nPING\r\n", `["PING"]`, 0, ""},
	{"*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n*2\r\n$4\r\nINCR\r\n$0\r\n\r\n", "[\"INCR\" \"k\"]\n[\"INCR\" \"\"]", 0, ""},
	{"*0\r\n*-1\r\n*-99\r\n\r\n\n   \r\n*1\r\n$4\r\nPING\r\n", `["PING"]`, 0, ""},
	{"*1\r\n$6\r\na\r\nb\x00c\r\n", `["a\r\nb\x00c"]`, 0, ""},
	{"*1\rX$1\rYaZZ", `["a"]`, 0, ""}, // Redis looks at no byte after a carriage return
	{"*1\r\n$1\r\na\r\nb\nc\n", "[\"a\"]\n[\"b\"]\n[\"c\"]", 0, ""},
	{"*2\r\n$4\r\nINCR\r\n$10\r\nkey:0", "", 24, ""},
	{"*1", "", 2, ""},
	{"*1\r", "", 3, ""},
	{"*1\r\n$-2\r\n", "", 9, "Protocol error: invalid bulk length"},
	{"*1\r\n$-1\r\n", "", 9, "Protocol error: invalid bulk length"},
	{"*1\r\n$\r\n", "", 7, "Protocol error: invalid bulk length"},
	{"*1\r\n$01\r\na\r\n", "", 12, "Protocol error: invalid bulk length"},
	{"*1\r\n$536870913\r\n", "", 16, "Protocol error: invalid bulk length"},
	{"*1\r\n$99999999999999999999\r\n", "", 27, "Protocol error: invalid bulk length"},
	{"*\r\n", "", 3, "Protocol error: invalid multibulk length"},
	{"*x\r\n", "", 4, "Protocol error: invalid multibulk length"},
	{"*+1\r\n", "", 5, "Protocol error: invalid multibulk length"},
	{"*-0\r\n", "", 5, "Protocol error: invalid multibulk length"},
	{"*1048577\r\n", "", 10, ""},
	{"*2147483647\r\n$4\r\nMGET\r\n", "", 23, ""},
	{"*2147483648\r\n", "", 13, "Protocol error: invalid multibulk length"},
	{"*9223372036854775808\r\n", "", 22, "Protocol error: invalid multibulk length"},
	{"*1\r\nPING\r\n", "", 10, "Protocol error: expected '$', got 'P'"},
	{"*1\r\n:4\r\n", "", 8, "Protocol error: expected '$', got ':'"},
	{"*1\r\n\r\n", "", 6, "Protocol error: expected '$', got '\r'"},
	{"*2\r\n$4\r\nPING\r\n-1\r\n", "", 18, "Protocol error: expected '$', got '-'"},
	{"*" + strings.Repeat("1", maxLine), "", maxLine + 1, "Protocol error: too big mbulk count string"},
	{"*1\r\n$" + strings.Repeat("1", maxLine), "", maxLine + 5, "Protocol error: too big bulk count string"},
	{strings.Repeat("x", maxLine), "", maxLine, ""},
	{strings.Repeat("x", maxLine+1), "", maxLine + 1, "Protocol error: too big inline request"},
	{"PING\r\n", `["PING"]`, 0, ""},
	{" set  k\t1\n", `["set" "k" "1"]`, 0, ""},
	{`ECHO "a \"b\"\x00\xfF\n\r\t\b\a\q\xg1"` + "\n", `["ECHO" "a \"b\"\x00\xff\n\r\t\b\aqxg1"]`, 0, ""},
	{`ECHO 'it\'s \n "x"' ""` + "\n", `["ECHO" "it's \\n \"x\"" ""]`, 0, ""},
	{`ECHO a"b c"` + "\n", `["ECHO" "ab c"]`, 0, ""},
	{"ECHO a\vb\n", `["ECHO" "a\vb"]`, 0, ""},
	{"ECHO \va\n", `["ECHO" "a"]`, 0, ""},
	{"ECHO a\x00b\n", `["ECHO" "a"]`, 0, ""},
	{"ECHO \"a\n", "", 8, "Protocol error: unbalanced quotes in request"},
	{"ECHO 'a\n", "", 8, "Protocol error: unbalanced quotes in request"},
	{"ECHO \"a\"b\n", "", 10, "Protocol error: unbalanced quotes in request"},
	{"ECHO \"a\\\n", "", 9, "Protocol error: unbalanced quotes in request"},
}

func TestScannerNext(t *testing.T) {
	for _, test := range scanTests {
		got, rest, err := scanAll(new(scanner), []byte(test.in), open)
		checkScan(t, test.in, got, rest, err)
		if test.err != "" {
			var p protocolError
			if !errors.As(err, &p) || err.Error() != test.err {
				t.Errorf("next(%.60q) = %v; want %q", test.in, err, test.err)
			}
		} else if err != nil || strings.Join(got, "\n") != test.want || rest != test.rest {
			t.Errorf("next(%.60q) = %v, %d bytes left, %v; want %v, %d", test.in, got, rest, err, test.want, test.rest)
		}
	}
}

// checkScan holds what came of input in one piece against the same input in two, wherever it is cut near its start.
func checkScan(t *testing.T, in string, want []string, rest int, err error) {
	t.Helper()
	for cut := range min(len(in), 40) {
		got, gotRest, gotErr := scanAll(new(scanner), []byte(in), open, cut)
		if !slices.Equal(got, want) || fmt.Sprint(gotErr) != fmt.Sprint(err) || err == nil && gotRest != rest {
			t.Errorf("next(%.60q cut at %d) = %v, %d left, %v; want %v, %d, %v", in, cut, got, gotRest, gotErr, want, rest, err)
		}
	}
}

func TestScannerUnauthenticated(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"*10\r\n", "<nil>"},
		{"*11\r\n", "Protocol error: unauthenticated multibulk length"},
		{"*1\r\n$16384\r\n", "<nil>"},
		{"*1\r\n$16385\r\n", "Protocol error: unauthenticated bulk length"},
	} {
		_, _, err := scanAll(new(scanner), []byte(test.in), limits{bulk: 512 << 20, unauth: true})
		if fmt.Sprint(err) != test.want {
			t.Errorf("next(%q) = %v; want %v", test.in, err, test.want)
		}
		if _, _, err := scanAll(new(scanner), []byte(test.in), open); err != nil {
			t.Errorf("next(%q) = %v after AUTH; want no error", test.in, err)
		}
	}
}

// TestScannerAllocatesAsArgumentsArrive: what is announced costs nothing.
func TestScannerAllocatesAsArgumentsArrive(t *testing.T) {
	in := []byte("*2147483647\r\n$536870912\r\n")
	allocated := testing.AllocsPerRun(10, func() {
		var s scanner
		if n, err := s.next(in, open); n != 0 || err != nil || s.left != 1<<31-1 {
			t.Fatalf("next(%q) = %d, %v with %d arguments to come; want 0, nil with 2147483647", in, n, err, s.left)
		}
	})
	if allocated != 0 {
		t.Errorf("next(%q) allocates %g times; want never", in, allocated)
	}
}

// A long command that arrives bit by bit is looked at once: the number of bytes that the scanner passes is that of the
// command, not of its square. What it has seen shows in where it would go on.
func TestScannerResumes(t *testing.T) {
	for _, line := range []string{"*1", "PING some words", "*1\r\n$3"} {
		var s scanner
		if _, err := s.next([]byte(line), open); err != nil || s.at+s.seen != len(line) {
			t.Errorf("next(%q) has seen %d bytes, %v; want %d, nil", line, s.at+s.seen, err, len(line))
		}
	}
	in := []byte("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\n" + strings.Repeat("v", 1000) + "\r\n")
	var s scanner
	last := 0
	for end := range in {
		n, err := s.next(in[:end], open)
		if n != 0 || err != nil {
			t.Fatalf("next(first %d bytes) = %d, %v; want 0, nil", end, n, err)
		}
		if s.at < last {
			t.Fatalf("after %d bytes the scanner is back at %d; was at %d", end, s.at, last)
		}
		last = s.at
	}
	if want := len(in) - 1002; last != want {
		t.Errorf("the scanner stands at %d; want %d, the last argument", last, want)
	}
	if n, err := s.next(in, open); n != len(in) || err != nil || len(s.args) != 3 || len(s.args[2]) != 1000 {
		t.Errorf("next(all) = %d, %v with %d arguments; want %d, nil, 3", n, err, len(s.args), len(in))
	}
}

// Well-formed commands are read as redcon reads them, however they are cut.
func TestScannerAgreesWithRedcon(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var in []byte
		for range 1 + rnd.IntN(4) {
			in = redcon.AppendArray(in, 1+rnd.IntN(5))
			for range in[len(in)-3] - '0' {
				in = redcon.AppendBulk(in, randomBytes(rnd))
			}
		}
		cut := rnd.IntN(len(in))
		got, rest, err := scanAll(new(scanner), in, open, cut, cut+rnd.IntN(len(in)-cut))
		if want := redconAll(t, in); !slices.Equal(got, want) || rest != 0 || err != nil {
			t.Fatalf("next(%q) = %v, %d left, %v; redcon has %v", in, got, rest, err, want)
		}
	}
}

func randomBytes(rnd *rand.Rand) []byte {
	b := make([]byte, rnd.IntN(12))
	for i := range b {
		b[i] = "\r\n$*1a\x00\xff"[rnd.IntN(8)]
	}
	return b
}

func redconAll(t *testing.T, in []byte) (got []string) {
	t.Helper()
	for len(in) > 0 {
		complete, args, _, rest, err := redcon.ReadNextCommand(in, nil)
		if !complete || err != nil {
			t.Fatalf("redcon.ReadNextCommand(%q) = %v, %v; want a command", in, complete, err)
		}
		got = append(got, fmt.Sprintf("%q", args))
		in = rest
	}
	return got
}

func benchmarkInput() []byte {
	var in []byte
	for i := range 16 {
		in = redcon.AppendArray(in, 2)
		in = redcon.AppendBulkString(in, "INCR")
		in = redcon.AppendBulkString(in, fmt.Sprintf("key:%012d", i))
	}
	return in
}

func BenchmarkScanner(b *testing.B) {
	in := benchmarkInput()
	var s scanner
	b.ReportAllocs()
	for i := 0; i < b.N; {
		for rest := in; len(rest) > 0; i++ {
			n, err := s.next(rest, open)
			if n == 0 || err != nil {
				b.Fatal(n, err)
			}
			rest = rest[n:]
		}
	}
}

func BenchmarkRedcon(b *testing.B) {
	in := benchmarkInput()
	var args [][]byte
	b.ReportAllocs()
	for i := 0; i < b.N; {
		for rest := in; len(rest) > 0; i++ {
			var complete bool
			var err error
			complete, args, _, rest, err = redcon.ReadNextCommand(rest, args)
			if !complete || err != nil {
				b.Fatal(complete, err)
			}
		}
	}
}

package commands

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"atomiccounter/engine"
)

var floatCount = flag.Int("float.count", 3000, "random INCRBYFLOATs to compare with a real redis-server")

// randomNumber is mostly one that strtold reads, of every form and size.
func randomNumber(r *rand.Rand) string {
	digits := func(most int, set string) string {
		var b strings.Builder
		for range r.IntN(most + 1) {
			b.WriteByte(set[r.IntN(len(set))])
		}
		return b.String()
	}
	sign := []string{"", "", "-", "+"}[r.IntN(4)]
	switch r.IntN(12) {
	case 0:
		return sign + "0x" + digits(20, "0123456789abcdefABCDEF") + "." + digits(20, "0123456789abcdef") + "p" + fmt.Sprint(r.IntN(200)-100)
	case 1:
		return sign + "0X" + digits(5, "0123456789abcdef") + fmt.Sprintf("P%d", r.IntN(33000)-16500)
	case 2:
		return sign + digits(30, "0123456789") + "." + digits(30, "0123456789") + fmt.Sprintf("e%d", r.IntN(10000)-5000)
	case 3:
		return sign + digits(3, "0123456789") + fmt.Sprintf("E%+d", r.IntN(40)-20)
	case 4:
		return fmt.Sprint(r.Int64() - 1<<62)
	case 5:
		return fmt.Sprint(r.NormFloat64())
	case 6: // a half of the last place that is written
		return sign + digits(2, "0123456789") + "." + digits(17, "0123456789") + "5"
	case 7: // a half of the last bit of the mantissa, and near it
		return sign + fmt.Sprintf("0x1.%016x8%sp%d", r.Uint64()&^1, digits(2, "01"), r.IntN(130)-65)
	case 8:
		return sign + digits(25, "0123456789")
	case 9:
		return sign + digits(3, "0123456789") + "." + digits(19, "05")
	case 10:
		return digits(8, "0123456789.eEpPxX+-infa ")
	default:
		return sign + digits(6, "0123456789") + "." + digits(3, "0123456789")
	}
}

// TestIncrByFloatIsThatOfRedis: on x86-64, to the last digit.
func TestIncrByFloatIsThatOfRedis(t *testing.T) {
	ours, real := newContext(t), dialRedis(t, startRedis(t))
	r := rand.New(rand.NewPCG(1, 2))
	wrong := 0
	for range *floatCount {
		a, b := randomNumber(r), randomNumber(r)
		for _, args := range [][]string{{"SET", "k", a}, {"INCRBYFLOAT", "k", b}, {"INCRBYFLOAT", "k", a}, {"GET", "k"}} {
			got, want := do(t, ours, args...), real.do(t, args...)
			if got != want {
				wrong++
				t.Errorf("%q after SET k %q = %q; want %q", args, a, got, want)
			}
			if wrong > 10 {
				t.FailNow()
			}
		}
	}
}

// TestTextLimits: what Redis would take, and is too long here, gets a clear error and changes nothing.
func TestTextLimits(t *testing.T) {
	c := newContext(t)
	long := strings.Repeat("x", engine.MaxText)
	const refused = "-ERR string exceeds maximum allowed size (1 MiB)\r\n"
	for _, call := range []struct {
		args []string
		want string
	}{
		{[]string{"SET", "k", long}, "+OK\r\n"},
		{[]string{"STRLEN", "k"}, ":1048576\r\n"},
		{[]string{"APPEND", "k", "x"}, refused},
		{[]string{"APPEND", "k", ""}, ":1048576\r\n"},
		{[]string{"SETRANGE", "k", "1048576", "x"}, refused},
		{[]string{"SETRANGE", "k", "1048575", "y"}, ":1048576\r\n"},
		{[]string{"SET", "k", long + "x"}, refused},
		{[]string{"SET", "k", long + "x", "NX"}, refused},
		{[]string{"SETEX", "k", "10", long + "x"}, refused},
		{[]string{"GETSET", "k", long + "x"}, refused},
		{[]string{"MSET", "j", "1", "k", long + "x"}, refused},
		{[]string{"EXISTS", "j"}, ":0\r\n"},
		{[]string{"GETRANGE", "k", "1048574", "-1"}, "$2\r\nxy\r\n"},
		{[]string{"SETRANGE", "new", "1048576", "x"}, refused},
		{[]string{"EXISTS", "new"}, ":0\r\n"},
		{[]string{"APPEND", "new", long + "x"}, refused},
	} {
		if got := do(t, c, call.args...); got != call.want {
			t.Errorf("%.30q = %.60q; want %q", call.args, got, call.want)
		}
	}
}

// TestManyLongValues: a small request cannot ask for more than fits into memory.
func TestManyLongValues(t *testing.T) {
	c := newContext(t)
	do(t, c, "SET", "k", strings.Repeat("x", engine.MaxText))
	args := slices.Repeat([]string{"k"}, 600)
	if got := do(t, c, append([]string{"MGET"}, args...)...); got != "-ERR the values exceed the maximum allowed size (proto-max-bulk-len)\r\n" {
		t.Errorf("MGET of 600 MiB = %.60q; want an error", got)
	}
	if got := do(t, c, append([]string{"MGET"}, args[:3]...)...); len(got) < 3*engine.MaxText {
		t.Errorf("MGET of 3 MiB has %d bytes", len(got))
	}
}

// TestManyLongValuesInTransaction: nor can a small transaction. What writes has its reply all the same.
func TestManyLongValuesInTransaction(t *testing.T) {
	c := newContext(t)
	do(t, c, "CONFIG", "SET", "proto-max-bulk-len", "1mb")
	text := strings.Repeat("x", 600<<10)
	value := fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
	do(t, c, "SET", "k", text)
	do(t, c, "MULTI")
	for _, line := range []string{"GET k", "GET k", "INCR n", "GETDEL k", "PING"} {
		do(t, c, strings.Fields(line)...)
	}
	const tooLong = "-ERR the values exceed the maximum allowed size (proto-max-bulk-len)\r\n"
	if got, want := do(t, c, "EXEC"), "*5\r\n"+value+tooLong+":1\r\n"+value+"+PONG\r\n"; got != want {
		t.Errorf("EXEC = %d bytes, %.60q; want %d", len(got), strings.ReplaceAll(got, text, "…"), len(want))
	}
}

// TestTextsAndKinds: a text is of no kind of counter.
func TestTextsAndKinds(t *testing.T) {
	c := newContext(t)
	const natural = "-ERR a natural counter holds a number, not a text\r\n"
	for _, call := range []struct{ line, want string }{
		{"CNEW n NATURAL", ":1\r\n"},
		{"SET n text", natural},
		{"GETSET n text", natural},
		{"MSET a 1 n text", natural},
		{"EXISTS a", ":0\r\n"},
		{"APPEND n x", natural},
		{"INCR n", ":1\r\n"},
		{"APPEND n 1", ":2\r\n"},
		{"INCRBYFLOAT n 0.5", natural},
		{"INCRBYFLOAT n 4", "$2\r\n15\r\n"},
		{"INCRBY n 2", ":17\r\n"},
		{"DECR n", "-ERR a natural counter only grows\r\n"},
		{"SET t text", "+OK\r\n"},
		{"CNEW t ZCOUNTER", "-ERR key already exists with another kind\r\n"},
		{"CNEW t NATURAL", "-ERR key already exists with another kind\r\n"},
		{"INCREX t BYINT 5", "-ERR value is not an integer or out of range\r\n"},
		{"DEL t", ":1\r\n"},
		{"CNEW t NATURAL", ":1\r\n"},
	} {
		if got := do(t, c, strings.Fields(call.line)...); got != call.want {
			t.Errorf("%s = %q; want %q", call.line, got, call.want)
		}
	}
}

// TestDumpOfText: what one store dumps another merges, and then shows; the seed's format has no texts.
func TestDumpOfText(t *testing.T) {
	a, b := newContext(t), newContext(t)
	long := strings.Repeat("long", 1000)
	do(t, a, "SET", "k", long)
	_, dump, _ := strings.Cut(strings.TrimSuffix(do(t, a, "CDUMP", "k"), "\r\n"), "\r\n")
	do(t, b, "INCRBY", "k", "5")
	if got := do(t, b, "CMERGE", "k", dump); got != "+OK\r\n" {
		t.Errorf("CMERGE = %q; want OK", got)
	}
	if got, want := do(t, b, "GET", "k"), do(t, a, "GET", "k"); got != want {
		t.Errorf("GET after CMERGE = %.60q; want %.60q", got, want)
	}
	if got := do(t, b, "INCR", "k"); got != "-"+errNotInteger+"\r\n" {
		t.Errorf("INCR after CMERGE of a text = %q; want %q", got, errNotInteger)
	}
	if got := do(t, a, "CDUMP", "k", "RDX"); !strings.HasPrefix(got, "-ERR CDUMP: the key holds a text") {
		t.Errorf("CDUMP RDX of a text = %q; want an error", got)
	}
}

func TestInfoOfText(t *testing.T) {
	c := newContext(t)
	do(t, c, "SET", "k", "hello")
	got := do(t, c, "CINFO", "k")
	for _, want := range []string{"kind\r\n$4\r\ntext\r\n", "value\r\n$5\r\nhello\r\n", "assigned\r\n$5\r\nhello\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("CINFO k = %q; want %q in it", got, want)
		}
	}
}

package commands

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRowsAreThoseOfRedis compares the rows with COMMAND INFO of Redis 7.0.15.
func TestRowsAreThoseOfRedis(t *testing.T) {
	text, err := os.ReadFile("testdata/commands-7.0.15.tsv")
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string][]string)
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimRight(line, "\n"), "\t")
		known[fields[0]] = fields
	}
	compared := 0
	for i := range byName.all {
		cmd := &byName.all[i]
		want, ok := known[cmd.Name]
		if !ok {
			if inRedis7(cmd) {
				t.Errorf("Redis 7.0 has no %s; want a later Since", cmd.Name)
			}
			continue
		}
		compared++
		got := []string{cmd.Name, strconv.Itoa(cmd.Arity), strings.Join(cmd.Flags.Names(), ","),
			strconv.Itoa(cmd.Keys.First), strconv.Itoa(cmd.Keys.Last), strconv.Itoa(cmd.Keys.Step),
			"@" + strings.Join(cmd.AllCategories().Names(), " @")}
		if !slices.Equal(got, want[:7]) {
			t.Errorf("%s = %q; want %q", cmd.Name, got, want[:7])
		}
		for j := range cmd.Sub {
			sub := &cmd.Sub[j]
			if inRedis7(sub) && !slices.Contains(strings.Fields(want[7]), sub.FullName) {
				t.Errorf("Redis has no %s; want one of %s", sub.FullName, want[7])
			}
		}
	}
	if compared < 55 {
		t.Errorf("%d rows compared; want at least 55", compared)
	}
}

func TestRowsAreWhole(t *testing.T) {
	version := regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	check := func(cmd *Command) {
		if cmd.Name != strings.ToLower(cmd.Name) || cmd.Arity == 0 || cmd.Run == nil && cmd.Sub == nil {
			t.Errorf("%s: name, arity or handler is missing", cmd.FullName)
		}
		if !version.MatchString(cmd.Since) || cmd.Group == "" || cmd.Complexity == "" || !strings.HasSuffix(cmd.Summary, ".") {
			t.Errorf("%s: since, group, complexity or summary is missing", cmd.FullName)
		}
		if cmd.Keys.Any() == (cmd.Keys.Access == "") {
			t.Errorf("%s: keys %+v without what is done with them, or the other way round", cmd.FullName, cmd.Keys)
		}
		if cmd.Flags&(Write|ReadOnly) == Write|ReadOnly {
			t.Errorf("%s both writes and only reads", cmd.FullName)
		}
	}
	for i := range byName.all {
		check(&byName.all[i])
		for j := range byName.all[i].Sub {
			check(&byName.all[i].Sub[j])
		}
	}
}

// TestCommandInfoAndDocsAreThoseOfRedis compares what clients parse: COMMAND INFO whole but for notes, and of COMMAND DOCS
// the shape of the arguments.
func TestCommandInfoAndDocsAreThoseOfRedis(t *testing.T) {
	ours, real := newContext(t), dialRedis(t, startRedis(t))
	eachCommand(func(cmd *Command, _ []string) {
		if !inRedis7(cmd) || cmd.Sub != nil {
			return
		}
		got := do(t, ours, "COMMAND", "INFO", cmd.FullName)
		want := withoutNotes(real.do(t, "COMMAND", "INFO", cmd.FullName))
		if got != want {
			t.Errorf("COMMAND INFO %s = %q; want %q", cmd.FullName, got, want)
		}
		gotArgs := describe(reparse(t, do(t, ours, "COMMAND", "DOCS", cmd.FullName)))
		wantArgs := describe(reparse(t, real.do(t, "COMMAND", "DOCS", cmd.FullName)))
		if cmd.FullName == "hscan" {
			gotArgs = strings.Replace(gotArgs, "novalues:pure-token:NOVALUES:+optional ", "", 1) // of Redis 7.4
		}
		if gotArgs != wantArgs && cmd.FullName != "client|kill" { // its two forms are said more simply here
			t.Errorf("arguments of %s = %s; want %s", cmd.FullName, gotArgs, wantArgs)
		}
	})
}

// withoutNotes takes the one optional field out of a key specification.
func withoutNotes(reply string) string {
	note := regexp.MustCompile(`\*8\r\n\$5\r\nnotes\r\n\$\d+\r\n[^\r]*\r\n`)
	return note.ReplaceAllString(reply, "*6\r\n")
}

// reparse turns a RESP2 reply into nested []any and strings.
func reparse(t *testing.T, reply string) any {
	t.Helper()
	v, rest := reparseOne(reply)
	if rest != "" {
		t.Fatalf("%q is left of a reply", rest)
	}
	return v
}

func reparseOne(s string) (any, string) {
	line, rest, _ := strings.Cut(s, "\r\n")
	n, _ := strconv.Atoi(line[1:])
	switch line[0] {
	case '$':
		return rest[:n], rest[n+2:]
	case '*':
		list := make([]any, n)
		for i := range list {
			list[i], rest = reparseOne(rest)
		}
		return list, rest
	}
	return line[1:], rest
}

// describe writes the arguments in a reply of COMMAND DOCS on one line, without their history.
func describe(docs any) string {
	fields := docs.([]any)[1].([]any)
	for i := 0; i < len(fields); i += 2 {
		if fields[i] == "arguments" {
			return describeArgs(fields[i+1].([]any))
		}
	}
	return ""
}

func describeArgs(args []any) string {
	var b strings.Builder
	for _, arg := range args {
		f := make(map[any]any)
		for i := 0; i < len(arg.([]any)); i += 2 {
			f[arg.([]any)[i]] = arg.([]any)[i+1]
		}
		for _, name := range []string{"name", "type", "token", "key_spec_index"} {
			if v, ok := f[name]; ok {
				b.WriteString(v.(string) + ":")
			}
		}
		if flags, ok := f["flags"].([]any); ok {
			for _, flag := range flags {
				b.WriteString("+" + flag.(string))
			}
		}
		if sub, ok := f["arguments"].([]any); ok {
			b.WriteString("(" + describeArgs(sub) + ")")
		}
		b.WriteString(" ")
	}
	return b.String()
}

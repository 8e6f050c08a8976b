package commands

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseSyntax(t *testing.T) {
	for _, test := range []struct{ syntax, want string }{
		{"", "[]"},
		{"key increment", "[key:key#0 increment:integer]"},
		{"key newkey", "[key:key#0 newkey:key#1]"},
		{"[MATCH pattern] [NOW]", "[[MATCH pattern:pattern] [NOW now:pure-token]]"},
		{"key...", "[key:key#0...]"},
		{"pair(key value)...", "[pair:block(key:key#0 value:string)...]"},
		{"[when=EX seconds|KEEPTTL]", "[[when:oneof(EX seconds:integer KEEPTTL keepttl:pure-token)]]"},
		{"[FILTERBY by=A x|B]", "[[FILTERBY by:oneof(A x:string B b:pure-token)]]"},
	} {
		if got := fmt.Sprint(brief(parseSyntax(test.syntax))); got != test.want {
			t.Errorf("parseSyntax(%q) = %s; want %s", test.syntax, got, test.want)
		}
	}
}

func brief(args []Arg) (list []string) {
	for _, a := range args {
		s := strings.TrimSpace(a.Token+" "+a.Name) + ":" + a.Type
		if a.Key >= 0 {
			s += fmt.Sprintf("#%d", a.Key)
		}
		if len(a.Args) > 0 {
			s += "(" + strings.Join(brief(a.Args), " ") + ")"
		}
		if a.Multiple {
			s += "..."
		}
		if a.Optional {
			s = "[" + s + "]"
		}
		list = append(list, s)
	}
	return list
}

func TestCommandDocsKnowsEveryCommand(t *testing.T) {
	c := newContext(t)
	docs := reparse(t, do(t, c, "COMMAND", "DOCS")).([]any)
	if len(docs) != 2*len(byName.all) {
		t.Fatalf("COMMAND DOCS = %d commands; want %d", len(docs)/2, len(byName.all))
	}
	for i := 0; i < len(docs); i += 2 {
		fields := docs[i+1].([]any)
		for _, field := range []string{"summary", "since", "group", "complexity"} {
			if at := slices.Index(fields, any(field)); at < 0 || fields[at+1] == "" {
				t.Errorf("COMMAND DOCS %s has no %s", docs[i], field)
			}
		}
	}
	infos := reparse(t, do(t, c, "COMMAND")).([]any)
	want(t, c, "COMMAND COUNT", fmt.Sprintf(":%d|", len(infos)))
	list := reparse(t, do(t, c, "COMMAND", "LIST")).([]any)
	if !slices.Contains(list, any("incr")) || !slices.Contains(list, any("config|set")) || len(list) <= len(infos) {
		t.Errorf("COMMAND LIST = %v; want all commands and subcommands", list)
	}
}

func TestHelp(t *testing.T) {
	c := newContext(t)
	for i := range table {
		cmd := &table[i]
		if cmd.Sub == nil {
			continue
		}
		lines := reparse(t, do(t, c, cmd.Name, "help")).([]any)
		if len(lines) != 1+2*len(cmd.Sub) || !strings.HasPrefix(lines[0].(string), strings.ToUpper(cmd.Name)+" <subcommand> ") {
			t.Errorf("%s HELP = %q; want a title and two lines for each subcommand", cmd.Name, lines)
		}
	}
}

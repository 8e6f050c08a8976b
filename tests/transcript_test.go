package tests

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"atomiccounter/tests/proxy"
)

// A transcript is an indented or fenced block of a document in which lines with a prompt, `a> INCR likes` or `127.0.0.1:6379> INCR
// likes`, are commands, each followed by its reply as redis-cli prints it. Each prompt is a server of its own; all are in a
// mesh. While the links are up, a server has what the others had answered before. A line "-- … cut" cuts all links,
// "-- … back" heals them. A reply "<word>" in angle brackets may be anything, and is put in for that word further on.
type transcript struct {
	heading string // above the block
	lines   []string
}

var prompt = regexp.MustCompile(`^(a|b|c|127\.0\.0\.1:\d+)> (.*)$`)

// transcripts are those of a document.
func transcripts(doc string) []transcript {
	var (
		all     []transcript
		heading string
		block   []string
	)
	end := func() {
		if slices.ContainsFunc(block, prompt.MatchString) {
			all = append(all, transcript{heading, block})
		}
		block = nil
	}
	fenced := false
	for line := range strings.Lines(doc + "\n#") {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "```") {
			end()
			fenced = !fenced
			continue
		}
		if text, ok := strings.CutPrefix(line, "    "); ok || fenced {
			block = append(block, text)
			continue
		}
		if line != "" || len(block) == 0 {
			end()
		}
		if text := strings.TrimLeft(line, "#"); text != line {
			heading = strings.TrimSpace(text)
		}
	}
	return all
}

// servers are the prompts, in the order of their first command.
func (p transcript) servers() []string {
	var names []string
	for _, line := range p.lines {
		if m := prompt.FindStringSubmatch(line); m != nil && !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

func TestTranscripts(t *testing.T) {
	for _, d := range documents(t) {
		for i, p := range transcripts(d.text) {
			t.Run(fmt.Sprintf("%s %d %s", d.path, i, p.heading), func(t *testing.T) {
				names := p.servers()
				(&replay{cluster: newCluster(t, max(2, len(names)), mesh), names: names, words: make(map[string]string)}).run(p)
			})
		}
	}
}

// replay plays a transcript.
type replay struct {
	*cluster
	names []string
	words map[string]string
	cut   bool
	multi bool // commands are queued, and so would be what asks how far the servers are
}

func (y *replay) run(p transcript) {
	y.t.Helper()
	lines := p.lines
	for len(lines) > 0 {
		line := lines[0]
		lines = lines[1:]
		m := prompt.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "-- "):
			y.turn(line)
			continue
		case m == nil: // `$ redis-cli` before it, a blank line behind it
			continue
		}
		end := slices.IndexFunc(lines, func(s string) bool { return prompt.MatchString(s) || strings.HasPrefix(s, "-- ") || s == "" })
		if end < 0 {
			end = len(lines)
		}
		y.command(m[1], m[2], lines[:end])
		lines = lines[end:]
	}
}

func (y *replay) turn(line string) {
	y.t.Helper()
	switch {
	case strings.HasSuffix(line, "cut"):
		y.sync()
		y.cut = true
		y.eachLink(func(_, _ int, l *proxy.Proxy) { l.Cut() })
	case strings.HasSuffix(line, "back"):
		y.cut = false
		y.heal()
	default:
		y.t.Fatalf("what does %q mean? It ends neither with cut nor with back", line)
	}
}

func (y *replay) command(name, command string, want []string) {
	y.t.Helper()
	if !y.cut && !y.multi {
		y.sync()
	}
	later() // than all that was done before, by any clock
	args := typed(command)
	for i, a := range args {
		if w, ok := y.words[a]; ok {
			args[i] = w
		}
	}
	r := y.do(slices.Index(y.names, name), args...)
	y.multi = r.text == "QUEUED" || oneOf(args[0], "multi")
	got := r.print("")
	if len(want) == 1 && strings.HasPrefix(want[0], `"<`) && r.mark == '$' {
		y.words[strings.Trim(want[0], `"`)] = r.text
		return
	}
	if got != strings.Join(want, "\n") {
		y.t.Errorf("%s> %s\n%s\nbut the document has\n%s", name, command, got, strings.Join(want, "\n"))
	}
}

// later waits for the next millisecond, in which stamps are counted.
func later() {
	for now := time.Now().UnixMilli(); time.Now().UnixMilli() == now; {
		time.Sleep(100 * time.Microsecond)
	}
}

// print writes a reply as redis-cli does.
func (r reply) print(indent string) string {
	switch {
	case r.null:
		return "(nil)"
	case r.isError():
		return "(error) " + r.text
	case r.mark == ':':
		return "(integer) " + r.text
	case r.mark == '$':
		return strconv.Quote(r.text)
	case r.mark != '*':
		return r.text
	case len(r.parts) == 0:
		return "(empty array)"
	}
	var lines []string
	width := len(strconv.Itoa(len(r.parts)))
	for i, p := range r.parts {
		label := fmt.Sprintf("%*d) ", width, i+1)
		inner := indent + strings.Repeat(" ", len(label))
		line := label + p.print(inner)
		if i > 0 {
			line = indent + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestTranscriptsParse(t *testing.T) {
	doc := "# One\n\ntext\n\n    $ go run .\n\n## Two\n\n    a> GET k\n    \"1\"\n\n    b> GET k\n    (nil)\n\nmore\n\n    127.0.0.1:6379> PING\n    PONG\n\n```\nc> GET k\n```\n"
	got := transcripts(doc)
	if len(got) != 3 || got[0].heading != "Two" || !slices.Equal(got[0].servers(), []string{"a", "b"}) || !slices.Equal(got[1].servers(), []string{"127.0.0.1:6379"}) || !slices.Equal(got[2].servers(), []string{"c"}) {
		t.Errorf("transcripts(%q) = %q; want that of a and b, one of 127.0.0.1:6379, and one of c", doc, got)
	}
}

func TestPrint(t *testing.T) {
	r := reply{mark: '*', parts: []reply{{mark: ':', text: "1"}, {mark: '*', parts: []reply{{mark: '$', text: "x"}, {null: true}}}}}
	want := "1) (integer) 1\n2) 1) \"x\"\n   2) (nil)"
	if got := r.print(""); got != want {
		t.Errorf("print = %q; want %q", got, want)
	}
}

// typed are the words of a line, some of them in double quotes.
func typed(line string) (args []string) {
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	return args
}

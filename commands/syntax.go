package commands

import "strings"

// Arg is an argument as COMMAND DOCS describes it. Rows of the table say it in one line, as help does:
//
//	key value [condition=NX|XX] [GET] [expiration=EX seconds|PX milliseconds|KEEPTTL]
//	key_value(key value)...
//
// A word in capitals is a token, alone or before its value; [] is optional, () a block, | a choice, and ... repeats. The
// name of a choice or of a block stands before = or (. The type of a value follows from its name (argTypes), or stands behind it
// after a #.
type Arg struct {
	Name, Type, Token  string
	Optional, Multiple bool
	MultipleToken      bool // each has the token before it
	Key                int  // which of the command's keys, from 0; -1: none
	Args               []Arg
}

var argTypes = map[string]string{
	"key": "key", "newkey": "key", "source": "key", "destination": "key",
	"pattern": "pattern", "unix-time-seconds": "unix-time", "unix-time-milliseconds": "unix-time",
	"seconds": "integer", "milliseconds": "integer", "increment": "integer", "decrement": "integer", "lower": "integer",
	"upper": "integer", "count": "integer", "cursor": "integer", "index": "integer", "index1": "integer", "index2": "integer",
	"offset": "integer", "start": "integer", "end": "integer", "key1": "key", "key2": "key",
	"db": "integer", "destination-db": "integer", "protover": "integer", "client-id": "integer",
	"numreplicas": "integer", "numkeys": "integer", "timeout": "integer", "version": "integer", "bytes": "integer",
}

// syntaxParser reads the notation of Arg, which only the table writes: it is trusted to be well-formed.
type syntaxParser struct {
	words []string
	keys  int // seen so far
}

// parseSyntax gives the arguments that a row describes.
func parseSyntax(syntax string) []Arg {
	spaced := strings.NewReplacer("[", " [ ", "]", " ] ", "(", " ( ", ")", " ) ", "|", " | ", "=", " = ", "...", " ... ")
	p := &syntaxParser{words: strings.Fields(spaced.Replace(syntax))}
	return p.list()
}

func (p *syntaxParser) peek() string {
	if len(p.words) == 0 {
		return ""
	}
	return p.words[0]
}

func (p *syntaxParser) take(word string) bool {
	if p.peek() != word {
		return false
	}
	p.words = p.words[1:]
	return true
}

// list reads until a closing bracket or the end.
func (p *syntaxParser) list() (args []Arg) {
	for p.peek() != "" && p.peek() != "]" && p.peek() != ")" {
		args = append(args, p.item())
	}
	return args
}

func (p *syntaxParser) item() Arg {
	if !p.take("[") {
		return p.value()
	}
	a := p.value()
	p.take("]")
	a.Optional = true
	if p.take("...") {
		a.Multiple, a.MultipleToken = true, a.Token != ""
	}
	return a
}

// value reads [TOKEN] name, TOKEN, name=a|b or name(list), and what repeats it.
func (p *syntaxParser) value() Arg {
	a := Arg{Key: -1}
	word := p.next()
	if isToken(word) {
		a.Token = word
		if !isName(p.peek()) {
			a.Name, a.Type = strings.ToLower(word), "pure-token"
			return a
		}
		word = p.next()
	}
	a.Name = word
	switch {
	case p.take("="):
		a.Type = "oneof"
		a.Args = p.choices()
	case p.take("("):
		a.Type = "block"
		a.Args = p.list()
		p.take(")")
	default:
		p.plain(&a)
	}
	a.Multiple = p.take("...")
	return a
}

func (p *syntaxParser) choices() []Arg {
	list := []Arg{p.value()}
	for p.take("|") {
		list = append(list, p.value())
	}
	return list
}

func (p *syntaxParser) plain(a *Arg) {
	name, kind, typed := strings.Cut(a.Name, "#")
	if a.Name, a.Type = name, kind; !typed {
		a.Type = argTypes[name]
	}
	switch a.Type {
	case "":
		a.Type = "string"
	case "key":
		a.Key = p.keys
		p.keys++
	}
}

func (p *syntaxParser) next() string {
	word := p.words[0]
	p.words = p.words[1:]
	return word
}

func isToken(word string) bool { return word != "" && 'A' <= word[0] && word[0] <= 'Z' }
func isName(word string) bool  { return word != "" && 'a' <= word[0] && word[0] <= 'z' }

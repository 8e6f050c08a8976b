package lua

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

const sourceName = "user_script"

// maxText bounds the text of a script in bytes: its syntax tree takes a hundred times as much.
const maxText = 1 << 20

var errTextLong = errors.New("a script must not be longer than 1 MiB")

// Script is a compiled script. It does not change, and any number of states may run it.
type Script struct {
	SHA      string // of the text, in lower-case hexadecimal digits
	ReadOnly bool   // flags=no-writes
	Flushes  bool   // it may call FLUSHALL or FLUSHDB, as far as its text tells
	proto    *lua.FunctionProto
}

// Bytes that are taken besides what a script is made of, measured: by a text with its entry in the cache, by a script with that, by a
// function, and by each of its constants.
const (
	textSize     = 180
	scriptSize   = 180
	functionSize = 760
	constantSize = 32
)

// size is how many bytes a script takes, about.
func (s *Script) size() int64 { return scriptSize + protoSize(s.proto) }

func protoSize(p *lua.FunctionProto) int64 {
	n := functionSize + 4*len(p.Code) + 8*len(p.DbgSourcePositions) + 24*len(p.DbgCalls) + constantSize*len(p.Constants)
	for _, c := range p.Constants {
		if text, ok := c.(lua.LString); ok {
			n += len(text)
		}
	}
	size := int64(n)
	for _, inner := range p.FunctionPrototypes {
		size += protoSize(inner)
	}
	return size
}

// compile makes a script of a text. Errors are in Redis's words, without the code.
func compile(sha string, body []byte) (*Script, error) {
	if len(body) > maxText {
		return nil, errTextLong
	}
	s := &Script{SHA: sha, Flushes: bytes.Contains(bytes.ToLower(body), []byte("flush"))}
	text := string(body)
	if strings.HasPrefix(text, "#!") {
		line, _, found := strings.Cut(text, "\n")
		if !found {
			//lint:ignore ST1005 Redis's words
			return nil, errors.New("Invalid script shebang")
		}
		flags, err := shebang(line)
		if err != nil {
			return nil, err
		}
		s.ReadOnly = slices.Contains(flags, "no-writes")
		text = text[len(line):] // the line end stays: lines are counted from the shebang
	}
	var err error
	if s.proto, err = compileText(text, sourceName); err != nil {
		//lint:ignore ST1005 Redis's words
		return nil, fmt.Errorf("Error compiling script (new function): %w", err)
	}
	return s, nil
}

// shebang gives the flags of a first line.
func shebang(line string) (flags []string, err error) {
	words := strings.Fields(line)
	if words[0] != "#!lua" {
		//lint:ignore ST1005 Redis's words
		return nil, fmt.Errorf("Unexpected engine in script shebang: %s", words[0])
	}
	for _, word := range words[1:] {
		list, ok := strings.CutPrefix(word, "flags=")
		if !ok {
			//lint:ignore ST1005 Redis's words
			return nil, fmt.Errorf("Unknown lua shebang option: %s", word)
		}
		for flag := range strings.SplitSeq(list, ",") {
			switch flag {
			case "no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys":
				flags = append(flags, flag)
			case "":
				if list == "" {
					continue
				}
				fallthrough
			default:
				//lint:ignore ST1005 Redis's words
				return nil, fmt.Errorf("Unexpected flag in script shebang: %s", flag)
			}
		}
	}
	return flags, nil
}

// compileText parses, repairs what the interpreter takes otherwise than Lua 5.1 (rewrite.go), and compiles. The interpreter
// panics at some texts, which are then no scripts.
func compileText(text, source string) (proto *lua.FunctionProto, err error) {
	defer func() {
		if r := recover(); r != nil {
			proto, err = nil, fmt.Errorf("%s:1: %v", source, r)
		}
	}()
	text, written, err := forScanner(text)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", source, err)
	}
	chunk, err := parse.Parse(strings.NewReader(text), source)
	if err != nil {
		return nil, parseError(text, source, written, err)
	}
	if err := rewrite(chunk); err != nil {
		return nil, fmt.Errorf("%s:1: %w", source, err)
	}
	if proto, err = lua.Compile(chunk, source); err != nil {
		var c *lua.CompileError
		if errors.As(err, &c) {
			return nil, fmt.Errorf("%s:%d: %s", source, c.Line, c.Message)
		}
		return nil, err
	}
	proto.IsVarArg &^= lua.VarArgNeedsArg // a chunk has no table of its arguments
	finish(proto)
	return proto, nil
}

// methodMark is before the name of a call of a method, in what the interpreter remembers of a call.
const methodMark = ":"

// finish marks the calls of methods, and gives back the room for much greater functions that the compiler leaves in each.
func finish(p *lua.FunctionProto) {
	markMethods(p)
	p.Code, p.DbgSourcePositions, p.DbgCalls = exact(p.Code), exact(p.DbgSourcePositions), exact(p.DbgCalls)
	p.Constants, p.FunctionPrototypes = exact(p.Constants), exact(p.FunctionPrototypes)
	p.DbgLocals, p.DbgUpvalues = nil, nil // nothing asks for them
	for _, inner := range p.FunctionPrototypes {
		finish(inner)
	}
}

func exact[E any](list []E) []E { return append(make([]E, 0, len(list)), list...) }

// markMethods finds the calls of methods: OP_SELF has put the function where the next call of that register takes it.
func markMethods(p *lua.FunctionProto) {
	calls := p.DbgCalls
	var method [256]bool // by register
	for pc, code := range p.Code {
		op, register := int(code>>26), code>>18&0xff
		switch {
		case op == lua.OP_SELF:
			method[register] = true
		case len(calls) > 0 && calls[0].Pc == pc:
			if method[register] {
				calls[0].Name = methodMark + calls[0].Name
			}
			method[register] = false
			calls = calls[1:]
		}
	}
}

// syntaxWords are Lua's for what the parser calls otherwise.
var syntaxWords = map[string]string{"unterminated string": "unfinished string", "unterminated multiline string": "unfinished long string",
	"syntax error": "unexpected symbol", "parse error": "'=' expected", "Invalid token": "unexpected symbol"}

// parseError says it in Lua's form, with numbers as they were written.
func parseError(text, source string, written map[string]string, err error) error {
	var p *parse.Error
	if !errors.As(err, &p) {
		return err
	}
	line, near := p.Pos.Line, p.Token
	if line == parse.EOF {
		line, near = 1+strings.Count(strings.TrimRight(text, "\n"), "\n"), "<eof>"
	}
	if near == "" {
		near = "<eof>"
	}
	if number, ok := written[near]; ok {
		near = number
	}
	msg := p.Message
	if better, ok := syntaxWords[msg]; ok {
		msg = better
	}
	return fmt.Errorf("%s:%d: %s near '%s'", source, line, msg, near)
}

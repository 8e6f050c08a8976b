package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"atomiccounter/tests/process"
)

const module = "atomiccounter"

// below says what each package of the module may import of it, in tests too. The program itself may import all of them,
// and nothing imports tests/ but tests/. A leaf, which has a line of its own, is no part of the package that it lies in.
var below = map[string][]string{
	"tlv":               {},
	"replica/handshake": {"tlv"},
	"engine":            {"tlv"},
	"script":            {},
	"commands":          {"engine", "replica/handshake", "script", "tlv"},
	"replica":           {"engine", "replica/handshake", "tlv"},
	"server":            {"commands", "engine", "replica/handshake", "tlv"},
	"migrate":           {},
}

// place is the package in below that one of the module is, or is a part of.
func place(name string) string {
	if _, leaf := below[name]; leaf {
		return name
	}
	top, _, _ := strings.Cut(name, "/")
	return top
}

// banned are imports that belong elsewhere: the formats and the engine know no RESP, socket or peer; only main reads flags.
var banned = map[string][]string{
	"tlv":               {"net", "flag", "github.com/tidwall/redcon", "github.com/redis/go-redis/v9", "github.com/urfave/cli/v2"},
	"replica/handshake": {"net", "flag", "github.com/tidwall/redcon", "github.com/redis/go-redis/v9", "github.com/urfave/cli/v2"},
	"engine":            {"net", "flag", "github.com/tidwall/redcon", "github.com/redis/go-redis/v9", "github.com/urfave/cli/v2"},
	"commands":          {"flag", "github.com/cockroachdb/pebble/v2", "github.com/urfave/cli/v2"},
	"server":            {"flag", "github.com/cockroachdb/pebble/v2", "github.com/urfave/cli/v2"},
	"replica":           {"flag", "github.com/urfave/cli/v2"},
	"migrate":           {"flag", "github.com/urfave/cli/v2"},
}

type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// goList describes all packages of the module.
func goList(t *testing.T) []goPackage {
	t.Helper()
	root, err := process.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range goList(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		top := place(name)
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if err := mayImport(top, imported); err != nil {
				t.Errorf("%s imports %s: %v", p.ImportPath, imported, err)
			}
		}
		for _, imported := range p.Imports { // tests may have flags
			if slices.Contains(banned[top], imported) {
				t.Errorf("%s imports %s, which is not its concern", p.ImportPath, imported)
			}
		}
	}
}

func mayImport(top, imported string) error {
	name, inside := strings.CutPrefix(imported, module+"/")
	if !inside || top == "tests" || place(name) == top {
		return nil
	}
	if strings.HasPrefix(name, "tests") {
		return errors.New("tests/ is for tests/")
	}
	if top == module { // main
		return nil
	}
	allowed, known := below[top]
	if !known {
		return errors.New("the package has no place in the layout")
	}
	if !slices.Contains(allowed, place(name)) {
		return errors.New("imports point main → server → commands → engine → tlv")
	}
	return nil
}

func TestMayImport(t *testing.T) {
	for _, c := range []struct {
		top, imported string
		ok            bool
	}{
		{"engine", "atomiccounter/tlv", true}, {"tlv", "atomiccounter/engine", false}, {"engine", "atomiccounter/commands", false},
		{"server", "atomiccounter/commands", true}, {"commands", "atomiccounter/server", false}, {"engine", "os", true}, {module, "atomiccounter/server", true}, {"common", "atomiccounter/tlv", false},
		{"server", "atomiccounter/tests/process", false}, {"tests", "atomiccounter/tests/process", true},
		{"commands", "atomiccounter/replica/handshake", true}, {"commands", "atomiccounter/replica", false}, {"replica/handshake", "atomiccounter/replica", false},
	} {
		if err := mayImport(c.top, c.imported); (err == nil) != c.ok {
			t.Errorf("mayImport(%q, %q) = %v; want allowed: %v", c.top, c.imported, err, c.ok)
		}
	}
}

// TestREADMECommands: the README's table of commands is what the server has.
func TestREADMECommands(t *testing.T) {
	doc := readme(t)
	if *self {
		t.Skip("redis-server has a README of its own")
	}
	s := start(t, ours)
	list, err := connect(t, s.Addr).do("COMMAND", "LIST")
	if err != nil {
		t.Fatal(err)
	}
	has := list.texts()
	listed := readmeCommands(doc)
	for _, name := range has {
		if !slices.Contains(listed, name) {
			t.Errorf("README.md, table of commands, lacks %s, which the server has", strings.ToUpper(name))
		}
	}
	for _, name := range listed {
		if !slices.Contains(has, name) {
			t.Errorf("README.md, table of commands, lists %s, which the server does not have", strings.ToUpper(name))
		}
	}
}

// readmeCommands are the names in the first column of the table headed "commands": `INCREX key [BYINT n]` is "increx",
// `CLIENT ID` is "client|id".
func readmeCommands(doc string) []string {
	var names []string
	name := regexp.MustCompile("`([A-Z_-]+(?: [A-Z-]+)*)[^`]*`")
	column := regexp.MustCompile(`^\|((?:\\.|[^|\\])*)\|`) // \| is a character, not the end
	inside := false
	for line := range strings.Lines(doc) {
		first := column.FindStringSubmatch(line)
		if first == nil {
			inside = false
			continue
		}
		inside = inside || strings.TrimSpace(first[1]) == "commands"
		if !inside {
			continue
		}
		for _, m := range name.FindAllStringSubmatch(first[1], -1) {
			names = append(names, strings.ToLower(strings.ReplaceAll(m[1], " ", "|")))
		}
	}
	return names
}

func TestREADMECommandsParse(t *testing.T) {
	doc := "| commands | |\n|---|---|\n| `GET` `CLIENT NO-EVICT` | `SET` |\n| `CNEW key A\\|B` `CINFO key` | |\n\n| command | `X` |\n| `DEL` | |\n"
	want := []string{"get", "client|no-evict", "cnew", "cinfo"}
	if got := readmeCommands(doc); !slices.Equal(got, want) {
		t.Errorf("readmeCommands(%q) = %q; want %q", doc, got, want)
	}
}

func TestREADMELinks(t *testing.T) {
	doc := readme(t)
	root, err := process.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(doc, -1) {
		target, fragment, _ := strings.Cut(m[1], "#")
		if strings.Contains(target, "://") {
			continue
		}
		if target == "" {
			if !slices.Contains(anchors(doc), fragment) {
				t.Errorf("README.md links to #%s, but has no such heading", fragment)
			}
		} else if _, err := os.Stat(filepath.Join(root, target)); err != nil {
			t.Errorf("README.md links to %s: %v", target, err)
		}
	}
}

// anchors are the fragments that a document's headings are reached by.
func anchors(doc string) []string {
	var all []string
	for line := range strings.Lines(doc) {
		if heading := strings.TrimLeft(line, "#"); heading != line {
			heading = strings.ToLower(strings.TrimSpace(heading))
			heading = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(heading, "")
			all = append(all, strings.ReplaceAll(heading, " ", "-"))
		}
	}
	return all
}

package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
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
	"engine/broadcast":  {},
	"engine/history":    {"engine/lockorder", "tlv"},
	"engine/journal":    {},
	"engine/enginetest": {"engine/journal", "tlv"},
	"engine/lockorder":  {},
	"engine/state":      {"tlv"},
	"engine/store":      {"tlv"},
	"engine":            {onlyTests, "engine/broadcast", "engine/history", "engine/journal", "engine/lockorder", "engine/state", "engine/store", "tlv"},
	"replica/csync":     {"tlv"},
	"commands/resp":     {},
	"commands/push":     {"commands/resp", "engine"},
	"commands/stats":    {},
	"commands/lua":      {"commands/resp"},
	"commands/config":   {"engine", "replica/handshake"},
	"commands":          {"commands/config", "commands/lua", "commands/push", "commands/resp", "commands/stats", "engine", onlyTests, "replica/csync", "replica/handshake", "tlv"},
	"replica":           {"engine", "engine/broadcast", onlyTests, "replica/csync", "replica/handshake", "tlv"},
	"server":            {"commands", "commands/config", "commands/resp", "commands/stats", "engine", "replica/csync", "replica/handshake", "tlv"},
	"replica/migrate":   {},
}

// onlyTests is imported by tests alone.
const onlyTests = "engine/enginetest"

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
	"engine/journal":    {"net", "flag", "github.com/cockroachdb/pebble/v2", "github.com/tidwall/redcon", "github.com/redis/go-redis/v9", "github.com/urfave/cli/v2"},
	"engine/enginetest": {"engine/journal", "tlv"},
	"replica/csync":     {"net", "flag", "github.com/redis/go-redis/v9", "github.com/urfave/cli/v2"}, // its replies are RESP
	"engine/history":    {"net", "flag", "github.com/cockroachdb/pebble/v2", "github.com/tidwall/redcon", "github.com/redis/go-redis/v9", "github.com/urfave/cli/v2"},
	"engine/state":      {"net", "flag", "github.com/cockroachdb/pebble/v2", "github.com/tidwall/redcon", "github.com/redis/go-redis/v9", "github.com/urfave/cli/v2"},
	"engine/store":      {"net", "flag", "github.com/tidwall/redcon", "github.com/redis/go-redis/v9", "github.com/urfave/cli/v2"},
	"engine":            {"net", "flag", "github.com/tidwall/redcon", "github.com/redis/go-redis/v9", "github.com/urfave/cli/v2"},
	"commands/resp":     {"net", "flag"},
	"commands/config":   {"flag", "github.com/urfave/cli/v2"}, // main makes flags of its table
	"commands/push":     {"net", "flag"},
	"commands/stats":    {"net", "flag"},
	"commands":          {"flag", "github.com/cockroachdb/pebble/v2", "github.com/urfave/cli/v2"},
	"server":            {"flag", "github.com/cockroachdb/pebble/v2", "github.com/urfave/cli/v2"},
	"replica":           {"flag", "github.com/urfave/cli/v2"},
	"replica/migrate":   {"flag", "github.com/urfave/cli/v2"},
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
			if imported == module+"/"+onlyTests {
				t.Errorf("%s imports %s, which is for tests", p.ImportPath, imported)
			}
			if slices.Contains(banned[top], imported) {
				t.Errorf("%s imports %s, which is not its concern", p.ImportPath, imported)
			}
		}
	}
}

// TestTopLevel: a reader finds at the top the program, its packages and the tests, and nothing else but files whose names begin with a dot.
func TestTopLevel(t *testing.T) {
	root, err := process.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = root
	files, err := cmd.Output()
	if err != nil {
		t.Skipf("git ls-files: %v", err) // the source came without its history
	}
	allowed := []string{"LICENSE", "README.md", "commands", "engine", "go.mod", "go.sum", "main.go", "replica", "server", "tests", "tlv"}
	for _, name := range strings.Split(string(files), "\x00") {
		if top, _, _ := strings.Cut(name, "/"); !slices.Contains(allowed, top) && !strings.HasPrefix(name, ".") && name != "" {
			t.Errorf("%s is in no place of the layout", name)
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
		{"engine", "atomiccounter/tlv", true}, {"engine", "atomiccounter/engine/journal", true}, {"engine/journal", "atomiccounter/engine", false}, {"commands", "atomiccounter/engine/journal", false}, {"engine/enginetest", "atomiccounter/engine", false},
		{"tlv", "atomiccounter/engine", false}, {"engine", "atomiccounter/commands", false},
		{"server", "atomiccounter/commands", true}, {"commands", "atomiccounter/server", false}, {"engine", "os", true}, {module, "atomiccounter/server", true}, {"common", "atomiccounter/tlv", false},
		{"server", "atomiccounter/tests/process", false}, {"tests", "atomiccounter/tests/process", true},
		{"commands", "atomiccounter/replica/handshake", true}, {"commands", "atomiccounter/replica", false}, {"replica/handshake", "atomiccounter/replica", false},
		{"commands", "atomiccounter/replica/csync", true}, {"replica/csync", "atomiccounter/engine", false},
	} {
		if err := mayImport(c.top, c.imported); (err == nil) != c.ok {
			t.Errorf("mayImport(%q, %q) = %v; want allowed: %v", c.top, c.imported, err, c.ok)
		}
	}
}

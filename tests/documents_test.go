package tests

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"atomiccounter/tests/process"
)

// document is a Markdown file of the repository.
type document struct {
	path string // from the root of the module
	text string
}

// documents are all Markdown files of the repository but those of tests' data and of installed packages.
func documents(t *testing.T) []document {
	t.Helper()
	root, err := process.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	var all []document
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{".git", "data", "node_modules", "testdata"}, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		all = append(all, document{name, string(text)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDocumentedCommands: the tables of commands in the documents list what the server has.
func TestDocumentedCommands(t *testing.T) {
	if *self {
		t.Skip("redis-server has documents of its own")
	}
	s := start(t, ours)
	list, err := connect(t, s.Addr).do("COMMAND", "LIST")
	if err != nil {
		t.Fatal(err)
	}
	has := list.texts()
	var listed []string
	for _, d := range documents(t) {
		for _, name := range listedCommands(d.text) {
			listed = append(listed, name)
			if !slices.Contains(has, name) {
				t.Errorf("%s, table of commands, lists %s, which the server does not have", d.path, strings.ToUpper(name))
			}
		}
	}
	for _, name := range has {
		if !slices.Contains(listed, name) {
			t.Errorf("no table of commands lists %s, which the server has", strings.ToUpper(name))
		}
	}
}

// listedCommands are the names in the first column of the table headed "commands": `INCREX key [BYINT n]` is "increx",
// `CLIENT ID` is "client|id".
func listedCommands(doc string) []string {
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

func TestListedCommands(t *testing.T) {
	doc := "| commands | |\n|---|---|\n| `GET` `CLIENT NO-EVICT` | `SET` |\n| `CNEW key A\\|B` `CINFO key` | |\n\n| command | `X` |\n| `DEL` | |\n"
	want := []string{"get", "client|no-evict", "cnew", "cinfo"}
	if got := listedCommands(doc); !slices.Equal(got, want) {
		t.Errorf("listedCommands(%q) = %q; want %q", doc, got, want)
	}
}

// TestDocumentedLinks: each relative link leads to a file or directory, and its fragment to a heading of that file.
func TestDocumentedLinks(t *testing.T) {
	all := documents(t)
	root, err := process.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(d.text, -1) {
			target, fragment, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			to := d
			if target != "" {
				to.path = filepath.Join(filepath.Dir(d.path), target)
				if _, err := os.Stat(filepath.Join(root, to.path)); err != nil {
					t.Errorf("%s links to %s: %v", d.path, target, err)
					continue
				}
			}
			if fragment == "" {
				continue
			}
			i := slices.IndexFunc(all, func(o document) bool { return o.path == to.path })
			if i < 0 || !slices.Contains(anchors(all[i].text), fragment) {
				t.Errorf("%s links to %s, but %s has no such heading", d.path, m[1], to.path)
			}
		}
	}
}

// TestDocumentedPackages: README.md has each package but those of tests/ on its map.
func TestDocumentedPackages(t *testing.T) {
	all := documents(t)
	i := slices.IndexFunc(all, func(d document) bool { return d.path == "README.md" })
	for _, p := range goList(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if name != module && !strings.HasPrefix(name, "tests/") && !strings.Contains(all[i].text, "["+name+"]("+name+")") {
			t.Errorf("README.md has no package %s on its map", name)
		}
	}
}

// TestDocumentedFiles: each file of the source that the documents name exists, from the document's directory or from the root.
func TestDocumentedFiles(t *testing.T) {
	root, err := process.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range documents(t) {
		for _, m := range regexp.MustCompile("`([\\w./-]*[\\w-]/[\\w./-]+|[\\w-]+\\.go)`").FindAllStringSubmatch(d.text, -1) {
			top, _, deep := strings.Cut(m[1], "/")
			if _, err := os.Stat(filepath.Join(root, top)); deep && err != nil && filepath.Ext(m[1]) == "" {
				continue // no name of ours
			}
			_, fromRoot := os.Stat(filepath.Join(root, m[1]))
			_, beside := os.Stat(filepath.Join(root, filepath.Dir(d.path), m[1]))
			if fromRoot != nil && beside != nil {
				t.Errorf("%s names %s: %v", d.path, m[1], fromRoot)
			}
		}
	}
}

// TestDocumentedFunctions: what the documents say to be in a file, as `flush.cut` in `engine/flush.go`, is a function there.
func TestDocumentedFunctions(t *testing.T) {
	root, err := process.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range documents(t) {
		for _, m := range regexp.MustCompile("`(?:(\\w+)\\.)?(\\w+)`\\s+in\\s+(?:`|\\[)([\\w./-]+\\.go)").FindAllStringSubmatch(d.text, -1) {
			source, err := os.ReadFile(filepath.Join(root, m[3]))
			if err != nil {
				t.Errorf("%s: %v", d.path, err)
				continue
			}
			receiver := ""
			if m[1] != "" {
				receiver = `\(\w+ \*?` + m[1] + `\) `
			}
			if !regexp.MustCompile(`(?m)^func ` + receiver + m[2] + `\(`).Match(source) {
				t.Errorf("%s: %s has no function %s", d.path, m[3], strings.TrimPrefix(m[1]+"."+m[2], "."))
			}
		}
	}
}

// TestDocumentedSteps: the table of steps of CI lists those that .ci/run has.
func TestDocumentedSteps(t *testing.T) {
	root, err := process.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(root, ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	var has, listed []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+)\(\) \{ # `).FindAllSubmatch(script, -1) { // as its help finds them
		has = append(has, string(m[1]))
	}
	for _, d := range documents(t) {
		_, table, _ := strings.Cut(d.text, "\n| step | |\n")
		for row := range strings.Lines(table) {
			if !strings.HasPrefix(row, "|") {
				break
			}
			for _, m := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(strings.Split(row, "|")[1], -1) {
				listed = append(listed, m[1])
			}
		}
	}
	slices.Sort(has)
	slices.Sort(listed)
	if !slices.Equal(listed, has) {
		t.Errorf("the documents list the steps %q; .ci/run has %q", listed, has)
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

// TestDocumentedDifferences: the documents list each way in which the server departs from Redis.
func TestDocumentedDifferences(t *testing.T) {
	var rows strings.Builder
	for _, d := range documents(t) {
		rows.WriteString(tableRows(d.text))
	}
	for _, d := range differences {
		if !strings.Contains(rows.String(), d.phrase) {
			t.Errorf("no table of the documents has a row with %q: %s", d.phrase, d.reason)
		}
	}
}

// tableRows are the lines of a document that belong to tables.
func tableRows(doc string) string {
	var rows strings.Builder
	for line := range strings.Lines(doc) {
		if strings.HasPrefix(line, "|") {
			rows.WriteString(line)
		}
	}
	return rows.String()
}

// TestDocumentedFlags: each flag that the documents name for this program exists.
func TestDocumentedFlags(t *testing.T) {
	if *self {
		t.Skip("redis-server has flags of its own")
	}
	known := []string{"--help"}
	for _, command := range []string{"serve", "check", "import"} {
		help, err := exec.Command(ours.Path, command, "--help").CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, regexp.MustCompile(`--[a-z][a-z-]+`).FindAllString(string(help), -1)...)
	}
	for _, d := range documents(t) {
		for _, code := range regexp.MustCompile("(?m)`[^`\n]+`|^    .*$").FindAllString(d.text, -1) {
			if strings.Contains(code, "redis-cli") || strings.Contains(code, "apt-get") {
				continue
			}
			for _, flag := range regexp.MustCompile(`(?:^|[^-\w])(--[a-z][a-z-]+)`).FindAllStringSubmatch(code, -1) {
				if !slices.Contains(known, flag[1]) {
					t.Errorf("%s names the flag %s in %q, which there is not", d.path, flag[1], code)
				}
			}
		}
	}
}

// TestDocumentedDefaults: the tables of flags in the documents have every flag of serve, with its default.
func TestDocumentedDefaults(t *testing.T) {
	if *self {
		t.Skip("redis-server has flags of its own")
	}
	help, err := exec.Command(ours.Path, "serve", "--help").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]string)
	for _, d := range documents(t) {
		for _, row := range listedFlags(d.text) {
			if len(row.defaults) != len(row.flags) {
				t.Errorf("%s lists the flags %q with the defaults %q; want as many", d.path, row.flags, row.defaults)
				continue
			}
			for i, flag := range row.flags {
				listed[flag] = row.defaults[i]
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^ +(--[a-z-]+).*?(?:\(default: "?(.*?)"?\))? \[\$`).FindAllStringSubmatch(string(help), -1) {
		switch usual, there := listed[m[1]]; {
		case !there:
			t.Errorf("no table of flags lists %s", m[1])
		case m[2] != "" && plainDefault(usual) != plainDefault(m[2]):
			t.Errorf("the tables of flags have the default %q of %s; want %q", usual, m[1], m[2])
		}
	}
}

type flagRow struct{ flags, defaults []string }

// listedFlags are the rows of the table headed "flag" and "default": the flags in the first column, and as many defaults in the second.
func listedFlags(doc string) (rows []flagRow) {
	inside := false
	for line := range strings.Lines(doc) {
		columns := strings.Split(line, "|")
		if len(columns) < 3 {
			inside = false
			continue
		}
		if flags := regexp.MustCompile("`(--[a-z-]+)").FindAllStringSubmatch(columns[1], -1); inside && flags != nil {
			row := flagRow{defaults: strings.Split(columns[2], ", ")}
			for _, m := range flags {
				row.flags = append(row.flags, m[1])
			}
			rows = append(rows, row)
		}
		inside = inside || strings.TrimSpace(columns[1]) == "flag" && strings.TrimSpace(columns[2]) == "default"
	}
	return rows
}

// plainDefault leaves out how a default is written: 256 MiB is 256mb.
func plainDefault(text string) string {
	return strings.NewReplacer("`", "", " ", "", "ib", "b", "false", "no").Replace(strings.ToLower(text))
}

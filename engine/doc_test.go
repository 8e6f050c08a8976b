package engine

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEmbeddersNames: the names that the package comment lists for a program that embeds the engine exist, and are about 40.
func TestEmbeddersNames(t *testing.T) {
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(set, files, "atomiccounter/engine")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(p.Doc, "# For a program that embeds it")
	list, _, ok := strings.Cut(list, "# How")
	if !ok {
		t.Fatal("the package comment has no such section")
	}
	exported := exportedNames(p)
	rows := regexp.MustCompile(`(?m)^\t(\S.*?)  `).FindAllStringSubmatch(list, -1)
	names := 0
	for _, row := range rows {
		for _, name := range regexp.MustCompile(`[\w.]+`).FindAllString(row[1], -1) {
			if names++; !exported[name] {
				t.Errorf("%s is listed, but not exported", name)
			}
		}
	}
	if names < 30 || names > 50 {
		t.Errorf("%d names are listed; want about 40", names)
	}
}

// exportedNames are those of a package, methods as Type.Method.
func exportedNames(p *doc.Package) map[string]bool {
	names := make(map[string]bool)
	values := func(list []*doc.Value) {
		for _, v := range list {
			for _, name := range v.Names {
				names[name] = ast.IsExported(name)
			}
		}
	}
	functions := func(of string, list []*doc.Func) {
		for _, f := range list {
			names[of+f.Name] = true
		}
	}
	values(p.Consts)
	values(p.Vars)
	functions("", p.Funcs)
	for _, t := range p.Types {
		names[t.Name] = true
		values(t.Consts)
		values(t.Vars)
		functions("", t.Funcs)
		functions(t.Name+".", t.Methods)
	}
	return names
}

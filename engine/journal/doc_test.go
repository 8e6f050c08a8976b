package journal

import (
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestWorkedExample: the bytes of the package comment are what Replay reads, and what the journal writes after such a header.
func TestWorkedExample(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	must(t, err)
	var digits strings.Builder
	for _, line := range regexp.MustCompile(`(?m)^//\t((?:[0-9a-f]{2} +)+)#`).FindAllStringSubmatch(string(doc), -1) {
		digits.WriteString(strings.ReplaceAll(line[1], " ", ""))
	}
	want, err := hex.DecodeString(digits.String())
	must(t, err)
	s := NewMemory()
	_, err = s.Create(1, 64, want[:segmentHeader], false)
	must(t, err)
	mem := s.files[1]
	j := &Journal{}
	j.enter(&segment{number: 1, mem: mem}, 0)
	for _, body := range []string{"hi", "yo"} {
		j.put(uint32(len(body)), []byte(body))
	}
	if got := mem[:j.off]; hex.EncodeToString(got) != hex.EncodeToString(want) {
		t.Errorf("the journal is\n% x, and the package comment has\n% x", []byte(got), want)
	}
	got, err := replayed(s, start(t, s))
	if err != nil || len(got) != 2 || string(got[0])+string(got[1]) != "hiyo" {
		t.Errorf("Replay = %q, %v; want hi and yo", got, err)
	}
}

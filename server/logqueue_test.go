package server

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
)

// TestLogQueue: nobody waits for a reader that does not read; what is dropped is counted, and said in its place.
func TestLogQueue(t *testing.T) {
	r, w := io.Pipe()
	q := NewLogQueue(w)
	log := slog.New(slog.NewTextHandler(q, nil))
	const lines = 3000
	for i := range lines {
		log.Info(strings.Repeat("x", 1000), "n", i)
	}
	q.Flush() // gives up
	dropped := q.Dropped()
	if dropped == 0 || dropped == lines {
		t.Fatalf("%d of %d lines are dropped", dropped, lines)
	}
	var got bytes.Buffer
	read := make(chan error)
	go func() {
		_, err := io.Copy(&got, r)
		read <- err
	}()
	q.Flush()
	log.Info("it goes on")
	q.Flush()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	list := strings.Split(strings.TrimSpace(got.String()), "\n")
	if want := lines - int(dropped) + 2; len(list) != want {
		t.Fatalf("%d lines are read; want %d", len(list), want)
	}
	for i, line := range list[:len(list)-2] {
		if !strings.HasSuffix(line, fmt.Sprintf(" n=%d", i)) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
	if line := list[len(list)-2]; !strings.Contains(line, fmt.Sprintf("dropped %d lines", dropped)) {
		t.Errorf("then comes %q; want that %d are dropped", line, dropped)
	}
	if line := list[len(list)-1]; !strings.Contains(line, "it goes on") {
		t.Errorf("at the end comes %q", line)
	}
	log.Info("nobody is there")
	q.Flush()
	if n := q.Dropped(); n != dropped+1 {
		t.Errorf("%d lines are dropped; want %d", n, dropped+1)
	}
}

// TestLogQueueLongLine: a line that is too long for the queue is dropped, and the log goes on.
func TestLogQueueLongLine(t *testing.T) {
	var got bytes.Buffer
	q := NewLogQueue(&got)
	if _, err := q.Write(bytes.Repeat([]byte("x"), mostQueued+1)); err != nil {
		t.Fatal(err)
	}
	q.Flush()
	if _, err := q.Write([]byte("it goes on\n")); err != nil {
		t.Fatal(err)
	}
	q.Flush()
	if lines := strings.SplitAfter(got.String(), "\n"); len(lines) != 3 || !strings.Contains(lines[0], "dropped 1 lines") || lines[1] != "it goes on\n" {
		t.Errorf("%.200q is read", lines)
	}
}

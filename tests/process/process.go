// Package process runs servers for tests and benchmarks: this repository's and redis-server, each as a real process on a
// free loopback port. It waits for conditions with a deadline, never for a time, and keeps the end of what a server
// writes, to show it when something fails.
package process

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Patience is how long a server may take to become ready or to end. It is long because a machine that runs tests is
// busy; nobody waits for it when all is well.
const Patience = 30 * time.Second

// Program is a server that can be started.
type Program struct {
	Name string // for messages
	Path string // of the executable
	args func(port int, dir string) []string
	look func() error // at the source; nil: there is none
}

// Redis finds redis-server. It keeps nothing on disk unless it is started with "--appendonly yes".
func Redis() (Program, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return Program{}, err
	}
	args := func(port int, dir string) []string {
		return []string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--loglevel", "warning"}
	}
	return Program{Name: "redis-server", Path: path, args: args}, nil
}

// Build compiles this repository's server into dir.
func Build(dir string) (Program, error) {
	root, err := ModuleRoot()
	if err != nil {
		return Program{}, err
	}
	path := dir + "/atomiccounter"
	build := []string{"build", "-o", path}
	if raceEnabled {
		build = append(build, "-race")
	}
	cmd := exec.Command("go", append(build, ".")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return Program{}, fmt.Errorf("go %s: %w\n%s", strings.Join(build, " "), err, out)
	}
	args := func(port int, dir string) []string {
		return []string{"serve", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--loglevel", "warning"}
	}
	look := sync.OnceValue(func() error { return lookAt(root) })
	return Program{Name: "atomiccounter", Path: path, args: args, look: look}, nil
}

// lookAt makes go test know that the result depends on the source, or it would take that of a former run for the result of this
// one: it goes by what the test itself looks at while it runs, inside its module.
func lookAt(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "tests"):
			return filepath.SkipDir
		case d.IsDir():
			return nil
		}
		_, err = os.Stat(path)
		return err
	})
}

// ModuleRoot is the directory of the server's go.mod, also for a module that is nested in its own.
func ModuleRoot() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "atomiccounter").Output()
	if err != nil {
		return "", fmt.Errorf("go list -m atomiccounter: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Server is a running process.
type Server struct {
	Program Program
	Addr    string // host:port
	Port    string
	Dir     string // data

	args  []string // all that it was started with
	cmd   *exec.Cmd
	log   *tail
	ended chan struct{} // closed when the process has ended
	exit  error         // how; valid once ended is closed
}

// Start launches the program and waits until it answers PING. Args come after the program's own.
func (p Program) Start(dir string, args ...string) (*Server, error) {
	s, err := p.Launch(dir, args...)
	if err != nil {
		return nil, err
	}
	if err := s.Ready(); err != nil {
		return nil, errors.Join(err, s.Kill())
	}
	return s, nil
}

// Launch starts the program without waiting for it.
func (p Program) Launch(dir string, args ...string) (*Server, error) {
	if p.look != nil {
		if err := p.look(); err != nil {
			return nil, err
		}
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	s := &Server{Program: p, Port: strconv.Itoa(port), Dir: dir, log: &tail{limit: 512 << 10}}
	s.Addr = net.JoinHostPort("127.0.0.1", s.Port)
	s.args = append(p.args(port, dir), args...)
	if err := s.launch(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) launch() error {
	cmd := exec.Command(s.Program.Path, s.args...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.SysProcAttr = leash()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.Program.Name, err)
	}
	s.cmd, s.ended = cmd, make(chan struct{})
	go func() { // ends with the process; Kill and Stop wait for it
		s.exit = cmd.Wait()
		close(s.ended)
	}()
	return nil
}

// Restart kills the process and starts it again: the same port, data and arguments, as its clients expect.
func (s *Server) Restart() error {
	if err := s.Kill(); err != nil {
		return err
	}
	if err := s.launch(); err != nil {
		return err
	}
	return s.Ready()
}

// The ports of servers are below those that systems give to whoever asks for any (from 32768 on): nobody is given one before
// its server listens, or while it is started again.
const (
	lowestPort = 10_000
	ports      = 22_000
)

// given counts the ports that this process was given.
var given atomic.Int64

// FreePort is a TCP port that nobody listens on now, another one each time. Each process begins elsewhere.
func FreePort() (int, error) {
	for range ports {
		port := lowestPort + (os.Getpid()*500+int(given.Add(1)))%ports
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return 0, err
		}
		return port, l.Close()
	}
	return 0, errors.New("all ports are in use")
}

// PID is the process's ID.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Log is the end of what the server has written.
func (s *Server) Log() string { return s.log.String() }

// Ready waits until the server answers PING.
func (s *Server) Ready() error {
	var password string
	if i := slices.Index(s.cmd.Args, "--requirepass"); i >= 0 {
		password = s.cmd.Args[i+1] // without it a server that loads does not say so
	}
	deadline := time.Now().Add(Patience)
	for {
		err := ping(s.Addr, password)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("%s ended before it was ready: %v\n%s", s.Program.Name, s.exit, s.Log())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after %v: %w\n%s", s.Program.Name, Patience, err, s.Log())
		}
	}
}

// ping takes any reply but that of a server that still loads for ready.
func ping(addr, password string) error {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	asked := []string{"PING"}
	if password != "" {
		asked = []string{"AUTH " + password, "PING"}
	}
	r := bufio.NewReader(c)
	for _, line := range asked {
		if _, err := fmt.Fprintf(c, "%s\r\n", line); err != nil {
			return err
		}
		reply, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.HasPrefix(reply, "-LOADING") {
			return errors.New(strings.TrimSpace(reply))
		}
	}
	return nil
}

// Kill ends the process as a power cut of the process alone would: with SIGKILL. It may have ended before.
func (s *Server) Kill() error {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return s.wait()
}

// Goroutines ends the process and returns what each of its goroutines was doing: for a server that does not answer. Only
// for programs in Go.
func (s *Server) Goroutines() string {
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		return err.Error()
	}
	if err := s.wait(); err != nil {
		return err.Error()
	}
	return s.Log()
}

// Stop asks the process to end (SIGTERM); its exit status must be 0.
func (s *Server) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w\n%s", s.Program.Name, err, s.Log())
	}
	return s.End()
}

// End waits until the process has ended as it was asked to; its exit status must be 0.
func (s *Server) End() error {
	if err := s.wait(); err != nil {
		return errors.Join(err, s.Kill())
	}
	if s.exit != nil {
		return fmt.Errorf("stop %s: %w\n%s", s.Program.Name, s.exit, s.Log())
	}
	return nil
}

func (s *Server) wait() error {
	select {
	case <-s.ended:
		return nil
	case <-time.After(Patience):
		return fmt.Errorf("%s, process %d, does not end\n%s", s.Program.Name, s.PID(), s.Log())
	}
}

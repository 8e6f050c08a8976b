package tests

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBadFlags: a wrong flag is named before anything is opened.
func TestBadFlags(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "no.pem")
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range [][2]string{
		{"--peer nowhere", "peer 'nowhere' is not host:port"},
		{"--peer h:1 --peer h:x", "peer 'h:x' has no port from 1 to 65535"},
		{"--peer-user u", "peer-user needs peer-password"},
		{"--peer-tls-ca x", "peer-tls-ca, peer-tls-cert and peer-tls-key are for peer-tls, which is not set"},
		{"--peer-tls --peer-tls-cert x", "peer-tls-cert and peer-tls-key go together"},
		{"--peer-tls --peer-tls-ca " + file, "peer-tls-ca: " + file + " has no certificate in PEM"},
		{"--peer-tls --peer-tls-cert " + file + " --peer-tls-key " + file, "peer-tls-cert: "},
		{"--repl-backlog x", "repl-backlog: argument must be a memory value"},
		{"--repl-backlog 0", "repl-backlog must be at least 1 byte"},
		{"--tls-port 70000", "tls-port: 70000 is no TCP port"},
		{"--tls-port 1", "tls-port needs tls-cert-file and tls-key-file"},
		{"--tls-port 1 --tls-cert-file x --tls-key-file y", "tls-ca-cert-file is needed to verify clients"},
		{"--tls-port 1 --tls-cert-file x --tls-key-file y --tls-auth-clients no", "tls-cert-file: "},
		{"--notify-keyspace-events KEX", "notify-keyspace-events: Invalid event class character."},
		{"--timeout -1", "timeout must be between 0 and 2147483647"},
		{"--timeout 99999999999", "timeout must be between 0 and 2147483647"},
		{"--tcp-keepalive 99999999999", "tcp-keepalive must be between 0 and"},
		{"--busy-reply-threshold -1", "busy-reply-threshold must be between 0 and"},
		{"--maxclients 4294967296", "maxclients must be between 1 and 4294967295"},
		{"--maxclients 0", "maxclients must be between 1 and 4294967295"},
		{"--update-period -1s", "update-period must not be negative"},
		{"--cache-size 0", "cache-size must be at least 1048576 bytes"},
		{"--slowlog-max-len -1", "slowlog-max-len: argument must be between 0 and"},
		{"--client-output-buffer-limit 5", "client-output-buffer-limit: Wrong number of arguments"},
		{"--enable-debug-command x", `enable-debug-command: "x" is none of yes, local and no`},
		{"--tls-auth-clients x", `tls-auth-clients: "x" is neither yes nor no nor optional`},
	} {
		store := filepath.Join(dir, "store")
		if got := refusal(t, append([]string{"serve", "--dir", store}, strings.Fields(test[0])...)...); !strings.HasPrefix(got, test[1]) {
			t.Errorf("serve %s says %q; want %q", test[0], got, test[1])
		}
		if _, err := os.Stat(store); err == nil {
			t.Fatalf("serve %s has made a store", test[0])
		}
	}
}

// TestAddressInUse: that is found before a store is made.
func TestAddressInUse(t *testing.T) {
	dir := t.TempDir()
	store, socket := filepath.Join(dir, "store"), filepath.Join(dir, "s")
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	unix, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	_, port, _ := net.SplitHostPort(tcp.Addr().String())
	for _, test := range [][2]string{
		{"--bind 127.0.0.1 --port " + port, "listen tcp4 127.0.0.1:" + port + ": bind: address already in use"},
		{"--port 0 --unixsocket " + socket, "unix socket " + socket + ": another process listens on it"},
		{"--port 0", "nothing to listen on: there is neither a port nor a Unix socket"},
	} {
		if got := refusal(t, append([]string{"serve", "--dir", store}, strings.Fields(test[0])...)...); got != test[1] {
			t.Errorf("serve %s says %q; want %q", test[0], got, test[1])
		}
		if _, err := os.Stat(store); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("serve %s: Stat of the store = %v; want no such file", test[0], err)
		}
	}
}

// TestMisuse: what is wrong is said on one line, without the whole help.
func TestMisuse(t *testing.T) {
	for _, test := range [][2]string{
		{"serve --prot 1", "flag provided but not defined: -prot; see atomiccounter serve --help"},
		{"serve --port abc", `invalid value "abc" for flag -port: parse error; see atomiccounter serve --help`},
		{"serve --port", "flag needs an argument: -port; see atomiccounter serve --help"},
		{"serve now", `serve takes flags only; what is "now"?; see atomiccounter serve --help`},
		{"sevre", `there is no command "sevre"; see atomiccounter --help`},
		{"--port 1", "flag provided but not defined: -port; see atomiccounter --help"},
		{"check", "check takes the directory of one store; see atomiccounter check --help"},
		{"check --fast x", "flag provided but not defined: -fast; see atomiccounter check --help"},
		{"import", "import needs --from URL; see atomiccounter import --help"},
		{"version --long", "flag provided but not defined: -long; see atomiccounter version --help"},
	} {
		wantMisuse(t, test[1], strings.Fields(test[0])...)
	}
	t.Setenv("ATOMICCOUNTER_PORT", "abc")
	wantMisuse(t, `could not parse "abc" as int value from environment variable "ATOMICCOUNTER_PORT" for flag port: `+
		`strconv.ParseInt: parsing "abc": invalid syntax; see atomiccounter serve --help`, "serve")
}

func wantMisuse(t *testing.T, want string, args ...string) {
	t.Helper()
	if got := refusal(t, args...); got != want {
		t.Errorf("%q says %q; want %q", args, got, want)
	}
}

// refusal runs the program, which has to fail, and gives the one line that it says.
func refusal(t *testing.T, args ...string) string {
	t.Helper()
	if *self {
		t.Skip("redis-server has flags of its own")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	said, err := exec.CommandContext(ctx, ours.Path, args...).CombinedOutput()
	line, named := strings.CutPrefix(strings.TrimSuffix(string(said), "\n"), "atomiccounter: ")
	var failed *exec.ExitError
	if !errors.As(err, &failed) || failed.ExitCode() != 1 || !named || strings.Contains(line, "\n") {
		t.Errorf("%q = %v, and says %.200q; want code 1 and one line", args, err, said)
	}
	return line
}

// TestSwitchesInTheFile: the file says yes and no, as redis.conf does.
func TestSwitchesInTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "conf")
	for _, test := range [][2]string{
		{"peer-tls yes\npeer-tls-cert x", "peer-tls-cert and peer-tls-key go together"},
		{"peer-tls no\npeer-tls-cert x", "peer-tls-ca, peer-tls-cert and peer-tls-key are for peer-tls"},
		{"peer-tls maybe", file + ", line 1: "},
		{"peer h:1\npeer nowhere", "peer 'nowhere' is not host:port"},
		{"notify-keyspace-events \"\"\npeer nowhere", "peer 'nowhere' is not host:port"}, // the first is right
		{"port\t1\r\npeer  \t nowhere\r\n", "peer 'nowhere' is not host:port"},
		{"port x", file + `, line 1: port: "x": `},
		{"requirepass \"x", file + ", line 1: requirepass: quotes that do not match"},
		{"notify-keyspace-events", file + ", line 1: notify-keyspace-events has no value"},
	} {
		if err := os.WriteFile(file, []byte(test[0]), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := refusal(t, "serve", "--config", file); !strings.HasPrefix(got, test[1]) {
			t.Errorf("serve with %q says %q; want %q", test[0], got, test[1])
		}
	}
}

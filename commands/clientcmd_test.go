package commands

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestClientList(t *testing.T) {
	s := newServer(t)
	a, b := connect(t, s), connect(t, s)
	want(t, a, "CLIENT SETNAME first", "+OK|")
	want(t, b, "CLIENT SETINFO LIB-NAME go-redis", "+OK|")
	want(t, b, "CLIENT SETINFO lib-ver 9.23", "+OK|")
	want(t, b, "CLIENT SETINFO LIB-NAME", "-ERR wrong number of arguments for 'client|setinfo' command|")
	want(t, b, "CLIENT SETINFO OTHER x", "-ERR Unrecognized option 'OTHER'|")
	if got := do(t, b, "CLIENT", "SETINFO", "lib-ver", "a b"); got != "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n" {
		t.Errorf("CLIENT SETINFO lib-ver %q = %q; want an error", "a b", got)
	}
	want(t, b, "CLIENT MAINT_NOTIFICATIONS on", "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.|")
	want(t, b, "CLIENT NO-TOUCH on", "+OK|")
	want(t, b, "SELECT 7", "+OK|")
	do(t, b, "HELLO", "3")
	list := reparse(t, do(t, a, "CLIENT", "LIST")).(string)
	for _, line := range []string{
		`(?m)^id=1 addr=127\.0\.0\.1:1 laddr=127\.0\.0\.1:6379 fd=-?\d+ name=first age=\d+ idle=\d+ flags=N db=0 .* cmd=client\|list user=default redir=-1 resp=2 lib-name= lib-ver=$`,
		`(?m)^id=2 .* name= .* flags=T db=7 .* cmd=hello user=default redir=-1 resp=3 lib-name=go-redis lib-ver=9\.23$`,
	} {
		if !regexp.MustCompile(line).MatchString(list) {
			t.Errorf("CLIENT LIST = %q; want a line like %s", list, line)
		}
	}
	if got := do(t, b, "CLIENT", "LIST", "ID", "1"); !strings.HasPrefix(got, "=") || !strings.Contains(got, "txt:id=1 ") || strings.Contains(got, "id=2 ") {
		t.Errorf("CLIENT LIST ID 1 in RESP3 = %q; want client 1 in a verbatim string", got)
	}
}

// TestClientListByID: in the order in which the clients are named.
func TestClientListByID(t *testing.T) {
	s := newServer(t)
	c := connect(t, s)
	connect(t, s)
	got := regexp.MustCompile(`(?m)^id=\d+`).FindAllString(reparse(t, do(t, c, "CLIENT", "LIST", "ID", "2", "9", "1", "2")).(string), -1)
	if want := []string{"id=2", "id=1", "id=2"}; !slices.Equal(got, want) {
		t.Errorf("CLIENT LIST ID 2 9 1 2 has %q; want %q", got, want)
	}
}

func TestClientKill(t *testing.T) {
	s := newServer(t)
	me, other := connect(t, s), connect(t, s)
	killed := 0
	other.Client.Kill = func() { killed++ }
	other.Client.Addr = "127.0.0.1:2"
	want(t, me, "CLIENT KILL ID 1", ":0|") // SKIPME is the default
	want(t, me, "CLIENT KILL ADDR 127.0.0.1:2 ID 1", ":0|")
	want(t, me, "CLIENT KILL TYPE pubsub", ":0|")
	want(t, me, "CLIENT KILL ID 2 TYPE normal USER default", ":1|")
	want(t, me, "CLIENT KILL LADDR 127.0.0.1:6379", ":1|")
	want(t, me, "CLIENT KILL 127.0.0.1:2", "+OK|")
	if killed != 3 || me.Client.Close {
		t.Errorf("killed the other %d times, itself %v; want 3, false", killed, me.Client.Close)
	}
	want(t, me, "CLIENT KILL ID 1 SKIPME no", ":1|")
	if !me.Client.Close {
		t.Error("Close after CLIENT KILL of itself = false; want true")
	}
}

func TestRegistry(t *testing.T) {
	var r ClientRegistry
	list := make([]*Client, 3)
	for i := range list {
		list[i] = &Client{}
		if !r.Add(list[i], 3) || list[i].ID != int64(i+1) {
			t.Fatalf("Add gives ID %d; want %d", list[i].ID, i+1)
		}
	}
	if r.Add(&Client{}, 3) {
		t.Error("Add beyond the limit = true; want false")
	}
	r.Remove(list[1])
	r.Remove(list[1])
	var ids []int64
	r.Each(func(c *Client) {
		ids = append(ids, c.ID)
		r.Remove(c)
	})
	if got := fmt.Sprint(ids); got != "[1 3]" || r.Count() != 0 {
		t.Errorf("Each = %s, then Count = %d; want [1 3], 0", got, r.Count())
	}
}

func TestClientInfoIsItsLine(t *testing.T) {
	s := newServer(t)
	connect(t, s)
	c := connect(t, s)
	want(t, c, "CLIENT ID", ":2|")
	if got := reparse(t, do(t, c, "CLIENT", "INFO")).(string); !strings.HasPrefix(got, "id=2 ") || strings.Count(got, "\n") != 1 {
		t.Errorf("CLIENT INFO = %q; want one line of client 2", got)
	}
}

package tests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

func TestGoRedis(t *testing.T) {
	s := start(t, ours)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr, PoolSize: 10, ClientName: "smoke", DB: 3})
	defer client.Close()
	t.Run("hello", func(t *testing.T) { testHello(ctx, t, client) })
	t.Run("pool", func(t *testing.T) { testPool(ctx, t, client) })
	t.Run("pipeline", func(t *testing.T) { testPipeline(ctx, t, client) })
	t.Run("expiry", func(t *testing.T) { testExpiry(ctx, t, client) })
	t.Run("scan", func(t *testing.T) { testScan(ctx, t, client) })
}

func testHello(ctx context.Context, t *testing.T, client *goredis.Client) {
	info, err := client.Do(ctx, "HELLO").Result()
	m, ok := info.(map[any]any)
	if err != nil || !ok || m["proto"] != int64(3) {
		t.Errorf("HELLO = %v, %v; want a map with proto 3", info, err)
	}
	if name, err := client.ClientGetName(ctx).Result(); err != nil || name != "smoke" {
		t.Errorf("CLIENT GETNAME = %q, %v; want %q", name, err, "smoke")
	}
}

func testPool(ctx context.Context, t *testing.T, client *goredis.Client) {
	var running sync.WaitGroup
	for range 10 {
		running.Go(func() {
			for range 100 {
				if err := client.Incr(ctx, "pool").Err(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	if n, err := client.Get(ctx, "pool").Int64(); err != nil || n != 1000 {
		t.Errorf("Get(%q) = %d, %v; want %d", "pool", n, err, 1000)
	}
}

func testPipeline(ctx context.Context, t *testing.T, client *goredis.Client) {
	pipe := client.Pipeline()
	var last *goredis.IntCmd
	for range 1000 {
		last = pipe.IncrBy(ctx, "pipeline", 3)
	}
	if _, err := pipe.Exec(ctx); err != nil || last.Val() != 3000 {
		t.Errorf("the last IncrBy of a pipeline = %d, %v; want %d", last.Val(), err, 3000)
	}
	if n, err := client.DecrBy(ctx, "pipeline", 3001).Result(); err != nil || n != -1 {
		t.Errorf("DecrBy(%q) = %d, %v; want %d", "pipeline", n, err, -1)
	}
	if n, err := client.GetDel(ctx, "pipeline").Int64(); err != nil || n != -1 {
		t.Errorf("GetDel(%q) = %d, %v; want %d", "pipeline", n, err, -1)
	}
	if err := client.Get(ctx, "pipeline").Err(); !errors.Is(err, goredis.Nil) {
		t.Errorf("Get(%q) = %v; want %v", "pipeline", err, goredis.Nil)
	}
}

func testExpiry(ctx context.Context, t *testing.T, client *goredis.Client) {
	if err := client.Set(ctx, "limit", 1, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.Incr(ctx, "limit").Err(); err != nil {
		t.Fatal(err)
	}
	if ttl, err := client.TTL(ctx, "limit").Result(); err != nil || ttl <= 59*time.Minute || ttl > time.Hour {
		t.Errorf("TTL(%q) = %v, %v; want an hour", "limit", ttl, err)
	}
	if ok, err := client.PExpire(ctx, "limit", time.Millisecond).Result(); err != nil || !ok {
		t.Errorf("PExpire(%q) = %t, %v; want true", "limit", ok, err)
	}
	for deadline := time.Now().Add(patience); ; {
		n, err := client.Exists(ctx, "limit").Result()
		if err == nil && n == 0 {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("Exists(%q) = %d, %v; want 0: it has expired", "limit", n, err)
		}
	}
	if n, err := client.Incr(ctx, "limit").Result(); err != nil || n != 1 {
		t.Errorf("Incr(%q) = %d, %v; want %d", "limit", n, err, 1)
	}
}

func testScan(ctx context.Context, t *testing.T, client *goredis.Client) {
	for i := range 500 {
		if err := client.SetNX(ctx, fmt.Sprintf("scan:%d", i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	found := make(map[string]bool)
	each := client.Scan(ctx, 0, "scan:*", 50).Iterator()
	for each.Next(ctx) {
		found[each.Val()] = true
	}
	if err := each.Err(); err != nil || len(found) != 500 {
		t.Errorf("Scan found %d keys, %v; want %d", len(found), err, 500)
	}
}

// runClient runs a client program to its end; stdin may be empty.
func runClient(t *testing.T, stdin string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool(t, name), args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestRedisCLI(t *testing.T) {
	s := start(t, ours)
	cli := func(stdin string, args ...string) string {
		t.Helper()
		return strings.TrimSpace(runClient(t, stdin, "redis-cli", append([]string{"-e", "-p", s.Port}, args...)...))
	}
	if got := cli("", "-3", "INCR", "cli"); got != "1" {
		t.Errorf("redis-cli -3 INCR = %q; want %q", got, "1")
	}
	if got := cli("", "--json", "MGET", "cli", "none"); got != `["1",null]` {
		t.Errorf("redis-cli --json MGET = %q; want %q", got, `["1",null]`)
	}
	if got := cli("INCR cli\nGET cli\n"); got != "2\n2" {
		t.Errorf("redis-cli < INCR, GET = %q; want %q", got, "2\n2")
	}
	var docs map[string]any
	if err := json.Unmarshal([]byte(cli("", "--json", "COMMAND", "DOCS")), &docs); err != nil || docs["incr"] == nil {
		t.Errorf("redis-cli --json COMMAND DOCS = %d commands, %v; want all, incr too", len(docs), err)
	}
	if got := cli(string(appendCommand(nil, "INCR", "cli"))+"INCR cli\r\n", "--pipe"); !strings.Contains(got, "errors: 0, replies: 2") {
		t.Errorf("redis-cli --pipe = %q; want 2 replies", got)
	}
	testPipe(t, cli)
	if got := cli("", "--bigkeys"); !strings.Contains(got, "Sampled 2 keys") {
		t.Errorf("redis-cli --bigkeys = %q; want 2 keys", got)
	}
}

// testPipe loads commands in bulk.
func testPipe(t *testing.T, cli func(string, ...string) string) {
	t.Helper()
	var b []byte
	for range 10000 {
		b = appendCommand(b, "INCR", "bulk")
	}
	if got := cli(string(b), "--pipe"); !strings.Contains(got, "errors: 0, replies: 10000") {
		t.Errorf("redis-cli --pipe = %q; want 10000 replies without errors", got)
	}
	if got := cli("", "GET", "bulk"); got != "10000" {
		t.Errorf("GET bulk = %q; want 10000", got)
	}
}

func TestInline(t *testing.T) {
	c := connect(t, start(t, ours).Addr)
	if err := c.send([]byte("SET inline 5\r\nINCRBY 'inline' \"\\x32\"\r\n\r\nGET inline\n")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"+OK\r\n", ":7\r\n", "$1\r\n7\r\n"} {
		if r, err := c.read(); err != nil || string(r.raw) != want {
			t.Errorf("read() = %v, %v; want %q", r, err, want)
		}
	}
}

// TestRedisBenchmark: those of redis-benchmark's own tests that use strings and hashes only, and commands that it is given.
func TestRedisBenchmark(t *testing.T) {
	s := start(t, ours)
	base := []string{"-p", s.Port, "-n", "20000", "-P", "16", "-q", "-r", "1000"}
	for _, rest := range [][]string{
		{"-t", "ping_inline,ping_mbulk,set,get,incr,mset"},
		{"-t", "set,get", "-d", "1000"},
		{"SET", "key:__rand_int__", "1"},
		{"MSET", "key:__rand_int__", "1", "key:__rand_int__", "2"},
		{"-t", "get"},
		{"-t", "get,incr", "-3", "--enable-tracking"},
		{"-t", "hset"},
		{"HINCRBY", "hash", "field:__rand_int__", "1"},
		{"EVAL", "return redis.call('INCR', KEYS[1])", "1", "key:__rand_int__"},
		{"-t", "ping,set,incr", "--threads", "2", "-k", "0", "-n", "2000"},
	} {
		out := runClient(t, "", "redis-benchmark", append(base, rest...)...)
		if !strings.Contains(out, "requests per second") || strings.Contains(out, "Error") || strings.Contains(out, "ERR") {
			t.Errorf("redis-benchmark %s: %s", strings.Join(rest, " "), out)
		}
	}
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr})
	defer client.Close()
	if n, err := client.DBSize(context.Background()).Result(); err != nil || n == 0 {
		t.Errorf("DBSize() = %s, %v; want some keys", strconv.FormatInt(n, 10), err)
	}
}

package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"atomiccounter/commands/config"
	"atomiccounter/engine"
)

// authority signs certificates of this test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := new(authority)
	a.cert, a.key = certify(t, "authority", true, a)
	return a
}

// certify makes a certificate for a host of the loopback.
func certify(t testing.TB, name string, ca bool, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: ca, BasicConstraintsValid: true}
	parent, signer := by.cert, by.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func (a *authority) pair(t testing.TB, name string) tls.Certificate {
	t.Helper()
	cert, key := certify(t, name, false, a)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// serveTLS starts a server that listens with TLS too, and gives that address.
func serveTLS(t testing.TB, o Options, a *authority, auth tls.ClientAuthType, change func(*Server)) (*running, string) {
	t.Helper()
	o.TLS = &tls.Config{Certificates: []tls.Certificate{a.pair(t, "server")}, ClientCAs: a.pool(), ClientAuth: auth}
	if o.Settings == nil {
		o.Settings = settings(nil)
	}
	o.Settings.TLSPort = -1
	r := serve(t, o, change)
	return r, r.Addrs()[1].String()
}

func (a *authority) dial(t testing.TB, addr string, certs ...tls.Certificate) *peer {
	t.Helper()
	nc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: a.pool(), Certificates: certs})
	if err != nil {
		t.Fatalf("Dial = %v", err)
	}
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &peer{Conn: nc, Reader: bufio.NewReader(nc), t: t}
}

func TestTLS(t *testing.T) {
	a := newAuthority(t)
	for _, mode := range []engine.SyncMode{engine.EverySec, engine.Always} {
		_, addr := serveTLS(t, Options{}, a, tls.NoClientCert, with(openEngine(t, mode)))
		p := a.dial(t, addr)
		p.send("PING\r\nINCR k\r\n*2\r\n$3\r\nGE")
		p.want("+PONG\r\n:1\r\n")
		p.send("T\r\n$1\r\nk\r\n")
		p.want("$1\r\n1\r\n")
		long := strings.Repeat("x", 3<<20)
		go fmt.Fprintf(p.Conn, "*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n", len(long), long)
		p.want(fmt.Sprintf("$%d\r\n%s\r\n", len(long), long))
		p.send("INCR k\r\nQUIT\r\n")
		p.wantEnd(":2\r\n+OK\r\n") // with a farewell: else this were an unexpected end
	}
}

func TestGoRedisOverTLS(t *testing.T) {
	a := newAuthority(t)
	_, addr := serveTLS(t, Options{Settings: settings(func(o *config.Settings) { o.Password = "secret" })}, a, tls.RequireAndVerifyClientCert, nil)
	client := redis.NewClient(&redis.Options{Addr: addr, Password: "secret",
		TLSConfig: &tls.Config{RootCAs: a.pool(), Certificates: []tls.Certificate{a.pair(t, "client")}}})
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i := range int64(100) {
		if v, err := client.Incr(ctx, "k").Result(); v != i+1 || err != nil {
			t.Fatalf("Incr = %d, %v; want %d", v, err, i+1)
		}
	}
	if v, err := client.Get(ctx, "k").Int(); v != 100 || err != nil {
		t.Errorf("Get = %d, %v; want 100", v, err)
	}
}

// Who has no certificate, or one of another authority, is not let in where it must have one; where it may have one, only the
// latter.
func TestClientCertificates(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	good, bad := a.pair(t, "client"), other.pair(t, "client")
	for _, test := range []struct {
		auth  tls.ClientAuthType
		certs []tls.Certificate
		want  bool
	}{
		{tls.RequireAndVerifyClientCert, nil, false},
		{tls.RequireAndVerifyClientCert, []tls.Certificate{bad}, false},
		{tls.RequireAndVerifyClientCert, []tls.Certificate{good}, true},
		{tls.VerifyClientCertIfGiven, nil, true},
		{tls.VerifyClientCertIfGiven, []tls.Certificate{good}, true},
		{tls.NoClientCert, nil, true},
	} {
		r, addr := serveTLS(t, Options{}, a, test.auth, nil)
		nc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: a.pool(), GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if len(test.certs) == 0 {
				return new(tls.Certificate), nil
			}
			return &test.certs[0], nil
		}})
		got := make([]byte, 7)
		if err == nil {
			nc.SetDeadline(time.Now().Add(patience))
			io.WriteString(nc, "PING\r\n") // in TLS 1.3 the server judges after the client's handshake is done
			_, err = io.ReadFull(nc, got)
			nc.Close()
		}
		if (err == nil) != test.want {
			t.Errorf("auth %v with %d certificates: %q, %v; want it let in: %v", test.auth, len(test.certs), got, err, test.want)
		}
		await(t, "the client's end", func() bool { return r.shared.Clients.Count() == 0 })
	}
}

// Who does not speak TLS holds nobody up, and is disconnected.
func TestNoTLS(t *testing.T) {
	a := newAuthority(t)
	r, addr := serveTLS(t, Options{}, a, tls.NoClientCert, nil)
	silent, plain := dial(t, r.Addrs()[1]), dial(t, r.Addrs()[1])
	plain.send("PING\r\n")
	if got, err := io.ReadAll(plain.Reader); bytes.Contains(got, []byte("PONG")) || err != nil && !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("a plain PING is answered %q, %v; want it refused", got, err)
	}
	p := a.dial(t, addr)
	p.send("PING\r\n")
	p.want("+PONG\r\n")
	r.end(t)
	silent.wantEnd("")
}

func TestTLSWait(t *testing.T) {
	a, n := newAuthority(t), new(fakeNode)
	r, addr := serveTLS(t, Options{}, a, tls.NoClientCert, func(s *Server) { s.Open(openEngine(t, engine.EverySec), n) })
	p := a.dial(t, addr)
	p.send("WAIT 1 1\r\nINCR k\r\nWAIT 1 0\r\nINCR k\r\n")
	p.want(":0\r\n:1\r\n")
	r.awaitBlocked(t, 1)
	p.send("INCR k\r\n")
	n.ack(1)
	p.want(":1\r\n:2\r\n:3\r\n")
	p.send("WAIT 2 0\r\n")
	r.awaitBlocked(t, 1)
	p.Close()
	await(t, "the client's end", func() bool { return r.shared.Clients.Count() == 0 })
}

func TestTLSKillAndEnd(t *testing.T) {
	a := newAuthority(t)
	r, addr := serveTLS(t, Options{Grace: 100 * time.Millisecond}, a, tls.NoClientCert, nil)
	killed, idle, deaf, admin := a.dial(t, addr), a.dial(t, addr), a.dial(t, addr), r.dial(t)
	killed.send("PING\r\n")
	killed.want("+PONG\r\n")
	idle.send("PING\r\n")
	idle.want("+PONG\r\n")
	admin.send("CLIENT KILL ADDR " + killed.LocalAddr().String() + "\r\n")
	admin.want(":1\r\n")
	if _, err := killed.ReadByte(); err == nil {
		t.Error("a killed client can read on")
	}
	stuff(deaf)
	r.end(t)
	idle.wantEnd("")
}

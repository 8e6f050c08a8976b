package tests

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"atomiccounter/tests/process"
)

// authority signs certificates for the loopback address.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue writes NAME.crt and NAME.key; the first one signs itself.
func (a *authority) issue(t *testing.T, name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"crt": {Type: "CERTIFICATE", Bytes: der}, "key": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(a.file(name, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func (a *authority) file(name, kind string) string { return filepath.Join(a.dir, name+"."+kind) }

// server issues a certificate for both ends of links.
func (a *authority) server(t *testing.T, name string) {
	t.Helper()
	a.issue(t, name, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
}

// TestTLS: clients and links speak TLS; a server whose certificate nobody has signed that the peer trusts is refused.
func TestTLS(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	a.server(t, "server")
	stranger.server(t, "server")
	c := newCluster(t, 3, detached, "--peer-secret", peerSecret)
	ports := c.secure(a, a, stranger)
	conn := a.dial(t, ports[0])
	if _, err := conn.Write(appendCommand(nil, "INCR", "k")); err != nil {
		t.Fatal(err)
	}
	c.incr(2, 100)
	c.eventually(1, "1", "GET", "k")
	c.incr(1, 1)
	c.eventually(0, "2", "GET", "k")
	c.waitLog(0, "certificate")
	c.waitLog(2, "certificate")
	c.expect(0, "2", "GET", "k")
	c.expect(2, "100", "GET", "k")
}

// TestNewAuthority: the files of certificates and of the authority are replaced while a server runs. From then on it believes the new one,
// and the old one no more, as a server and as a client.
func TestNewAuthority(t *testing.T) {
	old := newAuthority(t)
	old.server(t, "server")
	c := newCluster(t, 2, detached)
	ports := c.secure(old, old)
	outdated := old.config(t)
	c.incr(1, 1)
	c.eventually(0, "1", "GET", "k")
	next := &authority{dir: old.dir}
	next.cert, next.key = next.issue(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	next.server(t, "server")
	c.stop(0) // the links of server 1 are made anew, and it knows nothing from before
	c.start(0)
	c.incr(0, 1)
	c.incr(1, 1)
	c.eventually(0, "3", "GET", "k")
	c.eventually(1, "3", "GET", "k")
	conn := next.dial(t, ports[1])
	if _, err := conn.Write(appendCommand(nil, "PING")); err != nil {
		t.Fatal(err)
	}
	if r, err := readReply(bufio.NewReader(conn)); err != nil || r.text != "PONG" {
		t.Errorf("PING = %v, %v", r, err)
	}
	outdated.RootCAs = next.config(t).RootCAs
	if conn, err := tls.Dial("tcp", ports[1], outdated); err == nil { // the server's word on the certificate comes with the first read
		defer conn.Close()
		if _, err := conn.Write(appendCommand(nil, "PING")); err == nil {
			if r, err := readReply(bufio.NewReader(conn)); err == nil {
				t.Errorf("PING with a certificate of the old authority = %v", r)
			}
		}
	}
}

// secure has the members of a cluster speak TLS only with each other, each by an authority, and gives their addresses.
func (c *cluster) secure(authorities ...*authority) []string {
	c.t.Helper()
	var ports, addrs []string
	for range authorities {
		port, err := process.FreePort()
		if err != nil {
			c.t.Fatal(err)
		}
		ports = append(ports, strconv.Itoa(port))
		addrs = append(addrs, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	}
	for i, of := range authorities {
		c.stop(i)
		m := c.members[i]
		m.args = []string{"--tls-port", ports[i], "--tls-cert-file", of.file("server", "crt"), "--tls-key-file", of.file("server", "key"),
			"--tls-ca-cert-file", of.file("ca", "crt"), "--peer-tls", "--peer-tls-ca", of.file("ca", "crt"),
			"--peer-tls-cert", of.file("server", "crt"), "--peer-tls-key", of.file("server", "key")}
		for j, addr := range addrs {
			if j != i {
				m.args = append(m.args, "--peer", addr)
			}
		}
		c.start(i)
	}
	return addrs
}

// config is that of a client which the authority has given a certificate.
func (a *authority) config(t *testing.T) *tls.Config {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(a.file("server", "crt"), a.file("server", "key"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}
}

func (a *authority) dial(t *testing.T, addr string) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, a.config(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() }) // whose end nobody waits for
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

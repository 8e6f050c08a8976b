package tests

import (
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
	c := newCluster(t, 3, detached)
	ports := make([]int, 3)
	for i := range ports {
		port, err := process.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = port
	}
	for i, of := range []*authority{a, a, stranger} {
		c.stop(i)
		m := c.members[i]
		m.args = []string{"--tls-port", strconv.Itoa(ports[i]), "--tls-cert-file", of.file("server", "crt"), "--tls-key-file", of.file("server", "key"),
			"--tls-ca-cert-file", of.file("ca", "crt"), "--peer-tls", "--peer-tls-ca", of.file("ca", "crt"),
			"--peer-tls-cert", of.file("server", "crt"), "--peer-tls-key", of.file("server", "key")}
		for j := range ports {
			if j != i {
				m.args = append(m.args, "--peer", net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[j])))
			}
		}
		c.start(i)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	pair, err := tls.LoadX509KeyPair(a.file("server", "crt"), a.file("server", "key"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])), &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
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

package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"atomiccounter/commands"
	"atomiccounter/replica"
	"atomiccounter/replica/handshake"
	"atomiccounter/server"
)

// tlsOptions has the server listen with TLS if there is a port for it.
func tlsOptions(c *cli.Context, o *server.Options) error {
	t := commands.TLSSettings{Port: c.Int("tls-port"), CertFile: c.String("tls-cert-file"), KeyFile: c.String("tls-key-file"),
		CAFile: c.String("tls-ca-cert-file"), AuthClients: c.String("tls-auth-clients")}
	o.Settings.TLS = t
	auth, known := map[string]tls.ClientAuthType{
		"yes": tls.RequireAndVerifyClientCert, "optional": tls.VerifyClientCertIfGiven, "no": tls.NoClientCert,
	}[t.AuthClients]
	switch {
	case !known:
		return fmt.Errorf("tls-auth-clients: %q is neither yes nor no nor optional", t.AuthClients)
	case t.Port == 0:
		return nil
	case t.Port < 0 || t.Port > 65535:
		return fmt.Errorf("tls-port: %d is no TCP port", t.Port)
	case t.CertFile == "" || t.KeyFile == "":
		return errors.New("tls-port needs tls-cert-file and tls-key-file")
	case t.CAFile == "" && auth != tls.NoClientCert:
		return errors.New("tls-ca-cert-file is needed to verify clients; with --tls-auth-clients no they need no certificate")
	}
	config, err := tlsConfig("tls-cert-file", t.CertFile, t.KeyFile)
	if err != nil {
		return err
	}
	config.ClientAuth = auth
	fresh := func() (*tls.Config, error) {
		now := config.Clone()
		var err error
		now.ClientCAs, err = certificates("tls-ca-cert-file", t.CAFile)
		return now, err
	}
	if _, err := fresh(); err != nil {
		return err
	}
	o.TLS, o.TLSPort = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return fresh() }}, t.Port
	return nil
}

// peerOptions says how to pull from which peers.
func peerOptions(c *cli.Context, log *slog.Logger) (o replica.Options, err error) {
	o = replica.Options{User: c.String("peer-user"), Password: c.String("peer-password"), Log: log}
	if o.Secret, err = peerSecret(c); err != nil {
		return o, err
	}
	for _, s := range c.StringSlice("peer") {
		addr, err := commands.ParsePeer(s)
		if err != nil {
			return o, err
		}
		o.Peers = append(o.Peers, addr)
	}
	if o.User != "" && o.Password == "" {
		return o, errors.New("peer-user needs peer-password")
	}
	ca, cert, key := c.String("peer-tls-ca"), c.String("peer-tls-cert"), c.String("peer-tls-key")
	switch {
	case !c.Bool("peer-tls"):
		if ca != "" || cert != "" || key != "" {
			return o, errors.New("peer-tls-ca, peer-tls-cert and peer-tls-key are for peer-tls, which is not set")
		}
		return o, nil
	case (cert == "") != (key == ""):
		return o, errors.New("peer-tls-cert and peer-tls-key go together")
	}
	config, err := tlsConfig("peer-tls-cert", cert, key)
	if err != nil {
		return o, err
	}
	o.TLS = func() (*tls.Config, error) {
		now := config.Clone()
		var err error
		now.RootCAs, err = certificates("peer-tls-ca", ca)
		return now, err
	}
	_, err = o.TLS()
	return o, err
}

// peerSecret is what the flags say; "": there is none.
func peerSecret(c *cli.Context) (string, error) {
	secret, name := c.String("peer-secret"), c.String("peer-secret-file")
	switch {
	case secret != "" && name != "":
		return "", errors.New("peer-secret and peer-secret-file: one of the two is enough")
	case name != "":
		text, err := os.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("peer-secret-file: %w", err)
		}
		secret = strings.TrimRight(string(text), "\r\n")
	case secret == "":
		return "", nil
	}
	if len(secret) < handshake.MinSecret {
		return "", fmt.Errorf("the peer secret has %d bytes; it takes at least %d that nobody can guess, as of openssl rand -hex 32", len(secret), handshake.MinSecret)
	}
	return secret, nil
}

// tlsConfig shows the certificate in the files, if there are any. They are read again for each handshake, so that a new
// certificate needs no restart; that it can be read is made sure of now.
func tlsConfig(flag, cert, key string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if cert == "" {
		return config, nil
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		return &pair, nil
	}
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() }
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	_, err := load()
	return config, err
}

// certificates are those in the file; none named: nil, the system's. It is read again for each handshake, as those of tlsConfig are.
func certificates(flag, name string) (*x509.CertPool, error) {
	if name == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %s has no certificate in PEM", flag, name)
	}
	return pool, nil
}

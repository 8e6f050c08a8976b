package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"atomiccounter/commands/config"
)

// ClientTLS is what clients are spoken to with on the TLS port; nil: there is none.
func ClientTLS(s *config.Settings) (*tls.Config, error) {
	auth := map[string]tls.ClientAuthType{
		"yes": tls.RequireAndVerifyClientCert, "optional": tls.VerifyClientCertIfGiven, "no": tls.NoClientCert,
	}[s.TLSAuthClients]
	switch {
	case s.TLSPort == 0:
		return nil, nil
	case s.TLSCertFile == "" || s.TLSKeyFile == "":
		return nil, errors.New("tls-port needs tls-cert-file and tls-key-file")
	case s.TLSCAFile == "" && auth != tls.NoClientCert:
		return nil, errors.New("tls-ca-cert-file is needed to verify clients; with --tls-auth-clients no they need no certificate")
	}
	config, err := tlsConfig("tls-cert-file", s.TLSCertFile, s.TLSKeyFile)
	if err != nil {
		return nil, err
	}
	config.ClientAuth = auth
	fresh := func() (*tls.Config, error) {
		now := config.Clone()
		var err error
		now.ClientCAs, err = certificates("tls-ca-cert-file", s.TLSCAFile)
		return now, err
	}
	if _, err := fresh(); err != nil {
		return nil, err
	}
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return fresh() }}, nil
}

// PeerTLS gives what each new connection to a peer speaks TLS with; nil: it does not.
func PeerTLS(s *config.Settings) (func() (*tls.Config, error), error) {
	ca, cert, key := s.PeerTLSCA, s.PeerTLSCert, s.PeerTLSKey
	switch {
	case !s.PeerTLS:
		if ca != "" || cert != "" || key != "" {
			return nil, errors.New("peer-tls-ca, peer-tls-cert and peer-tls-key are for peer-tls, which is not set")
		}
		return nil, nil
	case (cert == "") != (key == ""):
		return nil, errors.New("peer-tls-cert and peer-tls-key go together")
	}
	config, err := tlsConfig("peer-tls-cert", cert, key)
	if err != nil {
		return nil, err
	}
	fresh := func() (*tls.Config, error) {
		now := config.Clone()
		var err error
		now.RootCAs, err = certificates("peer-tls-ca", ca)
		return now, err
	}
	_, err = fresh()
	return fresh, err
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

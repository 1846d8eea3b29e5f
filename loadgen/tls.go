package loadgen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLSFiles say how to speak TLS with a target.
type TLSFiles struct {
	CA         string // file of the authorities to trust, in PEM; empty: the system's
	Cert, Key  string // files of the client's certificate and key, in PEM; empty: none
	ServerName string // that the target's certificate must have; empty: the host of the base URL
	Only13     bool   // TLS 1.3 and nothing older; otherwise 1.2 and 1.3
}

// Load reads the files, with read or, if that is nil, from the disk. The error
// names the file that is of no use.
func (f TLSFiles) Load(read func(name string) ([]byte, error)) (*tls.Config, error) {
	if read == nil {
		read = os.ReadFile
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	if f.Only13 {
		c.MinVersion = tls.VersionTLS13
	}
	if f.CA != "" {
		pem, err := read(f.CA)
		if err != nil {
			return nil, fmt.Errorf("read authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read authorities: no certificate in %s", f.CA)
		}
	}
	if (f.Cert == "") != (f.Key == "") {
		return nil, errors.New("read client certificate: want both a certificate and its key")
	}
	if f.Cert != "" {
		pair, err := f.pair(read)
		if err != nil {
			return nil, fmt.Errorf("read client certificate %s with key %s: %w", f.Cert, f.Key, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// pair reads the client's certificate.
func (f TLSFiles) pair(read func(name string) ([]byte, error)) (tls.Certificate, error) {
	cert, err := read(f.Cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := read(f.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, key)
}

package iso8583

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS makes settings from files in PEM: who signs the host's certificate, "" for those whom the machine
// trusts, and our own certificate with its key, both "" for none. Errors name the file.
func TLS(authority, certificate, key string) (*tls.Config, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if authority != "" {
		text, err := os.ReadFile(authority)
		if err != nil {
			return nil, fmt.Errorf("read the acquirer's authority: %w", err)
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(text) {
			return nil, errors.New("read the acquirer's authority: no certificate in " + authority)
		}
	}
	if certificate != "" {
		ours, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("read our certificate %s: %w", certificate, err)
		}
		settings.Certificates = []tls.Certificate{ours}
	}
	return settings, nil
}

package iso8583_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plexy/internal/connector"
	"plexy/internal/connector/iso8583"
	"plexy/internal/connector/iso8583/host"
)

// certificate writes a self-signed certificate of this machine and its key.
func certificate(t *testing.T) (file, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	signed, err := x509.CreateCertificate(rand.Reader, form, form, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("certificate.pem", "CERTIFICATE", signed), write("key.pem", "PRIVATE KEY", packed)
}

func TestTLSOnBothSides(t *testing.T) {
	file, key := certificate(t)
	settings, err := iso8583.TLS(file, file, key)
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.New("127.0.0.1:0", func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: settings.Certificates, ClientCAs: settings.RootCAs,
			ClientAuth: tls.RequireAndVerifyClientCert})
	})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	r := newRig(t, func(o *iso8583.Options) { o.Addresses, o.TLS = []string{h.Address()}, settings })
	want(t, r.Authorize(background, authorization(t, 100)), connector.Approved, "00")

	// Without the certificate's authority nothing is sent.
	strangers, err := iso8583.TLS("", "", "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := iso8583.New(iso8583.Options{Addresses: []string{h.Address()}, Acquirer: "1", TLS: strangers,
		Alarm: r.options.Alarm})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	until(t, "a refused certificate", func() bool { return strings.Contains(r.said(), "failed to verify") })
	want(t, c.Authorize(background, authorization(t, 100)), connector.NotSent, "")

	for _, files := range [][3]string{{"/nowhere", "", ""}, {key, "", ""}, {"", file, "/nowhere"}} {
		if _, err := iso8583.TLS(files[0], files[1], files[2]); err == nil {
			t.Errorf("%v are taken", files)
		}
	}
}

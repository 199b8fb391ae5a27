package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ISO8583 is the link to an acquirer's host (docs/iso8583.md). There is none without Addresses.
type ISO8583 struct {
	Addresses   []string // HOST:PORT
	Acquirer    string   // the acquirer's number, up to 11 digits
	Merchant    string   // field 42: the acquirer's number of the merchant, up to 15 characters
	Terminal    string   // field 41, of payments that name none: up to 8 characters
	Connections int
	// Timeout is how long an answer may take, Echo how often a connection is asked whether it is there.
	Timeout, Echo time.Duration
	// Zone is the acquirer's time zone.
	Zone *time.Location
	TLS  bool
	// The files in PEM: authorities that are trusted instead of the machine's, our certificate and its key.
	TLSAuthorityFile, TLSCertificateFile, TLSKeyFile string
}

// MaxISO8583Timeout bounds ISO8583.Timeout: any call to an acquirer is given up after it, so a longer time
// would be none.
const MaxISO8583Timeout = 90 * time.Second

// acquirerSettings are about the links to acquirers.
var acquirerSettings = []Setting{
	{
		Name:  "iso8583_addresses",
		Usage: "HOST:PORT of the acquirer's host, several with commas between; off when empty",
		set: func(c *Config, v string) error {
			c.ISO8583.Addresses = list(v)
			for _, address := range c.ISO8583.Addresses {
				if err := checkAddress(address); err != nil {
					return err
				}
			}
			return nil
		},
		get: func(c Config) string { return joined(c.ISO8583.Addresses) },
	},
	text("iso8583_acquirer", "the acquirer's number, field 32: 1 to 11 digits",
		func(c *Config) *string { return &c.ISO8583.Acquirer }, orEmpty(checkAcquirer)),
	text("iso8583_merchant", "the acquirer's number of the merchant, field 42: 1 to 15 characters",
		func(c *Config) *string { return &c.ISO8583.Merchant }, atMost(15)),
	text("iso8583_terminal", "the terminal of payments that name none, field 41: 1 to 8 characters",
		func(c *Config) *string { return &c.ISO8583.Terminal }, atMost(8)),
	{
		Name: "iso8583_connections", Usage: "connections held open to the acquirer's host, 1 to 16",
		set: func(c *Config, v string) error {
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 || n > 16 {
				return errors.New("must be a whole number from 1 to 16")
			}
			c.ISO8583.Connections = n
			return nil
		},
		get: func(c Config) string { return strconv.Itoa(c.ISO8583.Connections) },
	},
	span("iso8583_timeout", "how long an answer of the acquirer's host may take, 1s to 90s",
		func(c *Config) *time.Duration { return &c.ISO8583.Timeout }, time.Second, MaxISO8583Timeout),
	span("iso8583_echo", "how often the acquirer's host is asked whether it is there, 5s to 10m",
		func(c *Config) *time.Duration { return &c.ISO8583.Echo }, 5*time.Second, 10*time.Minute),
	{
		Name: "iso8583_utc_offset", Usage: "the acquirer's time zone, such as +05:00",
		set: func(c *Config, v string) error {
			at, err := time.Parse("-07:00", v)
			if err != nil {
				return errors.New("must be an offset such as +05:00")
			}
			_, seconds := at.Zone()
			c.ISO8583.Zone = time.FixedZone("UTC"+v, seconds)
			return nil
		},
		get: func(c Config) string { return strings.TrimPrefix(c.ISO8583.Zone.String(), "UTC") },
	},
	{
		Name: "iso8583_tls", Usage: "on or off: whether the connections to the acquirer's host are TLS",
		set: func(c *Config, v string) error { c.ISO8583.TLS = v == "on"; return oneOf(v, "on", "off") },
		get: func(c Config) string {
			if c.ISO8583.TLS {
				return "on"
			}
			return "off"
		},
	},
	text("iso8583_tls_authority_file", "PEM file of who signs the host's certificate; the machine's when empty",
		func(c *Config) *string { return &c.ISO8583.TLSAuthorityFile }, free),
	text("iso8583_tls_certificate_file", "PEM file of our certificate, where the host wants one",
		func(c *Config) *string { return &c.ISO8583.TLSCertificateFile }, free),
	text("iso8583_tls_key_file", "PEM file of that certificate's key",
		func(c *Config) *string { return &c.ISO8583.TLSKeyFile }, free),
}

// span is a setting that is a length of time between two bounds.
func span(name, usage string, field func(*Config) *time.Duration, least, most time.Duration) Setting {
	return Setting{
		Name: name, Usage: usage,
		set: func(c *Config, v string) error {
			d, err := time.ParseDuration(v)
			if err != nil || d < least || d > most {
				return fmt.Errorf("must be a time from %s to %s (%.0f seconds), such as 30s", least, most, most.Seconds())
			}
			*field(c) = d
			return nil
		},
		get: func(c Config) string { return field(&c).String() },
	}
}

// atMost takes visible ASCII of so many characters, or none.
func atMost(most int) func(string) error {
	return func(v string) error {
		if len(v) > most || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return fmt.Errorf("must be 1 to %d visible ASCII characters", most)
		}
		return nil
	}
}

func checkAcquirer(v string) error {
	if len(v) > 11 || strings.Trim(v, "0123456789") != "" {
		return errors.New("must be 1 to 11 digits")
	}
	return nil
}

// checkISO8583 looks at what the settings say together. Card numbers go over this line: without TLS only to
// addresses of private networks and of this machine.
func (c Config) checkISO8583() error {
	l := c.ISO8583
	switch {
	case len(l.Addresses) == 0:
		return nil
	case l.Acquirer == "":
		return errors.New("iso8583_addresses is set and iso8583_acquirer is not")
	case (l.TLSCertificateFile == "") != (l.TLSKeyFile == ""):
		return errors.New("iso8583_tls_certificate_file and iso8583_tls_key_file go together")
	case l.TLS:
		return nil
	}
	for _, address := range l.Addresses {
		host, _, err := net.SplitHostPort(address)
		ip, _ := netip.ParseAddr(host)
		if err != nil || host != "localhost" && !ip.IsPrivate() && !ip.IsLoopback() {
			return fmt.Errorf("iso8583_tls is off, and %s is no address of a private network: card numbers would "+
				"travel in clear", address)
		}
	}
	return nil
}

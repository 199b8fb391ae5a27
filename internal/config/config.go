// Package config is every setting of the program in one struct: defaults, then the file, then PLEXY_…
// environment variables, then flags, each stronger than the one before. It is strict: a setting that it
// does not know, from wherever, stops the start with its name.
//
// It is plain code over one table of a dozen settings; a configuration library would bring the layers but
// not the strictness, which is the point.
package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The kinds of installation. One database is of one kind for ever.
const (
	Sandbox    = "sandbox"
	Production = "production"
)

// hidden stands where a secret would be printed.
const hidden = "(hidden)"

// Config is what the program was told. Make it with Load.
type Config struct {
	// Data is the folder of everything this program keeps on disk itself.
	Data string
	// Database is sqlite:PATH or postgres://…; Load fills in the default, DIR/plexy.db.
	Database string
	// Listen is the HOST:PORT of the API.
	Listen string
	// MetricsListen is the HOST:PORT of /metrics; "" switches it off.
	MetricsListen string
	// Environment is Sandbox or Production. EnvironmentGiven tells whether somebody said so: a command
	// that was told nothing works on either kind.
	Environment      string
	EnvironmentGiven bool
	// RateLimit is requests a second per API key, with a burst of as many; 0 switches it off.
	RateLimit int
	// WebhookNetworks and WebhookPorts are what webhooks may call beside public addresses at 443, 80 and 8443.
	WebhookNetworks []netip.Prefix
	WebhookPorts    []uint16
	// WebhookProxy is the HOST:PORT of the proxy that deliveries go through, "" for none;
	// WebhookProxyCredentials are its USER:PASSWORD, "" for none.
	WebhookProxy, WebhookProxyCredentials string
	// KeepEvents is for how long merchants' feeds keep events; 0 is for ever.
	KeepEvents time.Duration
	// KeepDeliveries is for how many days finished deliveries and their attempts are kept.
	KeepDeliveries int
	// KeepSandboxBank is for how many days a sandbox's bank remembers what nothing can come of any more.
	KeepSandboxBank int
	// LogLevel is info, warn or error.
	LogLevel string
	// APIKey is a merchant's, for commands that use the API as a merchant does.
	APIKey string
	// MasterKey is the key itself, or "" when it is in MasterKeyFile.
	MasterKey string
	// MasterKeyFile is where the key is, or is made together with an empty database: DIR/master.key.
	MasterKeyFile string
	// PublicURL is where people reach the pages, https://HOST or http://HOST; "" is the API's own address.
	PublicURL string
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Notify is how people are told something; a sandbox keeps it in its outbox when nobody said otherwise.
	Notify Notify
	// ISO8583 is the link to an acquirer's host.
	ISO8583 ISO8583
	// Acquirer is who new card payments go to: AcquirerISO8583, AcquirerSandbox or AcquirerNone.
	Acquirer string
	// SandboxLatency is how long each answer of the pretend acquirer takes.
	SandboxLatency time.Duration
	// DirectPadding is how merchants pad what they encrypt for direct payments: PaddingOAEP or PaddingPKCS1.
	DirectPadding string
	// File is the configuration file that was read, or "".
	File string
	// Test holds the hooks of the tests, from PLEXY_TEST_… variables; zero in any real run.
	Test Hooks

	sources map[string]string // setting name → who set it
}

// Hooks are what tests may ask of a running binary.
type Hooks struct {
	// FailPoint is point or point:n: end the process (SIGKILL) when the n-th commit reaches that point.
	FailPoint string
	// ClockSkew moves the clock of the process.
	ClockSkew time.Duration
}

// Defaults returns the settings of a program that was told nothing.
func Defaults() Config {
	return Config{
		Data: "./plexy-data", Listen: "127.0.0.1:8080", Environment: Sandbox, RateLimit: 1000,
		KeepDeliveries: 30, KeepSandboxBank: 90, LogLevel: "info", Acquirer: AcquirerNone,
		DirectPadding: PaddingOAEP,
		Notify:        Notify{GatewayBody: gatewayBody, GatewayHeader: "Authorization"},
		ISO8583: ISO8583{Connections: 2, Timeout: 30 * time.Second, Echo: time.Minute,
			Zone: time.FixedZone("UTC+05:00", 5*60*60)},
	}
}

// SQLitePath returns the path of the SQLite database, and whether the database is one.
func (c Config) SQLitePath() (string, bool) { return strings.CutPrefix(c.Database, "sqlite:") }

// finish fills in what depends on other settings.
func (c *Config) finish() {
	if c.Database == "" {
		c.Database = "sqlite:" + filepath.Join(c.Data, "plexy.db")
	}
	if c.MasterKeyFile == "" {
		c.MasterKeyFile = filepath.Join(c.Data, "master.key")
	}
	c.EnvironmentGiven = c.sources["environment"] != ""
	if c.Environment == Sandbox && c.sources["notify"] == "" {
		c.Notify.Carrier = Outbox
	}
	if c.Environment == Sandbox && c.sources["acquirer"] == "" {
		c.Acquirer = AcquirerSandbox
	}
}

// Addresses and names are checked as they are set, so that an error names the setting and its source.

func checkDatabase(value string) error {
	if value == "" {
		return nil // the default
	}
	if path, ok := strings.CutPrefix(value, "sqlite:"); ok {
		if path == "" {
			return fmt.Errorf("must name a file: sqlite:PATH")
		}
		if strings.HasPrefix(path, "//") || strings.ContainsAny(path, "?#\x00") {
			return fmt.Errorf("must be sqlite: and a plain path, without // or ?")
		}
		return nil
	}
	if !strings.HasPrefix(value, "postgres://") && !strings.HasPrefix(value, "postgresql://") {
		return fmt.Errorf("must be sqlite:PATH or postgres://…") // without the value: it may hold a password
	}
	return nil
}

func checkAddress(value string) error {
	_, port, err := net.SplitHostPort(value)
	if err != nil || port == "" {
		return fmt.Errorf("must be HOST:PORT, such as 127.0.0.1:8080")
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("must have a port from 0 to 65535, such as 127.0.0.1:8080")
	}
	return nil
}

// networks reads prefixes with commas between.
func networks(value string) (all []netip.Prefix, err error) {
	for _, text := range list(value) {
		p, err := netip.ParsePrefix(text)
		if err != nil || p != p.Masked() {
			return nil, fmt.Errorf("must be networks such as 10.1.0.0/16, with commas between")
		}
		all = append(all, p)
	}
	return all, nil
}

// ports reads port numbers with commas between.
func ports(value string) (all []uint16, err error) {
	for _, text := range list(value) {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("must be ports from 1 to 65535, with commas between")
		}
		all = append(all, uint16(n))
	}
	return all, nil
}

func list(value string) (all []string) {
	for _, text := range strings.Split(value, ",") {
		if text = strings.TrimSpace(text); text != "" {
			all = append(all, text)
		}
	}
	return all
}

func joined[T any](all []T) string {
	texts := make([]string, len(all))
	for i, one := range all {
		texts[i] = fmt.Sprint(one)
	}
	return strings.Join(texts, ",")
}

func oneOf(value string, allowed ...string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return fmt.Errorf("must be %s", strings.Join(allowed, " or "))
}

// redacted returns a database URL without what is secret in it.
func redacted(database string) string {
	if !strings.HasPrefix(database, "postgres") {
		return database
	}
	u, err := url.Parse(database)
	if err != nil {
		return hidden
	}
	query := u.Query()
	for name := range query {
		if strings.Contains(strings.ToLower(name), "password") {
			query.Set(name, "xxxxx")
			u.RawQuery = query.Encode()
		}
	}
	return u.Redacted()
}

// SafeDatabase is the database's address without its password, for messages.
func (c Config) SafeDatabase() string { return redacted(c.Database) }

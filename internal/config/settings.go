package config

import (
	"fmt"
	"slices"
	"strconv"
)

// Setting is one line of the table: a name, what it means, and how it gets into the struct and out.
type Setting struct {
	// Name is the name in the file; PLEXY_NAME is the variable, and --na-me the flag.
	Name string
	// Usage is the line of help.
	Usage string
	// Secret settings come by file or environment only, and are never printed.
	Secret bool

	set func(*Config, string) error
	get func(Config) string
}

// maxRate keeps the token bucket's arithmetic far from overflow.
const maxRate = 1_000_000

// maxKeep is ten years, in days.
const maxKeep = 3650

// Settings is the table of all settings, in the order in which they are printed.
func Settings() []Setting { return settings }

var settings = slices.Concat(ownSettings, peopleSettings, paymentSettings, acquirerSettings)

// ownSettings are about the process and its database.
var ownSettings = []Setting{
	{
		Name: "data", Usage: "folder for the database, the master key and whatever else is kept on disk",
		set: func(c *Config, v string) error {
			if v == "" {
				return fmt.Errorf("must name a folder")
			}
			c.Data = v
			return nil
		},
		get: func(c Config) string { return c.Data },
	},
	{
		Name: "database", Usage: "sqlite:PATH or postgres://… (default sqlite:DIR/plexy.db)",
		set: func(c *Config, v string) error { c.Database = v; return checkDatabase(v) },
		get: func(c Config) string { return redacted(c.Database) },
	},
	{
		Name: "listen", Usage: "HOST:PORT of the API",
		set: func(c *Config, v string) error { c.Listen = v; return checkAddress(v) },
		get: func(c Config) string { return c.Listen },
	},
	{
		Name: "metrics_listen", Usage: "HOST:PORT of /metrics; off when empty",
		set: func(c *Config, v string) error {
			c.MetricsListen = v
			if v == "" {
				return nil
			}
			return checkAddress(v)
		},
		get: func(c Config) string { return c.MetricsListen },
	},
	{
		Name: "environment", Usage: "sandbox or production; an installation is one of them for ever",
		set: func(c *Config, v string) error { c.Environment = v; return oneOf(v, Sandbox, Production) },
		get: func(c Config) string { return c.Environment },
	},
	{
		Name: "rate_limit", Usage: "requests a second per API key, with a burst of as many; 0 switches it off",
		set: func(c *Config, v string) error {
			n, err := strconv.Atoi(v)
			if err != nil || n < 0 || n > maxRate {
				return fmt.Errorf("must be a whole number from 0 to %d", maxRate)
			}
			c.RateLimit = n
			return nil
		},
		get: func(c Config) string { return strconv.Itoa(c.RateLimit) },
	},
	{
		Name:  "webhook_networks",
		Usage: "networks beside the public ones that webhooks may call, such as 10.1.0.0/16, with commas between",
		set:   func(c *Config, v string) (err error) { c.WebhookNetworks, err = networks(v); return err },
		get:   func(c Config) string { return joined(c.WebhookNetworks) },
	},
	{
		Name: "webhook_ports", Usage: "ports beside 443, 80 and 8443 that webhooks may call, with commas between",
		set: func(c *Config, v string) (err error) { c.WebhookPorts, err = ports(v); return err },
		get: func(c Config) string { return joined(c.WebhookPorts) },
	},
	{
		Name: "webhook_proxy", Usage: "http://HOST:PORT of the proxy (CONNECT) that webhooks go through; none when empty",
		set: func(c *Config, v string) (err error) { c.WebhookProxy, err = proxy(v); return err },
		get: func(c Config) string {
			if c.WebhookProxy == "" {
				return ""
			}
			return "http://" + c.WebhookProxy
		},
	},
	proxyCredentials,
	{
		Name:  "keep_events",
		Usage: "how long merchants' feeds keep events, such as 90d; at least 30d (720h), and 0 is for ever",
		set:   func(c *Config, v string) (err error) { c.KeepEvents, err = keeping(v); return err },
		get:   func(c Config) string { return c.KeepEvents.String() },
	},
	{
		Name: "keep_deliveries", Usage: "days that finished deliveries and their attempts are kept, 1 to 3650",
		set: func(c *Config, v string) error {
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 || n > maxKeep {
				return fmt.Errorf("must be a whole number from 1 to %d", maxKeep)
			}
			c.KeepDeliveries = n
			return nil
		},
		get: func(c Config) string { return strconv.Itoa(c.KeepDeliveries) },
	},
	{
		Name: "log_level", Usage: "info, warn or error",
		set: func(c *Config, v string) error { c.LogLevel = v; return oneOf(v, "info", "warn", "error") },
		get: func(c Config) string { return c.LogLevel },
	},
	{
		Name: "master_key_file", Usage: "file of the master key (default DIR/master.key)",
		set: func(c *Config, v string) error { c.MasterKeyFile = v; return nil },
		get: func(c Config) string { return c.MasterKeyFile },
	},
	{
		Name: "api_key", Usage: "the merchant's API key, for commands that use the API", Secret: true,
		set: func(c *Config, v string) error { c.APIKey = v; return nil },
		get: func(c Config) string {
			if c.APIKey == "" {
				return ""
			}
			return hidden
		},
	},
	{
		Name: "master_key", Usage: "the master key itself, instead of a file", Secret: true,
		set: func(c *Config, v string) error { c.MasterKey = v; return nil },
		get: func(c Config) string {
			if c.MasterKey == "" {
				return ""
			}
			return hidden
		},
	},
}

// find returns the setting with the given name.
func find(name string) (Setting, bool) {
	for _, s := range settings {
		if s.Name == name {
			return s, true
		}
	}
	return Setting{}, false
}

package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plexy/internal/config"
)

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plexy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func value(t *testing.T, c config.Config, name string) config.Line {
	t.Helper()
	for _, l := range c.Print() {
		if l.Name == name {
			return l
		}
	}
	t.Fatalf("config print does not name %s", name)
	return config.Line{}
}

func TestDefaults(t *testing.T) {
	c, err := config.Load(config.Input{Environ: []string{"HOME=/x", "PLEXYISH=1"}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Database != "sqlite:plexy-data/plexy.db" || c.MasterKeyFile != "plexy-data/master.key" ||
		c.Listen != "127.0.0.1:8080" || c.MetricsListen != "" || c.Environment != config.Sandbox ||
		c.EnvironmentGiven || c.RateLimit != 1000 {
		t.Errorf("defaults are %+v", c)
	}
}

func TestStrongestSourceWins(t *testing.T) {
	path := file(t, "listen: 127.0.0.1:1\nrate_limit: 5\nlog_level: warn\n# a comment\nmetrics_listen:\n")
	c, err := config.Load(config.Input{
		File:    path,
		Environ: []string{"PLEXY_LISTEN=127.0.0.1:2", "PLEXY_RATE_LIMIT=6", "PLEXY_TEST_ANYTHING=x"},
		Flags:   map[string]string{"listen": "127.0.0.1:3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]config.Line{
		"listen":     {Name: "listen", Value: "127.0.0.1:3", Source: "flag --listen"},
		"rate_limit": {Name: "rate_limit", Value: "6", Source: "PLEXY_RATE_LIMIT"},
		"log_level":  {Name: "log_level", Value: "warn", Source: path},
		"data":       {Name: "data", Value: "./plexy-data", Source: "default"},
	} {
		if got := value(t, c, name); got != want {
			t.Errorf("%s is %+v, want %+v", name, got, want)
		}
	}
}

func TestFileByEnvironment(t *testing.T) {
	path := file(t, "rate_limit: 0\n")
	c, err := config.Load(config.Input{Environ: []string{"PLEXY_CONFIG=" + path}})
	if err != nil || c.RateLimit != 0 || c.File != path {
		t.Errorf("rate limit %d from %q, %v", c.RateLimit, c.File, err)
	}
}

func TestUnknownAndWrongSettings(t *testing.T) {
	for name, c := range map[string]struct {
		in   config.Input
		want string
	}{
		"variable":     {config.Input{Environ: []string{"PLEXY_LISTN=x"}}, "PLEXY_LISTN"},
		"file":         {config.Input{File: file(t, "listn: x\n")}, "listn"},
		"twice":        {config.Input{File: file(t, "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n")}, "line 2"},
		"nested":       {config.Input{File: file(t, "listen:\n  port: 1\n")}, "listen must be a single value"},
		"not yaml":     {config.Input{File: file(t, "listen")}, "name: value"},
		"no file":      {config.Input{File: "/nowhere/plexy.yaml"}, "/nowhere/plexy.yaml"},
		"rate":         {config.Input{Environ: []string{"PLEXY_RATE_LIMIT=many"}}, "rate_limit (PLEXY_RATE_LIMIT)"},
		"address":      {config.Input{Flags: map[string]string{"listen": "8080"}}, "listen (flag --listen)"},
		"port":         {config.Input{Flags: map[string]string{"listen": "[::1]:65536"}}, "from 0 to 65535"},
		"environment":  {config.Input{Environ: []string{"PLEXY_ENVIRONMENT=test"}}, "sandbox or production"},
		"database":     {config.Input{Environ: []string{"PLEXY_DATABASE=mysql://u:geheim@h/d"}}, "sqlite:PATH"},
		"sqlite query": {config.Input{Environ: []string{"PLEXY_DATABASE=sqlite:a.db?mode=memory"}}, "plain path"},
		"log level":    {config.Input{Environ: []string{"PLEXY_LOG_LEVEL=loud"}}, "log_level"},
		"public url":   {config.Input{Environ: []string{"PLEXY_PUBLIC_URL=https://h/path"}}, "public_url"},
		"proxies":      {config.Input{Environ: []string{"PLEXY_TRUSTED_PROXIES=10.0.0.0/33"}}, "trusted_proxies"},
		"carrier":      {config.Input{Environ: []string{"PLEXY_NOTIFY=pigeon"}}, "notify"},
		"outbox": {config.Input{Environ: []string{"PLEXY_ENVIRONMENT=production", "PLEXY_NOTIFY=outbox",
			"PLEXY_PUBLIC_URL=https://pay.example"}},
			"in production"},
		"pages in clear": {config.Input{Environ: []string{"PLEXY_ENVIRONMENT=production", "PLEXY_NOTIFY=smtp",
			"PLEXY_PUBLIC_URL=http://pay.example"}}, "https://"},
		"mail": {config.Input{Environ: []string{"PLEXY_NOTIFY=smtp", "PLEXY_NOTIFY_SMTP_SERVER=h:25"}},
			"notify_smtp_from is not set"},
		"gateway": {config.Input{Environ: []string{"PLEXY_NOTIFY_GATEWAY_URL=http://sms.example/?key=geheim"}},
			"https://"},
		"acquirer":    {config.Input{Environ: []string{"PLEXY_ISO8583_ADDRESSES=10.0.0.1:1"}}, "iso8583_acquirer"},
		"host":        {config.Input{Environ: []string{"PLEXY_ISO8583_ADDRESSES=10.0.0.1"}}, "iso8583_addresses"},
		"number":      {config.Input{Environ: []string{"PLEXY_ISO8583_ACQUIRER=12x"}}, "iso8583_acquirer"},
		"connections": {config.Input{Environ: []string{"PLEXY_ISO8583_CONNECTIONS=17"}}, "from 1 to 16"},
		"time":        {config.Input{Environ: []string{"PLEXY_ISO8583_TIMEOUT=30"}}, "such as 30s"},
		"too long":    {config.Input{Environ: []string{"PLEXY_ISO8583_TIMEOUT=91s"}}, "to 1m30s (90 seconds)"},
		"echo":        {config.Input{Environ: []string{"PLEXY_ISO8583_ECHO=1s"}}, "from 5s to 10m0s (600 seconds)"},
		"zone":        {config.Input{Environ: []string{"PLEXY_ISO8583_UTC_OFFSET=Asia/Almaty"}}, "+05:00"},
		"cards in clear": {config.Input{Environ: []string{"PLEXY_ISO8583_ADDRESSES=10.0.0.1:1,host.example:1",
			"PLEXY_ISO8583_ACQUIRER=1"}}, "host.example:1 is no address of a private network"},
		"half a certificate": {config.Input{Environ: []string{"PLEXY_ISO8583_ADDRESSES=10.0.0.1:1",
			"PLEXY_ISO8583_ACQUIRER=1", "PLEXY_ISO8583_TLS_KEY_FILE=k"}}, "go together"},
		"skew": {config.Input{Environ: []string{"PLEXY_TEST_CLOCK_SKEW=much"}}, "PLEXY_TEST_CLOCK_SKEW"},
	} {
		_, err := config.Load(c.in)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v; it should name %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: the error repeats a secret: %v", name, err)
		}
	}
}

func TestPrintHidesSecrets(t *testing.T) {
	c, err := config.Load(config.Input{
		File: file(t, "master_key: geheim1\nnotify_smtp_password: geheim4\nnotify_gateway_secret: geheim5\n"+
			"notify_gateway_url: https://sms.example/send?key=geheim6\n"),
		Environ: []string{"PLEXY_DATABASE=postgres://u:geheim2@h/d?sslpassword=geheim3&sslmode=disable"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.MasterKey != "geheim1" || !strings.Contains(c.Database, "geheim2") {
		t.Error("the secrets did not arrive")
	}
	for _, l := range c.Print() {
		if strings.Contains(l.Value, "geheim") {
			t.Errorf("%s is printed as %s", l.Name, l.Value)
		}
	}
	if got := value(t, c, "database").Value; !strings.Contains(got, "sslmode=disable") {
		t.Errorf("the database is printed as %s", got)
	}
}

// An address that is not well formed goes to the driver, which says so, and is not printed at all.
func TestPrintHidesWhatItCannotRead(t *testing.T) {
	c, err := config.Load(config.Input{Environ: []string{"PLEXY_DATABASE=postgres://u:geheim%@h/d"}})
	if err != nil || value(t, c, "database").Value != "(hidden)" || c.SafeDatabase() != "(hidden)" {
		t.Errorf("the database is printed as %s, %v", value(t, c, "database").Value, err)
	}
}

func TestHooks(t *testing.T) {
	c, err := config.Load(config.Input{
		Environ: []string{"PLEXY_TEST_FAILPOINT=after-commit:3", "PLEXY_TEST_CLOCK_SKEW=-2s"},
	})
	if err != nil || c.Test.FailPoint != "after-commit:3" || c.Test.ClockSkew != -2*time.Second {
		t.Errorf("hooks are %+v, %v", c.Test, err)
	}
}

// A sandbox keeps what it would send; production sends nothing before it was told how.
func TestCarrier(t *testing.T) {
	for variable, want := range map[string]string{
		"": config.Outbox, "PLEXY_ENVIRONMENT=sandbox": config.Outbox, "PLEXY_ENVIRONMENT=production": "",
		"PLEXY_NOTIFY=": "",
	} {
		c, err := config.Load(config.Input{Environ: []string{variable}})
		if err != nil || c.Notify.Carrier != want {
			t.Errorf("with %q the carrier is %q, %v", variable, c.Notify.Carrier, err)
		}
	}
}

func TestISO8583(t *testing.T) {
	c, err := config.Load(config.Input{Environ: []string{
		"PLEXY_ISO8583_ADDRESSES=a.example:1, b.example:2", "PLEXY_ISO8583_ACQUIRER=123456",
		"PLEXY_ISO8583_TLS=on", "PLEXY_ISO8583_TIMEOUT=20s", "PLEXY_ISO8583_UTC_OFFSET=-03:30",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"iso8583_addresses": "a.example:1,b.example:2", "iso8583_tls": "on", "iso8583_timeout": "20s",
		"iso8583_echo": "1m0s", "iso8583_utc_offset": "-03:30", "iso8583_connections": "2",
	} {
		if got := value(t, c, name).Value; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if _, seconds := time.Now().In(c.ISO8583.Zone).Zone(); seconds != -(3*60+30)*60 {
		t.Errorf("the zone is %d seconds from UTC", seconds)
	}
	if got := value(t, config.Defaults(), "iso8583_utc_offset").Value; got != "+05:00" {
		t.Errorf("by default the zone is %s", got)
	}
}

func TestTrustedProxies(t *testing.T) {
	trusted := "PLEXY_TRUSTED_PROXIES=10.0.0.0/8, 127.0.0.1/32,::1/128"
	c, err := config.Load(config.Input{Environ: []string{trusted}})
	if err != nil || value(t, c, "trusted_proxies").Value != "10.0.0.0/8,127.0.0.1/32,::1/128" {
		t.Errorf("the networks are %v, %v", c.TrustedProxies, err)
	}
}

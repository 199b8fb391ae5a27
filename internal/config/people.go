package config

import (
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
)

// The carriers of messages to people.
const (
	Outbox  = "outbox"  // kept in the database of a sandbox, sent to nobody
	SMTP    = "smtp"    // mail
	Gateway = "gateway" // HTTP
)

// Notify is how people are told something.
type Notify struct {
	// Carrier is Outbox, SMTP, Gateway, or "" when nobody can be told anything: there is no wallet page then.
	Carrier string

	SMTPServer, SMTPFrom, SMTPAddress, SMTPUser, SMTPPassword string

	GatewayURL, GatewayBody, GatewayHeader, GatewaySecret string
}

// gatewayBody is what the gateway is posted when nobody says otherwise.
const gatewayBody = `{"id":"{id}","to":"{phone}","text":"{text}"}`

// text is a setting that is one string of the struct.
func text(name, usage string, field func(*Config) *string, check func(string) error) Setting {
	return Setting{
		Name: name, Usage: usage,
		set: func(c *Config, v string) error { *field(c) = v; return check(v) },
		get: func(c Config) string { return *field(&c) },
	}
}

// secret is a text that is never printed and has no flag.
func secret(name, usage string, field func(*Config) *string) Setting {
	s := text(name, usage, field, free)
	s.Secret = true
	s.get = func(c Config) string {
		if *field(&c) == "" {
			return ""
		}
		return hidden
	}
	return s
}

func free(string) error { return nil }

// peopleSettings are about the pages that people see and about telling people something.
var peopleSettings = []Setting{
	text("public_url", "address of the pages as people see it, such as https://pay.example.kz",
		func(c *Config) *string { return &c.PublicURL }, checkPublicURL),
	{
		Name:  "trusted_proxies",
		Usage: "networks of your load balancers, separated by commas, whose X-Forwarded-For is believed",
		set:   func(c *Config, v string) (err error) { c.TrustedProxies, err = networks(v); return err },
		get:   func(c Config) string { return joined(c.TrustedProxies) },
	},
	text("notify", "how people are told something: outbox (sandbox only), smtp or gateway; off when empty",
		func(c *Config) *string { return &c.Notify.Carrier },
		func(v string) error { return oneOf(v, "", Outbox, SMTP, Gateway) }),
	text("notify_smtp_server", "HOST:PORT of the mail server; 465 is TLS, other ports must offer STARTTLS",
		func(c *Config) *string { return &c.Notify.SMTPServer }, orEmpty(checkAddress)),
	text("notify_smtp_from", "sender of mails, such as Plexy <no-reply@example.kz>",
		func(c *Config) *string { return &c.Notify.SMTPFrom }, orEmpty(checkSender)),
	text("notify_smtp_address", "where mail for a phone goes, such as {digits}@sms.example.kz",
		func(c *Config) *string { return &c.Notify.SMTPAddress }, orEmpty(checkMailAddress)),
	text("notify_smtp_user", "name at the mail server; none when empty",
		func(c *Config) *string { return &c.Notify.SMTPUser }, free),
	secret("notify_smtp_password", "password at the mail server",
		func(c *Config) *string { return &c.Notify.SMTPPassword }),
	{
		Name: "notify_gateway_url", Usage: "address that messages are posted to",
		set: func(c *Config, v string) error { c.Notify.GatewayURL = v; return orEmpty(checkGateway)(v) },
		get: func(c Config) string { return withoutQuery(c.Notify.GatewayURL) },
	},
	text("notify_gateway_body", "the JSON to post, with {phone} {text} {subject} {kind} {language} {id}",
		func(c *Config) *string { return &c.Notify.GatewayBody }, free),
	text("notify_gateway_header", "header that carries the secret, such as Authorization",
		func(c *Config) *string { return &c.Notify.GatewayHeader }, free),
	secret("notify_gateway_secret", "value of that header",
		func(c *Config) *string { return &c.Notify.GatewaySecret }),
}

// withoutQuery hides what may be a secret in an address.
func withoutQuery(address string) string {
	before, _, found := strings.Cut(address, "?")
	if u, err := url.Parse(before); err == nil && u.User != nil {
		return hidden
	}
	if found {
		return before + "?" + hidden
	}
	return before
}

// checkNotify looks at what the settings say together.
func (c Config) checkNotify() error {
	n := c.Notify
	if n.Carrier != "" && c.Environment == Production && !strings.HasPrefix(c.PublicURL, "https://") {
		return errors.New("public_url must be set and begin with https://: in production people log in there")
	}
	lacks := func(pairs ...string) error {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] == "" {
				return fmt.Errorf("notify is %s and %s is not set", n.Carrier, pairs[i])
			}
		}
		return nil
	}
	switch n.Carrier {
	case Outbox:
		if c.Environment == Production {
			return errors.New("notify is outbox, which keeps one-time codes for testers to read; in production " +
				"it must be smtp or gateway")
		}
	case SMTP:
		return lacks("notify_smtp_server", n.SMTPServer, "notify_smtp_from", n.SMTPFrom,
			"notify_smtp_address", n.SMTPAddress)
	case Gateway:
		return lacks("notify_gateway_url", n.GatewayURL, "notify_gateway_body", n.GatewayBody)
	}
	return nil
}

// orEmpty lets a setting be switched off.
func orEmpty(check func(string) error) func(string) error {
	return func(v string) error {
		if v == "" {
			return nil
		}
		return check(v)
	}
}

func checkPublicURL(v string) error {
	if v == "" {
		return nil // the default
	}
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("must be https://HOST or http://HOST, without a path")
	}
	return nil
}

func checkGateway(v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" {
		return errors.New("must be an address with a host") // without it: it may hold a secret
	}
	if ip, _ := netip.ParseAddr(u.Hostname()); u.Scheme == "https" ||
		u.Scheme == "http" && (ip.IsLoopback() || u.Hostname() == "localhost") {
		return nil
	}
	return errors.New("must begin with https://, or with http:// for this machine")
}

func checkSender(v string) error {
	if _, err := mail.ParseAddress(v); err != nil {
		return errors.New("must be a mail address, with a name before it or not")
	}
	return nil
}

func checkMailAddress(v string) error {
	if !strings.Contains(v, "{phone}") && !strings.Contains(v, "{digits}") || !strings.Contains(v, "@") ||
		strings.ContainsAny(v, "\r\n <>") {
		return errors.New("must be a mail address with {phone} or {digits} in it")
	}
	return nil
}

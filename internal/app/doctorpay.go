package app

import (
	"fmt"
	"strings"
	"time"

	"plexy/internal/config"
	"plexy/internal/connector/iso8583"
)

// wideNetwork is how many bits the prefix of a network has that is surely nobody's own.
const wideNetwork = 8

// inquiryWait is how long an inquiry waits for the acquirer's host at most (see acquiring).
const inquiryWait = 30 * time.Second

// payments looks at what card payments and their webhooks depend on.
func (d *doctor) payments() {
	d.acquirer()
	if d.cfg.DirectPadding != config.PaddingOAEP {
		d.advise("direct_padding", d.cfg.DirectPadding,
			"it is for clients that cannot do better: as soon as none is left, direct_padding: oaep")
	}
	d.webhookProxy()
	d.callbackNetworks()
}

func (d *doctor) acquirer() {
	kind := d.cfg.Acquirer
	if kind == config.AcquirerSandbox && d.cfg.Environment == config.Sandbox &&
		d.app.environment == config.Production {
		kind = config.AcquirerNone // nobody chose it: this command was not told the environment
	}
	l := d.cfg.ISO8583
	switch {
	case kind == config.AcquirerNone && d.app.environment == config.Production:
		d.advise("acquirer", "none", "card payments are refused until there is one: acquirer: iso8583")
	case kind == config.AcquirerSandbox:
		d.judge("acquirer", d.app.environment != config.Production, kind,
			"the sandbox's acquirer moves no money, and the server does not start with it: acquirer: iso8583 or none")
	case kind == config.AcquirerISO8583:
		d.judge("acquirer", len(l.Addresses) > 0 && l.Merchant != "" && l.Terminal != "", kind,
			"set iso8583_addresses, iso8583_merchant and iso8583_terminal, or the server does not start")
		if d.app.environment == config.Production {
			found := d.cfg.PublicURL
			if found == "" {
				found = "not set"
			}
			d.judge("public_url", strings.HasPrefix(d.cfg.PublicURL, "https://"), found,
				"payers type card numbers into the pages there, and banks send them back to it: https://…")
		}
	}
	if len(l.Addresses) > 0 {
		d.link(l)
	}
}

// link looks at the line to the acquirer's host. That a line without TLS stays in private networks is refused
// by the configuration itself.
func (d *doctor) link(l config.ISO8583) {
	if !l.TLS {
		place := loopback
		for _, address := range l.Addresses {
			place = max(place, reach(address))
		}
		if place != loopback {
			d.advise("iso8583_tls", "off", "card numbers are in clear on the way to "+
				strings.Join(l.Addresses, ", ")+": if the acquirer's host can do TLS, iso8583_tls: on")
		}
	} else {
		_, err := iso8583.TLS(l.TLSAuthorityFile, l.TLSCertificateFile, l.TLSKeyFile)
		found := "on, and its files can be read"
		if err != nil {
			found = err.Error()
		}
		d.judge("iso8583_tls", err == nil, found, "the server does not start: put the iso8583_tls_ files right")
		if l.TLSKeyFile != "" {
			d.private("iso8583_tls_key_file", l.TLSKeyFile, "chmod 600 ")
		}
	}
	if l.Timeout > inquiryWait {
		d.advise("iso8583_timeout", l.Timeout.String(), fmt.Sprintf("payers wait as long, and an inquiry waits "+
			"%s at most, so outcomes stay unknown longer: %s or less, if the acquirer allows it",
			inquiryWait, inquiryWait))
	}
}

func (d *doctor) webhookProxy() {
	address, secret := d.cfg.WebhookProxy, d.cfg.WebhookProxyCredentials != ""
	switch {
	case address == "" && secret:
		d.judge("webhook_proxy", false, "not set, though it has credentials",
			"webhooks go out without the proxy: set webhook_proxy, or unset its credentials")
	case address != "" && secret:
		d.judge("webhook_proxy", reach(address) != world, address,
			"its credentials travel there in clear text: give it an address of a private network")
	case address != "":
		d.judge("webhook_proxy", true, address, "")
	}
}

// callbackNetworks looks at what webhooks may call besides the public addresses. Merchants name callback
// addresses with every payment, and nobody looks at those.
func (d *doctor) callbackNetworks() {
	if len(d.cfg.WebhookNetworks) == 0 {
		return
	}
	var all, bad []string
	for _, n := range d.cfg.WebhookNetworks {
		all = append(all, n.String())
		if n.Bits() < wideNetwork || n.Addr().IsLoopback() {
			bad = append(bad, n.String())
		}
	}
	found := strings.Join(all, ", ")
	if len(bad) > 0 {
		d.judge("webhook_networks", false, found,
			"any merchant reaches your own services through a callbackUrl: take "+strings.Join(bad, ", ")+" out")
		return
	}
	d.advise("webhook_networks", found,
		"every merchant may have these called, with every payment's callbackUrl: name single hosts where you can")
}

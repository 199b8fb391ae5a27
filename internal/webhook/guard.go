package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"plexy/internal/event"
)

// Forbidden says why a URL or an address is not called. It begins with a verb, to stand behind the name of
// the field: "must begin with https://". It names nothing that the merchant did not write.
type Forbidden string

// Error returns the reason.
func (f Forbidden) Error() string { return string(f) }

// publicPorts are where receivers listen. Ports of mail, databases and the like stay out of reach.
var publicPorts = []uint16{443, 80, 8443}

// Rules say which addresses may be called besides public ones at public ports.
type Rules struct {
	// Sandbox allows http, and this machine itself at any port.
	Sandbox bool
	// Networks are those of the operator's own that may be called although they are not public. Addresses
	// that no receiver can have, such as those of a cloud's metadata, stay forbidden.
	Networks []netip.Prefix
	// Ports may be called besides 443, 80 and 8443.
	Ports []uint16
}

// Guard keeps webhooks off addresses that are not the merchant's to call: this machine, its networks, a
// cloud's metadata. A merchant writes the URL and owns the name server, so what counts is the check of the
// address that is really dialed, each time. Check is there to say it early, and clearly.
type Guard struct {
	rules Rules
	ports []uint16
}

// NewGuard makes a guard that keeps the rules.
func NewGuard(rules Rules) *Guard {
	return &Guard{rules: rules, ports: append(slices.Clone(publicPorts), rules.Ports...)}
}

// Check tells whether the URL can be that of an endpoint, as far as its text shows. Names are not looked up:
// what they mean now they need not mean when it counts. The error is a Forbidden.
func (g *Guard) Check(text string) error {
	if len(text) > event.MaxURL {
		return Forbidden(fmt.Sprintf("must have at most %d characters", event.MaxURL))
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return Forbidden("must be a whole URL, such as https://shop.example/plexy")
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return Forbidden("must begin with https://")
	case u.Scheme == "http" && !g.rules.Sandbox:
		return Forbidden("must begin with https://; http is for a sandbox")
	case u.User != nil:
		return Forbidden("must not hold a user name or a password")
	case u.Fragment != "":
		return Forbidden("must not have a fragment (#)")
	}
	port, err := portOf(u)
	if err != nil {
		return err
	}
	return g.checkHost(strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), port)
}

func portOf(u *url.URL) (uint16, error) {
	text := u.Port()
	switch {
	case strings.HasSuffix(u.Host, ":"):
		return 0, Forbidden("must have a port after the colon, or no colon")
	case text == "" && u.Scheme == "http":
		return 80, nil
	case text == "":
		return 443, nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, Forbidden("must have a port from 1 to 65535")
	}
	return uint16(port), nil
}

// metadataNames lead to a cloud's metadata wherever one of its machines asks.
var metadataNames = []string{
	"instance-data", "instance-data.ec2.internal", "metadata", "metadata.azure.internal", "metadata.goog",
	"metadata.google.internal", "metadata.tencentyun.com",
}

func (g *Guard) checkHost(host string, port uint16) error {
	if addr, err := netip.ParseAddr(host); err == nil {
		return g.checkAddress(addr, port)
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	switch {
	case !isName(host):
		return Forbidden("must have a host of letters, digits, dots and hyphens; write other letters as xn--")
	case last[0] >= '0' && last[0] <= '9':
		// Some resolvers read 2130706433, 0x7f000001, 0177.1 and 127.1 as 127.0.0.1. No name ends like that.
		return Forbidden("must write an address as four decimal numbers")
	case host == "localhost" || strings.HasSuffix(host, ".localhost"):
		return g.checkAddress(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
	case slices.Contains(metadataNames, host):
		return Forbidden("must not lead to a cloud's metadata")
	}
	return g.checkPort(port)
}

// isName tells whether host is a name as DNS has them: labels of 1 to 63 letters, digits, hyphens and
// underscores, at most 253 characters.
func isName(host string) bool {
	if len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// control is the hook of net.Dialer: it sees each address after the name was resolved and before a packet is
// sent, and what it refuses is not dialed. Nobody can put another address in between.
func (g *Guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return Forbidden("must be reached by TCP")
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return Forbidden("must lead to an address")
	}
	return g.checkAddress(to.Addr(), to.Port())
}

// special is a network whose addresses are not public, and what it is called.
type special struct {
	prefix netip.Prefix
	what   string
	never  bool // no rule allows it
}

// specials are in order: the first that fits counts. They follow IANA's registries of special-purpose
// addresses; of IPv6, everything outside of 2000::/3 is special too.
var specials = []special{
	never("169.254.169.254/32", "a cloud's metadata"),
	never("169.254.170.0/24", "a cloud's metadata"),
	never("168.63.129.16/32", "a cloud's metadata"), // Azure's, public by its looks
	never("100.100.100.200/32", "a cloud's metadata"),
	never("192.0.0.192/32", "a cloud's metadata"),
	never("fd00:ec2::/32", "a cloud's metadata"),
	never("fd20:ce::254/128", "a cloud's metadata"),
	never("255.255.255.255/32", "the broadcast address"),
	never("0.0.0.0/8", "this machine's network"),
	never("::/128", "this machine's network"),
	never("224.0.0.0/4", "a multicast address"),
	never("ff00::/8", "a multicast address"),

	usual("127.0.0.0/8", loopback),
	usual("::1/128", loopback),
	usual("10.0.0.0/8", "a private address"),
	usual("172.16.0.0/12", "a private address"),
	usual("192.168.0.0/16", "a private address"),
	usual("fc00::/7", "a private address"),
	usual("fec0::/10", "a private address"),
	usual("169.254.0.0/16", "a link-local address"),
	usual("fe80::/10", "a link-local address"),
	usual("100.64.0.0/10", "an address behind a provider's NAT"),
	usual("192.0.0.0/24", "a reserved address"),
	usual("192.88.99.0/24", "a reserved address"),
	usual("240.0.0.0/4", "a reserved address"),
	usual("198.18.0.0/15", "an address for benchmarks"),
	usual("192.0.2.0/24", "an address for documentation"),
	usual("198.51.100.0/24", "an address for documentation"),
	usual("203.0.113.0/24", "an address for documentation"),
	usual("2001:db8::/32", "an address for documentation"),
	usual("3fff::/20", "an address for documentation"),
	usual("2001::/23", "a reserved address"), // Teredo among others
	usual("2002::/16", "an IPv4 address in IPv6"),
}

const loopback = "this machine"

func usual(prefix, what string) special { return special{netip.MustParsePrefix(prefix), what, false} }
func never(prefix, what string) special { return special{netip.MustParsePrefix(prefix), what, true} }

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	publicIPv6 = netip.MustParsePrefix("2000::/3")
)

// kind tells what special network the address is of; the zero special for a public one. An address with a
// zone, which is of a link, is in no prefix and so never public.
func kind(addr netip.Addr) special {
	for _, s := range specials {
		if s.prefix.Contains(addr) {
			return s
		}
	}
	if addr.Is6() && !publicIPv6.Contains(addr) {
		return special{what: "a reserved address"}
	}
	return special{}
}

func (g *Guard) checkAddress(addr netip.Addr, port uint16) error {
	addr = addr.Unmap() // the system dials ::ffff:127.0.0.1 as 127.0.0.1
	if nat64.Contains(addr) {
		// A gateway dials the IPv4 address at the end, on its own side: no rule of ours covers that one.
		bytes := addr.As16()
		if inner := kind(netip.AddrFrom4([4]byte(bytes[12:]))); inner.what != "" {
			return Forbidden("must not lead to " + inner.what)
		}
		return g.checkPort(port)
	}
	k := kind(addr)
	allowed := slices.ContainsFunc(g.rules.Networks, func(p netip.Prefix) bool { return p.Contains(addr) })
	switch {
	case k.what == "" || allowed && !k.never:
		return g.checkPort(port)
	case k.what == loopback && g.rules.Sandbox:
		return nil
	}
	return Forbidden("must not lead to " + k.what)
}

func (g *Guard) checkPort(port uint16) error {
	if slices.Contains(g.ports, port) {
		return nil
	}
	return Forbidden(fmt.Sprintf("must use port 443, 80 or 8443, not %d", port))
}

// forbidden returns the guard's refusal in an error of a dial, or "".
func forbidden(err error) string {
	var f Forbidden
	if errors.As(err, &f) {
		return f.Error()
	}
	return ""
}

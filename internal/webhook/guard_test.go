package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// inner are hosts, as somebody would write them into a URL, that lead to where no merchant may call.
var inner = []string{
	// IPv4 as it should be written.
	"127.0.0.1", "127.1.2.3", "127.255.255.254", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255",
	"192.168.1.1", "169.254.1.1", "169.254.169.254", "169.254.170.2", "168.63.129.16", "100.64.0.1",
	"100.127.255.255", "100.100.100.200", "192.0.0.8", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1",
	"198.19.255.255", "198.51.100.1", "203.0.113.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255",
	"240.0.0.1", "255.255.255.255", "127.0.0.1.",
	// IPv4 as some resolvers read it: decimal, hex, octal, short, padded, mixed.
	"2130706433", "3232235777", "2852039166", "0x7f000001", "0X7F000001", "0x7f.0.0.1", "0x7f.1", "0177.0.0.1",
	"017700000001", "127.1", "127.0.1", "10.1", "0", "0x0", "00127.0.0.1", "127.000.000.001", "127.0.0.0x1",
	"127.0.0.01", "1.1.1.1.1", "127.0.0.1..",
	// Letters that a browser takes for digits and dots.
	"①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1", "ⓛocalhost", "127.0.0.1\u00ad",
	// IPv6.
	"[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[fc00::1]", "[fd12:3456::1]", "[fd00:ec2::254]", "[fd20:ce::254]",
	"[fe80::1]", "[fe80::1%25eth0]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]", "[3fff::1]", "[2001:2::1]",
	"[100::1]", "[5f00::1]", "[4000::1]",
	// IPv4 inside of IPv6: mapped, compatible, translated, NAT64, 6to4, Teredo.
	"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]", "[::ffff:0.0.0.0]",
	"[::127.0.0.1]", "[::a9fe:a9fe]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::a9fe:a9fe]",
	"[64:ff9b::10.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]",
	"[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
	// Names.
	"localhost", "LOCALHOST", "localhost.", "shop.localhost", "metadata", "metadata.google.internal",
	"Metadata.Google.Internal.", "metadata.goog", "instance-data", "instance-data.ec2.internal",
	// No names at all.
	"", ".", "a..b",
	"-\x00-", "a b", "a%00b", "[::1", "::1", "[127.0.0.1]", strings.Repeat("a", 64) + ".example",
	strings.Repeat("abcdefg.", 32) + "example",
}

// TestInnerAddresses: no form of an inner address is accepted at registration, and none is dialed although
// the name server, as the worst of them would, says that all of them are this machine.
func TestInnerAddresses(t *testing.T) {
	tr := setTrap(t)
	s := NewSender(Options{Rules: Rules{Ports: []uint16{tr.port()}}})
	defer s.Close()
	n := &names{}
	n.set("127.0.0.1")
	w := cut(s, n)
	if len(inner) < 40 {
		t.Fatalf("only %d forms", len(inner))
	}
	for _, host := range inner {
		for _, port := range []string{"", ":443", fmt.Sprint(":", tr.port())} {
			url := "https://" + host + port + "/hook"
			var f Forbidden
			if err := s.Check(url); !errors.As(err, &f) {
				t.Errorf("%q is accepted: %v", url, err)
			}
			r := s.Send(context.Background(), url, aMessage(t))
			if r.Outcome != Failed || r.Status != 0 ||
				!strings.HasPrefix(r.Error, "not called: the URL must ") {
				t.Errorf("%q: %+v", url, r)
			}
		}
		// As if the check were not there.
		bare := strings.TrimSuffix(strings.TrimPrefix(strings.ReplaceAll(host, "%25", "%"), "["), "]")
		conn, err := s.dialer.DialContext(context.Background(), "tcp",
			net.JoinHostPort(bare, fmt.Sprint(tr.port())))
		if err == nil {
			conn.Close()
			t.Errorf("%q is dialed", host)
		}
	}
	if passed := w.addresses(); passed != "" {
		t.Errorf("the guard let pass: %s", passed)
	}
	if visitors := tr.visitors(t); visitors != 0 {
		t.Errorf("%d connections came to the trap", visitors)
	}
}

// TestTrapCatches: where the rules allow this machine, the same way leads into the trap. So the trap, the
// name server and the wire of the test above do work.
func TestTrapCatches(t *testing.T) {
	tr := setTrap(t)
	s := NewSender(Options{Rules: Rules{Sandbox: true}})
	defer s.Close()
	n := &names{}
	n.set("127.0.0.1")
	w := cut(s, n)
	for _, host := range []string{"127.0.0.1", "0x7f000001", "0x7f.1", "shop.example", "[::ffff:127.0.0.1]"} {
		conn, err := s.dialer.DialContext(context.Background(), "tcp",
			net.JoinHostPort(strings.Trim(host, "[]"), fmt.Sprint(tr.port())))
		if err != nil {
			t.Errorf("%q: %v", host, err)
			continue
		}
		conn.Close()
	}
	if got := tr.visitors(t); got != 5 || strings.Count(w.addresses(), "127.0.0.1:") != 5 {
		t.Errorf("%d connections came to the trap", got)
	}
}

// TestRebinding: a name that was public when the endpoint was made, and at the first attempt, leads inside at
// the next; and one that is both at once.
func TestRebinding(t *testing.T) {
	tr := setTrap(t)
	s := NewSender(Options{Rules: Rules{Ports: []uint16{tr.port()}}})
	defer s.Close()
	n := &names{}
	w := cut(s, n)
	url := fmt.Sprintf("https://rebind.example:%d/hook", tr.port())
	if err := s.Check(url); err != nil {
		t.Fatal(err)
	}
	public := fmt.Sprint("8.8.8.8:", tr.port())
	send := func(wantPassed, wantError string) {
		t.Helper()
		r := s.Send(context.Background(), url, aMessage(t))
		if passed := w.addresses(); passed != wantPassed {
			t.Errorf("dialed %q, want %q", passed, wantPassed)
		}
		if r.Outcome != Failed || r.Error != wantError {
			t.Errorf("%+v, want error %q", r, wantError)
		}
	}
	n.set("8.8.8.8")
	send(public, "no connection")
	for address, what := range map[string]string{
		"127.0.0.1": "this machine", "10.0.0.1": "a private address", "169.254.169.254": "a cloud's metadata",
		"::1": "this machine", "fd00:ec2::254": "a cloud's metadata", "64:ff9b::7f00:1": "this machine",
	} {
		n.set(address)
		send("", "not called: the URL must not lead to "+what)
	}
	n.set("8.8.8.8", "127.0.0.1")
	// Both at once: which is tried first is the resolver's order, but only one of them is dialed.
	send(public, "not called: the URL must not lead to this machine")
	if visitors := tr.visitors(t); visitors != 0 {
		t.Errorf("%d connections came to the trap", visitors)
	}
}

// TestRedirectsAreNotFollowed: not to the trap, where the rules would allow it, nor anywhere.
func TestRedirectsAreNotFollowed(t *testing.T) {
	tr := setTrap(t)
	s := NewSender(Options{Rules: Rules{Sandbox: true}})
	defer s.Close()
	w := cut(s, &names{})
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		asked++
		out.Header().Set("Location", in.URL.Query().Get("to"))
		var status int
		_, _ = fmt.Sscan(in.URL.Path[1:], &status)
		out.WriteHeader(status)
	}))
	defer server.Close()
	own := strings.TrimPrefix(server.URL, "http://")
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
		for _, to := range []string{
			fmt.Sprintf("http://127.0.0.1:%d/", tr.port()), "http://169.254.169.254/latest/meta-data/", "/200",
		} {
			r := s.Send(context.Background(), fmt.Sprintf("%s/%d?to=%s", server.URL, status, to), aMessage(t))
			want := fmt.Sprintf("answered %d: redirects are not followed", status)
			if r.Outcome != Failed || r.Status != status || r.Error != want {
				t.Errorf("%d to %s: %+v", status, to, r)
			}
		}
	}
	others := slices.DeleteFunc(strings.Fields(w.addresses()), func(to string) bool { return to == own })
	if len(others) != 0 || asked != 21 || tr.visitors(t) != 0 {
		t.Errorf("dialed %v besides the receiver, which was asked %d times", others, asked)
	}
}

var (
	productionRules = Rules{}
	sandboxRules    = Rules{Sandbox: true}
	ownRules        = Rules{
		Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd12::/16"),
			netip.MustParsePrefix("0.0.0.0/0")},
		Ports: []uint16{9443},
	}
	fewRules = Rules{Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
)

var checks = []struct {
	rules Rules
	url   string
	want  string // in the error; "" if there is none
}{
	{productionRules, "https://shop.example/plexy?a=b", ""},
	{productionRules, "HTTPS://Shop.Example", ""},
	{productionRules, "https://shop.example.:8443/", ""},
	{productionRules, "https://shop.example:80/", ""},
	{productionRules, "https://xn--80a.example/", ""},
	{productionRules, "https://8.8.8.8/", ""},
	{productionRules, "https://[2606:4700::1111]/", ""},
	{productionRules, "https://[::ffff:8.8.8.8]/", ""},
	{productionRules, "https://[64:ff9b::8.8.8.8]/", ""},
	{productionRules, "https://172.32.0.1/", ""},
	{productionRules, "https://100.128.0.1/", ""},
	{productionRules, "http://shop.example/", "must begin with https://; http is for a sandbox"},
	{productionRules, "ftp://shop.example/", "must begin with https://"},
	{productionRules, "file:///etc/passwd", "must be a whole URL"},
	{productionRules, "gopher://shop.example/", "must begin with https://"},
	{productionRules, "javascript:alert(1)", "must be a whole URL"},
	{productionRules, "shop.example/plexy", "must be a whole URL"},
	{productionRules, "//shop.example/", "must begin with https://"},
	{productionRules, "https:shop.example", "must be a whole URL"},
	{productionRules, "", "must be a whole URL"},
	{productionRules, "https://shop.example/\r\nHost: x", "must be a whole URL"},
	{productionRules, "https://user@shop.example/", "user name or a password"},
	{productionRules, "https://shop.example:443@127.0.0.1/", "user name or a password"},
	{productionRules, "https://127.0.0.1:443\\@shop.example/", "must be a whole URL"},
	{productionRules, "https://shop.example/#a", "fragment"},
	{productionRules, "https://shop.example:/", "port after the colon"},
	{productionRules, "https://shop.example:0/", "from 1 to 65535"},
	{productionRules, "https://shop.example:65536/", "from 1 to 65535"},
	{productionRules, "https://shop.example:+443/", "must be a whole URL"},
	{productionRules, "https://shop.example:22/", "must use port 443, 80 or 8443, not 22"},
	{productionRules, "https://shop.example:65979/", "from 1 to 65535"}, // 443 after an overflow
	{productionRules, "https://shop.example:6379/", "must use port 443, 80 or 8443, not 6379"},
	{productionRules, "https://8.8.8.8:25/", "must use port 443, 80 or 8443, not 25"},
	{productionRules, "https://shop.example/" + strings.Repeat("a", 1024), "at most 1024 characters"},
	{productionRules, "https://localhost/", "must not lead to this machine"},
	{productionRules, "https://10.1.0.1/", "must not lead to a private address"},
	{productionRules, "https://2130706433/", "four decimal numbers"},
	{productionRules, "https://пример.example/", "xn--"},

	{sandboxRules, "http://localhost:3000/hook", ""},
	{sandboxRules, "http://127.0.0.1:1/", ""},
	{sandboxRules, "https://[::1]:3000/", ""},
	{sandboxRules, "http://shop.example/", ""},
	{sandboxRules, "http://shop.example:3000/", "must use port"},
	{sandboxRules, "http://10.1.0.1/", "a private address"},
	{sandboxRules, "http://169.254.169.254/", "a cloud's metadata"},
	{sandboxRules, "http://0.0.0.0:3000/", "this machine's network"},
	{sandboxRules, "http://[64:ff9b::7f00:1]/", "this machine"},

	{ownRules, "https://10.1.2.3/", ""},
	{ownRules, "https://10.1.2.3:9443/", ""},
	{ownRules, "https://[::ffff:10.1.2.3]/", ""},
	{ownRules, "https://[fd12::1]/", ""},
	{ownRules, "https://localhost/", ""}, // 0.0.0.0/0 is what they wrote
	{ownRules, "http://10.1.2.3/", "http is for a sandbox"},
	{ownRules, "https://10.1.2.3:9444/", "must use port"},
	{ownRules, "https://169.254.169.254/", "a cloud's metadata"},
	{ownRules, "https://255.255.255.255/", "broadcast"},
	{ownRules, "https://224.0.0.1/", "multicast"},
	{ownRules, "https://[fd13::1]/", "a private address"},
	{ownRules, "https://[64:ff9b::10.1.2.3]/", "a private address"},
	{fewRules, "https://10.2.0.1/", "a private address"},
	{fewRules, "https://localhost/", "this machine"},
}

func TestCheck(t *testing.T) {
	for _, c := range checks {
		err := NewGuard(c.rules).Check(c.url)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%+v %q: %v", c.rules, c.url, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%+v %q: %v, want %q", c.rules, c.url, err, c.want)
		}
	}
}

func TestControlWantsTCPAndAnAddress(t *testing.T) {
	g := NewGuard(Rules{})
	for _, c := range []struct{ network, address string }{
		{"udp4", "8.8.8.8:443"}, {"unix", "/run/x"}, {"tcp4", "8.8.8.8"}, {"tcp4", ""},
		{"tcp4", "shop.example:443"},
	} {
		if err := g.control(context.Background(), c.network, c.address, nil); err == nil {
			t.Errorf("%s %q passes", c.network, c.address)
		}
	}
	if err := g.control(context.Background(), "tcp4", "8.8.8.8:443", nil); err != nil {
		t.Error(err)
	}
}

// FuzzCheck: whatever is accepted in production is https, at a known port, and not an inner address.
func FuzzCheck(f *testing.F) {
	for _, host := range inner {
		f.Add("https://" + host + "/")
	}
	f.Add("https://shop.example:8443/plexy")
	g := NewGuard(Rules{})
	f.Fuzz(func(t *testing.T, text string) {
		err := g.Check(text)
		var refused Forbidden
		if err != nil {
			if !errors.As(err, &refused) {
				t.Fatal(err)
			}
			return
		}
		r, err := http.NewRequest(http.MethodPost, text, nil)
		if err != nil {
			t.Fatalf("accepted and no request can be made of it: %v", err)
		}
		port := r.URL.Port()
		if r.URL.Scheme != "https" || r.URL.User != nil ||
			!slices.Contains([]string{"", "443", "80", "8443"}, port) {
			t.Fatalf("accepted %q", text)
		}
		if ip := net.ParseIP(r.URL.Hostname()); ip != nil &&
			(ip.IsLoopback() || ip.IsPrivate() || !ip.IsGlobalUnicast()) {
			t.Fatalf("accepted %q", text)
		}
	})
}

// Package web is the plumbing of the doors that show pages to people: headers that let nothing foreign in,
// cookies, forms that only the page they came from can send, languages, templates, and the one style sheet.
// It decides nothing and reads nothing but what it embeds, and that only when the first page is asked for.
package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"plexy/internal/access"
	"plexy/internal/locale"
	"plexy/internal/server"
)

// Bounds of what a page takes from a person.
const (
	maxForm     = 16 << 10 // bytes of a form
	yearSeconds = 365 * 24 * 60 * 60
)

// Cookies that every page door shares; a door's own have other names.
const (
	visitorCookie  = "plexy_visitor"
	languageCookie = "plexy_language"
	tokenField     = "token"
	languageField  = "lang"
)

// Options say how people reach the pages.
type Options struct {
	// Secure says that they come by https.
	Secure bool
	// Origin is the address that they see, https://HOST or http://HOST; "" when nobody said.
	Origin string
	// Key keys the tokens of forms; the same in all processes of an installation.
	Key []byte
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
}

// Site is what all page doors of an installation share. It is safe for any number of goroutines.
type Site struct {
	options Options
	origins *http.CrossOriginProtection
}

// New makes a site.
func New(o Options) (*Site, error) {
	s := &Site{options: o, origins: http.NewCrossOriginProtection()}
	if o.Origin != "" {
		if err := s.origins.AddTrustedOrigin(o.Origin); err != nil {
			return nil, fmt.Errorf("trust the pages' own address: %w", err)
		}
	}
	return s, nil
}

// Visit is one request for a page. It lives as long as its request.
type Visit struct {
	*server.Exchange
	Request  *http.Request
	Language locale.Language
	// Chosen tells that the person has just asked for the language.
	Chosen bool

	site    *Site
	visitor string
}

// Begin reads who visits and in which language: what was just asked for, else what was chosen before, else
// what the browser prefers. A visitor without a name gets one.
func (s *Site) Begin(x *server.Exchange, r *http.Request) *Visit {
	v := &Visit{Exchange: x, Request: r, site: s, visitor: s.Cookie(r, visitorCookie)}
	if len(v.visitor) != len(access.NewToken()) {
		v.Renew()
	}
	if l, ok := locale.Parse(r.URL.Query().Get(languageField)); ok {
		v.Language, v.Chosen = l, true
		s.SetCookie(x, languageCookie, string(l), yearSeconds)
	} else if l, ok := locale.Parse(s.Cookie(r, languageCookie)); ok {
		v.Language = l
	} else {
		v.Language = locale.Accepted(r.Header.Get("Accept-Language"))
	}
	return v
}

// Renew gives the visitor another name, so that forms from before cannot be sent any more: at a log-in, so
// that nobody who planted a cookie before it knows what goes with it.
func (v *Visit) Renew() {
	v.visitor = access.NewToken()
	v.site.SetCookie(v.Exchange, visitorCookie, v.visitor, 0)
}

// Token is what every form of this visitor carries.
func (v *Visit) Token() string {
	mac := hmac.New(sha256.New, v.site.options.Key)
	mac.Write([]byte("form\x00" + v.visitor))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// Posted reads a form and reports whether it came from a page of ours that this visitor was shown.
func (v *Visit) Posted() bool {
	r := v.Request
	if v.site.origins.Check(r) != nil {
		return false
	}
	r.Body = http.MaxBytesReader(v.Exchange, r.Body, maxForm)
	if r.ParseForm() != nil {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(r.PostForm.Get(tokenField)), []byte(v.Token())) == 1
}

// Redirect sends the browser to a path of ours with a fresh GET, so that reloading sends nothing again.
func (v *Visit) Redirect(path string) {
	v.secure()
	v.Header().Set("Location", path)
	v.WriteHeader(http.StatusSeeOther)
}

// name is a cookie's name. With https a browser takes the prefix only from this host and with Secure.
func (s *Site) name(cookie string) string {
	if s.options.Secure {
		return "__Host-" + cookie
	}
	return cookie
}

// SetCookie gives the browser a cookie that no script reads; maxAge in seconds, 0 until the browser closes,
// below 0 to take it away.
func (s *Site) SetCookie(w http.ResponseWriter, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: s.name(name), Value: value, Path: "/", MaxAge: maxAge, Secure: s.options.Secure, HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
}

// Cookie returns what the browser holds under a name, "" for nothing.
func (s *Site) Cookie(r *http.Request, name string) string {
	c, err := r.Cookie(s.name(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// Address names where a request comes from, for counting: the address of the nearest machine that is not a
// trusted proxy, of IPv6 the network of 64 bits that one customer of a provider gets.
func (s *Site) Address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	var hops []string
	for _, line := range r.Header.Values("X-Forwarded-For") {
		hops = append(hops, strings.Split(line, ",")...)
	}
	for i := len(hops) - 1; i >= 0 && s.trusted(ip); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break // a trusted proxy does not write this; whoever sent it is no further to be told
		}
		ip = next
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}

func (s *Site) trusted(ip netip.Addr) bool {
	for _, network := range s.options.TrustedProxies {
		if network.Contains(ip.Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

// secure sets the headers of every answer of a page door.
func (v *Visit) secure() {
	h := v.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
	h.Set("Cache-Control", "no-store")
	if v.site.options.Secure {
		h.Set("Strict-Transport-Security", fmt.Sprintf("max-age=%d", yearSeconds))
	}
}

// Package web is the plumbing of the doors that show pages to people: headers that let nothing foreign in,
// cookies, forms that only the page they came from can send, languages, templates, and the one style sheet.
// It decides nothing and reads nothing but what it embeds, and that only when the first page is asked for.
package web

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
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
	// Policy is what the page may do beyond showing itself; doors set it before they answer.
	Policy Policy

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
	return v.Sent() &&
		subtle.ConstantTimeCompare([]byte(v.Request.PostForm.Get(tokenField)), []byte(v.Token())) == 1
}

// Sent reads a form and reports whether it came from a page of ours, whoever was shown it: for doors whose
// forms carry what proves that by themselves, because in a frame of another site there may be no cookies.
func (v *Visit) Sent() bool {
	return v.site.origins.Check(v.Request) == nil && v.Returned()
}

// Returned reads a form that any site may have sent, such as a bank's, and reports whether it could be read.
func (v *Visit) Returned() bool {
	v.Request.Body = http.MaxBytesReader(v.Exchange, v.Request.Body, maxForm)
	return v.Request.ParseForm() == nil
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
	ip, ok := s.Machine(r)
	if !ok {
		return r.RemoteAddr
	}
	if ip.Is6() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}

// Machine is the address of the nearest machine that is not a trusted proxy. It is personal data.
func (s *Site) Machine(r *http.Request) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return ip, false
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
	return ip.Unmap().WithZone(""), true
}

func (s *Site) trusted(ip netip.Addr) bool {
	for _, network := range s.options.TrustedProxies {
		if network.Contains(ip.Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

// Policy is what a page may do beyond showing itself. The zero Policy is the strictest. What it names are
// origins, such as https://bank.example.
type Policy struct {
	// Script lets the page load scripts from here, and those ask here.
	Script bool
	// Forms are where its forms may go besides here.
	Forms []string
	// Frames are whose pages it may show in a frame, besides ours when there are any.
	Frames []string
	// Ancestors are whose pages may show it in a frame; Own ours, too.
	Ancestors []string
	Own       bool
}

// String is the content security policy. What is no origin is left out of it.
func (p Policy) String() string {
	var b strings.Builder
	b.WriteString("default-src 'none'; style-src 'self'; img-src 'self'; ")
	if p.Script {
		b.WriteString("script-src 'self'; connect-src 'self'; ")
	}
	if len(p.Frames) > 0 {
		b.WriteString("frame-src 'self'" + origins(p.Frames) + "; ")
	}
	ancestors := origins(p.Ancestors)
	if p.Own {
		ancestors = " 'self'" + ancestors
	}
	b.WriteString("form-action 'self'" + origins(p.Forms) + "; base-uri 'none'; frame-ancestors" +
		cmp.Or(ancestors, " 'none'"))
	return b.String()
}

// origins lists the well-formed ones, each with a space before it.
func origins(all []string) string {
	var b strings.Builder
	for _, o := range all {
		if o != "" && OriginOf(o) == o {
			b.WriteString(" " + o)
		}
	}
	return b.String()
}

// OriginOf is the origin of an address of the web, such as https://bank.example; "" when it is none.
func OriginOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
		strings.ContainsAny(u.Host, " ;,'\"*") {
		return ""
	}
	return u.Scheme + "://" + strings.ToLower(u.Host)
}

// secure sets the headers of every answer of a page door.
func (v *Visit) secure() {
	h := v.Header()
	h.Set("Content-Security-Policy", v.Policy.String())
	h.Set("X-Content-Type-Options", "nosniff")
	if !v.Policy.Own && len(v.Policy.Ancestors) == 0 {
		h.Set("X-Frame-Options", "DENY") // it cannot say more than one origin
	}
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
	h.Set("Cache-Control", "no-store")
	if v.site.options.Secure {
		h.Set("Strict-Transport-Security", fmt.Sprintf("max-age=%d", yearSeconds))
	}
}

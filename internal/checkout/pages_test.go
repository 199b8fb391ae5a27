package checkout_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	qr "github.com/piglig/go-qr"

	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/pagetest"
)

var unstable = regexp.MustCompile(`pl_[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f-]{27}\.[\w-]{22}`)

// everyPage is one page of every kind, as a visitor of a language sees it.
func everyPage(r *rig, language string) map[string]*page {
	r.Helper()
	open := func() *visitor {
		v := r.visitor()
		v.header.Set("Accept-Language", language)
		return v
	}
	pages := map[string]*page{
		"missing": open().get("/checkout/pl/none"), "method-wrong": open().do("PUT", "/"+r.link(), nil),
		"form": open().get("/" + r.link()),
		"form-recurring": open().get("/" + r.link(func(f *link.Facts) {
			f.Recurring, f.Metadata = `{"type":"cof_initial","frequency":30}`, ""
		})),
		"paid": open().pay(r.link(), goodCard), "declined": open().pay(r.link(), declinedCard),
		"challenge": open().pay(r.link(), challengeCard), "method": open().pay(r.link(), methodCard),
	}
	action, form := open().get("/" + r.link()).payForm()
	pages["form-wrong"] = open().post(action, form)
	form.Set("key", "x")
	pages["form-foreign"] = open().post(action, form)
	pages["visited"] = open().do("POST", pages["method"].location+"/method", form)
	slow := r.link()
	pages["waiting"] = open().pay(slow, silentCard)
	pages["link-busy"] = open().get("/" + slow)
	payer, paid := open(), r.link()
	payer.pay(paid, goodCard)
	pages["link-paid-mine"], pages["link-paid"] = payer.get("/"+paid), open().get("/"+paid)
	cancelled := r.link()
	r.run(machine.CancelLink{Merchant: r.shop, ID: cancelled})
	pages["link-cancelled"] = open().get("/" + cancelled)
	return pages
}

// Every page keeps its structure; -update writes it anew, for a person to read.
func TestOutlines(t *testing.T) {
	r := newRig(t)
	for name, p := range everyPage(r, "en") {
		pagetest.Outline(t, name, p.root, func(value string) string {
			return unstable.ReplaceAllString(value, "…")
		})
	}
}

// What every page must have, whatever its outline: no faults, one script of ours, strict headers.
func TestEveryPageIsSound(t *testing.T) {
	for _, language := range []string{"kk", "ru", "en"} {
		for name, p := range everyPage(newRig(t), language) {
			sound(t, language+" "+name, language, p)
		}
	}
}

func sound(t *testing.T, name, language string, p *page) {
	t.Helper()
	for _, fault := range pagetest.Faults(p.root, language) {
		t.Errorf("%s (%s): %s", name, p.title(), fault)
	}
	for _, s := range p.all("script") {
		if !strings.HasPrefix(pagetest.Attribute(s, "src"), "/checkout/checkout.js?v=") || s.FirstChild != nil {
			t.Errorf("%s: a script of another kind", name)
		}
	}
	policy := p.header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; style-src 'self'; img-src 'self'; ") ||
		strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") ||
		p.header.Get("Cache-Control") != "no-store" || p.header.Get("Referrer-Policy") != "same-origin" ||
		p.header.Get("Content-Language") != language {
		t.Errorf("%s: its headers are loose: %s", name, policy)
	}
}

// A language that was asked for stays, also in a frame without cookies.
func TestLanguages(t *testing.T) {
	r := newRig(t)
	id := r.link()
	v := r.framed()
	if p := v.get("/" + id); p.title() != "Pay Кофейня «Арай»" {
		t.Error("the browser's language:", p.title())
	}
	p := v.get("/checkout/pl/" + id + "?lang=ru")
	p.says("Оплата в пользу Кофейня «Арай»", "12 345,67 ₸")
	action, form := p.payForm()
	p = v.post(action, filled(form, challengeCard))
	p.says("Подтвердите в вашем банке")
	back := strings.TrimPrefix(r.bank.last.Return, r.url)
	v.post(back, map[string][]string{"cres": {"yes"}}).says("Оплачено", "Квитанция")
	v.get("/" + id + "?lang=kk").says("Төленген")
	v.get("/" + id + "?lang=xx").says("Already paid")
}

// The page may be framed by whom the merchant allows and by nobody else; those, and only those, are told.
func TestFrames(t *testing.T) {
	r := newRig(t)
	id := r.link()
	p := r.framed().get("/" + id)
	if policy := p.header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "frame-ancestors 'none'") ||
		p.header.Get("X-Frame-Options") != "DENY" || strings.Contains(p.body, "data-tell") {
		t.Errorf("anybody may frame it: %s", policy)
	}
	r.set("frame_origins", "https://shop.kz https://b.kz")
	p = r.framed().get("/" + id)
	if policy := p.header.Get("Content-Security-Policy"); p.header.Get("X-Frame-Options") != "" ||
		!strings.HasSuffix(policy, "frame-ancestors https://shop.kz https://b.kz") {
		t.Errorf("the shop may not frame it: %s", policy)
	}
	told := func(p *page) (message, origins string) {
		for _, n := range p.all("div") {
			if pagetest.Attribute(n, "data-tell") != "" {
				return pagetest.Attribute(n, "data-tell"), pagetest.Attribute(n, "data-origins")
			}
		}
		return "", ""
	}
	message, origins := told(p)
	if message != `{"source":"plexy-checkout","state":"active","paymentLinkId":"`+id+`"}` ||
		origins != `["https://shop.kz","https://b.kz"]` {
		t.Errorf("%s is told %s", origins, message)
	}
	paid := r.framed().pay(id, goodCard)
	if message, _ = told(paid); message != `{"source":"plexy-checkout","state":"paid","paymentLinkId":"`+id+
		`","transactionId":"`+r.payments()[0].ID+`"}` {
		t.Errorf("told %s", message)
	}
}

// The QR code holds the link's short address.
func TestQRCode(t *testing.T) {
	r := newRig(t)
	id := r.link()
	p := r.visitor().get("/checkout/pl/" + id + "/qr.svg")
	if p.header.Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(p.body, "<svg") ||
		strings.Contains(p.body, "script") {
		t.Errorf("%s: %s", p.header.Get("Content-Type"), p.body[:min(len(p.body), 100)])
	}
	code := must(qr.EncodeText(r.url+"/"+id, qr.Medium))(t)
	picture := must(code.ToImage(qr.NewQrCodeImgConfig(4, 4)))(t)
	if text := must(qr.Decode(picture))(t); text != r.url+"/"+id {
		t.Errorf("it says %s", text)
	}
}

// Addresses of merchants are led to only when they are of the web; text is text.
func TestMetadata(t *testing.T) {
	r := newRig(t)
	for _, metadata := range []string{
		`{"cancelUrl":"javascript:alert(1)","successUrl":"data:text/html,x","failureUrl":"//evil.kz"}`,
		`{"cancelUrl":7,"successUrl":null,"failureUrl":{}}`, `[]`, `{`, "",
	} {
		id := r.link(func(f *link.Facts) { f.Metadata = metadata })
		v := r.visitor()
		for _, p := range []*page{v.get("/" + id), v.pay(id, declinedCard), v.pay(id, goodCard), v.get("/" + id)} {
			for _, a := range p.all("a") {
				if href := pagetest.Attribute(a, "href"); href != "" && href[0] != '/' && href[0] != '#' {
					t.Errorf("%s: a link leads to %s", metadata, href)
				}
			}
		}
	}
	id := r.link(func(f *link.Facts) { f.Description = `</title><script>alert(1)</script>` })
	if p := r.visitor().get("/" + id); len(p.all("script")) != 1 {
		t.Error("text became an element")
	}
}

// Nothing that was typed as a number or a CVV is in a log, in an address or on a page; logs name routes.
func TestCardNumbersGoNowhere(t *testing.T) {
	r := newRig(t)
	seen := ""
	for _, number := range []string{goodCard, declinedCard, challengeCard, silentCard, "4242424242424241"} {
		v := r.visitor()
		action, form := v.get("/" + r.link()).payForm()
		form = filled(form, number)
		form.Set("cvv", "987")
		p := v.do(http.MethodPost, action, form)
		seen += p.body + p.location + fmt.Sprint(p.header)
		p = v.get(p.location)
		seen += p.body
	}
	r.flush()
	for _, number := range []string{goodCard, declinedCard, challengeCard, silentCard, "4242424242424241"} {
		plain := strings.ReplaceAll(number, " ", "")
		for _, form := range []string{number, plain, plain[:12], plain[4:]} {
			if strings.Contains(seen, form) || strings.Contains(r.log.String(), form) {
				t.Errorf("%s was seen", form)
			}
		}
	}
	if strings.Contains(r.log.String(), "pl_") || strings.Contains(r.log.String(), "Aray") {
		t.Error("a path or a name is in the log")
	}
	for line := range strings.SplitSeq(strings.TrimSpace(r.log.String()), "\n") {
		if !strings.Contains(line, `"route":"/checkout/pl/{id}`) {
			t.Error(line)
		}
	}
}

// Every reason for which a payment comes to nothing has words in every language.
func TestReasonsHaveWords(t *testing.T) {
	r := newRig(t)
	for _, code := range strings.Split(" 00 05 12 1A 33 41 51 54 56 61 62 65 82 91 96 xx", " ") {
		id := r.link()
		v := r.visitor()
		p := v.pay(id, silentCard)
		paid := must(r.store.AnyLink(t.Context(), id))(t).Busy
		ops := must(r.store.OperationsOf(t.Context(), paid))(t)
		attempt := &machine.Pay{Payment: must(r.store.AnyPayment(t.Context(), paid))(t), Operation: ops[0]}
		r.bank.answer(attempt, payment.Answer{State: payment.Declined, Code: code})
		v.get(p.location).says("The payment was declined", "Nothing was taken.")
	}
}

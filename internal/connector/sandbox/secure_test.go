package sandbox_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"plexy/internal/card"
	"plexy/internal/connector"
	"plexy/internal/connector/sandbox"
	magic "plexy/internal/sandbox"
)

const notification = "https://shop.test/3ds/back?order=7"

func authentication(t *testing.T, digits string) connector.Authentication {
	t.Helper()
	o := order(150_000)
	o.Acceptor.Name = "Кофейня «Арай»"
	return connector.Authentication{Order: o, Card: aCard(t, digits, "123"), Notification: notification,
		MethodReturn: "https://shop.test/3ds/method", SessionData: "c2Vzc2lvbg"}
}

// token is what the address of a page ends in.
func token(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

func fieldOf(f connector.Form, name string) string {
	for _, field := range f.Fields {
		if field.Name == name {
			return field.Value
		}
	}
	return ""
}

// challenge answers a challenge as a payer would and returns what came of the authentication.
func challenge(t *testing.T, r *rig, s connector.Step, codes []string, cancelled bool) connector.Proof {
	t.Helper()
	if s.Kind != connector.Challenge || s.Proof.Status != connector.InChallenge {
		t.Fatalf("there is no challenge: %+v", s.Proof)
	}
	c, err := r.Open(token(s.Form.URL), fieldOf(s.Form, "creq"))
	if err != nil {
		t.Fatal(err)
	}
	_, end, err := r.Answer(c.Token, codes, cancelled)
	if err != nil || end == nil || end.ReturnTo != notification {
		t.Fatalf("the challenge ends with %+v, %v", end, err)
	}
	first := r.Continue(t.Context(), s.Session, connector.Return{CRes: end.CRes})
	again := r.Continue(t.Context(), s.Session, connector.Return{CRes: end.CRes})
	if again.Proof != first.Proof {
		t.Errorf("the same CRes is read as %+v and as %+v", first.Proof, again.Proof)
	}
	if first.Kind != connector.Done || !first.Proof.Challenged {
		t.Errorf("the end is %+v", first)
	}
	return first.Proof
}

// TestSecureCards is plexy-api.md §19.2: how each card is authenticated.
func TestSecureCards(t *testing.T) {
	r := newRig(t)
	right, wrong := []string{"555"}, []string{"111"}
	for _, c := range []struct {
		digits    string
		screen    magic.Screen // "" for no challenge
		codes     []string
		cancelled bool
		status    connector.TransStatus
		reason    connector.StatusReason
		eci       string
		verdict   connector.Verdict
	}{
		{"4111111111111111", magic.Text, right, false, "Y", "", "05", connector.Proceed},
		{"4111111111111111", magic.Text, wrong, false, "N", "01", "07", connector.Refuse},
		{"4111111111111111", magic.Text, nil, true, "N", "01", "07", connector.Refuse},
		{"4200000000000000", magic.OutOfBand, right, false, "Y", "", "05", connector.Proceed},
		{"4200000000000000", magic.OutOfBand, wrong, false, "N", "01", "07", connector.Refuse},
		{"4640170131116658", magic.HTML, right, false, "Y", "", "05", connector.Proceed},
		{"4907639999909022", "", nil, false, "Y", "", "05", connector.Proceed},
		{"4907639999990022", "", nil, false, "R", "11", "07", connector.Refuse},
		{"4907630099999922", "", nil, false, "N", "01", "07", connector.Refuse},
		{"4001880000000055", magic.Text, right, false, "N", "01", "07", connector.Refuse},
		{"4918914107195005", magic.Text, right, false, "Y", "", "05", connector.Proceed},
		{"5555555555554444", magic.Text, right, false, "Y", "", "02", connector.Proceed},
		{"5555555555554444", magic.Text, wrong, false, "N", "01", "00", connector.Refuse},
		{"5283901669012672", magic.Single, right, false, "Y", "", "02", connector.Proceed},
		{"5440382741349178", magic.Multi, []string{"555", "777"}, false, "Y", "", "02", connector.Proceed},
		{"5440382741349178", magic.Multi, []string{"555", "111"}, false, "N", "01", "00", connector.Refuse},
		{"5168159443230322", magic.Text, right, false, "U", "22", "00", connector.Refuse},
		{"5283901906612672", "", nil, false, "R", "11", "00", connector.Refuse},
		{"5283901901266672", "", nil, false, "N", "13", "00", connector.Unshifted},
		{"5105105105105100", "", nil, false, "Y", "", "02", connector.Proceed},
		{"4242424242424242", "", nil, false, "Y", "", "05", connector.Proceed},
		{"4000000000002008", "", nil, false, "U", "14", "07", connector.Unshifted},
		{"4000000000003006", "", nil, false, "A", "26", "06", connector.Proceed},
	} {
		s := r.Start(t.Context(), authentication(t, c.digits))
		p := s.Proof
		if c.screen != "" {
			shown, err := r.Open(token(s.Form.URL), fieldOf(s.Form, "creq"))
			if err != nil || shown.Screen != c.screen || shown.Last4 != c.digits[12:] {
				t.Errorf("%s: shown is %+v, %v", c.digits, shown, err)
			}
			p = challenge(t, r, s, c.codes, c.cancelled)
		}
		if p.Status != c.status || p.Reason != c.reason || p.ECI != c.eci || p.Verdict() != c.verdict ||
			p.Challenged != (c.screen != "") || (p.Value != "") != (c.verdict == connector.Proceed) {
			t.Errorf("%s %v: %+v", c.digits, c.codes, p)
		}
		if (p.CancelledBy == "01") != (c.cancelled || c.digits == "4001880000000055") {
			t.Errorf("%s: cancelled by %q", c.digits, p.CancelledBy)
		}
		if len(p.ServerID) != 36 || len(p.DirectoryID) != 36 || len(p.ACSID) != 36 || p.Version != "2.2.0" {
			t.Errorf("%s: ids and version are %+v", c.digits, p)
		}
	}
}

// TestTheMethodComesFirst: then the directory is asked, and the answer is as without it.
func TestTheMethodComesFirst(t *testing.T) {
	r := newRig(t)
	for _, done := range []string{"Y", "N", "U", ""} {
		s := r.Start(t.Context(), authentication(t, "5200000000001005"))
		if s.Kind != connector.Method || len(s.Session) > 4096 {
			t.Fatalf("the first step is %+v", s)
		}
		to, data, err := r.Visit(token(s.Form.URL))
		if err != nil || to != "https://shop.test/3ds/method" || data == "" {
			t.Errorf("the method's page posts %q to %q, %v", data, to, err)
		}
		next := r.Continue(t.Context(), s.Session, connector.Return{MethodDone: done})
		if p := challenge(t, r, next, []string{"555"}, false); p.Status != connector.Authenticated {
			t.Errorf("%+v", p)
		}
	}
	s := r.Start(t.Context(), authentication(t, "4000000000001000"))
	next := r.Continue(t.Context(), s.Session, connector.Return{MethodDone: "Y"})
	if next.Kind != connector.Done || next.Proof.Status != connector.Authenticated || next.Proof.Challenged {
		t.Errorf("%+v", next)
	}
}

// TestExemptions spare a challenge, but where one is required.
func TestExemptions(t *testing.T) {
	r := newRig(t)
	for digits, kind := range map[string]connector.StepKind{
		"4111111111111111": connector.Done, "4918914107195005": connector.Challenge,
	} {
		a := authentication(t, digits)
		a.Exemption = connector.LowValue
		if s := r.Start(t.Context(), a); s.Kind != kind {
			t.Errorf("%s: %+v", digits, s)
		}
	}
}

// TestWrongAnswers: there are three tries.
func TestWrongAnswers(t *testing.T) {
	r := newRig(t)
	s := r.Start(t.Context(), authentication(t, "4111111111111111"))
	c, err := r.Open(token(s.Form.URL), fieldOf(s.Form, "creq"))
	var end *sandbox.Ended
	for try := 1; try <= 3 && err == nil; try++ {
		if end != nil || c.Wrong != (try > 1) {
			t.Errorf("try %d: %+v, %+v", try, c, end)
		}
		c, end, err = r.Answer(c.Token, []string{"123"}, false)
	}
	if err != nil || end == nil {
		t.Fatalf("three wrong answers: %+v, %v", c, err)
	}
	p := r.Continue(t.Context(), s.Session, connector.Return{CRes: end.CRes}).Proof
	if p.Status != connector.NotProven || p.Reason != "19" {
		t.Errorf("%+v", p)
	}
}

// TestNobodyProvesAnythingAlone: what a browser makes up, changes or keeps too long proves nothing.
func TestNobodyProvesAnythingAlone(t *testing.T) {
	r := newRig(t)
	s := r.Start(t.Context(), authentication(t, "4111111111111111"))
	_, end, err := r.Answer(token(s.Form.URL), []string{"111"}, false)
	if err != nil {
		t.Fatal(err)
	}
	other := r.Start(t.Context(), authentication(t, "4111111111111111"))
	_, good, err := r.Answer(token(other.Form.URL), []string{"555"}, false)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := base64.RawURLEncoding.DecodeString(end.CRes)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(plain), `"transStatus":"N"`, `"transStatus":"Y"`, 1)
	if changed == string(plain) {
		t.Fatalf("the CRes is %s", plain)
	}
	for name, text := range map[string]string{
		"nothing": "", "no base64": "!", "no message": "e30", "changed": base64.RawURLEncoding.EncodeToString(
			[]byte(changed)), "of another authentication": good.CRes, "too long": strings.Repeat("A", 1<<20),
	} {
		step := r.Continue(t.Context(), s.Session, connector.Return{CRes: text})
		if step.Proof.Status != connector.Unavailable || step.Proof.Verdict() != connector.Refuse ||
			step.Proof.Value != "" || step.Proof.ErrorCode == "" {
			t.Errorf("%s: %+v", name, step.Proof)
		}
	}
	padded := end.CRes + strings.Repeat("=", (4-len(end.CRes)%4)%4)
	if p := r.Continue(t.Context(), s.Session, connector.Return{CRes: padded}).Proof; p.Status != "N" {
		t.Errorf("with padding it is %+v", p)
	}
	for _, session := range []string{"", "x", token(s.Form.URL), s.Session + "AA"} {
		if p := r.Continue(t.Context(), session, connector.Return{CRes: good.CRes}).Proof; p.Value != "" ||
			p.Status != connector.Unavailable {
			t.Errorf("with another session: %+v", p)
		}
	}
	if _, _, err := r.Answer(s.Session, []string{"555"}, false); err == nil {
		t.Error("a session opens a challenge")
	}
	if _, err := r.Open(token(s.Form.URL), fieldOf(other.Form, "creq")); err == nil {
		t.Error("a challenge opens with the CReq of another one")
	}
	r.clock.Advance(15*time.Minute.Microseconds() + 1)
	if p := r.Continue(t.Context(), other.Session, connector.Return{CRes: good.CRes}).Proof; p.Value != "" {
		t.Errorf("after its time: %+v", p)
	}
	_, late, err := r.Answer(token(other.Form.URL), []string{"555"}, false)
	if err != nil {
		t.Fatal(err)
	}
	plain, err = base64.RawURLEncoding.DecodeString(late.CRes)
	if err != nil || !strings.Contains(string(plain), `"transStatus":"N"`) {
		t.Errorf("after its time the challenge ends as %s, %v", plain, err)
	}
}

// TestMessagesAreShaped as EMV 3-D Secure 2.2.0 has them, and no message or ticket shows the card.
func TestMessagesAreShaped(t *testing.T) {
	r := newRig(t)
	s := r.Start(t.Context(), authentication(t, "4111111111111111"))
	if !strings.HasPrefix(s.Form.URL, "http://bank.test/acs/challenge/") || len(s.Form.URL) > 2048 {
		t.Errorf("the ACS is at %s", s.Form.URL)
	}
	if fieldOf(s.Form, "threeDSSessionData") != "c2Vzc2lvbg" {
		t.Errorf("the form is %+v", s.Form)
	}
	_, end, err := r.Answer(token(s.Form.URL), []string{"555"}, false)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]map[string]string{
		fieldOf(s.Form, "creq"): {"messageType": "CReq", "messageVersion": "2.2.0", "challengeWindowSize": "05",
			"acsTransID": s.Proof.ACSID, "threeDSServerTransID": s.Proof.ServerID},
		end.CRes: {"messageType": "CRes", "messageVersion": "2.2.0", "transStatus": "Y",
			"acsTransID": s.Proof.ACSID, "threeDSServerTransID": s.Proof.ServerID},
	} {
		plain, err := base64.RawURLEncoding.DecodeString(text)
		var got map[string]any
		if err != nil || json.Unmarshal(plain, &got) != nil {
			t.Fatalf("%s is no message: %v", text, err)
		}
		for name, value := range want {
			if got[name] != value {
				t.Errorf("%s is %v, want %s", name, got[name], value)
			}
		}
	}
	for _, text := range []string{s.Session, s.Form.URL, end.CRes, fieldOf(s.Form, "creq")} {
		for _, part := range strings.FieldsFunc(text, func(c rune) bool { return c == '/' || c == ':' }) {
			plain, _ := base64.RawURLEncoding.DecodeString(part)
			if strings.Contains(string(plain), "1111") {
				t.Errorf("%q holds digits of the card", plain)
			}
		}
	}
}

// TestAuthenticationsThatCannotBe are answered, not asked; and a fault is silence.
func TestAuthenticationsThatCannotBe(t *testing.T) {
	r := newRig(t)
	for name, spoil := range map[string]func(*connector.Authentication){
		"notificationURL":    func(a *connector.Authentication) { a.Notification = "javascript:alert(1)" },
		"threeDSSessionData": func(a *connector.Authentication) { a.SessionData = strings.Repeat("x", 1025) },
		"acctNumber":         func(a *connector.Authentication) { a.Card = card.Card{} },
		"currency":           func(a *connector.Authentication) { a.Currency = "XXX" },
	} {
		a := authentication(t, "4111111111111111")
		spoil(&a)
		s := r.Start(t.Context(), a)
		if s.Kind != connector.Done || s.Proof.Status != connector.Unavailable || s.Proof.ErrorCode != "203" ||
			!strings.Contains(s.Proof.ErrorDetail, name) {
			t.Errorf("%s: %+v", name, s.Proof)
		}
	}
	for _, fault := range []magic.Fault{magic.NotSent, magic.LostAnswer, magic.Error500, magic.Error503} {
		r.dial = magic.Dial{Operation: magic.Acquirer, Fault: fault}
		a := authentication(t, "4907639999909022")
		if s := r.Start(t.Context(), a); s.Kind != connector.Silence {
			t.Errorf("%s: %+v", fault, s)
		}
		if s := r.Start(t.Context(), a); s.Kind != connector.Done || s.Proof.Status != connector.Authenticated {
			t.Errorf("after %s: %+v", fault, s)
		}
	}
}

// FuzzWhatBrowsersBring: whatever it is, nothing breaks and nobody is authenticated by it.
func FuzzWhatBrowsersBring(f *testing.F) {
	f.Add("", "", "")
	f.Add("e30", "eyJtZXNzYWdlVHlwZSI6IkNSZXMifQ", "e30=")
	f.Fuzz(func(t *testing.T, session, message, signature string) {
		r := newRig(t)
		s := r.Start(t.Context(), authentication(t, "4111111111111111"))
		for _, with := range []string{session, s.Session} {
			p := r.Continue(t.Context(), with, connector.Return{CRes: message, MethodDone: session}).Proof
			if p.Status != connector.Unavailable || p.Value != "" {
				t.Errorf("%+v", p)
			}
		}
		if _, err := r.Open(token(s.Form.URL), message); err == nil {
			t.Error("it opens a challenge")
		}
		if _, err := r.Open(session, fieldOf(s.Form, "creq")); err == nil {
			t.Error("it is the address of a challenge")
		}
		_, err := r.Callback(func(string) string { return signature }, []byte(message))
		if err == nil {
			t.Error("it is a callback")
		}
	})
}

package receiver_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"plexy/receiver"
)

const (
	token = "whtok_made-up"
	id    = "evt_1"
	body  = `{"id":"evt_1","number":7,"sequence":2,"name":"wallet.transaction.captured","version":1,` +
		`"merchantId":"mer_1","createdAt":"2026-11-27T10:00:00.123456Z","data":{"id":"wt_1","amount":1000}}`
)

var (
	secret = made('a')
	other  = made('b')
	now    = time.Unix(1_795_000_000, 400_000_000)
)

// made returns a made-up secret.
func made(b byte) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32))
}

// signed returns the headers of a delivery, signed by the library of those who wrote the standard.
func signed(t testing.TB, at time.Time, text string, secrets ...string) http.Header {
	t.Helper()
	var signatures []string
	for _, s := range secrets {
		judge, err := standardwebhooks.NewWebhook(s)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := judge.Sign(id, at, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		signatures = append(signatures, signature)
	}
	h := http.Header{}
	h.Set("Authorization", "Bearer "+token)
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	h.Set("webhook-signature", strings.Join(signatures, " "))
	return h
}

func open(t testing.TB, token string, secrets ...string) *receiver.Receiver {
	t.Helper()
	r, err := receiver.New(token, secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPublishedVector is the example that the standard's own libraries are tested with. Its body is no event
// of ours, so a good signature is told by the error that comes after it.
func TestPublishedVector(t *testing.T) {
	r := open(t, "", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	h := http.Header{}
	h.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	h.Set("webhook-timestamp", "1614265330")
	h.Set("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	_, err := r.Verify(h, []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0))
	if !errors.Is(err, receiver.ErrBody) {
		t.Errorf("the published example: %v", err)
	}
	_, err = r.Verify(h, []byte(`{"test": 2432232315}`), time.Unix(1614265330, 0))
	if !errors.Is(err, receiver.ErrSignature) {
		t.Errorf("the published example, altered: %v", err)
	}
}

func TestEvent(t *testing.T) {
	e, err := open(t, token, secret).Verify(signed(t, now, body, secret), []byte(body), now)
	if err != nil {
		t.Fatal(err)
	}
	if e.ID != "evt_1" || e.Number != 7 || e.Sequence != 2 || e.Name != "wallet.transaction.captured" ||
		e.Version != 1 || e.MerchantID != "mer_1" || string(e.Data) != `{"id":"wt_1","amount":1000}` ||
		!e.CreatedAt.Equal(time.Date(2026, 11, 27, 10, 0, 0, 123_456_000, time.UTC)) {
		t.Errorf("read %+v", e)
	}
}

func TestVerify(t *testing.T) {
	set := func(name, value string) func(http.Header) {
		return func(h http.Header) { h.Set(name, value) }
	}
	without := func(name string) func(http.Header) { return func(h http.Header) { h.Del(name) } }
	twice := func(name string) func(http.Header) {
		return func(h http.Header) { h.Add(name, h.Get(name)) }
	}
	good := signed(t, now, body, secret).Get("webhook-signature")
	for what, c := range map[string]struct {
		alter func(http.Header)
		want  error
	}{
		"as it was sent":              {func(http.Header) {}, nil},
		"no id":                       {without("webhook-id"), receiver.ErrHeader},
		"empty id":                    {set("webhook-id", ""), receiver.ErrHeader},
		"two ids":                     {twice("webhook-id"), receiver.ErrHeader},
		"id with a dot":               {set("webhook-id", "evt_1.5"), receiver.ErrHeader},
		"another id":                  {set("webhook-id", "evt_2"), receiver.ErrSignature},
		"no time":                     {without("webhook-timestamp"), receiver.ErrHeader},
		"two times":                   {twice("webhook-timestamp"), receiver.ErrHeader},
		"time is a word":              {set("webhook-timestamp", "now"), receiver.ErrHeader},
		"time is a fraction":          {set("webhook-timestamp", "1795000000.5"), receiver.ErrHeader},
		"time beyond all":             {set("webhook-timestamp", "9223372036854775807"), receiver.ErrTime},
		"time before all":             {set("webhook-timestamp", "-9223372036854775808"), receiver.ErrTime},
		"time too long":               {set("webhook-timestamp", strings.Repeat("9", 30)), receiver.ErrHeader},
		"another second":              {set("webhook-timestamp", "1795000001"), receiver.ErrSignature},
		"same time written otherwise": {set("webhook-timestamp", "+1795000000"), receiver.ErrSignature},
		"no signature":                {without("webhook-signature"), receiver.ErrHeader},
		"two signature headers":       {twice("webhook-signature"), receiver.ErrHeader},
		"signature is spaces":         {set("webhook-signature", "   "), receiver.ErrSignature},
		"signature without version":   {set("webhook-signature", good[3:]), receiver.ErrSignature},
		"other version":               {set("webhook-signature", "v1a"+good[2:]), receiver.ErrSignature},
		"signature cut":               {set("webhook-signature", good[:len(good)-1]), receiver.ErrSignature},
		"signature and more":          {set("webhook-signature", good+"A"), receiver.ErrSignature},
		"among others":                {set("webhook-signature", "v1a,x v1, "+good+" v9,y"), nil},
		"no token":                    {without("Authorization"), receiver.ErrToken},
		"token without scheme":        {set("Authorization", token), receiver.ErrToken},
		"other scheme":                {set("Authorization", "Basic "+token), receiver.ErrToken},
		"other token":                 {set("Authorization", "Bearer "+token+"x"), receiver.ErrToken},
		"scheme in small letters":     {set("Authorization", "bearer "+token), nil},
	} {
		h := signed(t, now, body, secret)
		c.alter(h)
		if _, err := open(t, token, secret).Verify(h, []byte(body), now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	h := signed(t, now, body, secret)
	h.Del("Authorization")
	if _, err := open(t, "", secret).Verify(h, []byte(body), now); err != nil {
		t.Errorf("a receiver that was given no token looks for one: %v", err)
	}
}

func TestEveryByteOfTheBodyCounts(t *testing.T) {
	r, h := open(t, token, secret), signed(t, now, body, secret)
	for at := range body {
		altered := []byte(body)
		altered[at] ^= 1
		if _, err := r.Verify(h, altered, now); !errors.Is(err, receiver.ErrSignature) {
			t.Fatalf("byte %d altered: %v", at, err)
		}
	}
	for _, text := range []string{"", body[:len(body)-1], body + " ", " " + body} {
		if _, err := r.Verify(h, []byte(text), now); !errors.Is(err, receiver.ErrSignature) {
			t.Errorf("cut or longer: %v", err)
		}
	}
}

func TestSkew(t *testing.T) {
	sent := now.Truncate(time.Second)
	r, h := open(t, token, secret), signed(t, sent, body, secret)
	for _, c := range []struct {
		skew time.Duration
		want error
	}{
		{0, nil}, {300 * time.Second, nil}, {-300 * time.Second, nil},
		{300*time.Second + 1, receiver.ErrTime}, {-300*time.Second - 1, receiver.ErrTime},
		{24 * time.Hour, receiver.ErrTime}, {-24 * time.Hour, receiver.ErrTime},
	} {
		if _, err := r.Verify(h, []byte(body), sent.Add(c.skew)); !errors.Is(err, c.want) {
			t.Errorf("%v after it was signed: %v, want %v", c.skew, err, c.want)
		}
	}
}

func TestRotation(t *testing.T) {
	for what, c := range map[string]struct {
		signedBy, known []string
		want            error
	}{
		"before":                     {[]string{secret}, []string{secret}, nil},
		"both sign, old known":       {[]string{other, secret}, []string{secret}, nil},
		"both sign, new known":       {[]string{other, secret}, []string{other}, nil},
		"both sign, both known":      {[]string{other, secret}, []string{secret, other}, nil},
		"new signs, both known":      {[]string{other}, []string{secret, other}, nil},
		"new signs, only old known":  {[]string{other}, []string{secret}, receiver.ErrSignature},
		"old signs, only new known":  {[]string{secret}, []string{other}, receiver.ErrSignature},
		"somebody else's, two known": {[]string{made('c')}, []string{secret, other}, receiver.ErrSignature},
	} {
		h := signed(t, now, body, c.signedBy...)
		if _, err := open(t, token, c.known...).Verify(h, []byte(body), now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
}

// owner returns a made-up public key and who signs for it: straight with crypto/ed25519, as the standard
// says.
func owner(b byte) (public string, sign func(at time.Time, text string) string) {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, 32))
	public = "whpk_" + base64.StdEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	return public, func(at time.Time, text string) string {
		message := fmt.Sprintf("%s.%d.%s", id, at.Unix(), text)
		return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(message)))
	}
}

func TestPublicKeys(t *testing.T) {
	public, sign := owner('a')
	another, signOther := owner('b')
	good, hmac := sign(now, body), signed(t, now, body, secret).Get("webhook-signature")
	flipped := []byte(good)
	flipped[len("v1a,")+20] ^= 1
	noise := strings.Repeat("v1a,"+strings.Repeat("A", 86)+"== ", 4)
	for what, c := range map[string]struct {
		signatures string
		known      []string
		want       error
	}{
		"alone":                      {good, []string{public}, nil},
		"beside a secret's":          {hmac + " " + good, []string{public}, nil},
		"the secret is known":        {hmac + " " + good, []string{secret}, nil},
		"both are known, one signs":  {hmac, []string{public, secret}, nil},
		"both, the other signs":      {good, []string{secret, public}, nil},
		"rotated, old known":         {signOther(now, body) + " " + good, []string{public}, nil},
		"rotated, new known":         {signOther(now, body) + " " + good, []string{another}, nil},
		"only a secret signs":        {hmac, []string{public}, receiver.ErrSignature},
		"only the key signs":         {good, []string{secret}, receiver.ErrSignature},
		"another's":                  {signOther(now, body), []string{public}, receiver.ErrSignature},
		"of another body":            {sign(now, body+" "), []string{public}, receiver.ErrSignature},
		"of another time":            {sign(now.Add(time.Second), body), []string{public}, receiver.ErrSignature},
		"as another version":         {"v1," + good[4:], []string{public}, receiver.ErrSignature},
		"one bit altered":            {string(flipped), []string{public}, receiver.ErrSignature},
		"cut":                        {good[:len(good)-4], []string{public}, receiver.ErrSignature},
		"behind as many as it tries": {noise + good, []string{public}, receiver.ErrSignature},
		"before them":                {good + " " + noise, []string{public}, nil},
	} {
		h := signed(t, now, body, secret)
		h.Set("webhook-signature", c.signatures)
		if _, err := open(t, token, c.known...).Verify(h, []byte(body), now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	h := signed(t, now, body, secret)
	h.Set("webhook-signature", good)
	r := open(t, token, public)
	for at := range body {
		altered := []byte(body)
		altered[at] ^= 1
		if _, err := r.Verify(h, altered, now); !errors.Is(err, receiver.ErrSignature) {
			t.Fatalf("byte %d altered: %v", at, err)
		}
	}
	late := now.Add(receiver.MaxSkew + time.Second)
	if _, err := r.Verify(h, []byte(body), late); !errors.Is(err, receiver.ErrTime) {
		t.Errorf("a copy of five minutes ago: %v", err)
	}
}

func TestSecretsAreChecked(t *testing.T) {
	encoded := func(n int) string {
		return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n))
	}
	public, _ := owner('a')
	for what, secrets := range map[string][]string{
		"none": {}, "empty": {""}, "no prefix": {secret[6:]}, "not base64": {"whsec_!" + secret[7:]},
		"prefix alone": {"whsec_"}, "too short": {encoded(23)}, "too long": {encoded(65)},
		"the second is wrong": {secret, "whsec_x"}, "a token": {token},
		"a public key too short": {"whpk_" + encoded(31)[6:]}, "too long a one": {"whpk_" + encoded(33)[6:]},
		"a public key as a secret's": {"whpk_" + secret}, "a private key": {"whsk_" + public[5:]},
		"a public key that is not base64": {"whpk_!" + public[6:]}, "with its prefix alone": {"whpk_"},
	} {
		_, err := receiver.New(token, secrets...)
		if !errors.Is(err, receiver.ErrSecret) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, n := range []int{24, 32, 64} {
		if _, err := receiver.New(token, encoded(n)); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestSignedBodyThatIsNoEvent(t *testing.T) {
	for _, text := range []string{
		"", "[]", "7", `{"id":"evt_1"}`, `{"name":"x"}`, `{"id":1,"name":"x"}`, body + "}",
	} {
		h := signed(t, now, text, secret)
		if _, err := open(t, token, secret).Verify(h, []byte(text), now); !errors.Is(err, receiver.ErrBody) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestHandler sends to a real server and looks at its answers.
func TestHandler(t *testing.T) {
	var got []string
	fail := false
	server := httptest.NewServer(open(t, token, secret).Handler(
		func(_ context.Context, e receiver.Event) error {
			if fail {
				return errors.New("no room")
			}
			got = append(got, e.ID)
			return nil
		}))
	defer server.Close()
	post := func(method string, h http.Header, body io.Reader) int {
		t.Helper()
		request, err := http.NewRequest(method, server.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header = h
		answer, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return answer.StatusCode
	}
	fresh := func(text string) http.Header { return signed(t, time.Now(), text, secret) }
	old := signed(t, time.Now().Add(-receiver.MaxSkew-time.Second), body, secret)
	long := strings.Repeat(" ", receiver.MaxBody-len(body)) + body // just fits
	noHeaders := http.Header{}
	for _, c := range []struct {
		what   string
		method string
		header http.Header
		body   string
		want   int
	}{
		{"a good one", "POST", fresh(body), body, 204},
		{"as long as it may be", "POST", fresh(long), long, 204},
		{"one byte longer", "POST", fresh(" " + long), " " + long, 413},
		{"no headers", "POST", noHeaders, body, 400},
		{"altered", "POST", fresh(body), strings.Replace(body, "1000", "9000", 1), 401},
		{"kept for five minutes", "POST", old, body, 401},
		{"no event", "POST", fresh("[]"), "[]", 400},
		{"another method", "PUT", fresh(body), body, 405},
		{"a look with a browser", "GET", noHeaders, "", 405},
	} {
		if status := post(c.method, c.header, strings.NewReader(c.body)); status != c.want {
			t.Errorf("%s: %d, want %d", c.what, status, c.want)
		}
	}
	if fmt.Sprint(got) != "[evt_1 evt_1]" {
		t.Errorf("handled %v", got)
	}
	fail = true
	if status := post("POST", fresh(body), strings.NewReader(body)); status != 500 {
		t.Errorf("a failing handler answers %d, so the event would not come again", status)
	}
}

// FuzzVerifyByPublicKey: whatever the signatures are, nothing but what the owner of the key signed is
// accepted.
func FuzzVerifyByPublicKey(f *testing.F) {
	public, sign := owner('a')
	f.Add(sign(now, body), body)
	f.Add("v1a, v1a,AAAA v1,x v1a,"+sign(now, body), body)
	f.Add("v1a,"+strings.Repeat("A", 86)+"==", "{}")
	r, err := receiver.New("", public)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, signatures, body string) {
		h := signed(t, now, body, secret)
		h.Set("webhook-signature", signatures)
		_, err := r.Verify(h, []byte(body), now)
		accepted := err == nil || errors.Is(err, receiver.ErrBody)
		if accepted && !strings.Contains(" "+signatures+" ", " "+sign(now, body)+" ") {
			t.Fatal("accepted what the owner of the key did not sign")
		}
	})
}

// FuzzVerify gives the headers' texts. Whatever they are, nothing but what the judge signed is accepted.
func FuzzVerify(f *testing.F) {
	h := signed(f, now, body, secret)
	f.Add(h.Get("webhook-id"), h.Get("webhook-timestamp"), h.Get("webhook-signature"),
		h.Get("Authorization"), body)
	f.Add("evt_1.1795000000", "1795000000", "v1, v1,= v1a,AAAA ,,", "Bearer", "{}")
	f.Add("", "-1", " ", "", "")
	r, err := receiver.New(token, secret, other)
	if err != nil {
		f.Fatal(err)
	}
	judge, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		f.Fatal(err)
	}
	second, err := standardwebhooks.NewWebhook(other)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id, stamp, signature, authorization, body string) {
		h := http.Header{}
		h.Set("webhook-id", id)
		h.Set("webhook-timestamp", stamp)
		h.Set("webhook-signature", signature)
		h.Set("Authorization", authorization)
		_, err := r.Verify(h, []byte(body), now)
		if err != nil && !errors.Is(err, receiver.ErrBody) {
			return
		}
		if judge.VerifyIgnoringTimestamp([]byte(body), h) != nil &&
			second.VerifyIgnoringTimestamp([]byte(body), h) != nil {
			t.Fatal("accepted what the standard's library refuses")
		}
	})
}

package sandbox_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"plexy/internal/sandbox"
)

func TestEveryDialIsReadAsItIsWritten(t *testing.T) {
	texts := []string{"none", "slow=1", "slow=8", "capture:slow=5"}
	for _, fault := range sandbox.Faults() {
		texts = append(texts, string(fault))
		for _, operation := range slices.Concat(sandbox.Operations(), sandbox.AcquirerCalls(),
			[]string{"webhook", "callback", "acquirer"}) {
			texts = append(texts, operation+":"+string(fault))
		}
	}
	for _, text := range texts {
		d, err := sandbox.ParseDial(text)
		if err != nil || d.String() != text {
			t.Errorf("%s is read as %+v and written %s, %v", text, d, d, err)
		}
	}
	if d, err := sandbox.ParseDial("slow"); err != nil || d.Seconds != sandbox.DefaultSlow {
		t.Errorf("slow is %+v, %v", d, err)
	}
	if d, err := sandbox.ParseDial("get:none"); err != nil || d != (sandbox.Dial{}) {
		t.Errorf("get:none is %+v, %v", d, err)
	}
}

func TestWhatIsNoFault(t *testing.T) {
	for _, text := range []string{
		"", "lost", "NOT_SENT", " slow", "slow=", "slow=0", "slow=9", "slow=+3", "slow=03", "slow=3s",
		"error_500=3", "none=1", "slow,error_500", "capture:", "capture:capture:slow",
	} {
		if d, err := sandbox.ParseDial(text); !errors.Is(err, sandbox.ErrFault) {
			t.Errorf("%q is read as %+v, %v", text, d, err)
		}
	}
	for _, text := range []string{":slow", "expire:slow", "Capture:slow", "acquirer_get:slow"} {
		if d, err := sandbox.ParseDial(text); !errors.Is(err, sandbox.ErrOperation) {
			t.Errorf("%q is read as %+v, %v", text, d, err)
		}
	}
	if d, err := sandbox.ParseFault("capture:slow"); !errors.Is(err, sandbox.ErrFault) {
		t.Errorf("a request dials %+v, %v", d, err)
	}
}

func TestADialIsForItsOperation(t *testing.T) {
	d, err := sandbox.ParseDial("capture:lost_answer")
	if err != nil || d.For("capture").Fault != sandbox.LostAnswer || d.For("refund").Fault != "" {
		t.Errorf("capture:lost_answer strikes %+v and %+v, %v", d.For("capture"), d.For("refund"), err)
	}
	for text, strikes := range map[string]string{
		"slow":                  "authorize capture get",
		"webhook:slow":          "webhook",
		"callback:slow":         "callback",
		"acquirer:slow":         "acquirer_authorize acquirer_capture acquirer_3ds",
		"acquirer_capture:slow": "acquirer_capture",
	} {
		d, err := sandbox.ParseDial(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, operation := range []string{"authorize", "capture", "get", "webhook", "callback",
			"acquirer_authorize", "acquirer_capture", "acquirer_3ds"} {
			want := slices.Contains(strings.Fields(strikes), operation)
			if got := d.For(operation).Fault == sandbox.Slow; got != want {
				t.Errorf("%s strikes %s: %t", text, operation, got)
			}
		}
	}
}

package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plexy/internal/connector/iso8583/wire"
	"plexy/internal/core/money"
)

// full is a message with every field.
func full() wire.Message {
	return wire.Message{
		Type: wire.Authorize, Number: "4111111111111111", Processing: wire.Purchase, Amount: "000000123456",
		Sent: "1127193305", STAN: "000042", LocalTime: "003305", LocalDate: "1128", Expiry: "2811",
		Category: "5732", EntryMode: "810", Condition: "59", Acquirer: "123456", RRN: "0A1B2C3D4E5F",
		AuthCode: "A12345", Code: "00", Terminal: "TERM1", Merchant: "SHOP 1", Place: "Shop",
		Private: &wire.Private{
			Operation: strings.Repeat("o", 36), Payment: strings.Repeat("p", 36), Original: strings.Repeat("q", 36),
			ECI: "05", CAVV: "AAABBBCCCDDDEEEFFFGGGHHHIII=", Version: "2.2.0", Directory: strings.Repeat("d", 36),
			Initiator: "ucof", Exemption: "low_value", CVVResult: "M", CVV: "9738",
		},
		Currency: "398", NetworkRef: "304331234567890", NetworkCode: wire.Echo,
		Original:    wire.OriginalOf("01000000421127193305", "123456"),
		Replacement: wire.ReplacementOf("000000000100"),
	}
}

func TestAMessageTravels(t *testing.T) {
	frame, err := full().Pack()
	if err != nil {
		t.Fatal(err)
	}
	body, err := wire.Read(bytes.NewReader(append([]byte{0, 0}, frame...))) // an empty frame is passed over
	if err != nil {
		t.Fatal(err)
	}
	back, err := wire.Unpack(body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), back); diff != "" {
		t.Error(diff)
	}
}

// The bytes themselves, so that a change of the packer's settings is seen.
func TestTheBytesOfAMessage(t *testing.T) {
	frame, err := wire.Message{Type: wire.Network, Sent: "1127193305", STAN: "000001", NetworkCode: wire.SignOn,
		Terminal: "T1", Private: &wire.Private{Operation: "x", ECI: "05"}}.Pack()
	if err != nil {
		t.Fatal(err)
	}
	want := "\x00\x3d" + "0800" + "\x82\x20\x00\x00\x00\x81\x00\x00" + "\x04\x00\x00\x00\x00\x00\x00\x00" +
		"1127193305" + "000001" + "T1      " + "011" + "0101x" + "100205" + "001"
	if string(frame) != want {
		t.Errorf("%q\nwant %q", frame, want)
	}
}

func TestFieldsOfOthersAreReadOver(t *testing.T) {
	// Field 44 and 62 hold bytes that are no ASCII, field 48 has a part that nobody told us of.
	body := "0110" + "\x00\x20\x00\x00\x02\x11\x00\x04" + "000042" + "00" + "02\xff\xfe" + "024" + "0101x" +
		"5510" + "0123456789" + "8701M" + "003\xd0\x9a\x00"
	m, err := wire.Unpack([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if m.Code != "00" || m.Private == nil || m.Private.Operation != "x" || m.Private.CVVResult != "M" {
		t.Errorf("%v %v", m, m.Private)
	}
}

func TestWhatCannotBeReadIsNamedByItsNumber(t *testing.T) {
	for body, want := range map[string]string{
		"":         "a message shorter than its type and bitmap",
		"0110\x00": "a message shorter than its type and bitmap",
		"011\xff" + "\x00\x20\x00\x00\x00\x00\x00\x00" + "000042":          "field 0 cannot be read",
		"01x0" + "\x00\x20\x00\x00\x00\x00\x00\x00" + "000042":             "field 0 cannot be read",
		"0110" + "\x40\x00\x00\x00\x00\x00\x00\x00" + "204111111111111111": "field 2 cannot be read",
		"0110" + "\x00\x20\x00\x00\x00\x00\x00\x00" + "0000":               "field 11 cannot be read",
		"0110" + "\x00\x00\x00\x00\x00\x01\x00\x00" + "0050199x":           "field 48 cannot be read",
	} {
		_, err := wire.Unpack([]byte(body))
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", body, err, want)
		}
		var deep interface{ Unwrap() error }
		if errors.As(err, &deep) {
			t.Errorf("%q: the error holds another, which may quote the message", body)
		}
	}
	for name, m := range map[string]wire.Message{
		"2":  {Type: wire.Authorize, Number: "41111111111111111111"},
		"11": {Type: wire.Authorize, STAN: "1"},
		"14": {Type: wire.Authorize, Expiry: "28\xff1"},
		"41": {Type: wire.Authorize, Terminal: "123456789"},
		"48": {Type: wire.Authorize, Private: &wire.Private{ECI: strings.Repeat("0", 100)}},
	} {
		if _, err := m.Pack(); err == nil || err.Error() != "field "+name+" cannot be packed" {
			t.Errorf("field %s: %v", name, err)
		}
	}
}

func TestNothingOfACardIsPrinted(t *testing.T) {
	m := full()
	type inside struct{ M wire.Message }
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "message", m, "private", m.Private, "in", inside{m})
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "message", m, "number", m.Number)
	encoded, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	shown := log.String() + string(encoded)
	for verb := range strings.FieldsSeq("%v %+v %#v %s %q %d %x %X %c %U") {
		for _, value := range []any{m, &m, *m.Private, m.Private, inside{m}, []wire.Message{m}} {
			shown += fmt.Sprintf(verb, value)
		}
	}
	for _, secret := range []wire.Hidden{m.Number, m.Expiry, m.Private.CVV, m.Private.CAVV} {
		for _, text := range []string{string(secret), fmt.Sprintf("%x", string(secret))} {
			if strings.Contains(shown, `"`+text) || strings.Contains(shown, text+`"`) ||
				len(text) > 8 && strings.Contains(shown, text) {
				t.Errorf("%s is shown", text)
			}
		}
	}
}

func TestFramesThatAreNone(t *testing.T) {
	if _, err := wire.Read(strings.NewReader("\xff\xff")); !errors.Is(err, wire.ErrFrame) {
		t.Errorf("a huge frame: %v", err)
	}
	if _, err := wire.Read(strings.NewReader("\x00\x09abc")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a frame: %v", err)
	}
	if _, err := wire.Read(strings.NewReader("")); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
}

func TestTypesOfMessages(t *testing.T) {
	for request, answer := range map[string]string{
		"0100": "0110", "0101": "0110", "0200": "0210", "0201": "0210", "0220": "0230", "0221": "0230",
		"0400": "0410", "0401": "0410", "0420": "0430", "0800": "0810",
	} {
		if got := wire.AnswerType(request); got != answer {
			t.Errorf("%s is answered with %s, want %s", request, got, answer)
		}
		if !(wire.Message{Type: request}).Request() || (wire.Message{Type: answer}).Request() {
			t.Errorf("%s asks, %s answers", request, answer)
		}
	}
	if got := wire.Repeat("0220"); got != "0221" {
		t.Error(got)
	}
}

func TestAmounts(t *testing.T) {
	for minor, want := range map[int64]string{
		0: "000000000000", 123: "000000000123", 999_999_999_999: "999999999999",
	} {
		text, ok := wire.AmountOf(minor)
		back, read := wire.Minor(text)
		if text != want || !ok || back != minor || !read {
			t.Errorf("%d: %s %v, %d %v", minor, text, ok, back, read)
		}
	}
	for _, minor := range []int64{-1, 1_000_000_000_000} {
		if _, ok := wire.AmountOf(minor); ok {
			t.Errorf("%d fits", minor)
		}
	}
	for _, text := range []string{"", "1", "00000000012x", "0000000001234", "-00000000001"} {
		if _, ok := wire.Minor(text); ok {
			t.Errorf("%q is read", text)
		}
	}
}

func TestEveryCurrencyHasItsNumber(t *testing.T) {
	seen := map[string]money.Currency{}
	for _, c := range money.All() {
		number := wire.CurrencyNumber(c)
		if len(number) != 3 {
			t.Errorf("%s has no number", c)
		}
		if other, twice := seen[number]; twice {
			t.Errorf("%s and %s are %s", c, other, number)
		}
		seen[number] = c
	}
	for c, want := range map[money.Currency]string{"KZT": "398", "USD": "840", "JPY": "392", "KWD": "414"} {
		if got := wire.CurrencyNumber(c); got != want {
			t.Errorf("%s: %s", c, got)
		}
	}
}

// FuzzUnpack: whatever comes is read or refused by a field's number, and what was read can be packed again.
func FuzzUnpack(f *testing.F) {
	frame, err := full().Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame[2:])
	f.Add([]byte("0810\x82\x20\x00\x00\x02\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x001127193305000001001"))
	f.Add([]byte("0110\x00\x00\x00\x00\x00\x01\x00\x000050199x"))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := wire.Unpack(body)
		if err != nil {
			if len(body) > 12 && strings.Contains(err.Error(), string(body)) {
				t.Errorf("the error repeats the message: %v", err)
			}
			return
		}
		frame, err := m.Pack()
		if err != nil {
			return // such as spaces where the packer wants digits
		}
		again, err := wire.Unpack(frame[2:])
		if err != nil {
			t.Fatalf("what was packed cannot be read: %v", err)
		}
		if !reflect.DeepEqual(m, again) {
			t.Error(cmp.Diff(m, again))
		}
	})
}

// FuzzRead: any stream of bytes ends in an error, and no frame is larger than the largest.
func FuzzRead(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x03abc\x00\x01"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bytes.NewReader(stream)
		for {
			body, err := wire.Read(r)
			if err != nil {
				return
			}
			if len(body) == 0 || len(body) > 4096 {
				t.Fatalf("a frame of %d bytes", len(body))
			}
		}
	})
}

package customer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"plexy/internal/customer"
)

// holder keeps both in unexported fields, where package fmt calls no method.
type holder struct {
	iin    customer.IIN
	phone  customer.Phone
	nested *holder
}

func TestNothingPrintsInClear(t *testing.T) {
	iin, err := customer.ParseIIN("900101300017")
	if err != nil {
		t.Fatal(err)
	}
	phone, err := customer.ParsePhone("8 701 234 56 78")
	if err != nil {
		t.Fatal(err)
	}
	inside := holder{iin, phone, &holder{iin: iin, phone: phone}}

	var log bytes.Buffer
	for _, logger := range []*slog.Logger{
		slog.New(slog.NewJSONHandler(&log, nil)), slog.New(slog.NewTextHandler(&log, nil)),
	} {
		logger.Info("m", "iin", iin, "phone", phone, "inside", inside, "both", []any{iin, phone},
			"error", errors.Join(fmt.Errorf("about %v and %s", iin, phone)))
	}
	encoded, err := json.Marshal(map[string]any{"iin": iin, "phone": phone, "list": []any{iin, phone}})
	if err != nil {
		t.Fatal(err)
	}
	shown := log.String() + string(encoded)
	verbs := "%v %+v %#v %s %q %d %x %X %o %b %c %U %p %t"
	for verb := range strings.FieldsSeq(verbs) {
		for _, value := range []any{iin, phone, &iin, &phone, inside, &inside, []customer.IIN{iin},
			map[customer.Phone]customer.IIN{phone: iin}} {
			shown += fmt.Sprintf(verb, value) + "\n"
		}
	}
	for _, clear := range []string{
		"900101300017", "900101", "300017", "77012345678", "7012345678", "2345678",
		fmt.Sprintf("%x", "900101300017"), fmt.Sprintf("%x", 900101300017), fmt.Sprintf("%o", 900101300017),
		fmt.Sprintf("%x", "+77012345678"), fmt.Sprintf("%x", 77012345678), fmt.Sprintf("%b", 77012345678),
	} {
		if at := strings.Index(shown, clear); at >= 0 {
			t.Errorf("%q is shown: %q", clear, shown[max(0, at-60):min(len(shown), at+60)])
		}
	}
	for _, masked := range []string{
		`"iin":"90********17"`, `"phone":"+7701*****78"`, "customer.IIN(90********17)",
		"customer.Phone(+7701*****78)",
	} {
		if !strings.Contains(shown, masked) {
			t.Errorf("%q is not shown", masked)
		}
	}
}

func TestZeroValues(t *testing.T) {
	var iin customer.IIN
	var phone customer.Phone
	if !iin.IsZero() || !phone.IsZero() {
		t.Error("not zero")
	}
	if text := iin.Reveal() + phone.Reveal() + iin.Masked() + phone.String() + fmt.Sprint(iin); text != "" {
		t.Errorf("the zero values show %q", text)
	}
}

func TestExamples(t *testing.T) {
	check := func(n int) (customer.IIN, customer.Phone) {
		iin, phone := customer.Example(n)
		if same, err := customer.ParseIIN(iin.Reveal()); err != nil || same != iin {
			t.Fatalf("Example(%d) has no valid IIN: %v", n, err)
		}
		if same, err := customer.ParsePhone(phone.Reveal()); err != nil || same != phone {
			t.Fatalf("Example(%d) has no valid phone: %v", n, err)
		}
		return iin, phone
	}
	const many = 1_000_001
	iins := make(map[customer.IIN]bool, many)
	phones := make(map[customer.Phone]bool, many)
	for n := range many {
		iin, phone := check(n)
		iins[iin], phones[phone] = true, true
	}
	if len(iins) != many || len(phones) != many {
		t.Errorf("%d examples have %d IINs and %d phones", many, len(iins), len(phones))
	}
	if iin, phone := check(customer.Examples - 1); iins[iin] || phones[phone] {
		t.Error("the last one is not new")
	}
	if _, phone := check(1); phone.Reveal() != "+77010000001" {
		t.Errorf("Example(1) has the phone %q", phone.Reveal())
	}
}

// TestMagicPeople: each has a valid phone of the magic range and a valid IIN, of nobody else.
func TestMagicPeople(t *testing.T) {
	iins := map[string]bool{}
	for n := range customer.MagicPhones {
		iin, phone := customer.Magic(n)
		if got, err := customer.ParseIIN(iin.Reveal()); err != nil || got != iin || iins[iin.Reveal()] {
			t.Fatalf("Magic(%d) has no IIN of its own: %v", n, err)
		}
		iins[iin.Reveal()] = true
		want := fmt.Sprintf("+7700000%04d", n)
		if got, err := customer.ParsePhone(want); err != nil || got != phone || phone.Reveal() != want {
			t.Fatalf("Magic(%d) has the phone %q, %v", n, phone.Reveal(), err)
		}
	}
	for n := 0; n < customer.Examples; n += 997 {
		if iin, _ := customer.Example(n); iins[iin.Reveal()] {
			t.Fatalf("Example(%d) is a magic person", n)
		}
	}
}

func TestExamplesHaveBounds(t *testing.T) {
	for _, n := range []int{-1, customer.Examples} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Example(%d) does not panic", n)
				}
			}()
			customer.Example(n)
		}()
	}
}

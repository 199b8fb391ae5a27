package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/config"
	"plexy/internal/core/ledger"
	"plexy/internal/core/money"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/sandbox"
	"plexy/internal/storage"
)

// nameLimit is the longest name of a merchant, in characters.
const nameLimit = 255

// NewMerchant is what is shown once: the merchant and its first key.
type NewMerchant struct {
	MerchantID string `json:"merchantId"`
	Name       string `json:"name"`
	APIKey     string `json:"apiKey"`
}

// Merchant is a merchant as staff see it.
type Merchant struct {
	MerchantID string            `json:"merchantId"`
	Name       string            `json:"name"`
	CreatedAt  string            `json:"createdAt"` // RFC 3339
	Settings   map[string]string `json:"settings"`
	Payable    []Payable         `json:"payable"`
}

// Payable is what the platform owes a merchant in one currency, in minor units. Posted falls below zero
// when more was refunded than captured since the last settlement.
type Payable struct {
	Currency string `json:"currency"`
	Pending  int64  `json:"pending"`
	Posted   int64  `json:"posted"`
}

// NewKey is a key as it is shown, once.
type NewKey struct {
	KeyID  string `json:"keyId"`
	APIKey string `json:"apiKey"`
}

// Key is a key as it is listed: without its text, which nobody keeps.
type Key struct {
	KeyID      string  `json:"keyId"`
	MerchantID string  `json:"merchantId"`
	CreatedAt  string  `json:"createdAt"`
	RevokedAt  *string `json:"revokedAt"` // null while it works
}

// CreateMerchant makes a merchant with default settings and its first key.
func (a *App) CreateMerchant(ctx context.Context, name, reason string) (NewMerchant, error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > nameLimit || !utf8.ValidString(name) ||
		strings.ContainsFunc(name, unicode.IsControl) {
		return NewMerchant{}, usage("a merchant's name has 1 to %d characters, none of them a control", nameLimit)
	}
	m := merchant.Merchant{
		ID: a.ids.New(id.Merchant), Name: name, Settings: merchant.Defaults(), CreatedAt: a.clock.Now(),
	}
	key, secret := a.newKey(m.ID)
	audit := a.audit("merchant.create", m.ID, reason)
	audit.After = "name=" + name + " key=" + key.ID
	if err := a.Storage.CreateMerchant(ctx, m, key, audit); err != nil {
		return NewMerchant{}, fmt.Errorf("create the merchant: %w", err)
	}
	return NewMerchant{MerchantID: m.ID, Name: m.Name, APIKey: secret}, nil
}

func (a *App) newKey(merchantID string) (access.Key, string) {
	secret := access.NewSecret()
	return access.Key{
		ID: a.ids.New(id.Key), Merchant: merchantID, Hash: access.HashOf(secret), CreatedAt: a.clock.Now(),
	}, secret
}

// Merchants lists all merchants with what they are owed, in order of id.
func (a *App) Merchants(ctx context.Context) ([]Merchant, error) {
	all, err := a.Storage.Merchants(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the merchants: %w", err)
	}
	out := make([]Merchant, 0, len(all))
	for _, m := range all {
		shown, err := a.show(ctx, m)
		if err != nil {
			return nil, err
		}
		out = append(out, shown)
	}
	return out, nil
}

// Merchant shows one merchant: its settings and what it is owed.
func (a *App) Merchant(ctx context.Context, merchantID string) (Merchant, error) {
	m, err := a.merchant(ctx, merchantID)
	if err != nil {
		return Merchant{}, err
	}
	return a.show(ctx, m)
}

func (a *App) merchant(ctx context.Context, merchantID string) (merchant.Merchant, error) {
	m, err := a.Storage.Merchant(ctx, merchantID)
	if errors.Is(err, storage.ErrNotFound) {
		return m, fmt.Errorf("%w: there is no merchant %q", ErrRefused, merchantID)
	}
	if err != nil {
		return m, fmt.Errorf("read the merchant: %w", err)
	}
	return m, nil
}

func (a *App) show(ctx context.Context, m merchant.Merchant) (Merchant, error) {
	prefix := "merchant:" + m.ID + ":payable:"
	stripes, err := a.Storage.Stripes(ctx, prefix)
	if err != nil {
		return Merchant{}, fmt.Errorf("read what the merchant is owed: %w", err)
	}
	return Merchant{
		MerchantID: m.ID, Name: m.Name, CreatedAt: rfc3339(m.CreatedAt), Settings: m.Settings.Map(),
		Payable: payable(stripes),
	}, nil
}

// payable adds up the stripes of each currency.
func payable(stripes []ledger.Account) []Payable {
	sums := map[money.Currency]Payable{}
	for _, s := range stripes {
		p := sums[s.Currency]
		p.Currency = string(s.Currency)
		p.Pending += s.Totals.Pending()
		p.Posted += s.Totals.Posted()
		sums[s.Currency] = p
	}
	out := make([]Payable, 0, len(sums))
	for _, p := range sums {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Payable) int { return strings.Compare(a.Currency, b.Currency) })
	return out
}

// SetMerchant changes settings of a merchant, given as NAME=VALUE, all or none.
func (a *App) SetMerchant(ctx context.Context, merchantID string, changes []string, reason string) (
	Merchant, error) {
	m, err := a.merchant(ctx, merchantID)
	if err != nil {
		return Merchant{}, err
	}
	before := m.Settings
	for _, change := range changes {
		name, value, ok := strings.Cut(change, "=")
		if !ok {
			return Merchant{}, usage("%q is not NAME=VALUE", change)
		}
		if m.Settings, err = m.Settings.Set(name, value); err != nil {
			return Merchant{}, usage("%v", err)
		}
	}
	if a.environment != config.Sandbox && m.Settings.Fault != (sandbox.Dial{}) {
		return Merchant{}, fmt.Errorf("%w: this installation is production; only a sandbox has faults", ErrRefused)
	}
	audit := a.audit("merchant.set", m.ID, reason)
	audit.Before, audit.After = settings(before), settings(m.Settings)
	if err := a.Storage.SetMerchant(ctx, m.ID, m.Settings, audit); err != nil {
		return Merchant{}, fmt.Errorf("set the merchant: %w", err)
	}
	return a.show(ctx, m)
}

func settings(s merchant.Settings) string {
	var lines []string
	for name, value := range s.Map() {
		lines = append(lines, name+"="+value)
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

// CreateKey makes one more key of a merchant. It works at once.
func (a *App) CreateKey(ctx context.Context, merchantID, reason string) (NewKey, error) {
	if _, err := a.merchant(ctx, merchantID); err != nil {
		return NewKey{}, err
	}
	key, secret := a.newKey(merchantID)
	audit := a.audit("key.create", key.ID, reason)
	audit.After = "merchant=" + merchantID
	if err := a.Storage.CreateKey(ctx, key, audit); err != nil {
		return NewKey{}, fmt.Errorf("create the key: %w", err)
	}
	return NewKey{KeyID: key.ID, APIKey: secret}, nil
}

// Keys lists the keys of a merchant, or of all merchants when merchantID is "".
func (a *App) Keys(ctx context.Context, merchantID string) ([]Key, error) {
	ids := []string{merchantID}
	if merchantID == "" {
		all, err := a.Storage.Merchants(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the merchants: %w", err)
		}
		ids = nil
		for _, m := range all {
			ids = append(ids, m.ID)
		}
	} else if _, err := a.merchant(ctx, merchantID); err != nil {
		return nil, err
	}
	out := []Key{}
	for _, of := range ids {
		keys, err := a.Storage.APIKeys(ctx, of)
		if err != nil {
			return nil, fmt.Errorf("list the keys: %w", err)
		}
		for _, k := range keys {
			out = append(out, listed(k))
		}
	}
	return out, nil
}

func listed(k access.Key) Key {
	shown := Key{KeyID: k.ID, MerchantID: k.Merchant, CreatedAt: rfc3339(k.CreatedAt)}
	if k.RevokedAt != 0 {
		at := rfc3339(k.RevokedAt)
		shown.RevokedAt = &at
	}
	return shown
}

// RevokeKey ends a key: within a second it is refused everywhere. A key that is revoked already stays as
// it is.
func (a *App) RevokeKey(ctx context.Context, keyID, reason string) error {
	audit := a.audit("key.revoke", keyID, reason)
	audit.Before, audit.After = "live", "revoked"
	err := a.Storage.RevokeKey(ctx, keyID, a.clock.Now(), audit)
	if errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("%w: there is no key %q", ErrRefused, keyID)
	}
	if err != nil {
		return fmt.Errorf("revoke the key: %w", err)
	}
	return nil
}

// rfc3339 writes a time of microseconds.
func rfc3339(at int64) string { return clock.Time(at).Format("2006-01-02T15:04:05.000000Z07:00") }

// Package merchant is what we know of a merchant: who it is and what it has settled.
package merchant

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"plexy/internal/clock"
	"plexy/internal/sandbox"
)

// Merchant is a business that sells and is paid.
type Merchant struct {
	ID        string
	Name      string
	Settings  Settings
	CreatedAt int64 // microseconds since 1970-01-01 UTC
}

// Settings are what a merchant may choose.
type Settings struct {
	// HoldMicros is how long a hold lives, in microseconds; from a second to 30 days, which is the
	// longest that card networks know.
	HoldMicros int64
	// RejectRepeats refuses a second transaction with an order reference.
	RejectRepeats bool
	// ApprovalMicros is how long a wallet's owner may take to approve or decline, in microseconds; from a
	// second to a day.
	ApprovalMicros int64
	// ClearingAutoMicros and ClearingManualMicros are how long after its authorization a card payment is
	// captured by itself, in microseconds: when it was made with automatic clearing, and when not. From 0, at
	// once, to 30 days.
	ClearingAutoMicros, ClearingManualMicros int64
	// Fault goes wrong on demand with what the merchant asks for; in a sandbox only.
	Fault sandbox.Dial
	// ContactEmail is who is told when the merchant's endpoints fail; "" for nobody.
	ContactEmail Email
	// ContactLanguage is the language of that: kk, ru or en; "" is en.
	ContactLanguage string
	// FrameOrigins are whose pages may show the hosted page in a frame: origins such as https://shop.kz with
	// spaces between them, at most MaxFrameOrigins; "" for nobody's.
	FrameOrigins string
	// WebhookMinor says that amounts in events of card payments are minor units; else they are major ones, as
	// transactions read.
	WebhookMinor bool
}

// MaxFrameOrigins bounds frame_origins.
const MaxFrameOrigins = 10

// Frames are the FrameOrigins one by one.
func (s Settings) Frames() []string { return strings.Fields(s.FrameOrigins) }

// parseOrigins reads origins with spaces or commas between them: scheme and host, with a port if need be, and
// nothing more. http is for machines that one develops on.
func parseOrigins(value string) (string, error) {
	all := strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' })
	for i, origin := range all {
		u, err := url.Parse(strings.TrimSuffix(origin, "/"))
		if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" ||
			u.Scheme != "https" && (u.Scheme != "http" || !local(u.Hostname())) ||
			strings.ContainsAny(u.Host, ";'\"*\\") || len(origin) > 255 {
			return "", fmt.Errorf("%w: frame_origins must be origins such as https://shop.kz", ErrSetting)
		}
		all[i] = u.Scheme + "://" + strings.ToLower(u.Host)
	}
	if len(all) > MaxFrameOrigins {
		return "", fmt.Errorf("%w: frame_origins may be %d origins at most", ErrSetting, MaxFrameOrigins)
	}
	return strings.Join(all, " "), nil
}

func local(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// Defaults are the settings of a new merchant: holds for 7 days, order references free to repeat, 10 minutes
// for an approval, automatic clearing after an hour and otherwise after 5 days.
func Defaults() Settings {
	return Settings{
		HoldMicros: (7 * 24 * time.Hour).Microseconds(), ApprovalMicros: (10 * time.Minute).Microseconds(),
		ClearingAutoMicros: time.Hour.Microseconds(), ClearingManualMicros: (5 * 24 * time.Hour).Microseconds(),
	}
}

// Bounds of hold_expiry, approval_expiry and the times of clearing.
const (
	MinHold     = time.Second
	MaxHold     = 30 * 24 * time.Hour
	MinApproval = time.Second
	MaxApproval = 24 * time.Hour
	MaxClearing = 30 * 24 * time.Hour // of clearing_auto and clearing_manual; from 0
)

// ErrSetting means that a setting has no such name or value.
var ErrSetting = errors.New("no such setting or value")

// Set changes one setting by its public name: hold_expiry, approval_expiry, clearing_auto and clearing_manual
// (a duration such as 168h, 7d or 10m), order_reference (allow or reject), webhook_amounts (minor or major),
// fault (a fault such as lost_answer or capture:slow=5, or none), contact_email (an address, or empty for
// none), contact_language (kk, ru or en) or frame_origins (such as https://shop.kz, several with spaces
// between them, or empty for none).
func (s Settings) Set(name, value string) (Settings, error) {
	switch name {
	case "hold_expiry":
		d, err := clock.Duration(value)
		if err != nil || d < MinHold || d > MaxHold {
			return s, fmt.Errorf("%w: hold_expiry must be a duration from 1s to 720h, such as 168h or 7d", ErrSetting)
		}
		s.HoldMicros = d.Microseconds()
	case "approval_expiry":
		d, err := clock.Duration(value)
		if err != nil || d < MinApproval || d > MaxApproval {
			return s, fmt.Errorf("%w: approval_expiry must be a duration from 1s to 24h, such as 10m", ErrSetting)
		}
		s.ApprovalMicros = d.Microseconds()
	case "clearing_auto", "clearing_manual":
		d, err := clock.Duration(value)
		if err != nil || d < 0 || d > MaxClearing {
			return s, fmt.Errorf("%w: %s must be a duration from 0s to 720h, such as 1h or 5d", ErrSetting, name)
		}
		if name == "clearing_auto" {
			s.ClearingAutoMicros = d.Microseconds()
		} else {
			s.ClearingManualMicros = d.Microseconds()
		}
	case "order_reference":
		if value != "allow" && value != "reject" {
			return s, fmt.Errorf("%w: order_reference must be allow or reject", ErrSetting)
		}
		s.RejectRepeats = value == "reject"
	case "webhook_amounts":
		if value != "minor" && value != "major" {
			return s, fmt.Errorf("%w: webhook_amounts must be minor or major", ErrSetting)
		}
		s.WebhookMinor = value == "minor"
	case "fault":
		d, err := sandbox.ParseDial(value)
		if err != nil {
			return s, fmt.Errorf("%w: fault: %w", ErrSetting, err)
		}
		s.Fault = d
	case "contact_email":
		e, err := ParseEmail(value)
		if err != nil {
			return s, err
		}
		s.ContactEmail = e
	case "contact_language":
		l, err := parseLanguage(value)
		if err != nil {
			return s, err
		}
		s.ContactLanguage = l
	case "frame_origins":
		o, err := parseOrigins(value)
		if err != nil {
			return s, err
		}
		s.FrameOrigins = o
	default:
		return s, fmt.Errorf("%w: %q (known: approval_expiry, clearing_auto, clearing_manual, contact_email, "+
			"contact_language, fault, frame_origins, hold_expiry, order_reference, webhook_amounts)", ErrSetting, name)
	}
	return s, nil
}

// Map returns the settings by their public names, the address masked; fault and contact only where there is
// one, and webhook_amounts only where it is minor.
func (s Settings) Map() map[string]string {
	reference := "allow"
	if s.RejectRepeats {
		reference = "reject"
	}
	all := map[string]string{
		"approval_expiry": (time.Duration(s.ApprovalMicros) * time.Microsecond).String(),
		"clearing_auto":   (time.Duration(s.ClearingAutoMicros) * time.Microsecond).String(),
		"clearing_manual": (time.Duration(s.ClearingManualMicros) * time.Microsecond).String(),
		"hold_expiry":     (time.Duration(s.HoldMicros) * time.Microsecond).String(),
		"order_reference": reference,
	}
	if s.WebhookMinor {
		all["webhook_amounts"] = "minor"
	}
	if s.Fault != (sandbox.Dial{}) {
		all["fault"] = s.Fault.String()
	}
	if s.ContactEmail != "" {
		all["contact_email"] = s.ContactEmail.Masked()
		all["contact_language"] = cmp.Or(s.ContactLanguage, "en")
	}
	if s.FrameOrigins != "" {
		all["frame_origins"] = s.FrameOrigins
	}
	return all
}

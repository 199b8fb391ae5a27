// Package merchant is what we know of a merchant: who it is and what it has settled.
package merchant

import (
	"errors"
	"fmt"
	"time"

	"plexy/internal/clock"
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
}

// Defaults are the settings of a new merchant: holds for 7 days, order references free to repeat, 10 minutes
// for an approval.
func Defaults() Settings {
	return Settings{
		HoldMicros: (7 * 24 * time.Hour).Microseconds(), ApprovalMicros: (10 * time.Minute).Microseconds(),
	}
}

// Bounds of hold_expiry and approval_expiry.
const (
	MinHold     = time.Second
	MaxHold     = 30 * 24 * time.Hour
	MinApproval = time.Second
	MaxApproval = 24 * time.Hour
)

// ErrSetting means that a setting has no such name or value.
var ErrSetting = errors.New("unknown setting")

// Set changes one setting by its public name: hold_expiry and approval_expiry (a duration such as 168h, 7d or
// 10m) or order_reference (allow or reject).
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
	case "order_reference":
		if value != "allow" && value != "reject" {
			return s, fmt.Errorf("%w: order_reference must be allow or reject", ErrSetting)
		}
		s.RejectRepeats = value == "reject"
	default:
		return s, fmt.Errorf("%w: %q (known: approval_expiry, hold_expiry, order_reference)", ErrSetting, name)
	}
	return s, nil
}

// Map returns the settings by their public names.
func (s Settings) Map() map[string]string {
	reference := "allow"
	if s.RejectRepeats {
		reference = "reject"
	}
	return map[string]string{
		"approval_expiry": (time.Duration(s.ApprovalMicros) * time.Microsecond).String(),
		"hold_expiry":     (time.Duration(s.HoldMicros) * time.Microsecond).String(),
		"order_reference": reference,
	}
}

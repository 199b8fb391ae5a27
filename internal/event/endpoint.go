package event

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Endpoint is an address of a merchant that is told of events.
type Endpoint struct {
	ID       string
	Merchant string
	URL      string
	Types    []string // names of events; none means all
	Ordered  bool     // an object's next event waits for the one before it (rule W-6)
	// Signatures are what deliveries are signed with, never none of them (rule W-2).
	Signatures []Signature
	// Waits are how long after an attempt that failed the next one comes, so that there is one attempt more
	// than waits; none means the schedule of the installation (rule W-4).
	Waits []time.Duration
	// Concurrency is how many attempts may be under way at once, 1 to MaxConcurrency (rule W-6).
	Concurrency int
	Form        Form // of the bodies
	State       EndpointState
	Why         string // why it is disabled
	// Secret is the version of its secret and its private key, which are derived and not stored. Until
	// PreviousUntil (microseconds) deliveries are signed with the version before, too (rule W-9).
	Secret        int64
	PreviousUntil int64
	Token         int64 // version of its token, which is derived likewise
	// Revision counts what was changed: whoever writes a change names the revision that it read.
	Revision  int64
	CreatedAt int64 // microseconds
	UpdatedAt int64
	// FailingSince is when deliveries began to fail without one success since, 0 while they succeed.
	FailingSince int64
}

// NewEndpoint is an endpoint as it is unless its merchant says otherwise: enabled, told of all events in
// order, signed with HMAC, 8 attempts at a time, in the present form. It has no address yet.
func NewEndpoint(id, merchant string, at int64) Endpoint {
	return Endpoint{
		ID: id, Merchant: merchant, Ordered: true, Signatures: []Signature{HMAC}, Concurrency: UsualConcurrency,
		Form: Form{Version: Version}, State: Enabled, Secret: 1,
		Token: 1, Revision: 1, CreatedAt: at, UpdatedAt: at,
	}
}

// NewCallbacks is the endpoint of a merchant through which the addresses are told that its payments name: it
// has none itself, each delivery has its own. It is written when first something is delivered through it, is
// never listed or deleted, and stays enabled whatever one of the addresses answers.
func NewCallbacks(merchant string, at int64) Endpoint {
	return NewEndpoint(CallbacksID(merchant), merchant, at)
}

const callbacks = "whc_"

// CallbacksID returns the id of the merchant's NewCallbacks: whc_ and the merchant's ULID.
func CallbacksID(merchant string) string {
	_, ulid, _ := strings.Cut(merchant, "_")
	return callbacks + ulid
}

// Callbacks reports whether the endpoint is one of NewCallbacks.
func (e Endpoint) Callbacks() bool { return strings.HasPrefix(e.ID, callbacks) }

// EndpointState says whether an endpoint is delivered to.
type EndpointState string

// The two states.
const (
	Enabled  EndpointState = "enabled"
	Disabled EndpointState = "disabled" // its events are replayed when it is enabled again, if wanted
)

// Bounds of endpoints.
const (
	MaxEndpoints     = 16   // per merchant
	MaxURL           = 1024 // bytes of an address
	MaxWaits         = 20   // of one schedule
	MinWait          = time.Second
	MaxWait          = 24 * time.Hour
	UsualConcurrency = 8
	MaxConcurrency   = 64
)

// Wants reports whether the endpoint is told of events with this name.
func (e Endpoint) Wants(name string) bool { return len(e.Types) == 0 || slices.Contains(e.Types, name) }

// JoinTypes and SplitTypes are how the names are kept in one column. No name has a space.
func JoinTypes(types []string) string { return strings.Join(types, " ") }

// SplitTypes undoes JoinTypes.
func SplitTypes(text string) []string { return strings.Fields(text) }

// Signature is a way to sign that Standard Webhooks knows.
type Signature string

// The two ways: with a secret that both sides know, and with a key whose public half anybody may know.
const (
	HMAC    Signature = "hmac"
	Ed25519 Signature = "ed25519"
)

// Signed reports whether deliveries to the endpoint are signed this way.
func (e Endpoint) Signed(s Signature) bool { return slices.Contains(e.Signatures, s) }

// ParseSignatures reads a list of ways to sign; the order does not matter. ok is false when there is none,
// one is unknown, or one comes twice.
func ParseSignatures(names []string) (signatures []Signature, ok bool) {
	for _, known := range []Signature{HMAC, Ed25519} {
		if slices.Contains(names, string(known)) {
			signatures = append(signatures, known)
		}
	}
	return signatures, len(signatures) > 0 && len(signatures) == len(names)
}

// SignatureNames undoes ParseSignatures.
func SignatureNames(signatures []Signature) []string {
	names := make([]string, 0, len(signatures))
	for _, s := range signatures {
		names = append(names, string(s))
	}
	return names
}

// ParseWaits reads a schedule: 1 to MaxWaits durations such as 5s, 1m or 1h30m, each of whole seconds from
// MinWait to MaxWait. ok is false when it is something else.
func ParseWaits(texts []string) (waits []time.Duration, ok bool) {
	for _, text := range texts {
		wait, err := time.ParseDuration(text)
		if err != nil || wait < MinWait || wait > MaxWait || wait%time.Second != 0 {
			return nil, false
		}
		waits = append(waits, wait)
	}
	return waits, len(waits) >= 1 && len(waits) <= MaxWaits
}

// WaitTexts undoes ParseWaits, each wait in its shortest form: 1m, not 1m0s.
func WaitTexts(waits []time.Duration) []string {
	texts := make([]string, 0, len(waits))
	for _, wait := range waits {
		text := wait.String()
		for _, idle := range []string{"m0s", "h0m"} {
			if strings.HasSuffix(text, idle) {
				text = text[:len(text)-2]
			}
		}
		texts = append(texts, text)
	}
	return texts
}

// Form is what a body looks like (rule W-10).
type Form struct {
	Version int64 // one of Versions
	Thin    bool  // data has only the object's id and sequence
}

// Versions lists the versions of the form in which bodies can be had, the oldest first.
func Versions() []int64 { return []int64{Version} }

// ParseVersion reads a version as it is named outside, and reports whether there is such a one.
func ParseVersion(text string) (version int64, ok bool) {
	version, err := strconv.ParseInt(text, 10, 64)
	return version, err == nil && slices.Contains(Versions(), version) && text == VersionText(version)
}

// VersionText undoes ParseVersion.
func VersionText(version int64) string { return strconv.FormatInt(version, 10) }

// VersionTexts lists Versions as they are named outside, with commas between: for messages.
func VersionTexts() string {
	var texts []string
	for _, version := range Versions() {
		texts = append(texts, VersionText(version))
	}
	return strings.Join(texts, ", ")
}

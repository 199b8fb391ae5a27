package connector

// Code is an acquirer's two-character response code: ISO 8583 field 39, and the API's responseCode.
type Code string

// The codes that the house itself speaks of. Words knows all that are documented.
const (
	CodeApproved      Code = "00"
	CodeDoNotHonour   Code = "05"
	CodePartial       Code = "10" // approved, for less than was asked
	CodeInvalid       Code = "12"
	CodeInvalidAmount Code = "13"
	CodeSCARequired   Code = "1A"
	CodeFormat        Code = "30"
	CodeUnsupported   Code = "40"
	CodeInsufficient  Code = "51"
	CodeExpired       Code = "54"
	CodeUnknownCard   Code = "56"
	CodeAboveOriginal Code = "64"
	CodeSoftDecline   Code = "65" // the issuer wants the payer to be authenticated
	CodeAmountGone    Code = "80"
	CodeNotFound      Code = "95"
	CodeTryLater      Code = "96"
)

// codeWords is the catalogue of responseCode, plexy-api.md §2.2.
var codeWords = map[Code]string{
	"00": "approved",
	"01": "the merchant should call the issuer",
	"02": "the acquirer does not know this merchant",
	"04": "the issuer wants the card to be retained",
	"05": "the issuer declined and gives no reason",
	"07": "the issuer wants the card to be retained: special conditions",
	"10": "approved for part of the amount",
	"12": "this operation is not possible for this card or payment",
	"13": "the amount is not possible",
	"1A": "the issuer wants the payer to be authenticated",
	"21": "nothing was done",
	"30": "the acquirer could not read the request",
	"33": "the card has expired",
	"34": "the issuer suspects manipulation",
	"40": "the acquirer does not support this operation",
	"41": "the card was reported lost",
	"43": "the card was reported stolen",
	"51": "not enough money on the card",
	"54": "the card has expired",
	"55": "the PIN is wrong",
	"56": "no issuer knows this card",
	"57": "the reference was made with another card",
	"58": "the acquirer does not know this terminal",
	"61": "the amount is above the card's limit",
	"62": "the card is restricted",
	"64": "the amount is above the original one",
	"65": "the issuer wants the payer to be authenticated",
	"75": "the PIN was wrong too often",
	"78": "the payer stopped this recurring payment",
	"79": "the payer stopped all recurring payments",
	"80": "the amount is not available any more",
	"81": "the operation does not follow from the one before it",
	"82": "the issuer did not answer in time",
	"91": "the issuer cannot be reached",
	"92": "cards of this type are not processed",
	"95": "the original authorization was not found",
	"96": "the acquirer has trouble: try again later",
	"97": "the seal of the message is wrong",
	"98": "the date or the time is wrong",
	"99": "the seal of the PIN is wrong",
}

// Known reports whether the code is in the catalogue.
func (c Code) Known() bool { return codeWords[c] != "" }

// Words says in a sentence what the code means; a code that is not in the catalogue is a general decline.
func (c Code) Words() string {
	if words := codeWords[c]; words != "" {
		return words
	}
	return "declined"
}

// Approves reports whether the code means yes, be it for part of the amount only.
func (c Code) Approves() bool { return c == CodeApproved || c == CodePartial }

// Codes lists the catalogue, for tests and documentation, in no order.
func Codes() []Code {
	all := make([]Code, 0, len(codeWords))
	for code := range codeWords {
		all = append(all, code)
	}
	return all
}

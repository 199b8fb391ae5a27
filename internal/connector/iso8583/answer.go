package iso8583

import (
	"fmt"
	"strings"

	"plexy/internal/connector"
	"plexy/internal/connector/iso8583/wire"
)

// The codes of field 39 that are not a plain no; docs/iso8583.md has the table with reasons. Every code that
// stands nowhere here is a decline, known to the catalogue or not: the host answered and did not approve.
const (
	// approving codes become 00: with identification, for a VIP, with a new track 3.
	approving = "00 08 11 16"
	partial   = "10" // of an authorization alone
	noReason  = "85" // no reason to decline: the yes of a verification
	// uncertain codes are of a host that does not know itself what the issuer did: error, in progress,
	// suspected malfunction, answer received too late, issuer timed out, system malfunction.
	uncertain = "06 09 22 68 82 96"
	notThere  = "25" // of a change or a reversal: the original was not found
	duplicate = "94" // of a repeat: the host has it already
)

// in reports whether the list names the code.
func in(list, code string) bool { return len(code) == 2 && strings.Contains(list, code) }

// read makes an Answer of a message: what was asked, and what the host said to it. Whatever contradicts the
// question is Unknown: then nobody knows what the host has in its books.
func read(asked, said wire.Message) connector.Answer {
	a := connector.Answer{RRN: said.RRN, AuthCode: said.AuthCode, NetworkReference: said.NetworkRef,
		Trace: wire.TraceOf(asked)}
	if said.Private != nil {
		switch result := connector.CVVStatus(said.Private.CVVResult); result {
		case connector.CVVMatch, connector.CVVNoMatch, connector.CVVNotProcessed, connector.CVVMissing,
			connector.CVVIssuerOut:
			a.CVV = result
		}
	}
	want, _ := wire.Minor(asked.Amount)
	first := asked.Original == "" // an authorization, not a change
	switch code := said.Code; {
	case len(code) != 2:
		return lost(a, "the answer has no code")
	case in(uncertain, code):
		a.Code = connector.Code(code)
		return lost(a, "the acquirer does not know: code "+code)
	case first && code == partial:
		got, ok := wire.Minor(said.Amount)
		if !ok || got <= 0 || got >= want || said.Currency != "" && said.Currency != asked.Currency {
			return lost(a, "the answer approves a part that is none")
		}
		a.Outcome, a.Code, a.Approved = connector.Approved, connector.CodePartial, got
	case in(approving, code), code == noReason && first && want == 0:
		if said.Amount != "" && said.Amount != asked.Amount ||
			said.Currency != "" && said.Currency != asked.Currency {
			return lost(a, "the answer approves another amount")
		}
		a.Outcome, a.Code, a.Approved = connector.Approved, connector.CodeApproved, want
	case !first && (code == duplicate || code == partial):
		return lost(a, "the answer does not say what came of it: code "+code)
	default:
		a.Outcome, a.Code = connector.Declined, connector.Code(code)
	}
	return a
}

func lost(a connector.Answer, note string) connector.Answer {
	a.Outcome, a.Note = connector.Unknown, note
	return a
}

// undone is the answer when an authorization was taken back.
func undone(code string) connector.Answer {
	return connector.Unsent(fmt.Sprintf("taken back: the acquirer answered the reversal with %s", code))
}

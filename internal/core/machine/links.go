package machine

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/link"
	"plexy/internal/core/reject"
)

// linked decides about links alone.
func linked(s *State, at Stamp, in Instruction) Outcome {
	switch c := in.Command.(type) {
	case CreateLink:
		return createLink(s, at, in.Origin, c)
	case CancelLink:
		return s.changeLink(c.Merchant, c.ID, func(l link.Link) (link.Link, reject.Reason) {
			l.Ended = in.Origin
			return link.Cancel(l, at.At)
		})
	case SetLinkExpiry:
		return s.changeLink(c.Merchant, c.ID, func(l link.Link) (link.Link, reject.Reason) {
			return link.SetExpiry(l, c.ExpiresAt, at.At)
		})
	case ExpireLink:
		return s.changeLink(s.Links[c.ID].Merchant, c.ID, func(l link.Link) (link.Link, reject.Reason) {
			return link.Expire(l, at.At)
		})
	}
	panic("machine: a command that linked does not know")
}

func createLink(s *State, at Stamp, origin journal.Origin, c CreateLink) Outcome {
	ref := OrderReference{c.Facts.Merchant, c.Facts.OrderReference}
	if s.LinkReferences[ref] {
		return Outcome{Reason: reject.LinkReferenceExists}
	}
	l, no := link.Create(c.Facts, c.ExpiresAt, at.At)
	if no != "" {
		return Outcome{Reason: no}
	}
	if ref.Reference != "" {
		s.AddLinkReference(ref)
	}
	l.Origin = origin
	s.putLink(l)
	return Outcome{Pay: &Pay{Link: l}}
}

// changeLink applies a decision to a link of the merchant.
func (s *State) changeLink(
	merchant, id string, decide func(link.Link) (link.Link, reject.Reason),
) Outcome {
	l, ok := s.Links[id]
	if !ok || l.Merchant != merchant {
		return Outcome{Reason: reject.LinkNotFound}
	}
	next, no := decide(l)
	if no != "" {
		return Outcome{Reason: no, Pay: &Pay{Link: l}}
	}
	s.putLink(next)
	return Outcome{Pay: &Pay{Link: next}}
}

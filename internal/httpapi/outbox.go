package httpapi

import (
	"context"

	"plexy/internal/core/reject"
	"plexy/internal/storage"
	"plexy/internal/view"
)

// Messages reads what a sandbox would have sent to people.
type Messages interface {
	// Messages returns at most limit messages, newest first.
	Messages(ctx context.Context, limit int) ([]storage.Message, error)
}

// outbox answers GET /v1/sandbox/outbox. Recipients are masked; texts are whole, because the codes in them
// are what a tester needs.
func (a *API) outbox(c *call) {
	values, bad := splitQuery(c.request.URL.RawQuery)
	q := listQuery{page: storage.Query{Limit: defaultLimit}}
	if s := values[paramLimit]; bad == paramLimit || s.there && !q.set(paramLimit, s.value) {
		refuse(c.Exchange, problem{reason: reject.LimitInvalid, source: "limit"})
		return
	}
	messages, err := a.options.Messages.Messages(c.ctx, q.page.Limit)
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	b := append(make([]byte, 0, 64+512*len(messages)), `{"items":[`...)
	for i, m := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = view.Text(append(b, `{"id":`...), m.ID)
		b = view.Text(append(b, `,"kind":`...), m.Kind)
		b = view.Text(append(b, `,"to":`...), m.To)
		b = view.Text(append(b, `,"language":`...), m.Language)
		b = view.Text(append(b, `,"subject":`...), m.Subject)
		b = view.Text(append(b, `,"text":`...), m.Text)
		b = append(view.Time(b, `,"createdAt":"`, m.CreatedAt), '}')
	}
	c.read(append(b, `]}`...))
}

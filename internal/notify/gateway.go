package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"plexy/internal/customer"
)

// Gateway is the carrier that posts each message as JSON to an address, which most SMS providers take.
type Gateway struct {
	URL string
	// Body is the JSON to post. In its strings {phone}, {text}, {subject}, {kind}, {language} and {id} stand
	// for the message's.
	Body string
	// Header and Secret are sent with every request, when Header is not "".
	Header, Secret string

	client http.Client
}

// NewGateway checks the template and returns the carrier.
func NewGateway(g Gateway) (*Gateway, error) {
	if _, err := g.render(Message{}); err != nil {
		return nil, err
	}
	// A gateway that sends us elsewhere would get the text of the message there.
	g.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &g, nil
}

// render puts a message into the template.
func (g *Gateway) render(m Message) (string, error) {
	var pairs []string
	for name, value := range map[string]string{
		"phone": m.To.Phone.Reveal(), "text": m.Text, "subject": m.Subject, "kind": string(m.Kind),
		"language": string(m.Language), "id": m.ID,
	} {
		quoted, err := json.Marshal(value)
		if err != nil {
			return "", fmt.Errorf("%w: a value is not text", ErrRefused)
		}
		pairs = append(pairs, "{"+name+"}", string(quoted[1:len(quoted)-1]))
	}
	body := strings.NewReplacer(pairs...).Replace(g.Body)
	if !jsontext.Value(body).IsValid() {
		return "", errors.New("the gateway's template does not make JSON")
	}
	return body, nil
}

// Carry posts the message. 2xx is sent; 408, 429 and 5xx may be tried again; everything else is final.
func (g *Gateway) Carry(ctx context.Context, m Message) error {
	if m.To.Phone == (customer.Phone{}) {
		return fmt.Errorf("%w: the gateway reaches phones only", ErrRefused)
	}
	body, err := g.render(m)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL, strings.NewReader(body))
	if err != nil {
		return errors.New("the gateway's address is wrong") // without it: it may hold a secret
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", m.ID)
	if g.Header != "" {
		request.Header.Set(g.Header, g.Secret)
	}
	response, err := g.client.Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // which does not repeat the address
		}
		return fmt.Errorf("post to the gateway: %w", err)
	}
	defer response.Body.Close()
	// What it answers may quote the message, so it is read past, for the connection's sake, and not told.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	switch s := response.StatusCode; {
	case s >= 200 && s < 300:
		return nil
	case s == http.StatusRequestTimeout, s == http.StatusTooManyRequests, s >= 500:
		return fmt.Errorf("the gateway answered %d", s)
	default:
		return fmt.Errorf("%w: the gateway answered %d", ErrRefused, s)
	}
}

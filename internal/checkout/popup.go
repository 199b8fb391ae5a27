package checkout

import (
	"net/http"
	"sync"

	"plexy/internal/server"
)

// PopupPath is where the pages of shops get the script that opens a link over them; mount Popup there. The
// published e-commerce plug-in asks for it whether it opens the page so or sends the payer there: without it
// nobody can place an order.
const PopupPath = "/pay/api.js"

// Popup is the door of that script. It needs no site: the script is the same for everybody and knows nothing.
type Popup struct{}

var popup = sync.OnceValue(func() []byte {
	content, err := files.ReadFile("assets/api.js")
	if err != nil {
		panic("checkout: an embedded file is missing")
	}
	return content
})

// Serve answers GET and HEAD. Shops name it by this address for ever, so it is kept for five minutes only.
func (Popup) Serve(x *server.Exchange, r *http.Request) {
	x.Route = PopupPath
	h := x.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	switch {
	case r.URL.Path != PopupPath:
		http.NotFound(x, r)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(x, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin") // it runs in pages of other sites
	h.Set("Cache-Control", "public, max-age=300")
	if r.Method == http.MethodGet {
		_, _ = x.Write(popup()) // a browser that went away is no trouble
	}
}

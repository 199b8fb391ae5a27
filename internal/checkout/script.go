package checkout

import (
	"net/http"
	"sync"

	"plexy/internal/server"
	"plexy/internal/web"
)

// scriptPath is where the pages' one script is.
const scriptPath = Path + "/checkout.js"

type asset struct {
	address string
	content []byte
}

// script is read when the first page is asked for.
var script = sync.OnceValue(func() asset {
	content, err := files.ReadFile("assets/checkout.js")
	if err != nil {
		panic("checkout: an embedded file is missing")
	}
	return asset{scriptPath + "?v=" + web.Stamp(content), content}
})

// script answers with the script, which a browser may keep for a year: its address changes with it.
func (d *Door) script(x *server.Exchange, r *http.Request) {
	h := x.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(x, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	if r.Method == http.MethodGet {
		_, _ = x.Write(script().content) // a browser that went away is no trouble
	}
}

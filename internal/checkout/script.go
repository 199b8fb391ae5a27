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
	web.SendAsset(x, r, "text/javascript; charset=utf-8", script().content)
}

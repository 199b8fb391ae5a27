package web

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"sync"

	"plexy/internal/server"
)

// AssetPath is where the style sheet and the icon are; mount Assets there.
const AssetPath = "/web"

// files are the assets, read when the first is asked for.
type files struct {
	style, icon string // addresses
	css, svg    []byte
}

var assets = sync.OnceValue(func() files {
	f := files{css: asset("plexy.css"), svg: asset("icon.svg")}
	f.style = AssetPath + "/plexy.css?v=" + Stamp(f.css)
	f.icon = AssetPath + "/icon.svg"
	return f
})

func asset(name string) []byte {
	content, err := embedded.ReadFile("assets/" + name)
	if err != nil {
		panic("web: an embedded file is missing")
	}
	return content
}

// Stamp is short and another one when the content is: an address with it may be kept for ever.
func Stamp(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:6])
}

// Assets is the door of the style sheet and the icon. It needs no site: they are the same for everybody.
type Assets struct{}

// Serve answers GET and HEAD of the assets, which a browser may keep for a year: the address of what changes
// changes with it.
func (Assets) Serve(x *server.Exchange, r *http.Request) {
	f := assets()
	content, kind := []byte(nil), ""
	switch r.URL.Path {
	case AssetPath + "/plexy.css":
		content, kind = f.css, "text/css; charset=utf-8"
	case f.icon:
		content, kind = f.svg, "image/svg+xml"
	default:
		x.Route = AssetPath
		http.NotFound(x, r)
		return
	}
	x.Route = r.URL.Path // one of two
	SendAsset(x, r, kind, content)
}

// SendAsset answers GET and HEAD with an asset, which a browser may keep for a year.
func SendAsset(x *server.Exchange, r *http.Request, kind string, content []byte) {
	h := x.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(x, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	if r.Method == http.MethodGet {
		_, _ = x.Write(content) // a browser that went away is no trouble
	}
}

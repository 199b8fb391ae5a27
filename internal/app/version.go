package app

import (
	"runtime"
	"runtime/debug"
)

// linked is the release, set by the linker: -ldflags "-X plexy/internal/app.linked=v1.2.3".
var linked string

// Build says what this binary is.
type Build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the source
	Modified bool   `json:"modified,omitempty"` // the source was changed after that revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Version returns what the linker and the Go tool wrote into this binary.
func Version() Build {
	b := Build{Version: linked, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if b.Version == "" {
		b.Version = "devel"
		if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
	}
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

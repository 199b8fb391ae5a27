// Package api carries the contract of the public API, openapi.yaml, inside the program. The file is written
// by hand; tests of internal/httpapi compare it with the code in both directions.
package api

import _ "embed"

// OpenAPI is the whole file, in YAML (OpenAPI 3.0.3). Callers must not change it.
//
//go:embed openapi.yaml
var OpenAPI []byte

package app

import (
	"plexy/internal/checkout"
	"plexy/internal/server"
	"plexy/internal/web"
)

// checkoutMount is the door of payers.
func (s *Server) checkoutMount(site *web.Site) server.Mount {
	door := checkout.New(checkout.Options{
		Reader: s.app.Storage, Acquiring: s.acquiring, Site: site, Clock: s.app.clock, PublicURL: s.publicURL,
		NewPayment: s.app.ids.UUID, Key: s.app.master.PagesKey(),
	})
	return server.Mount{Path: checkout.Path, Door: door, Also: checkout.Short}
}

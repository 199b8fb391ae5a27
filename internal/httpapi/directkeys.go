package httpapi

import (
	"plexy/internal/core/reject"
	"plexy/internal/shopper"
	"plexy/internal/vault"
	"plexy/internal/view"
)

// directKey answers GET /v1/keys: the newest key under which cards of direct payments are encrypted. The
// first one is made when it is first asked for.
func (a *API) directKey(c *call) {
	key, err := a.newestDirectKey(c)
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	b := append(append([]byte(`{"keyId":"`), key.ID...), `","publicKey":`...)
	c.read(append(view.Text(b, key.Public), '}'))
}

func (a *API) newestDirectKey(c *call) (shopper.DirectKey, error) {
	if key, err := a.liveDirectKey(c); err != nil || key.ID != "" {
		return key, err
	}
	a.making.Lock() // one at a time; of two processes' keys both are good, and the newest is given out
	defer a.making.Unlock()
	key, err := a.liveDirectKey(c)
	if err != nil || key.ID != "" {
		return key, err
	}
	key = shopper.DirectKey{ID: a.options.NewUUID(), CreatedAt: a.options.Clock.Now()}
	err = a.freshly(c, func(v *vault.Vault) (err error) {
		if key.Public, key.Private, err = v.NewDirectKey(key.ID); err != nil {
			return err
		}
		key.KeyID = v.KeyID()
		audit := a.audit(c, "direct-key.create", key.ID)
		return a.options.Shoppers.AddDirectKey(c.ctx, key, v.Generation(), audit)
	})
	return key, err
}

// liveDirectKey returns the newest key that is not retired; the zero key when there is none.
func (a *API) liveDirectKey(c *call) (shopper.DirectKey, error) {
	keys, err := a.options.Shoppers.DirectKeys(c.ctx)
	for _, key := range keys {
		if key.RetiredAt == 0 {
			return key, err
		}
	}
	return shopper.DirectKey{}, err
}

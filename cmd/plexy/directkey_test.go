package main

import (
	"strings"
	"testing"

	"plexy/internal/app"
)

func TestDirectKeyRotate(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		var made app.NewMerchant
		r.record(&made, "merchant", "create", "--name", "Shop")
		var first, second app.DirectKey
		r.record(&first, "payments", "direct-key", "rotate", "--reason", "the first")
		r.record(&second, "payments", "direct-key", "rotate", "--reason", "yearly")
		if len(first.Retired) != 0 || len(second.Retired) != 1 || second.Retired[0] != first.KeyID ||
			!strings.HasPrefix(second.PublicKey, "-----BEGIN PUBLIC KEY-----") || second.KeyID == first.KeyID {
			t.Errorf("rotated to %+v and %+v", first, second)
		}
	})
}

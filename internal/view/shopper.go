package view

import (
	"fmt"

	"plexy/internal/shopper"
)

// Person is what a merchant may read of a customer of its own, in clear.
type Person struct{ Email, Phone, Name string }

// Shopper writes a merchant's customer.
func Shopper(b []byte, s *shopper.Shopper, p Person) []byte {
	b = append(append(b, `{"id":"`...), s.ID...)
	b = Text(append(b, `","email":`...), p.Email)
	b = Text(append(b, `,"phone":`...), p.Phone)
	b = textOrNull(append(b, `,"name":`...), p.Name)
	b = append(append(b, `,"metadata":`...), objectOr(s.Metadata, "{}")...)
	return append(Time(b, `,"createdAt":"`, s.CreatedAt), '}')
}

// CardToken writes a stored card.
func CardToken(b []byte, c *shopper.Card) []byte {
	b = append(append(b, `{"id":"`...), c.ID...)
	b = append(append(b, `","cardScheme":"`...), c.Brand...)
	b = append(append(b, `","last4":"`...), c.Last4...)
	b = append(append(b, `","cardMask":"******`...), c.Last4...)
	b = fmt.Appendf(b, `","cardExpiryDate":"%02d/%02d"`, c.ExpiryMonth, c.ExpiryYear%100)
	return append(Time(b, `,"createdAt":"`, c.CreatedAt), '}')
}

package shopper

// Held is the card of a payment that is not decided yet, between the steps of it: while the payer is in 3-D
// Secure, and until it is known whether a card is to be stored. Its number is sealed; there is no CVV.
type Held struct {
	// Card has the id that it gets when it is stored. Its KeyID is "" when the payment is by a stored card:
	// then nothing is sealed here.
	Card
	Keep bool // it becomes a stored card when the payment is approved
	// Secure says where 3-D Secure stands, as package acquiring wrote it; nil before the first step.
	Secure []byte
	// Answered is the digest of the first answer of the bank's page; "" before there is one.
	Answered string
	Version  int64 // of what is not sealed; each change adds 1
	LapsesAt int64 // microseconds: it is erased then
}

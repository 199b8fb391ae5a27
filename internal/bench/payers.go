package bench

import "plexy/internal/customer"

// examplePayers returns the first n made-up customers, those whose wallets Fill opens.
func examplePayers(n int) []Payer {
	payers := make([]Payer, n)
	for i := range payers {
		iin, phone := customer.Example(i)
		payers[i] = Payer{Phone: phone.Reveal(), IIN: iin.Reveal()}
	}
	return payers
}

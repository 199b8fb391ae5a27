package customer

import (
	"fmt"
	"time"
)

// Examples is how many made-up customers Example knows.
const Examples = 10_000_000

const (
	exampleDays  = 14_610 // from 1960-01-01 to 1999-12-31
	examplePhone = 7_010_000_000
)

// Example makes the n-th made-up customer, 0 <= n < Examples: for tests, the bench, and the demo of a
// sandbox. The IINs are valid and all different, of men and women born from 1960 to 1999; the phones are
// +77010000000 and on, so n is read in the last digits. It does not know, or ask, whether somebody real has
// that number. It panics for an n out of bounds.
func Example(n int) (IIN, Phone) {
	if n < 0 || n >= Examples {
		panic(fmt.Sprintf("customer.Example(%d): only %d are known", n, Examples))
	}
	day, rest := n%exampleDays, n/exampleDays
	male, serial := rest%2 == 0, rest/2
	return exampleIIN(day, male, serial), phoneOf(examplePhone + uint64(n))
}

// MagicPhones is how many phone numbers a sandbox keeps for its magic values: +77000000000 and on.
const MagicPhones = 10_000

const magicPhone = 7_000_000_000

// Magic makes the test person of a sandbox who has the n-th magic phone number, 0 <= n < MagicPhones. The
// IINs are valid and all different, of men born on 29 February 2000 and on, so none is an Example's. It
// panics for an n out of bounds.
func Magic(n int) (IIN, Phone) {
	if n < 0 || n >= MagicPhones {
		panic(fmt.Sprintf("customer.Magic(%d): only %d are known", n, MagicPhones))
	}
	const leapDay = 14_669 // 29 February 2000, in days after 1960-01-01
	return madeUpIIN(leapDay+n/5000, 5, n%5000), phoneOf(magicPhone + uint64(n))
}

// exampleIIN is the IIN of somebody born in the twentieth century.
func exampleIIN(day int, male bool, serial int) IIN {
	century := 4
	if male {
		century = 3
	}
	return madeUpIIN(day, century, serial)
}

// madeUpIIN takes a serial of 0 to 4999 and gives it two registry numbers, 2*serial and the one after. Of
// the two at least one has a control digit: they differ in digit 11 alone, which the first sum weighs with
// 11, so not at all, and the second with 2, so it cannot come to 10 for both. The birth is
// day days after 1960-01-01.
func madeUpIIN(day, century, serial int) IIN {
	birth := time.Date(1960, time.January, 1+day, 0, 0, 0, 0, time.UTC)
	date := (birth.Year()%100)*10_000 + int(birth.Month())*100 + birth.Day()
	for eleven := (date*10+century)*10_000 + 2*serial; ; eleven++ {
		var digits [iinLength]uint8
		for at, rest := iinLength-2, eleven; at >= 0; at-- {
			digits[at] = uint8(rest % 10)
			rest /= 10
		}
		if control, ok := controlDigit(&digits); ok {
			return IIN{pack(uint64(eleven)*10 + uint64(control))}
		}
	}
}

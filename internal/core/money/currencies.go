package money

import "slices"

// The currencies of ISO 4217 list one, as published 2026-01-01, by number of decimal digits. Codes that the
// list gives "N.A." (XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX) have no minor units and are left
// out, and so are withdrawn ones (ANG, BGN, CUC, HRK, SLL, ZWL). Fund codes such as CLF, UYI and XAD
// do have minor units and are in.
const (
	withoutDigits   = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
	withTwoDigits   = withTwoDigitsAtoK + " " + withTwoDigitsLtoZ
	withThreeDigits = "BHD IQD JOD KWD LYD OMR TND"
	withFourDigits  = "CLF UYW"

	withTwoDigitsAtoK = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP " +
		"BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP " +
		"GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT"
	withTwoDigitsLtoZ = "LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN " +
		"NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE " +
		"SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD " +
		"XCD XCG YER ZAR ZMW ZWG"
)

const codeLength = 3

// exponentPlusOne is indexed by slot; 0 means that there is no such currency.
var exponentPlusOne = buildTable()

func buildTable() *[26 * 26 * 26]uint8 {
	var table [26 * 26 * 26]uint8
	for exponent, codes := range listed() {
		for at := 0; at < len(codes); at += codeLength + 1 {
			slot, _ := slotOf(codes[at : at+codeLength])
			table[slot] = uint8(exponent + 1)
		}
	}
	return &table
}

// listed is the table's source: the place in the array is the number of digits.
func listed() [5]string {
	return [5]string{0: withoutDigits, 2: withTwoDigits, 3: withThreeDigits, 4: withFourDigits}
}

// slotOf numbers every three upper-case letters; anything else has no slot.
func slotOf(code string) (slot int, ok bool) {
	if len(code) != codeLength {
		return 0, false
	}
	for at := range codeLength {
		letter := code[at]
		if letter < 'A' || letter > 'Z' {
			return 0, false
		}
		slot = slot*26 + int(letter-'A')
	}
	return slot, true
}

func exponentOf(code string) (exponent int, known bool) {
	slot, ok := slotOf(code)
	if !ok || exponentPlusOne[slot] == 0 {
		return 0, false
	}
	return int(exponentPlusOne[slot]) - 1, true
}

// All lists every known currency in alphabetical order: for documentation and tests.
func All() []Currency {
	var all []Currency
	for _, codes := range listed() {
		for at := 0; at < len(codes); at += codeLength + 1 {
			all = append(all, Currency(codes[at:at+codeLength]))
		}
	}
	slices.Sort(all)
	return all
}

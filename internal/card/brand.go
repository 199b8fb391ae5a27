package card

// Brand is a card network, by the name that the API uses (cardScheme).
type Brand string

// The brands whose numbers are known. Unknown is every other one: such a card is still tried.
const (
	Unknown    Brand = ""
	Visa       Brand = "visa"
	Mastercard Brand = "mastercard"
	Amex       Brand = "amex"
	UnionPay   Brand = "unionpay"
	Mir        Brand = "mir"
	Maestro    Brand = "maestro"
	JCB        Brand = "jcb"
	Diners     Brand = "diners"
	Discover   Brand = "discover"
	Belkart    Brand = "belkart"
	Uzcard     Brand = "uzcard"
	Humo       Brand = "humo"
)

// prefixDigits is how many leading digits the table's ranges are written with.
const prefixDigits = 6

// Prefixes are the numbers that begin with six digits from First to Last.
type Prefixes struct{ First, Last int }

// Scheme is what a brand's numbers look like.
type Scheme struct {
	Brand       Brand
	Prefixes    []Prefixes
	MinDigits   int
	MaxDigits   int
	Only        []int // the lengths, where not all between are used; nil for all
	CVV         int   // digits
	CVVOptional bool  // whether there are cards without one
	Gaps        []int // after how many digits a space is shown; what is longer goes on without
}

// schemes is the table of brands. No two overlap: where networks share a range it is the one's that issues in
// Kazakhstan (622126 to 622925 is UnionPay's, and Discover's by agreement only; 5614 is Uzcard's beside
// Maestro). The ranges are those that networks publish for acceptance; they change once in years.
var schemes = []Scheme{
	{Brand: Visa, Prefixes: []Prefixes{{400000, 499999}}, MinDigits: 13, MaxDigits: 19,
		Only: []int{13, 16, 19}, CVV: 3, Gaps: fours},
	{Brand: Mastercard, Prefixes: []Prefixes{{510000, 559999}, {222100, 272099}}, MinDigits: 16, MaxDigits: 16,
		CVV: 3, Gaps: fours},
	{Brand: Amex, Prefixes: []Prefixes{{340000, 349999}, {370000, 379999}}, MinDigits: 15, MaxDigits: 15,
		CVV: 4, Gaps: []int{4, 10}},
	{Brand: UnionPay, Prefixes: []Prefixes{{620000, 629999}, {810000, 817199}}, MinDigits: 16, MaxDigits: 19,
		CVV: 3, Gaps: fours},
	{Brand: Mir, Prefixes: []Prefixes{{220000, 220499}}, MinDigits: 16, MaxDigits: 19, CVV: 3, Gaps: fours},
	{Brand: Maestro, Prefixes: []Prefixes{{501800, 501899}, {502000, 502099}, {503800, 503899},
		{589300, 589399}, {630400, 630499}, {670000, 679999}}, MinDigits: 12, MaxDigits: 19, CVV: 3,
		CVVOptional: true, Gaps: fours},
	{Brand: JCB, Prefixes: []Prefixes{{352800, 358999}}, MinDigits: 16, MaxDigits: 19, CVV: 3, Gaps: fours},
	{Brand: Diners, Prefixes: []Prefixes{{300000, 305999}, {309500, 309599}, {360000, 369999},
		{380000, 399999}}, MinDigits: 14, MaxDigits: 19, Only: []int{14, 16, 19}, CVV: 3, Gaps: []int{4, 10}},
	{Brand: Discover, Prefixes: []Prefixes{{601100, 601199}, {644000, 659999}}, MinDigits: 16, MaxDigits: 19,
		CVV: 3, Gaps: fours},
	{Brand: Belkart, Prefixes: []Prefixes{{911200, 911299}}, MinDigits: 16, MaxDigits: 16, CVV: 3, Gaps: fours},
	{Brand: Uzcard, Prefixes: []Prefixes{{561400, 561499}, {860000, 860099}}, MinDigits: 16, MaxDigits: 16,
		CVV: 3, CVVOptional: true, Gaps: fours},
	{Brand: Humo, Prefixes: []Prefixes{{986000, 986099}}, MinDigits: 16, MaxDigits: 16, CVV: 3,
		CVVOptional: true, Gaps: fours},
}

var fours = []int{4, 8, 12, 16}

// Schemes returns the table of brands, for who shows or checks numbers while they are typed. It is shared:
// nobody may change it.
func Schemes() []Scheme { return schemes }

// Scheme returns the brand's line of the table; false for Unknown and what is no brand.
func (b Brand) Scheme() (Scheme, bool) {
	for i := range schemes {
		if schemes[i].Brand == b {
			return schemes[i], true
		}
	}
	return Scheme{}, false
}

// brandOf finds the brand of a number by prefix and length.
func brandOf(digits []byte) Brand {
	if len(digits) < minDigits {
		return Unknown
	}
	prefix := int(packDigits(digits[:prefixDigits]))
	for i := range schemes {
		s := &schemes[i]
		for _, p := range s.Prefixes {
			if p.First <= prefix && prefix <= p.Last {
				if s.fits(len(digits)) {
					return s.Brand
				}
				return Unknown // no two brands share a prefix
			}
		}
	}
	return Unknown
}

// fits reports whether the brand has numbers of so many digits.
func (s *Scheme) fits(digits int) bool {
	if digits < s.MinDigits || digits > s.MaxDigits {
		return false
	}
	for _, only := range s.Only {
		if digits == only {
			return true
		}
	}
	return s.Only == nil
}

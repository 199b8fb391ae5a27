package wire

import (
	"fmt"
	"strings"

	"github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"
	"github.com/moov-io/iso8583/sort"
)

// layout is every field of ISO 8583:1987 but 48 and 105 to 127: its number, its kind and its length. An
// answer with a field that we do not use must still be read, or it would be lost. The kinds: n digits, a text
// padded with spaces, b bytes; with two or three dots the length before the value has as many digits.
const layout = `
2 n..19 | 3 n6 | 4 n12 | 5 n12 | 6 n12 | 7 n10 | 8 n8 | 9 n8 | 10 n8 | 11 n6 | 12 n6 | 13 n4 | 14 n4 |
15 n4 | 16 n4 | 17 n4 | 18 n4 | 19 n3 | 20 n3 | 21 n3 | 22 n3 | 23 n3 | 24 n3 | 25 n2 | 26 n2 | 27 n1 |
28 a9 | 29 a9 | 30 a9 | 31 a9 | 32 n..11 | 33 n..11 | 34 a..28 | 35 a..37 | 36 a...104 | 37 a12 | 38 a6 |
39 a2 | 40 a3 | 41 a8 | 42 a15 | 43 a40 | 44 a..25 | 45 a..76 | 46 a...999 | 47 a...999 | 49 n3 | 50 n3 |
51 n3 | 52 b8 | 53 n16 | 54 a...120 | 55 b...255 | 56 a...999 | 57 a...999 | 58 a...999 | 59 a...999 |
60 a...999 | 61 a...999 | 62 a...999 | 63 a...999 | 64 b8 | 66 n1 | 67 n2 | 68 n3 | 69 n3 | 70 n3 |
71 n4 | 72 n4 | 73 n6 | 74 n10 | 75 n10 | 76 n10 | 77 n10 | 78 n10 | 79 n10 | 80 n10 | 81 n10 | 82 n12 |
83 n12 | 84 n12 | 85 n12 | 86 n16 | 87 n16 | 88 n16 | 89 n16 | 90 n42 | 91 a1 | 92 a2 | 93 a5 | 94 a7 |
95 a42 | 96 b8 | 97 a17 | 98 a25 | 99 n..11 | 100 n..11 | 101 a..17 | 102 a..28 | 103 a..28 |
104 a...100 | 128 b8`

// privateTags are the parts of field 48: two digits of tag, two of length, the value.
var privateTags = []string{"01", "02", "03", "10", "11", "12", "13", "20", "21", "87", "92"}

// spec is how messages are packed: ASCII, a binary bitmap of 8 or 16 bytes.
var spec = buildSpec()

func buildSpec() *iso8583.MessageSpec {
	fields := map[int]field.Field{
		0: field.NewString(&field.Spec{Length: 4, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed}),
		1: field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.Binary.Fixed}),
	}
	for entry := range strings.SplitSeq(layout, "|") {
		var number, length int
		var kind string
		if _, err := fmt.Sscan(entry, &number, &kind); err != nil {
			panic("wire: the layout is spelled wrong")
		}
		name := strings.TrimRight(kind, "0123456789")
		if _, err := fmt.Sscan(kind[len(name):], &length); err != nil {
			panic("wire: the layout is spelled wrong")
		}
		fields[number] = field.NewString(kindOf(name, length))
	}
	for number := 105; number <= 127; number++ {
		fields[number] = field.NewString(kindOf("a...", 999))
	}
	fields[48] = field.NewComposite(private())
	return &iso8583.MessageSpec{Name: "plexy", Fields: fields}
}

// kindOf returns the packer's settings of one field. Text is read byte by byte, whatever the bytes are: what
// is wrong with a field that we do not use must not cost an answer.
func kindOf(name string, length int) *field.Spec {
	s := &field.Spec{Length: length, Enc: encoding.Binary, Pref: prefix.ASCII.Fixed}
	switch name {
	case "n":
		s.Enc = encoding.ASCII
	case "n..":
		s.Enc, s.Pref = encoding.ASCII, prefix.ASCII.LL
	case "a":
		s.Pad = padding.Right(' ')
	case "a..":
		s.Pref = prefix.ASCII.LL
	case "a...", "b...":
		s.Pref = prefix.ASCII.LLL
	}
	return s
}

func private() *field.Spec {
	parts := map[string]field.Field{}
	for _, tag := range privateTags {
		parts[tag] = field.NewString(&field.Spec{Length: 99, Enc: encoding.Binary, Pref: prefix.ASCII.LL})
	}
	return &field.Spec{
		Length: 999, Pref: prefix.ASCII.LLL, Subfields: parts,
		Tag: &field.TagSpec{Length: 2, Enc: encoding.ASCII, Sort: sort.StringsByInt,
			SkipUnknownTLVTags: true, PrefUnknownTLV: prefix.ASCII.LL},
	}
}

package tlv

import (
	"errors"
	"testing"
)

func TestUnzipPairRefusesLongerForms(t *testing.T) {
	for _, hex := range []string{
		"00",             // zero, which takes no bytes
		"01 00",          // second 0 beside a first of one byte
		"01 00 00",       // first of one byte in two
		"01 00 02 00",    // both in two
		"01 00 00 00 02", // first of one byte in four
		"01 02 03 04 05 06 07",
		"01 02 03 04 05 06 07 08 09 0a 0b",
		"01 00 00 00 00 00 00 00 02 00 00 00",
		"01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11",
	} {
		if a, b, err := UnzipPair(unhex(t, hex)); !errors.Is(err, ErrMalformed) {
			t.Errorf("UnzipPair(%s) = %d, %d, %v; want %v", hex, a, b, err, ErrMalformed)
		}
	}
}

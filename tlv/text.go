package tlv

import "math"

// MaxText is the greatest length of a text in bytes.
const MaxText = 1 << 20

// ParseInteger reads a decimal int64 that is written in the one way in which it is written back: no plus sign, no leading
// zero, no minus zero, no space, not empty. A value that is such a number is an integer, any other is a text.
func ParseInteger[S ~string | ~[]byte](s S) (int64, bool) {
	digits, negative := s, false
	if len(s) > 0 && s[0] == '-' {
		digits, negative = s[1:], true
	}
	if len(digits) == 1 && digits[0] == '0' && !negative {
		return 0, true
	}
	if len(digits) == 0 || len(digits) > 19 || digits[0] == '0' {
		return 0, false
	}
	var n uint64 // 19 digits do not wrap
	for i := range len(digits) {
		d := digits[i]
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + uint64(d-'0')
	}
	switch {
	case negative && n <= -math.MinInt64:
		return -int64(n), true
	case !negative && n <= math.MaxInt64:
		return int64(n), true
	}
	return 0, false
}

// validateText holds a text to what SET makes: never of a Natural, and not what is an integer.
func (c *Contribution) validateText() error {
	switch {
	case !c.IsText && c.Text == "":
		return nil
	case !c.IsText || !c.HasValue:
		return malformed("text without a SET")
	case len(c.Text) > MaxText:
		return malformed("text of %d bytes", len(c.Text))
	case c.Assigned != 0 || c.Kind != ZCounter:
		return malformed("text and integer %d, kind %s", c.Assigned, c.Kind)
	}
	if _, ok := ParseInteger(c.Text); ok {
		return malformed("text %q is an integer", c.Text)
	}
	return nil
}

// Texts is how many bytes the texts of s have.
func (s *State) Texts() (n int) {
	for i := range s.Contributions {
		n += len(s.Contributions[i].Text)
	}
	return n
}

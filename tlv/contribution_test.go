package tlv

import (
	"errors"
	"strings"
	"testing"
)

func TestContributionValidate(t *testing.T) {
	for name, test := range map[string]struct {
		c  Contribution
		ok bool
	}{
		"added to":                 {exampleAdd, true},
		"set and expiring":         {exampleSet, true},
		"only an expiry":           {Contribution{Replica: 1, Birth: 5, Rev: 9, Expiry: Expiry{5, 1}}, true},
		"only a PERSIST":           {Contribution{Replica: 1, Birth: 5, Rev: 9, Expiry: Expiry{5, 0}}, true},
		"closed":                   {Contribution{Replica: 1, Birth: 9, Rev: 9, Closed: true}, true},
		"closed by an expiry":      {Contribution{Replica: 1, Birth: 9, Rev: 9, Expiry: Expiry{8, 1}, Closed: true}, true},
		"closed natural":           {Contribution{Replica: 1, Birth: 9, Rev: 9, Kind: Natural, Closed: true}, true},
		"natural below zero":       {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, Kind: Natural, Total: FromInt64(-1)}, true},
		"expired before its birth": {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, Expiry: Expiry{4, 1}}, true},

		"a text":           {exampleText, true},
		"the empty text":   {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, HasValue: true, IsText: true}, true},
		"a text, added to": {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, HasValue: true, IsText: true, Text: "a", Total: FromInt64(3)}, true},
		"the longest text": {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, HasValue: true, IsText: true, Text: strings.Repeat("1", MaxText)}, true},

		"text too long":          {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, HasValue: true, IsText: true, Text: strings.Repeat("1", MaxText+1)}, false},
		"text that is a number":  {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, HasValue: true, IsText: true, Text: "-12"}, false},
		"text without SET":       {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, IsText: true, Text: "a"}, false},
		"text that is none":      {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, HasValue: true, Text: "a"}, false},
		"text and integer":       {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, HasValue: true, IsText: true, Text: "a", Assigned: 1}, false},
		"natural text":           {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, HasValue: true, IsText: true, Text: "a", Kind: Natural}, false},
		"closed with a text":     {Contribution{Replica: 1, Birth: 9, Rev: 9, HasValue: true, IsText: true, Text: "a", Closed: true}, false},
		"replica 0":              {Contribution{Birth: 5, Rev: 9, Last: 9}, false},
		"kind":                   {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, Kind: 2}, false},
		"birth 0":                {Contribution{Replica: 1, Rev: 9, Last: 9}, false},
		"birth after rev":        {Contribution{Replica: 1, Birth: 10, Rev: 9, Last: 9}, false},
		"last after rev":         {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 10}, false},
		"last before birth":      {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 4}, false},
		"assigned without SET":   {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, Assigned: 1}, false},
		"expiry after rev":       {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, Expiry: Expiry{10, 1}}, false},
		"expiry before 1970":     {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, Expiry: Expiry{9, -1}}, false},
		"expiry without a stamp": {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, Expiry: Expiry{0, 1}}, false},
		"nothing at all":         {Contribution{Replica: 1, Birth: 5, Rev: 9}, false},
		"total never added":      {Contribution{Replica: 1, Birth: 5, Rev: 9, Total: FromInt64(1), Expiry: Expiry{5, 1}}, false},
		"value never set":        {Contribution{Replica: 1, Birth: 5, Rev: 9, HasValue: true, Expiry: Expiry{5, 1}}, false},
		"closed with a last":     {Contribution{Replica: 1, Birth: 9, Rev: 9, Last: 9, Closed: true}, false},
		"closed with a total":    {Contribution{Replica: 1, Birth: 9, Rev: 9, Total: FromInt64(1), Closed: true}, false},
		"closed with a value":    {Contribution{Replica: 1, Birth: 9, Rev: 9, HasValue: true, Closed: true}, false},
		"closed since before":    {Contribution{Replica: 1, Birth: 8, Rev: 9, Closed: true}, false},
	} {
		err := test.c.Validate()
		if (err == nil) != test.ok || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Validate(%+v) = %v; want ok %t", name, test.c, err, test.ok)
		}
	}
}

func TestParseStateRefuses(t *testing.T) {
	for name, h := range map[string]string{
		"cut":                "63 10 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a",
		"cut inside":         "63 0f 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a",
		"byte too many":      "63 11 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 30 30",
		"rev not shortest":   "63 11 01 00 00 00 00 00 00 00 32 10 00 30 31 01 31 0a 30",
		"birth before 0":     "63 11 01 00 00 00 00 00 00 00 31 10 31 11 31 01 31 0a 30",
		"birth 0":            "63 11 01 00 00 00 00 00 00 00 31 10 31 10 31 01 31 0a 30",
		"last 0":             "63 10 01 00 00 00 00 00 00 00 31 10 30 31 11 31 0a 30",
		"unknown flag":       "63 11 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 31 40",
		"text and integer":   "63 15 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 31 14 78 01 61 30",
		"no text":            "63 11 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 31 10",
		"text of a number":   "63 14 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 31 10 78 01 31",
		"text cut":           "63 14 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 31 10 78 02 61",
		"text of a Natural":  "63 14 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 31 11 78 01 61",
		"text as a tiny one": "63 13 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 31 10 31 61",
		"text, other record": "63 14 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 31 10 74 01 61",
		"expiry at stamp 0":  "63 15 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 31 08 31 10 31 01",
		"expiry below 0":     "63 1c 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 31 08 30 38 ff ff ff ff ff ff ff ff",
		"replica 0":          "63 10 00 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 30",
		"same replica twice": "63 10 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 30 63 10 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 30",
		"order":              "63 10 02 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 30 63 10 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 30",
		"reset before":       "72 0c 01 00 00 00 00 00 00 00 31 10 31 0a 63 10 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 30",
		"resets' order":      "72 0c 02 00 00 00 00 00 00 00 31 10 31 0a 72 0c 01 00 00 00 00 00 00 00 31 10 31 0a",
		"reset of replica 0": "72 0c 00 00 00 00 00 00 00 00 31 10 31 0a",
		"reset up to 0":      "72 0b 01 00 00 00 00 00 00 00 30 31 0a",
		"reset, more":        "72 0d 01 00 00 00 00 00 00 00 31 10 31 0a 30",
		"another record":     "78 00",
		"tiny":               "30",
	} {
		if s, err := ParseState(unhex(t, h)); !errors.Is(err, ErrMalformed) || errors.Is(err, ErrIncomplete) || !s.Empty() {
			t.Errorf("%s: ParseState(%s) = %+v, %v; want %v", name, h, s, err, ErrMalformed)
		}
	}
}

// Of texts, records C are short up to 255 bytes of body, then long.
func TestTextsAreReadAsWritten(t *testing.T) {
	for _, n := range []int{0, 1, 9, 10, 230, 236, 237, 238, 239, 240, 255, 256, 257, 1000, MaxText} {
		c := exampleText
		c.Text, c.Expiry = strings.Repeat("x", n), Expiry{0x10, 1000}
		s := State{Contributions: []Contribution{c}}
		data := AppendState([]byte("before"), &s)[len("before"):]
		if long := data[0] == 'C'; long != (len(data) > 255+shortHead) {
			t.Errorf("text of %d bytes: %d in all, long %t", n, len(data), long)
		}
		if got, err := ParseState(data); err != nil || !sameState(&got, &s) {
			t.Errorf("text of %d bytes: %v, read as %d contributions", n, err, len(got.Contributions))
		}
	}
}

func TestTextTooLongIsNotRead(t *testing.T) {
	c := exampleText
	c.Text = strings.Repeat("x", MaxText+1)
	data := AppendState(nil, &State{Contributions: []Contribution{c}})
	if s, err := ParseState(data); !errors.Is(err, ErrMalformed) || !s.Empty() {
		t.Errorf("ParseState = %d contributions, %v; want %v", len(s.Contributions), err, ErrMalformed)
	}
	if got := allocated(func() { _, _ = ParseState(data) }); got > 1<<10 {
		t.Errorf("%d bytes allocated for a text that is refused", got)
	}
}

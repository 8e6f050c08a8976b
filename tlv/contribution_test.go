package tlv

import (
	"errors"
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
		"closed natural":           {Contribution{Replica: 1, Birth: 9, Rev: 9, Kind: Natural, Closed: true}, true},
		"natural below zero":       {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, Kind: Natural, Total: FromInt64(-1)}, true},
		"expired before its birth": {Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, Expiry: Expiry{4, 1}}, true},

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
		"closed with an expiry":  {Contribution{Replica: 1, Birth: 9, Rev: 9, Expiry: Expiry{9, 1}, Closed: true}, false},
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
		"unknown flag":       "63 11 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 31 10",
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

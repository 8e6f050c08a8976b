package config

import (
	"errors"
	"strconv"
	"strings"
)

// percentiles are those that INFO latencystats shows.
func percentiles() field {
	get := func(s *Settings) string {
		var words []string
		for _, p := range s.Percentiles {
			words = append(words, strconv.FormatFloat(p, 'g', -1, 64))
		}
		return strings.Join(words, " ")
	}
	return field{get, func(s *Settings, value string) error {
		var list []float64
		for _, word := range strings.Fields(value) {
			p, err := strconv.ParseFloat(word, 64)
			switch {
			case err != nil:
				//lint:ignore ST1005 Redis's words
				return errors.New("Invalid latency-tracking-info-percentiles parameters")
			case p < 0 || p > 100:
				return errors.New("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
			}
			list = append(list, p)
		}
		s.Percentiles = list
		return nil
	}}
}

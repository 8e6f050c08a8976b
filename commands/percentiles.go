package commands

import (
	"errors"
	"strconv"
	"strings"
)

// Percentiles are those that INFO latencystats shows.
func (c *Config) Percentiles() []float64 {
	if p := c.percentiles.Load(); p != nil {
		return *p
	}
	return []float64{50, 99, 99.9}
}

func showPercentiles(s *Server) string {
	var words []string
	for _, p := range s.Config.Percentiles() {
		words = append(words, strconv.FormatFloat(p, 'g', -1, 64))
	}
	return strings.Join(words, " ")
}

func takePercentiles(s *Server, value string) (func() error, error) {
	list := []float64{}
	for _, word := range strings.Fields(value) {
		p, err := strconv.ParseFloat(word, 64)
		switch {
		case err != nil:
			//lint:ignore ST1005 Redis's words
			return nil, errors.New("Invalid latency-tracking-info-percentiles parameters")
		case p < 0 || p > 100:
			return nil, errors.New("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
		}
		list = append(list, p)
	}
	return sure(func() { s.Config.percentiles.Store(&list) }), nil
}

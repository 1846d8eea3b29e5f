package compare

import (
	"math"
	"slices"
)

// rankSum is the outcome of a Mann-Whitney test: whether the values of b are
// larger than those of a.
//
// It uses the normal approximation with the correction for ties, which is good
// from about eight values on, as W. Mann and D. Whitney give it in "On a test of
// whether one of two random variables is stochastically larger than the other"
// (1947). Windows that follow each other are alike, so that there are in effect
// fewer of them than there are: with a correlation r of neighbours, (1-r)/(1+r)
// times as many, which is exact for an autoregressive process of the first order.
type rankSum struct {
	z float64 // standard deviations; positive if b is larger
	p float64 // of a difference as large or larger, either way, if there were none
}

func mannWhitney(a, b []float64) rankSum {
	n, m := float64(len(a)), float64(len(b))
	ranks, ties := rank(slices.Concat(a, b))
	var sum float64
	for _, r := range ranks[len(a):] {
		sum += r
	}
	u := sum - m*(m+1)/2
	total := n + m
	variance := n * m / 12 * (total + 1 - ties/(total*(total-1)))
	if variance <= 0 {
		return rankSum{0, 1} // all are equal
	}
	r := max(0, correlation(a, b))
	z := (u - n*m/2) / math.Sqrt(variance) * math.Sqrt((1-r)/(1+r))
	return rankSum{z, math.Erfc(math.Abs(z) / math.Sqrt2)}
}

// rank returns the ranks of values, from 1, where equal ones share theirs, and
// the sum of t³-t over the sizes t of groups of equal ones.
func rank(values []float64) (ranks []float64, ties float64) {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		switch {
		case values[i] < values[j]:
			return -1
		case values[i] > values[j]:
			return 1
		}
		return i - j
	})
	ranks = make([]float64, len(values))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && values[order[j]] == values[order[i]] {
			j++
		}
		for _, at := range order[i:j] {
			ranks[at] = float64(i+j+1) / 2
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	return ranks, ties
}

// correlation returns that of neighbours in both of two series, each about its
// own mean, at most 0.95.
func correlation(series ...[]float64) float64 {
	var with, of float64
	for _, s := range series {
		mean := 0.0
		for _, v := range s {
			mean += v / float64(len(s))
		}
		for i, v := range s {
			of += (v - mean) * (v - mean)
			if i > 0 {
				with += (v - mean) * (s[i-1] - mean)
			}
		}
	}
	if of == 0 {
		return 0
	}
	return min(with/of, 0.95)
}

// median of values, which must not be empty.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// mean of values, which must not be empty.
func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

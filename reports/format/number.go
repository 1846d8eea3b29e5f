// Package format words numbers and findings the same way in every report.
//
// Measured values have three significant digits and always their unit; limits
// are written as short as they can be, since a person wrote them.
package format

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The units of an objective's limit and value.
const (
	Milliseconds = "ms"
	Percentage   = "percent"
	Number       = "count"
)

const (
	second = 1000.0
	minute = 60 * second
	hour   = 60 * minute

	digits    = 3 // significant digits of a measured value
	maxDigits = 6 // at most, where three would hide on which side of its limit a value is
)

// Duration words a measured time, given in ms: "60.0 µs", "118 ms", "12.4 s", "3m50s",
// "4h02m".
func Duration(ms float64) string { return duration(ms, digits) }

// Percent words a measured share, given in percent. A share just below 100 %
// is not rounded up to it.
func Percent(p float64) string { return percent(p, digits) }

// Count words a number of things: "48,210".
func Count[N int | int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Value words a measured value in one of the units of an objective.
func Value(unit string, v float64) string { return value(unit, v, digits) }

// ValueBeside words a value that stands beside its limit: with more digits
// than usual where three would make a value outside the limit look inside.
func ValueBeside(unit string, v, limit float64) string {
	for n := digits; n < maxDigits; n++ {
		s := value(unit, v, n)
		if v == limit || s != value(unit, limit, n) {
			return s
		}
	}
	return value(unit, v, maxDigits)
}

// Limit words a limit: "250 ms", "20 s", "0.1 %".
func Limit(unit string, v float64) string { return short(value(unit, v, maxDigits)) }

// Margin words how far a value is from its limit, negative if outside.
func Margin(unit string, v float64) string { return short(value(unit, v, digits)) }

// short takes trailing zeros off a worded value.
func short(s string) string {
	if long := strings.TrimSuffix(strings.TrimSuffix(s, "00s"), "00m"); long != s {
		return long
	}
	number, rest, ok := strings.Cut(s, " ")
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	if !ok {
		return number
	}
	return number + " " + rest
}

// Clock words a moment, given in ms since some beginning, for a time axis:
// "1:28", "1:02:03".
func Clock(ms float64) string {
	s := int64(math.Floor(ms / second))
	sign := ""
	if s < 0 {
		sign, s = "-", -s
	}
	if s < 3600 {
		return fmt.Sprintf("%s%d:%02d", sign, s/60, s%60)
	}
	return fmt.Sprintf("%s%d:%02d:%02d", sign, s/3600, s/60%60, s%60)
}

// Significant writes v with n significant digits, but all digits before the
// decimal point, and without an exponent.
func Significant(v float64, n int) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	scientific := strconv.FormatFloat(v, 'e', n-1, 64)
	_, e, _ := strings.Cut(scientific, "e")
	exponent, err := strconv.Atoi(e)
	if err != nil {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', max(0, n-1-exponent), 64)
}

func value(unit string, v float64, n int) string {
	switch unit {
	case Milliseconds:
		return duration(v, n)
	case Percentage:
		return percent(v, n)
	}
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return Count(int64(v))
	}
	return Significant(v, n)
}

func percent(p float64, n int) string {
	s := Significant(p, n)
	for s == "100" && p < 100 && n <= maxDigits+2 {
		n++
		s = strings.TrimRight(Significant(p, n), ".")
		if strings.TrimRight(s, "0") == "100." {
			s = "100"
		}
	}
	return s + " %"
}

// duration gives n significant digits up to two minutes, and whole seconds or
// minutes beyond, where nobody needs more.
func duration(ms float64, n int) string {
	a := math.Abs(ms)
	sign := ""
	if ms < 0 {
		sign = "-"
	}
	switch {
	case a == 0:
		return "0 s"
	case a < 0.9995:
		return sign + Significant(a*1000, n) + " µs"
	case a < second-0.5:
		return sign + Significant(a, n) + " ms"
	case a < 2*minute:
		return sign + Significant(a/second, n) + " s"
	case a < hour-second/2:
		s := int64(math.Round(a / second))
		return fmt.Sprintf("%s%dm%02ds", sign, s/60, s%60)
	}
	m := int64(math.Round(a / minute))
	return fmt.Sprintf("%s%dh%02dm", sign, m/60, m%60)
}

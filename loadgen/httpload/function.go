package httpload

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A mistake is what is wrong with an expression, and how to mend it.
type mistake struct{ msg, hint string }

// A function makes values. Those of one visit are the same for the same seed,
// except for what the clock says.
type function struct {
	usage    string
	min, max int // arguments
	make     func(args []string) (expr, *mistake)
}

// functions are all there are, by name.
func functions() map[string]function {
	return map[string]function{
		"uuid":    {"uuid", 0, 0, always(makeUUID)},
		"seq":     {"seq", 0, 0, always(func(v *visit) value { return number(int64(v.seq)) })}, //nolint:gosec // counts from 0
		"drill":   {"drill", 0, 0, always(func(v *visit) value { return number(int64(v.drill)) })},
		"run":     {"run", 0, 0, always(func(v *visit) value { return text(fmt.Sprintf("%x", v.w.Nonce)) })},
		"int":     {"int(1, 100)", 2, 2, makeInt},
		"float":   {"float(0.5, 99.5)", 2, 3, makeFloat},
		"zipf":    {"zipf(1000)", 1, 2, makeZipf},
		"bool":    {"bool", 0, 0, always(func(v *visit) value { return literal(strconv.FormatBool(v.rng.Uint64()&1 == 1)) })},
		"hex":     {"hex(16)", 1, 1, letters("0123456789abcdef")},
		"letters": {"letters(8)", 1, 1, letters("abcdefghijklmnopqrstuvwxyz")},
		"digits":  {"digits(6)", 1, 1, letters("0123456789")},
		"pick":    {"pick(red, green, blue)", 1, 1000, makePick},
		"now":     {"now", 0, 0, clock(func(t time.Time) value { return text(t.UTC().Format("2006-01-02T15:04:05.000Z")) })},
		"date":    {"date", 0, 0, clock(func(t time.Time) value { return text(t.UTC().Format(time.DateOnly)) })},
		"unix":    {"unix", 0, 0, clock(func(t time.Time) value { return number(t.Unix()) })},
		"unix_ms": {"unix_ms", 0, 0, clock(func(t time.Time) value { return number(t.UnixMilli()) })},
	}
}

// functionNames lists them.
func functionNames() []string { return slices.Sorted(maps.Keys(functions())) }

func text(s string) value    { return value{text: s} }
func literal(s string) value { return value{text: s, json: true} }
func number(n int64) value   { return literal(strconv.FormatInt(n, 10)) }

func always(x expr) func([]string) (expr, *mistake) {
	return func([]string) (expr, *mistake) { return x, nil }
}

func clock(write func(time.Time) value) func([]string) (expr, *mistake) {
	return always(func(*visit) value { return write(time.Now()) })
}

// makeUUID makes a UUID of version 8: 48 bits of the run's nonce, the number of
// the drill, and 62 bits of the visit's own random numbers.
func makeUUID(v *visit) value {
	var id uuid.UUID
	copy(id[:6], v.w.Nonce[:])
	binary.BigEndian.PutUint16(id[6:], 0x8000|uint16(v.drill&MaxDrills))
	binary.BigEndian.PutUint64(id[8:], 1<<63|v.rng.Uint64()&(1<<62-1))
	return text(id.String())
}

func makeInt(args []string) (expr, *mistake) {
	from, err := strconv.ParseInt(args[0], 10, 64)
	to, err2 := strconv.ParseInt(args[1], 10, 64)
	if err != nil || err2 != nil || to < from || to-from < 0 || to-from == 1<<63-1 {
		return nil, &mistake{fmt.Sprintf("int(%s, %s) is no range of whole numbers", args[0], args[1]), "write for example int(1, 100)"}
	}
	return func(v *visit) value { return number(from + v.rng.Int64N(to-from+1)) }, nil
}

func makeFloat(args []string) (expr, *mistake) {
	from, err := strconv.ParseFloat(args[0], 64)
	to, err2 := strconv.ParseFloat(args[1], 64)
	if !(err == nil && err2 == nil && to >= from && to-from <= 1e15 && from >= -1e15) {
		return nil, &mistake{fmt.Sprintf("float(%s, %s) is no range of numbers", args[0], args[1]), "write for example float(0.5, 99.5)"}
	}
	digits := 2
	if len(args) == 3 {
		if digits, err = strconv.Atoi(args[2]); err != nil || digits < 0 || digits > 15 {
			return nil, &mistake{args[2] + " is no number of digits", "write 0 to 15"}
		}
	}
	return func(v *visit) value {
		return literal(strconv.FormatFloat(from+v.rng.Float64()*(to-from), 'f', digits, 64))
	}, nil
}

// makeZipf makes numbers from 1 of which the low ones are far more frequent: the
// k-th has a frequency of 1/k^s, s is 1.1 unless given.
func makeZipf(args []string) (expr, *mistake) {
	n, err := strconv.ParseUint(args[0], 10, 32)
	if err != nil || n == 0 {
		return nil, &mistake{args[0] + " is no whole number from 1", "write for example zipf(1000)"}
	}
	s := 1.1
	if len(args) == 2 {
		if s, err = strconv.ParseFloat(args[1], 64); !(err == nil && s > 1 && s <= 10) {
			return nil, &mistake{args[1] + " is no exponent of a Zipf distribution", "write more than 1, and at most 10"}
		}
	}
	return func(v *visit) value {
		return number(int64(rand.NewZipf(v.rng, s, 1, n-1).Uint64()) + 1) //nolint:gosec // 32 bits
	}, nil
}

func letters(alphabet string) func([]string) (expr, *mistake) {
	return func(args []string) (expr, *mistake) {
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 1 || n > 65536 {
			return nil, &mistake{args[0] + " is no length", "write 1 to 65536"}
		}
		return func(v *visit) value {
			b := make([]byte, n)
			for i := range b {
				b[i] = alphabet[v.rng.IntN(len(alphabet))]
			}
			return text(string(b))
		}, nil
	}
}

func makePick(args []string) (expr, *mistake) {
	return func(v *visit) value { return text(args[v.rng.IntN(len(args))]) }, nil
}

// call takes NAME or NAME(ARG, ...) apart.
func call(inside string) (name string, args []string, wrong *mistake) {
	name, rest, called := strings.Cut(inside, "(")
	name = strings.TrimSpace(name)
	if !called {
		return name, nil, nil
	}
	list, closed := strings.CutSuffix(strings.TrimSpace(rest), ")")
	if !closed {
		return "", nil, &mistake{"this ( is not closed", "write for example ${int(1, 100)}"}
	}
	if strings.TrimSpace(list) == "" {
		return name, nil, nil
	}
	for arg := range strings.SplitSeq(list, ",") {
		args = append(args, strings.Trim(strings.TrimSpace(arg), `"'`))
	}
	return name, args, nil
}

package history

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
)

// limited begins the promise of a client that may only do so much.
const limited = "limited "

// Limited is the promise that of all operations of a session that carry it no
// more than so many are done in any such time; the others are refused. It is
// written "limited 10/1s".
func Limited(most int, per time.Duration) string {
	return fmt.Sprintf("%s%d/%s", limited, most, per)
}

// LimitOf reads the promise that [Limited] makes.
func LimitOf(promise string) (most int, per time.Duration, ok bool) {
	rest, ok := strings.CutPrefix(promise, limited)
	if !ok {
		return 0, 0, false
	}
	number, span, _ := strings.Cut(rest, "/")
	most, err := strconv.Atoi(number)
	if err != nil || most < 1 {
		return 0, 0, false
	}
	per, err = time.ParseDuration(span)
	return most, per, err == nil && per > 0
}

// AppendSaw adds the version of one more thing to what [Event.Saw] says:
// "account-3=17 account-5=2". A key that would not be read back, because it is
// empty or has a space or an equals sign in it, is left out.
func AppendSaw(saw, key string, version int64) string {
	if key == "" || strings.ContainsAny(key, " =") {
		return saw
	}
	if saw != "" {
		saw += " "
	}
	return saw + key + "=" + strconv.FormatInt(version, 10)
}

// Sights lists the things and versions of what [Event.Saw] says. What is no
// version is left out.
func Sights(saw string) iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for one := range strings.FieldsSeq(saw) {
			key, number, _ := strings.Cut(one, "=")
			version, err := strconv.ParseInt(number, 10, 64)
			if err == nil && key != "" && !yield(key, version) {
				return
			}
		}
	}
}

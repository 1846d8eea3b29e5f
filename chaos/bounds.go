package chaos

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Bound says what a parameter may be beyond what its measure allows.
type Bound struct {
	Param string                       // empty: several
	May   string                       // in words: what Param may be
	Check func(k Kind, p Params) error // of what can be read
}

// Bounded makes the catalogue entry of a script whose parameters are bounded.
func (s Script) Bounded(bounds ...Bound) Kind {
	k := s.Fault()
	k.Params = slices.Clone(k.Params)
	for _, b := range bounds {
		if i := slices.IndexFunc(k.Params, func(p Param) bool { return p.Name == b.Param }); i >= 0 {
			k.Params[i].Limits = b.May
		}
	}
	onTarget := k.Check
	k.Check = func(p Params) error {
		errs := []error{onTarget(p)}
		for _, b := range bounds {
			errs = append(errs, b.Check(k, p))
		}
		return errors.Join(errs...)
	}
	return k
}

// bound makes a bound; may says in words what fits.
func bound(param, may string, fits func(k Kind, p Params) bool) Bound {
	return Bound{param, may, func(k Kind, p Params) error {
		if !fits(k, p) {
			return fmt.Errorf("%s: the parameter %s=%s: want %s", k.Name, param, k.Value(p, param), may)
		}
		return nil
	}}
}

// Between bounds a duration.
func Between(param string, least, most time.Duration) Bound {
	return bound(param, fmt.Sprintf("%s to %s", least, most), func(k Kind, p Params) bool {
		d := k.Duration(p, param)
		return d >= least && d <= most
	})
}

// UpTo bounds a count.
func UpTo(param string, most int) Bound {
	return bound(param, fmt.Sprintf("%d at most", most), func(k Kind, p Params) bool { return k.Count(p, param) <= most })
}

// SizeUpTo bounds a size in bytes.
func SizeUpTo(param string, most int64) Bound {
	return bound(param, fmt.Sprintf("%d MiB at most", most>>20), func(k Kind, p Params) bool { return k.Size(p, param) <= most })
}

// OneOf bounds a text to some words.
func OneOf(param string, words ...string) Bound {
	return bound(param, either(words), func(k Kind, p Params) bool { return slices.Contains(words, k.Value(p, param)) })
}

// Like bounds a text to a pattern, which may says in words.
func Like(param string, pattern *regexp.Regexp, may string) Bound {
	return bound(param, may, func(k Kind, p Params) bool { return pattern.MatchString(k.Value(p, param)) })
}

// either lists words of which one is wanted.
func either(words []string) string {
	if len(words) < 3 {
		return strings.Join(words, " or ")
	}
	return "one of " + strings.Join(words, ", ")
}

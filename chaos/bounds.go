package chaos

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Bound reports what is wrong with a parameter that can be read.
type Bound func(k Kind, p Params) error

// Bounded makes the catalogue entry of a script whose parameters are bounded.
func (s Script) Bounded(bounds ...Bound) Kind {
	k := s.Fault()
	onTarget := k.Check
	k.Check = func(p Params) error {
		errs := []error{onTarget(p)}
		for _, b := range bounds {
			errs = append(errs, b(k, p))
		}
		return errors.Join(errs...)
	}
	return k
}

// Between bounds a duration.
func Between(param string, least, most time.Duration) Bound {
	return func(k Kind, p Params) error {
		if d := k.Duration(p, param); d < least || d > most {
			return fmt.Errorf("%s: the parameter %s=%s: want %s to %s", k.Name, param, k.Value(p, param), least, most)
		}
		return nil
	}
}

// UpTo bounds a count.
func UpTo(param string, most int) Bound {
	return func(k Kind, p Params) error {
		if k.Count(p, param) > most {
			return fmt.Errorf("%s: the parameter %s=%s: want %d at most", k.Name, param, k.Value(p, param), most)
		}
		return nil
	}
}

// SizeUpTo bounds a size in bytes.
func SizeUpTo(param string, most int64) Bound {
	return func(k Kind, p Params) error {
		if k.Size(p, param) > most {
			return fmt.Errorf("%s: the parameter %s=%s: want %d MiB at most", k.Name, param, k.Value(p, param), most>>20)
		}
		return nil
	}
}

// OneOf bounds a text to some words.
func OneOf(param string, words ...string) Bound {
	return func(k Kind, p Params) error {
		if v := k.Value(p, param); !slices.Contains(words, v) {
			return fmt.Errorf("%s: the parameter %s=%s: want %s", k.Name, param, v, strings.Join(words, " or "))
		}
		return nil
	}
}

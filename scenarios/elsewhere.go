package scenarios

import (
	"fmt"
	"slices"
)

// sayEntry is the hint where it is not known what an entry is meant to do: it can
// do too much to list.
const sayEntry = "write for example kill: postgres.primary; proofload explain timeline says what there is"

// elsewhere returns the word of the language for one that is usual in other
// tools, or empty.
func elsewhere(word string) string {
	return map[string]string{
		"loss":            "packet-loss",
		"drop":            "packet-loss",
		"corrupt":         "packet-corruption",
		"duplicate":       "packet-duplication",
		"reorder":         "packet-reordering",
		"reset":           "link-reset",
		"refuse":          "link-down",
		"delay":           "latency",
		"add":             "delay", // of a latency
		"blackhole":       "partition",
		"isolate":         "partition",
		"freeze":          "pause",
		"crash":           "kill",
		"terminate":       "stop",
		"cpu":             "cpu-hog",
		"memory":          "memory-hog",
		"fill-disk":       "disk-full",
		"clock":           "clock-offset",
		"time-skew":       "clock-offset",
		"recover":         "heal",
		"rollback":        "heal",
		"wait":            "gate",
		"backup-readable": "restored-writes",
	}[word]
}

// A guess says which key was probably meant in the place of an unknown one, or
// empty, and how to mend it.
type guess func(word string, known []string) (key, hint string)

// guessKey takes a key for the one that is most like it.
func guessKey(word string, known []string) (key, hint string) {
	return Closest(word, known), DidYouMean(word, known)
}

// guessOf returns the guess for an entry of the timeline. Where it does nothing
// yet, its unknown key is a verb before it is anything else.
func guessOf(entry *node) guess {
	does := slices.ContainsFunc(entry.keys, func(key *node) bool { return isVerb(key.text) })
	return func(word string, known []string) (key, hint string) {
		if !does {
			key = Closest(word, verbNames())
		}
		if key == "" {
			key = Closest(word, known)
		}
		switch {
		case key != "":
			return key, fmt.Sprintf("did you mean %q?", key)
		case does:
			return "", DidYouMean(word, slices.DeleteFunc(known, isVerb))
		}
		return "", sayEntry
	}
}

func isVerb(word string) bool {
	_, ok := LookupVerb(word)
	return ok
}

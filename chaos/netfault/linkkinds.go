package netfault

import (
	"fmt"
	"slices"
	"time"

	"github.com/proofload/proofload/chaos"
)

// The faults of links beside stall.
const (
	kindLatency   = "latency"
	kindBandwidth = "bandwidth"
	kindSlice     = "slice"
	kindLimit     = "limit"
	kindHalfOpen  = "half-open"
	kindLinkReset = "link-reset"
	kindLinkDown  = "link-down"
)

// What faults of links change. Those that let data pass, later, slower or in
// pieces, are combined: each of them is seen in what passes. The others are
// combined with none, because they leave nothing that another could be seen in.
const (
	touchesDelay  = "delay"
	touchesRate   = "rate"
	touchesPieces = "pieces"
)

// wholeLink is what faults change that are combined with no other of their link.
func wholeLink() []string {
	return []string{chaos.TouchesLink, touchesDelay, touchesRate, touchesPieces}
}

// linkParams are the parameters that all faults of links have but link-down.
func linkParams(own ...chaos.Param) []chaos.Param {
	return append(own,
		chaos.Param{Name: "direction", Measure: chaos.Text, Default: "both", About: "up, to the server; down, to the client; or both", Limits: "up, down or both"},
		chaos.Param{Name: "connections", Measure: chaos.Percent, Default: "100%", About: "the share of the connections that meet it"},
	)
}

// oneOf reports that a parameter is none of the words it may be.
func oneOf(k chaos.Kind, p chaos.Params, name string, words ...string) error {
	value := k.Value(p, name)
	if slices.Contains(words, value) {
		return nil
	}
	return fmt.Errorf("%s: the parameter %s=%s: want one of %q", k.Name, name, value, words)
}

// jitterOf reads the parameter jitter, which may be zero, as [chaos.Duration]
// may not.
func jitterOf(k chaos.Kind, p chaos.Params) (time.Duration, error) {
	value := k.Value(p, "jitter")
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s: the parameter jitter=%s: want a duration, for example 20ms", k.Name, value)
	}
	return d, nil
}

// linkKinds returns the faults of links beside stall.
func linkKinds() []chaos.Kind {
	list := []linkKind{latencyKind(), bandwidthKind(), sliceKind(), limitKind(), halfOpenKind(), resetKind(), downKind()}
	kinds := make([]chaos.Kind, len(list))
	for i, l := range list {
		if l.toxic != nil {
			check, entry := l.Check, l.Kind
			l.Check = func(p chaos.Params) error {
				if err := oneOf(entry, p, "direction", "up", "down", "both"); err != nil || check == nil {
					return err
				}
				return check(p)
			}
		}
		kinds[i] = l.kind()
	}
	return kinds
}

func latencyKind() linkKind {
	l := linkKind{Kind: chaos.Kind{
		Name:    kindLatency,
		Touches: []string{touchesDelay},
		About:   "Delays everything that passes over a link, in order; a round trip over both directions meets it twice.",
		Params: linkParams(
			chaos.Param{Name: "delay", Measure: chaos.Duration, About: "how long data waits", Limits: "whole milliseconds"},
			chaos.Param{Name: "jitter", Measure: chaos.Text, Default: "0s", About: "how much the delay varies", Limits: "a duration, or 0s"},
			chaos.Param{Name: "distribution", Measure: chaos.Text, Default: "uniform", About: "of the jitter", Limits: "uniform, normal or pareto"},
		),
	}}
	k := l.Kind
	l.Check = func(p chaos.Params) error {
		if _, err := jitterOf(k, p); err != nil {
			return err
		}
		if d := k.Duration(p, "delay"); d < time.Millisecond {
			return fmt.Errorf("%s: the parameter delay=%s: want 1ms or more", k.Name, d)
		}
		return oneOf(k, p, "distribution", "uniform", "normal", "pareto")
	}
	l.toxic = func(k chaos.Kind, p chaos.Params, stock bool) (toxicInfo, error) {
		jitter, err := jitterOf(k, p)
		if err != nil {
			return toxicInfo{}, err
		}
		attributes := map[string]any{"latency": k.Duration(p, "delay").Milliseconds(), "jitter": jitter.Milliseconds()}
		shape := k.Value(p, "distribution")
		switch {
		case !stock:
			attributes["distribution"] = shape
		case shape != "uniform":
			return toxicInfo{}, unsupported("distribution " + shape)
		}
		return toxicInfo{Type: "latency", Attributes: attributes}, nil
	}
	l.marks = func(k chaos.Kind, p chaos.Params) mark {
		return mark{extra: k.Duration(p, "delay") * time.Duration(len(directions(k, p)))}
	}
	l.seen = func(k chaos.Kind, p chaos.Params, since byteCounts) string {
		if since.pieces() == 0 {
			return ""
		}
		mean := since.waited() / time.Duration(since.pieces())
		if mean < k.Duration(p, "delay")/2 {
			return ""
		}
		return fmt.Sprintf("%d pieces waited %s on average", since.pieces(), mean.Round(100*time.Microsecond))
	}
	return l
}

func bandwidthKind() linkKind {
	return linkKind{
		Kind: chaos.Kind{
			Name:    kindBandwidth,
			Touches: []string{touchesRate},
			About:   "Limits how fast data passes over each connection of a link.",
			Params:  linkParams(chaos.Param{Name: "rate", Measure: chaos.Size, About: "how much passes in a second, for example 64KiB"}),
		},
		toxic: func(k chaos.Kind, p chaos.Params, _ bool) (toxicInfo, error) {
			return toxicInfo{Type: "bandwidth", Attributes: map[string]any{"rate": max(1, k.Size(p, "rate")/1000)}}, nil
		},
		marks: func(k chaos.Kind, p chaos.Params) mark {
			rate := float64(k.Size(p, "rate"))
			return padded(k, p, rate*probeWanted.Seconds(), time.Duration(float64(time.Second)/rate))
		},
		seen: passed("under the limit"),
	}
}

func sliceKind() linkKind {
	l := linkKind{Kind: chaos.Kind{
		Name:    kindSlice,
		Touches: []string{touchesPieces},
		About:   "Cuts the data on a link into small pieces that are sent one after the other.",
		Params: linkParams(
			chaos.Param{Name: "bytes", Measure: chaos.Count, Default: "64", About: "how long a piece is on average; it varies by half of that"},
			chaos.Param{Name: "pause", Measure: chaos.Duration, Default: "10ms", About: "the time between two pieces"},
		),
	}}
	l.toxic = func(k chaos.Kind, p chaos.Params, _ bool) (toxicInfo, error) {
		n := k.Count(p, "bytes")
		return toxicInfo{Type: "slicer", Attributes: map[string]any{
			"average_size": n, "size_variation": n / 2, "delay": k.Duration(p, "pause").Microseconds(),
		}}, nil
	}
	l.marks = func(k chaos.Kind, p chaos.Params) mark {
		each := k.Duration(p, "pause") / time.Duration(k.Count(p, "bytes"))
		return padded(k, p, float64(probeWanted)/float64(max(1, each)), each)
	}
	l.seen = passed("in pieces")
	return l
}

func limitKind() linkKind {
	return linkKind{
		Kind: chaos.Kind{
			Name:   kindLimit,
			About:  "Closes each connection of a link when so many bytes have passed in one direction since the fault began.",
			Params: linkParams(chaos.Param{Name: "bytes", Measure: chaos.Count, About: "how many bytes pass"}),
		},
		toxic: func(k chaos.Kind, p chaos.Params, _ bool) (toxicInfo, error) {
			return toxicInfo{Type: "limit_data", Attributes: map[string]any{"bytes": k.Count(p, "bytes")}}, nil
		},
		marks: func(k chaos.Kind, p chaos.Params) mark {
			n := k.Count(p, "bytes")
			if n > maxPadding || !slices.Contains(directions(k, p), "upstream") {
				return mark{}
			}
			return mark{padding: n, ends: true}
		},
		seen: passed("counted against the limit"),
	}
}

// padded marks a request of so many bytes, each of which takes so long. They go
// to the server; what comes back is too short to show anything.
func padded(k chaos.Kind, p chaos.Params, size float64, each time.Duration) mark {
	n := int(min(size, maxPadding))
	extra := time.Duration(n) * each
	if extra < probeSeen || !slices.Contains(directions(k, p), "upstream") {
		return mark{}
	}
	return mark{padding: n, extra: extra}
}

// passed sees that data has passed under a toxic.
func passed(how string) func(chaos.Kind, chaos.Params, byteCounts) string {
	return func(_ chaos.Kind, _ chaos.Params, since byteCounts) string {
		if since.pieces() == 0 {
			return ""
		}
		return fmt.Sprintf("%d pieces passed %s, %d bytes", since.pieces(), how, since.out())
	}
}

// partialStall is a stall of one direction, or of some connections.
func partialStall() linkKind {
	return linkKind{
		Kind: chaos.Kind{Name: kindStall, Params: linkParams()},
		toxic: func(_ chaos.Kind, _ chaos.Params, stock bool) (toxicInfo, error) {
			return stallToxic(control{stock: stock}, "", ""), nil
		},
		marks: silence,
		seen: func(_ chaos.Kind, _ chaos.Params, since byteCounts) string {
			if since.in() <= since.out() {
				return ""
			}
			return fmt.Sprintf("%d bytes held back", since.in()-since.out())
		},
	}
}

// silence marks a link over which nothing comes.
func silence(chaos.Kind, chaos.Params) mark { return mark{silent: true} }

func halfOpenKind() linkKind {
	return linkKind{
		Kind: chaos.Kind{
			Name:  kindHalfOpen,
			Needs: "an environment whose link proxies are linkd",
			About: "Lets the peer vanish: connections are accepted and stay open, what is sent is lost, and no end is told. " +
				"Afterwards each connection that has lost something is reset.",
			Params: linkParams(),
		},
		toxic: func(_ chaos.Kind, _ chaos.Params, stock bool) (toxicInfo, error) {
			if stock {
				return toxicInfo{}, unsupported("half-open")
			}
			return toxicInfo{Type: "half_open"}, nil
		},
		marks: silence,
		seen: func(_ chaos.Kind, _ chaos.Params, since byteCounts) string {
			if since.dropped() == 0 {
				return ""
			}
			return fmt.Sprintf("%d bytes dropped", since.dropped())
		},
	}
}

func resetKind() linkKind {
	return linkKind{
		Kind: chaos.Kind{
			Name:   kindLinkReset,
			About:  "Resets each connection of a link with an RST: those there are, idle or not, and those that come.",
			Params: linkParams(chaos.Param{Name: "after", Measure: chaos.Duration, Default: "1us", About: "how long a connection lives, in whole milliseconds; below one it is reset at once"}),
		},
		toxic: func(k chaos.Kind, p chaos.Params, _ bool) (toxicInfo, error) {
			return toxicInfo{Type: "reset_peer", Attributes: map[string]any{"timeout": k.Duration(p, "after").Milliseconds()}}, nil
		},
		marks: func(k chaos.Kind, p chaos.Params) mark { return mark{ends: true, extra: k.Duration(p, "after")} },
		seen: func(_ chaos.Kind, _ chaos.Params, since byteCounts) string {
			if since.Resets == 0 {
				return ""
			}
			return fmt.Sprintf("%d connections reset", since.Resets)
		},
	}
}

func downKind() linkKind {
	return linkKind{
		Kind: chaos.Kind{
			Name:  kindLinkDown,
			About: "Closes all connections of a link and refuses new ones, as where nothing listens.",
		},
		marks: func(chaos.Kind, chaos.Params) mark { return mark{ends: true} },
	}
}

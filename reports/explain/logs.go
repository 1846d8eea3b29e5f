package explain

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

const (
	linesOfCase = 4       // that are shown of one case
	maxLine     = 1 << 20 // longer ones are cut
	slack       = 2 * time.Second
)

// A line is one of a node's log.
type line struct{ node, text string }

// logged is what the logs say of the cases of a result.
type logged struct {
	byWord map[string][]line // by correlation id and by id
	codes  map[nodeCode]*sightings
	nodes  []string
}

type nodeCode struct{ node, code string }

// sightings are the lines of one node that have a code.
type sightings struct {
	count       int
	first, last time.Time // zero if lines say no time
}

// search reads the logs once and keeps what concerns the cases of verdicts.
func search(logs fs.FS, r *reports.Result, list []subject) (*logged, error) {
	l := &logged{byWord: map[string][]line{}, codes: map[nodeCode]*sightings{}}
	for _, s := range list {
		if s.check != nil {
			l.lookFor(s.check.Groups)
		}
	}
	if logs == nil || len(list) == 0 {
		return l, nil
	}
	files, err := fs.Glob(logs, "*.log")
	if err != nil {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	for _, name := range files {
		node := strings.TrimSuffix(name, ".log")
		l.nodes = append(l.nodes, node)
		if err := l.read(logs, name, node, r); err != nil {
			return nil, fmt.Errorf("read log of %s: %w", node, err)
		}
	}
	return l, nil
}

// lookFor has the lines be kept that are about the cases of groups.
func (l *logged) lookFor(groups []check.Group) {
	for _, g := range groups {
		for _, c := range g.Cases {
			for _, word := range []string{c.Correlation, c.ID} {
				if len(word) >= 8 { // shorter ones are everywhere
					l.byWord[word] = nil
				}
			}
		}
	}
}

func (l *logged) read(logs fs.FS, name, node string, r *reports.Result) error {
	f, err := logs.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was read
	in := bufio.NewReaderSize(f, 64<<10)
	for {
		text, err := readLine(in)
		if len(text) > 0 {
			l.take(node, text, r)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readLine reads a line without its end, cut if it is too long.
func readLine(in *bufio.Reader) ([]byte, error) {
	var whole []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(whole) < maxLine {
			whole = append(whole, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimRight(whole, "\r\n"), err
		}
	}
}

// take keeps a line if it is of the run and concerns it.
func (l *logged) take(node string, text []byte, r *reports.Result) {
	at := timeOf(text)
	end := r.Began.Add(time.Duration(r.TookMS * float64(time.Millisecond)))
	if !at.IsZero() && (at.Before(r.Began.Add(-slack)) || r.TookMS > 0 && at.After(end.Add(slack))) {
		return // of a run before, or after, on the same system
	}
	for word, kept := range l.byWord {
		if len(kept) < 4*linesOfCase && contains(text, word) {
			l.byWord[word] = append(kept, line{node, string(text)})
		}
	}
	for _, m := range statePattern.FindAllSubmatch(text, 2) {
		key := nodeCode{node, string(m[1])}
		s := l.codes[key]
		if s == nil {
			s = &sightings{first: at}
			l.codes[key] = s
		}
		s.count++
		s.last = at
	}
}

// contains reports whether a text has a word that does not go on in it: a
// correlation id ends in a number.
func contains(text []byte, word string) bool {
	for rest := text; ; {
		i := bytes.Index(rest, []byte(word))
		if i < 0 {
			return false
		}
		rest = rest[i+len(word):]
		if len(rest) == 0 || rest[0] < '0' || rest[0] > '9' {
			return true
		}
	}
}

// statePattern matches the code of an error as the drivers and servers of
// PostgreSQL write it.
var statePattern = regexp.MustCompile(`SQLSTATE[ =:]*"?([0-9A-Z]{5})\b`)

// timeOf returns the time that a line of JSON says, zero if it says none.
func timeOf(text []byte) time.Time {
	_, rest, ok := bytes.Cut(text, []byte(`"time":"`))
	if !ok {
		return time.Time{}
	}
	stamp, _, _ := bytes.Cut(rest, []byte{'"'})
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return time.Time{}
	}
	return at
}

// about returns the lines about a case: by its correlation id, or by its id.
func (l *logged) about(c check.Case) []line {
	lines := slices.Concat(l.byWord[c.Correlation], l.byWord[c.ID])
	var some []line
	for _, found := range lines {
		if len(some) < linesOfCase && !slices.Contains(some, found) {
			some = append(some, found)
		}
	}
	return some
}

// keys lists the codes that were logged, the most frequent first.
func (l *logged) keys() []nodeCode {
	return slices.SortedFunc(maps.Keys(l.codes), func(a, b nodeCode) int {
		if n := l.codes[b].count - l.codes[a].count; n != 0 {
			return n
		}
		return strings.Compare(a.node+a.code, b.node+b.code)
	})
}

package history

import (
	"bytes"
	"encoding/json"
	"math"
	"time"
	"unicode/utf8"
)

// maxWords bounds the words that a decoder remembers.
const maxWords = 4096

// A decoder reads the lines of one history. Lines as appendEvent writes them
// take the fast path; anything else that is a JSON object goes through
// encoding/json, so a history may be edited or written by other tools.
type decoder struct {
	event Event
	words map[string]string // the few words that most strings of a history are
}

// decode reads one line. The event is valid until the next call.
func (d *decoder) decode(line []byte) (*Event, error) {
	d.event = Event{}
	if d.fast(bytes.TrimSuffix(line, []byte{'\n'})) {
		return &d.event, nil
	}
	d.event = Event{}
	if err := json.Unmarshal(line, &d.event); err != nil {
		return nil, err
	}
	return &d.event, nil
}

// fast reads a line without spaces, escapes or unknown fields. It reports
// whether the line was such a one; if not, the event is in any state.
func (d *decoder) fast(line []byte) bool {
	if len(line) < 2 || line[0] != '{' || line[len(line)-1] != '}' {
		return false
	}
	rest := line[1 : len(line)-1]
	for {
		if len(rest) == 0 || rest[0] != '"' {
			return false
		}
		name, after, ok := bytes.Cut(rest[1:], []byte(`":`))
		if !ok || len(after) == 0 {
			return false
		}
		switch after[0] {
		case '"':
			rest, ok = d.text(name, after[1:])
		case 't':
			rest, ok = bytes.CutPrefix(after, []byte("true"))
			ok = ok && string(name) == "write"
			d.event.Write = true
		default:
			rest, ok = d.number(name, after)
		}
		if !ok {
			return false
		}
		if len(rest) == 0 {
			return true
		}
		if rest[0] != ',' {
			return false
		}
		rest = rest[1:]
	}
}

// text reads a string whose opening quote was taken, into the field of that
// name.
func (d *decoder) text(name, in []byte) (rest []byte, ok bool) {
	end, ascii := 0, true
	for ; ; end++ {
		if end == len(in) || in[end] == '\\' || in[end] < ' ' {
			return nil, false
		}
		if in[end] == '"' {
			break
		}
		ascii = ascii && in[end] < utf8.RuneSelf
	}
	v := in[:end]
	if !ascii && !utf8.Valid(v) {
		return nil, false
	}
	return in[end+1:], d.setText(name, v)
}

func (d *decoder) setText(name, v []byte) bool { //nolint:funlen // one case a field
	e := &d.event
	switch string(name) {
	case "type":
		e.Kind = Kind(d.word(v))
	case "by":
		e.By = d.word(v)
	case "op":
		e.Op = d.word(v)
	case "id":
		e.ID = string(v)
	case "phase":
		e.Phase = d.word(v)
	case "class":
		e.Class = d.word(v)
	case "key":
		e.Key = d.word(v)
	case "peer":
		e.Peer = d.word(v)
	case "of":
		e.Of = string(v)
	case "session":
		e.Session = d.word(v)
	case "promise":
		e.Promise = d.word(v)
	case "saw":
		e.Saw = string(v)
	case "corr":
		e.Corr = string(v)
	case "node":
		e.Node = d.word(v)
	case "verb":
		e.Verb = d.word(v)
	case "target":
		e.Target = d.word(v)
	case "carries":
		e.Carries = d.word(v)
	case "role":
		e.Role = d.word(v)
	case "text":
		e.Text = string(v)
	default:
		return false
	}
	return true
}

// word returns v as a string, the same one for the same bytes as long as there
// are not too many different ones.
func (d *decoder) word(v []byte) string {
	if w, ok := d.words[string(v)]; ok {
		return w
	}
	w := string(v)
	if len(d.words) < maxWords {
		d.words[w] = w
	}
	return w
}

// number reads an integer into the field of that name.
func (d *decoder) number(name, in []byte) (rest []byte, ok bool) {
	digits, negative := bytes.CutPrefix(in, []byte{'-'})
	var v int64
	end := 0
	for ; end < len(digits) && digits[end] >= '0' && digits[end] <= '9'; end++ {
		if v > (math.MaxInt64-9)/10 {
			return nil, false // near the limits encoding/json knows better
		}
		v = v*10 + int64(digits[end]-'0')
	}
	if end == 0 || digits[0] == '0' && end > 1 {
		return nil, false
	}
	if negative {
		v = -v
	}
	return digits[end:], d.setNumber(name, v)
}

func (d *decoder) setNumber(name []byte, v int64) bool {
	e := &d.event
	switch string(name) {
	case "t_ns":
		e.At = time.Duration(v)
	case "sched_ns":
		e.Sched = time.Duration(v)
	case "sent_ns":
		e.Sent = time.Duration(v)
	case "dns_ns":
		e.DNS = time.Duration(v)
	case "connect_ns":
		e.Connect = time.Duration(v)
	case "tls_ns":
		e.TLS = time.Duration(v)
	case "first_byte_ns":
		e.FirstByte = time.Duration(v)
	case "step":
		e.Step = int(v)
	case "seq":
		e.Seq = v
	case "drill":
		e.Drill = int(v)
	case "status":
		e.Status = int(v)
	case "timeline":
		e.Timeline = int(v)
	case "amount":
		e.Amount = v
	case "value":
		e.Value = v
	case "count":
		e.Count = v
	case "jobs":
		e.Jobs = v
	default:
		return false
	}
	return true
}

package history

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// appendEvent appends one line of a history file to buf: the event as JSON
// with the field names of [Event]'s tags, and a newline.
//
// It is written by hand because every request of a run passes here, and
// encoding/json costs several allocations an event.
func appendEvent(buf []byte, e *Event) []byte {
	buf = append(buf, `{"t_ns":`...)
	buf = strconv.AppendInt(buf, int64(e.At), 10)
	buf = appendString(append(buf, `,"type":`...), string(e.Kind))
	buf = appendString(append(buf, `,"by":`...), e.By)
	buf = appendString(append(buf, `,"op":`...), e.Op)
	buf = text(buf, `,"id":`, e.ID)
	buf = number(buf, `,"drill":`, int64(e.Drill))
	buf = text(buf, `,"phase":`, e.Phase)
	if e.Write {
		buf = append(buf, `,"write":true`...)
	}
	buf = span(buf, `,"sched_ns":`, e.Sched)
	buf = span(buf, `,"sent_ns":`, e.Sent)
	buf = number(buf, `,"status":`, int64(e.Status))
	buf = text(buf, `,"class":`, e.Class)
	buf = number(buf, `,"amount":`, e.Amount)
	buf = text(buf, `,"key":`, e.Key)
	buf = text(buf, `,"peer":`, e.Peer)
	buf = text(buf, `,"of":`, e.Of)
	buf = number(buf, `,"seq":`, e.Seq)
	buf = text(buf, `,"corr":`, e.Corr)
	buf = text(buf, `,"session":`, e.Session)
	buf = text(buf, `,"promise":`, e.Promise)
	buf = text(buf, `,"saw":`, e.Saw)
	buf = span(buf, `,"dns_ns":`, e.DNS)
	buf = span(buf, `,"connect_ns":`, e.Connect)
	buf = span(buf, `,"tls_ns":`, e.TLS)
	buf = span(buf, `,"first_byte_ns":`, e.FirstByte)
	buf = number(buf, `,"step":`, int64(e.Step))
	buf = text(buf, `,"node":`, e.Node)
	buf = number(buf, `,"timeline":`, int64(e.Timeline))
	buf = text(buf, `,"verb":`, e.Verb)
	buf = text(buf, `,"target":`, e.Target)
	buf = text(buf, `,"carries":`, e.Carries)
	buf = text(buf, `,"role":`, e.Role)
	buf = number(buf, `,"value":`, e.Value)
	buf = number(buf, `,"count":`, e.Count)
	buf = number(buf, `,"jobs":`, e.Jobs)
	buf = text(buf, `,"text":`, e.Text)
	return append(buf, '}', '\n')
}

func text(buf []byte, name, v string) []byte {
	if v == "" {
		return buf
	}
	return appendString(append(buf, name...), v)
}

func number(buf []byte, name string, v int64) []byte {
	if v == 0 {
		return buf
	}
	return strconv.AppendInt(append(buf, name...), v, 10)
}

func span(buf []byte, name string, v time.Duration) []byte {
	return number(buf, name, int64(v))
}

// appendString appends s as a JSON string. What is not UTF-8 becomes U+FFFD,
// as encoding/json does it.
func appendString(buf []byte, s string) []byte {
	const hex = "0123456789abcdef"
	buf = append(buf, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				buf = append(append(buf, s[from:i]...), "\uFFFD"...)
				from = i + 1
			}
			i += size
			continue
		case c == '"' || c == '\\':
			buf = append(append(buf, s[from:i]...), '\\', c)
			from = i + 1
		case c < ' ':
			buf = append(append(buf, s[from:i]...), '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			from = i + 1
		}
		i++
	}
	return append(append(buf, s[from:]...), '"')
}

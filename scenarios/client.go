package scenarios

import (
	"time"
)

// A Client says how load is sent. Zero fields leave it to the engine.
type Client struct {
	Protocol    string // http/1.1 or http/2; empty is http/1.1
	Connections string // reuse, new or N per host; empty is reuse
	TLS         *TLS   // nil: nothing is said of it
	Resolve     time.Duration
	Timeouts    Timeouts
}

// TLS says how to speak TLS with the target.
type TLS struct {
	CA         File   // of the authorities to trust, in PEM
	Cert, Key  File   // of the client's certificate, in PEM: both or none
	ServerName string // that the target's certificate must have; empty: the target's host
	Only13     bool   // TLS 1.3 and nothing older
	Pos        Pos
}

// A File is one that a scenario names, relative to itself.
type File struct {
	Name string
	Pos  Pos
}

// Timeouts bound the parts of an operation.
type Timeouts struct{ Dial, TLS, Header, Total time.Duration }

func (p *parser) tls(n *node) {
	t := &TLS{Pos: n.pos}
	p.sc.Load.Client.TLS = t
	if p.Mapping(n, "tls", p.tlsFields(t)) && (t.Cert.Name == "") != (t.Key.Name == "") {
		p.problems.Add(n.pos, 1, "a certificate and its key belong together", "give both cert: and key:")
	}
}

func (p *parser) tlsFields(t *TLS) []Field {
	file := func(dst *File) func(k, v *node) {
		return func(k, v *node) {
			dst.Pos = v.pos
			p.text(&dst.Name)(k, v)
		}
	}
	return []Field{
		{Key: "ca", Set: file(&t.CA)},
		{Key: "cert", Set: file(&t.Cert)},
		{Key: "key", Set: file(&t.Key)},
		{Key: "server_name", Set: p.text(&t.ServerName)},
		{Key: "only_13", Set: value(p, &t.Only13, truth)},
	}
}

func (p *parser) timeoutFields() []Field {
	t := &p.sc.Load.Client.Timeouts
	return []Field{
		{Key: "dial", Set: value(p, &t.Dial, length)},
		{Key: "tls", Set: value(p, &t.TLS, length)},
		{Key: "header", Set: value(p, &t.Header, length)},
		{Key: "total", Set: value(p, &t.Total, length)},
	}
}

package plan

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/scenarios"
)

// A Client says how load is sent. Zero fields leave it to the engine.
type Client struct {
	Version     loadgen.Version
	Connections loadgen.Connections
	TLS         *tls.Config
	Resolve     time.Duration
	Timeouts    loadgen.Timeouts
}

// client takes over how load is sent, and reads the files that it needs.
func (b *builder) client() {
	said := b.sc.Load.Client
	c := &b.plan.Client
	c.Version, c.Resolve, c.Timeouts = loadgen.Version(said.Protocol), said.Resolve, loadgen.Timeouts(said.Timeouts)
	if said.Connections != "" {
		var err error
		if c.Connections, err = loadgen.ParseConnections(said.Connections); err != nil {
			b.problems.Add(b.sc.Load.WorkloadPos, 1, err.Error(), "") // the language has let nothing else through
		}
	}
	t := said.TLS
	if t == nil {
		return
	}
	if strings.HasPrefix(b.sc.Target, "http://") {
		b.problems.Add(t.Pos, 1, "the target "+b.sc.Target+" speaks no TLS", "leave tls: out, or write https://")
	}
	files := loadgen.TLSFiles{CA: t.CA.Name, ServerName: t.ServerName, Only13: t.Only13}
	for _, part := range []struct {
		file scenarios.File
		add  func()
	}{{t.CA, func() {}}, {t.Cert, func() { files.Cert, files.Key = t.Cert.Name, t.Key.Name }}} {
		part.add()
		var err error
		if c.TLS, err = files.Load(b.read); err != nil {
			b.add(part.file.Pos, part.file.Name, err.Error(), "the path is relative to the scenario")
			return
		}
	}
}

// read returns what a file beside the scenario holds.
func (b *builder) read(name string) ([]byte, error) {
	if b.open == nil {
		return nil, errors.New("this scenario has no files beside it")
	}
	f, err := b.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 1<<20))
}

// text says how load is sent, where the scenario says so.
func (c *Client) text(said scenarios.Client) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if said.Protocol != "" {
		add("%s", said.Protocol)
	}
	if said.Connections != "" {
		add("connections: %s", c.Connections)
	}
	if t := said.TLS; t != nil {
		add("%s", tlsText(t))
	}
	if c.Resolve > 0 {
		add("names looked up again every %s", scenarios.FormatDuration(c.Resolve))
	}
	for _, limit := range []struct {
		name string
		at   time.Duration
	}{{"dial", c.Timeouts.Dial}, {"tls", c.Timeouts.TLS}, {"header", c.Timeouts.Header}, {"total", c.Timeouts.Total}} {
		if limit.at > 0 {
			add("%s timeout %s", limit.name, scenarios.FormatDuration(limit.at))
		}
	}
	return strings.Join(parts, ", ")
}

// tlsText says how TLS is spoken.
func tlsText(t *scenarios.TLS) string {
	text := "TLS"
	if t.Only13 {
		text += " 1.3"
	}
	if t.CA.Name != "" {
		text += " with the authorities of " + t.CA.Name
	}
	if t.Cert.Name != "" {
		text += " and the certificate of " + t.Cert.Name
	}
	if t.ServerName != "" {
		text += " to " + t.ServerName
	}
	return text
}

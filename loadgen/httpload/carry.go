package httpload

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/loadgen/direct"
)

// An opened endpoint is a database or a broker; the other is nil.
type opened struct {
	database *direct.Database
	broker   *direct.Broker
	end      func()
}

// openEndpoints makes ready what operations go to that are no requests. No
// connection is made yet.
func (w *Workload) openEndpoints(ctx context.Context, settings loadgen.Config) error {
	var most int64
	for _, s := range w.file.steps {
		most = max(most, limitOf(s))
	}
	for _, e := range w.file.endpoints {
		address, ok := e.at, e.isURL()
		if !ok && w.Endpoint != nil {
			address, ok = w.Endpoint(e.at)
		}
		pos := e.place.Pos()
		if !ok {
			return fmt.Errorf("%s:%d:%d: the target has no endpoint %s", w.file.Path, pos.Line, pos.Col, e.at)
		}
		c := direct.Config{URL: address, Connections: e.connections, MaxBytes: most, Load: settings}
		var o opened
		var err error
		if e.kind == sqlKind {
			o.database, err = direct.OpenDatabase(c)
			o.end = func() { o.database.Close(ctx) }
		} else {
			o.broker, err = direct.OpenBroker(c)
			o.end = func() { o.broker.Close(ctx) }
		}
		if err != nil {
			return fmt.Errorf("%s:%d:%d: %s: %w", w.file.Path, pos.Line, pos.Col, e.name, err)
		}
		w.endpoints = append(w.endpoints, o)
	}
	return nil
}

// carryOut makes what carries out a step that is no request.
func (v *visit) carryOut(s *step) func(context.Context) loadgen.Outcome {
	switch {
	case s.statement != nil:
		st, db := s.statement.make(v, s.maxBody), v.w.endpoints[s.statement.endpoint].database
		return func(ctx context.Context) loadgen.Outcome {
			rows, o := db.Do(ctx, st)
			return v.settle(s, o, rowsAnswer(rows))
		}
	case s.message.verb == publishVerb:
		m, broker := s.message.make(v, s), v.w.endpoints[s.message.endpoint].broker
		return func(ctx context.Context) loadgen.Outcome { return v.settle(s, broker.Publish(ctx, m), &answer{}) }
	}
	m, broker := s.message, v.w.endpoints[s.message.endpoint].broker
	take := direct.Take{Queue: m.to.render(v), Messages: m.messages, Wait: m.verb == consumeVerb, MaxBytes: s.maxBody}
	return func(ctx context.Context) loadgen.Outcome {
		list, o := broker.Take(ctx, take)
		return v.settle(s, o, messagesAnswer(list))
	}
}

// settle has an answer meet what is expected of it.
func (v *visit) settle(s *step, o loadgen.Outcome, a *answer) loadgen.Outcome {
	if o.Err == nil && o.Answer == loadgen.Done {
		o.Answer = v.meets(s, a)
	}
	return o
}

// make returns the statement with its parameters.
func (st *statement) make(v *visit, maxBytes int64) direct.Statement {
	made := direct.Statement{SQL: st.sql, MaxBytes: maxBytes}
	for _, a := range st.args {
		text := a.render(v)
		made.Args = append(made.Args, &text)
	}
	return made
}

// make returns the message to publish.
func (m *message) make(v *visit, s *step) direct.Message {
	made := direct.Message{
		Exchange: m.exchange.render(v), Key: m.to.render(v), ID: v.id(s), Type: s.kind, Transient: m.transient,
		Headers: make(map[string]string, len(m.headers)),
	}
	for _, h := range m.headers {
		made.Headers[h.name] = h.value.render(v)
	}
	if s.body != nil {
		made.Body = []byte(s.body.render(v))
	}
	return made
}

// rowsAnswer is what extractions and expectations see of rows: a list with an
// object for each.
func rowsAnswer(rows direct.Rows) *answer {
	list := make([]any, len(rows.Values))
	for i, row := range rows.Values {
		object := make(map[string]any, len(row))
		for j, cell := range row {
			object[rows.Columns[j]] = nil
			if cell != nil {
				object[rows.Columns[j]] = *cell
			}
		}
		list[i] = object
	}
	return &answer{parsed: true, doc: list, count: rows.Affected}
}

// messagesAnswer is what they see of messages: their bodies, a line each, and
// the headers of the first.
func messagesAnswer(list []direct.Delivery) *answer {
	bodies := make([]string, len(list))
	for i, d := range list {
		bodies[i] = string(d.Body)
	}
	a := &answer{header: http.Header{}, body: []byte(strings.Join(bodies, "\n")), count: int64(len(list))}
	if len(list) > 0 {
		for name, value := range list[0].Headers {
			a.header.Set(name, value)
		}
	}
	return a
}

package sim

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/sut"
)

// maxWait bounds how long a write waits for a primary or a standby.
const maxWait = 3 * time.Second

// transfer is the wire form of a transfer.
type transfer struct {
	ID        string    `json:"id"`
	From      int64     `json:"from"`
	To        int64     `json:"to"`
	Amount    int64     `json:"amount"`
	Currency  string    `json:"currency"`
	RefundOf  string    `json:"refund_of,omitempty"`
	Status    string    `json:"status"`
	CreatedAt time.Time `json:"created_at"`
}

// account is the wire form of an account.
type account struct {
	ID       int64  `json:"id"`
	Customer int64  `json:"customer"`
	Currency string `json:"currency"`
	Status   string `json:"status"`
	Balance  int64  `json:"balance"`
	Version  int64  `json:"version"`
}

// refund is the wire form of a request for a refund.
type refund struct {
	Transfer string `json:"transfer"`
	Amount   int64  `json:"amount"`
}

// handler serves the ledger's interface and, below /links/, those of its link
// proxies.
func (s *Sim) handler() http.Handler {
	mux := http.NewServeMux()
	for _, version := range []string{"/v1", "/v2"} {
		mux.HandleFunc("PUT "+version+"/transfers/{id}", s.putTransfer)
		mux.HandleFunc("GET "+version+"/transfers/{id}", s.getTransfer)
		mux.HandleFunc("GET "+version+"/transfers", s.listTransfers)
		mux.HandleFunc("GET "+version+"/accounts/{id}", s.getAccount)
		mux.HandleFunc("GET "+version+"/accounts", s.listAccounts)
	}
	mux.HandleFunc("PUT /v2/refunds/{id}", s.putRefund)
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /links/{link}/counters", s.getCounters)
	mux.HandleFunc("GET /links/{link}/proxies/link/toxics", s.listToxics)
	mux.HandleFunc("GET /links/{link}/proxies/link", s.getProxy)
	mux.HandleFunc("POST /links/{link}/proxies/link/toxics", s.addToxic)
	mux.HandleFunc("DELETE /links/{link}/proxies/link/toxics/{toxic}", s.removeToxic)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Ledger-Instance", nodeService)
		if strings.HasPrefix(r.URL.Path, "/v") && !s.serves(r.Context()) {
			panic(http.ErrAbortHandler) // nobody is there: the connection ends
		}
		if strings.HasPrefix(r.URL.Path, "/v") && s.hangs() {
			http.Error(w, "cannot execute in a read-only transaction", http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// serves reports whether the instance of the service is up, once it is not frozen.
func (s *Sim) serves(ctx context.Context) bool {
	for {
		s.mu.Lock()
		state, changed := s.service, s.changed
		s.mu.Unlock()
		if state != sut.Paused {
			return state == sut.Running
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// hangs reports whether a request gets a connection that leads nowhere: one in
// two does once the pool is stuck.
func (s *Sim) hangs() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	return s.stuck && s.requests%2 == 0
}

// leader is the primary that answers, or -1 while none does. It is called with
// the lock held.
func (s *Sim) leader() int {
	if s.primary == s.frozen {
		return -1
	}
	return s.primary
}

func (s *Sim) putTransfer(w http.ResponseWriter, r *http.Request) {
	var t transfer
	if err := json.NewDecoder(r.Body).Decode(&t); err != nil || t.Amount <= 0 {
		http.Error(w, "malformed transfer", http.StatusBadRequest)
		return
	}
	if t.Amount > opening*opening { // more than any account ever has
		http.Error(w, "the account has not so much", http.StatusUnprocessableEntity)
		return
	}
	t.ID = r.PathValue("id")
	s.put(w, r, t)
}

// putRefund gives a part of a transfer back.
func (s *Sim) putRefund(w http.ResponseWriter, r *http.Request) {
	var b refund
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil || b.Amount <= 0 {
		http.Error(w, "malformed refund", http.StatusBadRequest)
		return
	}
	of, timeline := s.find(b.Transfer)
	switch {
	case timeline == 0:
		http.Error(w, "no primary", http.StatusServiceUnavailable)
	case of.ID == "":
		http.Error(w, "no such transfer", http.StatusNotFound)
	case of.RefundOf != "" || b.Amount > of.Amount:
		http.Error(w, "not refundable, or not by so much", http.StatusUnprocessableEntity)
	default:
		s.put(w, r, transfer{ID: r.PathValue("id"), From: of.To, To: of.From, Amount: b.Amount, Currency: of.Currency, RefundOf: of.ID})
	}
}

// put writes a transfer and answers. Repeating a request writes nothing again.
func (s *Sim) put(w http.ResponseWriter, r *http.Request, t transfer) {
	if was, timeline := s.find(t.ID); was.ID != "" {
		if was.From != t.From || was.To != t.To || was.Amount != t.Amount || was.Currency != t.Currency || was.RefundOf != t.RefundOf {
			http.Error(w, "the id was used for another request", http.StatusConflict)
			return
		}
		s.answer(w, http.StatusOK, timeline, transferOf(was))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxWait)
	defer cancel()
	timeline, made, ok := s.write(ctx, Write{ID: t.ID, From: t.From, To: t.To, Amount: t.Amount, Currency: t.Currency, RefundOf: t.RefundOf})
	if !ok {
		http.Error(w, "no primary, or no standby confirmed", http.StatusServiceUnavailable)
		return
	}
	status := http.StatusCreated
	if !made { // there was no primary to ask for it before
		status = http.StatusOK
	}
	t.Status, t.CreatedAt = "accepted", time.Now()
	s.answer(w, status, timeline, t)
}

// find looks an id up on the primary. The timeline is 0 while there is none.
func (s *Sim) find(id string) (found Write, timeline int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.leader()
	if p < 0 {
		return Write{}, 0
	}
	return s.nodes[p].writes[id], s.nodes[p].timeline
}

// write appends to the primary's books, unless it is there, and, while the link
// is whole, to the replicas'. With synchronous replication it waits for them.
func (s *Sim) write(ctx context.Context, t Write) (timeline int, made, ok bool) {
	for {
		s.mu.Lock()
		if s.rogue >= 0 && !made && s.requests%2 == 0 {
			old := s.nodes[s.rogue]
			s.append(old, t)
			timeline = old.timeline
			s.mu.Unlock()
			return timeline, true, true
		}
		if leader := s.leader(); leader >= 0 {
			p := s.nodes[leader]
			if p.writes[t.ID].ID == "" {
				s.append(p, t)
				made = true
			}
			if len(s.stalled["replication:"+p.name]) == 0 {
				s.replicate(p)
				timeline, ok = p.timeline, true
			} else if !s.cfg.Sync {
				timeline, ok = p.timeline, true
			}
		}
		changed := s.changed
		s.mu.Unlock()
		if ok {
			return timeline, made, true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, made, false
		}
	}
}

// replicate streams what the replicas lack.
func (s *Sim) replicate(p *database) {
	for _, d := range s.nodes {
		if d == p || d.down || s.is(d, s.frozen) || s.is(d, s.rogue) {
			continue
		}
		for _, id := range p.order[min(len(d.order), len(p.order)):] {
			d.order = append(d.order, id)
			d.writes[id] = p.writes[id]
			s.bytes["replication:"+p.name].out += 100
		}
	}
}

// is reports whether a node is the i-th.
func (s *Sim) is(d *database, i int) bool { return i >= 0 && s.nodes[i] == d }

// staleBy is how many of the latest writes a stale replica does not have.
const staleBy = 20

// stale reports whether a request is answered from a replica that lags.
func (s *Sim) stale(r *http.Request) bool {
	return s.cfg.Stale && r.URL.Query().Get("consistency") == "replica"
}

// hides reports whether a write is too young for a replica that lags. It is
// called with the lock held.
func (d *database) hides(id string) bool {
	return slices.Contains(d.order[max(0, len(d.order)-staleBy):], id)
}

func (s *Sim) getTransfer(w http.ResponseWriter, r *http.Request) {
	found, timeline := s.find(r.PathValue("id"))
	if s.stale(r) {
		s.mu.Lock()
		if s.primary >= 0 && s.nodes[s.primary].hides(found.ID) {
			found = Write{}
		}
		s.mu.Unlock()
	}
	switch {
	case timeline == 0:
		http.Error(w, "no primary", http.StatusServiceUnavailable)
	case found.ID == "":
		http.Error(w, "no such transfer", http.StatusNotFound)
	default:
		s.answer(w, http.StatusOK, timeline, transferOf(found))
	}
}

// listTransfers lists what the books have under an id, as often as it is there.
func (s *Sim) listTransfers(w http.ResponseWriter, r *http.Request) {
	found, timeline := s.find(r.URL.Query().Get("id"))
	if timeline == 0 {
		http.Error(w, "no primary", http.StatusServiceUnavailable)
		return
	}
	s.answer(w, http.StatusOK, timeline, map[string]any{"items": slices.Repeat([]transfer{transferOf(found)}, int(found.Count))})
}

// transferOf returns the wire form of what is in the books.
func transferOf(t Write) transfer {
	return transfer{
		ID: t.ID, From: t.From, To: t.To, Amount: t.Amount, Currency: t.Currency, RefundOf: t.RefundOf, Status: "settled",
	}
}

func (s *Sim) getAccount(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		http.Error(w, "malformed account", http.StatusBadRequest)
		return
	}
	a, timeline := s.account(id, s.stale(r))
	if timeline == 0 {
		http.Error(w, "no primary", http.StatusServiceUnavailable)
		return
	}
	s.answer(w, http.StatusOK, timeline, a)
}

// listAccounts answers with the first accounts, as they are at one moment.
func (s *Sim) listAccounts(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.URL.Query().Get("limit"), 10, 64)
	if err != nil || n < 1 || n > maxListed {
		http.Error(w, "malformed limit", http.StatusBadRequest)
		return
	}
	items, timeline := s.accounts(n)
	if timeline == 0 {
		http.Error(w, "no primary", http.StatusServiceUnavailable)
		return
	}
	s.answer(w, http.StatusOK, timeline, map[string]any{"items": items})
}

// maxListed is how many accounts one answer lists at most.
const maxListed = 200

// accounts lists the first accounts as the primary's books have them. The
// timeline is 0 while there is no primary.
func (s *Sim) accounts(n int64) (items []account, timeline int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	leader := s.leader()
	if leader < 0 {
		return nil, 0
	}
	p := s.nodes[leader]
	items = make([]account, n)
	for i := range items {
		items[i] = account{ID: int64(i) + 1, Customer: 1, Currency: "EUR", Status: "open", Balance: opening, Version: 1}
	}
	for _, id := range p.order {
		t := p.writes[id]
		for _, side := range []int64{t.From, t.To} {
			if side >= 1 && side <= n {
				items[side-1].Balance += t.moves(side)
				items[side-1].Version++
			}
		}
	}
	return items, p.timeline
}

// opening is the balance that every account begins with, in minor units.
const opening = 1_000_000

// account adds up what the primary's books say of an account, without the latest
// writes where it is stale. The timeline is 0 while there is no primary.
func (s *Sim) account(id int64, stale bool) (a account, timeline int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	leader := s.leader()
	if leader < 0 {
		return a, 0
	}
	p := s.nodes[leader]
	a = account{ID: id, Customer: 1, Currency: "EUR", Status: "open", Balance: opening, Version: 1}
	order := p.order
	if stale {
		order = order[:max(0, len(order)-staleBy)]
	}
	for _, t := range order {
		if by := p.writes[t].moves(id); by != 0 {
			a.Balance += by
			a.Version++
		}
	}
	return a, p.timeline
}

// moves returns by how much a write moves the balance of an account.
func (t Write) moves(account int64) int64 {
	switch account {
	case t.From:
		return -t.Amount * t.Count
	case t.To:
		return t.Amount * t.Count
	}
	return 0
}

func (s *Sim) answer(w http.ResponseWriter, status, timeline int, body any) {
	timer := time.NewTimer(s.cfg.Latency)
	defer timer.Stop()
	<-timer.C
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Ledger-Timeline", strconv.Itoa(timeline))
	w.Header().Set("Ledger-Source", "primary")
	w.Header().Set("Ledger-Position", strconv.Itoa(timeline)+"-0/0")
	w.WriteHeader(status)
	reply(w, body)
}

// reply writes a body as JSON. A client that is gone is no concern of ours.
func reply(w http.ResponseWriter, body any) {
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // only what this package defines is sent
}

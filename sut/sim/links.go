package sim

import (
	"encoding/json"
	"net/http"
	"slices"
)

func (s *Sim) getCounters(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.bytes[r.PathValue("link")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	reply(w, map[string]int64{
		"upstream_bytes_in": c.in, "upstream_bytes_out": c.out, "downstream_bytes_in": c.in, "downstream_bytes_out": c.out, "connections": 2,
	})
}

// toxic is what a client of the proxy's interface says of one.
type toxic struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Stream string `json:"stream"`
}

func (s *Sim) toxics(link string) []toxic {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]toxic{}, s.stalled[link]...)
}

func (s *Sim) listToxics(w http.ResponseWriter, r *http.Request) {
	reply(w, s.toxics(r.PathValue("link")))
}

func (s *Sim) getProxy(w http.ResponseWriter, r *http.Request) {
	reply(w, map[string]any{"name": "link", "enabled": true, "toxics": s.toxics(r.PathValue("link"))})
}

func (s *Sim) addToxic(w http.ResponseWriter, r *http.Request) {
	var t toxic
	if err := json.NewDecoder(r.Body).Decode(&t); err != nil || t.Type != "stall" {
		http.Error(w, "the simulation only stalls", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	link := r.PathValue("link")
	s.stalled[link] = append(s.stalled[link], t)
	s.notify()
	reply(w, t)
}

func (s *Sim) removeToxic(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	link := r.PathValue("link")
	before := len(s.stalled[link])
	s.stalled[link] = slices.DeleteFunc(s.stalled[link], func(t toxic) bool { return t.Name == r.PathValue("toxic") })
	if len(s.stalled[link]) == before {
		http.NotFound(w, r)
		return
	}
	if p := s.primary; len(s.stalled[link]) == 0 && p >= 0 && link == "replication:"+s.nodes[p].name {
		s.replicate(s.nodes[p])
	}
	s.notify()
	w.WriteHeader(http.StatusNoContent)
}

package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/proofload/proofload/reports/history"
)

// unlocked is the text of an agent's event while no node holds the leader lock.
const unlocked = "unlocked"

// An agent asks the failover agent of one node, over the REST interface of
// Patroni.
type agent struct {
	url    string
	client *http.Client
}

func newAgent(url string) *agent {
	return &agent{
		url: strings.TrimRight(url, "/") + "/patroni",
		client: &http.Client{Transport: &http.Transport{
			Proxy:             nil,
			DisableKeepAlives: true, // whether it still takes connections is part of the question
		}},
	}
}

func (a *agent) observe(ctx context.Context, e *history.Event) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask agent: %w", err)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return fmt.Errorf("ask agent: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // one answer a connection

	var said struct { // the status differs with the role; the body is the same
		Role     string `json:"role"`
		Timeline int    `json:"timeline"`
		Unlocked bool   `json:"cluster_unlocked"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said); err != nil {
		return fmt.Errorf("read agent's answer: %w", err)
	}
	e.Role, e.Timeline = said.Role, said.Timeline
	if e.Role == "master" { // before Patroni 4
		e.Role = Primary
	}
	if said.Unlocked {
		e.Text = unlocked
	}
	return nil
}

func (a *agent) close(context.Context) { a.client.CloseIdleConnections() }

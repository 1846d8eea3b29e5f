package netfault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// requestTimeout bounds each request to a link's control interface.
const requestTimeout = 3 * time.Second

// A control speaks to the control interface of one link: a Toxiproxy API in
// which the only proxy is named "link", and byte counters.
type control struct {
	link string // for messages
	base string
}

// A toxicInfo is a toxic as the interface lists it.
type toxicInfo struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Stream string `json:"stream"`
}

// byteCounts are what a link has carried since its proxy started, in bytes.
type byteCounts struct {
	UpstreamIn    int64 `json:"upstream_bytes_in"`
	UpstreamOut   int64 `json:"upstream_bytes_out"`
	DownstreamIn  int64 `json:"downstream_bytes_in"`
	DownstreamOut int64 `json:"downstream_bytes_out"`
}

// in returns how many bytes arrived at the link, in both directions.
func (c byteCounts) in() int64 { return c.UpstreamIn + c.DownstreamIn }

// out returns how many bytes the link delivered, in both directions.
func (c byteCounts) out() int64 { return c.UpstreamOut + c.DownstreamOut }

// A statusError is an answer that says no.
type statusError struct {
	status  int
	message string
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.message) }

// isGone reports whether an error means that what was asked for does not
// exist. A proxy that refuses connections has ended, and its toxics with it.
func isGone(err error) bool {
	status, ok := errors.AsType[*statusError](err)
	return ok && status.status == http.StatusNotFound || errors.Is(err, syscall.ECONNREFUSED)
}

func (c control) addStall(ctx context.Context, name, stream string) error {
	return c.do(ctx, http.MethodPost, "/proxies/link/toxics", toxicInfo{Name: name, Type: "stall", Stream: stream}, nil)
}

func (c control) removeToxic(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodDelete, toxicPath(name), nil, nil)
}

func toxicPath(name string) string { return "/proxies/link/toxics/" + url.PathEscape(name) }

func (c control) toxics(ctx context.Context) (list []toxicInfo, err error) {
	err = c.do(ctx, http.MethodGet, "/proxies/link/toxics", nil, &list)
	return list, err
}

func (c control) counts(ctx context.Context) (counts byteCounts, err error) {
	err = c.do(ctx, http.MethodGet, "/counters", nil, &counts)
	return counts, err
}

// enabled reports whether the link accepts connections.
func (c control) enabled(ctx context.Context) (bool, error) {
	var proxy struct {
		Enabled bool `json:"enabled"`
	}
	err := c.do(ctx, http.MethodGet, "/proxies/link", nil, &proxy)
	return proxy.Enabled, err
}

// enable opens the link, or closes it and all its connections.
func (c control) enable(ctx context.Context, on bool) error {
	return c.do(ctx, http.MethodPatch, "/proxies/link", map[string]bool{"enabled": on}, nil)
}

// do sends a request and reads a JSON answer into a value, if it is not nil.
func (c control) do(ctx context.Context, method, path string, body, into any) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("link %s: %s %s: %w", c.link, method, path, err)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var content bytes.Buffer
	if body != nil {
		err = json.NewEncoder(&content).Encode(body)
		if err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, &content)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	// Requests are few, and a kept connection may lead to a proxy that has
	// been replaced.
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	err = errors.Join(err, resp.Body.Close())
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return &statusError{resp.StatusCode, string(bytes.TrimSpace(data))}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(data, into)
}

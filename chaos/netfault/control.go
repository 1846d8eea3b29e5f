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
	"strings"
	"syscall"
	"time"
)

// requestTimeout bounds each request to a link's control interface.
const requestTimeout = 3 * time.Second

// A control speaks to the control interface of one link: a Toxiproxy API in
// which the only proxy is named "link", and byte counters.
type control struct {
	link  string // for messages
	base  string
	stock bool // a Toxiproxy server, which counts no bytes
}

// A toxicInfo is a toxic as the interface lists it.
type toxicInfo struct {
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Stream     string         `json:"stream"`
	Toxicity   float64        `json:"toxicity,omitempty"` // share of the connections, 0 to 1
	Attributes map[string]any `json:"attributes,omitempty"`
}

// byteCounts are what a link has carried since its proxy started, in bytes.
type byteCounts struct {
	UpstreamIn    int64 `json:"upstream_bytes_in"`
	UpstreamOut   int64 `json:"upstream_bytes_out"`
	DownstreamIn  int64 `json:"downstream_bytes_in"`
	DownstreamOut int64 `json:"downstream_bytes_out"`

	// What toxics have done.
	Connections       int64 `json:"connections"` // open now
	Resets            int64 `json:"resets"`      // connections
	UpstreamPieces    int64 `json:"upstream_pieces"`
	UpstreamWaited    int64 `json:"upstream_waited_us"` // all pieces together, for latencies
	UpstreamDropped   int64 `json:"upstream_bytes_dropped"`
	DownstreamPieces  int64 `json:"downstream_pieces"`
	DownstreamWaited  int64 `json:"downstream_waited_us"`
	DownstreamDropped int64 `json:"downstream_bytes_dropped"`
}

// in returns how many bytes arrived at the link, in both directions.
func (c byteCounts) in() int64 { return c.UpstreamIn + c.DownstreamIn }

// arrived returns how many bytes arrived at the link, in some directions.
func (c byteCounts) arrived(streams []string) (n int64) {
	for _, stream := range streams {
		if stream == "upstream" {
			n += c.UpstreamIn
		} else {
			n += c.DownstreamIn
		}
	}
	return n
}

// out returns how many bytes the link delivered, in both directions.
func (c byteCounts) out() int64 { return c.UpstreamOut + c.DownstreamOut }

// pieces returns how many pieces of data passed under a toxic.
func (c byteCounts) pieces() int64 { return c.UpstreamPieces + c.DownstreamPieces }

// waited returns how long latencies let these pieces wait, together.
func (c byteCounts) waited() time.Duration {
	return time.Duration(c.UpstreamWaited+c.DownstreamWaited) * time.Microsecond
}

// dropped returns how many bytes toxics have dropped.
func (c byteCounts) dropped() int64 { return c.UpstreamDropped + c.DownstreamDropped }

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

func (c control) addToxic(ctx context.Context, t toxicInfo) error {
	return c.do(ctx, http.MethodPost, c.proxyPath()+"/toxics", t, nil)
}

func (c control) removeToxic(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodDelete, c.toxicPath(name), nil, nil)
}

// proxyPath returns where the proxy of the link is. A stock Toxiproxy server may
// serve many links: the fragment of the base URL names the proxy there.
func (c control) proxyPath() string {
	name := "link"
	if _, fragment, ok := strings.Cut(c.base, "#"); ok {
		name = fragment
	}
	return "/proxies/" + url.PathEscape(name)
}

func (c control) toxicPath(name string) string {
	return c.proxyPath() + "/toxics/" + url.PathEscape(name)
}

// url returns the address of a path of the interface.
func (c control) url(path string) string {
	base, _, _ := strings.Cut(c.base, "#")
	return strings.TrimSuffix(base, "/") + path
}

func (c control) toxics(ctx context.Context) (list []toxicInfo, err error) {
	err = c.do(ctx, http.MethodGet, c.proxyPath()+"/toxics", nil, &list)
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
	err := c.do(ctx, http.MethodGet, c.proxyPath(), nil, &proxy)
	return proxy.Enabled, err
}

// enable opens the link, or closes it and all its connections.
func (c control) enable(ctx context.Context, on bool) error {
	return c.do(ctx, http.MethodPatch, c.proxyPath(), map[string]bool{"enabled": on}, nil)
}

// counting reports whether the proxy counts bytes, as linkd does and a stock
// Toxiproxy server does not.
func (c control) counting(ctx context.Context) (bool, error) {
	_, err := c.counts(ctx)
	status, ok := errors.AsType[*statusError](err)
	if ok && status.status == http.StatusNotFound {
		return false, nil
	}
	return true, err
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
	req, err := http.NewRequestWithContext(ctx, method, c.url(path), &content)
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

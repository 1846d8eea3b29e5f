//go:build integration

package html_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/reportstest"
)

// A browser is a headless Chromium that is driven through its DevTools
// protocol, by a pipe: messages of JSON, each ended by a zero byte.
type browser struct {
	t    *testing.T
	to   *os.File
	mu   sync.Mutex
	next int
	wait map[int]chan message
	said []string // of the console
	load chan struct{}
	tab  string // session of the only page
}

// A message is an answer or an event.
type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// newBrowser starts a browser with one empty page. It ends with the test.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	fromUs, toThem, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fromThem, toUs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, chromiumBinary(t), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
		"--hide-scrollbars", "--remote-debugging-pipe", "--user-data-dir="+reportstest.BrowserProfile(t), "about:blank")
	cmd.ExtraFiles = []*os.File{fromUs, toUs}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, to: toThem, wait: map[int]chan message{}, load: make(chan struct{}, 1)}
	var reading sync.WaitGroup
	reading.Go(func() { b.read(fromThem) })
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		closed := errors.Join(fromUs.Close(), toUs.Close(), toThem.Close())
		reading.Wait()
		if closed = errors.Join(closed, fromThem.Close()); closed != nil {
			t.Error(closed)
		}
	})
	target := b.call("Target.createTarget", map[string]any{"url": "about:blank"})["targetId"]
	b.tab, _ = b.call("Target.attachToTarget", map[string]any{"targetId": target, "flatten": true})["sessionId"].(string)
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil)
	}
	return b
}

// chromiumBinary finds the browser as fixtures/testtools.sh does.
func chromiumBinary(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	t.Fatal("no Chromium: fixtures/testtools.sh browser installs it")
	return ""
}

// read hands out what the browser says until it ends.
func (b *browser) read(from *os.File) {
	scanner := bufio.NewScanner(from)
	scanner.Buffer(nil, 64<<20)
	scanner.Split(func(data []byte, _ bool) (int, []byte, error) {
		if i := bytes.IndexByte(data, 0); i >= 0 {
			return i + 1, data[:i], nil
		}
		return 0, nil, nil
	})
	for scanner.Scan() {
		var m message
		if json.Unmarshal(scanner.Bytes(), &m) != nil {
			continue
		}
		b.mu.Lock()
		switch {
		case m.ID > 0 && b.wait[m.ID] != nil:
			b.wait[m.ID] <- m
			delete(b.wait, m.ID)
		case m.Method == "Page.loadEventFired":
			select {
			case b.load <- struct{}{}:
			default:
			}
		case m.Method == "Log.entryAdded", m.Method == "Runtime.exceptionThrown", m.Method == "Runtime.consoleAPICalled":
			b.said = append(b.said, string(m.Params))
		}
		b.mu.Unlock()
	}
}

// call asks the browser to do something and returns its answer.
func (b *browser) call(method string, params map[string]any) map[string]any {
	b.t.Helper()
	answer := make(chan message, 1)
	b.mu.Lock()
	b.next++
	id := b.next
	b.wait[id] = answer
	b.mu.Unlock()
	request := map[string]any{"id": id, "method": method, "params": params}
	if params == nil {
		request["params"] = map[string]any{}
	}
	if b.tab != "" {
		request["sessionId"] = b.tab
	}
	data, err := json.Marshal(request)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(data, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		var result map[string]any
		if err := json.Unmarshal(m.Result, &result); err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
		return result
	case <-time.After(time.Minute):
		b.t.Fatalf("%s: no answer", method)
	}
	return nil
}

// A look is how a page is looked at.
type look struct {
	width, height int
	dark, script  bool
}

func (l look) String() string {
	said := []string{fmt.Sprintf("%d-px", l.width), "light", "script"}
	if l.dark {
		said[1] = "dark"
	}
	if !l.script {
		said[2] = "no-script"
	}
	return strings.Join(said, "-")
}

// open opens a page and returns what the console said meanwhile.
func (b *browser) open(address string, l look) []string {
	b.t.Helper()
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": l.width, "height": l.height, "deviceScaleFactor": 1, "mobile": l.width < 600})
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}})
	b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": !l.script})
	b.mu.Lock()
	b.said = nil
	b.mu.Unlock()
	select {
	case <-b.load:
	default:
	}
	b.call("Page.navigate", map[string]any{"url": address})
	select {
	case <-b.load:
	case <-time.After(time.Minute):
		b.t.Fatalf("%s was not loaded", address)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.said
}

// heard is what the console said since the page was opened, up to the last
// answer.
func (b *browser) heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.said)
}

// evaluate runs an expression in the page and stores its value.
func (b *browser) evaluate(expression string, value any) {
	b.t.Helper()
	answer := b.call("Runtime.evaluate", map[string]any{"expression": "JSON.stringify(" + expression + ")", "awaitPromise": true})
	result, _ := answer["result"].(map[string]any)
	text, ok := result["value"].(string)
	if !ok {
		b.t.Fatalf("%s: %v", expression, answer)
	}
	if err := json.Unmarshal([]byte(text), value); err != nil {
		b.t.Fatalf("%s: %v", text, err)
	}
}

// bytesOf returns what a command answers as base64 in data.
func (b *browser) bytesOf(method string, params map[string]any) []byte {
	b.t.Helper()
	text, _ := b.call(method, params)["data"].(string)
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

//go:build integration

package html_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/reportstest"
)

// chromium runs a headless browser and returns what it prints.
func chromium(t *testing.T, args ...string) string {
	t.Helper()
	binary := chromiumBinary(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args = append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars",
		"--user-data-dir=" + reportstest.BrowserProfile(t),
	}, args...)
	cmd := exec.CommandContext(ctx, binary, args...)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium %q: %v\n%s", args, err, errors.String())
	}
	return string(out)
}

// TestBrowserFetchesNothingElse opens a report under the strictest content
// security policy, as Jenkins does: it must load nothing but itself, and show
// its verdict and charts.
func TestBrowserFetchesNothingElse(t *testing.T) {
	page := write(t, reportstest.FiveDrills())
	var mu sync.Mutex
	var fetched []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		fetched = append(fetched, r.URL.Path)
		mu.Unlock()
		w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'; img-src 'self'; style-src 'self'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, page)
	}))
	defer server.Close()
	dom := chromium(t, "--dump-dom", server.URL+"/report.html")
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]string{"/report.html"}, fetched); diff != "" {
		t.Errorf("fetched (-want +got):\n%s", diff)
	}
	for _, want := range []string{"FAIL</span>", "<svg", "Reproduce</h2>"} {
		if !strings.Contains(dom, want) {
			t.Errorf("no %q in what the browser shows", want)
		}
	}
}

// blank is a page that shows next to nothing: what a browser takes for it is its
// own time.
const blank = "<!DOCTYPE html><html><head><title>blank</title></head><body><p>blank</p></body></html>"

// TestBrowserFirstPaint says how long a browser takes to show something of the
// report of half an hour, and of four hours, beside a blank page. What it measured
// is printed and not judged, for machines differ; that a page is painted before
// it is whole is.
func TestBrowserFirstPaint(t *testing.T) {
	own := firstPaint(t, blank)
	t.Logf("blank page: first paint after %.0f ms", own)
	for name, seconds := range map[string]int{"half an hour": 1800, "four hours": 4 * 3600} {
		page := strings.Replace(write(t, long(seconds)), `http-equiv="Content-Security-Policy"`, `name="without-policy"`, 1)
		took := firstPaint(t, page)
		t.Logf("report of %s at 1,000/s: first paint after %.0f ms, %.1f times that of a blank page; %d kB", name, took, took/own, len(page)/1000)
	}
}

// firstPaint returns after how many milliseconds a browser paints the first text
// or picture of a page. A picture at the end of the page is held back until then: a
// page that is not painted before it is whole, or never, fails the test.
func firstPaint(t *testing.T, page string) float64 {
	t.Helper()
	const watch = `<script>new PerformanceObserver(list => {
		for (const e of list.getEntries()) if (e.name === "first-contentful-paint") fetch("/painted?" + e.startTime)
	}).observe({type: "paint", buffered: true})</script></head>`
	page = strings.Replace(page, "</head>", watch, 1)
	page = strings.Replace(page, "</body>", `<img src="/late" alt=""></body>`, 1)
	painted, said := make(chan struct{}), ""
	var once sync.Once
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/painted":
			once.Do(func() { said = r.URL.RawQuery; close(painted) })
		case "/late": // the browser ends when the page is loaded
			select {
			case <-painted:
			case <-time.After(30 * time.Second):
			}
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, page)
		}
	}))
	chromium(t, "--dump-dom", server.URL)
	server.Close() // waits for whoever is answered
	ms, err := strconv.ParseFloat(said, 64)
	if err != nil || ms <= 0 {
		t.Fatalf("the page was not painted before it was whole: %q", said)
	}
	return ms
}

// TestBrowserHasNothingToSay reads the console: nothing may be wrong, neither of
// the file that holds everything nor, under the policy of Jenkins, of the one
// beside its style sheet.
func TestBrowserHasNothingToSay(t *testing.T) {
	results := map[string]*reports.Result{}
	for _, example := range reportstest.Examples() {
		results[example.Name] = example.Result
	}
	address, b := serve(t, results), newBrowser(t)
	for name := range results {
		for _, path := range []string{"/", "/strict/"} {
			for _, line := range b.open(address+path+name, look{width: 1440, height: 900, script: path == "/"}) {
				t.Errorf("%s%s: %s", path, name, line)
			}
		}
	}
}

// measure makes a report send its name and width, its window's width, and how
// many wide and narrow charts are shown, to the page that it is framed in.
const measure = `<script>addEventListener("load", () => {
	const shown = c => [...document.querySelectorAll(c)].filter(e => e.offsetParent !== null).length
	parent.postMessage([name, document.documentElement.scrollWidth, innerWidth, shown(".wide"), shown(".narrow")].join(" "), "*")
})</script></body>`

// TestBrowserLayout measures each report on a phone and on a desk: only tables
// that scroll by themselves may be wider than the page, and one of the two
// widths of every chart is shown.
func TestBrowserLayout(t *testing.T) {
	dir := t.TempDir()
	var frames strings.Builder
	for _, example := range reportstest.Examples() {
		// The policy in the report forbids the script that measures.
		page := strings.Replace(write(t, example.Result), `http-equiv="Content-Security-Policy"`, `name="without-policy"`, 1)
		save(t, dir, example.Name+".html", strings.Replace(page, "</body>", measure, 1))
		for _, width := range []int{360, 1440} {
			fmt.Fprintf(&frames, `<iframe src="%s.html" name="%[1]s" width="%d" height="900" style="border:0"></iframe>`, example.Name, width)
		}
	}
	save(t, dir, "frames.html", `<pre id="out"></pre><script>
		addEventListener("message", e => { document.getElementById("out").textContent += e.data + "\n" })</script>`+frames.String())
	dom := chromium(t, "--virtual-time-budget=20000", "--dump-dom", "--window-size=1600,1000", "file://"+filepath.Join(dir, "frames.html"))
	_, rest, _ := strings.Cut(dom, `<pre id="out">`)
	measured, _, ok := strings.Cut(rest, "</pre>")
	lines := strings.Fields(strings.ReplaceAll(strings.TrimSpace(measured), " ", ","))
	if want := 2 * len(reportstest.Examples()); !ok || len(lines) != want {
		t.Fatalf("%d reports were measured, want %d:\n%s", len(lines), want, measured)
	}
	for _, line := range lines {
		var got, width, wide, narrow int
		name, numbers, _ := strings.Cut(line, ",")
		if _, err := fmt.Sscanf(numbers, "%d,%d,%d,%d", &got, &width, &wide, &narrow); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got > width {
			t.Errorf("%s is %d wide in a window of %d", name, got, width)
		}
		if phone := width < 680; (wide > 0) == phone || (narrow > 0) != phone {
			t.Errorf("%s: %d wide and %d narrow charts are shown in a window of %d", name, wide, narrow, width)
		}
	}
}

func save(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

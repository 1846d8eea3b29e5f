//go:build integration

package html_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
)

// reachable is what a page has for keyboards, in the order of the page: each
// thing that is shown and can be used is told by its kind and its name.
const reachable = `(window.usable = () => [...document.querySelectorAll("a[href], button, summary, [tabindex='0'], [contenteditable=true]")]
	.filter(e => e.getClientRects().length && e.checkVisibility({contentVisibilityAuto: true, visibilityProperty: true}) && !e.disabled),
	window.called = e => e.localName + " " + (e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.textContent).trim().slice(0, 40),
	usable().map(called))`

// A focus is where the focus is.
type focus struct {
	Name  string // as reachable has it; empty: elsewhere
	Kind  string // of element; body is none
	Again bool   // it was there before
	Open  bool   // of what opens and closes

	Ring    bool // it is drawn about
	Visible bool // what has it is in the window
}

// focused is what collects a focus.
const focused = `(() => {
	const e = document.activeElement, box = e.getBoundingClientRect(), style = getComputedStyle(e)
	const again = (window.walked ??= new WeakSet()).has(e)
	walked.add(e)
	return {
		name: usable().includes(e) ? called(e) : "", kind: e.localName, again, open: !!e.parentElement?.open,
		ring: e.matches(":focus-visible") && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1,
		visible: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
	}
})()`

// key presses a key as hands do.
func (b *browser) key(name, code string, number int, text string) {
	b.t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		press := map[string]any{"type": kind, "key": name, "code": code, "windowsVirtualKeyCode": number}
		if kind == "keyDown" && text != "" {
			press["text"] = text
		}
		b.call("Input.dispatchKeyEvent", press)
	}
}

func (b *browser) tabKey() { b.key("Tab", "Tab", 9, "") }

func (b *browser) enter() { b.key("Enter", "Enter", 13, "\r") }

// settle waits until scripts have answered what was done, and it is painted.
func (b *browser) settle() {
	b.t.Helper()
	const painted = `new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))))`
	b.call("Runtime.evaluate", map[string]any{"expression": painted, "awaitPromise": true})
}

// walk goes through a page by the tab key until it is through, opens what can be
// opened on the way, and returns what it came by.
func (b *browser) walk(title string, l look) []string {
	b.t.Helper()
	b.call("Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true})
	var all, reached []string
	b.evaluate(reachable, &all) // what it defines is used below
	for range 300 {
		b.tabKey()
		var f focus
		b.evaluate(focused, &f)
		if f.Kind == "body" || f.Again {
			return reached
		}
		if f.Kind == "summary" && !f.Open {
			b.enter()
			if l.script {
				b.settle()
			}
			b.evaluate(focused, &f)
			if !f.Open {
				b.t.Errorf("%s: the enter key does not open %s", title, f.Name)
			}
		}
		if f.Name == "" {
			continue // what scrolls can be reached in some browsers
		}
		if !f.Ring || !f.Visible {
			b.t.Errorf("%s: nobody sees that %s has the focus: %+v", title, f.Name, f)
		}
		reached = append(reached, f.Name)
	}
	b.t.Fatalf("%s: the tab key comes to no end", title)
	return nil
}

// TestKeyboardReachesAll goes through the reports of recorded runs, on a desk with
// scripts and on a phone without.
func TestKeyboardReachesAll(t *testing.T) {
	results := recorded(t)
	address, b := serve(t, results), newBrowser(t)
	for name, r := range results {
		for _, l := range []look{{width: 1440, height: 900, script: true}, {width: 360, height: 740}} {
			title := name + " " + l.String()
			b.open(address+"/"+name, l)
			reached := b.walk(title, l)
			var all []string
			b.evaluate(reachable, &all)
			if diff := cmp.Diff(all, reached); diff != "" {
				t.Errorf("%s (-to be reached +reached):\n%s", title, diff)
			}
			least := leastReached(r, l)
			if len(reached) < least {
				t.Errorf("%s: %d things are reached, want %d: %q", title, len(reached), least, reached)
			}
		}
	}
}

// leastReached is how much of a report is for keyboards at least: what scrolls, the
// rows of findings, and with scripts the chart and what is for looking closer.
func leastReached(r *reports.Result, l look) int {
	n := 1
	if len(r.Windows) > 0 {
		n++
	}
	if l.script {
		n += 2
	}
	return n
}

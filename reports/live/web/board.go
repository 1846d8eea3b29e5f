package web

import (
	"cmp"
	"slices"
	"sync"

	"github.com/proofload/proofload/reports/html"
)

// A board holds the newest state of every part of the page, and nothing else:
// who reads it slowly misses what was there in between. Its memory does not
// depend on how many read it, nor on how fast.
//
// Versions count every change from 1, so that a reader only takes what changed
// since it looked last, or since its connection broke.
type board struct {
	mu      sync.Mutex
	version uint64
	posts   map[string]post
	changed chan struct{} // closed by the next change
	ended   bool
}

// A post is one part as it is now. Event names it for the browser.
type post struct {
	event   string
	version uint64
	text    string
	name    string
}

func newBoard() *board {
	return &board{posts: map[string]post{}, changed: make(chan struct{})}
}

// put replaces what is known of a part; nothing happens if it is the same.
func (b *board) put(event, name, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.posts[name].text == text || b.ended {
		return
	}
	b.version++
	b.posts[name] = post{event: event, version: b.version, text: text, name: name}
	b.wake()
}

// end says that nothing changes any more.
func (b *board) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.ended = true
		b.wake()
	}
}

func (b *board) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// since lists what changed after a version, in the order of the changes. A
// version that there was never yet, of a reader of another board, is taken as 0.
// Changed is closed when there is more.
func (b *board) since(version uint64) (posts []post, changed <-chan struct{}, ended bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if version > b.version {
		version = 0
	}
	for _, p := range b.posts {
		if p.version > version {
			posts = append(posts, p)
		}
	}
	slices.SortFunc(posts, func(x, y post) int { return cmp.Compare(x.version, y.version) })
	return posts, b.changed, b.ended
}

// parts is the whole page as it is now.
func (b *board) parts() []html.Part {
	posts, _, _ := b.since(0)
	var parts []html.Part
	for _, p := range posts {
		if p.event == eventPart {
			parts = append(parts, html.Part{Name: p.name, HTML: p.text})
		}
	}
	return parts
}

// text is what a part is now, empty if it is not there.
func (b *board) text(name string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.posts[name].text
}

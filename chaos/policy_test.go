package chaos

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proofload/proofload/sut"
)

func TestPolicyAllows(t *testing.T) {
	owner := Policy{Class: ClassStaging, Faults: []string{"kill", "pause"}, On: []string{"api-1", "api-2", "app->redis"}, TTL: time.Minute}
	nodes := func(last time.Duration, names ...string) Params {
		p := Params{For: last}
		for _, n := range names {
			p.Target.Nodes = append(p.Target.Nodes, sut.Node{Name: n})
		}
		return p
	}
	for _, tt := range []struct {
		name   string
		policy Policy
		kind   string
		params Params
		want   string
	}{
		{"allowed", owner, "kill", nodes(time.Minute, "api-1", "api-2"), ""},
		{"anything in a sandbox", Policy{}, "lose", nodes(time.Hour, "pg-1"), ""},
		{"production", Policy{Class: ClassProduction}, "kill", nodes(time.Second, "api-1"), "of class production"},
		{"another fault", owner, "lose", nodes(time.Second, "api-1"), "it allows kill, pause"},
		{"another node", owner, "kill", nodes(time.Second, "api-1", "pg-1"), "pg-1 is not among api-1, api-2"},
		{"too long", owner, "kill", nodes(2*time.Minute, "api-1"), "lasts 1m0s at most, not 2m0s"},
		{"with no end", owner, "kill", nodes(0, "api-1"), "not 10m0s: say for:"},
		{"another link", owner, "kill", Params{For: 1, Target: sut.Selection{Links: []sut.Link{{Name: "x"}}}}, "x is not among"},
	} {
		err := tt.policy.Allows(tt.kind, tt.params)
		if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, ErrNotAllowed) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestPolicyPermit(t *testing.T) {
	topology := sut.Topology{Nodes: []sut.Node{
		{Name: "pg-1", Role: sut.RoleDatabase},
		{Name: "pg-2", Role: sut.RoleDatabase},
		{Name: "pg-3", Role: sut.RoleDatabase},
		{Name: "redis", Role: sut.RoleCache},
	}, Links: []sut.Link{
		{Name: "replication:pg-1", From: "pg-1", To: "*"},
		{Name: "replication:pg-2", From: "pg-2", To: "*"},
		{Name: "api-1->pg-1", From: "api-1", To: "pg-1"},
	}}
	pending := func(targets ...string) []Entry {
		var list []Entry
		for _, target := range targets {
			list = append(list, Entry{Undo: &Undo{Kind: "kill", Target: target}})
		}
		return list
	}
	keep := Policy{Quorum: []sut.Role{sut.RoleDatabase}}
	for _, tt := range []struct {
		name    string
		policy  Policy
		pending []Entry
		next    string
		want    string
	}{
		{"one of three", keep, nil, "pg-1", ""},
		{"one of three again", keep, pending("pg-1", "redis"), "pg-1", ""},
		{"two of three", keep, pending("pg-1"), "pg-2", "2 of 3 nodes would be broken"},
		{"two at once", keep, nil, "pg-1,pg-3", "2 of 3 nodes would be broken"},
		{"others do not count", keep, pending("redis"), "pg-2", ""},
		{"what a link leads to", keep, nil, "api-1->pg-1", ""},
		{"a link of one", keep, nil, "replication:pg-1", ""},
		{"links of two", keep, nil, "replication:pg-1,replication:pg-2", "2 of 3 nodes would be broken"},
		{"a node and a link", keep, pending("pg-3"), "api-1->pg-1", "2 of 3 nodes would be broken"},
		{"one at a time", Policy{Active: 1}, pending("redis"), "pg-2", "1 faults are in effect"},
		{"the first", Policy{Active: 1}, nil, "pg-2", ""},
		{"production", Policy{Class: ClassProduction}, nil, "pg-2", "class production"},
	} {
		err := tt.policy.Permit(topology)(tt.pending, Undo{Target: tt.next})
		if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, ErrNotAllowed) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestPolicyIsAsked refuses at the moment of injection: nothing is broken.
func TestPolicyIsAsked(t *testing.T) {
	var log []string
	j := openJournal(t, filepath.Join(t.TempDir(), "journal"))
	j.Require(Policy{Active: 1}.Permit(sut.Topology{}))
	arm(t, j, "a")
	_, err := Arm(t.Context(), j, fakeCatalog(&log, nil), nil, &fakeFault{name: "b", log: &log, journal: j}, nil)
	if !errors.Is(err, ErrNotAllowed) || len(log) != 1 || len(j.Pending()) != 1 {
		t.Errorf("injected a second one: %v, %q, pending %q", err, log, targets(j))
	}
}

// A quiet fault is one that nobody notices.
type quiet struct{ name string }

func (q quiet) String() string                            { return q.name }
func (q quiet) Prepare(context.Context) (Undo, error)     { return Undo{Kind: "fake", Target: q.name}, nil }
func (q quiet) Inject(context.Context) (Injection, error) { return q, nil }
func (quiet) Settle(context.Context) (Evidence, error)    { return Evidence{}, nil }
func (quiet) Recover(context.Context) error               { return nil }
func (quiet) Recovered(context.Context) (Evidence, error) { return Evidence{}, nil }

// TestPolicyAtOnce arms faults at the same moment, as entries of a timeline may
// be: no more get through than are allowed, and no two on the same target.
func TestPolicyAtOnce(t *testing.T) {
	// It takes a while to look at all that is pending.
	const n, others = 8, 5000
	catalog := NewCatalog([]Kind{{Name: "fake"}})
	for name, target := range map[string]func(i int) string{
		"as many as are allowed": strconv.Itoa,
		"one for a target":       func(int) string { return "x" },
	} {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				j := openJournal(t, filepath.Join(t.TempDir(), "journal"))
				for i := range others {
					name := "other-" + strconv.Itoa(i)
					j.entries = append(j.entries, Entry{ID: name, State: Armed, Undo: &Undo{Kind: "fake", Target: name}})
				}
				if target(0) != target(1) {
					j.Require(Policy{Active: others + 1}.Permit(sut.Topology{}))
				}
				var armed atomic.Int64
				begin := make(chan struct{})
				var wg sync.WaitGroup
				for i := range n {
					wg.Go(func() {
						<-begin
						if _, err := Arm(t.Context(), j, catalog, nil, quiet{target(i)}, nil); err == nil {
							armed.Add(1)
						}
					})
				}
				close(begin)
				wg.Wait()
				if pending := len(j.Pending()) - others; armed.Load() != 1 || pending != 1 {
					t.Fatalf("%d of %d were injected, %d are pending, want one", armed.Load(), n, pending)
				}
			}
		})
	}
}

func TestWindow(t *testing.T) {
	// Saturday the first of January 2000, 00:00 UTC, and the days after it.
	moment := func(day, hour, minute int) time.Time { return time.Date(2000, 1, day, hour, minute, 0, 0, time.UTC) }
	for _, tt := range []struct {
		text string
		at   time.Time
		want bool
	}{
		{"09:00-16:00", moment(1, 9, 0), true},
		{"09:00-16:00", moment(1, 8, 59), false},
		{"09:00-16:00", moment(1, 16, 0), false},
		{"Mon-Fri 09:00-16:00", moment(1, 10, 0), false},
		{"Mon-Fri 09:00-16:00", moment(3, 10, 0), true},
		{"Sat 00:00-24:00", moment(1, 23, 59), true},
		{"Fri-Mon 00:00-24:00", moment(2, 12, 0), true},
		{"Fri-Mon 00:00-24:00", moment(4, 12, 0), false},
		{"Mon 09:00-10:00 Asia/Tokyo", moment(3, 0, 30), true},
		{"Mon 09:00-10:00 Asia/Tokyo", moment(3, 9, 30), false},
	} {
		w, err := ParseWindow(tt.text)
		if err != nil {
			t.Error(err)
		}
		if got := throughout([]Window{w}, tt.at, tt.at); got != tt.want {
			t.Errorf("%s at %s: %t, want %t", tt.text, tt.at, got, tt.want)
		}
	}
	// A fault has to be over by the end of the last window that follows without a gap.
	day := []string{"Mon 09:00-12:00", "Mon 12:00-16:00", "Mon 23:00-24:00", "Tue 00:00-01:00", "Mon 17:00-18:00"}
	windows := make([]Window, len(day))
	for i, text := range day {
		var err error
		if windows[i], err = ParseWindow(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		at   time.Time
		last time.Duration
		want bool
	}{
		{moment(3, 9, 30), time.Hour, true},
		{moment(3, 11, 30), time.Hour, true},
		{moment(3, 15, 30), 30 * time.Minute, true},
		{moment(3, 15, 30), time.Hour, false},
		{moment(3, 15, 30), 2 * time.Hour, false}, // another one is open by then
		{moment(3, 16, 30), time.Hour, false},
		{moment(3, 23, 30), time.Hour, true},
		{moment(4, 0, 30), time.Hour, false},
	} {
		if got := throughout(windows, tt.at, tt.at.Add(tt.last)); got != tt.want {
			t.Errorf("from %s for %s: %t, want %t", tt.at, tt.last, got, tt.want)
		}
	}
	if !throughout(nil, moment(1, 0, 0), moment(9, 0, 0)) {
		t.Error("without windows there is a time at which nothing may be broken")
	}
	for text, want := range map[string]string{
		"": "is not a window", "Mon-Fri": "is not a window of time", "09:00-16:00 ": "is not a window", "Mod 09:00-16:00": "no such day",
		"16:00-09:00": "does not end after", "09:00-25:00": "does not end after", "09:00-10:00 Mars/Base": "no such zone",
	} {
		if _, err := ParseWindow(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzParseWindow finds that every window that can be read has a moment in it.
func FuzzParseWindow(f *testing.F) {
	f.Add("Mon-Fri 09:00-16:00 Europe/London")
	f.Add("00:00-24:00")
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ParseWindow(text)
		if err != nil {
			return
		}
		for at := time.Date(2000, 6, 1, 0, 0, 0, 0, time.UTC); at.Day() < 9; at = at.Add(time.Minute) {
			if w.contains(at) {
				return
			}
		}
		t.Errorf("%q is never", text)
	})
}

func TestKillSwitch(t *testing.T) {
	dir := t.TempDir()
	var status atomic.Int64
	status.Store(http.StatusNoContent)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		w.WriteHeader(int(status.Load()))
	}))
	defer server.Close()
	check := func(where, want string) {
		t.Helper()
		k, err := ParseKillSwitch(where)
		if err != nil {
			t.Fatal(err)
		}
		err = k.Check(t.Context())
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrEngaged) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", where, err, want)
		}
	}
	file := filepath.Join(dir, "STOP")
	check("file:"+file, "")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	check("file:"+file, "there is a file:")
	check("file:"+filepath.Join(dir, "gone", "STOP"), "cannot be reached")
	check(server.URL, "")
	check(server.URL+"/moved", "answers 302")
	status.Store(http.StatusServiceUnavailable)
	check(server.URL, "answers 503")
	server.Close()
	check(server.URL, "cannot be reached")

	for _, where := range []string{"", "STOP", "file:STOP", "ftp://host/x", "http:///x"} {
		if _, err := ParseKillSwitch(where); err == nil || !strings.Contains(err.Error(), "is not a kill switch") {
			t.Errorf("%q: %v", where, err)
		}
	}
}

// TestKillSwitchWatch engages a switch while it is watched.
func TestKillSwitchWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := KillSwitch{file: filepath.Join(t.TempDir(), "STOP")}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := k.Watch(ctx); err != nil {
			t.Errorf("released for ten seconds: %v", err)
		}
		time.AfterFunc(5*time.Second, func() { _ = os.WriteFile(k.file, nil, 0o600) })
		began := time.Now()
		if err := k.Watch(t.Context()); !errors.Is(err, ErrEngaged) || time.Since(began) > 6*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

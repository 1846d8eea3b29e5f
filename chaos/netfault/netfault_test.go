package netfault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

func TestMain(m *testing.M) {
	if !chaostest.RunNode() && !playRole() {
		defer linkdBinary.remove()
		m.Run()
	}
}

// kind returns the kind of a name.
func kind(tb testing.TB, name string) chaos.Kind {
	tb.Helper()
	kinds := Kinds()
	i := slices.IndexFunc(kinds, func(k chaos.Kind) bool { return k.Name == name })
	if i < 0 {
		tb.Fatalf("no kind %s", name)
	}
	return kinds[i]
}

func TestCheck(t *testing.T) {
	links := sut.Selection{Ref: "link:replication", Links: make([]sut.Link, 1)}
	nodes := sut.Selection{Ref: "postgres.primary", Nodes: make([]sut.Node, 1)}
	tests := []struct {
		kind string
		p    chaos.Params
		want string // part of the error; empty: none
	}{
		{kindStall, chaos.Params{Target: links}, ""},
		{kindStall, chaos.Params{Target: nodes}, `"postgres.primary" is none: write for example stall: link:replication`},
		{kindLose, chaos.Params{Target: nodes}, ""},
		{kindLose, chaos.Params{Target: links}, "write for example lose: postgres.primary"},
		{kindZoneOutage, chaos.Params{Target: sut.Selection{Ref: "zone:b", Nodes: make([]sut.Node, 2)}}, ""},
		{kindZoneOutage, chaos.Params{Target: nodes}, `"postgres.primary" is none: write for example zone-outage: zone:b`},
		{kindPartition, chaos.Params{Target: nodes, For: time.Second}, ""},
		{kindPartition, chaos.Params{Target: nodes}, "add for example for: 30s"},
		{kindPartition, chaos.Params{Target: links, For: time.Second}, "to stop a link write stall"},
	}
	for _, tt := range tests {
		err := kind(t, tt.kind).Check(tt.p)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: %v, want %q", tt.kind, tt.p.Target.Ref, err, tt.want)
		}
	}
}

// plain is an environment that can do nothing.
type plain struct{}

func (plain) Topology() sut.Topology         { return sut.Topology{} }
func (plain) Endpoint(string) (string, bool) { return "", false }
func (plain) Close(context.Context) error    { return nil }

func TestUnsupported(t *testing.T) {
	for _, k := range Kinds() {
		_, err := k.New(plain{}, chaos.NewTargets(plain{}), chaos.Params{})
		if !errors.Is(err, sut.ErrUnsupported) {
			t.Errorf("%s: %v, want %v", k.Name, err, sut.ErrUnsupported)
		}
		if err := k.Heal(t.Context(), plain{}, chaos.Undo{Data: []byte("{")}); err == nil {
			t.Errorf("%s: unreadable undo data heals", k.Name)
		}
	}
}

func TestCutListed(t *testing.T) {
	c := cut{ID: "0a1b2c3d"}
	whole := []string{
		"-P INPUT ACCEPT",
		"-N PL-0a1b2c3d",
		`-A INPUT ! -i lo -m comment --comment "proofload:0a1b2c3d" -j PL-0a1b2c3d`,
		`-A OUTPUT ! -o lo -m comment --comment "proofload:0a1b2c3d" -j PL-0a1b2c3d`,
		`-A PL-0a1b2c3d -m time --datestop 2030-01-02T03:04:05 -m comment --comment "proofload:0a1b2c3d" -j DROP`,
	}
	if err := c.listed(strings.Join(whole, "\n")); err != nil {
		t.Errorf("all rules listed: %v", err)
	}
	for i := 2; i < len(whole); i++ {
		if c.listed(strings.Join(slices.Delete(slices.Clone(whole), i, i+1), "\n")) == nil {
			t.Errorf("missing is not noticed: %s", whole[i])
		}
	}
	if (cut{ID: "ffffffff"}).listed(strings.Join(whole, "\n")) == nil {
		t.Error("the rules of another fault are taken for ours")
	}
}

// TestKernelClock has a node on a host whose clock is years ahead of ours, and in
// another time zone: the rules end by the clock of that kernel, which reads their
// end as UTC. By ours they would have ended before they began.
func TestKernelClock(t *testing.T) {
	tools := t.TempDir()
	now := time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC)
	date, err := exec.LookPath("date")
	if err != nil {
		t.Skipf("needs date: %v", err)
	}
	for tool, script := range map[string]string{
		"date":     fmt.Sprintf(`if [ "$*" = +%%s ]; then echo %d; else exec %s "$@"; fi`, now.Unix(), date),
		"iptables": `echo "$@"`,
	} {
		if err = os.WriteFile(filepath.Join(tools, tool), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", (cut{ID: "0a1b2c3d"}).addScript("pg-1", 10*time.Second))
	cmd.Env = []string{"PATH=" + tools + ":" + os.Getenv("PATH"), "TZ=Asia/Karachi"}
	out, err := cmd.CombinedOutput()
	if want := "--datestop 2040-01-02T03:04:16 "; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("%v: %s; want %s", err, out, want)
	}
}

func TestTTL(t *testing.T) {
	got := []time.Duration{ttlOf(chaos.Params{}), ttlOf(chaos.Params{For: 30 * time.Second})}
	if diff := cmp.Diff([]time.Duration{10 * time.Minute, 35 * time.Second}, got); diff != "" {
		t.Errorf("time until the kernel ends a fault (-want +got):\n%s", diff)
	}
}

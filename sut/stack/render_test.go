package stack

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fakeTags stands for the tags of built images.
func fakeTags() map[string]string {
	tags := map[string]string{}
	for _, name := range imageNames() {
		tags[name] = "proofload/" + name + ":0123456789ab"
	}
	return tags
}

func rendered(t *testing.T, s settings) map[string]containerSpec {
	t.Helper()
	specs, err := ledgerContainers(s, fakeTags())
	if err != nil {
		t.Fatal(err)
	}
	return specs
}

// TestContainersGolden shows every container of the stack, and so every
// change to what its nodes are told.
func TestContainersGolden(t *testing.T) {
	specs := rendered(t, settings{sync: true, ttl: 10})
	var b strings.Builder
	for _, node := range slices.Sorted(maps.Keys(specs)) {
		spec := specs[node]
		fmt.Fprintf(&b, "==== %s\nimage %s, command %v, memory %d MiB, volume %q, shared %q, sysctls %v, publish %v\n",
			node, spec.Image, spec.Cmd, spec.Memory/mib, spec.Volume, spec.Shared, spec.Sysctls, spec.Publish)
		for _, key := range slices.Sorted(maps.Keys(spec.Env)) {
			fmt.Fprintf(&b, "%s=%s\n", key, spec.Env[key])
		}
		for _, file := range slices.Sorted(maps.Keys(spec.Files)) {
			fmt.Fprintf(&b, "---- %s\n%s", file, spec.Files[file])
		}
		fmt.Fprintln(&b)
	}
	golden := filepath.Join("testdata", "containers.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("containers (-want +got), rewrite with -update:\n%s", diff)
	}
}

func TestOptionsReachPatroni(t *testing.T) {
	const file = "/etc/patroni/patroni.yml"
	for _, tt := range []struct {
		settings settings
		want     []string
	}{
		{settings{sync: true, ttl: 10}, []string{"ttl: 10\n", "synchronous_mode: true\n", `fsync: "on"`}},
		{settings{sync: false, ttl: 20, unsynced: true}, []string{"ttl: 20\n", "synchronous_mode: false\n", `fsync: "off"`}},
	} {
		content := rendered(t, tt.settings)["pg-2"].Files[file]
		for _, w := range tt.want {
			if !strings.Contains(content, w) {
				t.Errorf("%s of %s lacks %q", file, tt.settings, w)
			}
		}
	}
}

// TestLinkConfig checks that linkd serves exactly the links, and that no node
// is told of a port at which nothing listens.
func TestLinkConfig(t *testing.T) {
	specs := rendered(t, settings{sync: true, ttl: 10})
	var config struct {
		Links []struct{ Name, Listen, Upstream string }
	}
	if err := json.Unmarshal([]byte(specs[nodeLinks].Files["/etc/linkd.json"]), &config); err != nil {
		t.Fatal(err)
	}
	if got, want := len(config.Links), len(ledgerLinks()); got != want {
		t.Errorf("linkd serves %d links; want %d", got, want)
	}
	for _, l := range config.Links {
		host, _, _ := strings.Cut(l.Upstream, ":")
		if _, ok := specs[host]; !ok {
			t.Errorf("link %s leads to %s, which is no node", l.Name, l.Upstream)
		}
	}
	for node, spec := range specs {
		for file, content := range spec.Files {
			if strings.Contains(content, "<no value>") || strings.Contains(content, nodeLinks+":\n") {
				t.Errorf("%s of %s lacks a value:\n%s", file, node, content)
			}
		}
		for key, value := range spec.Env {
			if value == "" {
				t.Errorf("%s of %s is empty", key, node)
			}
		}
	}
}

func TestContainerHash(t *testing.T) {
	hash := func(spec containerSpec) string {
		t.Helper()
		h, err := spec.hash()
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	sync, async := rendered(t, settings{sync: true, ttl: 10}), rendered(t, settings{ttl: 10})
	if hash(sync["pg-1"]) == hash(async["pg-1"]) {
		t.Error("the option replication does not change the hash of pg-1")
	}
	if hash(sync["redis"]) != hash(async["redis"]) {
		t.Error("the option replication changes the hash of redis")
	}
	other := sync["redis"]
	other.Image = "proofload/redis:other"
	if hash(other) == hash(sync["redis"]) {
		t.Error("another image does not change the hash")
	}
}

// TestTraces has only the service's processes told of a collector, and only if
// there is one.
func TestTraces(t *testing.T) {
	traced := rendered(t, settings{sync: true, ttl: 10, traces: "http://172.17.0.1:4318", traceRatio: 0.05})
	for node, spec := range traced {
		_, hasCollector := spec.Env["LEDGER_OTLP_ENDPOINT"]
		if want := spec.Env["LEDGER_INSTANCE"] != ""; hasCollector != want {
			t.Errorf("%s is told of the collector: %t; want %t", node, hasCollector, want)
		}
		if hasCollector && spec.Env["LEDGER_TRACE_RATIO"] != "0.05" {
			t.Errorf("%s traces %s of its requests; want 0.05", node, spec.Env["LEDGER_TRACE_RATIO"])
		}
	}
	if env := rendered(t, settings{sync: true, ttl: 10})["api-1"].Env; env["LEDGER_OTLP_ENDPOINT"] != "" {
		t.Errorf("without a collector api-1 is told of %s", env["LEDGER_OTLP_ENDPOINT"])
	}
}

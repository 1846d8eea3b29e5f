package remote

import (
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/schema"
	"github.com/proofload/proofload/sut"
)

var update = flag.Bool("update", false, "write the golden files")

func contents(tb testing.TB, file string) []byte {
	tb.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return src
}

// shop is a target with two links.
func shop(t *testing.T, base string) *Target {
	t.Helper()
	target, err := Parse("shop.yaml", []byte(`
proofload: target/v1
name: shop
base: `+base+`/
health: {get: /readyz, status: 204}
allow: {faults: [stall], on: ["link:client->shop"], rate: 500/s}
components:
  link:client->shop: {toxiproxy: "http://127.0.0.1:8474/", proxy: shop}
  link:shop->store: {linkd: "http://localhost:8475"}
`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func TestEnvironment(t *testing.T) {
	target := shop(t, "http://127.0.0.1:8080")
	want := sut.Topology{
		Name:  "shop",
		Nodes: []sut.Node{{Name: "shop", Role: sut.RoleService}, {Name: "store", Role: sut.RoleService}},
		Links: []sut.Link{
			{Name: "client->shop", From: "client", To: "shop", Carries: sut.TrafficHTTP},
			{Name: "shop->store", From: "shop", To: "store", Carries: sut.TrafficHTTP},
		},
	}
	env := target.Attach()
	if diff := cmp.Diff(want, env.Topology()); diff != "" {
		t.Errorf("topology (-want +got):\n%s", diff)
	}
	if got, ok := env.Endpoint("api"); got != "http://127.0.0.1:8080" || !ok {
		t.Errorf("Endpoint(api) = %q, %t", got, ok)
	}
	if got, ok := env.LinkControl("shop->store"); got != "http://localhost:8475/links/shop-%3Estore" || !ok {
		t.Errorf("LinkControl = %q, %t", got, ok)
	}
	if got, ok := env.LinkControl("client->shop"); got != "http://127.0.0.1:8474#shop" || !ok {
		t.Errorf("LinkControl of a Toxiproxy server = %q, %t", got, ok)
	}
	if _, ok := env.LinkControl("shop->mail"); ok {
		t.Error("a link that is not there has a control")
	}
}

// TestPermits refuses what the file does not allow.
func TestPermits(t *testing.T) {
	target := shop(t, "http://127.0.0.1:8080")
	for _, tc := range []struct{ fault, on, want string }{
		{"stall", "link:client->shop", ""},
		{"kill", "link:client->shop", "shop does not allow kill: it allows stall"},
		{"stall", "link:http", "shop does not allow stall on link:shop->store: it allows faults on link:client->shop"},
		{"stall", "app[1]", "shop does not allow stall on shop: it allows faults on link:client->shop"},
	} {
		sel, err := target.Topology().Select(tc.on)
		if err != nil {
			t.Fatal(err)
		}
		if err := target.Permits(tc.fault, sel); (err == nil) != (tc.want == "") || err != nil && err.Error() != tc.want {
			t.Errorf("%s %s: %v, want %q", tc.fault, tc.on, err, tc.want)
		}
	}
	if err := target.PermitsRate(500); err != nil {
		t.Error(err)
	}
	if err := target.PermitsRate(501); err == nil {
		t.Error("a rate over the limit is allowed")
	}
}

func TestReady(t *testing.T) {
	status := http.StatusServiceUnavailable
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			w.WriteHeader(status)
		}
	}))
	defer s.Close()
	target := shop(t, s.URL)
	const want = "ask shop whether it is well: GET /readyz is answered with 503, want 204"
	if err := target.Ready(t.Context(), s.Client()); err == nil || err.Error() != want {
		t.Errorf("Ready = %v, want %q", err, want)
	}
	status = http.StatusNoContent
	if err := target.Ready(t.Context(), s.Client()); err != nil {
		t.Error(err)
	}
}

// TestLint has what a user sees of each mistake.
func TestLint(t *testing.T) {
	for _, name := range []string{"mistakes", "missing", "elsewhere"} {
		file := filepath.Join("testdata", name+".yaml")
		_, err := Parse(file, contents(t, file), Options{})
		if err == nil {
			t.Fatal("no problem found")
		}
		golden, got := filepath.Join("testdata", name+".golden"), err.Error()+"\n"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(string(contents(t, golden)), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestLibrary parses the target that ships.
func TestLibrary(t *testing.T) {
	const file = "../../scenarios/library/targets/object-store.yaml"
	target, err := Parse(file, contents(t, file), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if target.Base != "http://127.0.0.1:9001" || target.Allow.Rate != 500 {
		t.Errorf("target = %+v", target)
	}
}

// object is the part of a schema that describes a mapping.
type object struct {
	Required    []string          `json:"required"`
	Properties  map[string]object `json:"properties"`
	Definitions map[string]object `json:"definitions"`
	Additional  any               `json:"additionalProperties"`
	Description string            `json:"description"`
	Names       struct {
		Enum []string `json:"enum"`
	} `json:"propertyNames"`
}

// TestSchemaKnowsTheKeysOfTheParser holds the schema against the tables that
// the parser reads with, in both directions.
func TestSchemaKnowsTheKeysOfTheParser(t *testing.T) {
	var root object
	if err := json.Unmarshal([]byte(schema.Target()), &root); err != nil {
		t.Fatal(err)
	}
	p := &parser{target: &Target{}}
	component := root.Definitions["component"]
	names := map[string]bool{}
	for _, name := range component.Names.Enum {
		names[name] = true
	}
	for _, f := range p.componentFields(&linkProxy{}) {
		if !names[f.Key] || component.Properties[f.Key].Description == "" {
			t.Errorf("component: the schema does not know %s", f.Key)
		}
		delete(names, f.Key)
	}
	for _, v := range scenarios.Verbs() {
		if v.Fault != names[v.Name] {
			t.Errorf("component: the schema takes %s: %t, want %t", v.Name, names[v.Name], v.Fault)
		}
		delete(names, v.Name)
	}
	if len(names) > 0 {
		t.Errorf("component: the schema takes also %v", names)
	}
	for _, tc := range []struct {
		name   string
		object object
		fields []scenarios.Field
	}{
		{"target", root, p.fields()},
		{"health", root.Properties["health"], p.healthFields()},
		{"allow", root.Properties["allow"], p.allowFields()},
		{"commands", root.Definitions["commands"], p.commandFields(&sut.Commands{})},
		{"secret", root.Definitions["secret"], p.secretFields(&sut.Secret{})},
	} {
		var keys, need, properties []string
		for _, f := range tc.fields {
			keys = append(keys, f.Key)
			if f.Need {
				need = append(need, f.Key)
			}
		}
		for name, property := range tc.object.Properties {
			properties = append(properties, name)
			if property.Description == "" {
				t.Errorf("%s: %s has no description in the schema", tc.name, name)
			}
		}
		slices.Sort(keys)
		slices.Sort(properties)
		if diff := cmp.Diff(keys, properties); diff != "" {
			t.Errorf("%s: keys (-parser +schema):\n%s", tc.name, diff)
		}
		if diff := cmp.Diff(need, tc.object.Required); diff != "" || tc.object.Additional != false {
			t.Errorf("%s: unknown keys allowed: %v; required (-parser +schema):\n%s", tc.name, tc.object.Additional, diff)
		}
	}
}

// FuzzParse checks that no input makes the parser panic, and that every problem
// has a place.
func FuzzParse(f *testing.F) {
	for _, file := range []string{"testdata/mistakes.yaml", "../../scenarios/library/targets/object-store.yaml"} {
		f.Add(contents(f, file))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		target, err := Parse("f.yaml", src, Options{})
		if err == nil {
			if !strings.Contains(target.Base, "://") {
				t.Fatalf("base = %q", target.Base)
			}
			return
		}
		problems, ok := errors.AsType[*scenarios.Problems](err)
		if !ok {
			t.Fatalf("error is %T, want *Problems", err)
		}
		for _, q := range problems.List {
			if q.Pos.Line < 1 || q.Pos.Col < 1 || q.Msg == "" {
				t.Fatalf("a problem without a place or text: %+v", q)
			}
		}
	})
}

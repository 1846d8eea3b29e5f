package chaos

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPitfalls keeps the list of what goes wrong with tools that break things,
// and of the tests that say it does not here. A test that is gone from its file
// is missed, and so is one that no test of its package comes to any more.
func TestPitfalls(t *testing.T) {
	for _, p := range []struct {
		pitfall string
		tests   map[string]string // names by file, from the root
	}{
		{"a link whose receiver is frozen and that is slow takes for ever to mend", map[string]string{
			"cmd/linkd/linkd_test.go":         "TestReceiverDoesNotRead",
			"chaos/netfault/pitfalls_test.go": "TestFrozenReceiver",
		}},
		{"an upstream that swallows packets wedges the link, and others with it", map[string]string{
			"cmd/linkd/breaking_test.go": "TestBlackhole",
		}},
		{"a target that restarts loses the rules of a network fault, unnoticed", map[string]string{
			"chaos/netfault/filter_linux_test.go": "TestRestartEndsPartition",
		}},
		{"a target that is gone cannot be mended, and so nothing else is", map[string]string{
			"chaos/proc/proc_linux_test.go":            "TestGone",
			"chaos/netfault/filterkinds_linux_test.go": "TestTargetGone",
			"chaos/netfault/stall_test.go":             "TestStallProxyGone",
		}},
		{"two faults of one link are undone in the order in which they came", map[string]string{
			"chaos/netfault/links_test.go": "TestLinkFaultsInAnyOrder",
			"chaos/netfault/stall_test.go": "TestStallsOverlap",
			"cmd/linkd/breaking_test.go":   "TestToxicsInAnyOrder",
		}},
		{"a port that was published is another one after a restart", map[string]string{
			"cmd/proofload/conformance_pitfalls_test.go": "testPortsStay",
		}},
		{"an address goes to another node while its own is away", map[string]string{
			"sut/stack/addresses_integration_test.go":  "testAnotherAddress",
			"chaos/netfault/filterkinds_linux_test.go": "TestPeerMoves",
		}},
		{"a limit below what is in use cannot be set, or kills", map[string]string{
			"cmd/proofload/conformance_pitfalls_test.go": "testLimitBelowUse",
		}},
		{"the kernel ends rules by another clock than the runner or the guard reads", map[string]string{
			"chaos/netfault/netfault_test.go":     "TestKernelClock",
			"chaos/netfault/filter_linux_test.go": "TestKernelEndsPartition",
		}},
		{"the runner is killed somewhere between the journal and the end", map[string]string{
			"chaos/proc/proc_linux_test.go":  "TestCrash",
			"chaos/proc/again_linux_test.go": "TestLateKill",
			"chaos/journal_test.go":          "TestJournalTorn",
			"chaos/resource/again_test.go":   "TestLateOrder",
		}},
		{"the engine does not answer when it is time to mend", map[string]string{
			"chaos/journal_test.go":                      "TestInsist",
			"chaos/guard_test.go":                        "TestGuardInsists",
			"cmd/proofload/conformance_pitfalls_test.go": "testEngineAway",
			"cmd/proofload/inject_away_test.go":          "TestEngineGoesAwayDuringRecovery",
		}},
		{"something else undoes the fault while it should last", map[string]string{
			"chaos/hold_test.go":            "TestHoldShort",
			"chaos/proc/proc_linux_test.go": "TestResumedEarly",
			"chaos/netfault/links_test.go":  "TestLinkFaultEndedEarly",

			"chaos/netfault/overdue_linux_test.go": "TestPartitionOver",
			"chaos/netfault/overdue_test.go":       "TestLinkFaultWithoutEffect",
		}},
		{"a proxy accepts what its upstream would refuse, and clients who go through it see another recovery time", map[string]string{
			"cmd/linkd/linkd_test.go":        "TestUpstreamDown",
			"loadgen/path_test.go":           "TestLoadSeesItsOwnPath",
			"reports/check/recovery_test.go": "TestRecoveryIsOfTheLoad",
			"sut/stack/topology_test.go":     "TestEndpointURL", // clients reach the service past all proxies
		}},
	} {
		if len(p.tests) == 0 {
			t.Errorf("no test says that this does not happen: %s", p.pitfall)
		}
		for file, name := range p.tests {
			path := filepath.Join("..", filepath.FromSlash(file))
			src, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(src), "\nfunc "+name+"(t *testing.T") {
				t.Errorf("%s: no test %s in %s: %v", p.pitfall, name, file, err)
			} else if !slices.Contains(carriedOut(t, filepath.Dir(path)), name) {
				t.Errorf("%s: nothing calls %s in %s", p.pitfall, name, file)
			}
		}
	}
}

// carriedOut lists the functions that the tests of a package come to, whatever
// they are built for.
func carriedOut(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var reached []string
	uses := map[string][]string{} // what functions name
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range tree.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil {
				continue
			}
			if strings.HasPrefix(f.Name.Name, "Test") {
				reached = append(reached, f.Name.Name)
			}
			uses[f.Name.Name] = namedIn(f)
		}
	}
	for i := 0; i < len(reached); i++ {
		for _, name := range uses[reached[i]] {
			if _, ours := uses[name]; ours && !slices.Contains(reached, name) {
				reached = append(reached, name)
			}
		}
	}
	return reached
}

// namedIn lists the names in the body of a function.
func namedIn(f *ast.FuncDecl) []string {
	var names []string
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			names = append(names, id.Name)
		}
		return true
	})
	return names
}

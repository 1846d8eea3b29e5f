package main

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/sut/remote"
)

// firstName is what a first scenario may be called, which is also the name of
// its file.
var firstName = regexp.MustCompile(`^[a-z][a-z0-9-]{1,62}$`)

func (a *app) initCommand() *cobra.Command {
	target, workflow := "", true
	cmd := &cobra.Command{
		Use:   "init [NAME]",
		Short: "Write a first scenario, with comments, and what editors and CI need for it",
		Long: `Write scenarios/NAME.yaml, with a comment on every part, and the schemas that let
an editor complete and explain it. For a system of your own, whose address
--target gives, also workloads/NAME.yaml, and targets/NAME.yaml, which says what
may be done to it: read that before anything else where it is not on this machine.
A workflow for GitHub, which begins by hand, carries out all scenarios and keeps
their reports; --workflow=false leaves it out. Files that are there stay as they
are.`,
		Example: `  proofload init
  proofload init checkout --target http://localhost:8080
  proofload init outage --target https://staging.example.com`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name := "first"
			if len(args) == 1 {
				name = args[0]
			}
			if err := a.init(name, target, workflow); err != nil {
				return exit(reports.ExitUsage, err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&target, "target", "stack/ledger", "what is tested: stack/ledger, or the address of a system")
	cmd.Flags().BoolVar(&workflow, "workflow", true, "write "+workflowFile)
	return cmd
}

// init writes the first files, or none of them.
func (a *app) init(name, target string, workflow bool) error {
	if !firstName.MatchString(name) {
		return fmt.Errorf("%q is not a name: use 2 to 63 characters of a to z, 0 to 9 and -, and begin with a letter", name)
	}
	_, err := describeTarget(target, nil)
	elsewhere := isURL(target) && errors.Is(err, loadgen.ErrHostNotAllowed)
	if err != nil && !elsewhere { // which the target file is going to name
		return fmt.Errorf("%w; %s", err, meantTarget(target, ""))
	}
	file, workload := filepath.Join("scenarios", name+".yaml"), filepath.Join("workloads", name+".yaml")
	class := remote.ClassSandbox
	if elsewhere {
		class = remote.ClassStaging
	}
	fill := strings.NewReplacer("NAME", name, "TARGET", strings.TrimRight(target, "/"), "CLASS", class)
	files := map[string]string{file: fill.Replace(firstDrill)}
	if isURL(target) {
		files = map[string]string{
			file: fill.Replace(firstGate), workload: fill.Replace(firstWorkload),
			filepath.Join("targets", name+".yaml"): fill.Replace(firstTarget),
		}
	}
	if err := isNew(slices.Collect(maps.Keys(files))...); err != nil {
		return err
	}
	for _, f := range slices.Sorted(maps.Keys(files)) {
		if err := writeFile(f, []byte(files[f])); err != nil {
			return err
		}
		fmt.Fprintln(a.stdout, "wrote "+f)
	}
	if err := a.installSchemas(); err != nil {
		return err
	}
	if workflow {
		if err := a.installWorkflow(target); err != nil {
			return err
		}
	}
	a.sayNext(file, workload, target, elsewhere)
	return nil
}

// sayNext says what one would do next.
func (a *app) sayNext(file, workload, target string, elsewhere bool) {
	fmt.Fprintln(a.stdout, "\nnext:")
	switch {
	case elsewhere:
		fmt.Fprintf(a.stdout, "  read targets/%s: it says that this may be done to a system that is not on this machine\n", filepath.Base(file))
	case isURL(target):
		fmt.Fprintf(a.stdout, "  proofload workload try %s --base %s   # each request once\n", workload, target)
	}
	fmt.Fprintf(a.stdout, "  proofload plan %s          # what would happen; touches nothing\n", file)
	fmt.Fprintf(a.stdout, "  proofload run %s --once    # everything once, in seconds\n", file)
	fmt.Fprintf(a.stdout, "  proofload run %s\n", file)
}

const modeline = "# yaml-language-server: $schema=../schema/"

// firstDrill is a scenario against the built-in system.
const firstDrill = modeline + `scenario.schema.json
proofload: scenario/v1
name: NAME
about: An API instance is killed under load. Clients hardly notice, and no acknowledged payment is lost.
tags: [drill]

vars: {peak: 100/s}                   # proofload run --set peak=300/s gives another value

# Where: containers that are started for the run.
target: TARGET

# What clients do. Phases follow one another; objectives and the timeline name them.
load:
  workload: ledger/mixed              # proofload list workloads
  phases:
    - {name: warmup, for: 10s, rate: "10/s -> ${vars.peak}", score: false}    # counted nowhere
    - {name: steady, for: 20s, rate: "${vars.peak}"}
    - {name: failover, for: 30s, rate: "${vars.peak}"}
    - {name: after, for: 20s, rate: "${vars.peak}"}

# What goes wrong, and when. One verb an entry: proofload list faults
timeline:
  - at: failover + 5s
    kill: app[1]
    as: api-lost                      # objectives can name it
  - at: after
    start: app[1]                     # without this it would be mended at the end

# What must hold. A bare value is an upper limit.
objectives:
  steady: {p99: 250ms, errors: 0.1%}
  api-lost: {rto: 10s, lost_writes: 0, duplicates: 0}
  after: {p99: 300ms, errors: 0.1%}

# What is checked in the data afterwards: proofload list checks
verify: [acknowledged-writes, no-duplicates, balances]

# When to stop for safety.
abort: {errors: 50%, for: 20s}
`

// firstGate is a scenario against a system of which only the address is known.
const firstGate = modeline + `scenario.schema.json
proofload: scenario/v1
name: NAME
about: A minute at the expected rate stays within the limits.
tags: [gate]

vars: {peak: 20/s}                    # proofload run --set peak=50/s gives another value

# Where: targets/NAME.yaml says where that is, and what may be done to it.
target: NAME

# What clients do. Phases follow one another; objectives name them.
load:
  workload: ../workloads/NAME.yaml
  phases:
    - {name: warmup, for: 10s, rate: "1/s -> ${vars.peak}", score: false}     # counted nowhere
    - {name: steady, for: 50s, rate: "${vars.peak}"}

# What must hold. A bare value is an upper limit.
objectives:
  steady: {p99: 500ms, errors: 1%, rate: ">= 99%"}
  steady/front-page: {p95: 300ms}     # of one request alone

# Once a request of the workload says ack:, its writes are looked up afterwards:
# verify: [acknowledged-writes]       # and no-duplicates, if the lookup has a count:

# When to stop for safety.
abort: {errors: 50%, for: 15s}
`

// firstTarget allows load, and no faults.
const firstTarget = modeline + `target.schema.json
proofload: target/v1
name: NAME
about: Where the system is, and what may be done to it. All else is refused before anything is done.
class: CLASS                          # sandbox or staging: nothing is done to production

base: TARGET
# health: {get: /readyz, status: 200} # asked for before each drill; without it any answer will do

# secrets: {API_TOKEN: {env: STAGING_API_TOKEN}}             # where ${secret:API_TOKEN} is

allow:
  rate: 50/s                          # of operations, at most
  # faults: [stall, kill]             # proofload list faults
  # on: ["link:client->NAME", db]     # of the components below
  # window: Mon-Fri 09:00-16:00 Europe/London

# How parts of it are broken: by a proxy on a link, or by commands of your own.
# components:
#   link:client->NAME: {linkd: "http://127.0.0.1:8474"}
#   db:
#     kill: {inject: {exec: ssh ops@bastion stop db}, heal: {exec: ssh ops@bastion start db}}
`

// firstWorkload asks for what every web application has.
const firstWorkload = modeline + `workload.schema.json
proofload: workload/v1
name: NAME
about: What clients of the system do. proofload workload from-openapi FILE, or from-har FILE, writes a fuller one.

# headers: {Authorization: "Bearer ${secret:API_TOKEN}"}     # from the environment; printed nowhere

requests:
  - name: front-page
    weight: 3                         # three times as often as one of weight 1
    get: /
    expect: {status: 200, within: 2s}
# - name: create-order
#   post: /orders
#   json: {sku: A-1, quantity: "${int(1, 9)}"}
#   expect: {status: 201}
#   ack: {key: $.id, lookup: "/orders/${key}"}               # each accepted order is looked up afterwards
# - name: order-once                                         # where a search finds orders by what the client made, doubled ones are found
#   set: {ref: "${uuid}"}
#   post: /orders
#   json: {sku: A-1, ref: "${ref}"}
#   ack: {key: "${ref}", lookup: {get: "/orders?ref=${key}", count: "$.items[*]"}}
`

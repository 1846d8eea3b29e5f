# Logic lives in Go; a target is one or two lines.

GO      ?= go
BIN     := bin
TAGS    := integration
LINT    := $(GO) tool -modfile=tools.mod golangci-lint
TESTENV := TESTCONTAINERS_RYUK_DISABLED=true PROOFLOAD_BIN=$(CURDIR)/$(BIN)
BENCH   := $(TESTENV) $(GO) test -tags=$(TAGS) -run='^$$' -benchtime=1x -timeout=0 -v

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

.PHONY: drill
drill: engine build ## the main job: stand the ledger up, load it, fail its primary over, give a verdict
	$(BIN)/proofload run primary-failover --repeat 1

# The drills of cmd/proofload judge times, so that nothing else runs beside them.
# All other packages mostly wait for servers to start, two at a time.
WHOLE := -tags=$(TAGS) -race -shuffle=on -count=1 -timeout=50m

.PHONY: test
test: engine testtools build ## all tests but test-pages, the container ones included
	$(TESTENV) $(GO) test $(WHOLE) -p=2 $$($(GO) list -tags=$(TAGS) ./... | grep -v '/cmd/proofload$$')
	$(TESTENV) $(GO) test $(WHOLE) ./cmd/proofload

.PHONY: test-defects
test-defects: engine build ## of all tests the one that plants eight known defects and sees that the judge names each
	$(TESTENV) $(GO) test -tags=$(TAGS) -count=1 -timeout=20m -run='^TestDefects$$' -v ./cmd/proofload

.PHONY: test-pages
test-pages: engine build ## carry out every command of README and guides that needs containers; make test has no time for it
	$(TESTENV) $(GO) test -tags=$(TAGS),pages -count=1 -timeout=20m -run='^TestPagesWithContainers$$' -v ./cmd/proofload

.PHONY: test-unit
test-unit: compiler ## the tests that need no container
	$(GO) test -race -shuffle=on ./...

.PHONY: test-links
test-links: ## send 1 GiB through a link while each of its toxics comes and goes, and compare checksums
	LINKD_TEST_MIB=1024 $(GO) test -count=1 -timeout=30m -run='^TestNoByteIsLost$$' -v ./cmd/linkd

.PHONY: build
build: ## build proofload, ledgerd and linkd into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/ ./cmd/proofload
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -o $(BIN)/ ./cmd/ledgerd ./cmd/linkd

.PHONY: engine
engine: ## make sure that a Docker engine runs
	@sh fixtures/engine.sh

.PHONY: compiler
compiler: ## make sure that there is a C compiler, for the race detector
	@sh fixtures/testtools.sh

.PHONY: testtools
testtools: ## make sure that there is a C compiler, a Chromium for the tests of pages, jq and zstd
	@sh fixtures/testtools.sh browser

.PHONY: bench-up
bench-up: engine build ## time a warm start of stack/ledger, with its parts: the second of two, the first makes missing images
	$(BIN)/proofload down && $(BIN)/proofload up && $(BIN)/proofload down && $(BIN)/proofload up && $(BIN)/proofload down

.PHONY: bench-ledger
bench-ledger: engine build ## time the ledger and its layers, find its highest rate; BENCH_FOR, BENCH_RATE, BENCH_STEP, BENCH_DATA
	$(BENCH) -bench='^BenchmarkLedger$$' ./cmd/proofload

.PHONY: bench-load
bench-load: ## time the load engine beside Vegeta, k6 and wrk, one core each; BENCH_FOR, BENCH_SOAK
	$(BENCH) -bench='^BenchmarkLoad$$' ./loadgen

.PHONY: bench-chaos
bench-chaos: engine build ## time a link through linkd beside Toxiproxy and a direct connection, and how fast faults come and go
	$(BENCH) -p=1 -bench='^(BenchmarkLinks|BenchmarkLinkFaults|BenchmarkFaults)$$' ./cmd/linkd ./chaos/netfault ./cmd/proofload

.PHONY: bench-cli
bench-cli: ## time validate of 100 files (aim 1 s), plan (0.3 s) and the panel (1 % of a core)
	$(GO) test -run='^$$' -bench='^Benchmark(Validate|Plan|Panel)$$' ./cmd/proofload ./reports/live

.PHONY: bench-report
bench-report: ## time the report of half an hour at 1,000/s (aim 3 s) and its first paint in a browser (0.5 s)
	$(GO) test -tags=$(TAGS) ./reports/html -run '^TestBrowserFirstPaint$$' -bench '^BenchmarkHalfHour$$' -benchtime 3x -v

.PHONY: bench-compare
bench-compare: build ## see that compare flags 10 % in real runs and no equal pair: an hour; BENCH_COMPARE=60s, BENCH_COMPARE_RUNS, BENCH_COMPARE_DIR
	$(BENCH) -bench='^BenchmarkCompare$$' ./cmd/proofload

.PHONY: soak
soak: engine build ## load the ledger for long and see that nothing grows; SOAK_FOR, SOAK_RATE, SOAK_DATA
	$(BENCH) -bench='^BenchmarkSoak$$' ./cmd/proofload

.PHONY: bench-judge
bench-judge: ## judge a history of five million operations: how long that takes, and what memory
	$(GO) test ./reports/check -run '^$$' -bench Judge -benchtime 1x -timeout 20m

.PHONY: bench-point
bench-point: engine build ## lose the primary 1.5 s and 5 s after replication stood still: the recovery points that are reported; POINT_RUNS=3
	$(BENCH) -bench='^BenchmarkPoint$$' ./cmd/proofload

.PHONY: grade
grade: engine build ## plant the defects of sut/defects and see whether the judge finds them; DEFECT=name, GRADE_RUNS=3
	$(BENCH) -bench='^BenchmarkGrade$$' ./cmd/proofload

.PHONY: explore-defects
explore-defects: engine build ## plant three defects in the stack, one at a time, and have explore find each; DEFECT=name, EXPLORE_ARGS="--seed 1"
	$(BENCH) -bench='^BenchmarkExplore$$' ./cmd/proofload

.PHONY: cover
cover: engine build ## coverage of the ledger by its tests against real servers, which has to be above 80 %
	$(TESTENV) $(GO) test -tags=$(TAGS) -count=1 -coverpkg=./sut/ledger/... -coverprofile=$(BIN)/ledger.cover ./sut/ledger/ledgertest
	$(GO) tool cover -func=$(BIN)/ledger.cover | awk 'END { print "sut/ledger: " $$NF; exit ($$NF + 0 <= 80) }'

.PHONY: lint
lint: ## all linters and the formatter's check
	$(LINT) run ./...

.PHONY: fmt
fmt: ## format the sources
	$(LINT) fmt ./...

.PHONY: golden
golden: ## rewrite the golden files; look at the difference before you commit it
	$(GO) test $$(grep -rlF '"update"' --include='*_test.go' . | xargs -n1 dirname | sort -u) -update

.PHONY: fuzz
fuzz: ## fuzz every parser for ten seconds each
	@grep -rHoE '^func Fuzz[A-Za-z]+' --include='*_test.go' . | sed 's/:func / /' | while read -r file name; do \
		$(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime 10s "$$(dirname $$file)" || exit 1; done

.PHONY: down
down: build ## remove every stack that proofload ever started here
	$(BIN)/proofload down --all

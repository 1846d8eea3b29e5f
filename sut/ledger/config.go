package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/proofload/proofload/sut/ledger/cache"
	"github.com/proofload/proofload/sut/ledger/jobs"
	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/store"
)

// A Config is the configuration of one process. It comes from the environment
// and from nowhere else; [Variables] lists what may be set.
type Config struct {
	Instance       string
	Listen         string
	DatabaseURL    string
	ReplicaURL     string
	RedisURL       string
	AMQPURL        string
	RequestTimeout time.Duration
	ClientTimeout  time.Duration
	MaxInFlight    int
	DatabaseConns  int
	RelayInterval  time.Duration
	Statements     int // built at once
	StatementTime  time.Duration
	DrainDelay     time.Duration
	HealthInterval time.Duration

	LogLevel     slog.Level
	SlowQuery    time.Duration // 0: none is logged
	OTLPEndpoint string        // "": no traces
	TraceRatio   float64
	AlertWebhook string // "": no notifications
}

// A Command is what a process is to do. Each needs a part of the configuration.
type Command int

// The commands.
const (
	API         Command = 1 << iota
	Worker              // what follows a request
	Schema              // migrate, seed
	DeadLetters         // list, replay, purge

	serves = API | Worker
)

// A Variable is a variable of the environment.
type Variable struct {
	Name    string
	About   string
	Default string  // as text; "" for none
	For     Command // those that read it
	needed  Command // those that cannot do without
}

// Needed reports whether a command cannot do without the variable.
func (v Variable) Needed(cmd Command) bool { return v.needed&cmd != 0 }

// Variables returns the variables that a command reads.
func Variables(cmd Command) []Variable {
	all := []Variable{
		{"LEDGER_INSTANCE", "name of this instance, shown in answers, logs and traces", "", serves, serves},
		{"LEDGER_LISTEN", "address to listen on", ":8080", serves, 0},
		{"LEDGER_DATABASE_URL", "postgres:// URL that leads to the primary", "", serves | Schema, serves | Schema},
		{"LEDGER_DATABASE_RO_URL", "postgres:// URL that leads to replicas", "", serves, serves},
		{"LEDGER_REDIS_URL", "redis:// URL", "", serves, serves},
		{"LEDGER_AMQP_URL", "amqp:// URL", "", Worker | DeadLetters, Worker | DeadLetters},
		{"LEDGER_REQUEST_TIMEOUT", "deadline of a request", "3s", serves, 0},
		{"LEDGER_CLIENT_TIMEOUT", "what a client may take to send the head of a request, and twice that to take the answer", "2s", serves, 0},
		{"LEDGER_MAX_IN_FLIGHT", "requests at once before others are refused", "128", API, 0},
		{"LEDGER_DATABASE_CONNS", "connections of each pool", "10", serves, 0},
		{"LEDGER_RELAY_INTERVAL", "pause between looks at an empty outbox", "150ms", Worker, 0},
		{"LEDGER_STATEMENT_WORKERS", "statements built at once", "1", Worker, 0},
		{"LEDGER_STATEMENT_TIMEOUT", "deadline of building a statement", "30s", Worker, 0},
		{"LEDGER_DRAIN_DELAY", "pause between becoming unready and refusing connections", "2s", serves, 0},
		{"LEDGER_HEALTH_INTERVAL", "pause between checks of a dependency that works", "30s", serves, 0},
		{"LEDGER_LOG_LEVEL", "debug, info, warn or error", "info", serves | Schema | DeadLetters, 0},
		{"LEDGER_SLOW_QUERY", "statements that take as long are logged; 0 for none", "250ms", serves, 0},
		{"LEDGER_OTLP_ENDPOINT", "URL of a trace collector (OTLP over HTTP); none for no traces", "", serves, 0},
		{"LEDGER_TRACE_RATIO", "part of the traces beginning here that is recorded, 0 to 1", "0.1", serves, 0},
		{"LEDGER_ALERT_WEBHOOK", "URL that critical errors are posted to; none for nowhere", "", serves, 0},
	}
	return slices.DeleteFunc(all, func(v Variable) bool { return v.For&cmd == 0 })
}

// LoadConfig reads what the command needs. The error names every variable that
// is missing or wrong, and repeats no value that may hold a password.
func LoadConfig(cmd Command, getenv func(string) string) (Config, error) {
	e := newEnv(cmd, getenv)
	cfg := Config{
		Instance:       e.text("LEDGER_INSTANCE"),
		Listen:         e.checked("LEDGER_LISTEN", checkAddress),
		DatabaseURL:    e.checked("LEDGER_DATABASE_URL", store.CheckURL),
		ReplicaURL:     e.checked("LEDGER_DATABASE_RO_URL", store.CheckURL),
		RedisURL:       e.checked("LEDGER_REDIS_URL", cache.CheckURL),
		AMQPURL:        e.checked("LEDGER_AMQP_URL", jobs.CheckURL),
		RequestTimeout: e.duration("LEDGER_REQUEST_TIMEOUT", 10*time.Millisecond, time.Minute),
		ClientTimeout:  e.duration("LEDGER_CLIENT_TIMEOUT", 10*time.Millisecond, time.Minute),
		MaxInFlight:    e.number("LEDGER_MAX_IN_FLIGHT", 1, 100_000),
		DatabaseConns:  e.number("LEDGER_DATABASE_CONNS", 1, 1000),
		RelayInterval:  e.duration("LEDGER_RELAY_INTERVAL", 10*time.Millisecond, time.Minute),
		Statements:     e.number("LEDGER_STATEMENT_WORKERS", 1, 100),
		StatementTime:  e.duration("LEDGER_STATEMENT_TIMEOUT", time.Second, time.Hour),
		DrainDelay:     e.duration("LEDGER_DRAIN_DELAY", 0, time.Minute),
		HealthInterval: e.duration("LEDGER_HEALTH_INTERVAL", 100*time.Millisecond, time.Hour),
		SlowQuery:      e.duration("LEDGER_SLOW_QUERY", 0, time.Hour),
		OTLPEndpoint:   e.checked("LEDGER_OTLP_ENDPOINT", obs.CheckEndpoint),
		TraceRatio:     e.share("LEDGER_TRACE_RATIO"),
		AlertWebhook:   e.checked("LEDGER_ALERT_WEBHOOK", obs.CheckEndpoint),
	}
	if level := e.text("LEDGER_LOG_LEVEL"); level != "" {
		e.fail("LEDGER_LOG_LEVEL", cfg.LogLevel.UnmarshalText([]byte(level)))
	}
	return cfg, errors.Join(e.errs...)
}

// env reads the variables of a command and collects what is wrong with them. A
// variable that the command does not read is empty.
type env struct {
	values map[string]string
	errs   []error
}

var errMissing = errors.New("not set")

func newEnv(cmd Command, getenv func(string) string) *env {
	e := &env{values: map[string]string{}}
	for _, v := range Variables(cmd) {
		value := cmp.Or(getenv(v.Name), v.Default)
		if value == "" && v.Needed(cmd) {
			e.fail(v.Name, errMissing)
		}
		e.values[v.Name] = value
	}
	return e
}

func (e *env) fail(name string, err error) {
	if err != nil {
		e.errs = append(e.errs, fmt.Errorf("%s: %w", name, err))
	}
}

func (e *env) text(name string) string { return e.values[name] }

// checked returns a value that passed a check, whose error must not repeat it.
func (e *env) checked(name string, check func(string) error) string {
	value := e.text(name)
	if value != "" {
		e.fail(name, check(value))
	}
	return value
}

func checkAddress(value string) error {
	if _, _, err := net.SplitHostPort(value); err != nil {
		return fmt.Errorf("%q is not an address such as :8080", value)
	}
	return nil
}

func (e *env) duration(name string, least, most time.Duration) time.Duration {
	value := e.text(name)
	if value == "" {
		return 0
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < least || d > most {
		e.fail(name, fmt.Errorf("%q is not a duration from %s to %s", value, least, most))
	}
	return d
}

func (e *env) number(name string, least, most int) int {
	value := e.text(name)
	if value == "" {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		e.fail(name, fmt.Errorf("%q is not a number from %d to %d", value, least, most))
	}
	return n
}

func (e *env) share(name string) float64 {
	value := e.text(name)
	if value == "" {
		return 0
	}
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || !(f >= 0 && f <= 1) { // NaN is neither
		e.fail(name, fmt.Errorf("%q is not a number from 0 to 1", value))
	}
	return f
}

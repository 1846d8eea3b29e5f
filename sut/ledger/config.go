package ledger

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/proofload/proofload/sut/ledger/cache"
	"github.com/proofload/proofload/sut/ledger/jobs"
	"github.com/proofload/proofload/sut/ledger/store"
)

// A Config is the configuration of one process. It comes from the environment
// and from nowhere else.
type Config struct {
	Instance       string // LEDGER_INSTANCE
	Listen         string // LEDGER_LISTEN
	DatabaseURL    string // LEDGER_DATABASE_URL
	ReplicaURL     string // LEDGER_DATABASE_RO_URL
	RedisURL       string // LEDGER_REDIS_URL
	AMQPURL        string // LEDGER_AMQP_URL
	RequestTimeout time.Duration
	MaxInFlight    int
	DatabaseConns  int
	CacheTTL       time.Duration
	RelayInterval  time.Duration
	DrainDelay     time.Duration
	LogLevel       slog.Level
}

// A Command is what a process is to do. Each needs a part of the configuration.
type Command int

// The commands.
const (
	API Command = iota
	Worker
	Admin // migrate, seed
)

// LoadConfig reads what the command needs. The error names every variable that
// is missing or wrong, and repeats no value that may hold a password.
func LoadConfig(cmd Command, getenv func(string) string) (Config, error) {
	e := env{getenv: getenv}
	serves := cmd != Admin
	cfg := Config{
		DatabaseURL:    e.url("LEDGER_DATABASE_URL", true, store.CheckURL),
		ReplicaURL:     e.url("LEDGER_DATABASE_RO_URL", cmd == API, store.CheckURL),
		RedisURL:       e.url("LEDGER_REDIS_URL", serves, cache.CheckURL),
		AMQPURL:        e.url("LEDGER_AMQP_URL", cmd == Worker, jobs.CheckURL),
		Instance:       e.text("LEDGER_INSTANCE", serves),
		Listen:         e.address("LEDGER_LISTEN", ":8080"),
		RequestTimeout: e.duration("LEDGER_REQUEST_TIMEOUT", 3*time.Second, 10*time.Millisecond, time.Minute),
		MaxInFlight:    e.number("LEDGER_MAX_IN_FLIGHT", 128, 1, 100_000),
		DatabaseConns:  e.number("LEDGER_DATABASE_CONNS", 10, 1, 1000),
		CacheTTL:       e.duration("LEDGER_CACHE_TTL", 5*time.Minute, time.Second, 24*time.Hour),
		RelayInterval:  e.duration("LEDGER_RELAY_INTERVAL", 150*time.Millisecond, 10*time.Millisecond, time.Minute),
		DrainDelay:     e.duration("LEDGER_DRAIN_DELAY", time.Second, 0, time.Minute),
	}
	if level := getenv("LEDGER_LOG_LEVEL"); level != "" {
		e.check("LEDGER_LOG_LEVEL", cfg.LogLevel.UnmarshalText([]byte(level)))
	}
	return cfg, errors.Join(e.errs...)
}

// env reads variables and collects what is wrong with them.
type env struct {
	getenv func(string) string
	errs   []error
}

func (e *env) check(name string, err error) {
	if err != nil {
		e.errs = append(e.errs, fmt.Errorf("%s: %w", name, err))
	}
}

var errMissing = errors.New("not set")

func (e *env) text(name string, required bool) string {
	value := e.getenv(name)
	if value == "" && required {
		e.check(name, errMissing)
	}
	return value
}

func (e *env) url(name string, required bool, check func(string) error) string {
	value := e.text(name, required)
	if value != "" && required {
		e.check(name, check(value))
	}
	return value
}

func (e *env) address(name, fallback string) string {
	value := e.getenv(name)
	if value == "" {
		return fallback
	}
	if _, _, err := net.SplitHostPort(value); err != nil {
		e.check(name, fmt.Errorf("%q is not an address such as :8080", value))
	}
	return value
}

func (e *env) duration(name string, fallback, least, most time.Duration) time.Duration {
	value := e.getenv(name)
	if value == "" {
		return fallback
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < least || d > most {
		e.check(name, fmt.Errorf("%q is not a duration from %s to %s such as %s", value, least, most, fallback))
	}
	return d
}

func (e *env) number(name string, fallback, least, most int) int {
	value := e.getenv(name)
	if value == "" {
		return fallback
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		e.check(name, fmt.Errorf("%q is not a number from %d to %d", value, least, most))
	}
	return n
}

package ledger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/sut/ledger"
)

func getenv(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestLoadConfigNamesWhatIsMissing(t *testing.T) {
	const instance, database, replica = "LEDGER_INSTANCE", "LEDGER_DATABASE_URL", "LEDGER_DATABASE_RO_URL"
	const redis, amqp = "LEDGER_REDIS_URL", "LEDGER_AMQP_URL"
	tests := []struct {
		name string
		cmd  ledger.Command
		want []string
	}{
		{"api", ledger.API, []string{instance, database, replica, redis}},
		{"worker", ledger.Worker, []string{instance, database, replica, redis, amqp}},
		{"migrate and seed", ledger.Schema, []string{database}},
		{"dlq", ledger.DeadLetters, []string{amqp}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ledger.LoadConfig(tt.cmd, getenv(nil))
			want := strings.Join(tt.want, ": not set\n") + ": not set"
			if err == nil || err.Error() != want {
				t.Errorf("LoadConfig of an empty environment = %v; want %s", err, want)
			}
			var needed []string
			for _, v := range ledger.Variables(tt.cmd) {
				if v.Needed(tt.cmd) {
					needed = append(needed, v.Name)
				}
			}
			if diff := cmp.Diff(tt.want, needed); diff != "" {
				t.Errorf("needed variables (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadConfigRefuses(t *testing.T) {
	tests := []struct{ name, value string }{
		{"LEDGER_DATABASE_URL", "postgres://u:hunter2@h:port/d"},
		{"LEDGER_REDIS_URL", "http://u:hunter2@h/"},
		{"LEDGER_AMQP_URL", "http://u:hunter2@h/"},
		{"LEDGER_OTLP_ENDPOINT", "h:4318/hunter2"},
		{"LEDGER_ALERT_WEBHOOK", "hooks/hunter2"},
		{"LEDGER_LISTEN", "8080"},
		{"LEDGER_REQUEST_TIMEOUT", "3"},
		{"LEDGER_REQUEST_TIMEOUT", "-1s"},
		{"LEDGER_DATABASE_CONNS", "ten"},
		{"LEDGER_DATABASE_CONNS", "0"},
		{"LEDGER_STATEMENT_WORKERS", "0"},
		{"LEDGER_HEALTH_INTERVAL", "1ms"},
		{"LEDGER_TRACE_RATIO", "2"},
		{"LEDGER_TRACE_RATIO", "NaN"},
		{"LEDGER_TRACE_RATIO", "all"},
		{"LEDGER_LOG_LEVEL", "loud"},
	}
	for _, tt := range tests {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			vars := complete()
			vars[tt.name] = tt.value
			_, err := ledger.LoadConfig(ledger.Worker, getenv(vars))
			if err == nil || !strings.HasPrefix(err.Error(), tt.name+": ") || strings.Contains(err.Error(), "\n") {
				t.Fatalf("LoadConfig = %v; want one error that names %s", err, tt.name)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("LoadConfig = %v; repeats the password", err)
			}
		})
	}
}

func complete() map[string]string {
	return map[string]string{
		"LEDGER_INSTANCE":        "worker-1",
		"LEDGER_DATABASE_URL":    "postgres://u@h/d",
		"LEDGER_DATABASE_RO_URL": "postgres://u@r/d",
		"LEDGER_REDIS_URL":       "redis://h:6379/0",
		"LEDGER_AMQP_URL":        "amqp://h/",
	}
}

func TestLoadConfigDefaults(t *testing.T) {
	got, err := ledger.LoadConfig(ledger.Worker, getenv(complete()))
	if err != nil {
		t.Fatal(err)
	}
	want := ledger.Config{
		Instance: "worker-1", Listen: ":8080",
		DatabaseURL: "postgres://u@h/d", ReplicaURL: "postgres://u@r/d", RedisURL: "redis://h:6379/0", AMQPURL: "amqp://h/",
		RequestTimeout: 3 * time.Second, ClientTimeout: 2 * time.Second, DatabaseConns: 10, RelayInterval: 150 * time.Millisecond,
		Statements: 1, StatementTime: 30 * time.Second, DrainDelay: 2 * time.Second, HealthInterval: 30 * time.Second,
		SlowQuery: 250 * time.Millisecond, TraceRatio: 0.1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("LoadConfig (-want +got):\n%s", diff)
	}
}

// TestLoadConfigIgnores what another command reads, even if it is wrong.
func TestLoadConfigIgnores(t *testing.T) {
	vars := map[string]string{"LEDGER_AMQP_URL": "amqp://h/", "LEDGER_DATABASE_URL": "nonsense", "LEDGER_TRACE_RATIO": "9"}
	got, err := ledger.LoadConfig(ledger.DeadLetters, getenv(vars))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ledger.Config{AMQPURL: "amqp://h/"}, got); diff != "" {
		t.Errorf("LoadConfig (-want +got):\n%s", diff)
	}
}

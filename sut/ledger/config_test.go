package ledger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/sut/ledger"
)

func getenv(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestLoadConfigNamesWhatIsMissing(t *testing.T) {
	tests := []struct {
		name string
		cmd  ledger.Command
		want []string
	}{
		{"api", ledger.API, []string{"LEDGER_DATABASE_URL", "LEDGER_DATABASE_RO_URL", "LEDGER_REDIS_URL", "LEDGER_INSTANCE"}},
		{"worker", ledger.Worker, []string{"LEDGER_DATABASE_URL", "LEDGER_REDIS_URL", "LEDGER_AMQP_URL", "LEDGER_INSTANCE"}},
		{"admin", ledger.Admin, []string{"LEDGER_DATABASE_URL"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ledger.LoadConfig(tt.cmd, getenv(nil))
			want := strings.Join(tt.want, ": not set\n") + ": not set"
			if err == nil || err.Error() != want {
				t.Errorf("LoadConfig of an empty environment = %v; want %s", err, want)
			}
		})
	}
}

func TestLoadConfigRefuses(t *testing.T) {
	tests := []struct{ name, value string }{
		{"LEDGER_DATABASE_URL", "postgres://u:hunter2@h:port/d"},
		{"LEDGER_REDIS_URL", "http://u:hunter2@h/"},
		{"LEDGER_AMQP_URL", "http://u:hunter2@h/"},
		{"LEDGER_LISTEN", "8080"},
		{"LEDGER_REQUEST_TIMEOUT", "3"},
		{"LEDGER_REQUEST_TIMEOUT", "-1s"},
		{"LEDGER_MAX_IN_FLIGHT", "0"},
		{"LEDGER_DATABASE_CONNS", "ten"},
		{"LEDGER_CACHE_TTL", "0s"},
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
		"LEDGER_INSTANCE":     "worker-1",
		"LEDGER_DATABASE_URL": "postgres://u@h/d",
		"LEDGER_REDIS_URL":    "redis://h:6379/0",
		"LEDGER_AMQP_URL":     "amqp://h/",
	}
}

func TestLoadConfigDefaults(t *testing.T) {
	got, err := ledger.LoadConfig(ledger.Worker, getenv(complete()))
	if err != nil {
		t.Fatal(err)
	}
	want := ledger.Config{
		Instance: "worker-1", Listen: ":8080",
		DatabaseURL: "postgres://u@h/d", RedisURL: "redis://h:6379/0", AMQPURL: "amqp://h/",
		RequestTimeout: 3 * time.Second, MaxInFlight: 128, DatabaseConns: 10,
		CacheTTL: 5 * time.Minute, RelayInterval: 150 * time.Millisecond, DrainDelay: time.Second,
	}
	if got != want {
		t.Errorf("LoadConfig = %+v; want %+v", got, want)
	}
}
